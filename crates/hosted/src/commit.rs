//! `state_update` both ways: when a signature is owed, which state it covers, and how a state
//! becomes the last cross-signed one (protocol.md section 3.4).

use steward_wire::{ErrorCode, LastCrossSignedState, Message, Signature, StateUpdate};
use steward_wire::{impossible, invariant};

use crate::channel::{Channel, Link};
use crate::errors::Fault;
use crate::io::{Env, Failure, Output, Phase};
use crate::limits::{BLOCKS_PER_DAY, MAX_BAD_SIGNATURES, MAX_BLOCK_DAY_DRIFT};
use crate::next_state::{Update, counter_after, next_state};

/// What the last `state_update` of this connection signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SentUpdate {
    /// Hash of the peer's copy of the state.
    pub(crate) hash: [u8; 32],
    pub(crate) signature: Signature,
    pub(crate) block_day: u32,
}

impl Channel {
    /// Ends a batch of inputs: gives waiting updates their ids, sends them, and signs once for
    /// everything that is owed.
    pub fn flush(&mut self, env: &Env<'_>, out: &mut Vec<Output>) {
        match self.phase() {
            Phase::Active => {
                if self.own.is_empty() {
                    // The peer takes a fail only for an HTLC that we have signed.
                    if self.sign_owed && self.has_waiting_fails() {
                        self.send_state_update(env, out);
                    }
                    self.send_waiting(env, out);
                }
                if self.sign_owed {
                    self.send_state_update(env, out);
                }
            }
            Phase::Suspended => self.send_waiting_fulfills(out),
            Phase::Opening | Phase::Offline | Phase::Syncing => {}
        }
        self.report_change(out);
    }

    /// True if [`Channel::flush`] has something to do.
    pub fn needs_flush(&self) -> bool {
        match self.phase() {
            Phase::Active => {
                let can_send = !self.waiting_settlements.is_empty()
                    || (!self.waiting_adds.is_empty() && !self.adds_blocked);
                self.sign_owed || (self.own.is_empty() && can_send)
            }
            Phase::Suspended => self.has_waiting_fulfills(),
            Phase::Opening | Phase::Offline | Phase::Syncing => false,
        }
    }

    fn send_state_update(&mut self, env: &Env<'_>, out: &mut Vec<Output>) {
        self.sign_owed = false;
        let is_settled =
            self.own.is_empty() && self.peer.is_empty() && self.resize_proposal.is_none();
        let Some(mut state) = (if is_settled { self.signed.clone() } else { self.to_sign(env) })
        else {
            return impossible!("every update was checked when it came");
        };
        let hash = state.reverse_sighash();
        if self.last_sent.as_ref().is_some_and(|sent| sent.hash == hash) {
            return;
        }
        invariant!(state.is_balanced(), "what we sign adds up to the capacity");
        if state.local_sig_of_remote == Signature::ZERO {
            state.local_sig_of_remote = state.sign_remote(env.key);
        }
        self.last_sent = Some(SentUpdate {
            hash,
            signature: state.local_sig_of_remote,
            block_day: state.block_day,
        });
        out.push(Output::Send(state_update(&state)));
        if is_settled {
            self.changed |= self.signed.as_ref() != Some(&state);
            self.signed = Some(state);
        } else {
            // From here on the peer may hold a state with these updates: they must not be lost.
            self.changed |= !self.peer.is_empty();
            self.expect_answer(env);
        }
    }

    /// The state that covers every update of both sides, unsigned.
    fn to_sign(&self, env: &Env<'_>) -> Option<LastCrossSignedState> {
        let day = block_day(env);
        match self.resized_base() {
            Some(larger) => next_state(&larger, &self.own, &self.peer, day),
            None => next_state(self.signed.as_ref()?, &self.own, &self.peer, day),
        }
    }

    /// The peer signed a state.
    pub(crate) fn on_state_update(
        &mut self,
        update: StateUpdate,
        env: &Env<'_>,
        out: &mut Vec<Output>,
    ) {
        match self.phase() {
            Phase::Opening => self.on_opening_update(update, env, out),
            Phase::Suspended => self.on_override_accepted(update, out),
            Phase::Active => self.on_normal_update(update, env, out),
            Phase::Offline | Phase::Syncing => {}
        }
    }

