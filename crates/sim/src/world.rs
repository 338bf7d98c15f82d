//! The simulated world, and the single steps in which it moves: an engine handles what waits, a
//! disk makes a batch durable, an action is carried out, a message arrives, a node starts.

use std::collections::BTreeMap;

use steward_engine::io::{Action, Input, ReplyId};
use steward_engine::row::{Row, RowKey, Setting, SettingName};
use steward_engine::{Command, ConnId, Engine};
use steward_htlc::IncomingSettlement;
use steward_testkit::act::{arrive, carry_out, split_warnings};
use steward_wire::LinkId;
use steward_wire::invariant::as_in_release;

use crate::byzantine::{AttackCounts, ByzantineNode};
use crate::chain::Chain;
use crate::deployed::{Ears, Manner};
use crate::fault::{FaultCounts, FaultKind};
use crate::link::{Frame, Links};
use crate::mutation::{Injector, Mutation, Runtime};
use crate::node::{Batch, Node, features};
use crate::oracle::{Oracles, Rule, Violation, no_bug};
use crate::rng::Rng;
use crate::topology::Topology;
use crate::trace::Trace;
use crate::traffic::Traffic;

/// The beginning of every simulation, unix milliseconds.
pub(crate) const START_MS: u64 = 1_790_000_000_000;
/// A chain source that is silent for this long is stale beyond doubt, in milliseconds.
const CERTAINLY_STALE_MS: u64 = 10_000;
/// Share of simulations in which little goes wrong, per mille.
const CALM_PER_MILLE: u64 = 340;
/// The wait before a connection to a byzantine node is made again once faults are over, in
/// milliseconds.
const PATIENCE_MS: u64 = 60_000;

/// The state of one planned channel.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct EdgeState {
    /// The client asked for it.
    pub is_invoked: bool,
    /// The time of its next connection, unix milliseconds.
    pub connects_at_ms: u64,
    /// Nothing passes until this height.
    pub silent_until: Option<u32>,
}

/// Everything.
pub(crate) struct World {
    /// The only source of chance.
    pub rng: Rng,
    /// Unix time, milliseconds.
    pub now_ms: u64,
    /// The best chain.
    pub chain: Chain,
    /// The planned channels, with their ends and terms.
    pub topology: Topology,
    /// All nodes.
    pub nodes: Vec<Node>,
    /// State of each planned channel.
    pub edges: Vec<EdgeState>,
    /// Connections.
    pub links: Links,
    /// Payments asked for.
    pub traffic: Traffic,
    /// The oracles, which watch every step.
    pub oracles: Oracles,
    /// Hostile nodes.
    pub(crate) byzantine_nodes: BTreeMap<usize, ByzantineNode>,
    /// The attacks so far, counted.
    pub(crate) attacks: AttackCounts,
    /// The connections of nodes that behave as the deployed programs do.
    pub(crate) ears: Ears,
    /// The faults so far, counted.
    pub faults: FaultCounts,
    /// Steps so far.
    pub steps: u64,
    /// The record of the run.
    pub trace: Trace,
    /// A rule that is broken on purpose.
    pub(crate) injector: Option<Injector>,
    /// Little goes wrong: most payments should arrive.
    pub is_calm: bool,
    /// Nodes speak the modern framing.
    pub is_modern: bool,
    /// Until then operators put right at once what is suspended.
    pub operators_hurry_ms: u64,
    /// Faults are over: operators put things right.
    pub is_healing: bool,
    last_reply: u64,
}

