//! Comparing both sides' states after a connection (protocol.md section 3.3, with the mends of
//! section 9.1: equal counters must mean equal content, mixed counters are a divergence).

use std::collections::BTreeSet;

use steward_wire::{
    ErrorCode, LastCrossSignedState, Message, Signature, UpdateAddHtlc, impossible,
};

use crate::channel::{Channel, Outcome};
use crate::direction::{Memory, doubts};
use crate::errors::Fault;
use crate::io::{DropCause, Env, Output, Phase, Role};
use crate::next_state::{
    Ledger, Update, next_state, resized, same_but_day, same_content, with_signatures_of,
};

/// Our last signed state against the peer's.
enum Comparison {
    /// The same counters.
    Even,
    /// Ours has updates the peer's lacks.
    Ahead,
    /// The peer's has updates ours lacks.
    Behind,
    /// Each has updates the other lacks.
    Diverged,
}

impl Channel {
    /// As host: the client wants to go on with an open channel.
    pub(crate) fn resume_with_client(&mut self, env: &Env<'_>, out: &mut Vec<Output>) {
        if self.is_suspended() {
            return self.greet_suspended_client(env, out);
        }
        // An invoke on an active connection is a client that lost track: start over.
        self.leave_active(out);
        self.expect_answer(env);
        self.send_signed_state(env, out);
    }

    /// The peer shows its last signed state.
    pub(crate) fn on_state(
        &mut self,
        received: LastCrossSignedState,
        env: &Env<'_>,
        out: &mut Vec<Output>,
    ) {
        self.peer_has_record = true;
        match self.phase() {
            Phase::Opening => self.on_state_while_opening(received, env, out),
            Phase::Syncing => self.compare_states(received, env, out),
            Phase::Suspended => self.on_state_while_suspended(received, env, out),
            // The host's second one, after the client compared: nothing new.
            Phase::Active | Phase::Offline => {}
        }
    }

    fn compare_states(
        &mut self,
        received: LastCrossSignedState,
        env: &Env<'_>,
        out: &mut Vec<Output>,
    ) {
        let Some(theirs) = self.as_ours(&received) else {
            return impossible!("states are compared only of an open channel");
        };
        let Some(signed) = self.signed.as_ref() else { return };
        let known_sig = theirs.remote_sig_of_local == signed.remote_sig_of_local
            && theirs.sighash() == signed.sighash();
        if !known_sig && !self.is_signed_by_peer(&theirs) {
            let fault = Fault::coded(ErrorCode::WrongRemoteSig, "wrong signature in your state");
            return self.suspend_over("a state its owner did not sign", fault, received, env, out);
        }
        let known_own_sig = known_sig && is_known_own_sig(signed, &theirs);
        if !known_own_sig && !self.is_signed_by_us(&theirs) {
            let fault =
                Fault::coded(ErrorCode::WrongLocalSig, "my signature in your state is wrong");
            return self.suspend_over("a state we did not sign", fault, received, env, out);
        }
        match compare(signed, &theirs) {
            Comparison::Even => self.on_even(theirs, received, env, out),
            Comparison::Ahead => self.resume(env, out),
            Comparison::Behind => self.on_behind(theirs, received, env, out),
            Comparison::Diverged => self.on_divergence(&theirs, received, env, out),
        }
    }

    /// The peer's state as ours would be, with our own copy of the terms that nobody signs.
    pub(crate) fn as_ours(&self, received: &LastCrossSignedState) -> Option<LastCrossSignedState> {
        let signed = self.signed.as_ref()?;
        let mut theirs = received.reverse();
        let capacity_msat = theirs.init_hosted_channel.channel_capacity_msat;
        let initial_client_balance_msat = theirs.init_hosted_channel.initial_client_balance_msat;
        theirs.init_hosted_channel = signed.init_hosted_channel.clone();
        if capacity_msat != signed.init_hosted_channel.channel_capacity_msat {
            // Only a resize changes it, and that raises the in-flight limit as well.
            theirs.init_hosted_channel.max_htlc_value_in_flight_msat = capacity_msat;
        }
        theirs.init_hosted_channel.channel_capacity_msat = capacity_msat;
        theirs.init_hosted_channel.initial_client_balance_msat = initial_client_balance_msat;
        Some(theirs)
    }

