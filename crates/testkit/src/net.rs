//! The network itself: nodes, links that keep order, batches, crashes.

mod act;
pub(crate) mod ask;
pub(crate) mod copies;
mod far_end;
pub(crate) mod parts;

use std::collections::{BTreeMap, VecDeque};

use bitcoin::Network as Chain;
use steward_engine::HoldReport;
use steward_engine::config::Config;
use steward_engine::event::Event;
use steward_engine::io::{Action, ConnId, Input, ReplyId, RouteRequest};
use steward_engine::row::{LocalIdentity, WriteBatch};
use steward_engine::{Command, Engine, Error, Reply, Time};
use steward_graph::Graph;
use steward_store::{MemoryStore, Store};
use steward_wire::{NodeId, Preimage};

use crate::keys::{TestKeys, config, hosted_features, id_of};

const START_MS: u64 = 1_790_000_000_000;
/// What the clock that nobody sets shows then: far from any date.
const START_UP_MS: u64 = 60_000;
/// The height at which every network begins.
pub const START_HEIGHT: u32 = 800_000;

/// One end of a connection.
#[derive(Clone, Copy)]
struct Link {
    to: usize,
    their_conn: ConnId,
}

/// One node: its engine, its store, and everything it was told or told others.
pub struct Node {
    /// The engine; `None` while the node is down.
    pub engine: Option<Engine>,
    /// The store, which survives a crash.
    pub store: MemoryStore,
    /// What the store is made of.
    committed: Vec<WriteBatch>,
    /// The settings for the next start.
    pub config: Config,
    seed: u8,
    /// The events so far.
    pub events: Vec<Event>,
    /// The lines of the log so far: code and text.
    pub logs: Vec<(&'static str, String)>,
    replies: BTreeMap<ReplyId, Result<Reply, Error>>,
    links: BTreeMap<ConnId, Link>,
    inbox: VecDeque<Input>,
    graph: Graph,
    /// How far its wall clock is off.
    pub wall_offset_ms: i64,
    /// Its chain source answers nothing.
    pub chain_is_silent: bool,
    /// The time it was told last.
    told_ms: u64,
    /// Frames for connections that a test holds itself.
    taps: BTreeMap<ConnId, Vec<(u16, Vec<u8>)>>,
    /// The test answers this node's requests for routes.
    routes_by_hand: bool,
    /// Those requests.
    pub route_requests: Vec<RouteRequest>,
    /// Blocks it asked to be searched, first and last.
    pub searches: Vec<(u32, u32)>,
    /// The test says when a search is done.
    pub searches_by_hand: bool,
}

/// A network of nodes with one clock and one chain.
pub struct Net {
    /// What payers learned of hold times, with the payer.
    pub hold_reports: Vec<(usize, HoldReport)>,
    /// All nodes, by number.
    pub nodes: Vec<Node>,
    /// Unix time, in milliseconds.
    pub now_ms: u64,
    /// The best height.
    pub height: u32,
    /// Preimages published, by the height of their block.
    pub on_chain: Vec<(u32, Preimage)>,
    /// What both ends of a new connection announce.
    pub features: Vec<u8>,
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
                committed: Vec::new(),
                config,
                seed: index as u8 + 1,
                events: Vec::new(),
                logs: Vec::new(),
                replies: BTreeMap::new(),
                links: BTreeMap::new(),
                inbox: VecDeque::new(),
                graph: Graph::new(Chain::Regtest),
                wall_offset_ms: 0,
                chain_is_silent: false,
                told_ms: START_MS,
                taps: BTreeMap::new(),
                routes_by_hand: false,
                route_requests: Vec::new(),
                searches: Vec::new(),
                searches_by_hand: false,
            })
            .collect();
        let mut net = Self {
            hold_reports: Vec::new(),
            nodes,
            now_ms: START_MS,
            height: START_HEIGHT,
            on_chain: Vec::new(),
            features: hosted_features(),
            last_conn: 0,
            last_reply: 0,
            entropy: 0,
        };
        (0..net.nodes.len()).for_each(|node| net.start(node));
        // Past the moments after a start in which forwards wait for peers to come back.
        net.tick(31_000);
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

    /// Returns the identity of a node as host.
    pub fn id(&self, node: usize) -> NodeId {
        id_of(&TestKeys(self.nodes[node].seed).node())
    }

    /// What `client` is called by `host`.
    pub fn client_id(&self, client: usize, host: usize) -> NodeId {
        id_of(&TestKeys(self.nodes[client].seed).towards_host(&self.id(host)))
    }

    /// Starts a node from its store.
    pub fn start(&mut self, node: usize) {
        let time = self.time(node);
        let news = self.chain_news(node);
        let n = &mut self.nodes[node];
        let snapshot = n.store.load(time.wall_ms).unwrap();
        let keys = Box::new(TestKeys(n.seed));
        n.engine = Some(Engine::new(n.config.clone(), keys, snapshot, time).unwrap());
        n.inbox.push_back(news);
        self.settle();
    }

    /// A new node whose chain source has not spoken yet.
    pub fn forget_the_chain(&mut self, node: usize) {
        let time = self.time(node);
        let n = &mut self.nodes[node];
        n.store = MemoryStore::new();
        n.committed.clear();
        let keys = Box::new(TestKeys(n.seed));
        let snapshot = n.store.load(time.wall_ms).unwrap();
        n.engine = Some(Engine::new(n.config.clone(), keys, snapshot, time).unwrap());
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

    /// Connects a client to a host.
    pub fn connect(&mut self, client: usize, host: usize) {
        self.connect_as(client, host, LocalIdentity::PerHost);
    }

    /// `client` connects under this key of its.
    pub fn connect_as(&mut self, client: usize, host: usize, identity: LocalIdentity) {
        let (client_conn, host_conn) = (self.next_conn(), self.next_conn());
        let host_id = self.id(host);
        let client_id = match identity {
            LocalIdentity::PerHost => self.client_id(client, host),
            LocalIdentity::Node => self.id(client),
        };
        self.link(client, client_conn, host, host_conn);
        let features = self.features.clone();
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

    /// Opens a channel of a client with a host.
    pub fn open(&mut self, client: usize, host: usize) {
        self.open_as(client, host, LocalIdentity::PerHost);
        assert_eq!(self.channel(client, host).phase, steward_hosted::Phase::Active);
    }

    /// `client` opens a channel in which it is known by this key of its.
    pub fn open_as(&mut self, client: usize, host: usize, identity: LocalIdentity) {
        let host_id = self.id(host);
        let invoke = Command::InvokeChannel {
            host: host_id,
            addresses: Vec::new(),
            identity,
            secret: Vec::new(),
        };
        self.command(client, invoke).unwrap();
        self.connect_as(client, host, identity);
        self.settle();
    }

    /// `client` asks a host that it has never met for a channel.
    pub fn invoke_by_address(&mut self, client: usize, host: NodeId, address: String) {
        let addresses = vec![address];
        let invoke = Command::InvokeChannel {
            host,
            addresses,
            identity: LocalIdentity::PerHost,
            secret: Vec::new(),
        };
        self.command(client, invoke).unwrap();
    }

    /// Moves the clock, in milliseconds, and lets all nodes run.
    pub fn tick(&mut self, ms: u64) {
        self.now_ms += ms;
        self.settle();
    }

    /// Adds blocks and lets all nodes run.
    pub fn mine(&mut self, blocks: u32) {
        self.height += blocks;
        for node in 0..self.nodes.len() {
            let news = self.chain_news(node);
            self.nodes[node].inbox.push_back(news);
        }
        self.settle();
    }

    /// The clocks of a node.
    pub fn time(&self, node: usize) -> Time {
        let wall_ms = self.now_ms.saturating_add_signed(self.nodes[node].wall_offset_ms);
        Time { now_ms: START_UP_MS + (self.now_ms - START_MS), wall_ms }
    }

    /// What a node's chain source says when it is asked now.
    pub fn chain_news(&self, node: usize) -> Input {
        let asked_ms = Some(self.time(node).now_ms);
        Input::Chain { height: self.height, stale: false, asked_ms }
    }

    /// Runs every node until nothing is left to do.
    pub fn settle(&mut self) {
        while self.step_any() {}
    }

    /// Runs every node this often, with time going on in between. Every action is shown to `watch`,
    /// which may change it, with the node that acts.
    pub fn rounds(&mut self, rounds: u32, ms: u64, mut watch: impl FnMut(usize, &mut Action)) {
        for _ in 0..rounds {
            self.now_ms += ms;
            for node in 0..self.nodes.len() {
                for mut action in self.batch(node).unwrap_or_default() {
                    watch(node, &mut action);
                    self.act(node, action);
                }
            }
        }
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
        let time = self.time(node);
        let n = &mut self.nodes[node];
        let engine = n.engine.as_mut()?;
        n.told_ms = self.now_ms;
        engine.handle(Input::Tick(time));
        while let Some(input) = n.inbox.pop_front() {
            engine.handle(input);
        }
        let effects = engine.finish();
        n.store.commit(&effects.writes).unwrap();
        n.committed.push(effects.writes);
        Some(effects.actions)
    }

    /// A batch whose commit never happened: the node stops in it.
    pub fn uncommitted_batch(&mut self, node: usize) {
        let time = self.time(node);
        let n = &mut self.nodes[node];
        let Some(engine) = n.engine.as_mut() else { return };
        engine.handle(Input::Tick(time));
        while let Some(input) = n.inbox.pop_front() {
            engine.handle(input);
        }
        engine.finish();
    }

    fn is_due(&self, node: usize) -> bool {
        let n = &self.nodes[node];
        n.engine.is_some() && n.told_ms < self.now_ms
    }

    /// Returns the number of the next connection.
    pub fn next_conn(&mut self) -> ConnId {
        self.last_conn += 1;
        ConnId(self.last_conn)
    }

    fn link(&mut self, a: usize, a_conn: ConnId, b: usize, b_conn: ConnId) {
        self.nodes[a].links.insert(a_conn, Link { to: b, their_conn: b_conn });
        self.nodes[b].links.insert(b_conn, Link { to: a, their_conn: a_conn });
    }
}
