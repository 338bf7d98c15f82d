//! The peer's updates: what it may add, fulfill and fail (docs/protocol.md section 3.5).

use steward_htlc::LinkEvent;
use steward_wire::{
    ChannelId, Message, UpdateAddHtlc, UpdateFailHtlc, UpdateFailMalformedHtlc, UpdateFulfillHtlc,
};

use crate::commitment::{Commitment, Outcome, Place};
use crate::errors::Fault;
use crate::io::{Output, Phase, Role};
use crate::limits::{ADD_BYTES, MAX_STATE_BYTES, STATE_OVERHEAD_BYTES};
use crate::next_state::{Update, bounded_failure, bounded_tlvs, htlc_bytes, in_flight_msat};
use crate::open::OpenChannel;

/// Set in every failure code that says an onion could not be read (BOLT4).
const BADONION: u16 = 0x8000;

/// What a resize that is not signed yet lets the peer do already.
struct Growth {
    msat: u64,
    /// What it adds to the host's balance, if the peer is the host.
    of_peer_msat: u64,
}

impl OpenChannel<'_> {
    pub(crate) fn on_add(&mut self, add: UpdateAddHtlc) {
        if self.phase() != Phase::Active {
            return; // The peer adds it again, or never, once both have compared their states.
        }
        let msat = self.open.pending_growth_msat();
        let role = self.pair.role;
        let growth = Growth { msat, of_peer_msat: if role == Role::Client { msat } else { 0 } };
        match self.open.commitment.check_add(&add, self.pair.channel_id, &growth) {
            Ok(()) => self.open.commitment.receive(Update::Add(add)),
            Err(why) => self.refuse_update(why, &Message::UpdateAddHtlc(add)),
        }
    }

    /// A preimage counts in any phase, whatever else is wrong with the message.
    pub(crate) fn on_fulfill(&mut self, mut fulfill: UpdateFulfillHtlc) {
        fulfill.tlvs = bounded_tlvs(fulfill.tlvs);
        let phase = self.phase();
        let (id, preimage, tlvs) = (fulfill.id, fulfill.preimage, fulfill.tlvs.clone());
        let Some(htlc) = self.open.commitment.local_htlc(id) else {
            let has_override_come = self.session.as_ref().is_some_and(|s| s.override_came);
            if has_override_come || phase != Phase::Active {
                // Repeated by a peer that does not know that it was signed away, or overridden.
                return;
            }
            return self.refuse_settlement("fulfill of an unknown HTLC", fulfill);
        };
        if fulfill.preimage.hash() != htlc.payment_hash {
            return self.refuse_settlement("fulfill with a wrong preimage", fulfill);
        }
        match self.open.commitment.outcomes().get(&id) {
            Some(Outcome::Expired) => {
                return self.refuse_settlement("fulfill of an expired HTLC", fulfill);
            }
            Some(Outcome::Fulfilled(_)) => {}
            Some(Outcome::Published(_)) => self.note_outcome(id, Outcome::Fulfilled(preimage)),
            // It stays out of reach: what it came from is claimed, and people agree on the rest.
            Some(Outcome::Unknown) => {
                self.out.push(Output::Link(LinkEvent::HtlcFulfilled { id, preimage, tlvs }))
            }
            None => {
                self.note_outcome(id, Outcome::Fulfilled(preimage));
                self.out.push(Output::Link(LinkEvent::HtlcFulfilled { id, preimage, tlvs }));
            }
        }
        let is_settled = self.open.commitment.place_of(id) == Place::Settled;
        match phase {
            Phase::Active if is_settled => self.refuse_settlement("HTLC settled twice", fulfill),
            Phase::Active if self.open.commitment.next_remote_update().is_none() => {
                self.refuse_settlement("update counter exhausted", fulfill);
            }
            Phase::Active | Phase::Suspended if !is_settled => {
                // The record keeps the preimage, that is enough of an update.
                let fulfill = UpdateFulfillHtlc { tlvs: Vec::new(), ..fulfill };
                self.open.commitment.receive(Update::Fulfill(fulfill));
                self.changed = true;
            }
            // Before the states are compared: the peer repeats it afterwards.
            _ => {}
        }
    }

    pub(crate) fn note_outcome(&mut self, id: u64, outcome: Outcome) {
        self.open.commitment.note_outcome(id, outcome);
        self.changed = true;
    }

    pub(crate) fn on_fail(&mut self, mut fail: UpdateFailHtlc) {
        if !self.may_fail(fail.id, &Message::UpdateFailHtlc(fail.clone())) {
            return; // It said what is wrong with it.
        }
        if fail.reason.is_empty() {
            let why = "empty fail reason from remote peer";
            return self.refuse_update(why, &Message::UpdateFailHtlc(fail));
        }
        (fail.reason, fail.tlvs) = bounded_failure(fail.reason, fail.tlvs);
        self.open.commitment.receive(Update::Fail(fail));
    }

    pub(crate) fn on_malformed(&mut self, fail: UpdateFailMalformedHtlc) {
        let message = Message::UpdateFailMalformedHtlc(fail.clone());
        if !self.may_fail(fail.id, &message) {
            return; // It said what is wrong with it.
        }
        if fail.failure_code & BADONION == 0 {
            return self.refuse_update("malformed failure without BADONION", &message);
        }
        let fail = UpdateFailMalformedHtlc { tlvs: Vec::new(), ..fail };
        self.open.commitment.receive(Update::Malformed(fail));
    }

    /// Fails count only for HTLCs both signed, and only while the channel is active.
    fn may_fail(&mut self, id: u64, message: &Message) -> bool {
        if self.phase() != Phase::Active {
            return false; // The peer repeats it once both have compared their states.
        }
        let commitment = &self.open.commitment;
        if let Some(Outcome::Fulfilled(_)) = commitment.outcomes().get(&id) {
            // It showed that itself. We may have claimed with that preimage: what the HTLC is
            // worth is for people.
            self.refuse_update("fail of an HTLC whose preimage was shown", message);
            return false;
        }
        match commitment.place_of(id) {
            Place::Signed if commitment.next_remote_update().is_some() => return true,
            Place::Signed => self.refuse_update("update counter exhausted", message),
            // A race: the peer signed it, but its signature has not reached us.
            Place::Unsigned => self.reconnect("unsigned HTLC failed by the peer"),
            Place::Settled => self.refuse_update("HTLC settled twice", message),
            Place::Unknown => self.refuse_update("fail of an unknown HTLC", message),
        }
        false
    }

    fn refuse_settlement(&mut self, why: &str, fulfill: UpdateFulfillHtlc) {
        self.refuse_update(why, &Message::UpdateFulfillHtlc(fulfill));
    }

    fn refuse_update(&mut self, why: &str, message: &Message) {
        self.keep(why, message);
        self.suspend(Fault::text(why));
    }
}