    fn on_even(
        &mut self,
        theirs: LastCrossSignedState,
        received: LastCrossSignedState,
        env: &Env<'_>,
        out: &mut Vec<Output>,
    ) {
        let Some(signed) = self.signed.as_ref() else { return };
        let capacity_msat =
            |state: &LastCrossSignedState| state.init_hosted_channel.channel_capacity_msat;
        let grown_to = |from: &LastCrossSignedState, to: &LastCrossSignedState| {
            resized(from.clone(), capacity_msat(to)).filter(|larger| same_but_day(larger, to))
        };
        if same_but_day(signed, &theirs) {
            // Both signed on either side of a day's end: the later day wins on both sides.
            if theirs.block_day > signed.block_day {
                let later = LastCrossSignedState { block_day: theirs.block_day, ..signed.clone() };
                self.adopt(with_signatures_of(later, &theirs), 0, 0, out);
            }
        } else if let Some(larger) = grown_to(signed, &theirs) {
            // Both signed a resize, and only the peer got both signatures.
            let larger = LastCrossSignedState { block_day: theirs.block_day, ..larger };
            self.adopt(with_signatures_of(larger, &theirs), 0, 0, out);
        } else if grown_to(&theirs, signed).is_none() {
            return self.on_divergence(&theirs, received, env, out);
        }
        self.resume(env, out);
    }

    /// The peer holds a state we have not finished: finish it, if our updates lead there.
    fn on_behind(
        &mut self,
        theirs: LastCrossSignedState,
        received: LastCrossSignedState,
        env: &Env<'_>,
        out: &mut Vec<Output>,
    ) {
        if let Some((reached, own_used, peer_used)) = self.path_to(&theirs) {
            self.adopt(with_signatures_of(reached, &theirs), own_used, peer_used, out);
            return self.resume(env, out);
        }
        let is_takeable = self.role == Role::Client && theirs.is_balanced();
        match doubts(&theirs, &self.memory(), env.is_readable).filter(|_| is_takeable) {
            Some(doubts) => {
                self.adopt_newer_state(theirs, doubts, out);
                self.resume(env, out);
            }
            None => self.on_divergence(&theirs, received, env, out),
        }
    }