    fn on_normal_update(&mut self, update: StateUpdate, env: &Env<'_>, out: &mut Vec<Output>) {
        let Some(signed) = &self.signed else {
            return impossible!("an active channel has a state");
        };
        if update.local_sig_of_remote == signed.remote_sig_of_local {
            return;
        }
        if !is_day_acceptable(update.block_day, env) {
            return self.reconnect("the peer's block day differs from ours", out);
        }
        let (Some(our_updates), Some(peer_updates)) = (
            counter_after(signed.local_updates, self.own.len()),
            counter_after(signed.remote_updates, self.peer.len()),
        ) else {
            return;
        };
        if update.local_updates < signed.remote_updates && self.overridden_here {
            return; // Given before the peer knew that the override is in force.
        }
        if update.local_updates < signed.remote_updates {
            let what = "a signature on a lower state than one signed before";
            self.keep(what, &Message::StateUpdate(update), out);
            return self.reconnect("the peer signed an old state", out);
        }
        if update.local_updates != peer_updates || update.remote_updates > our_updates {
            return self.reconnect("the peer signed updates we did not exchange", out);
        }
        if update.remote_updates < our_updates {
            // It had not seen all of ours yet; sign for everything both have sent by now.
            self.sign_owed = true;
            return;
        }
        let is_settled =
            self.own.is_empty() && self.peer.is_empty() && self.resize_proposal.is_none();
        if is_settled && update.block_day <= signed.block_day {
            // The same state again, of a day that is past. Of two days the later one wins, or
            // both sides would answer each other for ever.
            return;
        }
        match self.verified_state(&update) {
            Some(state) => {
                self.bad_signatures = 0;
                self.adopt(state, self.own.len(), self.peer.len(), out);
                self.sign_owed = true;
            }
            None => self.on_bad_signature(update, out),
        }
    }

    /// The state the peer's signature covers: with a pending resize, or without.
    fn verified_state(&self, update: &StateUpdate) -> Option<LastCrossSignedState> {
        let larger = self.resized_base();
        larger.iter().chain(&self.signed).find_map(|base| {
            let mut state = next_state(base, &self.own, &self.peer, update.block_day)?;
            state.remote_sig_of_local = update.local_sig_of_remote;
            self.is_signed_by_peer(&state).then_some(state)
        })
    }

    /// A wrong signature may come from a race: compare states first, suspend if that is no help.
    fn on_bad_signature(&mut self, update: StateUpdate, out: &mut Vec<Output>) {
        if self.bad_signatures < MAX_BAD_SIGNATURES {
            self.bad_signatures = self.bad_signatures.saturating_add(1);
            return self.reconnect("the peer's signature does not fit our state", out);
        }
        self.keep("a wrong signature", &Message::StateUpdate(update), out);
        self.suspend(Fault::coded(ErrorCode::WrongRemoteSig, "wrong signature"), out);
    }

    /// `state`, signed by the peer, becomes the last cross-signed one. It covers the first
    /// `own_used` and `peer_used` unsigned updates; the peer repeats the rest of its own.
    pub(crate) fn adopt(
        &mut self,
        mut state: LastCrossSignedState,
        own_used: usize,
        peer_used: usize,
        out: &mut Vec<Output>,
    ) {
        if state.local_sig_of_remote == Signature::ZERO
            && let Some(sent) = &self.last_sent
            && sent.hash == state.reverse_sighash()
        {
            state.local_sig_of_remote = sent.signature;
        }
        let new_capacity_msat = state.init_hosted_channel.channel_capacity_msat;
        let was_msat =
            self.signed.as_ref().map(|signed| signed.init_hosted_channel.channel_capacity_msat);
        self.signed = Some(state);
        self.own.drain(..own_used.min(self.own.len()));
        let mut peer = std::mem::take(&mut self.peer);
        peer.truncate(peer_used);
        for update in peer {
            self.report_signed(update, out);
        }
        if was_msat != Some(new_capacity_msat) {
            self.on_resized(new_capacity_msat, out);
        }
        self.forget_settled();
        self.answer_due_ms = None;
        self.adds_blocked = false;
        self.changed = true;
    }

