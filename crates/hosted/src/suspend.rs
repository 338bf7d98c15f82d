//! Errors and suspension: who is told what, what is forgotten, what still works
//! (docs/protocol.md section 3.6).

use steward_htlc::LinkEvent;
use steward_wire::{
    ErrorCode, ErrorText, LastCrossSignedState, Message, Preimage, WireError, impossible,
};

use crate::commitment::{Counters, Outcome};
use crate::errors::Fault;
use crate::io::{Output, Phase, Role, Suspension};
use crate::limits::{FORGOTTEN_RETRY_MS, MAX_ERROR_BYTES, MAX_FORGOTTEN_RETRY_MS};
use crate::next_state::{Update, with_signatures_of};
use crate::open::{OpenChannel, Suspended};
use crate::session::Stage;

impl Suspended {
    /// Returns why the channel is suspended and which side began it: our own error comes first.
    pub(crate) fn suspension(&self) -> Suspension {
        if let Some(fault) = &self.ours {
            let code = fault.code.map(ErrorCode::number);
            return Suspension { by_us: true, code, text: fault.text.clone() };
        }
        let error = ErrorText::parse(self.theirs.as_deref().unwrap_or_default());
        let code = error.code.map(ErrorCode::number);
        Suspension { by_us: false, code, text: error.to_string() }
    }

    /// What we say to a peer that comes back.
    fn data(&self) -> Vec<u8> {
        match &self.ours {
            Some(fault) => fault.data(),
            None => Fault::coded(ErrorCode::ClosedByRemotePeer, "suspended by your error").data(),
        }
    }
}