    /// What tells us who offered an HTLC.
    fn memory(&self) -> Memory<'_> {
        let signed = self.signed.iter();
        let (own, peer) = (self.own.iter(), self.peer.iter());
        Memory {
            counters: self.signed.as_ref().map_or((0, 0), |s| (s.local_updates, s.remote_updates)),
            incoming: signed
                .clone()
                .flat_map(|state| &state.incoming_htlcs)
                .chain(peer.filter_map(Update::as_add))
                .collect(),
            outgoing: signed
                .flat_map(|state| &state.outgoing_htlcs)
                .chain(own.filter_map(Update::as_add))
                .collect(),
        }
    }

    /// Our own state with the content of `theirs`, and how many unsigned updates of ours, and of
    /// the peer's, lead there.
    fn path_to(
        &self,
        theirs: &LastCrossSignedState,
    ) -> Option<(LastCrossSignedState, usize, usize)> {
        let signed = self.signed.as_ref()?;
        let own_used =
            usize::try_from(theirs.local_updates.checked_sub(signed.local_updates)?).ok()?;
        let peer_used =
            usize::try_from(theirs.remote_updates.checked_sub(signed.remote_updates)?).ok()?;
        let (own, peer) = (self.own.get(..own_used)?, self.peer.get(..peer_used)?);
        // If it has a larger capacity than ours, we signed that resize.
        let base = resized(signed.clone(), theirs.init_hosted_channel.channel_capacity_msat)?;
        let reached = next_state(&base, own, peer, theirs.block_day)?;
        same_content(&reached, theirs).then_some((reached, own_used, peer_used))
    }

    /// As client that lost data: the host's newer state, signed by both, replaces ours. Nothing of
    /// ours has its content; what we remember, and the ids, say who offered its HTLCs.
    fn adopt_newer_state(
        &mut self,
        theirs: LastCrossSignedState,
        doubts: BTreeSet<u64>,
        out: &mut Vec<Output>,
    ) {
        let Some(before) = self.signed.replace(theirs.clone()) else {
            return impossible!("a newer state is newer than one");
        };
        out.push(Output::DataLost);
        let own_used = theirs.local_updates.saturating_sub(before.local_updates);
        let own = std::mem::take(&mut self.own);
        let mut gone: Vec<UpdateAddHtlc> = before.outgoing_htlcs.clone();
        gone.extend(own.iter().filter_map(Update::as_add).cloned());
        self.own = leftover_updates(&theirs, own, usize::try_from(own_used).unwrap_or(usize::MAX));
        // The same id may stand for another HTLC, offered after our data was lost.
        let is_kept = |gone: &UpdateAddHtlc| {
            let mut left =
                theirs.outgoing_htlcs.iter().chain(self.own.iter().filter_map(Update::as_add));
            left.any(|add| add == gone)
        };
        gone.retain(|add| !is_kept(add) && !self.outcomes.contains_key(&add.id));
        let cause = DropCause::NewerState;
        out.extend(gone.into_iter().map(|add| Output::HtlcDropped { id: add.id, cause }));

        self.hold_doubtful(doubts, out);
        let is_known = |add: &UpdateAddHtlc| before.incoming_htlcs.contains(add);
        let is_held = |add: &UpdateAddHtlc| self.held.contains(&add.id);
        let new = theirs.incoming_htlcs.iter().filter(|add| !is_known(add) && !is_held(add));
        let new = new.cloned().map(|add| Output::HtlcIncoming { add, taken_over: true });
        out.extend(new);

        let new_capacity_msat = theirs.init_hosted_channel.channel_capacity_msat;
        if before.init_hosted_channel.channel_capacity_msat != new_capacity_msat {
            self.on_resized(new_capacity_msat, out);
        }
        self.peer.clear();
        self.forget_settled();
        self.changed = true;
    }

    /// Nobody acts on an HTLC whose offerer is not proved; people are told.
    pub(crate) fn hold_doubtful(&mut self, doubts: BTreeSet<u64>, out: &mut Vec<Output>) {
        self.changed |= self.held != doubts;
        self.held = doubts;
        if !self.held.is_empty() {
            let ids = self.held.iter().copied().collect();
            out.push(Output::HtlcsHeld { ids });
        }
    }

    /// No rule says which state is right: keep both for people, change nothing. Both signatures
    /// of theirs hold, so its counters are spent, and a later override must exceed them.
    fn on_divergence(
        &mut self,
        theirs: &LastCrossSignedState,
        received: LastCrossSignedState,
        env: &Env<'_>,
        out: &mut Vec<Output>,
    ) {
        self.note_counters(theirs.local_updates, theirs.remote_updates);
        self.note_ended_in(theirs, out);
        let what = "a signed state that ours cannot be reconciled with";
        let fault = Fault::coded(ErrorCode::MissingChannel, "our states cannot be reconciled");
        self.suspend_over(what, fault, received, env, out);
    }

    /// Both signed `theirs`, and we do not know it: what we offered and it has no more was paid or
    /// was not. Neither its expiry nor an override may call it failed.
    pub(crate) fn note_ended_in(&mut self, theirs: &LastCrossSignedState, out: &mut Vec<Output>) {
        let has_ended = |add: &&UpdateAddHtlc| {
            add.id <= u64::from(theirs.local_updates)
                && !theirs.outgoing_htlcs.contains(add)
                && !theirs.incoming_htlcs.contains(add) // Turned around: not signed, so no proof.
                && !self.outcomes.contains_key(&add.id)
        };
        let ended: Vec<&UpdateAddHtlc> = self.own_htlcs().filter(has_ended).collect();
        let ended_msat = ended.iter().map(|add| i128::from(add.amount_msat)).sum();
        if self.came_back(theirs, ended_msat) {
            return;
        }
        let ended: Vec<u64> = ended.iter().map(|add| add.id).collect();
        let cause = DropCause::NewerState;
        for id in ended {
            self.outcomes.insert(id, Outcome::Unknown);
            self.changed = true;
            out.push(Output::HtlcDropped { id, cause });
        }
    }

    /// True if our balance in `theirs` shows that all we offered and it has no more has failed, or
    /// we have gone on otherwise. Such a state a peer may have without any loss of ours: with our
    /// signature over its fail, which it then did not repeat. By that it must not hold the HTLCs
    /// of others.
    fn came_back(&self, theirs: &LastCrossSignedState, ended_msat: i128) -> bool {
        let Some(signed) = &self.signed else { return true };
        let Some(used) = theirs.local_updates.checked_sub(signed.local_updates) else {
            return true;
        };
        let capacity_msat = theirs.init_hosted_channel.channel_capacity_msat;
        let Some(base) = resized(signed.clone(), capacity_msat) else { return true };
        // If it has more updates of ours than we know, our data is an old copy.
        let own = usize::try_from(used).ok().and_then(|used| self.own.get(..used));
        own.and_then(|own| Ledger::new(&base, own, &[])).is_some_and(|before| {
            let follows =
                theirs.outgoing_htlcs.iter().all(|add| before.outgoing.contains_key(&add.id));
            !follows || i128::from(theirs.local_balance_msat) == before.local_msat + ended_msat
        })
    }

    fn suspend_over(
        &mut self,
        what: &str,
        fault: Fault,
        received: LastCrossSignedState,
        env: &Env<'_>,
        out: &mut Vec<Output>,
    ) {
        self.keep(what, &Message::LastCrossSignedState(received), out);
        // An override will replace ours.
        if let Some(ours) = self.complete_state(env) {
            let what = "our own state when the peer showed another one";
            self.keep(what, &Message::LastCrossSignedState(ours), out);
        }
        self.suspend(fault, out);
    }
}

