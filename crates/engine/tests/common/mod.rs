//! A network of engines in memory: links that keep order, stores that survive a crash, one clock.
//! Nothing runs by itself; tests read as a script.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::{BTreeMap, VecDeque};

use bitcoin::Network as Chain;
use bitcoin::hashes::{Hash, sha256};
use bitcoin::secp256k1::{PublicKey, SECP256K1, SecretKey};
use steward_engine::command::ChannelInfo;
use steward_engine::config::{Config, HostConfig, Policy, default_offer};
use steward_engine::io::{Action, ConnId, Event, EventKind, Input, ReplyId};
use steward_engine::row::{InvoiceRow, PaymentRow, PaymentStatus};
use steward_engine::{AnswerAt, Command, Engine, Error, Keys, Reply};
use steward_graph::Graph;
use steward_invoice::parse;
use steward_store::{MemoryStore, Store};
use steward_wire::{ChannelId, NodeId, Onion, PaymentHash, Preimage, UpdateAddHtlc};

pub const CHAIN_HASH: [u8; 32] = [0x6f; 32];
pub const START_MS: u64 = 1_790_000_000_000;
pub const START_HEIGHT: u32 = 800_000;
/// What a client has to begin with, so that payments can flow both ways at once.
pub const INITIAL_MSAT: u64 = 400_000_000;

/// Keys derived from one byte.
pub struct TestKeys(pub u8);

impl TestKeys {
    fn derive(&self, purpose: &[u8]) -> SecretKey {
        let mut bytes = vec![self.0];
        bytes.extend_from_slice(purpose);
        SecretKey::from_slice(sha256::Hash::hash(&bytes).as_byte_array()).unwrap()
    }
}

impl Keys for TestKeys {
    fn node(&self) -> SecretKey {
        self.derive(b"node")
    }
    fn towards_host(&self, host: &NodeId) -> SecretKey {
        self.derive(&host.0)
    }
    fn invoice(&self, payment_hash: &PaymentHash) -> SecretKey {
        self.derive(&payment_hash.0)
    }
    fn refund_scriptpubkey(&self, host: &NodeId) -> Vec<u8> {
        let key = PublicKey::from_secret_key(SECP256K1, &self.towards_host(host));
        let hash = bitcoin::hashes::hash160::Hash::hash(&key.serialize());
        [[0u8, 20].as_slice(), hash.as_byte_array()].concat()
    }
}

pub fn id_of(key: &SecretKey) -> NodeId {
    PublicKey::from_secret_key(SECP256K1, key).into()
}

pub fn config() -> Config {
    let mut offer = default_offer(1_000_000);
    offer.initial_client_balance_msat = INITIAL_MSAT;
    Config {
        network: Chain::Regtest,
        chain_hash: CHAIN_HASH,
        host: HostConfig { offer, max_opens_per_prefix_per_hour: 1_000, ..HostConfig::default() },
        policy: Policy::default(),
        accept_keysend: true,
    }
}

/// One end of a connection.
#[derive(Clone, Copy)]
struct Link {
    to: usize,
    their_conn: ConnId,
}

pub struct Node {
    pub engine: Option<Engine>,
    pub store: MemoryStore,
    pub config: Config,
    seed: u8,
    pub events: Vec<Event>,
    pub logs: Vec<(&'static str, String)>,
    replies: BTreeMap<ReplyId, Result<Reply, Error>>,
    links: BTreeMap<ConnId, Link>,
    inbox: VecDeque<Input>,
    graph: Graph,
    /// The time it was told last.
    told_ms: u64,
    /// Frames for connections that a test holds itself.
    taps: BTreeMap<ConnId, Vec<(u16, Vec<u8>)>>,
    /// The test answers this node's requests for routes.
    routes_by_hand: bool,
}

pub struct Net {
    pub nodes: Vec<Node>,
    pub now_ms: u64,
    pub height: u32,
    last_conn: u64,
    last_reply: u64,
    entropy: u64,
}

impl Net {
    /// Nodes that know the height and no peers.
    pub fn new(configs: Vec<Config>) -> Self {
        let nodes = configs
            .into_iter()
            .enumerate()
            .map(|(index, config)| Node {
                engine: None,
                store: MemoryStore::new(),
                config,
                seed: index as u8 + 1,
                events: Vec::new(),
                logs: Vec::new(),
                replies: BTreeMap::new(),
                links: BTreeMap::new(),
                inbox: VecDeque::new(),
                graph: Graph::new(Chain::Regtest),
                told_ms: START_MS,
                taps: BTreeMap::new(),
                routes_by_hand: false,
            })
            .collect();
        let mut net = Self {
            nodes,
            now_ms: START_MS,
            height: START_HEIGHT,
            last_conn: 0,
            last_reply: 0,
            entropy: 0,
        };
        (0..net.nodes.len()).for_each(|node| net.start(node));
        net
    }

