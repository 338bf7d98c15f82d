//! The peer's updates: adds, fulfills, fails, fee rates (BOLT 2, "Adding an HTLC", "Removing an
//! HTLC", "Updating Fees").
//!
//! An update that is wrong is answered with a warning and a new connection: nobody has signed it, so
//! that dropping it is all that is needed. What an update costs is checked when the peer signs it.

use steward_htlc::{Failure, LinkEvent, Settlement};
use steward_wire::{
    Preimage, UpdateAddHtlc, UpdateFailHtlc, UpdateFailMalformedHtlc, UpdateFee, UpdateFulfillHtlc,
    impossible,
};

use crate::bolt3::{Contents, Side};
use crate::ledger::{OurStage, TheirHtlc, TheirStage, View};
use crate::limits::{
    CLTV_TIME_THRESHOLD, MAX_FEERATE_PER_KW, MAX_REASON_BYTES, MAX_SETTLEMENT_TLV_BYTES,
    MIN_FEERATE_PER_KW,
};
use crate::live::Live;
use crate::step::{Fault, Step};

/// The bit of a failure code that says that an onion could not be read (BOLT 4).
const BADONION: u16 = 0x8000;

impl Step<'_> {
    pub(crate) fn on_add(&mut self, add: UpdateAddHtlc) -> Result<(), Fault> {
        let terms = &self.live.parameters.local;
        if self.live.shutdown.theirs.is_some() {
            return Err(Fault::Warn("update_add_htlc after shutdown"));
        }
        if !self.live.is_open() {
            return Err(Fault::Warn("update_add_htlc before channel_ready"));
        }
        if add.id != self.live.ledger.their_next_id {
            return Err(Fault::Warn("update_add_htlc has not the next id"));
        }
        if add.amount_msat == 0 || add.amount_msat < terms.htlc_minimum_msat {
            return Err(Fault::Warn("update_add_htlc has an amount below our htlc_minimum_msat"));
        }
        if add.cltv_expiry >= CLTV_TIME_THRESHOLD {
            return Err(Fault::Warn("update_add_htlc has an expiry that is no block height"));
        }
        let before = self.live.contents(View::LocalNext);
        let theirs = before.htlcs.iter().filter(|htlc| htlc.key.offered_by == Side::Remote);
        let (count, sum) = theirs.fold((0usize, add.amount_msat), |(count, sum), htlc| {
            (count.saturating_add(1), sum.saturating_add(htlc.amount_msat))
        });
        if count >= usize::from(terms.max_accepted_htlcs) {
            return Err(Fault::Warn("update_add_htlc exceeds our max_accepted_htlcs"));
        }
        if sum > terms.max_in_flight_msat {
            return Err(Fault::Warn("update_add_htlc exceeds our max_htlc_value_in_flight_msat"));
        }
        let id = add.id;
        let htlc = TheirHtlc { add, stage: TheirStage::Received, answer: None };
        self.live.ledger.theirs.insert(id, htlc);
        self.live.ledger.their_next_id = id.saturating_add(1);
        Ok(())
    }

    /// Checks that the peer can pay for what it signs now. Before, nobody can say: it may send an
    /// HTLC first and then claim one of ours, from which it pays.
    pub(crate) fn check_what_peer_signs(&self) -> Result<(), Fault> {
        let ledger = &self.live.ledger;
        if !ledger.is_next_paid() {
            return Err(Fault::Warn("the HTLCs exceed the balance of their sender"));
        }
        let best = self.live.contents(View::PeerBest);
        if ledger.has_unsigned_adds() && !keeps_reserve(self.live, &best, Side::Remote) {
            return Err(Fault::Warn("update_add_htlc leaves less than reserve and fee"));
        }
        if ledger.feerates.received.is_some() && !pays_fee(self.live, &best, 0) {
            return Err(Fault::Warn("update_fee is more than its sender can pay"));
        }
        Ok(())
    }

    pub(crate) fn on_fulfill(&mut self, message: UpdateFulfillHtlc) -> Result<(), Fault> {
        let UpdateFulfillHtlc { id, preimage, mut tlvs, .. } = message;
        if tlvs.len() > MAX_SETTLEMENT_TLV_BYTES {
            tlvs = Vec::new(); // Nobody needs attribution of that size.
        }
        let hash = self.removable(id)?;
        if preimage.hash() != hash {
            return Err(Fault::Warn("update_fulfill_htlc has a wrong preimage"));
        }
        self.remove(id, Settlement::Fulfill { preimage, tlvs: Vec::new() });
        self.learn_preimage(id, preimage, tlvs);
        Ok(())
    }

    pub(crate) fn on_fail(&mut self, message: UpdateFailHtlc) -> Result<(), Fault> {
        let UpdateFailHtlc { id, mut reason, mut tlvs, .. } = message;
        self.removable(id)?;
        reason.truncate(MAX_REASON_BYTES);
        if tlvs.len() > MAX_SETTLEMENT_TLV_BYTES {
            tlvs = Vec::new(); // Nobody needs attribution of that size.
        }
        self.remove(id, Settlement::Fail(Failure::Reason { reason, tlvs }));
        Ok(())
    }

    pub(crate) fn on_fail_malformed(
        &mut self,
        message: UpdateFailMalformedHtlc,
    ) -> Result<(), Fault> {
        let UpdateFailMalformedHtlc { id, sha256_of_onion, failure_code, .. } = message;
        self.removable(id)?;
        if failure_code & BADONION == 0 {
            return Err(Fault::Warn("update_fail_malformed_htlc has a code without BADONION"));
        }
        let failure = Failure::Malformed { sha256_of_onion, failure_code };
        self.remove(id, Settlement::Fail(failure));
        Ok(())
    }

    /// Checks that the peer may remove this HTLC of ours now, and returns its hash.
    fn removable(&self, id: u64) -> Result<steward_wire::PaymentHash, Fault> {
        match self.live.ledger.ours.get(&id) {
            Some(htlc) if htlc.stage == OurStage::Committed => Ok(htlc.add.payment_hash),
            Some(htlc) if htlc.stage < OurStage::Committed => {
                Err(Fault::Warn("the HTLC is not irrevocable and cannot be removed yet"))
            }
            Some(_) => Err(Fault::Warn("the HTLC is removed already")),
            None => Err(Fault::Warn("there is no such HTLC")),
        }
    }

    fn remove(&mut self, id: u64, removal: Settlement) {
        let Some(htlc) = self.live.ledger.ours.get_mut(&id) else {
            impossible!("the HTLC was there a moment ago");
            return;
        };
        htlc.stage = OurStage::RemoveReceived;
        htlc.removal = Some(removal);
    }

    /// Reports a preimage of an HTLC of ours, once.
    pub(crate) fn learn_preimage(&mut self, id: u64, preimage: Preimage, tlvs: Vec<u8>) {
        let Some(htlc) = self.live.ledger.ours.get_mut(&id) else {
            return; // It has ended.
        };
        if htlc.preimage.is_some() || preimage.hash() != htlc.add.payment_hash {
            return; // It is known, or belongs to another HTLC.
        }
        htlc.preimage = Some(preimage);
        self.live.ledger.touch(Side::Local, id);
        self.link(LinkEvent::HtlcFulfilled { id, preimage, tlvs });
    }

    pub(crate) fn on_update_fee(&mut self, message: &UpdateFee) -> Result<(), Fault> {
        if self.live.parameters.funder != Side::Remote {
            return Err(Fault::Warn("update_fee from the side that does not pay it"));
        }
        if message.feerate_per_kw < MIN_FEERATE_PER_KW {
            return Err(Fault::Warn("update_fee is below what nodes relay"));
        }
        if message.feerate_per_kw > MAX_FEERATE_PER_KW {
            return Err(Fault::Warn("update_fee is far above what a commitment needs"));
        }
        self.live.ledger.feerates.received = Some(message.feerate_per_kw);
        Ok(())
    }
}