/// True if our signature in `theirs` is the one we remember giving.
fn is_known_own_sig(signed: &LastCrossSignedState, theirs: &LastCrossSignedState) -> bool {
    signed.local_sig_of_remote != Signature::ZERO
        && signed.local_sig_of_remote == theirs.local_sig_of_remote
}

fn compare(signed: &LastCrossSignedState, theirs: &LastCrossSignedState) -> Comparison {
    let ours = [signed.local_updates, signed.remote_updates];
    let theirs = [theirs.local_updates, theirs.remote_updates];
    let ahead = ours.iter().zip(&theirs).any(|(ours, theirs)| ours > theirs);
    let behind = ours.iter().zip(&theirs).any(|(ours, theirs)| ours < theirs);
    match (ahead, behind) {
        (false, false) => Comparison::Even,
        (true, false) => Comparison::Ahead,
        (false, true) => Comparison::Behind,
        (true, true) => Comparison::Diverged,
    }
}

/// Of our unsigned updates, those that still make sense on top of `state`: every settlement of
/// an HTLC it has, and adds as long as their ids stay right.
fn leftover_updates(state: &LastCrossSignedState, own: Vec<Update>, used: usize) -> Vec<Update> {
    let mut left: Vec<Update> = Vec::new();
    for (position, update) in own.into_iter().enumerate() {
        let fits = match &update {
            Update::Add(add) => {
                let next_id = u64::from(state.local_updates).saturating_add(left.len() as u64 + 1);
                position >= used && add.id == next_id
            }
            settlement => settlement
                .settled_id()
                .is_some_and(|id| state.incoming_htlcs.iter().any(|add| add.id == id)),
        };
        if fits {
            left.push(update);
        }
    }
    if next_state(state, &left, &[], state.block_day).is_none() {
        left.retain(|update| update.as_add().is_none());
    }
    left
}
