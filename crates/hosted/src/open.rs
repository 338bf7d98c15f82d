//! A channel with a signed state: what it remembers, and which part handles which input.

use std::collections::{BTreeMap, BTreeSet};

use steward_htlc::{LinkEvent, LinkInput, Settlement};
use steward_wire::{
    ChannelUpdate, ErrorCode, LastCrossSignedState, Message, Preimage, ResizeChannel,
    StateOverride, WireError, impossible, invariant,
};

use crate::command::{Command, CommandRefusal};
use crate::commitment::{Commitment, Counters};
use crate::errors::Fault;
use crate::io::{Env, Output, Phase, Role};
use crate::next_state::resized;
use crate::pair::Pair;
use crate::session::{Session, Signing, Stage};

/// What an open channel remembers. All of it but `since_start` is in the record.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Open {
    pub(crate) commitment: Commitment,
    pub(crate) suspended: Option<Suspended>,
    /// The host's proposal: ours as host, received as client. As client it may be here before the
    /// channel is suspended, since a proposal may overtake its error.
    pub(crate) override_proposal: Option<StateOverride>,
    /// The client's request that is not signed yet.
    pub(crate) resize: Option<ResizeChannel>,
    /// The peer's terms for forwarding to us.
    pub(crate) peer_policy: Option<ChannelUpdate>,
    pub(crate) since_start: SinceStart,
}

/// Why the channel is suspended: at least one of the two errors is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Suspended {
    /// The first error we found.
    pub(crate) ours: Option<Fault>,
    /// The first error the peer sent.
    pub(crate) theirs: Option<Vec<u8>>,
    /// Highest counters seen: an override must exceed them.
    pub(crate) highest: Counters,
}

/// What outlives a connection, but not a restart.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct SinceStart {
    /// Settlements without an id yet, by the incoming HTLC's id. The engine repeats them after a
    /// restart.
    pub(crate) waiting_settlements: BTreeMap<u64, Settlement>,
    /// Incoming HTLCs already reported as at risk.
    pub(crate) at_risk: BTreeSet<u64>,
    /// Wrong signatures on `state_update` in a row, over all connections.
    pub(crate) bad_signatures: u8,
    /// As client: how often in a row the host has said that it does not know the channel.
    pub(crate) times_forgotten: u8,
}

impl Open {
    pub(crate) fn new(signed: LastCrossSignedState) -> Self {
        Self {
            commitment: Commitment::new(signed),
            suspended: None,
            override_proposal: None,
            resize: None,
            peer_policy: None,
            since_start: SinceStart::default(),
        }
    }

    pub(crate) fn phase(&self, session: Option<&Session>) -> Phase {
        match (&self.suspended, session.map(|session| &session.stage)) {
            (Some(_), _) => Phase::Suspended,
            (None, None) => Phase::Offline,
            (None, Some(Stage::Active(_))) => Phase::Active,
            (None, Some(Stage::Opening(_) | Stage::Syncing | Stage::Stale)) => Phase::Syncing,
        }
    }

    /// The last signed state with a pending resize applied. `None` without one.
    pub(crate) fn resized_base(&self) -> Option<LastCrossSignedState> {
        let new_capacity_msat = self.resize.as_ref()?.new_capacity_msat()?;
        resized(self.commitment.signed().clone(), new_capacity_msat)
    }

    /// What a pending resize adds to the capacity, in millisatoshi. The host may sign it, and
    /// spend it, before the client has that signature.
    pub(crate) fn pending_growth_msat(&self) -> u64 {
        let new_capacity_msat = self.resize.and_then(|resize| resize.new_capacity_msat());
        new_capacity_msat.map_or(0, |new| new.saturating_sub(self.commitment.capacity_msat()))
    }

    /// True if nothing is left to sign.
    pub(crate) fn is_all_signed(&self) -> bool {
        self.commitment.is_all_signed() && self.resize.is_none()
    }

    /// The preimage we revealed, or are about to reveal, for an incoming HTLC.
    pub(crate) fn given_preimage(&self, id: u64) -> Option<Preimage> {
        self.commitment.shown_preimage(id).or(match self.since_start.waiting_settlements.get(&id) {
            Some(Settlement::Fulfill { preimage, .. }) => Some(*preimage),
            _ => None,
        })
    }
}

/// An open channel at one input: what may change, and what may be used for it. The rules are in
/// the files named after them.
pub(crate) struct OpenChannel<'a> {
    pub(crate) pair: &'a Pair,
    pub(crate) open: &'a mut Open,
    /// `None`: not connected.
    pub(crate) session: &'a mut Option<Session>,
    pub(crate) env: &'a Env<'a>,
    pub(crate) out: &'a mut Vec<Output>,
    /// The record changed.
    pub(crate) changed: bool,
}