    /// A host, 0, and this many clients with open channels.
    pub fn host_and_clients(clients: usize) -> Self {
        let mut net = Self::new(vec![config(); clients + 1]);
        for client in 1..=clients {
            net.open(client, 0);
        }
        net
    }

    pub fn id(&self, node: usize) -> NodeId {
        id_of(&TestKeys(self.nodes[node].seed).node())
    }

    /// What `client` is called by `host`.
    pub fn client_id(&self, client: usize, host: usize) -> NodeId {
        id_of(&TestKeys(self.nodes[client].seed).towards_host(&self.id(host)))
    }

    pub fn start(&mut self, node: usize) {
        let now_ms = self.now_ms;
        let height = self.height;
        let n = &mut self.nodes[node];
        let snapshot = n.store.load(now_ms).unwrap();
        let keys = Box::new(TestKeys(n.seed));
        n.engine = Some(Engine::new(n.config.clone(), keys, snapshot, now_ms).unwrap());
        n.inbox.push_back(Input::Chain { height, stale: false });
        self.settle();
    }

    /// A new node whose chain source has not spoken yet.
    pub fn forget_the_chain(&mut self, node: usize) {
        let now_ms = self.now_ms;
        let n = &mut self.nodes[node];
        n.store = MemoryStore::new();
        let keys = Box::new(TestKeys(n.seed));
        let snapshot = n.store.load(now_ms).unwrap();
        n.engine = Some(Engine::new(n.config.clone(), keys, snapshot, now_ms).unwrap());
    }

    /// Power fails: memory and everything on its wires is gone; the store stays.
    pub fn crash(&mut self, node: usize) {
        let links = std::mem::take(&mut self.nodes[node].links);
        for link in links.into_values() {
            self.nodes[link.to].links.remove(&link.their_conn);
            let lost = Input::PeerDisconnected { conn: link.their_conn };
            self.nodes[link.to].inbox.push_back(lost);
        }
        let n = &mut self.nodes[node];
        n.engine = None;
        n.inbox.clear();
    }

    pub fn connect(&mut self, client: usize, host: usize) {
        let (client_conn, host_conn) = (self.next_conn(), self.next_conn());
        let (client_id, host_id) = (self.client_id(client, host), self.id(host));
        self.link(client, client_conn, host, host_conn);
        let features = hosted_features();
        let connected = |conn, peer, local, inbound| Input::PeerConnected {
            conn,
            peer,
            local,
            features: features.clone(),
            inbound,
            address: "127.0.0.1:9735".to_owned(),
        };
        let to_client = connected(client_conn, host_id, client_id, false);
        let to_host = connected(host_conn, client_id, host_id, true);
        self.nodes[client].inbox.push_back(to_client);
        self.nodes[host].inbox.push_back(to_host);
    }

    /// What is under way in either direction is lost.
    pub fn disconnect(&mut self, a: usize, b: usize) {
        let links: Vec<(ConnId, Link)> =
            self.nodes[a].links.iter().filter(|(_, l)| l.to == b).map(|(c, l)| (*c, *l)).collect();
        for (conn, link) in links {
            self.break_link(a, conn, link);
        }
    }

    fn break_link(&mut self, a: usize, conn: ConnId, link: Link) {
        self.nodes[a].links.remove(&conn);
        self.nodes[link.to].links.remove(&link.their_conn);
        for (node, conn) in [(a, conn), (link.to, link.their_conn)] {
            let inbox = &mut self.nodes[node].inbox;
            inbox.retain(|input| !matches!(input, Input::Frames { conn: c, .. } if *c == conn));
            inbox.push_back(Input::PeerDisconnected { conn });
        }
    }

