//! What goes into a channel and what comes out of it.

use bitcoin::secp256k1::SecretKey;
use steward_wire::amount::in_sat;
use steward_wire::{
    ChannelUpdate, InitHostedChannel, Message, Onion, PaymentHash, Preimage, UpdateAddHtlc,
};

/// Which side of the channel we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// We keep the money and owe the other side its balance.
    Host,
    /// We trust the other side with our balance.
    Client,
}

/// Where the channel is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// The opening exchange is not finished; there is no signed state yet.
    Opening,
    /// A signed state exists, the peer is not connected.
    Offline,
    /// The peer is connected, both compare their states.
    Syncing,
    /// Both hold the same state: HTLCs may flow.
    Active,
    /// An error was sent or received: no new HTLCs until an override; fulfills still count.
    Suspended,
}

/// The world as the channel sees it at one input. Time, height and keys come from outside.
#[derive(Clone, Copy)]
pub struct Env<'a> {
    /// Our key in this channel; its public key is our node id here.
    pub key: &'a SecretKey,
    /// Genesis hash of our chain, internal byte order.
    pub chain_hash: &'a [u8; 32],
    /// Best block height.
    pub height: u32,
    /// Blocks up to this height were searched for published preimages; an own HTLC is not given
    /// up before the search has passed its expiry.
    pub searched_height: u32,
    /// Milliseconds on a clock that nobody sets: it never goes back, and is no date.
    pub now_ms: u64,
    /// As host: the largest capacity a client's resize may ask for, in satoshi.
    pub max_capacity_sat: u64,
    /// Whether we can read an HTLC's onion: then it was made for us, and the peer offered it.
    pub is_readable: &'a dyn Fn(&UpdateAddHtlc) -> bool,
}

/// A caller's handle on an HTLC it asked to add, until the HTLC has an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AddToken(pub u64);

/// An HTLC we want to offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewHtlc {
    /// Comes back in [`Output::HtlcAdded`] or [`Output::HtlcRefused`].
    pub token: AddToken,
    /// Amount, in millisatoshi.
    pub amount_msat: u64,
    /// Hash whose preimage claims it.
    pub payment_hash: PaymentHash,
    /// Absolute expiry, block height.
    pub cltv_expiry: u32,
    /// For the peer to peel.
    pub onion: Onion,
    /// TLV stream, such as a path key.
    pub tlvs: Vec<u8>,
    /// If it found no free slot by then (by `Env::now_ms`), it is refused.
    pub give_up_ms: u64,
}

/// How we, or the peer, fail an HTLC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// `update_fail_htlc`: an encrypted reason and a TLV stream.
    Reason {
        /// Onion error, encrypted for the payer.
        reason: Vec<u8>,
        /// TLV stream, such as attribution data.
        tlvs: Vec<u8>,
    },
    /// `update_fail_malformed_htlc`.
    Malformed {
        /// SHA-256 of the onion that could not be read.
        sha256_of_onion: [u8; 32],
        /// A BOLT4 code with the BADONION bit.
        failure_code: u16,
    },
}

/// What a channel reacts to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "moved a few times, never stored in bulk")]
pub enum Input {
    /// The peer is connected.
    Connected,
    /// The connection is gone.
    Disconnected,
    /// A message of this channel arrived, unframed and decoded.
    Message(Message),
    /// Offer an HTLC at the next flush that has room for it.
    Add(NewHtlc),
    /// Claim an incoming HTLC. Idempotent; ignored if the HTLC is gone.
    Fulfill {
        /// The HTLC, by the peer's id.
        id: u64,
        /// Its preimage.
        preimage: Preimage,
        /// TLV stream, such as attribution data.
        tlvs: Vec<u8>,
    },
    /// Fail an incoming HTLC. Idempotent; never overtakes a fulfill.
    Fail {
        /// The HTLC, by the peer's id.
        id: u64,
        /// Why.
        failure: Failure,
    },
    /// `Env::height` or `Env::searched_height` changed.
    Block,
    /// `Env::now_ms` moved: unanswered messages and waiting HTLCs may have timed out.
    Tick,
    /// A preimage of one of our outgoing HTLCs was learned outside the channel. A peer that does
    /// not fulfill the HTLC itself is suspended shortly before its expiry (code 0006). Ignored if
    /// the HTLC has ended, or its hash is another.
    ExternalFulfill {
        /// The HTLC, by our id.
        id: u64,
        /// Its preimage.
        preimage: Preimage,
    },
    /// As client: the host said that it does not give the capacity we asked for.
    ResizeRefused {
        /// In the host's words.
        reason: String,
    },
    /// Our own terms for forwarding to the peer, signed. Sent to the peer if the channel is
    /// active, else dropped: give it whenever [`Output::Active`] comes and whenever it changes.
    OwnPolicy(ChannelUpdate),
}

