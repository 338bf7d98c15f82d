//! Comparing both sides' states after a connection (docs/protocol.md section 3.3, with the mends
//! of section 9.1: equal counters must mean equal content, mixed counters are a divergence).

use std::collections::BTreeSet;

use steward_htlc::{DropCause, LinkEvent};
use steward_wire::{ErrorCode, LastCrossSignedState, Message, Signature, UpdateAddHtlc};

use crate::commitment::{Commitment, Counters, Outcome};
use crate::direction::{Memory, doubts};
use crate::errors::Fault;
use crate::io::{Output, Phase, Role};
use crate::next_state::{
    Ledger, Update, next_state, resized, same_but_day, same_content, with_signatures_of,
};
use crate::open::OpenChannel;

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

/// How our unsigned updates lead to a state of the peer's.
struct Path {
    /// Our own state with the content of the peer's.
    reached: LastCrossSignedState,
    /// How many unsigned updates of ours lead there, the first ones.
    local_used: usize,
    remote_used: usize,
}

impl OpenChannel<'_> {
    /// As host: the client wants to go on with the channel.
    pub(crate) fn on_invoke(&mut self) {
        if self.pair.role != Role::Host {
            return; // Only a client invokes.
        }
        if self.open.suspended.is_some() {
            return self.greet_suspended_client();
        }
        // An invoke on an active connection is a client that lost track: start over.
        self.leave_active();
        self.expect_answer();
        self.send_signed_state();
    }

    /// As client: the host has lost our channel, and offers its terms as to a new client.
    pub(crate) fn on_init(&mut self) {
        // Suspended, or active: only an error or an invoke of ours would start over.
        if self.pair.role == Role::Client && self.phase() == Phase::Syncing {
            self.expect_answer();
            self.send_signed_state();
        }
    }

    /// The peer shows its last signed state.
    pub(crate) fn on_state(&mut self, received: LastCrossSignedState) {
        if let Some(session) = self.session {
            session.peer_has_record = true;
        }
        match self.phase() {
            Phase::Syncing => self.compare_states(received),
            Phase::Suspended => self.on_state_while_suspended(received),
            // The host's second one, after the client compared: nothing new.
            Phase::Opening | Phase::Active | Phase::Offline => {}
        }
    }

    fn compare_states(&mut self, received: LastCrossSignedState) {
        let theirs = self.as_ours(&received);
        let signed = self.open.commitment.signed();
        let known_sig = theirs.remote_sig_of_local == signed.remote_sig_of_local
            && theirs.sighash() == signed.sighash();
        if !known_sig && !self.pair.is_signed_by_peer(&theirs) {
            let fault = Fault::coded(ErrorCode::WrongRemoteSig, "wrong signature in your state");
            return self.suspend_over("a state its owner did not sign", fault, received);
        }
        let known_own_sig = known_sig && is_known_own_sig(signed, &theirs);
        if !known_own_sig && !self.pair.is_signed_by_us(&theirs) {
            let text = "my signature in your state is wrong";
            let fault = Fault::coded(ErrorCode::WrongLocalSig, text);
            return self.suspend_over("a state we did not sign", fault, received);
        }
        match compare(signed, &theirs) {
            Comparison::Even => self.on_even(theirs, received),
            Comparison::Ahead => self.resume(),
            Comparison::Behind => self.on_behind(theirs, received),
            Comparison::Diverged => self.on_divergence(&theirs, received),
        }
    }

    /// The peer's state as ours would be, with our own copy of the terms that nobody signs.
    pub(crate) fn as_ours(&self, received: &LastCrossSignedState) -> LastCrossSignedState {
        let terms = self.open.commitment.terms();
        let mut theirs = received.reverse();
        let capacity_msat = theirs.init_hosted_channel.channel_capacity_msat;
        let initial_client_balance_msat = theirs.init_hosted_channel.initial_client_balance_msat;
        theirs.init_hosted_channel = terms.clone();
        if capacity_msat != terms.channel_capacity_msat {
            // Only a resize changes it, and that raises the in-flight limit as well.
            theirs.init_hosted_channel.max_htlc_value_in_flight_msat = capacity_msat;
        }
        theirs.init_hosted_channel.channel_capacity_msat = capacity_msat;
        theirs.init_hosted_channel.initial_client_balance_msat = initial_client_balance_msat;
        theirs
    }

    fn on_even(&mut self, theirs: LastCrossSignedState, received: LastCrossSignedState) {
        let signed = self.open.commitment.signed();
        let capacity_msat =
            |state: &LastCrossSignedState| state.init_hosted_channel.channel_capacity_msat;
        let grown_to = |from: &LastCrossSignedState, to: &LastCrossSignedState| {
            resized(from.clone(), capacity_msat(to)).filter(|larger| same_but_day(larger, to))
        };
        if same_but_day(signed, &theirs) {
            // Both signed on either side of a day's end: the later day wins on both sides.
            if theirs.block_day > signed.block_day {
                let later = LastCrossSignedState { block_day: theirs.block_day, ..signed.clone() };
                self.adopt(with_signatures_of(later, &theirs), 0, 0);
            }
        } else if let Some(larger) = grown_to(signed, &theirs) {
            // Both signed a resize, and only the peer got both signatures.
            let larger = LastCrossSignedState { block_day: theirs.block_day, ..larger };
            self.adopt(with_signatures_of(larger, &theirs), 0, 0);
        } else if grown_to(&theirs, signed).is_none() {
            return self.on_divergence(&theirs, received);
        }
        self.resume();
    }

    /// The peer holds a state we have not finished: finish it, if our updates lead there.
    fn on_behind(&mut self, theirs: LastCrossSignedState, received: LastCrossSignedState) {
        if let Some(path) = self.open.commitment.path_to(&theirs) {
            let state = with_signatures_of(path.reached, &theirs);
            self.adopt(state, path.local_used, path.remote_used);
            return self.resume();
        }
        let is_takeable = self.pair.role == Role::Client && theirs.is_balanced();
        let memory = self.open.commitment.memory();
        match doubts(&theirs, &memory, self.env.is_readable).filter(|_| is_takeable) {
            Some(doubts) => {
                self.adopt_newer_state(theirs, doubts);
                self.resume();
            }
            None => self.on_divergence(&theirs, received),
        }
    }

    /// As client that lost data: the host's newer state, signed by both, replaces ours. Nothing of
    /// ours has its content; what we remember, and the ids, say who offered its HTLCs.
    fn adopt_newer_state(&mut self, theirs: LastCrossSignedState, doubts: BTreeSet<u64>) {
        self.out.push(Output::DataLost);
        let was_msat = self.open.commitment.capacity_msat();
        let difference = self.open.commitment.replace(theirs, doubts);
        let cause = DropCause::NewerState;
        let gone = difference
            .gone
            .into_iter()
            .map(|id| Output::Link(LinkEvent::HtlcDropped { id, cause }));
        self.out.extend(gone);
        self.report_held();
        let incoming = difference.incoming.into_iter();
        self.out.extend(
            incoming.map(|add| Output::Link(LinkEvent::HtlcIncoming { add, taken_over: true })),
        );
        self.note_capacity(was_msat);
        self.open.forget_settled();
        self.changed = true;
    }

    /// Nobody acts on an HTLC whose offerer is not proved; people are told.
    pub(crate) fn report_held(&mut self) {
        let held = self.open.commitment.held();
        if !held.is_empty() {
            self.out.push(Output::HtlcsHeld { ids: held.iter().copied().collect() });
        }
    }

    /// No rule says which state is right: keep both for people, change nothing. Both signatures
    /// of theirs hold, so its counters are spent, and a later override must exceed them.
    fn on_divergence(&mut self, theirs: &LastCrossSignedState, received: LastCrossSignedState) {
        self.note_ended_in(theirs);
        let what = "a signed state that ours cannot be reconciled with";
        let fault = Fault::coded(ErrorCode::MissingChannel, "our states cannot be reconciled");
        self.suspend_over(what, fault, received);
        self.note_counters(Counters::of(theirs));
    }

    /// Both signed `theirs`, and we do not know it: what we offered and it has no more was paid or
    /// was not. Neither its expiry nor an override may call it failed.
    pub(crate) fn note_ended_in(&mut self, theirs: &LastCrossSignedState) {
        let cause = DropCause::NewerState;
        for id in self.open.commitment.ended_in(theirs) {
            self.note_outcome(id, Outcome::Unknown);
            self.out.push(Output::Link(LinkEvent::HtlcDropped { id, cause }));
        }
    }

    fn suspend_over(&mut self, what: &str, fault: Fault, received: LastCrossSignedState) {
        self.keep(what, &Message::LastCrossSignedState(received));
        // An override will replace ours.
        let ours = self.complete_state();
        let what = "our own state when the peer showed another one";
        self.keep(what, &Message::LastCrossSignedState(ours));
        self.suspend(fault);
    }
}