    pub fn open(&mut self, client: usize, host: usize) {
        let host_id = self.id(host);
        let invoke =
            Command::InvokeChannel { host: host_id, addresses: Vec::new(), secret: Vec::new() };
        self.command(client, invoke).unwrap();
        self.connect(client, host);
        self.settle();
        assert_eq!(self.channel(client, host).phase, steward_channel::Phase::Active);
    }

    pub fn tick(&mut self, ms: u64) {
        self.now_ms += ms;
        self.settle();
    }

    pub fn mine(&mut self, blocks: u32) {
        self.height += blocks;
        let height = self.height;
        for node in &mut self.nodes {
            node.inbox.push_back(Input::Chain { height, stale: false });
        }
        self.settle();
    }

    /// Runs every node until nothing is left to do.
    pub fn settle(&mut self) {
        while self.step_any() {}
    }

    fn step_any(&mut self) -> bool {
        let moved: Vec<bool> = (0..self.nodes.len()).map(|node| self.step(node)).collect();
        moved.contains(&true)
    }

    /// One batch of one node: all that waits is handled, committed and carried out.
    pub fn step(&mut self, node: usize) -> bool {
        if self.nodes[node].inbox.is_empty() && !self.is_due(node) {
            return false;
        }
        let Some(actions) = self.batch(node) else { return false };
        for action in actions {
            self.act(node, action);
        }
        true
    }

    /// One batch of one node up to the commit; nothing has left yet.
    pub fn batch(&mut self, node: usize) -> Option<Vec<Action>> {
        let now_ms = self.now_ms;
        let n = &mut self.nodes[node];
        let engine = n.engine.as_mut()?;
        n.told_ms = now_ms;
        engine.handle(Input::Tick { now_ms });
        while let Some(input) = n.inbox.pop_front() {
            engine.handle(input);
        }
        let effects = engine.finish();
        n.store.commit(&effects.writes).unwrap();
        Some(effects.actions)
    }

    /// A batch whose commit never happened: the node stops in it.
    pub fn uncommitted_batch(&mut self, node: usize) {
        let now_ms = self.now_ms;
        let n = &mut self.nodes[node];
        let Some(engine) = n.engine.as_mut() else { return };
        engine.handle(Input::Tick { now_ms });
        while let Some(input) = n.inbox.pop_front() {
            engine.handle(input);
        }
        engine.finish();
    }

    fn is_due(&self, node: usize) -> bool {
        let n = &self.nodes[node];
        n.engine.is_some() && n.told_ms < self.now_ms
    }

    pub fn act(&mut self, node: usize, action: Action) {
        match action {
            Action::Send { conn, frames } => {
                if let Some(tap) = self.nodes[node].taps.get_mut(&conn) {
                    tap.extend(frames);
                } else if let Some(link) = self.nodes[node].links.get(&conn).copied() {
                    let input = Input::Frames { conn: link.their_conn, frames };
                    self.nodes[link.to].inbox.push_back(input);
                }
            }
            Action::Disconnect { conn, .. } => {
                if let Some(link) = self.nodes[node].links.get(&conn).copied() {
                    self.break_link(node, conn, link);
                }
            }
            Action::Reply { reply, result } => {
                self.nodes[node].replies.insert(reply, result);
            }
            Action::FindRoute(_) if self.nodes[node].routes_by_hand => {}
            Action::FindRoute(request) => {
                self.entropy += 1;
                let entropy = sha256::Hash::hash(&self.entropy.to_be_bytes()).to_byte_array();
                let payer = self.id(node);
                let found = self.nodes[node].graph.find_route(&request, entropy, payer);
                self.nodes[node].inbox.push_back(Input::Route {
                    payment_hash: request.payment_hash,
                    attempt: request.attempt,
                    result: found.map_err(|error| error.to_string()),
                });
            }
            Action::PathResult(result) => self.nodes[node].graph.record(&result, self.now_ms),
            Action::Notice(event) => self.nodes[node].events.push(event),
            Action::Log { code, text, .. } => self.nodes[node].logs.push((code, text)),
            Action::KeepConnected { .. } => {}
        }
    }

