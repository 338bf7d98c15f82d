//! Balances, HTLCs and fee rates of both commitments, as one value: each HTLC has a stage, from
//! which follows in which commitments it stands (BOLT 2, "Normal Operation").
//!
//! We send updates only together with the `commitment_signed` that covers them, so an HTLC of ours
//! begins as signed.
//!
//! Layout
//! - [`steps`](LedgerEvent): what a signature and a revocation do to the stages
//! - [`view`](View): what each commitment holds

mod steps;
mod view;

use std::collections::{BTreeMap, BTreeSet};

use steward_htlc::Settlement;
use steward_wire::{Preimage, UpdateAddHtlc};

use crate::bolt3::{HtlcKey, Side};

pub(crate) use steps::LedgerEvent;
pub(crate) use view::View;

/// The stage of an HTLC that we offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum OurStage {
    /// We have signed a commitment of the peer's that has it.
    Signed,
    /// The peer has revoked its commitment without it.
    Acked,
    /// Both commitments have it, and those without it are revoked.
    Committed,
    /// The peer has removed it, and has not signed that.
    RemoveReceived,
    /// We have revoked our commitment with it.
    RemoveRevoked,
    /// We have signed a commitment of the peer's without it.
    RemoveSigned,
}

/// The stage of an HTLC that the peer offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TheirStage {
    /// The peer has offered it, and has not signed that.
    Received,
    /// We have revoked our commitment without it.
    Revoked,
    /// We have signed a commitment of the peer's that has it.
    Signed,
    /// Both commitments have it, and those without it are revoked.
    Committed,
    /// We have removed it and signed that.
    RemoveSigned,
    /// The peer has revoked its commitment with it.
    RemoveAcked,
}

/// An HTLC that we offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OurHtlc {
    pub(crate) add: UpdateAddHtlc,
    pub(crate) stage: OurStage,
    /// Its preimage, once it is known from anywhere.
    pub(crate) preimage: Option<Preimage>,
    /// The peer's removal, from the stage [`OurStage::RemoveReceived`] on.
    pub(crate) removal: Option<Settlement>,
}

/// An HTLC that the peer offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TheirHtlc {
    pub(crate) add: UpdateAddHtlc,
    pub(crate) stage: TheirStage,
    /// Our answer; it is sent with the next commitment, and has been from the stage
    /// [`TheirStage::RemoveSigned`] on.
    pub(crate) answer: Option<Settlement>,
}

/// Fee rates on their way into both commitments. Only the funder changes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Feerates {
    /// In both commitments.
    pub(crate) committed: u32,
    /// In a commitment of the peer's that we have signed and the peer not yet acknowledged.
    pub(crate) signed: Option<u32>,
    /// In our commitment, not in one of the peer's.
    pub(crate) revoked: Option<u32>,
    /// Sent by the funder, not signed.
    pub(crate) received: Option<u32>,
}

/// Balances, HTLCs and fee rates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ledger {
    /// Our balance if every HTLC below failed, in millisatoshi.
    pub(crate) local_msat: u64,
    /// The peer's balance if every HTLC below failed, in millisatoshi.
    pub(crate) remote_msat: u64,
    pub(crate) feerates: Feerates,
    pub(crate) ours: BTreeMap<u64, OurHtlc>,
    pub(crate) theirs: BTreeMap<u64, TheirHtlc>,
    /// The id of our next HTLC.
    pub(crate) our_next_id: u64,
    /// The id of the peer's next HTLC.
    pub(crate) their_next_id: u64,
    /// HTLCs whose rows are to be written or deleted.
    pub(crate) dirty: BTreeSet<HtlcKey>,
}

impl Ledger {
    /// A channel's first balances.
    pub(crate) fn new(local_msat: u64, remote_msat: u64, feerate_per_kw: u32) -> Self {
        let committed = feerate_per_kw;
        Self {
            local_msat,
            remote_msat,
            feerates: Feerates { committed, signed: None, revoked: None, received: None },
            ours: BTreeMap::new(),
            theirs: BTreeMap::new(),
            our_next_id: 0,
            their_next_id: 0,
            dirty: BTreeSet::new(),
        }
    }

    /// True if the peer's commitment lacks something that ours has, so that we owe a signature.
    pub(crate) fn owes_commitment(&self) -> bool {
        self.feerates.revoked.is_some()
            || self.ours.values().any(|htlc| htlc.stage == OurStage::RemoveRevoked)
            || self.theirs.values().any(|htlc| htlc.stage == TheirStage::Revoked)
    }

    /// True if the peer has sent an update that its next `commitment_signed` will cover, or one of
    /// ours waits for that.
    pub(crate) fn expects_commitment(&self) -> bool {
        self.feerates.received.is_some()
            || self
                .ours
                .values()
                .any(|htlc| matches!(htlc.stage, OurStage::Acked | OurStage::RemoveReceived))
            || self
                .theirs
                .values()
                .any(|htlc| matches!(htlc.stage, TheirStage::Received | TheirStage::RemoveAcked))
    }

    /// True if the peer has offered an HTLC that it has not signed.
    pub(crate) fn has_unsigned_adds(&self) -> bool {
        self.theirs.values().any(|htlc| htlc.stage == TheirStage::Received)
    }

    /// True if no HTLC and no new fee rate is on its way, so that a close can be signed.
    pub(crate) fn is_quiet(&self) -> bool {
        let Feerates { signed, revoked, received, .. } = self.feerates;
        let has_feerate = signed.or(revoked).or(received).is_some();
        self.ours.is_empty() && self.theirs.is_empty() && !has_feerate
    }

    /// Forgets what the peer has sent and not signed (BOLT 2: at a reconnection). A preimage stays.
    pub(crate) fn drop_unsigned(&mut self) {
        self.feerates.received = None;
        self.their_next_id = self.signed_by_peer();
        self.theirs.retain(|_, htlc| htlc.stage != TheirStage::Received);
        for htlc in self.ours.values_mut() {
            if htlc.stage == OurStage::RemoveReceived {
                htlc.stage = OurStage::Committed;
                htlc.removal = None;
            }
        }
    }

    /// The number of HTLCs that the peer has offered and signed.
    pub(crate) fn signed_by_peer(&self) -> u64 {
        let unsigned = self.theirs.values().filter(|htlc| htlc.stage == TheirStage::Received);
        let unsigned = u64::try_from(unsigned.count()).unwrap_or(u64::MAX);
        self.their_next_id.saturating_sub(unsigned)
    }

    /// True if something is signed that the peer has not acknowledged.
    pub(crate) fn has_signed(&self) -> bool {
        self.feerates.signed.is_some()
            || self
                .ours
                .values()
                .any(|htlc| matches!(htlc.stage, OurStage::Signed | OurStage::RemoveSigned))
            || self
                .theirs
                .values()
                .any(|htlc| matches!(htlc.stage, TheirStage::Signed | TheirStage::RemoveSigned))
    }

    /// True if the update of ours about this HTLC belongs to the last commitment we signed.
    pub(crate) fn was_just_sent(&self, key: HtlcKey) -> bool {
        match key.offered_by {
            Side::Local => {
                self.ours.get(&key.id).is_some_and(|htlc| htlc.stage == OurStage::Signed)
            }
            Side::Remote => {
                let htlc = self.theirs.get(&key.id);
                htlc.is_some_and(|htlc| htlc.stage == TheirStage::RemoveSigned)
            }
        }
    }

    pub(crate) fn touch(&mut self, offered_by: Side, id: u64) {
        self.dirty.insert(HtlcKey { offered_by, id });
    }
}
