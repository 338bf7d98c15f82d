//! What can be read of an HTLC that is in a channel.

use steward_wire::{Preimage, UpdateAddHtlc};

/// An HTLC the peer offers, signed by both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IncomingHtlc<'a> {
    /// The HTLC.
    pub htlc: &'a UpdateAddHtlc,
    /// Our settlement of it, if that is decided.
    pub settlement: Option<IncomingSettlement>,
    /// True if the settlement is in the channel's record, which repeats it until it is signed.
    pub is_recorded: bool,
}

impl IncomingHtlc<'_> {
    /// True if it is decided how to settle the HTLC, and the channel's record does not say so yet.
    pub fn waits_for_record(&self) -> bool {
        self.settlement.is_some() && !self.is_recorded
    }
}

/// A settlement of an incoming HTLC that is not signed yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IncomingSettlement {
    /// Claimed with this preimage.
    Fulfill(Preimage),
    /// Failed.
    Fail,
}

/// An HTLC we offer, signed or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutgoingHtlc<'a> {
    /// The HTLC.
    pub htlc: &'a UpdateAddHtlc,
    /// Its preimage, if it is known: then only its removal is still to be signed.
    pub preimage: Option<Preimage>,
}
