//! From `invoke_hosted_channel` to the first signed state (docs/protocol.md section 3.2), and
//! taking over a state that only the peer still has (section 3.11).

use std::collections::BTreeSet;

use steward_htlc::{AddRefusal, LinkEvent, LinkInput};
use steward_wire::{
    ErrorCode, ErrorText, InitHostedChannel, InvokeHostedChannel, LastCrossSignedState, Message,
    Signature, StateUpdate, UpdateAddHtlc, WireError, impossible,
};

use crate::direction::{Memory, doubts};
use crate::errors::Fault;
use crate::io::{Env, Output, Role};
use crate::limits::{MAX_STATE_BYTES, OPENING_TIMEOUT_MS};
use crate::open::OpenChannel;
use crate::pair::Pair;
use crate::session::{Handshake, Session, Stage};
use crate::signing::{block_day, is_day_acceptable, sign, state_update};
use crate::terms::{check_offer, is_standard_refund_script, is_within_offer};

/// What a channel opens with, while there is no signed state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    Host {
        offer: InitHostedChannel,
        /// Whether a state that the client shows may be taken over. Not in the record.
        allow_adoption: bool,
    },
    Client {
        refund_scriptpubkey: Vec<u8>,
        secret: Vec<u8>,
    },
}

/// What makes an open channel of an opening.
pub(crate) enum Opened {
    /// Both signed the first state. As host, our signature in it is still to be sent.
    FirstState(LastCrossSignedState),
    /// The peer showed a state that both had signed before we lost ours. The HTLCs in `doubts`
    /// are held.
    TakenOver { state: LastCrossSignedState, doubts: BTreeSet<u64> },
}

impl Opened {
    pub(crate) fn state(&self) -> &LastCrossSignedState {
        match self {
            Self::FirstState(state) | Self::TakenOver { state, .. } => state,
        }
    }
}

/// A channel that is not open yet, at one input: what may change, and what may be used for it.
/// Until it is open it changes nothing that is in the record.
pub(crate) struct OpeningChannel<'a> {
    pub(crate) pair: &'a Pair,
    pub(crate) opening: &'a Opening,
    /// `None`: not connected.
    pub(crate) session: &'a mut Option<Session>,
    pub(crate) env: &'a Env<'a>,
    pub(crate) out: &'a mut Vec<Output>,
}

