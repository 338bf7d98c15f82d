//! Our own updates: waiting HTLCs and settlements, and when they go onto the wire
//! (protocol.md section 3.5, design.md section 3, "Coalescing").

use std::collections::BTreeMap;

use steward_wire::codec::check_tlv_stream;
use steward_wire::limits::MAX_ADD_TLV_BYTES;
use steward_wire::{
    InitHostedChannel, Preimage, UpdateAddHtlc, UpdateFailHtlc, UpdateFailMalformedHtlc,
    UpdateFulfillHtlc,
};

use crate::channel::{Channel, Settlement};
use crate::io::{AddRefusal, Env, Failure, NewHtlc, Output, Phase};
use crate::limits::{
    ADD_BYTES, MAX_EXPIRY_BLOCKS, MAX_OWN_HTLCS, MAX_STATE_BYTES, MAX_WAITING_ADDS,
    MIN_EXPIRY_BLOCKS, ORDINARY_ADD_TLV_BYTES, STATE_OVERHEAD_BYTES,
};
use crate::next_state::{Ledger, Update, counter_after, htlc_bytes, in_flight_msat};
use crate::updates::bounded_failure;

/// What is left for own adds, counted down as they are sent.
pub(crate) struct Room {
    /// Balance that no unsigned update of the peer's is needed for: the peer may forget those.
    pub(crate) spendable_msat: i128,
    pub(crate) in_flight_msat: i128,
    pub(crate) slots: usize,
    pub(crate) bytes: usize,
}

impl Channel {
    pub(crate) fn queue_add(&mut self, htlc: NewHtlc, env: &Env<'_>, out: &mut Vec<Output>) {
        let refusal = match self.terms() {
            Some(terms) if self.phase() == Phase::Active => check_new_htlc(&htlc, terms, env).err(),
            _ => Some(AddRefusal::Unavailable),
        };
        let is_full = self.waiting_adds.len() >= MAX_WAITING_ADDS;
        match refusal.or(is_full.then_some(AddRefusal::QueueFull)) {
            Some(reason) => out.push(Output::HtlcRefused { token: htlc.token, reason }),
            None => self.waiting_adds.push_back(htlc),
        }
    }

    /// Remembers how to settle an incoming HTLC. A fulfill replaces a fail that has not been sent.
    pub(crate) fn queue_settlement(
        &mut self,
        id: u64,
        settlement: Settlement,
        out: &mut Vec<Output>,
    ) {
        let Some(htlc) = self.incoming_htlc(id) else {
            return out.push(Output::SettlementRecorded { id });
        };
        if let Settlement::Fulfill(preimage) = &settlement
            && preimage.hash() != htlc.payment_hash
        {
            return; // The peer would suspend the channel for it.
        }
        if self.own.iter().any(|update| update.settled_id() == Some(id)) {
            return out.push(Output::SettlementRecorded { id });
        }
        let keeps = matches!(self.waiting_settlements.get(&id), Some(Settlement::Fulfill(_)));
        if !keeps {
            self.waiting_settlements.insert(id, settlement);
        }
    }

    /// Sends waiting settlements, then HTLCs. Only while no own update is unsigned.
    pub(crate) fn send_waiting(&mut self, env: &Env<'_>, out: &mut Vec<Output>) {
        for (id, settlement) in std::mem::take(&mut self.waiting_settlements) {
            self.send_settlement(id, settlement, out);
        }
        self.send_waiting_adds(env, out);
        if !self.own.is_empty() {
            self.changed = true;
            self.sign_owed = true;
        }
    }

    /// Suspended: fulfills still count, with or without a connection; fails are pointless.
    pub(crate) fn send_waiting_fulfills(&mut self, out: &mut Vec<Output>) {
        let is_fulfill = |settlement: &Settlement| matches!(settlement, Settlement::Fulfill(_));
        let (fulfills, fails): (BTreeMap<_, _>, BTreeMap<_, _>) =
            std::mem::take(&mut self.waiting_settlements)
                .into_iter()
                .partition(|(_, settlement)| is_fulfill(settlement));
        self.waiting_settlements = fails;
        for (id, settlement) in fulfills {
            self.send_settlement(id, settlement, out);
        }
    }

    pub(crate) fn has_waiting_fulfills(&self) -> bool {
        self.waiting_settlements.values().any(|s| matches!(s, Settlement::Fulfill(_)))
    }

