//! Hostile nodes: a real engine whose messages pass through a liar before they reach the link, so
//! that lies are told in states that only real traffic leads to. The liar knows its node's keys
//! and disk; what it signs is signed validly.

use std::collections::{BTreeMap, BTreeSet};

use steward_engine::ConnId;
use steward_engine::io::RoutedPart;
use steward_wire::{Framing, LastCrossSignedState, Message, ShortChannelId, framing};

use crate::disk::Disk;
use crate::link::Frame;
use crate::world::World;

mod flood;
mod forge;
mod htlcs;
mod lie;
mod tongue;

pub use lie::{Lie, LieCounts};

use tongue::{Occasion, Tongue};

/// Share of simulations with hostile nodes, per mille, among those that are not calm.
const HOSTILE_PER_MILLE: u64 = 950;
/// Most hostile nodes of a network.
const MAX_LIARS: u64 = 3;
/// Signed states of a channel a liar remembers.
const MAX_OLD_STATES: usize = 20;
/// How much more willingly a liar speaks where there are few chances.
const RARE_EAGERNESS: u64 = 5;
/// Most lies in one connection: answers to answers must end some time.
const MAX_LIES_PER_CONNECTION: u32 = 100;
/// Lies that are told wherever states are compared.
const COMPARED: [Lie; 2] = [Lie::OldState, Lie::MovedHtlcs];
/// How often, per mille.
const COMPARISON_PER_MILLE: u64 = 600;
/// How often who moves HTLCs begins to keep its signatures, so that there is more to compare.
const KEEP_SIGNATURES_PER_MILLE: u64 = 100;
/// HTLCs offered at once to fill a state.
const FILLING: usize = 21;
/// How long a full state is kept so, in blocks.
const FULL_BLOCKS: u32 = 30;
/// Most floods of requests in one connection.
const MAX_REQUEST_FLOODS: u32 = 3;
/// Lies tried at one occasion, until one fits it.
const MAX_TRIES: usize = 5;
/// Longest time a liar holds something back, in blocks: longer than any HTLC lives.
const MAX_SILENCE_BLOCKS: u64 = 600;

/// What a liar holds back on one channel.
#[derive(Clone, Copy, Debug)]
enum Held {
    Signatures,
    Settlements,
    Everything,
}

/// The plans and the memory of one hostile node.
#[derive(Debug)]
pub(crate) struct Liar {
    /// What it may do.
    lies: Vec<Lie>,
    /// How often it tries.
    per_mille: u64,
    /// It lies while channels open.
    from_start: bool,
    /// States both signed, as it held them, oldest first, by channel.
    old: BTreeMap<usize, Vec<LastCrossSignedState>>,
    /// What it holds back, and up to which height, by channel.
    held: BTreeMap<usize, (Held, u32)>,
    /// How its engine frames.
    framings: BTreeMap<ConnId, Framing>,
    /// Connections on which it does not sign any more.
    unsigned: BTreeSet<ConnId>,
    /// Channels it has filled, and what is still to be signed before it signs no more.
    filled: BTreeMap<usize, u32>,
    /// Lies by connection.
    told: BTreeMap<ConnId, u32>,
    /// And floods of requests, which are answered, and so called for, again.
    asked: BTreeMap<ConnId, u32>,
    /// A copy of its disk.
    copy: Option<Disk>,
}

impl World {
    /// Makes some nodes hostile: in some simulations, as chance has it, or, if `lies` are given,
    /// in any, with those alone.
    pub(crate) fn corrupt(&mut self, lies: Option<&[Lie]>) {
        let is_peaceful = self.is_calm || !self.rng.chance(HOSTILE_PER_MILLE);
        if lies.is_none() && is_peaceful {
            return;
        }
        let most = MAX_LIARS.min(self.nodes.len() as u64 - 1);
        for _ in 0..self.rng.between(1, most) {
            let node = self.rng.index(self.nodes.len());
            let lies = match lies {
                Some(lies) => lies.to_vec(),
                None => self.some_lies(),
            };
            let liar = Liar {
                lies,
                per_mille: self.rng.pick(&[20, 100, 300]).unwrap_or(100),
                from_start: self.rng.chance(250),
                old: BTreeMap::new(),
                held: BTreeMap::new(),
                framings: BTreeMap::new(),
                unsigned: BTreeSet::new(),
                filled: BTreeMap::new(),
                told: BTreeMap::new(),
                asked: BTreeMap::new(),
                copy: None,
            };
            self.trace.line(self.now_ms, node, || format!("is hostile: {:?}", liar.lies));
            self.liars.insert(node, liar);
            self.oracles.distrust(node);
        }
    }

