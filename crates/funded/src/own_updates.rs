//! Our updates: waiting HTLCs and answers, and when they go onto the wire (docs/design.md section
//! 3, "Coalescing").

use std::collections::VecDeque;

use steward_htlc::{AddRefusal, Failure, LinkEvent, NewHtlc, Settlement};
use steward_wire::codec::check_tlv_stream;
use steward_wire::limits::MAX_ADD_TLV_BYTES;
use steward_wire::{
    ChannelMessage, UpdateAddHtlc, UpdateFailHtlc, UpdateFailMalformedHtlc, UpdateFulfillHtlc,
};

use crate::bolt3::{Contents, HtlcKey, Side};
use crate::dust::dust_msat;
use crate::io::Output;
use crate::ledger::{OurHtlc, OurStage, TheirStage, View};
use crate::limits::{
    MAX_DUST_EXPOSURE_MSAT, MAX_EXPIRY_BLOCKS, MAX_REASON_BYTES, MAX_SETTLEMENT_TLV_BYTES,
    MAX_WAITING_ADDS, MIN_EXPIRY_BLOCKS,
};
use crate::live::Live;
use crate::peer_updates::{keeps_reserve, pays_fee};
use crate::step::{Fault, Step};

impl Step<'_> {
    pub(crate) fn queue_add(&mut self, htlc: NewHtlc) {
        let refusal = if !self.session.is_reported_active {
            AddRefusal::Unavailable
        } else if self.session.waiting.len() >= MAX_WAITING_ADDS {
            AddRefusal::QueueFull
        } else {
            match check_new(self.live, &htlc, self.env.height) {
                Ok(()) => return self.session.waiting.push_back(htlc),
                Err(refusal) => refusal,
            }
        };
        self.link(LinkEvent::HtlcRefused { token: htlc.token, reason: refusal });
    }

    pub(crate) fn refuse_waiting(&mut self, reason: AddRefusal) {
        for htlc in std::mem::take(&mut self.session.waiting) {
            self.link(LinkEvent::HtlcRefused { token: htlc.token, reason });
        }
    }

    pub(crate) fn refuse_overdue_adds(&mut self) {
        let now_ms = self.env.now_ms;
        let all = std::mem::take(&mut self.session.waiting);
        let (overdue, waiting): (VecDeque<NewHtlc>, VecDeque<NewHtlc>) =
            all.into_iter().partition(|htlc| htlc.give_up_ms <= now_ms);
        self.session.waiting = waiting;
        for htlc in overdue {
            let reason = AddRefusal::TooManyHtlcs;
            self.link(LinkEvent::HtlcRefused { token: htlc.token, reason });
        }
    }

    /// Writes down how an HTLC of the peer's is answered. The record repeats it until it is signed;
    /// a fulfill replaces a fail that has not been sent.
    pub(crate) fn settle(&mut self, id: u64, settlement: Settlement) {
        let is_closing = self.live.closing.is_some();
        let settlement = bounded(settlement);
        let Some(htlc) = self.live.ledger.theirs.get_mut(&id) else {
            return self.link(LinkEvent::SettlementRecorded { id }); // It is gone.
        };
        if let Settlement::Fulfill { preimage, .. } = &settlement {
            if preimage.hash() != htlc.add.payment_hash {
                return; // The peer would not take it.
            }
            if is_closing {
                self.out.push(Output::ResolverPreimage(*preimage));
            }
        }
        let is_sent = htlc.stage > TheirStage::Committed && !is_closing;
        let keeps = match (&htlc.answer, &settlement) {
            (Some(Settlement::Fulfill { .. }), _) | (Some(_), Settlement::Fail(_)) => true,
            (Some(Settlement::Fail(_)), Settlement::Fulfill { .. }) => is_sent,
            (None, _) => false,
        };
        if htlc.stage < TheirStage::Committed {
            return; // It was not reported, so nobody can answer it.
        }
        // In a channel that ends, what was sent stands: the ledger must not tell another history.
        if !keeps && (htlc.stage == TheirStage::Committed) {
            htlc.answer = Some(settlement);
            self.live.ledger.touch(Side::Remote, id);
        }
        self.link(LinkEvent::SettlementRecorded { id });
    }

    /// Gives waiting answers and HTLCs to the ledger and returns their messages.
    pub(crate) fn take_updates(&mut self) -> Vec<(HtlcKey, ChannelMessage)> {
        let channel_id = self.channel_id();
        let mut updates = Vec::new();
        for (id, htlc) in &mut self.live.ledger.theirs {
            if htlc.stage == TheirStage::Committed
                && let Some(answer) = &htlc.answer
            {
                htlc.stage = TheirStage::RemoveSigned;
                let key = HtlcKey { offered_by: Side::Remote, id: *id };
                updates.push((key, answer_message(channel_id, *id, answer)));
            }
        }
        while let Some(htlc) = self.session.waiting.pop_front() {
            // Blocks may have come while it waited.
            let room = check_new(self.live, &htlc, self.env.height)
                .and_then(|()| find_room(self.live, &htlc));
            match room {
                Ok(()) => updates.push(self.add(htlc)),
                // What is short now may come back when HTLCs end, so the HTLC waits for it.
                Err(AddRefusal::TooManyHtlcs) => {
                    self.session.waiting.push_front(htlc);
                    break;
                }
                Err(reason) => self.link(LinkEvent::HtlcRefused { token: htlc.token, reason }),
            }
        }
        updates
    }

    fn add(&mut self, htlc: NewHtlc) -> (HtlcKey, ChannelMessage) {
        let id = self.live.ledger.our_next_id;
        self.live.ledger.our_next_id = id.saturating_add(1);
        let add = UpdateAddHtlc {
            channel_id: self.channel_id(),
            id,
            amount_msat: htlc.amount_msat,
            payment_hash: htlc.payment_hash,
            cltv_expiry: htlc.cltv_expiry,
            onion: htlc.onion,
            tlvs: htlc.tlvs,
        };
        let stage = OurStage::Signed;
        let ours = OurHtlc { add: add.clone(), stage, preimage: None, removal: None };
        self.live.ledger.ours.insert(id, ours);
        self.live.ledger.touch(Side::Local, id);
        self.link(LinkEvent::HtlcAdded { token: htlc.token, id });
        let key = HtlcKey { offered_by: Side::Local, id };
        (key, ChannelMessage::UpdateAddHtlc(add))
    }

    /// Makes an update of ours again, as it was sent.
    pub(crate) fn update_again(&self, key: HtlcKey) -> Option<ChannelMessage> {
        match key.offered_by {
            Side::Local => {
                let htlc = self.live.ledger.ours.get(&key.id)?;
                Some(ChannelMessage::UpdateAddHtlc(htlc.add.clone()))
            }
            Side::Remote => {
                let answer = self.live.ledger.theirs.get(&key.id)?.answer.as_ref()?;
                Some(answer_message(self.channel_id(), key.id, answer))
            }
        }
    }

    /// Tells whether anything of ours waits to be sent.
    pub(crate) fn has_updates(&self) -> bool {
        !self.session.waiting.is_empty()
            || self
                .live
                .ledger
                .theirs
                .values()
                .any(|htlc| htlc.stage == TheirStage::Committed && htlc.answer.is_some())
    }

    pub(crate) fn flush(&mut self) -> Result<(), Fault> {
        self.sign_next_commitment()
    }
}