impl Commitment {
    /// Whether the peer may add this HTLC.
    fn check_add(
        &self,
        add: &UpdateAddHtlc,
        channel_id: ChannelId,
        growth: &Growth,
    ) -> Result<(), &'static str> {
        let ledger = self.next_ledger().ok_or("inconsistent updates")?;
        let terms = self.terms();
        let counter = self.next_remote_update().ok_or("update counter exhausted")?;
        // Part of what both sign: a proof must name this channel.
        if add.channel_id != channel_id {
            return Err("HTLC of another channel");
        }
        if add.id != u64::from(counter) {
            return Err("unexpected HTLC id");
        }
        if add.amount_msat < terms.htlc_minimum_msat.max(1) {
            return Err("HTLC amount below the minimum");
        }
        let amount_msat = i128::from(add.amount_msat);
        if amount_msat > ledger.remote_msat + i128::from(growth.of_peer_msat) {
            return Err("insufficient balance for the HTLC");
        }
        let limit_msat = match growth.msat {
            0 => terms.max_htlc_value_in_flight_msat,
            growth_msat => terms.channel_capacity_msat.saturating_add(growth_msat),
        };
        if in_flight_msat(&ledger.incoming) + amount_msat > i128::from(limit_msat) {
            return Err("too much value in flight");
        }
        if ledger.incoming.len() >= usize::from(terms.max_accepted_htlcs) {
            return Err("too many HTLCs");
        }
        let state_bytes = STATE_OVERHEAD_BYTES
            + htlc_bytes(&ledger.incoming)
            + htlc_bytes(&ledger.outgoing)
            + ADD_BYTES
            + add.tlvs.len();
        if state_bytes > MAX_STATE_BYTES {
            return Err("the HTLCs do not fit a message");
        }
        Ok(())
    }
}
