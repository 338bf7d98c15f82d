//! Errors and suspension: who is told what, what is forgotten, what still works
//! (protocol.md section 3.6).

use steward_wire::{ErrorCode, ErrorText, LastCrossSignedState, Message, Preimage, WireError};

use crate::channel::{Channel, Link, Outcome};
use crate::errors::Fault;
use crate::io::{Env, Evidence, Output, Phase, Role, Suspension};
use crate::limits::{
    FORGOTTEN_RETRY_MS, MAX_ERROR_BYTES, MAX_EVIDENCE_PER_CONNECTION, MAX_FORGOTTEN_RETRY_MS,
};
use crate::next_state::{Update, counter_after, with_signatures_of};

impl Channel {
    /// Why the channel is suspended, if it is: our own error first.
    pub fn suspension(&self) -> Option<Suspension> {
        if let Some(fault) = &self.own_error {
            return Some(Suspension {
                by_us: true,
                code: fault.code.map(ErrorCode::number),
                text: fault.text.clone(),
            });
        }
        self.peer_error.as_deref().map(|data| Suspension {
            by_us: false,
            code: ErrorText::parse(data).code.map(ErrorCode::number),
            text: ErrorText::parse(data).to_string(),
        })
    }

    pub(crate) fn is_suspended(&self) -> bool {
        self.own_error.is_some() || self.peer_error.is_some()
    }

    /// We found an error. While suspended already, the peer is just told.
    pub(crate) fn suspend(&mut self, fault: Fault, out: &mut Vec<Output>) {
        let is_first = !self.is_suspended();
        if is_first {
            self.freeze(out);
        }
        if self.may_speak() {
            out.push(self.error_message(fault.data()));
        }
        if self.own_error.is_none() {
            self.own_error = Some(fault);
            self.changed = true;
        }
        if is_first {
            out.extend(self.suspension().map(Output::Suspended));
        }
        self.send_frozen_once(out);
    }

    /// The peer found an error.
    pub(crate) fn on_error(&mut self, error: WireError, env: &Env<'_>, out: &mut Vec<Output>) {
        if self.signed.is_none() {
            let text = ErrorText::parse(&error.data).to_string();
            out.push(Output::PeerError(text.clone()));
            return self.fail_opening(text, out);
        }
        if self.is_forgotten_by_host(&error) {
            // Our copy proves the debt. There is nothing to freeze, and if the host gets its
            // record back, or takes ours, the next connection goes on.
            self.leave_active(out);
            self.link = Link::Stale;
            let delay_ms = FORGOTTEN_RETRY_MS << self.times_forgotten.min(16);
            let delay_ms = delay_ms.min(MAX_FORGOTTEN_RETRY_MS);
            self.answer_due_ms = Some(env.now_ms.saturating_add(delay_ms));
            self.times_forgotten = self.times_forgotten.saturating_add(1);
            return out.push(Output::PeerError(ErrorText::parse(&error.data).to_string()));
        }
        let is_first = !self.is_suspended();
        if is_first {
            self.freeze(out);
        }
        if self.peer_error.is_none() {
            out.push(Output::PeerError(ErrorText::parse(&error.data).to_string()));
            let mut data = error.data;
            data.truncate(MAX_ERROR_BYTES);
            self.peer_error = Some(data);
            self.changed = true;
        }
        if is_first {
            out.extend(self.suspension().map(Output::Suspended));
        }
        // A suspended client opens with its error instead of an invoke.
        self.send_frozen_once(out);
    }

    /// As client: the host answers our state with "no such channel" and shows none of its own.
    fn is_forgotten_by_host(&self, error: &WireError) -> bool {
        self.role == Role::Client
            && self.phase() == Phase::Syncing
            && !self.peer_has_record
            && ErrorText::parse(&error.data).code == Some(ErrorCode::MissingChannel)
    }

    /// No new HTLCs from here on. Of what the peer sent unsigned only preimages still count.
    fn freeze(&mut self, out: &mut Vec<Output>) {
        self.leave_active(out);
        if let Some(signed) = &self.signed {
            let (own, peer) = (signed.local_updates, signed.remote_updates);
            let own = counter_after(own, self.own.len()).unwrap_or(own);
            let peer = counter_after(peer, self.peer.len()).unwrap_or(peer);
            self.note_counters(own, peer);
        }
        self.peer.retain(Update::is_fulfill);
        self.changed = true;
    }

    /// Remembers how far either side's counter has been seen to go.
    pub(crate) fn note_counters(&mut self, local_updates: u32, remote_updates: u32) {
        let highest = (self.highest.0.max(local_updates), self.highest.1.max(remote_updates));
        self.changed |= highest != self.highest;
        self.highest = highest;
    }

