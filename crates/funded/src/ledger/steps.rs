//! What a signature and a revocation do to the stages.

use steward_htlc::{Failure, Settlement};
use steward_wire::{UpdateAddHtlc, impossible};

use super::{Ledger, OurStage, TheirStage};
use crate::bolt3::Side;

/// What has become irrevocable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LedgerEvent {
    /// An HTLC of the peer's.
    Incoming(UpdateAddHtlc),
    /// The failure of an HTLC of ours.
    Failed { id: u64, failure: Failure },
}

impl Ledger {
    /// We have signed the peer's next commitment.
    pub(crate) fn commitment_sent(&mut self) {
        if let Some(feerate) = self.feerates.revoked.take() {
            self.feerates.signed = Some(feerate);
        }
        for htlc in self.ours.values_mut() {
            if htlc.stage == OurStage::RemoveRevoked {
                htlc.stage = OurStage::RemoveSigned;
            }
        }
        for htlc in self.theirs.values_mut() {
            if htlc.stage == TheirStage::Revoked {
                htlc.stage = TheirStage::Signed;
            }
        }
    }

    /// The peer has revoked the commitment before the one that we signed.
    pub(crate) fn revocation_received(&mut self) -> Vec<LedgerEvent> {
        if let Some(feerate) = self.feerates.signed.take() {
            self.feerates.committed = feerate;
        }
        let mut events = Vec::new();
        let mut gone = Vec::new();
        for (id, htlc) in &mut self.ours {
            match htlc.stage {
                OurStage::Signed => htlc.stage = OurStage::Acked,
                OurStage::RemoveSigned => gone.push(*id),
                _ => {}
            }
        }
        for htlc in self.theirs.values_mut() {
            match htlc.stage {
                TheirStage::Signed => {
                    htlc.stage = TheirStage::Committed;
                    events.push(LedgerEvent::Incoming(htlc.add.clone()));
                }
                TheirStage::RemoveSigned => htlc.stage = TheirStage::RemoveAcked,
                _ => {}
            }
        }
        for id in gone {
            events.extend(self.our_htlc_gone(id));
        }
        events
    }

    /// The peer has signed our next commitment, and we revoke the one before it.
    pub(crate) fn commitment_received(&mut self) {
        if let Some(feerate) = self.feerates.received.take() {
            self.feerates.revoked = Some(feerate);
        }
        for (id, htlc) in &mut self.ours {
            match htlc.stage {
                OurStage::Acked => htlc.stage = OurStage::Committed,
                OurStage::RemoveReceived => {
                    htlc.stage = OurStage::RemoveRevoked;
                    self.dirty.insert(crate::bolt3::HtlcKey { offered_by: Side::Local, id: *id });
                }
                _ => {}
            }
        }
        let mut gone = Vec::new();
        for (id, htlc) in &mut self.theirs {
            match htlc.stage {
                TheirStage::Received => {
                    htlc.stage = TheirStage::Revoked;
                    self.dirty.insert(crate::bolt3::HtlcKey { offered_by: Side::Remote, id: *id });
                }
                TheirStage::RemoveAcked => gone.push(*id),
                _ => {}
            }
        }
        for id in gone {
            self.their_htlc_gone(id);
        }
    }

    fn our_htlc_gone(&mut self, id: u64) -> Option<LedgerEvent> {
        let htlc = self.ours.remove(&id)?;
        self.touch(Side::Local, id);
        match htlc.removal {
            Some(Settlement::Fulfill { .. }) => {
                self.pay(Side::Local, htlc.add.amount_msat);
                None
            }
            // The peer showed the preimage and failed the HTLC all the same: it was paid for.
            Some(Settlement::Fail(_)) if htlc.preimage.is_some() => None,
            Some(Settlement::Fail(failure)) => Some(LedgerEvent::Failed { id, failure }),
            None => {
                impossible!("an HTLC of ours is gone and nobody removed it");
                None
            }
        }
    }

    fn their_htlc_gone(&mut self, id: u64) {
        let Some(htlc) = self.theirs.remove(&id) else {
            impossible!("the id was found a moment ago");
            return;
        };
        self.touch(Side::Remote, id);
        match htlc.answer {
            Some(Settlement::Fulfill { .. }) => self.pay(Side::Remote, htlc.add.amount_msat),
            Some(Settlement::Fail(_)) => {}
            None => impossible!("an HTLC of the peer's is gone and we did not remove it"),
        }
    }

    fn pay(&mut self, from: Side, amount_msat: u64) {
        let (payer, payee) = match from {
            Side::Local => (&mut self.local_msat, &mut self.remote_msat),
            Side::Remote => (&mut self.remote_msat, &mut self.local_msat),
        };
        match (payer.checked_sub(amount_msat), payee.checked_add(amount_msat)) {
            (Some(less), Some(more)) => (*payer, *payee) = (less, more),
            _ => impossible!("an HTLC was let in that its side cannot pay"),
        }
    }
}