fn answer_message(
    channel_id: steward_wire::ChannelId,
    id: u64,
    answer: &Settlement,
) -> ChannelMessage {
    match answer.clone() {
        Settlement::Fulfill { preimage, tlvs } => {
            let message = UpdateFulfillHtlc { channel_id, id, preimage, tlvs };
            ChannelMessage::UpdateFulfillHtlc(message)
        }
        Settlement::Fail(Failure::Reason { reason, tlvs }) => {
            ChannelMessage::UpdateFailHtlc(UpdateFailHtlc { channel_id, id, reason, tlvs })
        }
        Settlement::Fail(Failure::Malformed { sha256_of_onion, failure_code }) => {
            let tlvs = Vec::new();
            let message =
                UpdateFailMalformedHtlc { channel_id, id, sha256_of_onion, failure_code, tlvs };
            ChannelMessage::UpdateFailMalformedHtlc(message)
        }
    }
}

fn bounded(settlement: Settlement) -> Settlement {
    let short = |tlvs: Vec<u8>| {
        let fits = tlvs.len() <= MAX_SETTLEMENT_TLV_BYTES;
        if fits { tlvs } else { Vec::new() }
    };
    match settlement {
        Settlement::Fulfill { preimage, tlvs } => {
            Settlement::Fulfill { preimage, tlvs: short(tlvs) }
        }
        Settlement::Fail(Failure::Reason { mut reason, tlvs }) => {
            reason.truncate(MAX_REASON_BYTES);
            Settlement::Fail(Failure::Reason { reason, tlvs: short(tlvs) })
        }
        other => other,
    }
}

