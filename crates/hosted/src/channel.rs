//! The channel itself: what it remembers, how it is made, and which part handles which input.
//! The rules are in the files named after them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bitcoin::secp256k1::PublicKey;
use steward_wire::{
    ChannelId, ChannelUpdate, ErrorCode, InitHostedChannel, LastCrossSignedState, Message, NodeId,
    Preimage, ResizeChannel, ShortChannelId, StateOverride,
};

use crate::command::{Command, CommandRefusal};
use crate::commit::SentUpdate;
use crate::errors::Fault;
use crate::io::{AddRefusal, Env, Failure, Input, NewHtlc, Output, Phase, Role};
use crate::next_state::Update;
use crate::opening::{Opening, Stage};

/// One hosted channel, from one side.
///
/// ```
/// # use steward_hosted::{Channel, Env, Input, Output};
/// # use steward_wire::{Message, NodeId};
/// # use bitcoin::secp256k1::{PublicKey, SECP256K1, SecretKey};
/// let key = SecretKey::from_slice(&[1; 32]).unwrap();
/// let host_key = SecretKey::from_slice(&[2; 32]).unwrap();
/// let node_id = |key| NodeId::from(PublicKey::from_secret_key(SECP256K1, key));
/// let env = Env { key: &key, chain_hash: &[0; 32], height: 800_000,
///     searched_height: 800_000, now_ms: 0, max_capacity_sat: 0, is_readable: &|_| false };
///
/// let mut channel = Channel::client(node_id(&key), node_id(&host_key), vec![0; 22], vec![]);
/// let mut outputs = Vec::new();
/// channel.handle(Input::Connected, &env, &mut outputs);
/// assert!(matches!(outputs[0], Output::Send(Message::InvokeHostedChannel(_))));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Channel {
    pub(crate) role: Role,
    pub(crate) local: NodeId,
    pub(crate) remote: NodeId,
    /// `None` if the peer's id is not a point: then nothing it signs is ever valid.
    pub(crate) remote_key: Option<PublicKey>,
    pub(crate) channel_id: ChannelId,
    pub(crate) scid: ShortChannelId,

    // In the record.
    /// What the channel opens with; `None` once it is open.
    pub(crate) opening: Option<Opening>,
    /// The last state both signed. Our own signature in it is zero until it is first needed.
    pub(crate) signed: Option<LastCrossSignedState>,
    /// Our updates that have an id and are not in `signed`. All of them were sent, and are sent
    /// again after a reconnection, in this order.
    pub(crate) own: Vec<Update>,
    /// The peer's updates that are not in `signed`. Must be durable once we signed them.
    pub(crate) peer: Vec<Update>,
    /// Own HTLCs whose fate is known and reported before their removal is signed, by id.
    pub(crate) outcomes: BTreeMap<u64, Outcome>,
    /// The first error we found.
    pub(crate) own_error: Option<Fault>,
    /// The first error the peer sent.
    pub(crate) peer_error: Option<Vec<u8>>,
    /// Highest counters seen when suspended, ours and the peer's: an override must exceed them.
    pub(crate) highest: (u32, u32),
    /// The host's proposal: ours as host, received as client.
    pub(crate) override_proposal: Option<StateOverride>,
    /// The client's request that is not signed yet.
    pub(crate) resize_proposal: Option<ResizeChannel>,
    /// The peer's terms for forwarding to us.
    pub(crate) peer_policy: Option<ChannelUpdate>,
    /// Incoming HTLCs of `signed` that nobody acts on, by id: that the peer offered them is not
    /// proved.
    pub(crate) held: BTreeSet<u64>,

    // Gone after a restart.
    pub(crate) link: Link,
    pub(crate) stage: Stage,
    pub(crate) allow_adoption: bool,
    /// The peer must have answered by then (by `Env::now_ms`).
    pub(crate) answer_due_ms: Option<u64>,
    /// As client: an invoke that nothing answered is sent again then (unix, milliseconds).
    pub(crate) repeat_invoke_ms: Option<u64>,
    /// As client: how often in a row the host has said that it does not know the channel.
    pub(crate) times_forgotten: u8,
    /// The last `state_update` of this connection.
    pub(crate) last_sent: Option<SentUpdate>,
    /// The next flush owes the peer a signature.
    pub(crate) sign_owed: bool,
    /// Wrong signatures on `state_update` in a row, over all connections.
    pub(crate) bad_signatures: u8,
    /// Messages of this connection kept as evidence.
    pub(crate) evidence_kept: u8,
    /// The peer sent something on this connection.
    pub(crate) peer_spoke: bool,
    /// The peer showed a signed state on this connection: it has a record of the channel.
    pub(crate) peer_has_record: bool,
    /// An override came into force on this connection: what the peer sent before it knew may
    /// still arrive.
    pub(crate) overridden_here: bool,
    /// All that an earlier connection may have lost was sent again on this one.
    pub(crate) greeted: bool,
    /// Settlements without an id yet, by the incoming HTLC's id.
    pub(crate) waiting_settlements: BTreeMap<u64, Settlement>,
    /// Own HTLCs without an id yet, oldest first.
    pub(crate) waiting_adds: VecDeque<NewHtlc>,
    /// The waiting HTLCs found no room; only a change of the state can help.
    pub(crate) adds_blocked: bool,
    /// Incoming HTLCs already reported as at risk.
    pub(crate) at_risk: BTreeSet<u64>,
    /// The record changed during this call.
    pub(crate) changed: bool,
}