impl World {
    /// Nodes that are down, with empty disks.
    pub(crate) fn new(seed: u64, mutation: Option<Mutation>, trace: Trace) -> Self {
        let mut rng = Rng::new(seed);
        let topology = Topology::random(&mut rng);
        let nodes: Vec<Node> =
            topology.policies.iter().enumerate().map(|(i, p)| Node::new(i, *p)).collect();
        let edges = vec![EdgeState::default(); topology.edges.len()];
        let is_modern = rng.chance(800);
        let is_calm = rng.chance(CALM_PER_MILLE);
        Self {
            oracles: Oracles::new(&topology),
            rng,
            now_ms: START_MS,
            chain: Chain::default(),
            topology,
            nodes,
            edges,
            links: Links::default(),
            traffic: Traffic::default(),
            byzantine_nodes: BTreeMap::new(),
            attacks: AttackCounts::new(),
            ears: Ears::new(),
            faults: FaultCounts::new(),
            steps: 0,
            trace,
            injector: mutation.map(Injector::new),
            is_calm,
            is_modern,
            operators_hurry_ms: 0,
            is_healing: false,
            last_reply: 0,
        }
    }

    /// Counts a fault.
    pub(crate) fn count(&mut self, kind: FaultKind) {
        *self.faults.entry(kind).or_default() += 1;
    }

    /// Gives a command to a node.
    pub(crate) fn issue(&mut self, node: usize, command: Command) -> ReplyId {
        self.last_reply += 1;
        let reply = ReplyId(self.last_reply);
        self.nodes[node].inbox.push_back(Input::Command { reply, command });
        reply
    }

    /// A node begins from its disk.
    pub(crate) fn start(&mut self, node: usize) -> Result<(), Violation> {
        self.trace.line(self.now_ms, node, || "starts".to_owned());
        let n = &mut self.nodes[node];
        // Never as much as a date: code that mistakes one clock for the other is far off.
        n.boot_ms = (n.life % 5) * 86_400_000;
        let time = n.time(self.now_ms);
        if let Some(injector) = &self.injector {
            injector.corrupt_disk(&mut n.disk, n.life);
        }
        let mut snapshot =
            n.disk.load(time.wall_ms).map_err(|e| Violation::new(Rule::Rest, node, e))?;
        let mut config = n.config.clone();
        if let Some(injector) = &mut self.injector {
            injector.corrupt_start(&mut snapshot, &mut config, &n.keys.node_id());
            n.pending.extend(injector.late_batch(node));
        }
        let engine = as_in_release(|| Engine::new(config, Box::new(n.keys), snapshot, time));
        let engine = engine.map_err(|error| {
            Violation::new(Rule::Rest, node, format!("it does not start: {error}"))
        })?;
        n.engine = Some(engine);
        n.life += 1;
        n.wakeup_ms = Some(time.now_ms);
        self.oracles.node_started(node, n.life, &n.disk);
        Ok(())
    }

    /// The engine handles up to `most` inputs as one batch.
    pub(crate) fn run(&mut self, node: usize, most: usize) -> Result<(), Violation> {
        let now_ms = self.now_ms;
        let n = &mut self.nodes[node];
        let time = n.time(now_ms);
        let Some(engine) = &mut n.engine else { return Ok(()) };
        as_in_release(|| engine.handle(Input::Tick(time)));
        let tip_was_stale =
            n.stale_since_ms.is_some_and(|since| since + CERTAINLY_STALE_MS < now_ms);
        for _ in 0..most {
            let Some(mut input) = n.inbox.pop_front() else { break };
            self.trace.input(now_ms, node, &input);
            match &input {
                Input::Chain { stale, .. } => {
                    let never = Mutation::Runtime(Runtime::NeverStale);
                    let is_stale = *stale || self.injector.as_ref().is_some_and(|s| s.is(never));
                    n.stale_since_ms = is_stale.then(|| n.stale_since_ms.unwrap_or(now_ms));
                }
                Input::Frames { conn, frames } => {
                    self.oracles.frames_handled(node, *conn, frames, &n.disk, &self.topology);
                }
                _ => {}
            }
            if let Some(injector) = &self.injector {
                injector.corrupt_input(&mut input, &n.disk);
            }
            as_in_release(|| engine.handle(input));
        }
        let effects = as_in_release(|| engine.finish());
        no_bug(node, &effects.actions)?;
        n.wakeup_ms = effects.wakeup_ms;
        // News within the batch may have ended it.
        let tip_was_stale = tip_was_stale && n.stale_since_ms.is_some();
        let life = n.life;
        let (inward, actions) = effects.actions.into_iter().partition(Action::is_inward);
        n.released.extend::<Vec<_>>(inward);
        let writes = effects.writes;
        let mut batch = Batch { writes, actions, tip_was_stale, life };
        if let Some(injector) = &mut self.injector {
            injector.corrupt_wakeup(&mut n.wakeup_ms, time.now_ms);
            injector.corrupt_batch(node, &mut batch, &n.disk, &self.topology);
            if injector.is(Mutation::Runtime(Runtime::SendBeforeCommit)) {
                let actions = std::mem::take(&mut batch.actions);
                self.release(node, actions)?;
            }
        }
        self.nodes[node].pending.push_back(batch);
        Ok(())
    }

