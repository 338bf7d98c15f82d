//! Two channels of one pair of nodes, joined by an in-memory wire that loses what a
//! disconnection cuts off, with a clock, a chain and a disk for each side.

pub mod events;
pub mod world;

use std::collections::VecDeque;

use bitcoin::secp256k1::{PublicKey, SECP256K1, SecretKey};
use steward_hosted::{Channel, Command, CommandRefusal, Env, Output, Phase, Role, Suspension};
use steward_htlc::{AddToken, Failure, LinkEvent, LinkInput, NewHtlc};
use steward_wire::features::{INIT_HOSTED_CHANNELS, INIT_RESIZABLE};
use steward_wire::{InitHostedChannel, LastCrossSignedState, Message, NodeId, Onion, Preimage};

pub use self::Side::{Alice, Bob};
pub use self::events::*;

/// The capacity in the eclair plugin's tests.
pub const CAPACITY_MSAT: u64 = 10_000_000_000;
/// The largest capacity that a resize may ask for, in satoshi.
pub const MAX_CAPACITY_SAT: u64 = 100_000_000;
/// The height at which both sides begin.
pub const HEIGHT: u32 = 400_000;
/// The blocks between the height and the expiry of an HTLC.
pub const CLTV_DELTA: u32 = 144;
const CHAIN_HASH: [u8; 32] = [7; 32];

/// One side of the pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The host.
    Alice,
    /// The client.
    Bob,
}

impl Side {
    /// Returns the side at the other end.
    pub fn other(self) -> Self {
        match self {
            Alice => Bob,
            Bob => Alice,
        }
    }
}

/// One side: its channel, its key, its disk, and its end of the wire.
#[derive(Clone)]
pub struct Node {
    /// The channel as this side has it in memory.
    pub channel: Channel,
    /// The key with which it signs.
    pub key: SecretKey,
    /// What [`LinkEvent::Changed`] made durable last.
    pub disk: Option<Vec<u8>>,
    /// Sent, not delivered yet.
    pub wire: VecDeque<Message>,
    /// Outputs other than `Send` and `Changed`, until taken.
    pub events: Vec<Output>,
    /// The height that its chain source reports.
    pub height: u32,
    next_token: u64,
}

/// Both sides, and the wire between them.
#[derive(Clone)]
pub struct Pair {
    /// The host.
    pub alice: Node,
    /// The client.
    pub bob: Node,
    /// The clock of both sides, in milliseconds.
    pub now_ms: u64,
    /// True while the wire delivers.
    pub connected: bool,
    /// Whether a side that lost its data finds that it can read an onion.
    pub onions_are_readable: bool,
    /// Flush after every input, as E does.
    pub eager: bool,
    /// Every message sent, with the side that sent it.
    pub sent: Vec<(Side, Message)>,
}

/// Returns the node id of a key.
pub fn node_id(key: &SecretKey) -> NodeId {
    PublicKey::from_secret_key(SECP256K1, key).into()
}

/// Returns the terms that Alice offers.
pub fn offer() -> InitHostedChannel {
    InitHostedChannel {
        max_htlc_value_in_flight_msat: CAPACITY_MSAT,
        htlc_minimum_msat: 1_000,
        max_accepted_htlcs: 21,
        channel_capacity_msat: CAPACITY_MSAT,
        initial_client_balance_msat: 0,
        features: vec![INIT_HOSTED_CHANNELS, INIT_RESIZABLE],
    }
}

/// Returns a P2WPKH script for refunds.
pub fn refund_script() -> Vec<u8> {
    let mut script = vec![0, 20];
    script.extend_from_slice(&[9; 20]);
    script
}