    /// As suspended client, on connection: our error instead of an invoke, then what is frozen.
    pub(crate) fn greet_suspended_host(&mut self, out: &mut Vec<Output>) {
        self.greeted = true;
        out.push(self.error_message(self.suspension_data()));
        self.send_frozen(out);
    }

    /// As suspended host, on invoke: state, error, and what is frozen.
    pub(crate) fn greet_suspended_client(&mut self, env: &Env<'_>, out: &mut Vec<Output>) {
        self.greeted = true;
        self.send_signed_state(env, out);
        out.push(self.error_message(self.suspension_data()));
        self.send_frozen(out);
    }

    /// Unless this connection had it already.
    fn send_frozen_once(&mut self, out: &mut Vec<Output>) {
        if self.may_speak() && !self.greeted {
            self.greeted = true;
            self.send_frozen(out);
        }
    }

    /// The override proposal, if any, and every fulfill the peer may have missed.
    fn send_frozen(&self, out: &mut Vec<Output>) {
        if self.role == Role::Host {
            out.extend(self.override_proposal.map(Message::StateOverride).map(Output::Send));
        }
        let fulfills = self.own.iter().filter(|update| update.is_fulfill());
        out.extend(fulfills.map(Update::to_message).map(Output::Send));
    }

    fn suspension_data(&self) -> Vec<u8> {
        match &self.own_error {
            Some(fault) => fault.data(),
            None => Fault::coded(ErrorCode::ClosedByRemotePeer, "suspended by your error").data(),
        }
    }

    pub(crate) fn error_message(&self, data: Vec<u8>) -> Output {
        let channel_id = self.channel_id;
        Output::Send(Message::Error(WireError { channel_id, data, tlvs: Vec::new() }))
    }

    /// A state shown while suspended changes nothing, but may be higher than any we know, or
    /// show that our override was accepted although the answer got lost.
    pub(crate) fn on_state_while_suspended(
        &mut self,
        received: LastCrossSignedState,
        env: &Env<'_>,
        out: &mut Vec<Output>,
    ) {
        let (Some(signed), Some(theirs)) = (&self.signed, self.as_ours(&received)) else { return };
        let proposed = self.proposed_override(&theirs);
        let is_higher = theirs.local_updates > signed.local_updates.max(self.highest.0)
            || theirs.remote_updates > signed.remote_updates.max(self.highest.1);
        if !is_higher && proposed.is_none() {
            return;
        }
        if !self.is_signed_by_peer(&theirs) || !self.is_signed_by_us(&theirs) {
            return;
        }
        if let Some(proposed) = proposed {
            return self.enter_override(with_signatures_of(proposed, &theirs), out);
        }
        self.note_counters(theirs.local_updates, theirs.remote_updates);
        self.note_ended_in(&theirs, out);
        self.renew_override(env, out);
        self.keep(
            "a signed state higher than ours, shown while suspended",
            &Message::LastCrossSignedState(received),
            out,
        );
    }

    /// A preimage of an own HTLC came from elsewhere, such as the chain. Whoever published it may
    /// be far behind the peer, so the peer has time to fulfill the HTLC itself (see
    /// `suspend_over_published`).
    pub(crate) fn fulfill_externally(
        &mut self,
        id: u64,
        preimage: Preimage,
        out: &mut Vec<Output>,
    ) {
        let is_awaited = self.own_htlc(id).is_some_and(|htlc| htlc.payment_hash == preimage.hash());
        if !is_awaited {
            return; // It was settled in the meantime.
        }
        match self.outcomes.get(&id) {
            // Known already, or too late.
            Some(Outcome::Fulfilled(_) | Outcome::Published(_) | Outcome::Expired) => return,
            Some(Outcome::Unknown) => return out.push(Output::HtlcFulfilled { id, preimage }),
            None => {}
        }
        self.outcomes.insert(id, Outcome::Published(preimage));
        self.changed = true;
        out.push(Output::HtlcFulfilled { id, preimage });
    }

    /// Where the channel is in its life.
    pub fn phase(&self) -> Phase {
        if self.signed.is_none() {
            return Phase::Opening;
        }
        if self.is_suspended() {
            return Phase::Suspended;
        }
        match self.link {
            Link::Down => Phase::Offline,
            Link::Syncing | Link::Stale => Phase::Syncing,
            Link::Active => Phase::Active,
        }
    }

    /// Keeps a message for people: the first ones of a connection say enough.
    pub(crate) fn keep(&mut self, what: &str, message: &Message, out: &mut Vec<Output>) {
        if self.evidence_kept >= MAX_EVIDENCE_PER_CONNECTION {
            return;
        }
        self.evidence_kept = self.evidence_kept.saturating_add(1);
        let (message_type, body) = message.encode();
        out.push(Output::Evidence(Evidence { what: what.to_owned(), message_type, body }));
    }
}