/// The most that the funder pays for either commitment with `more` HTLC outputs than it has, in
/// millisatoshi.
fn cost_msat(live: &Live, contents: &Contents, more: usize) -> u64 {
    let format = live.parameters.format;
    let outputs =
        |owner: Side| contents.outputs(format, owner, live.parameters.terms(owner).dust_limit_sat);
    let outputs = outputs(Side::Local).max(outputs(Side::Remote)).saturating_add(more);
    format
        .commitment_fee_sat(contents.feerate_per_kw, outputs)
        .saturating_add(format.anchors_sat())
        .saturating_mul(1_000)
}

/// True if the funder can pay for a commitment with this and `more` HTLC outputs.
pub(crate) fn pays_fee(live: &Live, contents: &Contents, more: usize) -> bool {
    let cost = cost_msat(live, contents, more);
    contents.balance_msat(live.parameters.funder) >= cost
}

/// True if a side has what the other makes it keep, beside the costs if it is the funder.
pub(crate) fn keeps_reserve(live: &Live, contents: &Contents, side: Side) -> bool {
    let reserve_msat = live.parameters.terms(side.other()).reserve_sat.saturating_mul(1_000);
    let is_funder = live.parameters.funder == side;
    let cost = if is_funder { cost_msat(live, contents, 0) } else { 0 };
    contents.balance_msat(side) >= reserve_msat.saturating_add(cost)
}