/// How far the connection got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// Not connected.
    Down,
    /// Connected; states not compared yet, or suspended.
    Syncing,
    /// Both hold the same state.
    Active,
    /// We asked for a new connection: only fulfills and errors of this one still count.
    Stale,
}

/// How we settle an incoming HTLC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Settlement {
    Fulfill(Preimage),
    Fail(Failure),
}

/// What became of an own HTLC that is still in the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The peer showed the preimage.
    Fulfilled(Preimage),
    /// The preimage came from elsewhere, such as the chain; the peer may not know it.
    Published(Preimage),
    Expired,
    /// The peer showed a state under both signatures that we do not know, and the HTLC has ended in
    /// it: it was paid or it was not.
    Unknown,
}

impl Outcome {
    pub(crate) fn preimage(self) -> Option<Preimage> {
        match self {
            Self::Fulfilled(preimage) | Self::Published(preimage) => Some(preimage),
            Self::Expired | Self::Unknown => None,
        }
    }
}

impl Channel {
    /// A channel a client asks us for. The engine hands in [`Input::Connected`] and the invoke
    /// message next. `offer` is what the client will be offered.
    pub fn host(local: NodeId, remote: NodeId, offer: InitHostedChannel) -> Self {
        Self::new(Role::Host, local, remote, Opening::Host { offer })
    }

    /// A channel we want from a host: invokes it whenever connected, until the channel is open.
    /// `secret` may be empty.
    pub fn client(
        local: NodeId,
        remote: NodeId,
        refund_scriptpubkey: Vec<u8>,
        secret: Vec<u8>,
    ) -> Self {
        Self::new(Role::Client, local, remote, Opening::Client { refund_scriptpubkey, secret })
    }

    /// A channel from a state the peer, or a backup, still had when we had lost ours: the
    /// operator vouches that it is the latest. `state` is from our side. `None` unless both
    /// signatures hold and it adds up.
    pub fn restored(local: NodeId, remote: NodeId, state: LastCrossSignedState) -> Option<Self> {
        let role = if state.is_host { Role::Host } else { Role::Client };
        let nothing = Opening::Client { refund_scriptpubkey: Vec::new(), secret: Vec::new() };
        let mut channel = Self::new(role, local, remote, nothing);
        channel.held = channel.adoptable(&state.reverse(), &|_| false)?;
        channel.opening = None;
        channel.signed = Some(state);
        Some(channel)
    }