/// What a channel wants done. Sends and reports depend on the record as it is after the whole
/// call: none may leave before [`Channel::record`](crate::Channel::record) is durable, if the
/// call said [`Output::Changed`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "moved a few times, never stored in bulk")]
pub enum Output {
    /// Send to the peer, in order.
    Send(Message),
    /// The record differs from what was stored last.
    Changed,
    /// Both signed the first state.
    Opened,
    /// Opening ended without a channel; as host, forget it.
    OpeningFailed(String),
    /// HTLCs can flow from now on.
    Active,
    /// HTLCs cannot flow any more (offline or suspended).
    Inactive,
    /// The channel is suspended. Once per suspension.
    Suspended(Suspension),
    /// The peer said this; for people only.
    PeerError(String),
    /// An HTLC offered by the peer is cross-signed: act on it, once.
    HtlcIncoming {
        /// The HTLC.
        add: UpdateAddHtlc,
        /// True if it comes with a state of the peer's that replaces ours (see
        /// [`Output::DataLost`]): we may have acted on it before our data was lost.
        taken_over: bool,
    },
    /// An own HTLC got its id and is on its way, in the record from now on. The id of an HTLC
    /// that was dropped by an override or a newer state may come again, if the peer never saw it.
    HtlcAdded {
        /// As given in [`NewHtlc`].
        token: AddToken,
        /// Its id.
        id: u64,
    },
    /// An own HTLC was not, and will never be, sent.
    HtlcRefused {
        /// As given in [`NewHtlc`].
        token: AddToken,
        /// Why.
        reason: AddRefusal,
    },
    /// The preimage of an own HTLC is known: the peer showed it, or it was learned elsewhere. May
    /// come before its removal is signed.
    HtlcFulfilled {
        /// Our id.
        id: u64,
        /// The proof of payment.
        preimage: Preimage,
        /// The TLV stream that came with it, such as attribution data; empty if it came otherwise.
        tlvs: Vec<u8>,
    },
    /// Our data was lost, or is an old copy: a state of the peer's, signed by both and newer than
    /// ours, replaced it. HTLCs may have ended, or have been acted upon, in a time we know nothing
    /// of: the outputs that say so name the newer state as their cause.
    DataLost,
    /// Nothing proves that the peer offered these HTLCs of the state that replaced ours: they are
    /// not among [`Channel::incoming_htlcs`](crate::Channel::incoming_htlcs), and nobody acts on
    /// them. People decide, by an override.
    HtlcsHeld {
        /// Their ids.
        ids: Vec<u64>,
    },
    /// The peer failed an own HTLC and its removal is cross-signed.
    HtlcFailed {
        /// Our id.
        id: u64,
        /// As the peer gave it.
        failure: Failure,
    },
    /// An own HTLC is dead without an answer: it expired and the channel is suspended, or an
    /// override or the host's newer state dropped it.
    HtlcDropped {
        /// Our id.
        id: u64,
        /// What ended it.
        cause: DropCause,
    },
    /// Our own fulfill or fail of this incoming HTLC is in the record: it will be repeated until
    /// it is signed, the caller need not remember it. Also said when there is nothing to settle
    /// any more, because the HTLC is gone.
    SettlementRecorded {
        /// The peer's id.
        id: u64,
    },
    /// The peer's terms for forwarding to us; authenticated.
    PeerPolicy(ChannelUpdate),
    /// As client: the host does not give the capacity we asked for; the request is withdrawn.
    ResizeRefused {
        /// In the host's words.
        reason: String,
    },
    /// The capacity changed, in a signed state.
    Resized {
        /// In millisatoshi.
        new_capacity_msat: u64,
    },
    /// As client: the host proposes an override; a person must decide.
    OverrideProposed {
        /// What our balance would be, in millisatoshi.
        our_balance_msat: u64,
    },
    /// The override is in force.
    Overridden,
    /// The override left out incoming HTLCs that we had claimed and the peer had not signed.
    ClaimsDropped {
        /// Of these payments.
        payment_hashes: Vec<PaymentHash>,
    },
    /// Something that proves, or hints at, the peer's misbehaviour: keep it for people.
    Evidence(Evidence),
    /// Drop the connection and connect again: the exchange is out of step.
    Reconnect(String),
    /// A revealed incoming HTLC comes close to its expiry without the peer's signature.
    PreimageAtRisk {
        /// The peer's id.
        id: u64,
        /// To be published on chain before the expiry.
        preimage: Preimage,
        /// Its expiry, block height.
        cltv_expiry: u32,
    },
}