impl OpeningChannel<'_> {
    pub(crate) fn handle(&mut self, input: LinkInput) -> Option<Opened> {
        match input {
            LinkInput::Connected => self.on_connected(),
            LinkInput::Disconnected => self.on_disconnected(),
            LinkInput::Message(message) => return self.on_message(message),
            LinkInput::Tick => self.on_tick(),
            LinkInput::Add(htlc) => {
                let (token, reason) = (htlc.token, AddRefusal::Unavailable);
                self.out.push(Output::Link(LinkEvent::HtlcRefused { token, reason }));
            }
            // There is no HTLC to settle.
            LinkInput::Fulfill { id, .. } | LinkInput::Fail { id, .. } => {
                self.out.push(Output::Link(LinkEvent::SettlementRecorded { id }));
            }
            // About HTLCs, forwards and signatures, of which there are none yet.
            LinkInput::Block
            | LinkInput::ExternalFulfill { .. }
            | LinkInput::OwnPolicy(_)
            | LinkInput::Flush => {}
        }
        None
    }

    fn on_connected(&mut self) {
        self.on_disconnected();
        let handshake = match self.opening {
            Opening::Host { .. } => Handshake::Idle, // The client invokes.
            Opening::Client { .. } => Handshake::Invoked,
        };
        let mut session = Session::new(Stage::Opening(handshake));
        if let Opening::Client { .. } = self.opening {
            session.expect_answer(self.env);
        }
        *self.session = Some(session);
        self.invoke();
    }

    fn on_disconnected(&mut self) {
        let Some(session) = self.session.take() else {
            return; // The engine need not know whether the peer was connected.
        };
        let is_under_way =
            matches!(session.stage, Stage::Opening(handshake) if handshake != Handshake::Idle);
        if self.pair.role == Role::Host && is_under_way {
            self.out.push(Output::OpeningFailed("the client disconnected".to_owned()));
        }
    }

    /// As client: asks the host for the channel.
    fn invoke(&mut self) {
        if let (Some(session), Opening::Client { refund_scriptpubkey, secret }) =
            (self.session.as_mut(), self.opening)
        {
            session.invoke(refund_scriptpubkey.clone(), secret.clone(), self.env, self.out);
        }
    }

    fn on_tick(&mut self) {
        let env = self.env;
        if self.session.as_ref().is_some_and(|session| session.must_repeat_invoke(env)) {
            self.invoke();
        }
        if !self.session.as_mut().is_some_and(|session| session.answer_is_overdue(env)) {
            return; // Nothing is due.
        }
        match self.opening {
            Opening::Host { .. } => {
                self.fail("the client did not finish the opening".to_owned());
            }
            Opening::Client { .. } => self.reconnect("the peer did not answer in time"),
        }
    }

    fn on_message(&mut self, message: Message) -> Option<Opened> {
        // Not connected: a message of a connection that has gone.
        if !self.session.as_mut().is_some_and(|session| session.hear(&message)) {
            return None;
        }
        match message {
            Message::InvokeHostedChannel(invoke) => self.on_invoke(invoke),
            Message::InitHostedChannel(init) => self.on_init(init),
            Message::LastCrossSignedState(state) => return self.on_state(state),
            Message::StateUpdate(update) => return self.on_update(update),
            Message::Error(error) => {
                let text = ErrorText::parse(&error.data).to_string();
                self.out.push(Output::Link(LinkEvent::PeerError(text.clone())));
                self.fail(text);
            }
            // All others are about an open channel, or concern the node.
            _ => {}
        }
        None
    }

    /// As host: a client wants a channel.
    fn on_invoke(&mut self, invoke: InvokeHostedChannel) {
        let Opening::Host { offer, .. } = self.opening else {
            return; // Only a client invokes.
        };
        if invoke.chain_hash != *self.env.chain_hash {
            return self.refuse(&Fault::text("invalid chain hash"));
        }
        if !is_standard_refund_script(&invoke.refund_scriptpubkey) {
            return self.refuse(&Fault::text("invalid refund script"));
        }
        self.out.push(Output::send(Message::InitHostedChannel(offer.clone())));
        let refund_scriptpubkey = invoke.refund_scriptpubkey;
        self.set_handshake(Handshake::Offered { refund_scriptpubkey });
        if let Some(session) = self.session {
            session.expect_answer_within(OPENING_TIMEOUT_MS, self.env);
        }
    }

    /// As client: the host's terms.
    fn on_init(&mut self, init: InitHostedChannel) {
        let Opening::Client { refund_scriptpubkey, .. } = self.opening else {
            return; // Only a host has terms.
        };
        if self.handshake() != Some(&Handshake::Invoked) {
            return; // Nobody asked, or it repeats itself.
        }
        if let Err(why) = check_offer(&init) {
            return self.refuse(&Fault::text(why));
        }
        let refund_scriptpubkey = refund_scriptpubkey.clone();
        let mut state = first_state(false, refund_scriptpubkey, init, block_day(self.env));
        sign(&mut state, self.env.local);
        self.out.push(Output::send(state_update(&state)));
        if let Some(session) = self.session {
            session.expect_answer(self.env);
        }
        self.set_handshake(Handshake::Accepted { state: Box::new(state) });
    }

    /// The peer's signature over the first state.
    fn on_update(&mut self, update: StateUpdate) -> Option<Opened> {
        let mut state = match (self.handshake()?, self.opening) {
            (Handshake::Accepted { state }, Opening::Client { .. }) => (**state).clone(),
            (Handshake::Offered { refund_scriptpubkey }, Opening::Host { offer, .. }) => {
                first_state(true, refund_scriptpubkey.clone(), offer.clone(), update.block_day)
            }
            _ => return None, // Nobody asked for it.
        };
        if !is_day_acceptable(update.block_day, self.env) {
            self.refuse(&Fault::coded(ErrorCode::WrongBlockDay, "wrong block day"));
            return None;
        }
        if (update.local_updates, update.remote_updates) != (0, 0) {
            self.refuse(&Fault::text("wrong update numbers"));
            return None;
        }
        let is_of_our_day = state.block_day == update.block_day;
        state.block_day = update.block_day;
        state.remote_sig_of_local = update.local_sig_of_remote;
        if !self.pair.is_signed_by_peer(&state) {
            self.refuse(&Fault::coded(ErrorCode::WrongRemoteSig, "wrong signature"));
            return None;
        }
        if self.pair.role == Role::Host || !is_of_our_day {
            sign(&mut state, self.env.local);
        }
        Some(Opened::FirstState(state))
    }

    /// The peer shows a state where we have none: we lost our data, or this is an attack with an
    /// old state. A client trusts its host anyway; a host does so only if `allow_adoption` is set.
    fn on_state(&mut self, received: LastCrossSignedState) -> Option<Opened> {
        let terms = &received.init_hosted_channel;
        let is_allowed = match (self.handshake()?, self.opening) {
            (Handshake::Invoked, Opening::Client { .. }) => check_offer(terms).is_ok(),
            (
                Handshake::Offered { refund_scriptpubkey },
                Opening::Host { offer, allow_adoption },
            ) => {
                *allow_adoption
                    && received.last_refund_scriptpubkey == *refund_scriptpubkey
                    && is_within_offer(terms, offer, self.env)
            }
            _ => return None, // Nobody asked for it.
        };
        let doubts = adoptable(self.pair, &received, self.env.is_readable);
        match doubts.filter(|_| is_allowed) {
            Some(doubts) => Some(Opened::TakenOver { state: received.reverse(), doubts }),
            None => {
                self.refuse_adoption(received);
                None
            }
        }
    }

    /// A state of a channel that we have no record of, not to be taken over.
    fn refuse_adoption(&mut self, received: LastCrossSignedState) {
        let is_signed_by_us = self.pair.is_signed_by_us(&received.reverse());
        if let Some(session) = self.session {
            let what = "the peer shows a state of a channel we have no record of";
            session.keep(what, &Message::LastCrossSignedState(received), self.out);
        }
        if self.pair.role == Role::Host && is_signed_by_us {
            // We lost data. An error would be kept by the client for good: some never show their
            // state again after one, and then nobody could ever take the channel up.
            let why = "we signed the state it shows, and have no record of the channel";
            self.reconnect(why);
            return self.fail(why.to_owned());
        }
        self.refuse(&Fault::coded(ErrorCode::MissingChannel, "no such channel"));
    }

    /// `None` if the connection is to be replaced.
    fn handshake(&self) -> Option<&Handshake> {
        match self.session.as_ref().map(|session| &session.stage) {
            Some(Stage::Opening(handshake)) => Some(handshake),
            _ => None,
        }
    }

    fn set_handshake(&mut self, to: Handshake) {
        match self.session.as_mut().map(|session| &mut session.stage) {
            Some(Stage::Opening(handshake)) => *handshake = to,
            _ => impossible!("an opening goes on by a message of its peer"),
        }
    }

    fn reconnect(&mut self, why: &str) {
        match self.session {
            Some(session) => session.reconnect(why, self.out),
            None => impossible!("there is a connection that is out of step"),
        }
    }

    /// Ends the opening, telling the peer why.
    fn refuse(&mut self, fault: &Fault) {
        let channel_id = self.pair.channel_id;
        let error = WireError { channel_id, data: fault.data(), tlvs: Vec::new() };
        self.out.push(Output::send(Message::Error(error)));
        self.fail(fault.text.clone());
    }

    fn fail(&mut self, why: String) {
        if let Some(session) = self.session {
            session.answered();
            if let Stage::Opening(handshake) = &mut session.stage {
                *handshake = Handshake::Idle;
            }
        }
        self.out.push(Output::OpeningFailed(why));
    }
}

