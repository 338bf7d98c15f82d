//! What comes out of a channel, and what it knows of the world.

use steward_htlc::LinkEvent;
use steward_wire::{Identity, InitHostedChannel, Message, PaymentHash, Preimage, UpdateAddHtlc};

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

/// What a hosted channel wants done, or reports. Outputs depend on the record as it is after the
/// whole call: none may leave before [`Channel::record`](crate::Channel::record) is durable, if the
/// call said [`LinkEvent::Changed`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "moved a few times, never stored in bulk")]
pub enum Output {
    /// A report that a channel of any kind makes.
    Link(LinkEvent),
    /// Both signed the first state.
    Opened,
    /// The opening ended without a channel; a host forgets it.
    OpeningFailed(String),
    /// The channel is suspended. Reported once per suspension.
    Suspended(Suspension),
    /// Our data was lost, or is an old copy: a state of the peer's, signed by both and newer than
    /// ours, replaced it. HTLCs may have ended, or have been acted upon, since our copy was made:
    /// [`LinkEvent::HtlcDropped`] and [`LinkEvent::HtlcIncoming`] say of which HTLCs that is true.
    DataLost,
    /// Nothing proves that the peer offered these HTLCs of the state that replaced ours. They are
    /// not among [`Channel::incoming_htlcs`](crate::Channel::incoming_htlcs), and nobody acts on
    /// them: operators decide, by an override.
    HtlcsHeld {
        /// Their ids.
        ids: Vec<u64>,
    },
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

impl Output {
    /// The message is to be sent to the peer.
    pub(crate) fn send(message: Message) -> Self {
        Self::Link(LinkEvent::Send(message))
    }
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
