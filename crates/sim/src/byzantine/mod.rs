//! Byzantine nodes: a real engine whose messages are tampered with before they reach the link, so
//! that attacks happen in states that only real traffic leads to. The attacker has the keys and the
//! disk of its node, so its signatures are valid.

use std::collections::{BTreeMap, BTreeSet};

use steward_engine::ConnId;
use steward_engine::io::RoutedPart;
use steward_wire::{Framing, LastCrossSignedState, Message, ShortChannelId, framing};

use crate::disk::Disk;
use crate::link::Frame;
use crate::world::World;

mod attack;
mod flood;
mod htlcs;
mod message_forge;
mod states;

pub use attack::{Attack, AttackCounts};

use message_forge::{MessageForge, Occasion};

/// Share of simulations with hostile nodes, per mille, among those that are not calm.
const HOSTILE_PER_MILLE: u64 = 950;
/// Most hostile nodes of a network.
const MAX_BYZANTINE_NODES: u64 = 3;
/// Signed states of a channel an attacker remembers.
const MAX_OLD_STATES: usize = 20;
/// The factor by which an attacker acts more often where there are few chances.
const RARE_EAGERNESS: u64 = 5;
/// Most attacks in one connection: answers to answers must end.
const MAX_ATTACKS_PER_CONNECTION: u32 = 100;
/// Attacks that are made wherever states are compared.
const COMPARED: [Attack; 2] = [Attack::OldState, Attack::MovedHtlcs];
/// The share of those moments, per mille.
const COMPARISON_PER_MILLE: u64 = 600;
/// The share of signatures after which a node that moves HTLCs signs no more, so that there is more
/// to compare, per mille.
const KEEP_SIGNATURES_PER_MILLE: u64 = 100;
/// HTLCs offered at once to fill a state.
const FILLING: usize = 21;
/// The time for which a full state is kept so, in blocks.
const FULL_BLOCKS: u32 = 30;
/// Most floods of requests in one connection.
const MAX_REQUEST_FLOODS: u32 = 3;
/// Attacks tried at one occasion, until one fits it.
const MAX_TRIES: usize = 5;
/// Longest time an attacker holds something back, in blocks: longer than any HTLC lives.
const MAX_SILENCE_BLOCKS: u64 = 600;

/// The messages that an attacker holds back on one channel.
#[derive(Clone, Copy, Debug)]
enum Held {
    Signatures,
    Settlements,
    Everything,
}

/// The plans and the memory of one hostile node.
#[derive(Debug)]
pub(crate) struct ByzantineNode {
    /// The attacks it may make.
    attacks: Vec<Attack>,
    /// The share of moments at which it tries, per mille.
    per_mille: u64,
    /// It attacks while channels open.
    from_start: bool,
    /// States both signed, as it held them, oldest first, by channel.
    old: BTreeMap<usize, Vec<LastCrossSignedState>>,
    /// The messages it holds back, and up to which height, by channel.
    held: BTreeMap<usize, (Held, u32)>,
    /// The framing of its engine.
    framings: BTreeMap<ConnId, Framing>,
    /// Connections on which it does not sign any more.
    unsigned: BTreeSet<ConnId>,
    /// Channels it has filled, and what is still to be signed before it signs no more.
    filled: BTreeMap<usize, u32>,
    /// Attacks by connection.
    told: BTreeMap<ConnId, u32>,
    /// And floods of requests, which are answered, and so called for, again.
    asked: BTreeMap<ConnId, u32>,
    /// A copy of its disk.
    copy: Option<Disk>,
}