    pub(crate) fn has_waiting_fails(&self) -> bool {
        self.waiting_settlements.values().any(|s| !matches!(s, Settlement::Fulfill(_)))
    }

    fn send_settlement(&mut self, id: u64, settlement: Settlement, out: &mut Vec<Output>) {
        if self.incoming_htlc(id).is_none() {
            return out.push(Output::SettlementRecorded { id });
        }
        if self.next_own_counter().is_none() {
            self.waiting_settlements.insert(id, settlement);
            return;
        }
        let update = self.settlement_update(id, settlement);
        if self.may_speak() {
            out.push(Output::Send(update.to_message()));
        }
        self.own.push(update);
        self.changed = true;
        out.push(Output::SettlementRecorded { id });
    }

    fn settlement_update(&self, id: u64, settlement: Settlement) -> Update {
        let channel_id = self.channel_id;
        match settlement {
            Settlement::Fulfill(preimage) => {
                Update::Fulfill(UpdateFulfillHtlc { channel_id, id, preimage, tlvs: Vec::new() })
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

    fn send_waiting_adds(&mut self, env: &Env<'_>, out: &mut Vec<Output>) {
        self.adds_blocked = false;
        let (Some(mut room), Some(terms)) = (self.room(), self.terms().cloned()) else { return };
        let mut still_waiting = std::collections::VecDeque::new();
        for htlc in std::mem::take(&mut self.waiting_adds) {
            let token = htlc.token;
            let verdict = check_new_htlc(&htlc, &terms, env)
                .and_then(|()| room.check_value(&htlc, &terms))
                .and_then(|()| self.next_own_counter().ok_or(AddRefusal::CountersExhausted));
            match verdict {
                Err(reason) => out.push(Output::HtlcRefused { token, reason }),
                // First come, first served: a small one must not starve a large one.
                Ok(_) if !still_waiting.is_empty() || !room.has_slot(&htlc) => {
                    if htlc.give_up_ms <= env.now_ms {
                        let reason = AddRefusal::TooManyHtlcs;
                        out.push(Output::HtlcRefused { token, reason });
                    } else {
                        still_waiting.push_back(htlc);
                    }
                }
                Ok(id) => {
                    room.take(&htlc);
                    self.send_add(u64::from(id), htlc, out);
                }
            }
        }
        self.adds_blocked = !still_waiting.is_empty();
        self.waiting_adds = still_waiting;
    }

    fn send_add(&mut self, id: u64, htlc: NewHtlc, out: &mut Vec<Output>) {
        let add = UpdateAddHtlc {
            channel_id: self.channel_id,
            id,
            amount_msat: htlc.amount_msat,
            payment_hash: htlc.payment_hash,
            cltv_expiry: htlc.cltv_expiry,
            onion: htlc.onion,
            tlvs: htlc.tlvs,
        };
        let update = Update::Add(add);
        out.push(Output::Send(update.to_message()));
        out.push(Output::HtlcAdded { token: htlc.token, id });
        self.own.push(update);
    }

    /// What is left for own adds in the state both will sign next.
    pub(crate) fn room(&self) -> Option<Room> {
        let signed = self.signed.as_ref()?;
        let terms = &signed.init_hosted_channel;
        let next = Ledger::new(signed, &self.own, &self.peer)?;
        let certain = Ledger::new(signed, &self.own, &[])?;
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

    fn next_own_counter(&self) -> Option<u32> {
        counter_after(self.signed.as_ref()?.local_updates, self.own.len().saturating_add(1))
    }

    /// A cross-signed HTLC of the peer's.
    pub(crate) fn incoming_htlc(&self, id: u64) -> Option<&UpdateAddHtlc> {
        self.signed.as_ref()?.incoming_htlcs.iter().find(|add| add.id == id)
    }

    /// The preimage we revealed, or are about to reveal, for an incoming HTLC.
    pub(crate) fn given_preimage(&self, id: u64) -> Option<Preimage> {
        let sent = self.own.iter().find_map(|update| match update {
            Update::Fulfill(fulfill) if fulfill.id == id => Some(fulfill.preimage),
            _ => None,
        });
        sent.or(match self.waiting_settlements.get(&id) {
            Some(Settlement::Fulfill(preimage)) => Some(*preimage),
            _ => None,
        })
    }

    fn terms(&self) -> Option<&InitHostedChannel> {
        self.signed.as_ref().map(|signed| &signed.init_hosted_channel)
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