/// What ended an own HTLC without the peer's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropCause {
    /// The chain passed its expiry.
    Expired,
    /// An override left it out.
    Override,
    /// We had lost data; the peer's newer state, signed by us, does not have it: it was paid or it
    /// was not.
    NewerState,
}

/// Why, and by whom, a channel was suspended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspension {
    /// True if we found the error, false if the peer sent one.
    pub by_us: bool,
    /// Four digits of docs/protocol.md section 3.9, if there is one.
    pub code: Option<u16>,
    /// A sentence.
    pub text: String,
}

/// A message kept because it may have to be shown to someone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// What it shows, in one sentence.
    pub what: String,
    /// The message's type.
    pub message_type: u16,
    /// Its unframed body.
    pub body: Vec<u8>,
}

/// Why an own HTLC cannot be offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddRefusal {
    /// The channel is not active.
    #[error("the channel is not active")]
    Unavailable,
    /// Below the channel's minimum.
    #[error("the amount is below the channel's minimum of {}", in_sat(*.minimum_msat))]
    BelowMinimum {
        /// The minimum, in millisatoshi.
        minimum_msat: u64,
    },
    /// Not enough balance.
    #[error("the channel's balance lacks {}", in_sat(*.missing_msat))]
    InsufficientBalance {
        /// What is missing, in millisatoshi.
        missing_msat: u64,
    },
    /// The channel's in-flight limit.
    #[error("the channel may have at most {} in flight", in_sat(*.maximum_msat))]
    TooMuchInFlight {
        /// The limit, in millisatoshi.
        maximum_msat: u64,
    },
    /// No slot came free in time.
    #[error("the channel has too many HTLCs in flight")]
    TooManyHtlcs,
    /// The queue of waiting HTLCs is full.
    #[error("too many HTLCs are waiting for the channel")]
    QueueFull,
    /// The expiry is too close.
    #[error("the expiry is too soon")]
    ExpiryTooSoon,
    /// The expiry is too far.
    #[error("the expiry is too far away")]
    ExpiryTooFar,
    /// A counter is exhausted.
    #[error("the channel's update counter is exhausted")]
    CountersExhausted,
    /// The TLV stream is malformed or longer than peers accept.
    #[error("the HTLC's TLV stream is malformed or too long")]
    BadTlvs,
}

/// Numbers for people and for routing, of the state both sides will sign next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Our side.
    pub role: Role,
    /// Where it is in its life.
    pub phase: Phase,
    /// Capacity, in millisatoshi.
    pub capacity_msat: u64,
    /// Our balance in the last signed state, in millisatoshi.
    pub local_balance_msat: u64,
    /// The peer's balance in the last signed state, in millisatoshi.
    pub remote_balance_msat: u64,
    /// What we could still offer now, in millisatoshi, whether or not it had to wait for a slot:
    /// zero unless active.
    pub spendable_msat: u64,
    /// What the peer could offer us now, in millisatoshi, by the limits; whatever the phase.
    pub receivable_msat: u64,
    /// HTLCs offered by us, signed and unsigned.
    pub outgoing_htlcs: u16,
    /// HTLCs offered by the peer, signed and unsigned.
    pub incoming_htlcs: u16,
    /// The agreed terms.
    pub terms: InitHostedChannel,
}