    /// One speciality, a few, or all of them.
    fn some_lies(&mut self) -> Vec<Lie> {
        let count = self.rng.pick(&[1, 2, 3, 5, Lie::ALL.len()]).unwrap_or(1);
        if count == Lie::ALL.len() {
            return Lie::ALL.to_vec();
        }
        (0..count).filter_map(|_| self.rng.pick(Lie::ALL)).collect()
    }

    /// What really leaves a node whose engine sends `frames`.
    pub(crate) fn twist(&mut self, node: usize, conn: ConnId, frames: Vec<Frame>) -> Vec<Frame> {
        let Some(mut liar) = self.liars.remove(&node) else { return frames };
        let Some(edge) = self.links.get(conn).map(|end| end.edge) else {
            self.liars.insert(node, liar);
            return frames;
        };
        self.remember(&mut liar, node, edge);
        let mut said = Vec::new();
        for frame in frames {
            let Some(message) = liar.read(conn, &frame, self.is_modern) else {
                said.push(frame);
                continue;
            };
            let is_kept = self.keeps_signature(&mut liar, node, edge, conn, &message);
            if is_kept || liar.holds_back(edge, &message, self.chain.height()) {
                continue;
            }
            let occasion = Occasion::Says(&message, &frame);
            match self.lie(&mut liar, node, edge, conn, &occasion) {
                Some(told) => said.extend(told),
                None => said.push(frame),
            }
        }
        self.liars.insert(node, liar);
        said
    }

    /// A hostile node hears something before its engine does, and may answer by itself.
    pub(crate) fn overhear(&mut self, node: usize, conn: ConnId, frames: &[Frame]) {
        let Some(mut liar) = self.liars.remove(&node) else { return };
        if let Some(edge) = self.links.get(conn).map(|end| end.edge) {
            self.remember(&mut liar, node, edge);
            for frame in frames {
                let Ok(Some(message)) = framing::decode(&mut None, frame.0, &frame.1) else {
                    continue;
                };
                let occasion = Occasion::Hears(&message);
                if let Some(told) = self.lie(&mut liar, node, edge, conn, &occasion) {
                    self.links.send(conn, told);
                }
            }
        }
        self.liars.insert(node, liar);
    }

    /// Tells a lie that fits the occasion, if there is one and chance wants it.
    fn lie(
        &mut self,
        liar: &mut Liar,
        node: usize,
        edge: usize,
        conn: ConnId,
        occasion: &Occasion<'_>,
    ) -> Option<Vec<Frame>> {
        // Two liars could go on for ever, and nobody would watch.
        let is_watched = !self.oracles.is_hostile(self.topology.edges[edge].other(node));
        let told = liar.told.entry(conn).or_default();
        let is_time = is_watched
            && *told < MAX_LIES_PER_CONNECTION
            && (liar.from_start || self.traffic.started > 0);
        let eagerness = if occasion.is_rare() { RARE_EAGERNESS } else { 1 };
        let compares = liar.lies.iter().copied().filter(|lie| COMPARED.contains(lie));
        let compares: Vec<Lie> = if occasion.is_comparison() { compares.collect() } else { vec![] };
        let is_bold = !compares.is_empty() && self.rng.chance(COMPARISON_PER_MILLE);
        if !is_time || !(is_bold || self.rng.chance(liar.per_mille * eagerness)) {
            return None;
        }
        let lies = if is_bold { compares } else { liar.lies.clone() };
        for _ in 0..MAX_TRIES.min(lies.len()) {
            let lie = self.rng.pick(&lies)?;
            let is_request = matches!(lie, Lie::InvokeFlood | Lie::BrandingFlood);
            let asked = liar.asked.entry(conn).or_default();
            if is_request && *asked >= MAX_REQUEST_FLOODS {
                continue;
            }
            let told = match (lie, occasion) {
                (Lie::Withholding, Occasion::Says(..)) => {
                    self.hold_back(liar, edge);
                    Some(Vec::new())
                }
                _ => self.tongue(liar, node, edge, conn).tell(lie, occasion),
            };
            if let Some(told) = told {
                *liar.told.entry(conn).or_default() += 1;
                *liar.asked.entry(conn).or_default() += u32::from(is_request);
                self.count_lie(node, lie);
                return Some(told);
            }
        }
        None
    }