/// Returns the preimage of a seed.
pub fn preimage(seed: u64) -> Preimage {
    let mut bytes = [0x55; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    Preimage(bytes)
}

impl Default for Pair {
    fn default() -> Self {
        Self::new(offer())
    }
}

impl Pair {
    /// Nothing opened, not connected.
    pub fn new(offer: InitHostedChannel) -> Self {
        let alice_key = SecretKey::from_slice(&[1; 32]).unwrap();
        let bob_key = SecretKey::from_slice(&[2; 32]).unwrap();
        let (alice, bob) = (node_id(&alice_key), node_id(&bob_key));
        Self {
            alice: Node::new(Channel::host(alice, bob, offer), alice_key),
            bob: Node::new(Channel::client(bob, alice, refund_script(), vec![]), bob_key),
            now_ms: 1_000_000,
            connected: false,
            onions_are_readable: false,
            eager: true,
            sent: Vec::new(),
        }
    }

    /// Open and idle.
    pub fn open() -> Self {
        Self::open_with(offer())
    }

    /// Opens a channel on these terms and leaves it idle.
    pub fn open_with(offer: InitHostedChannel) -> Self {
        let mut pair = Self::new(offer);
        pair.connect();
        pair.run();
        assert_eq!(pair.phases(), (Phase::Active, Phase::Active));
        pair.clear();
        pair
    }

    /// Bob is left with his keys only, and connects again.
    pub fn bob_loses_everything(&mut self) {
        self.disconnect();
        let (alice, bob) = (self.channel(Alice).local(), self.channel(Bob).local());
        self.bob.channel = Channel::client(bob, alice, refund_script(), vec![]);
        self.clear();
        self.connect();
        self.run();
    }

    /// Bob is left with his keys only; Alice shows him `newer`, his copy of a state.
    pub fn bob_loses_everything_but_is_shown(&mut self, newer: &LastCrossSignedState) {
        self.disconnect();
        let (alice, bob) = (self.channel(Alice).local(), self.channel(Bob).local());
        self.bob.channel = Channel::client(bob, alice, refund_script(), vec![]);
        self.clear();
        self.connect();
        self.give(Bob, LinkInput::Message(Message::LastCrossSignedState(newer.reverse())));
    }

    /// Returns one side.
    pub fn node(&mut self, side: Side) -> &mut Node {
        match side {
            Alice => &mut self.alice,
            Bob => &mut self.bob,
        }
    }

    /// Returns the channel of one side.
    pub fn channel(&self, side: Side) -> &Channel {
        match side {
            Alice => &self.alice.channel,
            Bob => &self.bob.channel,
        }
    }

    /// Returns the last cross-signed state of an open channel.
    pub fn state(&self, side: Side) -> &LastCrossSignedState {
        self.channel(side).state().unwrap()
    }

    /// Returns the phases of Alice and of Bob.
    pub fn phases(&self) -> (Phase, Phase) {
        (self.alice.channel.phase(), self.bob.channel.phase())
    }

    /// Hands in one input without a flush.
    pub fn handle(&mut self, side: Side, input: LinkInput) -> Vec<Output> {
        self.act(side, |channel, env, out| channel.handle(input, env, out))
    }

    /// Ends a batch: the channel signs what it owes.
    pub fn flush(&mut self, side: Side) -> Vec<Output> {
        self.handle(side, LinkInput::Flush)
    }

    /// Hands in one input and, if eager, flushes.
    pub fn give(&mut self, side: Side, input: LinkInput) -> Vec<Output> {
        let mut outputs = self.handle(side, input);
        if self.eager {
            outputs.extend(self.flush(side));
        }
        outputs
    }

    /// Carries out an operator's command and, if eager, flushes. A refusal has changed nothing.
    pub fn try_command(
        &mut self,
        side: Side,
        command: Command,
    ) -> Result<Vec<Output>, CommandRefusal> {
        let before = self.channel(side).clone();
        let mut result = Ok(());
        let mut outputs = self.act(side, |channel, env, out| {
            result = channel.operate(command, env, out);
        });
        if result.is_err() {
            assert_eq!(outputs, [], "a refused command had an effect");
            assert_eq!(*self.channel(side), before, "a refused command changed something");
        }
        if self.eager {
            outputs.extend(self.flush(side));
        }
        result.map(|()| outputs)
    }

    /// Carries out an operator's command that must not be refused.
    pub fn command(&mut self, side: Side, command: Command) -> Vec<Output> {
        self.try_command(side, command).expect("the command was refused")
    }

    fn act(
        &mut self,
        side: Side,
        act: impl FnOnce(&mut Channel, &Env<'_>, &mut Vec<Output>),
    ) -> Vec<Output> {
        let (now_ms, readable) = (self.now_ms, self.onions_are_readable);
        let node = self.node(side);
        let key = node.key;
        let env = Env {
            local: &key,
            chain_hash: &CHAIN_HASH,
            height: node.height,
            searched_height: node.height,
            now_ms,
            max_capacity_sat: MAX_CAPACITY_SAT,
            is_readable: &|_| readable,
        };
        let mut outputs = Vec::new();
        act(&mut node.channel, &env, &mut outputs);
        let mut sent = Vec::new();
        for output in &outputs {
            match output {
                Output::Link(LinkEvent::Send(message)) => sent.push(message.clone()),
                Output::Link(LinkEvent::Changed) => node.disk = Some(node.channel.record()),
                other => node.events.push(other.clone()),
            }
        }
        node.wire.extend(sent.iter().cloned());
        self.sent.extend(sent.into_iter().map(|message| (side, message)));
        outputs
    }

    /// Tells both sides that they are connected.
    pub fn connect(&mut self) {
        self.connected = true;
        self.give(Alice, LinkInput::Connected);
        self.give(Bob, LinkInput::Connected);
    }

    /// What is on the wire is lost.
    pub fn disconnect(&mut self) {
        self.connected = false;
        self.alice.wire.clear();
        self.bob.wire.clear();
        self.give(Alice, LinkInput::Disconnected);
        self.give(Bob, LinkInput::Disconnected);
    }

    /// Disconnects and connects.
    pub fn reconnect(&mut self) {
        self.disconnect();
        self.connect();
    }

    /// The process of `side` dies and starts again from its disk.
    pub fn restart(&mut self, side: Side) {
        let record = self.node(side).disk.clone().expect("nothing was ever stored");
        self.node(side).channel = Channel::from_record(&record).unwrap();
        self.disconnect();
    }

    /// Delivers the next message `from` sent; true if there was one.
    pub fn deliver(&mut self, from: Side) -> bool {
        let Some(message) = self.node(from).wire.pop_front() else { return false };
        self.give(from.other(), LinkInput::Message(message));
        true
    }

    /// Delivers the next message `from` sent, which must have this name.
    pub fn deliver_named(&mut self, from: Side, name: &str) {
        let next = self.node(from).wire.front().map(|message| message.name());
        assert_eq!(next, Some(name), "{from:?} sent something else");
        self.deliver(from);
    }

    /// Loses the next message `from` sent.
    pub fn lose(&mut self, from: Side) -> Message {
        self.node(from).wire.pop_front().expect("nothing was sent")
    }

    /// Delivers everything, in turns, until both are silent.
    pub fn run(&mut self) {
        for _ in 0..10_000 {
            let moved = [Alice, Bob].map(|side| self.deliver(side));
            if moved == [false, false] {
                let flushed = [Alice, Bob].map(|side| !self.flush(side).is_empty());
                if flushed == [false, false] {
                    return;
                }
            }
        }
        panic!("the two sides never fall silent");
    }

    /// Tells both sides a height.
    pub fn set_height(&mut self, height: u32) {
        for side in [Alice, Bob] {
            self.set_height_of(side, height);
        }
    }

    /// Tells one side a height.
    pub fn set_height_of(&mut self, side: Side, height: u32) {
        self.node(side).height = height;
        self.give(side, LinkInput::Block);
    }

    /// Moves the clock, in milliseconds, and tells both sides.
    pub fn advance_ms(&mut self, ms: u64) {
        self.now_ms += ms;
        self.give(Alice, LinkInput::Tick);
        self.give(Bob, LinkInput::Tick);
    }

    /// Forgets what happened so far.
    pub fn clear(&mut self) {
        self.sent.clear();
        self.alice.events.clear();
        self.bob.events.clear();
    }

    /// Takes the outputs of one side since the last call.
    pub fn events(&mut self, side: Side) -> Vec<Output> {
        std::mem::take(&mut self.node(side).events)
    }

    /// Names of the messages `side` sent since the last [`Pair::clear`].
    pub fn sent_by(&self, side: Side) -> Vec<&'static str> {
        self.sent.iter().filter(|(by, _)| *by == side).map(|(_, message)| message.name()).collect()
    }

    /// The first four characters of each error that `side` sent: its code, if it has one.
    pub fn errors_sent(&self, side: Side) -> Vec<String> {
        let errors = self.sent.iter().filter(|(by, _)| *by == side).filter_map(|(_, m)| match m {
            Message::Error(error) => {
                Some(String::from_utf8_lossy(&error.data).chars().take(4).collect())
            }
            _ => None,
        });
        errors.collect()
    }

    /// Names of the messages `side` sent that are not delivered.
    pub fn on_wire(&mut self, side: Side) -> Vec<&'static str> {
        self.node(side).wire.iter().map(|message| message.name()).collect()
    }

    /// Makes an HTLC that `preimage(seed)` claims, without offering it.
    pub fn new_htlc(&mut self, side: Side, amount_msat: u64, seed: u64) -> NewHtlc {
        let give_up_ms = self.now_ms + 5_000;
        let node = self.node(side);
        node.next_token += 1;
        NewHtlc {
            token: AddToken(node.next_token),
            amount_msat,
            payment_hash: preimage(seed).hash(),
            cltv_expiry: node.height + CLTV_DELTA,
            onion: Onion([3; 1366].into()),
            tlvs: Vec::new(),
            give_up_ms,
        }
    }

    /// `side` offers an HTLC that `preimage(seed)` claims; its id, if it got one at once.
    pub fn add(&mut self, side: Side, amount_msat: u64, seed: u64) -> Option<u64> {
        let htlc = self.new_htlc(side, amount_msat, seed);
        let outputs = self.give(side, LinkInput::Add(htlc));
        outputs.iter().find_map(|output| match output {
            Output::Link(LinkEvent::HtlcAdded { id, .. }) => Some(*id),
            _ => None,
        })
    }

    /// Adds and lets both sides finish.
    pub fn add_and_run(&mut self, side: Side, amount_msat: u64, seed: u64) -> u64 {
        let id = self.add(side, amount_msat, seed).expect("the HTLC was not sent");
        self.run();
        id
    }

    /// Lets `side` fulfill an incoming HTLC.
    pub fn fulfill(&mut self, side: Side, id: u64, seed: u64) -> Vec<Output> {
        self.give(side, LinkInput::Fulfill { id, preimage: preimage(seed), tlvs: Vec::new() })
    }

    /// Lets `side` fail an incoming HTLC.
    pub fn fail(&mut self, side: Side, id: u64) -> Vec<Output> {
        let failure = Failure::Reason { reason: vec![1; 292], tlvs: vec![] };
        self.give(side, LinkInput::Fail { id, failure })
    }

    /// A payment from `side`, finished.
    pub fn pay(&mut self, side: Side, amount_msat: u64, seed: u64) {
        let id = self.add_and_run(side, amount_msat, seed);
        self.fulfill(side.other(), id, seed);
        self.run();
        self.clear();
    }

    /// Open, with this much on Bob's side.
    pub fn funded(bob_msat: u64) -> Self {
        let mut pair = Self::open();
        pair.pay(Alice, bob_msat, 99);
        pair
    }

    /// Own HTLCs whose fate is still open.
    pub fn unresolved(&self, side: Side) -> usize {
        let outgoing = self.channel(side).outgoing_htlcs();
        outgoing.filter(|outgoing| outgoing.preimage.is_none()).count()
    }

    /// Our and the peer's balance, as `side` sees them.
    pub fn balances(&self, side: Side) -> (u64, u64) {
        let state = self.state(side);
        (state.local_balance_msat, state.remote_balance_msat)
    }

    /// Both hold the same state, signed by both, and it adds up.
    pub fn assert_in_agreement(&self) {
        let alice = self.channel(Alice).export(&self.alice.key).unwrap();
        let bob = self.channel(Bob).export(&self.bob.key).unwrap();
        assert_eq!(alice, bob.reverse());
        assert!(alice.is_balanced());
        for (state, node) in [(&alice, &self.alice), (&bob, &self.bob)] {
            let remote = node.channel.remote().public_key().unwrap();
            assert!(state.verify_remote_sig(&remote));
            assert!(state.verify_local_sig(&node.channel.local().public_key().unwrap()));
        }
    }

    /// Checks that `side` is suspended, by its own error or the peer's, with this code.
    pub fn assert_suspended(&self, side: Side, by_us: bool, code: Option<u16>) -> Suspension {
        let suspension = self.channel(side).suspension().expect("not suspended");
        assert_eq!(self.channel(side).phase(), Phase::Suspended);
        assert_eq!((suspension.by_us, suspension.code), (by_us, code), "{suspension:?}");
        suspension
    }
}

impl Node {
    fn new(channel: Channel, key: SecretKey) -> Self {
        assert!(matches!(channel.role(), Role::Host | Role::Client));
        Self {
            channel,
            key,
            disk: None,
            wire: VecDeque::new(),
            events: Vec::new(),
            height: HEIGHT,
            next_token: 0,
        }
    }
}