impl Commitment {
    /// What tells us who offered an HTLC.
    fn memory(&self) -> Memory<'_> {
        let signed = self.signed();
        let unsigned = self.remote().iter().filter_map(Update::as_add);
        Memory {
            counters: (signed.local_updates, signed.remote_updates),
            incoming: signed.incoming_htlcs.iter().chain(unsigned).collect(),
            outgoing: self.local_htlcs().collect(),
        }
    }

    /// `None` if our updates do not lead to `theirs`.
    fn path_to(&self, theirs: &LastCrossSignedState) -> Option<Path> {
        let signed = self.signed();
        let used = |to: u32, from| usize::try_from(to.checked_sub(from)?).ok();
        let local_used = used(theirs.local_updates, signed.local_updates)?;
        let remote_used = used(theirs.remote_updates, signed.remote_updates)?;
        let (local, remote) = (self.local().get(..local_used)?, self.remote().get(..remote_used)?);
        // If it has a larger capacity than ours, we signed that resize.
        let base = resized(signed.clone(), theirs.init_hosted_channel.channel_capacity_msat)?;
        let reached = next_state(&base, local, remote, theirs.block_day)?;
        same_content(&reached, theirs).then_some(Path { reached, local_used, remote_used })
    }

    /// HTLCs of ours that have ended in `theirs`, which both signed and we do not know, unless
    /// their fate is known, or our balance shows that they have failed.
    fn ended_in(&self, theirs: &LastCrossSignedState) -> Vec<u64> {
        let has_ended = |add: &&UpdateAddHtlc| {
            add.id <= u64::from(theirs.local_updates)
                && !theirs.outgoing_htlcs.contains(add)
                && !theirs.incoming_htlcs.contains(add) // Turned around: not signed, so no proof.
                && !self.outcomes().contains_key(&add.id)
        };
        let ended: Vec<&UpdateAddHtlc> = self.local_htlcs().filter(has_ended).collect();
        let ended_msat = ended.iter().map(|add| i128::from(add.amount_msat)).sum();
        if self.came_back(theirs, ended_msat) {
            return Vec::new();
        }
        ended.into_iter().map(|add| add.id).collect()
    }

    /// True if our balance in `theirs` shows that all we offered and it has no more has failed, or
    /// we have gone on otherwise. Such a state a peer may have without any loss of ours: with our
    /// signature over its fail, which it then did not repeat. By that it must not hold the HTLCs
    /// of others.
    fn came_back(&self, theirs: &LastCrossSignedState, ended_msat: i128) -> bool {
        let Some(used) = theirs.local_updates.checked_sub(self.signed().local_updates) else {
            return true; // Ours has updates of ours that theirs lacks.
        };
        let capacity_msat = theirs.init_hosted_channel.channel_capacity_msat;
        let Some(base) = resized(self.signed().clone(), capacity_msat) else {
            return true; // Ours is of after a resize.
        };
        // If it has more updates of ours than we know, our data is an old copy.
        let local = usize::try_from(used).ok().and_then(|used| self.local().get(..used));
        local.and_then(|local| Ledger::new(&base, local, &[])).is_some_and(|before| {
            let follows =
                theirs.outgoing_htlcs.iter().all(|add| before.outgoing.contains_key(&add.id));
            !follows || i128::from(theirs.local_balance_msat) == before.local_msat + ended_msat
        })
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