impl OpenChannel<'_> {
    /// The channel has just been opened.
    pub(crate) fn begin(&mut self, opened: Opened) {
        if let Some(session) = self.session {
            session.answered();
        }
        self.changed = true;
        self.out.push(Output::Opened);
        match opened {
            Opened::FirstState(state) => {
                if self.pair.role == Role::Host {
                    self.send(state_update(&state));
                }
                self.become_active(false);
            }
            Opened::TakenOver { state, doubts } => self.go_on_with(&state, doubts),
        }
    }

    /// The channel goes on with a state that only the peer still had.
    fn go_on_with(&mut self, state: &LastCrossSignedState, doubts: BTreeSet<u64>) {
        // A first state is only an opening whose last message we missed.
        let is_used = (state.local_updates, state.remote_updates) != (0, 0);
        self.out.extend(is_used.then_some(Output::DataLost));
        let is_held = |add: &&UpdateAddHtlc| doubts.contains(&add.id);
        let incoming = state.incoming_htlcs.iter().filter(|add| !is_held(add)).cloned();
        let incoming: Vec<UpdateAddHtlc> = incoming.collect();
        let has_htlcs = !incoming.is_empty() || !state.outgoing_htlcs.is_empty();
        self.open.commitment.hold(doubts);
        self.report_held();
        if self.pair.role == Role::Host && has_htlcs {
            // We may have forwarded them, and been paid or not: only people can find out.
            let text = "the channel was taken over with HTLCs in flight";
            return self.suspend(Fault::text(text));
        }
        let incoming = incoming.into_iter();
        self.out.extend(
            incoming.map(|add| Output::Link(LinkEvent::HtlcIncoming { add, taken_over: is_used })),
        );
        self.resume();
    }
}

