//! The channel itself: how it is made, and whether it is opening or open. The rules are in the
//! files named after them.

use steward_htlc::{LinkEvent, LinkInput};
use steward_wire::{InitHostedChannel, LastCrossSignedState, NodeId};

use crate::command::{Command, CommandRefusal};
use crate::io::{Env, Output, Phase, Role};
use crate::open::{Open, OpenChannel};
use crate::opening::{Opening, OpeningChannel, adoptable};
use crate::pair::Pair;
use crate::session::Session;

/// One hosted channel, from one side.
///
/// ```
/// # use steward_hosted::{Channel, Env, Output};
/// # use steward_htlc::{LinkEvent, LinkInput};
/// # use steward_wire::{Message, NodeId};
/// # use bitcoin::secp256k1::{PublicKey, SECP256K1, SecretKey};
/// let key = SecretKey::from_slice(&[1; 32]).unwrap();
/// let host_key = SecretKey::from_slice(&[2; 32]).unwrap();
/// let node_id = |key| NodeId::from(PublicKey::from_secret_key(SECP256K1, key));
/// let env = Env { local: &key, chain_hash: &[0; 32], height: 800_000,
///     searched_height: 800_000, now_ms: 0, max_capacity_sat: 0, is_readable: &|_| false };
///
/// let mut channel = Channel::client(node_id(&key), node_id(&host_key), vec![0; 22], vec![]);
/// let mut outputs = Vec::new();
/// channel.handle(LinkInput::Connected, &env, &mut outputs);
/// assert!(matches!(&outputs[0],
///     Output::Link(LinkEvent::Send(Message::InvokeHostedChannel(_)))));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Channel {
    pair: Pair,
    body: Body,
    /// `None`: not connected.
    session: Option<Session>,
}

/// What the channel remembers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Body {
    /// There is no signed state yet.
    Opening(Opening),
    /// There is one.
    Open(Box<Open>),
}

impl Channel {
    /// Makes a channel that a client asks us for. The engine hands in [`LinkInput::Connected`] and the
    /// invoke message next. `offer` is what the client will be offered.
    pub fn host(local: NodeId, remote: NodeId, offer: InitHostedChannel) -> Self {
        let opening = Opening::Host { offer, allow_adoption: false };
        Self::offline(Pair::new(Role::Host, local, remote), Body::Opening(opening))
    }

    /// Makes a channel that we want from a host. It invokes the host on each connection until it is
    /// open.
    /// `secret` may be empty.
    pub fn client(
        local: NodeId,
        remote: NodeId,
        refund_scriptpubkey: Vec<u8>,
        secret: Vec<u8>,
    ) -> Self {
        let opening = Opening::Client { refund_scriptpubkey, secret };
        Self::offline(Pair::new(Role::Client, local, remote), Body::Opening(opening))
    }

    /// Makes a channel from a state the peer, or a backup, still had when we had lost ours: the
    /// operator vouches that it is the latest. `state` is from our side. `None` unless both
    /// signatures hold and it adds up.
    pub fn restored(local: NodeId, remote: NodeId, state: LastCrossSignedState) -> Option<Self> {
        let role = if state.is_host { Role::Host } else { Role::Client };
        let pair = Pair::new(role, local, remote);
        let doubts = adoptable(&pair, &state.reverse(), &|_| false)?;
        let mut open = Open::new(state);
        open.commitment.hold(doubts);
        Some(Self::offline(pair, Body::Open(Box::new(open))))
    }

    pub(crate) fn offline(pair: Pair, body: Body) -> Self {
        Self { pair, body, session: None }
    }

    /// As host without a record of the channel: sets whether to take over a state the client shows,
    /// if both signatures hold and it is within the offer (docs/architecture.md, rule 8). Off at
    /// first, not in the record. Without an effect on a channel that is open.
    pub fn allow_adoption(&mut self, allow: bool) {
        if let Body::Opening(Opening::Host { allow_adoption, .. }) = &mut self.body {
            *allow_adoption = allow;
        }
    }

    /// Reacts to one input. Never emits a `state_update` of normal operation: that is left to
    /// [`LinkInput::Flush`], so that several inputs share one signature.
    pub fn handle(&mut self, input: LinkInput, env: &Env<'_>, out: &mut Vec<Output>) {
        match &self.body {
            Body::Open(_) => {
                self.with_open(env, out, |channel| channel.handle(input));
            }
            Body::Opening(opening) => {
                let (pair, session) = (&self.pair, &mut self.session);
                let mut channel = OpeningChannel { pair, opening, session, env, out };
                if let Some(opened) = channel.handle(input) {
                    self.body = Body::Open(Box::new(Open::new(opened.state().clone())));
                    self.with_open(env, out, |channel| channel.begin(opened));
                }
            }
        }
    }

    /// As client: the host said that it does not give the capacity we asked for, in these words.
    pub fn resize_refused(&mut self, reason: String, env: &Env<'_>, out: &mut Vec<Output>) {
        self.with_open(env, out, |channel| channel.withdraw_resize(reason));
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
        self.with_open(env, out, |channel| channel.operate(command))
            .unwrap_or(Err(CommandRefusal::NotOpen))
    }

    /// `None` if the channel is not open.
    fn with_open<T>(
        &mut self,
        env: &Env<'_>,
        out: &mut Vec<Output>,
        act: impl FnOnce(&mut OpenChannel<'_>) -> T,
    ) -> Option<T> {
        let Body::Open(open) = &mut self.body else { return None };
        let (pair, session) = (&self.pair, &mut self.session);
        let mut channel = OpenChannel { pair, open, session, env, out, changed: false };
        let result = act(&mut channel);
        if channel.changed {
            out.push(Output::Link(LinkEvent::Changed));
        }
        Some(result)
    }

    pub(crate) fn pair(&self) -> &Pair {
        &self.pair
    }

    pub(crate) fn body(&self) -> &Body {
        &self.body
    }

    /// `None`: not connected.
    pub(crate) fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    /// What an open channel remembers. `None` if it is not open.
    pub(crate) fn open(&self) -> Option<&Open> {
        match &self.body {
            Body::Opening(_) => None,
            Body::Open(open) => Some(open),
        }
    }

    /// The phase that the channel is in.
    pub fn phase(&self) -> Phase {
        match &self.body {
            Body::Opening(_) => Phase::Opening,
            Body::Open(open) => open.phase(self.session.as_ref()),
        }
    }

    /// The earliest `Env::now_ms` at which [`LinkInput::Tick`] has an effect.
    pub fn deadline_ms(&self) -> Option<u64> {
        self.session.as_ref().and_then(Session::deadline_ms)
    }
}
