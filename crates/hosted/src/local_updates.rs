//! Our updates: waiting HTLCs and settlements, and when they go onto the wire
//! (docs/protocol.md section 3.5; docs/design.md section 3, "Coalescing").

use std::collections::{BTreeMap, VecDeque};

use steward_htlc::{AddRefusal, Failure, LinkEvent, NewHtlc, Settlement};
use steward_wire::codec::check_tlv_stream;
use steward_wire::limits::MAX_ADD_TLV_BYTES;
use steward_wire::{
    InitHostedChannel, UpdateAddHtlc, UpdateFailHtlc, UpdateFailMalformedHtlc, UpdateFulfillHtlc,
    impossible,
};

use crate::commitment::Commitment;
use crate::io::{Env, Output};
use crate::limits::{
    ADD_BYTES, MAX_EXPIRY_BLOCKS, MAX_OWN_HTLCS, MAX_STATE_BYTES, MAX_WAITING_ADDS,
    MIN_EXPIRY_BLOCKS, ORDINARY_ADD_TLV_BYTES, STATE_OVERHEAD_BYTES,
};
use crate::next_state::{Update, bounded_failure, bounded_tlvs, htlc_bytes, in_flight_msat};
use crate::open::{OpenChannel, SinceStart};

/// What is left for adds of ours, counted down as they are sent.
pub(crate) struct Room {
    /// Balance that no unsigned update of the peer's is needed for: the peer may forget those.
    pub(crate) spendable_msat: i128,
    pub(crate) in_flight_msat: i128,
    slots: usize,
    bytes: usize,
}

impl SinceStart {
    pub(crate) fn has_waiting_fails(&self) -> bool {
        self.waiting_settlements.values().any(|s| matches!(s, Settlement::Fail(_)))
    }
}