/// If the content of the peer's copy of a state may become ours, the HTLCs in it whose offerer is
/// not proved. It must be ours to hold, with both signatures good, balanced, and in the form every
/// later state will have.
pub(crate) fn adoptable(
    pair: &Pair,
    received: &LastCrossSignedState,
    is_readable: &dyn Fn(&UpdateAddHtlc) -> bool,
) -> Option<BTreeSet<u64>> {
    let ours = received.reverse();
    let is_good = ours.is_host == (pair.role == Role::Host)
        && ours.is_balanced()
        && ours.encoded_len() <= MAX_STATE_BYTES
        && pair.is_signed_by_peer(&ours)
        && pair.is_signed_by_us(&ours);
    doubts(&ours, &Memory::default(), is_readable).filter(|_| is_good)
}

/// The first state, unsigned.
fn first_state(
    is_host: bool,
    last_refund_scriptpubkey: Vec<u8>,
    terms: InitHostedChannel,
    block_day: u32,
) -> LastCrossSignedState {
    let client_msat = terms.initial_client_balance_msat;
    let host_msat = terms.channel_capacity_msat.saturating_sub(client_msat);
    let (local_balance_msat, remote_balance_msat) =
        if is_host { (host_msat, client_msat) } else { (client_msat, host_msat) };
    LastCrossSignedState {
        is_host,
        last_refund_scriptpubkey,
        init_hosted_channel: terms,
        block_day,
        local_balance_msat,
        remote_balance_msat,
        local_updates: 0,
        remote_updates: 0,
        incoming_htlcs: Vec::new(),
        outgoing_htlcs: Vec::new(),
        remote_sig_of_local: Signature::ZERO,
        local_sig_of_remote: Signature::ZERO,
    }
}