impl OpenChannel<'_> {
    pub(crate) fn handle(&mut self, input: LinkInput) {
        match input {
            LinkInput::Connected => self.on_connected(),
            LinkInput::Disconnected => self.on_disconnected(),
            LinkInput::Message(message) => self.on_message(message),
            LinkInput::Add(htlc) => self.queue_add(htlc),
            LinkInput::Fulfill { id, preimage, tlvs } => {
                self.queue_settlement(id, Settlement::Fulfill { preimage, tlvs });
            }
            LinkInput::Fail { id, failure } => self.queue_settlement(id, Settlement::Fail(failure)),
            LinkInput::Block => self.on_block(),
            LinkInput::Tick => self.on_tick(),
            LinkInput::ExternalFulfill { id, preimage } => self.fulfill_externally(id, preimage),
            LinkInput::OwnPolicy(policy) => {
                if self.phase() == Phase::Active {
                    self.send(Message::UpdateGossip(policy));
                }
            }
            LinkInput::Flush => self.flush(),
        }
    }

    pub(crate) fn operate(&mut self, command: Command) -> Result<(), CommandRefusal> {
        match command {
            Command::Suspend => {
                let text = "suspended by the operator";
                self.suspend(Fault::coded(ErrorCode::ManualSuspend, text));
                Ok(())
            }
            Command::Resize { new_capacity_sat } => self.propose_resize(new_capacity_sat),
            Command::ProposeOverride { local_balance_msat } => {
                self.propose_override(local_balance_msat)
            }
            Command::AcceptOverride => self.accept_override(),
        }
    }

    fn on_connected(&mut self) {
        self.on_disconnected();
        *self.session = Some(Session::new(Stage::Syncing));
        if self.pair.role == Role::Host {
            return; // The client speaks first: its framing is not known yet.
        }
        if self.open.suspended.is_some() {
            return self.greet_suspended_host();
        }
        self.expect_answer();
        self.invoke();
    }

    fn on_disconnected(&mut self) {
        if let Some(mut session) = self.session.take() {
            session.leave_active(self.out);
        }
    }

    /// As client: asks the host to go on with the channel.
    pub(crate) fn invoke(&mut self) {
        let refund_scriptpubkey = self.open.commitment.signed().last_refund_scriptpubkey.clone();
        if let Some(session) = self.session {
            session.invoke(refund_scriptpubkey, Vec::new(), self.env, self.out);
        }
    }

    fn on_message(&mut self, message: Message) {
        // Not connected: a message of a connection that has gone.
        if !self.session.as_mut().is_some_and(|session| session.hear(&message)) {
            return;
        }
        match message {
            Message::InvokeHostedChannel(_) => self.on_invoke(),
            Message::InitHostedChannel(_) => self.on_init(),
            Message::LastCrossSignedState(state) => self.on_state(state),
            Message::StateUpdate(update) => self.on_state_update(update),
            Message::StateOverride(proposal) => self.on_state_override(proposal),
            Message::ResizeChannel(resize) => self.on_resize(resize),
            Message::UpdateAddHtlc(add) => self.on_add(add),
            Message::UpdateFulfillHtlc(fulfill) => self.on_fulfill(fulfill),
            Message::UpdateFailHtlc(fail) => self.on_fail(fail),
            Message::UpdateFailMalformedHtlc(fail) => self.on_malformed(fail),
            Message::Error(error) => self.on_error(error),
            Message::UpdateGossip(policy) | Message::UpdateSync(policy) => {
                self.on_peer_policy(policy);
            }
            // Branding, gossip and queries concern the node, not this channel.
            Message::HostedChannelBranding(_)
            | Message::AnnouncementSignature(_)
            | Message::QueryPublicHostedChannels(_)
            | Message::ReplyPublicHostedChannelsEnd(_)
            | Message::QueryPreimages(_)
            | Message::ReplyPreimages(_)
            | Message::AskBrandingInfo(_)
            | Message::AnnouncementGossip(_)
            | Message::AnnouncementSync(_)
            | Message::TrampolineStatusInit(_)
            | Message::TrampolineStatusUpdate(_)
            | Message::TrampolineUndesired(_) => {}
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        self.open.phase(self.session.as_ref())
    }

    pub(crate) fn send(&mut self, message: Message) {
        self.out.push(Output::send(message));
    }

    pub(crate) fn send_error(&mut self, data: Vec<u8>) {
        let channel_id = self.pair.channel_id;
        self.send(Message::Error(WireError { channel_id, data, tlvs: Vec::new() }));
    }

    /// True if a message would reach the peer in a framing it reads.
    pub(crate) fn may_speak(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.may_speak(self.pair.role))
    }

    pub(crate) fn expect_answer(&mut self) {
        if let Some(session) = self.session {
            session.expect_answer(self.env);
        }
    }

    /// What an active connection has signed; `None` if the channel is not active.
    pub(crate) fn signing(&mut self) -> Option<&mut Signing> {
        self.session.as_mut().and_then(Session::signing)
    }

    /// If the channel is active, the next flush signs.
    pub(crate) fn owe_signature(&mut self) {
        if let Some(signing) = self.signing() {
            signing.sign_owed = true;
        }
    }

    pub(crate) fn leave_active(&mut self) {
        if let Some(session) = self.session {
            session.leave_active(self.out);
        }
    }

    /// HTLCs can flow.
    pub(crate) fn become_active(&mut self, sign_owed: bool) {
        invariant!(self.open.suspended.is_none(), "a suspended channel is not active");
        let Some(session) = self.session else {
            return impossible!("a channel becomes active by a message of its peer");
        };
        invariant!(session.signing().is_none(), "it was not active before");
        session.stage = Stage::Active(Signing { sign_owed, ..Signing::default() });
        session.has_resent = true;
        self.open.since_start.times_forgotten = 0;
        self.out.push(Output::Link(LinkEvent::Active));
    }

    pub(crate) fn reconnect(&mut self, why: &str) {
        match self.session {
            Some(session) => session.reconnect(why, self.out),
            None => impossible!("there is a connection that is out of step"),
        }
    }

    /// Keeps a message of this connection for people.
    pub(crate) fn keep(&mut self, what: &str, message: &Message) {
        match self.session {
            Some(session) => session.keep(what, message, self.out),
            None => impossible!("a message that is kept has come"),
        }
    }
}