impl OpenChannel<'_> {
    /// We found an error. While suspended already, the peer is just told.
    pub(crate) fn suspend(&mut self, fault: Fault) {
        let data = fault.data();
        match &mut self.open.suspended {
            Some(suspended) => {
                if suspended.ours.is_none() {
                    suspended.ours = Some(fault);
                    self.changed = true;
                }
                if self.may_speak() {
                    self.send_error(data);
                }
            }
            None => {
                let highest = self.freeze();
                if self.may_speak() {
                    self.send_error(data);
                }
                let suspended = Suspended { ours: Some(fault), theirs: None, highest };
                self.enter_suspension(suspended);
            }
        }
        self.resend_frozen_once();
    }

    /// The peer found an error.
    pub(crate) fn on_error(&mut self, error: WireError) {
        if self.is_forgotten_by_host(&error) {
            return self.ask_again_later(&error);
        }
        let text = ErrorText::parse(&error.data).to_string();
        let mut data = error.data;
        data.truncate(MAX_ERROR_BYTES);
        match &mut self.open.suspended {
            Some(suspended) => {
                // The first error counts; a peer repeats it on each connection.
                if suspended.theirs.is_none() {
                    suspended.theirs = Some(data);
                    self.out.push(Output::Link(LinkEvent::PeerError(text)));
                    self.changed = true;
                }
            }
            None => {
                let highest = self.freeze();
                self.out.push(Output::Link(LinkEvent::PeerError(text)));
                self.enter_suspension(Suspended { ours: None, theirs: Some(data), highest });
            }
        }
        // A suspended client opens with its error instead of an invoke.
        self.resend_frozen_once();
    }

    fn enter_suspension(&mut self, suspended: Suspended) {
        self.out.push(Output::Suspended(suspended.suspension()));
        self.open.suspended = Some(suspended);
        self.changed = true;
    }

    /// As client: the host answers our state with "no such channel" and shows none of its own.
    fn is_forgotten_by_host(&self, error: &WireError) -> bool {
        self.pair.role == Role::Client
            && self.phase() == Phase::Syncing
            && !self.session.as_ref().is_some_and(|session| session.peer_has_record)
            && ErrorText::parse(&error.data).code == Some(ErrorCode::MissingChannel)
    }

    /// Our copy proves the debt. There is nothing to freeze, and if the host gets its record back,
    /// or takes ours, the next connection goes on.
    fn ask_again_later(&mut self, error: &WireError) {
        let times_forgotten = &mut self.open.since_start.times_forgotten;
        let delay_ms = FORGOTTEN_RETRY_MS << (*times_forgotten).min(16);
        *times_forgotten = times_forgotten.saturating_add(1);
        self.leave_active();
        if let Some(session) = self.session {
            session.stage = Stage::Stale;
            let delay_ms = delay_ms.min(MAX_FORGOTTEN_RETRY_MS);
            session.expect_answer_within(delay_ms, self.env);
        }
        self.out
            .push(Output::Link(LinkEvent::PeerError(ErrorText::parse(&error.data).to_string())));
    }

    /// No new HTLCs from here on. Of what the peer sent unsigned only preimages still count.
    /// Returns how far the counters had gone.
    fn freeze(&mut self) -> Counters {
        self.leave_active();
        let commitment = &mut self.open.commitment;
        let highest =
            commitment.next_counters().unwrap_or_else(|| Counters::of(commitment.signed()));
        commitment.keep_remote_fulfills();
        highest
    }

    /// Remembers how far either side's counter has been seen to go.
    pub(crate) fn note_counters(&mut self, seen: Counters) {
        let Some(suspended) = &mut self.open.suspended else {
            return impossible!("higher counters are remembered for the override to come");
        };
        let highest = suspended.highest.max(seen);
        self.changed |= highest != suspended.highest;
        suspended.highest = highest;
    }

    /// As suspended client, on connection: our error instead of an invoke, then what is frozen.
    pub(crate) fn greet_suspended_host(&mut self) {
        self.tell_suspension();
        self.resend_frozen();
    }

    /// As suspended host, on invoke: state, error, and what is frozen.
    pub(crate) fn greet_suspended_client(&mut self) {
        self.send_signed_state();
        self.tell_suspension();
        self.resend_frozen();
    }

    fn tell_suspension(&mut self) {
        if let Some(data) = self.open.suspended.as_ref().map(Suspended::data) {
            self.send_error(data);
        }
    }

    /// Unless this connection had it already.
    fn resend_frozen_once(&mut self) {
        let has_resent = self.session.as_ref().is_some_and(|session| session.has_resent);
        if self.may_speak() && !has_resent {
            self.resend_frozen();
        }
    }

    /// The override proposal, if any, and every fulfill the peer may have missed.
    fn resend_frozen(&mut self) {
        if let Some(session) = self.session {
            session.has_resent = true;
        }
        if self.pair.role == Role::Host {
            let proposal = self.open.override_proposal.map(Message::StateOverride);
            self.out.extend(proposal.map(Output::send));
        }
        let fulfills = self.open.commitment.local().iter().filter(|update| update.is_fulfill());
        self.out.extend(fulfills.map(Update::to_message).map(Output::send));
    }

    /// A state shown while suspended changes nothing, but may be higher than any we know, or
    /// show that our override was accepted although the answer got lost.
    pub(crate) fn on_state_while_suspended(&mut self, received: LastCrossSignedState) {
        let Some(suspended) = &self.open.suspended else {
            return impossible!("the phase says that it is suspended");
        };
        let theirs = self.as_ours(&received);
        let proposed = self.proposed_override(&theirs);
        let seen = Counters::of(self.open.commitment.signed()).max(suspended.highest);
        if !Counters::of(&theirs).exceed(seen) && proposed.is_none() {
            return; // Nothing new, as after most reconnections.
        }
        if !self.pair.is_signed_by_peer(&theirs) || !self.pair.is_signed_by_us(&theirs) {
            return; // It proves nothing.
        }
        if let Some(proposed) = proposed {
            return self.enter_override(with_signatures_of(proposed, &theirs));
        }
        self.note_counters(Counters::of(&theirs));
        self.note_ended_in(&theirs);
        self.renew_override();
        let what = "a signed state higher than ours, shown while suspended";
        self.keep(what, &Message::LastCrossSignedState(received));
    }

    /// A preimage of an HTLC of ours came from elsewhere, such as the chain. Whoever published it
    /// may be far behind the peer, so the peer has time to fulfill the HTLC itself (see
    /// `suspend_over_published`).
    pub(crate) fn fulfill_externally(&mut self, id: u64, preimage: Preimage) {
        let commitment = &self.open.commitment;
        let htlc = commitment.local_htlc(id);
        if htlc.is_none_or(|htlc| htlc.payment_hash != preimage.hash()) {
            return; // It was settled in the meantime.
        }
        match commitment.outcomes().get(&id) {
            // Known already, or too late.
            Some(Outcome::Fulfilled(_) | Outcome::Published(_) | Outcome::Expired) => return,
            Some(Outcome::Unknown) => {}
            None => self.note_outcome(id, Outcome::Published(preimage)),
        }
        self.out.push(Output::Link(LinkEvent::HtlcFulfilled { id, preimage, tlvs: Vec::new() }));
    }
}