/// What can be said of a new HTLC whatever else is in flight.
fn check_new(live: &Live, htlc: &NewHtlc, height: u32) -> Result<(), AddRefusal> {
    let terms = &live.parameters.remote;
    if htlc.tlvs.len() > MAX_ADD_TLV_BYTES || check_tlv_stream(&htlc.tlvs).is_err() {
        return Err(AddRefusal::BadTlvs);
    }
    let minimum_msat = terms.htlc_minimum_msat.max(1);
    if htlc.amount_msat < minimum_msat {
        return Err(AddRefusal::BelowMinimum { minimum_msat });
    }
    if htlc.amount_msat > terms.max_in_flight_msat {
        return Err(AddRefusal::TooMuchInFlight { maximum_msat: terms.max_in_flight_msat });
    }
    if htlc.cltv_expiry < height.saturating_add(MIN_EXPIRY_BLOCKS) {
        return Err(AddRefusal::ExpiryTooSoon);
    }
    if htlc.cltv_expiry > height.saturating_add(MAX_EXPIRY_BLOCKS) {
        return Err(AddRefusal::ExpiryTooFar);
    }
    Ok(())
}

/// What can be said of a new HTLC beside those in flight.
fn find_room(live: &Live, htlc: &NewHtlc) -> Result<(), AddRefusal> {
    let terms = &live.parameters.remote;
    let now = live.contents(View::Worst);
    let mut count = 0usize;
    let mut sum = htlc.amount_msat;
    for other in now.htlcs.iter().filter(|other| other.key.offered_by == Side::Local) {
        count = count.saturating_add(1);
        sum = sum.saturating_add(other.amount_msat);
    }
    if count >= usize::from(terms.max_accepted_htlcs) {
        return Err(AddRefusal::TooManyHtlcs);
    }
    if sum > terms.max_in_flight_msat {
        return Err(AddRefusal::TooMuchInFlight { maximum_msat: terms.max_in_flight_msat });
    }
    let with = with_htlc(&now, live, htlc);
    let Some(with) = with.filter(|with| keeps_reserve(live, with, Side::Local)) else {
        let kept = terms.reserve_sat.saturating_mul(1_000);
        let spendable_msat = now.local_msat.saturating_sub(kept);
        let missing_msat = htlc.amount_msat.saturating_sub(spendable_msat);
        return Err(AddRefusal::InsufficientBalance { missing_msat });
    };
    // One output more than there will be: the funder may offer one at the same time.
    if !pays_fee(live, &with, 1) {
        return Err(AddRefusal::TooManyHtlcs);
    }
    let before = dust_msat(live, &now);
    let after = dust_msat(live, &with);
    if after > before && after > MAX_DUST_EXPOSURE_MSAT {
        return Err(AddRefusal::TooMuchInFlight { maximum_msat: MAX_DUST_EXPOSURE_MSAT });
    }
    Ok(())
}

fn with_htlc(now: &Contents, live: &Live, htlc: &NewHtlc) -> Option<Contents> {
    let mut with = now.clone();
    with.local_msat = with.local_msat.checked_sub(htlc.amount_msat)?;
    with.htlcs.push(crate::bolt3::CommitmentHtlc {
        key: HtlcKey { offered_by: Side::Local, id: live.ledger.our_next_id },
        amount_msat: htlc.amount_msat,
        payment_hash: htlc.payment_hash,
        cltv_expiry: htlc.cltv_expiry,
    });
    Some(with)
}