impl OpenChannel<'_> {
    pub(crate) fn queue_add(&mut self, htlc: NewHtlc) {
        let checked = check_new_htlc(&htlc, self.open.commitment.terms(), self.env);
        let refusal = match self.signing() {
            None => AddRefusal::Unavailable,
            Some(signing) => match checked {
                Err(refusal) => refusal,
                Ok(()) if signing.waiting_adds.len() >= MAX_WAITING_ADDS => AddRefusal::QueueFull,
                Ok(()) => return signing.waiting_adds.push_back(htlc),
            },
        };
        self.out.push(Output::Link(LinkEvent::HtlcRefused { token: htlc.token, reason: refusal }));
    }

    /// Remembers how to settle an incoming HTLC. A fulfill replaces a fail that has not been sent.
    pub(crate) fn queue_settlement(&mut self, id: u64, settlement: Settlement) {
        let commitment = &self.open.commitment;
        let Some(htlc) = commitment.incoming_htlc(id) else {
            return self.out.push(Output::Link(LinkEvent::SettlementRecorded { id })); // It is gone.
        };
        if let Settlement::Fulfill { preimage, .. } = &settlement
            && preimage.hash() != htlc.payment_hash
        {
            return; // The peer would suspend the channel for it.
        }
        if commitment.is_settled_by_us(id) {
            return self.out.push(Output::Link(LinkEvent::SettlementRecorded { id }));
        }
        let waiting = &mut self.open.since_start.waiting_settlements;
        let keeps = matches!(waiting.get(&id), Some(Settlement::Fulfill { .. }));
        if !keeps {
            waiting.insert(id, settlement);
        }
    }

    /// Sends waiting settlements, then HTLCs. Only while no update of ours is unsigned.
    pub(crate) fn send_waiting(&mut self) {
        for (id, settlement) in std::mem::take(&mut self.open.since_start.waiting_settlements) {
            self.send_settlement(id, settlement);
        }
        self.send_waiting_adds();
        if !self.open.commitment.local().is_empty() {
            self.changed = true;
            self.owe_signature();
        }
    }

    /// Suspended: fulfills still count, with or without a connection; fails are pointless.
    pub(crate) fn send_waiting_fulfills(&mut self) {
        let waiting = std::mem::take(&mut self.open.since_start.waiting_settlements);
        let (fulfills, fails): (BTreeMap<_, _>, BTreeMap<_, _>) = waiting
            .into_iter()
            .partition(|(_, settlement)| matches!(settlement, Settlement::Fulfill { .. }));
        self.open.since_start.waiting_settlements = fails;
        for (id, settlement) in fulfills {
            self.send_settlement(id, settlement);
        }
    }

    fn send_settlement(&mut self, id: u64, settlement: Settlement) {
        if self.open.commitment.incoming_htlc(id).is_none() {
            // A newer state of the peer's has ended it.
            return self.out.push(Output::Link(LinkEvent::SettlementRecorded { id }));
        }
        if self.open.commitment.next_local_update().is_none() {
            // The counter is exhausted: only an override helps, and that drops it.
            self.open.since_start.waiting_settlements.insert(id, settlement);
            return;
        }
        let update = self.settlement_update(id, settlement);
        if self.may_speak() {
            self.send(update.to_message());
        }
        self.open.commitment.send(update);
        self.changed = true;
        self.out.push(Output::Link(LinkEvent::SettlementRecorded { id }));
    }

    fn settlement_update(&self, id: u64, settlement: Settlement) -> Update {
        let channel_id = self.pair.channel_id;
        match settlement {
            Settlement::Fulfill { preimage, tlvs } => {
                let tlvs = bounded_tlvs(tlvs);
                Update::Fulfill(UpdateFulfillHtlc { channel_id, id, preimage, tlvs })
            }
            Settlement::Fail(Failure::Reason { reason, tlvs }) => {
                let (reason, tlvs) = bounded_failure(reason, tlvs);
                Update::Fail(UpdateFailHtlc { channel_id, id, reason, tlvs })
            }
            Settlement::Fail(Failure::Malformed { sha256_of_onion, failure_code }) => {
                Update::Malformed(UpdateFailMalformedHtlc {
                    channel_id,
                    id,
                    sha256_of_onion,
                    failure_code,
                    tlvs: Vec::new(),
                })
            }
        }
    }

    fn send_waiting_adds(&mut self) {
        let Some(mut room) = self.open.commitment.room() else {
            return impossible!("the unsigned updates of both sides fit each other");
        };
        let Some(signing) = self.signing() else {
            return impossible!("only an active channel sends HTLCs");
        };
        let mut still_waiting = VecDeque::new();
        for htlc in std::mem::take(&mut signing.waiting_adds) {
            let token = htlc.token;
            let commitment = &self.open.commitment;
            let verdict = check_new_htlc(&htlc, commitment.terms(), self.env)
                .and_then(|()| room.check_value(&htlc, commitment.terms()))
                .and_then(|()| commitment.next_local_update().ok_or(AddRefusal::CountersExhausted));
            match verdict {
                Err(reason) => {
                    self.out.push(Output::Link(LinkEvent::HtlcRefused { token, reason }))
                }
                // First come, first served: a small one must not starve a large one.
                Ok(_) if !still_waiting.is_empty() || !room.has_slot(&htlc) => {
                    if htlc.give_up_ms <= self.env.now_ms {
                        let reason = AddRefusal::TooManyHtlcs;
                        self.out.push(Output::Link(LinkEvent::HtlcRefused { token, reason }));
                    } else {
                        still_waiting.push_back(htlc);
                    }
                }
                Ok(id) => {
                    room.take(&htlc);
                    self.send_add(u64::from(id), htlc);
                }
            }
        }
        if let Some(signing) = self.signing() {
            signing.waiting_adds = still_waiting;
        }
    }

    fn send_add(&mut self, id: u64, htlc: NewHtlc) {
        let add = UpdateAddHtlc {
            channel_id: self.pair.channel_id,
            id,
            amount_msat: htlc.amount_msat,
            payment_hash: htlc.payment_hash,
            cltv_expiry: htlc.cltv_expiry,
            onion: htlc.onion,
            tlvs: htlc.tlvs,
        };
        let update = Update::Add(add);
        self.send(update.to_message());
        self.out.push(Output::Link(LinkEvent::HtlcAdded { token: htlc.token, id }));
        self.open.commitment.send(update);
    }

    /// Refuses HTLCs that have waited too long for a slot.
    pub(crate) fn give_up_waiting(&mut self) {
        let now_ms = self.env.now_ms;
        let Some(signing) = self.session.as_mut().and_then(|session| session.signing()) else {
            return; // Nothing waits on a channel that is not active.
        };
        let (over, left) = std::mem::take(&mut signing.waiting_adds)
            .into_iter()
            .partition::<VecDeque<_>, _>(|htlc| htlc.give_up_ms <= now_ms);
        signing.waiting_adds = left;
        self.out.extend(over.into_iter().map(|htlc| {
            Output::Link(LinkEvent::HtlcRefused {
                token: htlc.token,
                reason: AddRefusal::TooManyHtlcs,
            })
        }));
    }
}