    pub(crate) fn new(role: Role, local: NodeId, remote: NodeId, opening: Opening) -> Self {
        Self {
            role,
            local,
            remote,
            remote_key: remote.public_key(),
            channel_id: ChannelId::of_pair(&local, &remote),
            scid: ShortChannelId::of_pair(&local, &remote),
            opening: Some(opening),
            signed: None,
            own: Vec::new(),
            peer: Vec::new(),
            outcomes: BTreeMap::new(),
            own_error: None,
            peer_error: None,
            highest: (0, 0),
            override_proposal: None,
            resize_proposal: None,
            peer_policy: None,
            held: BTreeSet::new(),
            link: Link::Down,
            stage: Stage::Idle,
            allow_adoption: false,
            answer_due_ms: None,
            repeat_invoke_ms: None,
            times_forgotten: 0,
            last_sent: None,
            sign_owed: false,
            bad_signatures: 0,
            evidence_kept: 0,
            peer_spoke: false,
            peer_has_record: false,
            overridden_here: false,
            greeted: false,
            waiting_settlements: BTreeMap::new(),
            waiting_adds: VecDeque::new(),
            adds_blocked: false,
            at_risk: BTreeSet::new(),
            changed: false,
        }
    }

    /// As host without a record of the channel: whether to take over a state the client shows,
    /// if both signatures hold and it is within the offer (docs/architecture.md, rule 8). Off at first,
    /// not in the record.
    pub fn allow_adoption(&mut self, allow: bool) {
        self.allow_adoption = allow;
    }

    /// Reacts to one input. Never emits a `state_update` of normal operation: that is left to
    /// [`Channel::flush`], so that several inputs share one signature.
    pub fn handle(&mut self, input: Input, env: &Env<'_>, out: &mut Vec<Output>) {
        match input {
            Input::Connected => self.on_connected(env, out),
            Input::Disconnected => self.on_disconnected(out),
            Input::Message(message) => self.on_message(message, env, out),
            Input::Add(htlc) => self.queue_add(htlc, env, out),
            Input::Fulfill { id, preimage } => {
                self.queue_settlement(id, Settlement::Fulfill(preimage), out);
            }
            Input::Fail { id, failure } => {
                self.queue_settlement(id, Settlement::Fail(failure), out);
            }
            Input::Block => self.on_block(env, out),
            Input::Tick => self.on_tick(env, out),
            Input::ExternalFulfill { id, preimage } => self.fulfill_externally(id, preimage, out),
            Input::ResizeRefused { reason } => self.withdraw_resize(reason, out),
            Input::OwnPolicy(policy) => {
                if self.phase() == Phase::Active {
                    out.push(Output::Send(Message::UpdateGossip(policy)));
                }
            }
        }
        self.report_change(out);
    }

    /// Carries out an operator's command.
    ///
    /// # Errors
    /// If the channel is in no state for it; then nothing has changed.
    pub fn operate(
        &mut self,
        command: Command,
        env: &Env<'_>,
        out: &mut Vec<Output>,
    ) -> Result<(), CommandRefusal> {
        match command {
            Command::Suspend => self.suspend_by_operator(out),
            Command::Resize { new_capacity_sat } => self.propose_resize(new_capacity_sat, env, out),
            Command::ProposeOverride { local_balance_msat } => {
                self.propose_override(local_balance_msat, env, out)
            }
            Command::AcceptOverride => self.accept_override(env, out),
        }?;
        self.report_change(out);
        Ok(())
    }

    /// [`Output::Changed`], once per call.
    pub(crate) fn report_change(&mut self, out: &mut Vec<Output>) {
        if std::mem::take(&mut self.changed) {
            out.push(Output::Changed);
        }
    }