    /// From now on the test plays the far end of this connection.
    pub fn wiretap(&mut self, node: usize, conn: ConnId) {
        self.nodes[node].taps.insert(conn, Vec::new());
    }

    /// What was sent on a tapped connection since the last call.
    pub fn tapped(&mut self, conn: ConnId) -> Vec<(u16, Vec<u8>)> {
        let mut taps = self.nodes.iter_mut().filter_map(|node| node.taps.get_mut(&conn));
        taps.next().map(std::mem::take).unwrap_or_default()
    }

    /// A connection to `host` in the name of `client`, played by the test.
    pub fn impersonate(&mut self, client: usize, host: usize) -> ConnId {
        let conn = self.next_conn();
        self.wiretap(host, conn);
        let connected = Input::PeerConnected {
            conn,
            peer: self.client_id(client, host),
            local: self.id(host),
            features: hosted_features(),
            inbound: true,
            address: "127.0.0.1:2".to_owned(),
        };
        self.input(host, connected);
        self.settle();
        conn
    }

    /// An add as `client` could send it to `host` next, with an onion nobody can read.
    pub fn raw_add(&mut self, client: usize, host: usize, amount_msat: u64) -> UpdateAddHtlc {
        let state = self.channel(client, host).state.unwrap();
        UpdateAddHtlc {
            channel_id: ChannelId::of_pair(&self.client_id(client, host), &self.id(host)),
            id: u64::from(state.local_updates) + 1,
            amount_msat,
            payment_hash: PaymentHash([1; 32]),
            cltv_expiry: self.height + 500,
            onion: Onion(Box::new([0; 1366])),
            tlvs: Vec::new(),
        }
    }

    /// The connection `node` has with `other`.
    pub fn conn(&self, node: usize, other: usize) -> ConnId {
        let links = &self.nodes[node].links;
        *links.iter().rev().find(|(_, link)| link.to == other).expect("connected").0
    }

    pub fn channel_count(&mut self, node: usize) -> usize {
        match self.command(node, Command::ListChannels) {
            Ok(Reply::Channels(channels)) => channels.len(),
            other => panic!("{other:?}"),
        }
    }

    pub fn answer_routes_by_hand(&mut self, node: usize) {
        self.nodes[node].routes_by_hand = true;
    }

    pub fn input(&mut self, node: usize, input: Input) {
        self.nodes[node].inbox.push_back(input);
    }

    /// A command, not yet carried out.
    pub fn issue(&mut self, node: usize, command: Command) -> ReplyId {
        self.last_reply += 1;
        let reply = ReplyId(self.last_reply);
        self.nodes[node].inbox.push_back(Input::Command { reply, command });
        reply
    }

    pub fn reply(&mut self, node: usize, reply: ReplyId) -> Result<Reply, Error> {
        self.nodes[node].replies.remove(&reply).expect("the command was answered")
    }

    /// A command, and everything it causes.
    pub fn command(&mut self, node: usize, command: Command) -> Result<Reply, Error> {
        let reply = self.issue(node, command);
        self.settle();
        self.reply(node, reply)
    }

    pub fn channel(&mut self, node: usize, host_or_client: usize) -> ChannelInfo {
        let as_client = self.id(host_or_client);
        let as_host = self.client_id(host_or_client, node);
        for peer in [as_client, as_host] {
            if let Ok(Reply::Channel(info)) = self.command(node, Command::ShowChannel { peer }) {
                return *info;
            }
        }
        panic!("no channel between {node} and {host_or_client}");
    }

    /// The client's balance, in millisatoshi, on which both sides must agree to the byte.
    pub fn agreed_balance_msat(&mut self, client: usize, host: usize) -> u64 {
        let ours = self.channel(client, host);
        let theirs = self.channel(host, client);
        assert_eq!(ours.signatures_valid, Some(true), "the client's copy is proved");
        assert_eq!(theirs.signatures_valid, Some(true), "the host's copy is proved");
        let state = ours.state.unwrap();
        assert_eq!(state.reverse(), theirs.state.unwrap(), "both hold the same state");
        assert!(state.is_balanced());
        assert!(state.incoming_htlcs.is_empty() && state.outgoing_htlcs.is_empty());
        state.local_balance_msat
    }

