//! `state_update` both ways: when a signature is owed, which state it covers, and how a state
//! becomes the last cross-signed one (docs/protocol.md section 3.4).

use steward_htlc::{Failure, LinkEvent};
use steward_wire::{ErrorCode, LastCrossSignedState, Message, Signature, StateUpdate, impossible};

use crate::errors::Fault;
use crate::io::{Output, Phase};
use crate::limits::MAX_BAD_SIGNATURES;
use crate::next_state::Update;
use crate::open::{Open, OpenChannel};
use crate::session::SentUpdate;
use crate::signing::{block_day, is_day_acceptable, sign_hashed, state_update};

impl Open {
    /// The state that covers every update of both sides and a pending resize, unsigned.
    fn next_state(&self, block_day: u32) -> Option<LastCrossSignedState> {
        match self.resized_base() {
            Some(larger) => self.commitment.next_state(&larger, block_day),
            None => self.commitment.next_state(self.commitment.signed(), block_day),
        }
    }
}

impl OpenChannel<'_> {
    /// Ends a batch of inputs: gives waiting updates their ids, sends them, and signs once for
    /// everything that is owed.
    pub(crate) fn flush(&mut self) {
        match self.phase() {
            Phase::Active => {
                if self.open.commitment.local().is_empty() {
                    // The peer takes a fail only for an HTLC that we have signed.
                    if self.is_sign_owed() && self.open.since_start.has_waiting_fails() {
                        self.send_state_update();
                    }
                    self.send_waiting();
                }
                if self.is_sign_owed() {
                    self.send_state_update();
                }
            }
            Phase::Suspended => self.send_waiting_fulfills(),
            // Settlements wait for the peer.
            Phase::Opening | Phase::Offline | Phase::Syncing => {}
        }
    }

    fn is_sign_owed(&mut self) -> bool {
        self.signing().is_some_and(|signing| signing.sign_owed)
    }

    fn send_state_update(&mut self) {
        let is_all_signed = self.open.is_all_signed();
        let next = if is_all_signed {
            Some(self.open.commitment.signed().clone())
        } else {
            self.open.next_state(block_day(self.env))
        };
        let Some(mut state) = next else {
            return impossible!("every update was checked when it came");
        };
        let Some(signing) = self.session.as_mut().and_then(|session| session.signing()) else {
            return impossible!("only an active channel signs");
        };
        signing.sign_owed = false;
        let hash = state.reverse_sighash();
        if signing.last_sent.as_ref().is_some_and(|sent| sent.hash == hash) {
            return; // The peer has it.
        }
        if is_all_signed {
            self.changed |= self.open.commitment.complete(self.env.local);
            state.local_sig_of_remote = self.open.commitment.signed().local_sig_of_remote;
        } else {
            sign_hashed(&mut state, hash, self.env.local);
        }
        let (signature, block_day) = (state.local_sig_of_remote, state.block_day);
        signing.last_sent = Some(SentUpdate { hash, signature, block_day });
        self.out.push(Output::send(state_update(&state)));
        if !is_all_signed {
            // From here on the peer may hold a state with these updates: they must not be lost.
            self.changed |= !self.open.commitment.remote().is_empty();
            self.expect_answer();
        }
    }

    /// The peer signed a state.
    pub(crate) fn on_state_update(&mut self, update: StateUpdate) {
        match self.phase() {
            Phase::Suspended => self.on_override_accepted(update),
            Phase::Active => self.on_normal_update(update),
            // Of before the states are compared: the peer signs again after that.
            Phase::Opening | Phase::Offline | Phase::Syncing => {}
        }
    }

    fn on_normal_update(&mut self, update: StateUpdate) {
        let signed = self.open.commitment.signed();
        if update.local_sig_of_remote == signed.remote_sig_of_local {
            return; // The answer to a signature of ours that crossed the peer's.
        }
        if !is_day_acceptable(update.block_day, self.env) {
            return self.reconnect("the peer's block day differs from ours");
        }
        let Some(next) = self.open.commitment.next_counters() else {
            return impossible!("an update beyond the largest counter was neither sent nor taken");
        };
        let has_override_come = self.session.as_ref().is_some_and(|session| session.override_came);
        if update.local_updates < signed.remote_updates && has_override_come {
            return; // Given before the peer knew that the override is in force.
        }
        if update.local_updates < signed.remote_updates {
            let what = "a signature on a lower state than one signed before";
            self.keep(what, &Message::StateUpdate(update));
            return self.reconnect("the peer signed an old state");
        }
        if update.local_updates != next.remote || update.remote_updates > next.local {
            return self.reconnect("the peer signed updates we did not exchange");
        }
        if update.remote_updates < next.local {
            // It had not seen all of ours yet; sign for everything both have sent by now.
            return self.owe_signature();
        }
        if self.open.is_all_signed() && update.block_day <= signed.block_day {
            // The same state again, of a day that is past. Of two days the later one wins, or
            // both sides would answer each other without end.
            return;
        }
        match self.verified_state(&update) {
            Some(state) => {
                self.open.since_start.bad_signatures = 0;
                let commitment = &self.open.commitment;
                self.adopt(state, commitment.local().len(), commitment.remote().len());
                self.owe_signature();
            }
            None => self.on_bad_signature(update),
        }
    }

    /// The state the peer's signature covers: with a pending resize, or without.
    fn verified_state(&self, update: &StateUpdate) -> Option<LastCrossSignedState> {
        let larger = self.open.resized_base();
        larger.iter().chain([self.open.commitment.signed()]).find_map(|base| {
            let mut state = self.open.commitment.next_state(base, update.block_day)?;
            state.remote_sig_of_local = update.local_sig_of_remote;
            self.pair.is_signed_by_peer(&state).then_some(state)
        })
    }

    /// A wrong signature may come from a race: compare states first, suspend if that is no help.
    fn on_bad_signature(&mut self, update: StateUpdate) {
        let bad_signatures = &mut self.open.since_start.bad_signatures;
        if *bad_signatures < MAX_BAD_SIGNATURES {
            *bad_signatures = bad_signatures.saturating_add(1);
            return self.reconnect("the peer's signature does not fit our state");
        }
        self.keep("a wrong signature", &Message::StateUpdate(update));
        self.suspend(Fault::coded(ErrorCode::WrongRemoteSig, "wrong signature"));
    }

    /// `state`, signed by the peer, becomes the last cross-signed one. It covers the first
    /// `local_used` and `remote_used` unsigned updates; the peer repeats the rest of its own.
    pub(crate) fn adopt(
        &mut self,
        mut state: LastCrossSignedState,
        local_used: usize,
        remote_used: usize,
    ) {
        if state.local_sig_of_remote == Signature::ZERO
            && let Some(signing) = self.signing()
            && let Some(sent) = &signing.last_sent
            && sent.hash == state.reverse_sighash()
        {
            state.local_sig_of_remote = sent.signature;
        }
        let was_msat = self.open.commitment.capacity_msat();
        for update in self.open.commitment.adopt(state, local_used, remote_used) {
            self.report_signed(update);
        }
        self.note_capacity(was_msat);
        self.open.forget_settled();
        if let Some(session) = self.session {
            session.answered();
        }
        self.changed = true;
    }

    /// What the peer's update means, now that both signed it.
    fn report_signed(&mut self, update: Update) {
        let (id, failure) = match update {
            Update::Add(add) => {
                return self
                    .out
                    .push(Output::Link(LinkEvent::HtlcIncoming { add, taken_over: false }));
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
        self.out.push(Output::Link(LinkEvent::HtlcFailed { id, failure }));
    }

    /// After a day's end an unanswered signature is given again, with the new day: the peer may
    /// have refused the old one.
    pub(crate) fn renew_day(&mut self) {
        let today = block_day(self.env);
        let is_waiting = self.session.as_ref().is_some_and(|s| s.is_answer_awaited());
        if let Some(signing) = self.signing()
            && is_waiting
            && signing.last_sent.as_ref().is_some_and(|sent| sent.block_day != today)
        {
            signing.sign_owed = true;
        }
    }

    /// Our copy of the last signed state, our own signature included.
    pub(crate) fn complete_state(&mut self) -> LastCrossSignedState {
        self.changed |= self.open.commitment.complete(self.env.local);
        self.open.commitment.signed().clone()
    }

    pub(crate) fn send_signed_state(&mut self) {
        let state = self.complete_state();
        self.send(Message::LastCrossSignedState(state));
    }

    /// After both compared their states: hand out ours, repeat what it lacks, go on.
    pub(crate) fn resume(&mut self) {
        if let Some(session) = self.session {
            session.answered();
        }
        self.open.commitment.forget_remote();
        self.send_signed_state();
        self.out.extend(self.open.resize.map(Message::ResizeChannel).map(Output::send));
        let local = self.open.commitment.local();
        self.out.extend(local.iter().map(Update::to_message).map(Output::send));
        let is_sign_owed = !self.open.is_all_signed();
        if is_sign_owed {
            self.expect_answer();
        }
        self.become_active(is_sign_owed);
    }
}
