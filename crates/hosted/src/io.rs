//! What goes into a channel and what comes out of it.

use steward_wire::amount::in_sat;
use steward_wire::{
    ChannelUpdate, Identity, InitHostedChannel, Message, Onion, PaymentHash, Preimage,
    UpdateAddHtlc,
};

/// The side of the channel that we are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// We keep the money and owe the other side its balance.
    Host,
    /// We trust the other side with our balance.
    Client,
}

/// The part of its life that the channel is in (docs/architecture.md, "One channel").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// The opening exchange is not finished; there is no signed state yet.
    Opening,
    /// A signed state exists, and the peer is not connected.
    Offline,
    /// The peer is connected, and both compare their states.
    Syncing,
    /// Both hold the same state: HTLCs may flow.
    Active,
    /// An error was sent or received: no new HTLCs until an override; fulfills still count.
    Suspended,
}

/// What a channel knows of the world at one input. Time, height and keys come from outside.
#[derive(Clone, Copy)]
pub struct Env<'a> {
    /// Our identity in this channel: it signs, and its key stays where it is.
    pub local: &'a dyn Identity,
    /// Hash of our chain's genesis block, in internal byte order.
    pub chain_hash: &'a [u8; 32],
    /// Height of the best block.
    pub height: u32,
    /// Blocks up to this height were searched for published preimages; an HTLC of ours is not
    /// given up before the search has passed its expiry.
    pub searched_height: u32,
    /// Milliseconds on a clock that nobody sets: it never goes back, and it is not a date.
    pub now_ms: u64,
    /// As host: the largest capacity a client's resize may ask for, in satoshi.
    pub max_capacity_sat: u64,
    /// Tells whether we can read an HTLC's onion: if so, it was made for us, and the peer offered
    /// it.
    pub is_readable: &'a dyn Fn(&UpdateAddHtlc) -> bool,
}

/// The caller's name for an HTLC it asked to add, until the HTLC has an id.
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
    /// The onion, which the peer peels.
    pub onion: Onion,
    /// TLV stream, which may hold a path key.
    pub tlvs: Vec<u8>,
    /// The HTLC is refused if it has found no free slot by then (by `Env::now_ms`).
    pub give_up_ms: u64,
}

/// The way in which we, or the peer, fail an HTLC.
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

/// An event that a channel reacts to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "moved a few times, never stored in bulk")]
pub enum Input {
    /// The peer is connected.
    Connected,
    /// The connection is gone.
    Disconnected,
    /// A message of this channel arrived, unframed and decoded.
    Message(Message),
    /// The engine offers an HTLC. It is sent at the next flush that has room for it.
    Add(NewHtlc),
    /// The engine claims an incoming HTLC. Idempotent; ignored if the HTLC is gone.
    Fulfill {
        /// The HTLC, by the peer's id.
        id: u64,
        /// Its preimage.
        preimage: Preimage,
        /// TLV stream, such as attribution data.
        tlvs: Vec<u8>,
    },
    /// The engine fails an incoming HTLC. Idempotent; it never replaces a fulfill.
    Fail {
        /// The HTLC, by the peer's id.
        id: u64,
        /// The reason.
        failure: Failure,
    },
    /// `Env::height` or `Env::searched_height` changed.
    Block,
    /// `Env::now_ms` advanced: unanswered messages and waiting HTLCs may have timed out.
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
        /// The host's words.
        reason: String,
    },
    /// Our own terms for forwarding to the peer, signed. They are sent if the channel is active,
    /// else dropped: give them at each [`Output::Active`] and whenever they change.
    OwnPolicy(ChannelUpdate),
}