    fn count_lie(&mut self, node: usize, lie: Lie) {
        *self.lies.entry(lie).or_default() += 1;
        self.trace.line(self.now_ms, node, || format!("lies: {}", lie.name()));
    }

    fn tongue<'a>(
        &'a mut self,
        liar: &'a Liar,
        node: usize,
        edge: usize,
        conn: ConnId,
    ) -> Tongue<'a> {
        let stranger = self.strangers_state(edge);
        let plan = self.topology.edges[edge];
        let default = if self.is_modern { Framing::Modern } else { Framing::Legacy };
        Tongue {
            keys: self.nodes[node].keys,
            is_client: plan.client == node,
            plan,
            channel: self.nodes[node].disk.channel(&plan.link),
            old: liar.old.get(&edge).map_or(&[], Vec::as_slice),
            stranger,
            chain_hash: self.nodes[node].config.chain_hash,
            framing: liar.framings.get(&conn).copied().unwrap_or(default),
            rng: &mut self.rng,
        }
    }

    /// A signed state of some channel that is not this one.
    fn strangers_state(&mut self, edge: usize) -> Option<LastCrossSignedState> {
        let other = self.rng.index(self.edges.len());
        let plan = self.topology.edges[other];
        let holder = if self.rng.chance(500) { plan.client } else { plan.host };
        let channel = self.durable(other, holder).filter(|_| other != edge)?;
        channel.state().cloned()
    }

    /// Whatever the liar's disk holds now is an old state soon.
    fn remember(&self, liar: &mut Liar, node: usize, edge: usize) {
        let plan = &self.topology.edges[edge];
        let Some(channel) = self.durable(edge, node) else { return };
        let key = tongue::key_of(self.nodes[node].keys, plan, plan.client == node);
        let known = liar.old.entry(edge).or_default();
        let is_known = |state: &LastCrossSignedState| {
            let says = |state: &LastCrossSignedState| {
                (state.local_updates, state.remote_updates, state.block_day)
            };
            known.last().is_some_and(|last| says(last) == says(state))
        };
        if channel.state().is_none_or(is_known) {
            return;
        }
        if known.len() == MAX_OLD_STATES {
            known.remove(1);
        }
        known.extend(channel.export(&key));
    }

    /// True if this signature is not given: who moves HTLCs wants the other side to be behind, who
    /// floods with a full state wants it to stay full.
    fn keeps_signature(
        &mut self,
        liar: &mut Liar,
        node: usize,
        edge: usize,
        conn: ConnId,
        message: &Message,
    ) -> bool {
        if !matches!(message, Message::StateUpdate(_)) || self.traffic.started == 0 {
            return false;
        }
        match liar.filled.get_mut(&edge) {
            Some(0) => {
                let until = self.chain.height() + FULL_BLOCKS;
                liar.held.insert(edge, (Held::Signatures, until));
                liar.filled.remove(&edge);
            }
            Some(left) => *left -= 1,
            None => {}
        }
        let is_mover = liar.lies.contains(&Lie::MovedHtlcs)
            && !self.oracles.is_hostile(self.topology.edges[edge].other(node));
        if is_mover && self.rng.chance(KEEP_SIGNATURES_PER_MILLE) {
            liar.unsigned.insert(conn);
        }
        liar.unsigned.contains(&conn)
    }

    /// A client offers its host as many HTLCs as fit, and will not sign what becomes of them.
    fn fill_state(&mut self, node: usize) {
        let hosts: Vec<usize> = (0..self.edges.len())
            .filter(|edge| self.topology.edges[*edge].client == node)
            .collect();
        let (Some(edge), Some(liar)) = (self.rng.pick(&hosts), self.liars.get_mut(&node)) else {
            return;
        };
        liar.filled.insert(edge, 1);
        for _ in 0..FILLING {
            self.keysend(node, self.topology.edges[edge].host);
        }
    }

    fn hold_back(&mut self, liar: &mut Liar, edge: usize) {
        let what = [Held::Signatures, Held::Settlements, Held::Settlements, Held::Everything];
        let what = self.rng.pick(&what).unwrap_or(Held::Settlements);
        let until = self.chain.height() + self.rng.between(1, MAX_SILENCE_BLOCKS) as u32;
        liar.held.insert(edge, (what, until));
    }

    /// A hostile payer's route: what its onions promise is not what it offers.
    pub(crate) fn cheat(&mut self, node: usize, parts: &mut [RoutedPart]) {
        let Some(liar) = self.liars.get(&node) else { return };
        if !liar.lies.contains(&Lie::CheatingRoute) || !self.rng.chance(500) {
            return;
        }
        for part in parts {
            htlcs::cheat(part, &mut self.rng);
            self.count_lie(node, Lie::CheatingRoute);
        }
    }

    /// Now and then a liar reconnects, to compare states again; those that may, copy their disk,
    /// or go on from the copy.
    pub(crate) fn disturb(&mut self) {
        let liars: Vec<usize> = self.liars.keys().copied().collect();
        let Some(node) = self.rng.pick(&liars).filter(|node| self.nodes[*node].is_up()) else {
            return;
        };
        let may_restore = self.liars[&node].lies.contains(&Lie::RestoredDisk);
        if may_restore && self.rng.chance(500) {
            return self.restore_disk(node);
        }
        if self.liars[&node].lies.contains(&Lie::InvokeFlood) && self.rng.chance(500) {
            return self.fill_state(node);
        }
        let conns = self.links.of_node(node);
        if let Some(conn) = self.rng.pick(&conns) {
            self.break_link(conn);
        }
    }

    fn restore_disk(&mut self, node: usize) {
        let Some(liar) = self.liars.get_mut(&node) else { return };
        match liar.copy.take() {
            None => liar.copy = Some(self.nodes[node].disk.copy()),
            Some(copy) => {
                self.crash(node);
                self.nodes[node].disk = copy;
                self.count_lie(node, Lie::RestoredDisk);
            }
        }
    }

    /// The channels that nobody uses who knows who is hostile.
    pub(crate) fn hostile_channels(&self) -> Vec<ShortChannelId> {
        let edges = self.topology.edges.iter().enumerate();
        edges.filter(|(edge, _)| self.is_hostile_edge(*edge)).map(|(_, plan)| plan.scid).collect()
    }

    /// True if one of the two ends is hostile.
    pub(crate) fn is_hostile_edge(&self, edge: usize) -> bool {
        let plan = &self.topology.edges[edge];
        self.oracles.is_hostile(plan.client) || self.oracles.is_hostile(plan.host)
    }
}

impl Liar {
    fn read(&mut self, conn: ConnId, frame: &Frame, is_modern: bool) -> Option<Message> {
        let default = if is_modern { Framing::Modern } else { Framing::Legacy };
        let mut shown = Some(self.framings.get(&conn).copied().unwrap_or(default));
        let message = framing::decode(&mut shown, frame.0, &frame.1).ok().flatten();
        self.framings.extend(shown.map(|shown| (conn, shown)));
        message
    }

    fn holds_back(&self, edge: usize, message: &Message, height: u32) -> bool {
        let Some((held, _)) = self.held.get(&edge).filter(|(_, until)| height < *until) else {
            return false;
        };
        let is_settlement = matches!(
            message,
            Message::UpdateFulfillHtlc(_)
                | Message::UpdateFailHtlc(_)
                | Message::UpdateFailMalformedHtlc(_)
        );
        match held {
            Held::Signatures => matches!(message, Message::StateUpdate(_)),
            Held::Settlements => is_settlement,
            Held::Everything => true,
        }
    }
}