    pub fn invoice(&mut self, node: usize, amount_msat: Option<u64>) -> InvoiceRow {
        self.entropy += 1;
        let random = sha256::Hash::hash(&self.entropy.to_le_bytes()).to_byte_array();
        let command = Command::CreateInvoice {
            amount_msat,
            description: "a test".to_owned(),
            expiry_s: 3600,
            preimage: Preimage(random),
            payment_secret: sha256::Hash::hash(&random).to_byte_array(),
        };
        match self.command(node, command) {
            Ok(Reply::Invoice(row)) => row,
            other => panic!("{other:?}"),
        }
    }

    pub fn pay_command(&self, bolt11: &str, amount_msat: Option<u64>) -> Command {
        let invoice = Box::new(parse(bolt11).unwrap());
        let answer = AnswerAt::Start;
        Command::Pay { invoice, amount_msat, max_fee_msat: None, answer }
    }

    /// Pays and returns the payment as it stands when nothing moves any more.
    pub fn pay(&mut self, node: usize, bolt11: &str) -> Result<PaymentRow, Error> {
        let command = self.pay_command(bolt11, None);
        let hash = parse(bolt11).unwrap().payment_hash;
        self.command(node, command)?;
        Ok(self.payment(node, hash))
    }

    pub fn payment(&mut self, node: usize, payment_hash: PaymentHash) -> PaymentRow {
        match self.command(node, Command::GetPayment { payment_hash }) {
            Ok(Reply::Payment(row)) => row,
            other => panic!("{other:?}"),
        }
    }

    pub fn received(&self, node: usize, hash: PaymentHash) -> Option<u64> {
        self.nodes[node].events.iter().find_map(|event| match &event.kind {
            EventKind::InvoicePaid { payment_hash, received_msat } if *payment_hash == hash => {
                Some(*received_msat)
            }
            _ => None,
        })
    }

    /// How a payment stands in the payer's store; `None` if it was never begun.
    pub fn outcome(&self, payer: usize, hash: PaymentHash) -> Option<PaymentStatus> {
        let history = self.nodes[payer].store.history().unwrap();
        history.payment(&hash).unwrap().map(|found| found.payment.status)
    }

    /// True if the payee's store says the invoice is paid.
    pub fn was_received(&self, payee: usize, hash: PaymentHash) -> bool {
        let history = self.nodes[payee].store.history().unwrap();
        history.invoice(&hash).unwrap().is_some_and(|row| row.status == PaymentStatus::Complete)
    }

    /// True if the node has an HTLC in any of its channels that it offered itself.
    pub fn nodes_hold_htlc(&mut self, node: usize) -> bool {
        let channels = match self.nodes[node].engine.as_mut() {
            Some(_) => self.peek_channels(node),
            None => Vec::new(),
        };
        channels.iter().any(|info| info.summary.as_ref().is_some_and(|s| s.outgoing_htlcs > 0))
    }

    /// The channels as they are, without letting anybody else move.
    fn peek_channels(&mut self, node: usize) -> Vec<ChannelInfo> {
        let reply = self.issue(node, Command::ListChannels);
        self.step(node);
        match self.reply(node, reply) {
            Ok(Reply::Channels(channels)) => channels,
            other => panic!("{other:?}"),
        }
    }

    pub fn has_logged(&self, node: usize, code: &str) -> bool {
        self.nodes[node].logs.iter().any(|(logged, _)| *logged == code)
    }

    fn next_conn(&mut self) -> ConnId {
        self.last_conn += 1;
        ConnId(self.last_conn)
    }

    fn link(&mut self, a: usize, a_conn: ConnId, b: usize, b_conn: ConnId) {
        self.nodes[a].links.insert(a_conn, Link { to: b, their_conn: b_conn });
        self.nodes[b].links.insert(b_conn, Link { to: a, their_conn: a_conn });
    }
}

pub fn is_complete(row: &PaymentRow) -> bool {
    row.status == PaymentStatus::Complete
}

/// Bits 257 and 32973, as our transport advertises.
pub fn hosted_features() -> Vec<u8> {
    let mut features = vec![0u8; 32_973 / 8 + 1];
    let len = features.len();
    for bit in [257usize, 32_973] {
        features[len - 1 - bit / 8] |= 1 << (bit % 8);
    }
    features
}
