//! Attacks with states: replayed, altered, invented, signed as far as the attacker can.

use bitcoin::secp256k1::SecretKey;
use steward_wire::{
    LastCrossSignedState, Message, ResizeChannel, Signature, StateOverride, StateUpdate,
};

use super::attack::Attack;
use super::message_forge::MessageForge;

impl MessageForge<'_> {
    pub(super) fn with_garbage_signature(&mut self, message: &Message) -> Option<Vec<Message>> {
        let garbage = self.garbage();
        let mut message = message.clone();
        match &mut message {
            Message::StateUpdate(update) => update.local_sig_of_remote = garbage,
            Message::StateOverride(proposal) => proposal.local_sig_of_remote = garbage,
            Message::LastCrossSignedState(state) if self.rng.chance(500) => {
                state.local_sig_of_remote = garbage;
            }
            Message::LastCrossSignedState(state) => state.remote_sig_of_local = garbage,
            _ => return None,
        }
        Some(vec![message])
    }

    /// Another state than the one the engine shows.
    pub(super) fn other_state(
        &mut self,
        attack: Attack,
        message: &Message,
    ) -> Option<Vec<Message>> {
        let Message::LastCrossSignedState(shown) = message else { return None };
        let other = match attack {
            Attack::OldState => {
                let old = self.old.get(self.rng.index(self.old.len()))?.clone();
                if old == *shown {
                    return None;
                }
                old
            }
            Attack::MovedHtlcs => self.turned_around(shown.clone())?,
            Attack::ForgedState => {
                let richer = self.richer(shown.clone());
                self.signed(richer)
            }
            Attack::InventedState => {
                let mut invented = self.richer(shown.clone());
                invented.local_updates += self.rng.below(3) as u32;
                invented.remote_updates += 1 + self.rng.below(3) as u32;
                if self.rng.chance(500) {
                    invented.remote_sig_of_local = self.garbage();
                }
                self.signed(invented)
            }
            _ => {
                let mut state = self.stranger.take()?;
                state.is_host = !self.is_client;
                if self.rng.chance(500) { self.signed(state) } else { state }
            }
        };
        Some(vec![Message::LastCrossSignedState(other)])
    }

    /// A valid signature of the attacker's on something else than both sides exchanged.
    pub(super) fn other_update(
        &mut self,
        attack: Attack,
        message: &Message,
    ) -> Option<Vec<Message>> {
        let Message::StateUpdate(update) = message else { return None };
        let mut state = self.state()?;
        state.block_day = update.block_day;
        state.local_updates = update.local_updates;
        state.remote_updates = update.remote_updates;
        match attack {
            Attack::EqualCounters => state = self.richer(state),
            Attack::WrongCounters => self.corrupt_counters(&mut state),
            _ => state.block_day = self.other_day(update.block_day),
        }
        let other = update_of(&self.signed(state));
        Some(match self.rng.below(3) {
            0 => vec![other],
            1 => vec![other, message.clone()],
            _ => vec![message.clone(), other],
        })
    }

    fn corrupt_counters(&mut self, state: &mut LastCrossSignedState) {
        let by = self.rng.pick(&[1, 2, 1000, u32::MAX]).unwrap_or(1);
        match self.rng.below(4) {
            0 => state.local_updates = state.local_updates.saturating_sub(by),
            1 => state.remote_updates = state.remote_updates.saturating_sub(by),
            2 => state.local_updates = state.local_updates.saturating_add(by),
            _ => state.remote_updates = state.remote_updates.saturating_add(by),
        }
    }

    fn other_day(&mut self, day: u32) -> u32 {
        match self.rng.below(4) {
            0 => day.saturating_sub(2),
            1 => day.saturating_add(2),
            2 => day.saturating_add(5_000),
            _ => self.rng.pick(&[0, 1, u32::MAX]).unwrap_or(0),
        }
    }

    /// As host: the client gets less. As client: what only a host may send, just as greedy.
    pub(super) fn greedy_override(&mut self) -> Option<Message> {
        let state = self.state()?;
        let capacity_msat = state.init_hosted_channel.channel_capacity_msat;
        let others_msat = state.remote_balance_msat / self.rng.between(2, 10);
        let ahead = self.rng.between(1, 5) as u32;
        let fresh = self.signed(LastCrossSignedState {
            local_balance_msat: capacity_msat.checked_sub(others_msat)?,
            remote_balance_msat: others_msat,
            local_updates: state.local_updates.checked_add(ahead)?,
            remote_updates: state.remote_updates.checked_add(ahead)?,
            incoming_htlcs: Vec::new(),
            outgoing_htlcs: Vec::new(),
            ..state
        });
        Some(Message::StateOverride(StateOverride {
            block_day: fresh.block_day,
            local_balance_msat: fresh.local_balance_msat,
            local_updates: fresh.local_updates,
            remote_updates: fresh.remote_updates,
            local_sig_of_remote: fresh.local_sig_of_remote,
        }))
    }

    pub(super) fn bad_resize(&mut self) -> Option<Message> {
        let capacity_sat = self.state()?.init_hosted_channel.channel_capacity_msat / 1000;
        let wanted_sat = match self.rng.below(5) {
            0 => capacity_sat / 2,
            1 => 0,
            2 => 10_000_001,
            3 => (1 << 63) - 1,
            _ => capacity_sat + 1,
        };
        let is_forged = wanted_sat == capacity_sat + 1 || self.rng.chance(300);
        let key = match SecretKey::from_slice(&self.rng.bytes32()) {
            Ok(strangers_key) if is_forged => strangers_key,
            _ => self.key(),
        };
        Some(Message::ResizeChannel(ResizeChannel::signed(wanted_sat, &key)))
    }

    /// Some HTLCs stand in the other list. The other side hashes the attacker's HTLCs before its
    /// own, so the signatures of the last one of those and the first of these hold.
    fn turned_around(&mut self, mut state: LastCrossSignedState) -> Option<LastCrossSignedState> {
        let is_to_incoming = state.incoming_htlcs.is_empty()
            || (!state.outgoing_htlcs.is_empty() && self.rng.chance(700));
        if is_to_incoming {
            let all = self.rng.chance(500);
            let from = if all { 0 } else { self.rng.index(state.outgoing_htlcs.len()) };
            let moved = state.outgoing_htlcs.split_off(from);
            state.incoming_htlcs.splice(0..0, moved);
        } else {
            let end = self.rng.index(state.incoming_htlcs.len()) + 1;
            state.outgoing_htlcs.extend(state.incoming_htlcs.drain(..end));
        }
        if state.incoming_htlcs.is_empty() && state.outgoing_htlcs.is_empty() {
            return None;
        }
        // Where the hash says it, it holds; elsewhere the attacker can sign for itself alone.
        let is_same = state.verify_local_sig(&self.public_key());
        Some(if is_same { state } else { self.signed(state) })
    }

    /// Some of the other side's balance is the attacker's.
    fn richer(&mut self, mut state: LastCrossSignedState) -> LastCrossSignedState {
        let taken_msat = self.rng.between(1, 1_000_000_000).min(state.remote_balance_msat);
        state.remote_balance_msat -= taken_msat;
        state.local_balance_msat += taken_msat;
        state
    }

    /// With the attacker's own signature, valid for what it holds now.
    fn signed(&self, mut state: LastCrossSignedState) -> LastCrossSignedState {
        state.local_sig_of_remote = state.sign_remote(&self.key());
        state
    }

    /// Counters and signature at random.
    pub(super) fn random_update(&mut self) -> Message {
        Message::StateUpdate(StateUpdate {
            block_day: self.rng.below(10_000) as u32,
            local_updates: self.rng.below(50) as u32,
            remote_updates: self.rng.below(50) as u32,
            local_sig_of_remote: Signature([self.rng.below(256) as u8; 64]),
        })
    }
}

fn update_of(state: &LastCrossSignedState) -> Message {
    Message::StateUpdate(StateUpdate {
        block_day: state.block_day,
        local_updates: state.local_updates,
        remote_updates: state.remote_updates,
        local_sig_of_remote: state.local_sig_of_remote,
    })
}
