//! The peer's updates: what it may add, fulfill and fail (protocol.md section 3.5).

use steward_wire::{
    Message, UpdateAddHtlc, UpdateFailHtlc, UpdateFailMalformedHtlc, UpdateFulfillHtlc,
};

use crate::channel::{Channel, Outcome};
use crate::errors::Fault;
use crate::io::{Output, Phase, Role};
use crate::limits::{
    ADD_BYTES, MAX_FAIL_REASON_BYTES, MAX_FAIL_TLV_BYTES, MAX_STATE_BYTES, STATE_OVERHEAD_BYTES,
};
use crate::next_state::{Ledger, Update, counter_after, htlc_bytes, in_flight_msat};

/// Set in every failure code that says an onion could not be read (BOLT4).
const BADONION: u16 = 0x8000;

/// Where an own HTLC is when the peer settles it.
enum OwnHtlc {
    Unknown,
    /// The peer has settled it already, unsigned yet.
    Settled,
    /// Sent, but not in a signed state.
    Unsigned,
    Signed,
}

impl Channel {
    pub(crate) fn on_add(&mut self, add: UpdateAddHtlc, out: &mut Vec<Output>) {
        if self.phase() != Phase::Active {
            return;
        }
        match self.check_add(&add) {
            Ok(()) => self.peer.push(Update::Add(add)),
            Err(why) => {
                self.keep(why, &Message::UpdateAddHtlc(add), out);
                self.suspend(Fault::text(why), out);
            }
        }
    }