    /// The disk makes the oldest batches durable.
    pub(crate) fn commit(&mut self, node: usize, batches: usize) -> Result<(), Violation> {
        for _ in 0..batches {
            let Some(batch) = self.nodes[node].pending.pop_front() else { break };
            self.commit_one(node, batch)?;
        }
        Ok(())
    }

    /// Makes one batch durable and lets its actions go.
    pub(crate) fn commit_one(&mut self, node: usize, batch: Batch) -> Result<(), Violation> {
        self.trace.commit(self.now_ms, node, &batch.writes);
        let n = &mut self.nodes[node];
        let changed = n
            .disk
            .commit(&batch.writes)
            .map_err(|error| Violation::new(Rule::Rest, node, error))?;
        if let Some(injector) = &mut self.injector {
            injector.batch_is_durable(node, &batch);
        }
        self.oracles.committed(node, &batch, &changed, &n.disk, &self.chain, &self.topology)?;
        self.release(node, batch.actions)
    }

    fn release(&mut self, node: usize, actions: Vec<Action>) -> Result<(), Violation> {
        for action in &actions {
            let disk = &self.nodes[node].disk;
            self.oracles.visible(node, action, disk, &self.topology)?;
        }
        self.nodes[node].released.extend(actions);
        Ok(())
    }

    /// Carries out the oldest durable action.
    pub(crate) fn act(&mut self, node: usize) -> Result<(), Violation> {
        match self.nodes[node].released.pop_front() {
            Some(action) => carry_out(self, node, action),
            None => Ok(()),
        }
    }

    /// True if a mutation keeps these frames from arriving.
    pub(crate) fn is_swallowed(&mut self, node: usize, conn: ConnId, frames: &[Frame]) -> bool {
        let (Some(injector), Some(end)) = (&mut self.injector, self.links.get(conn)) else {
            return false;
        };
        injector.swallows(node, end.edge, frames, &self.oracles, &self.topology)
    }

    /// The next frames of a connection arrive.
    pub(crate) fn deliver(&mut self, conn: ConnId) {
        let Some(end) = self.links.get_mut(conn) else { return };
        let most = self.rng.between(1, 4) as usize;
        let count = most.min(end.queue.len());
        let frames: Vec<Frame> = end.queue.drain(..count).collect();
        let node = end.node;
        self.observe_incoming(node, conn, &frames);
        let (warnings, frames) = split_warnings(frames);
        let frames = self.as_heard(node, conn, frames);
        self.nodes[node].inbox.extend(arrive(conn, warnings, frames));
    }

    /// An end notices that its connection is broken.
    pub(crate) fn close(&mut self, conn: ConnId) {
        if let Some(end) = self.links.drop_end(conn) {
            self.nodes[end.node].inbox.push_back(Input::PeerDisconnected { conn });
        }
    }

    /// The connection of this end breaks, and is made again some time later.
    pub(crate) fn break_link(&mut self, conn: ConnId) {
        let Some(edge) = self.links.get(conn).map(|end| end.edge) else { return };
        self.links.break_off(conn, self.now_ms, &mut self.rng);
        let wait_ms = match self.rng.chance(700) {
            true if self.is_healing && self.is_hostile_edge(edge) => PATIENCE_MS,
            true => 0,
            false => self.rng.below(10_000),
        };
        self.edges[edge].connects_at_ms = self.now_ms + wait_ms;
    }