/// What a channel wants done, or reports. Outputs depend on the record as it is after the whole
/// call: none may leave before [`Channel::record`](crate::Channel::record) is durable, if the
/// call said [`Output::Changed`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "moved a few times, never stored in bulk")]
pub enum Output {
    /// The message is to be sent to the peer, in this order.
    Send(Message),
    /// The record differs from what was stored last.
    Changed,
    /// Both signed the first state.
    Opened,
    /// The opening ended without a channel; a host forgets it.
    OpeningFailed(String),
    /// HTLCs can flow from now on.
    Active,
    /// HTLCs cannot flow any more (offline or suspended).
    Inactive,
    /// The channel is suspended. Reported once per suspension.
    Suspended(Suspension),
    /// The peer sent this error, as text for people.
    PeerError(String),
    /// An HTLC offered by the peer is cross-signed. Reported once: it is to be acted upon.
    HtlcIncoming {
        /// The HTLC.
        add: UpdateAddHtlc,
        /// True if it comes with a state of the peer's that replaces ours (see
        /// [`Output::DataLost`]): we may have acted on it before our data was lost.
        taken_over: bool,
    },
    /// An HTLC of ours got its id and is in flight, and in the record from now on. The id of an
    /// HTLC that an override or a newer state dropped may be used again, if the peer never saw it.
    HtlcAdded {
        /// As given in [`NewHtlc`].
        token: AddToken,
        /// Its id.
        id: u64,
    },
    /// An HTLC of ours was not sent, and never will be.
    HtlcRefused {
        /// As given in [`NewHtlc`].
        token: AddToken,
        /// The reason.
        reason: AddRefusal,
    },
    /// The preimage of an HTLC of ours is known: the peer showed it, or it was learned elsewhere.
    /// It may be reported before the HTLC's removal is signed.
    HtlcFulfilled {
        /// Our id.
        id: u64,
        /// The proof of payment.
        preimage: Preimage,
        /// The TLV stream that came with it, such as attribution data; empty if it came otherwise.
        tlvs: Vec<u8>,
    },
    /// Our data was lost, or is an old copy: a state of the peer's, signed by both and newer than
    /// ours, replaced it. HTLCs may have ended, or have been acted upon, since our copy was made:
    /// [`Output::HtlcDropped`] and [`Output::HtlcIncoming`] say of which HTLCs that is true.
    DataLost,
    /// Nothing proves that the peer offered these HTLCs of the state that replaced ours. They are
    /// not among [`Channel::incoming_htlcs`](crate::Channel::incoming_htlcs), and nobody acts on
    /// them: operators decide, by an override.
    HtlcsHeld {
        /// Their ids.
        ids: Vec<u64>,
    },
    /// The peer failed an HTLC of ours, and its removal is cross-signed.
    HtlcFailed {
        /// Our id.
        id: u64,
        /// The failure that the peer sent.
        failure: Failure,
    },
    /// An HTLC of ours ended without an answer: it expired and the channel is suspended, or an
    /// override or the peer's newer state dropped it.
    HtlcDropped {
        /// Our id.
        id: u64,
        /// What ended it.
        cause: DropCause,
    },
    /// Our fulfill or fail of this incoming HTLC is in the record: the channel repeats it until it
    /// is signed, and the caller need not remember it. Also reported when there is nothing left to
    /// settle, because the HTLC is gone.
    SettlementRecorded {
        /// The peer's id.
        id: u64,
    },
    /// The peer's terms for forwarding to us; authenticated.
    PeerPolicy(ChannelUpdate),
    /// As client: the host does not give the capacity we asked for; the request is withdrawn.
    ResizeRefused {
        /// The host's words.
        reason: String,
    },
    /// The capacity has changed in a signed state.
    Resized {
        /// In millisatoshi.
        new_capacity_msat: u64,
    },
    /// As client: the host proposes an override; the operator must decide.
    OverrideProposed {
        /// Our balance in the proposed state, in millisatoshi.
        our_balance_msat: u64,
    },
    /// The override is in force.
    Overridden,
    /// The override left out incoming HTLCs that we had claimed and the peer had not signed.
    ClaimsDropped {
        /// Hashes of the payments that we had claimed.
        payment_hashes: Vec<PaymentHash>,
    },
    /// A message that proves, or hints at, the peer's misbehaviour. It is to be kept for operators.
    Evidence(Evidence),
    /// The exchange is out of step: the connection is to be dropped and made again.
    Reconnect(String),
    /// An incoming HTLC whose preimage we revealed is close to its expiry, and the peer has not
    /// signed its removal.
    PreimageAtRisk {
        /// The peer's id.
        id: u64,
        /// The preimage, to be published on chain before the expiry.
        preimage: Preimage,
        /// Its expiry, block height.
        cltv_expiry: u32,
    },
}

/// The reason why an HTLC of ours ended without the peer's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropCause {
    /// The chain has passed its expiry.
    Expired,
    /// An override does not have it.
    Override,
    /// We had lost data, and the peer's newer state, signed by us, does not have it. Whether it
    /// was paid is not known.
    NewerState,
}

/// The error over which a channel was suspended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspension {
    /// True if we found the error, false if the peer sent one.
    pub by_us: bool,
    /// The error's code (docs/protocol.md section 3.9), if it has one.
    pub code: Option<u16>,
    /// The error as a sentence.
    pub text: String,
}

/// A message kept because it may have to be shown to someone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// What the message shows, in one sentence.
    pub what: String,
    /// The message's type.
    pub message_type: u16,
    /// The message's unframed body.
    pub body: Vec<u8>,
}

/// The reason why an HTLC cannot be offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddRefusal {
    /// The channel is not active.
    #[error("the channel is not active")]
    Unavailable,
    /// The amount is below the channel's minimum.
    #[error("the amount is below the channel's minimum of {}", in_sat(*.minimum_msat))]
    BelowMinimum {
        /// The minimum, in millisatoshi.
        minimum_msat: u64,
    },
    /// The balance is too low.
    #[error("the channel's balance lacks {}", in_sat(*.missing_msat))]
    InsufficientBalance {
        /// The amount that is missing, in millisatoshi.
        missing_msat: u64,
    },
    /// The amount exceeds the channel's in-flight limit.
    #[error("the channel may have at most {} in flight", in_sat(*.maximum_msat))]
    TooMuchInFlight {
        /// The limit, in millisatoshi.
        maximum_msat: u64,
    },
    /// No slot became free in time.
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

/// Balances, limits and counts of the state both sides will sign next, for display and routing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Our side.
    pub role: Role,
    /// The phase that the channel is in.
    pub phase: Phase,
    /// Capacity, in millisatoshi.
    pub capacity_msat: u64,
    /// Our balance in the last signed state, in millisatoshi.
    pub local_balance_msat: u64,
    /// The peer's balance in the last signed state, in millisatoshi.
    pub remote_balance_msat: u64,
    /// The amount we could still offer now, in millisatoshi, whether or not it had to wait for a
    /// slot. Zero unless active.
    pub spendable_msat: u64,
    /// The amount the peer could offer us by the limits, in millisatoshi, whatever the phase.
    pub receivable_msat: u64,
    /// HTLCs offered by us, signed and unsigned.
    pub outgoing_htlcs: u16,
    /// HTLCs offered by the peer, signed and unsigned.
    pub incoming_htlcs: u16,
    /// The agreed terms.
    pub terms: InitHostedChannel,
}