    fn check_add(&self, add: &UpdateAddHtlc) -> Result<(), &'static str> {
        let signed = self.signed.as_ref().ok_or("no signed state")?;
        let ledger = Ledger::new(signed, &self.own, &self.peer).ok_or("inconsistent updates")?;
        let terms = &signed.init_hosted_channel;
        let counter = self.next_peer_counter().ok_or("update counter exhausted")?;
        // Part of what both sign: a proof must name this channel.
        if add.channel_id != self.channel_id {
            return Err("HTLC of another channel");
        }
        if add.id != u64::from(counter) {
            return Err("unexpected HTLC id");
        }
        if add.amount_msat < terms.htlc_minimum_msat.max(1) {
            return Err("HTLC amount below the minimum");
        }
        let amount_msat = i128::from(add.amount_msat);
        let growth_msat = self.pending_growth_msat();
        let host_growth_msat = if self.role == Role::Client { growth_msat } else { 0 };
        if amount_msat > ledger.remote_msat + i128::from(host_growth_msat) {
            return Err("insufficient balance for the HTLC");
        }
        let limit_msat = match growth_msat {
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

    /// A preimage counts in any phase, whatever else is wrong with the message.
    pub(crate) fn on_fulfill(&mut self, fulfill: UpdateFulfillHtlc, out: &mut Vec<Output>) {
        if self.signed.is_none() {
            return;
        }
        let Some(htlc) = self.own_htlc(fulfill.id) else {
            // Repeated by a peer that does not know that it was signed away, or overridden.
            if self.overridden_here || self.phase() != Phase::Active {
                return;
            }
            return self.refuse_settlement("fulfill of an unknown HTLC", fulfill, out);
        };
        if fulfill.preimage.hash() != htlc.payment_hash {
            return self.refuse_settlement("fulfill with a wrong preimage", fulfill, out);
        }
        let (id, preimage) = (fulfill.id, fulfill.preimage);
        match self.outcomes.get(&id) {
            Some(Outcome::Expired) => {
                return self.refuse_settlement("fulfill of an expired HTLC", fulfill, out);
            }
            Some(Outcome::Fulfilled(_)) => {}
            Some(Outcome::Published(_)) => {
                self.outcomes.insert(id, Outcome::Fulfilled(preimage));
                self.changed = true;
            }
            // It stays out of reach: what it came from is claimed, and people agree on the rest.
            Some(Outcome::Unknown) => out.push(Output::HtlcFulfilled { id, preimage }),
            None => {
                self.outcomes.insert(id, Outcome::Fulfilled(preimage));
                self.changed = true;
                out.push(Output::HtlcFulfilled { id, preimage });
            }
        }
        let is_settled = matches!(self.locate(fulfill.id), OwnHtlc::Settled);
        match self.phase() {
            Phase::Active if is_settled => {
                self.refuse_settlement("HTLC settled twice", fulfill, out);
            }
            Phase::Active if self.next_peer_counter().is_none() => {
                self.refuse_settlement("update counter exhausted", fulfill, out);
            }
            Phase::Active | Phase::Suspended if !is_settled => {
                // The record keeps the preimage, that is enough of an update.
                let fulfill = UpdateFulfillHtlc { tlvs: Vec::new(), ..fulfill };
                self.peer.push(Update::Fulfill(fulfill));
                self.changed = true;
            }
            // Before the states are compared: the peer repeats it afterwards.
            _ => {}
        }
    }

    pub(crate) fn on_fail(&mut self, mut fail: UpdateFailHtlc, out: &mut Vec<Output>) {
        if !self.may_fail(fail.id, &Message::UpdateFailHtlc(fail.clone()), out) {
            return;
        }
        if fail.reason.is_empty() {
            return self.refuse_update(
                "empty fail reason from remote peer",
                &Message::UpdateFailHtlc(fail),
                out,
            );
        }
        (fail.reason, fail.tlvs) = bounded_failure(fail.reason, fail.tlvs);
        self.peer.push(Update::Fail(fail));
    }

    pub(crate) fn on_malformed(&mut self, fail: UpdateFailMalformedHtlc, out: &mut Vec<Output>) {
        let message = Message::UpdateFailMalformedHtlc(fail.clone());
        if !self.may_fail(fail.id, &message, out) {
            return;
        }
        if fail.failure_code & BADONION == 0 {
            return self.refuse_update("malformed failure without BADONION", &message, out);
        }
        self.peer.push(Update::Malformed(UpdateFailMalformedHtlc { tlvs: Vec::new(), ..fail }));
    }

    /// Fails count only for HTLCs both signed, and only while the channel is active.
    fn may_fail(&mut self, id: u64, message: &Message, out: &mut Vec<Output>) -> bool {
        if self.phase() != Phase::Active {
            return false;
        }
        if let Some(Outcome::Fulfilled(_)) = self.outcomes.get(&id) {
            // It showed that itself. We may have claimed with that preimage: what the HTLC is worth is for people.
            self.refuse_update("fail of an HTLC whose preimage was shown", message, out);
            return false;
        }
        match self.locate(id) {
            OwnHtlc::Signed if self.next_peer_counter().is_some() => return true,
            OwnHtlc::Signed => self.refuse_update("update counter exhausted", message, out),
            // A race: the peer signed it, but its signature has not reached us.
            OwnHtlc::Unsigned => self.reconnect("unsigned HTLC failed by the peer", out),
            OwnHtlc::Settled => self.refuse_update("HTLC settled twice", message, out),
            OwnHtlc::Unknown => self.refuse_update("fail of an unknown HTLC", message, out),
        }
        false
    }

    /// The peer's counter after one more update.
    fn next_peer_counter(&self) -> Option<u32> {
        counter_after(self.signed.as_ref()?.remote_updates, self.peer.len().saturating_add(1))
    }

    fn refuse_settlement(&mut self, why: &str, fulfill: UpdateFulfillHtlc, out: &mut Vec<Output>) {
        self.refuse_update(why, &Message::UpdateFulfillHtlc(fulfill), out);
    }

    fn refuse_update(&mut self, why: &str, message: &Message, out: &mut Vec<Output>) {
        self.keep(why, message, out);
        self.suspend(Fault::text(why), out);
    }

    /// An own HTLC that was sent and is not removed by a signed state.
    pub(crate) fn own_htlc(&self, id: u64) -> Option<&UpdateAddHtlc> {
        let signed = self.signed.iter().flat_map(|signed| &signed.outgoing_htlcs);
        signed.chain(self.own.iter().filter_map(Update::as_add)).find(|add| add.id == id)
    }

    fn locate(&self, id: u64) -> OwnHtlc {
        if self.peer.iter().any(|update| update.settled_id() == Some(id)) {
            return OwnHtlc::Settled;
        }
        if self.own.iter().filter_map(Update::as_add).any(|add| add.id == id) {
            return OwnHtlc::Unsigned;
        }
        match self.own_htlc(id) {
            Some(_) => OwnHtlc::Signed,
            None => OwnHtlc::Unknown,
        }
    }
}

/// A failure's content within our limits. It is not part of the signed state, and whoever wrote
/// it is far away: cutting it harms nobody but them.
pub(crate) fn bounded_failure(mut reason: Vec<u8>, tlvs: Vec<u8>) -> (Vec<u8>, Vec<u8>) {
    reason.truncate(MAX_FAIL_REASON_BYTES);
    let tlvs = if tlvs.len() > MAX_FAIL_TLV_BYTES { Vec::new() } else { tlvs };
    (reason, tlvs)
}