    /// The client of this channel connects.
    pub(crate) fn connect(&mut self, edge: usize) {
        let plan = self.topology.edges[edge];
        let (client, host) = self.links.connect(edge, plan.client, plan.host);
        self.oracles.connected(edge, client, host);
        for (conn, node, inbound) in [(client, plan.client, false), (host, plan.host, true)] {
            self.deployed_connects(node, conn, inbound);
            // Who knows no other framing has no use for what the peer says of its own.
            let shown_by = match self.nodes[node].manner {
                Manner::Steward => self.nodes[plan.other(node)].manner,
                _ => Manner::Eclair,
            };
            self.nodes[node].inbox.push_back(Input::PeerConnected {
                conn,
                peer: plan.peer_of(node),
                local: plan.id_of(node),
                features: features(self.is_modern, shown_by),
                inbound,
                address: "127.0.0.1:9735".to_owned(),
            });
        }
    }

    /// The chain source of a node speaks.
    pub(crate) fn tell_chain(&mut self, node: usize) {
        let target = self.chain_news(node);
        if let Some((height, stale)) = target {
            let n = &mut self.nodes[node];
            let asked_ms = (!stale).then(|| n.time(self.now_ms).now_ms);
            n.inbox.push_back(Input::Chain { height, stale, asked_ms });
            n.told = target;
        }
    }

    /// Returns the report of a node's chain source, if it differs from the last one.
    pub(crate) fn chain_news(&self, node: usize) -> Option<(u32, bool)> {
        let n = &self.nodes[node];
        let is_silent = self.now_ms < n.stale_until_ms;
        let news = match n.told {
            Some((height, _)) if is_silent => (height, true),
            _ if is_silent => return None,
            _ => (self.chain.height(), false),
        };
        (n.told != Some(news)).then_some(news)
    }

    /// A search of blocks is done.
    pub(crate) fn answer_search(&mut self, node: usize) {
        if let Some((first, last)) = self.nodes[node].searches.pop_front() {
            let preimages = self.chain.preimages(first, last);
            self.nodes[node].inbox.push_back(Input::Searched { to_height: last, preimages });
        }
    }

    /// An operator publishes, too early, what the peer has not signed.
    pub(crate) fn publish_preimages(&mut self, node: usize, link: &LinkId) {
        let disk = &self.nodes[node].disk;
        let Some(channel) = disk.channel(link) else { return };
        let given: Vec<_> = channel
            .incoming_htlcs()
            .filter_map(|htlc| match htlc.settlement {
                // Not what another HTLC of the same hash was given: its payer would take it for
                // the claim of an HTLC that was failed.
                Some(IncomingSettlement::Fulfill(preimage)) => Some(preimage),
                _ => None,
            })
            .collect();
        for preimage in given {
            self.trace.line(self.now_ms, node, || "publishes a preimage on chain".to_owned());
            self.chain.broadcast(preimage);
            self.count(FaultKind::PreimageOnChain);
        }
    }

    /// Returns how many blocks the node furthest behind is behind the chain.
    pub(crate) fn blocks_behind(&self) -> u32 {
        let height = self.chain.height();
        let known = |node: &Node| node.told.map_or(0, |(told, _)| told);
        let behind = |node: &Node| {
            // What it read last counts also while it is down.
            let durable = node.disk.row(&RowKey::Setting(SettingName::Height));
            let durable = match durable {
                Some(Row::Setting(Setting::Height(height))) => *height,
                _ => known(node),
            };
            height.saturating_sub(durable)
        };
        self.nodes.iter().map(behind).max().unwrap_or(0)
    }

    /// Channels by the short way: the durable one on this side of an edge.
    pub(crate) fn durable(&self, edge: usize, node: usize) -> Option<&steward_hosted::Channel> {
        self.nodes[node].disk.channel(&self.topology.edges[edge].link)
    }
}