    fn on_connected(&mut self, env: &Env<'_>, out: &mut Vec<Output>) {
        if self.link != Link::Down {
            self.on_disconnected(out);
        }
        self.link = Link::Syncing;
        if self.role == Role::Host {
            return; // The client speaks first: its framing is not known yet.
        }
        if self.is_suspended() {
            self.greet_suspended_host(out);
        } else {
            self.invoke(env, out);
        }
    }

    fn on_disconnected(&mut self, out: &mut Vec<Output>) {
        self.leave_active(out);
        self.link = Link::Down;
        self.peer_spoke = false;
        self.peer_has_record = false;
        self.overridden_here = false;
        self.greeted = false;
        self.evidence_kept = 0;
        if self.signed.is_none() {
            if self.role == Role::Host && self.stage != Stage::Idle {
                out.push(Output::OpeningFailed("the client disconnected".to_owned()));
            }
            self.stage = Stage::Idle;
        }
    }

    /// True if a message would reach the peer in a framing it reads: the client speaks first.
    pub(crate) fn may_speak(&self) -> bool {
        self.link != Link::Down && (self.role == Role::Client || self.peer_spoke)
    }

    /// Ends what only makes sense on an active connection.
    pub(crate) fn leave_active(&mut self, out: &mut Vec<Output>) {
        if self.phase() == Phase::Active {
            out.push(Output::Inactive);
        }
        if self.link != Link::Down {
            self.link = Link::Syncing;
        }
        self.answer_due_ms = None;
        self.repeat_invoke_ms = None;
        self.last_sent = None;
        self.sign_owed = false;
        self.adds_blocked = false;
        for htlc in self.waiting_adds.drain(..) {
            out.push(Output::HtlcRefused { token: htlc.token, reason: AddRefusal::Unavailable });
        }
    }

    /// The exchange is out of step; only a new connection, with its comparison of states, helps.
    pub(crate) fn reconnect(&mut self, why: &str, out: &mut Vec<Output>) {
        self.leave_active(out);
        self.link = Link::Stale;
        out.push(Output::Reconnect(why.to_owned()));
    }

    fn on_message(&mut self, message: Message, env: &Env<'_>, out: &mut Vec<Output>) {
        if self.link == Link::Down {
            return;
        }
        self.peer_spoke = true;
        self.repeat_invoke_ms = None;
        let outlives_the_exchange =
            matches!(message, Message::UpdateFulfillHtlc(_) | Message::Error(_));
        if self.link == Link::Stale && !outlives_the_exchange {
            return;
        }
        match message {
            Message::InvokeHostedChannel(invoke) => self.on_invoke(invoke, env, out),
            Message::InitHostedChannel(init) => self.on_init(init, env, out),
            Message::LastCrossSignedState(state) => self.on_state(state, env, out),
            Message::StateUpdate(update) => self.on_state_update(update, env, out),
            Message::StateOverride(proposal) => self.on_state_override(proposal, env, out),
            Message::ResizeChannel(resize) => self.on_resize(resize, env, out),
            Message::UpdateAddHtlc(add) => self.on_add(add, out),
            Message::UpdateFulfillHtlc(fulfill) => self.on_fulfill(fulfill, out),
            Message::UpdateFailHtlc(fail) => self.on_fail(fail, out),
            Message::UpdateFailMalformedHtlc(fail) => self.on_malformed(fail, out),
            Message::Error(error) => self.on_error(error, env, out),
            Message::UpdateGossip(policy) | Message::UpdateSync(policy) => {
                self.on_peer_policy(policy, env, out);
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

    fn suspend_by_operator(&mut self, out: &mut Vec<Output>) -> Result<(), CommandRefusal> {
        if self.signed.is_none() {
            return Err(CommandRefusal::NotOpen);
        }
        self.suspend(Fault::coded(ErrorCode::ManualSuspend, "suspended by the operator"), out);
        Ok(())
    }
}
