//! An HTLC to offer, and its refusal.

use steward_wire::amount::in_sat;
use steward_wire::{Onion, PaymentHash};

/// The caller's name for an HTLC it asked to add, until the HTLC has an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AddToken(pub u64);

/// An HTLC we want to offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewHtlc {
    /// Comes back in [`LinkEvent::HtlcAdded`](crate::LinkEvent::HtlcAdded) or
    /// [`LinkEvent::HtlcRefused`](crate::LinkEvent::HtlcRefused).
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
    /// The HTLC is refused if it has found no free slot by then (by the clock that nobody sets).
    pub give_up_ms: u64,
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