    /// What the peer's update means, now that both signed it.
    fn report_signed(&mut self, update: Update, out: &mut Vec<Output>) {
        let (id, failure) = match update {
            Update::Add(add) => {
                return out.push(Output::HtlcIncoming { add, taken_over: false });
            }
            Update::Fulfill(_) => return, // Reported when it came.
            Update::Fail(fail) => {
                (fail.id, Failure::Reason { reason: fail.reason, tlvs: fail.tlvs })
            }
            Update::Malformed(fail) => (
                fail.id,
                Failure::Malformed {
                    sha256_of_onion: fail.sha256_of_onion,
                    failure_code: fail.failure_code,
                },
            ),
        };
        if !self.outcomes.contains_key(&id) {
            out.push(Output::HtlcFailed { id, failure });
        }
    }

    /// Forgets what is known of HTLCs that are in no state any more.
    pub(crate) fn forget_settled(&mut self) {
        let Some(signed) = &self.signed else { return };
        let own = &self.own;
        self.held.retain(|id| signed.incoming_htlcs.iter().any(|add| add.id == *id));
        self.outcomes.retain(|id, _| {
            signed.outgoing_htlcs.iter().any(|add| add.id == *id)
                || own.iter().filter_map(Update::as_add).any(|add| add.id == *id)
        });
        self.at_risk.retain(|id| signed.incoming_htlcs.iter().any(|add| add.id == *id));
    }

    /// After a day's end an unanswered signature is given again, with the new day: the peer may
    /// have refused the old one.
    pub(crate) fn renew_day(&mut self, env: &Env<'_>) {
        let is_waiting = self.phase() == Phase::Active && self.answer_due_ms.is_some();
        if is_waiting
            && self.last_sent.as_ref().is_some_and(|sent| sent.block_day != block_day(env))
        {
            self.sign_owed = true;
        }
    }

    pub(crate) fn is_signed_by_peer(&self, state: &LastCrossSignedState) -> bool {
        self.remote_key.is_some_and(|key| state.verify_remote_sig(&key))
    }

    pub(crate) fn is_signed_by_us(&self, state: &LastCrossSignedState) -> bool {
        self.local.public_key().is_some_and(|key| state.verify_local_sig(&key))
    }

    /// Our copy of the last signed state, our own signature included.
    pub(crate) fn complete_state(&mut self, env: &Env<'_>) -> Option<LastCrossSignedState> {
        let signed = self.signed.as_mut()?;
        if signed.local_sig_of_remote == Signature::ZERO {
            invariant!(signed.is_balanced(), "what we sign adds up to the capacity");
            signed.local_sig_of_remote = signed.sign_remote(env.key);
            self.changed = true;
        }
        Some(signed.clone())
    }

    pub(crate) fn send_signed_state(&mut self, env: &Env<'_>, out: &mut Vec<Output>) {
        if let Some(state) = self.complete_state(env) {
            out.push(Output::Send(Message::LastCrossSignedState(state)));
        }
    }

    /// After both compared their states: hand out ours, repeat what it lacks, go on.
    pub(crate) fn resume(&mut self, env: &Env<'_>, out: &mut Vec<Output>) {
        self.answer_due_ms = None;
        self.last_sent = None;
        self.peer.clear();
        self.send_signed_state(env, out);
        out.extend(self.resize_proposal.map(Message::ResizeChannel).map(Output::Send));
        out.extend(self.own.iter().map(Update::to_message).map(Output::Send));
        self.sign_owed = !self.own.is_empty() || self.resize_proposal.is_some();
        if self.sign_owed {
            self.expect_answer(env);
        }
        debug_assert_ne!(self.link, Link::Down);
        self.become_active(out);
    }
}

/// The `state_update` that hands out our signature in `state`.
pub(crate) fn state_update(state: &LastCrossSignedState) -> Message {
    Message::StateUpdate(StateUpdate {
        block_day: state.block_day,
        local_updates: state.local_updates,
        remote_updates: state.remote_updates,
        local_sig_of_remote: state.local_sig_of_remote,
    })
}

/// Today, as states count days.
pub(crate) fn block_day(env: &Env<'_>) -> u32 {
    env.height / BLOCKS_PER_DAY
}

/// True if the peer's day is close enough to ours.
pub(crate) fn is_day_acceptable(day: u32, env: &Env<'_>) -> bool {
    day.abs_diff(block_day(env)) <= MAX_BLOCK_DAY_DRIFT
}