impl Commitment {
    /// What is left for adds of ours in the state both will sign next. `None` if the updates of
    /// the two do not fit each other.
    pub(crate) fn room(&self) -> Option<Room> {
        let terms = self.terms();
        let next = self.next_ledger()?;
        let certain = self.certain_ledger()?;
        let max_htlcs = usize::from(terms.max_accepted_htlcs).min(MAX_OWN_HTLCS);
        // The peer may add at the same time: leave it the room an ordinary peer can use.
        let peer_bytes =
            (max_htlcs * (ADD_BYTES + ORDINARY_ADD_TLV_BYTES)).max(htlc_bytes(&next.incoming));
        Some(Room {
            spendable_msat: certain.local_msat.min(next.local_msat),
            in_flight_msat: i128::from(terms.max_htlc_value_in_flight_msat)
                - in_flight_msat(&next.outgoing),
            slots: max_htlcs.saturating_sub(next.outgoing.len()),
            bytes: MAX_STATE_BYTES
                .saturating_sub(STATE_OVERHEAD_BYTES)
                .saturating_sub(peer_bytes)
                .saturating_sub(htlc_bytes(&next.outgoing)),
        })
    }
}

impl Room {
    /// Balance and in-flight limit: what they lack now does not come back soon enough to wait.
    fn check_value(&self, htlc: &NewHtlc, terms: &InitHostedChannel) -> Result<(), AddRefusal> {
        let amount_msat = i128::from(htlc.amount_msat);
        if amount_msat > self.spendable_msat {
            let missing_msat =
                u64::try_from(amount_msat - self.spendable_msat).unwrap_or(htlc.amount_msat);
            return Err(AddRefusal::InsufficientBalance { missing_msat });
        }
        if amount_msat > self.in_flight_msat {
            let maximum_msat = terms.max_htlc_value_in_flight_msat;
            return Err(AddRefusal::TooMuchInFlight { maximum_msat });
        }
        Ok(())
    }

    fn has_slot(&self, htlc: &NewHtlc) -> bool {
        self.slots > 0 && self.bytes >= ADD_BYTES + htlc.tlvs.len()
    }

    fn take(&mut self, htlc: &NewHtlc) {
        self.spendable_msat -= i128::from(htlc.amount_msat);
        self.in_flight_msat -= i128::from(htlc.amount_msat);
        self.slots = self.slots.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(ADD_BYTES + htlc.tlvs.len());
    }
}

/// What can be refused without looking at the state.
fn check_new_htlc(
    htlc: &NewHtlc,
    terms: &InitHostedChannel,
    env: &Env<'_>,
) -> Result<(), AddRefusal> {
    let minimum_msat = terms.htlc_minimum_msat.max(1);
    if htlc.amount_msat < minimum_msat {
        return Err(AddRefusal::BelowMinimum { minimum_msat });
    }
    if htlc.cltv_expiry <= env.height.saturating_add(MIN_EXPIRY_BLOCKS) {
        return Err(AddRefusal::ExpiryTooSoon);
    }
    if htlc.cltv_expiry > env.height.saturating_add(MAX_EXPIRY_BLOCKS) {
        return Err(AddRefusal::ExpiryTooFar);
    }
    if htlc.tlvs.len() > MAX_ADD_TLV_BYTES || check_tlv_stream(&htlc.tlvs).is_err() {
        return Err(AddRefusal::BadTlvs);
    }
    Ok(())
}