impl World {
    /// Makes some nodes hostile: in some simulations, as chance has it, or, if `attacks` are given,
    /// in any, with those alone.
    pub(crate) fn make_byzantine(&mut self, attacks: Option<&[Attack]>) {
        let is_peaceful = self.is_calm || !self.rng.chance(HOSTILE_PER_MILLE);
        if attacks.is_none() && is_peaceful {
            return;
        }
        let most = MAX_BYZANTINE_NODES.min(self.nodes.len() as u64 - 1);
        for _ in 0..self.rng.between(1, most) {
            let node = self.rng.index(self.nodes.len());
            let attacks = match attacks {
                Some(attacks) => attacks.to_vec(),
                None => self.some_attacks(),
            };
            let attacker = ByzantineNode {
                attacks,
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
            self.trace.line(self.now_ms, node, || format!("is hostile: {:?}", attacker.attacks));
            self.byzantine_nodes.insert(node, attacker);
            self.oracles.distrust(node);
        }
    }

    /// One speciality, a few, or all of them.
    fn some_attacks(&mut self) -> Vec<Attack> {
        let count = self.rng.pick(&[1, 2, 3, 5, Attack::ALL.len()]).unwrap_or(1);
        if count == Attack::ALL.len() {
            return Attack::ALL.to_vec();
        }
        (0..count).filter_map(|_| self.rng.pick(Attack::ALL)).collect()
    }

    /// Returns the frames that leave a node whose engine sends `frames`.
    pub(crate) fn tamper_outgoing(
        &mut self,
        node: usize,
        conn: ConnId,
        frames: Vec<Frame>,
    ) -> Vec<Frame> {
        let Some(mut attacker) = self.byzantine_nodes.remove(&node) else { return frames };
        let Some(edge) = self.links.get(conn).map(|end| end.edge) else {
            self.byzantine_nodes.insert(node, attacker);
            return frames;
        };
        self.remember(&mut attacker, node, edge);
        let mut said = Vec::new();
        for frame in frames {
            let Some(message) = attacker.read(conn, &frame, self.is_modern) else {
                said.push(frame);
                continue;
            };
            let is_kept = self.keeps_signature(&mut attacker, node, edge, conn, &message);
            if is_kept || attacker.holds_back(edge, &message, self.chain.height()) {
                continue;
            }
            let occasion = Occasion::Says(&message, &frame);
            match self.attack(&mut attacker, node, edge, conn, &occasion) {
                Some(told) => said.extend(told),
                None => said.push(frame),
            }
        }
        self.byzantine_nodes.insert(node, attacker);
        said
    }

    /// A hostile node hears something before its engine does, and may answer by itself.
    pub(crate) fn observe_incoming(&mut self, node: usize, conn: ConnId, frames: &[Frame]) {
        let Some(mut attacker) = self.byzantine_nodes.remove(&node) else { return };
        if let Some(edge) = self.links.get(conn).map(|end| end.edge) {
            self.remember(&mut attacker, node, edge);
            for frame in frames {
                let Ok(Some(message)) = framing::decode(&mut None, frame.0, &frame.1) else {
                    continue;
                };
                let occasion = Occasion::Hears(&message);
                if let Some(told) = self.attack(&mut attacker, node, edge, conn, &occasion) {
                    self.links.send(conn, told);
                }
            }
        }
        self.byzantine_nodes.insert(node, attacker);
    }

    /// Makes an attack that fits the occasion, if there is one and chance wants it.
    fn attack(
        &mut self,
        attacker: &mut ByzantineNode,
        node: usize,
        edge: usize,
        conn: ConnId,
        occasion: &Occasion<'_>,
    ) -> Option<Vec<Frame>> {
        // Two attackers could go on without end, and no oracle watches them.
        let is_watched = !self.oracles.is_hostile(self.topology.edges[edge].other(node));
        let told = attacker.told.entry(conn).or_default();
        let is_time = is_watched
            && *told < MAX_ATTACKS_PER_CONNECTION
            && (attacker.from_start || self.traffic.started > 0);
        let eagerness = if occasion.is_rare() { RARE_EAGERNESS } else { 1 };
        let compares = attacker.attacks.iter().copied().filter(|attack| COMPARED.contains(attack));
        let compares: Vec<Attack> =
            if occasion.is_comparison() { compares.collect() } else { vec![] };
        let is_bold = !compares.is_empty() && self.rng.chance(COMPARISON_PER_MILLE);
        if !is_time || !(is_bold || self.rng.chance(attacker.per_mille * eagerness)) {
            return None;
        }
        let attacks = if is_bold { compares } else { attacker.attacks.clone() };
        for _ in 0..MAX_TRIES.min(attacks.len()) {
            let attack = self.rng.pick(&attacks)?;
            let is_request = matches!(attack, Attack::InvokeFlood | Attack::BrandingFlood);
            let asked = attacker.asked.entry(conn).or_default();
            if is_request && *asked >= MAX_REQUEST_FLOODS {
                continue;
            }
            let told = match (attack, occasion) {
                (Attack::Withholding, Occasion::Says(..)) => {
                    self.hold_back(attacker, edge);
                    Some(Vec::new())
                }
                _ => self.message_forge(attacker, node, edge, conn).tell(attack, occasion),
            };
            if let Some(told) = told {
                *attacker.told.entry(conn).or_default() += 1;
                *attacker.asked.entry(conn).or_default() += u32::from(is_request);
                self.count_attack(node, attack);
                return Some(told);
            }
        }
        None
    }

    fn count_attack(&mut self, node: usize, attack: Attack) {
        *self.attacks.entry(attack).or_default() += 1;
        self.trace.line(self.now_ms, node, || format!("attacks: {}", attack.name()));
    }

    fn message_forge<'a>(
        &'a mut self,
        attacker: &'a ByzantineNode,
        node: usize,
        edge: usize,
        conn: ConnId,
    ) -> MessageForge<'a> {
        let stranger = self.strangers_state(edge);
        let plan = self.topology.edges[edge];
        let default = if self.is_modern { Framing::Modern } else { Framing::Legacy };
        MessageForge {
            keys: self.nodes[node].keys,
            is_client: plan.client == node,
            plan,
            channel: self.nodes[node].disk.channel(&plan.link),
            old: attacker.old.get(&edge).map_or(&[], Vec::as_slice),
            stranger,
            chain_hash: self.nodes[node].config.chain_hash,
            framing: attacker.framings.get(&conn).copied().unwrap_or(default),
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

    /// Whatever the attacker's disk holds now is an old state soon.
    fn remember(&self, attacker: &mut ByzantineNode, node: usize, edge: usize) {
        let plan = &self.topology.edges[edge];
        let Some(channel) = self.durable(edge, node) else { return };
        let key = message_forge::key_of(self.nodes[node].keys, plan, plan.client == node);
        let known = attacker.old.entry(edge).or_default();
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
        attacker: &mut ByzantineNode,
        node: usize,
        edge: usize,
        conn: ConnId,
        message: &Message,
    ) -> bool {
        if !matches!(message, Message::StateUpdate(_)) || self.traffic.started == 0 {
            return false;
        }
        match attacker.filled.get_mut(&edge) {
            Some(0) => {
                let until = self.chain.height() + FULL_BLOCKS;
                attacker.held.insert(edge, (Held::Signatures, until));
                attacker.filled.remove(&edge);
            }
            Some(left) => *left -= 1,
            None => {}
        }
        let is_mover = attacker.attacks.contains(&Attack::MovedHtlcs)
            && !self.oracles.is_hostile(self.topology.edges[edge].other(node));
        if is_mover && self.rng.chance(KEEP_SIGNATURES_PER_MILLE) {
            attacker.unsigned.insert(conn);
        }
        attacker.unsigned.contains(&conn)
    }

    /// A client offers its host as many HTLCs as fit, and will not sign what becomes of them.
    fn fill_state(&mut self, node: usize) {
        let hosts: Vec<usize> = (0..self.edges.len())
            .filter(|edge| self.topology.edges[*edge].client == node)
            .collect();
        let (Some(edge), Some(attacker)) =
            (self.rng.pick(&hosts), self.byzantine_nodes.get_mut(&node))
        else {
            return;
        };
        attacker.filled.insert(edge, 1);
        for _ in 0..FILLING {
            self.keysend(node, self.topology.edges[edge].host);
        }
    }

    fn hold_back(&mut self, attacker: &mut ByzantineNode, edge: usize) {
        let what = [Held::Signatures, Held::Settlements, Held::Settlements, Held::Everything];
        let what = self.rng.pick(&what).unwrap_or(Held::Settlements);
        let until = self.chain.height() + self.rng.between(1, MAX_SILENCE_BLOCKS) as u32;
        attacker.held.insert(edge, (what, until));
    }

    /// A hostile payer's route: what its onions promise is not what it offers.
    pub(crate) fn cheat(&mut self, node: usize, parts: &mut [RoutedPart]) {
        let Some(attacker) = self.byzantine_nodes.get(&node) else { return };
        if !attacker.attacks.contains(&Attack::CheatingRoute) || !self.rng.chance(500) {
            return;
        }
        for part in parts {
            htlcs::cheat(part, &mut self.rng);
            self.count_attack(node, Attack::CheatingRoute);
        }
    }

    /// Sometimes an attacker reconnects, to compare states again; those that may, copy their disk,
    /// or go on from the copy.
    pub(crate) fn disturb(&mut self) {
        let attackers: Vec<usize> = self.byzantine_nodes.keys().copied().collect();
        let Some(node) = self.rng.pick(&attackers).filter(|node| self.nodes[*node].is_up()) else {
            return;
        };
        let may_restore = self.byzantine_nodes[&node].attacks.contains(&Attack::RestoredDisk);
        if may_restore && self.rng.chance(500) {
            return self.restore_disk(node);
        }
        if self.byzantine_nodes[&node].attacks.contains(&Attack::InvokeFlood)
            && self.rng.chance(500)
        {
            return self.fill_state(node);
        }
        let conns = self.links.of_node(node);
        if let Some(conn) = self.rng.pick(&conns) {
            self.break_link(conn);
        }
    }

    fn restore_disk(&mut self, node: usize) {
        let Some(attacker) = self.byzantine_nodes.get_mut(&node) else { return };
        match attacker.copy.take() {
            None => attacker.copy = Some(self.nodes[node].disk.copy()),
            Some(copy) => {
                self.crash(node);
                self.nodes[node].disk = copy;
                self.count_attack(node, Attack::RestoredDisk);
            }
        }
    }

    /// The channels that a payer avoids who knows which nodes are hostile.
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

impl ByzantineNode {
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
