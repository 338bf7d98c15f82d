//! Peers that behave as the deployed programs do where those differ from ours. Each runs our
//! engine, which keeps the protocol; what it hears is cut down to what the other program would
//! take in, and how it is reached is theirs.
//!
//! | As | Differs |
//! |---|---|
//! | eclair with its plugin | speaks legacy framing alone; stops reading where nothing of a packet is legacy; loses an invoke in the first half second; drops an add with an unknown even TLV; takes an override only when it knows of an error; never looks at a state again after one |
//! | immortan | speaks legacy framing; hangs up on what it cannot read; forgets an error that comes before the first state of a connection |

use std::collections::BTreeMap;

use steward_engine::ConnId;
use steward_wire::{Framing, Message, framing};

use crate::fault::FaultKind;
use crate::link::Frame;
use crate::world::World;

/// Share of simulations with such peers, per mille.
const DEPLOYED_PER_MILLE: u64 = 700;
/// Share of the nodes in those, per mille.
const NODE_PER_MILLE: u64 = 500;
/// The share of connections in which an eclair host does not read yet, per mille.
const DEAF_PER_MILLE: u64 = 100;
/// For how long, in milliseconds.
const DEAF_MS: u64 = 500;
/// A peer that does not answer pings is disconnected after this time, in milliseconds.
const PING_LIMIT_MS: u64 = 20_000;

/// The program that a node behaves as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    Steward,
    Eclair,
    Immortan,
}

/// The state of one connection of such a node.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ear {
    deaf_until_ms: u64,
    is_frozen: bool,
    heard_state: bool,
    heard_error: bool,
}

/// The ends of connections that such nodes hold.
pub(crate) type Ears = BTreeMap<ConnId, Ear>;

impl World {
    /// In some simulations some nodes are like deployed programs. Byzantine nodes are not among them.
    pub(crate) fn imitate(&mut self) {
        if !self.rng.chance(DEPLOYED_PER_MILLE) {
            return;
        }
        for node in 0..self.nodes.len() {
            let is_host = self.topology.edges.iter().any(|edge| edge.host == node);
            if self.byzantine_nodes.contains_key(&node) || !self.rng.chance(NODE_PER_MILLE) {
                continue;
            }
            // Immortan is a wallet.
            let is_eclair = is_host || self.rng.chance(500);
            let manner = if is_eclair { Manner::Eclair } else { Manner::Immortan };
            self.nodes[node].manner = manner;
            self.oracles.is_deployed(node);
            self.trace.line(self.now_ms, node, || format!("is like {manner:?}"));
        }
    }

    /// One of the two ends of a new connection.
    pub(crate) fn deployed_connects(&mut self, node: usize, conn: ConnId, is_host: bool) {
        let kind = match self.nodes[node].manner {
            Manner::Steward => return,
            Manner::Eclair => FaultKind::EclairPeer,
            Manner::Immortan => FaultKind::ImmortanPeer,
        };
        self.count(kind);
        let mut ear = Ear::default();
        if is_host && !self.is_healing && self.rng.chance(DEAF_PER_MILLE) {
            ear.deaf_until_ms = self.now_ms + DEAF_MS;
        }
        self.ears.insert(conn, ear);
    }

    /// Returns those of the frames that the program reads.
    pub(crate) fn as_heard(&mut self, node: usize, conn: ConnId, frames: Vec<Frame>) -> Vec<Frame> {
        let Some(mut ear) = self.ears.get(&conn).copied() else { return frames };
        if ear.is_frozen {
            return Vec::new();
        }
        let manner = self.nodes[node].manner;
        if !frames.iter().any(is_legacy) {
            self.reads_nothing(node, conn, manner);
            return Vec::new();
        }
        let mut taken = Vec::new();
        for frame in frames {
            let message = framing::decode(&mut Some(Framing::Legacy), frame.0, &frame.1);
            match message {
                Ok(Some(message)) if is_legacy(&frame) => {
                    let is_taken = self.takes_in(node, conn, &mut ear, &message);
                    taken.extend(is_taken.then_some(frame));
                }
                _ if manner == Manner::Immortan => {
                    self.break_link(conn);
                    break;
                }
                // Dropped, and the rest is read.
                _ => {}
            }
        }
        self.ears.insert(conn, ear);
        taken
    }

    /// Nothing in a packet can be read.
    fn reads_nothing(&mut self, node: usize, conn: ConnId, manner: Manner) {
        if manner == Manner::Immortan {
            return self.break_link(conn);
        }
        self.count(FaultKind::FrozenReading);
        self.trace.line(self.now_ms, node, || "stops reading".to_owned());
        if let Some(ear) = self.ears.get_mut(&conn) {
            ear.is_frozen = true;
        }
        let Some(edge) = self.links.get(conn).map(|end| end.edge) else { return };
        let closes_at_ms = self.now_ms + PING_LIMIT_MS;
        self.links.close_at(conn, closes_at_ms);
        self.edges[edge].connects_at_ms = closes_at_ms;
    }

    fn takes_in(&mut self, node: usize, conn: ConnId, ear: &mut Ear, message: &Message) -> bool {
        let manner = self.nodes[node].manner;
        let Some(edge) = self.links.get(conn).map(|end| end.edge) else { return true };
        let is_client = self.topology.edges[edge].client == node;
        let is_suspended =
            self.durable(edge, node).is_some_and(|channel| channel.suspension().is_some());
        let unheard = match message {
            Message::InvokeHostedChannel(_) if self.now_ms < ear.deaf_until_ms => {
                FaultKind::LostInvoke
            }
            Message::UpdateAddHtlc(add) if has_even_tlv(&add.tlvs) => FaultKind::EvenTlv,
            Message::Error(_) if manner == Manner::Immortan && !ear.heard_state => {
                FaultKind::ForgottenError
            }
            Message::LastCrossSignedState(_) if is_client && (is_suspended || ear.heard_error) => {
                FaultKind::UnheardState
            }
            Message::StateOverride(_) if is_client && !is_suspended && !ear.heard_error => {
                FaultKind::EarlyOverride
            }
            Message::LastCrossSignedState(_) => {
                ear.heard_state = true;
                return true;
            }
            Message::Error(_) => {
                ear.heard_error = true;
                return true;
            }
            _ => return true,
        };
        self.count(unheard);
        self.trace.line(self.now_ms, node, || format!("does not take in: {}", unheard.name()));
        false
    }
}

/// The first two bytes are the length of the rest.
fn is_legacy(frame: &Frame) -> bool {
    let length = frame.1.first_chunk::<2>().map(|bytes| usize::from(u16::from_be_bytes(*bytes)));
    length.is_some_and(|length| length + 2 == frame.1.len())
}

/// The deployed programs know no TLV of an add but immortan's odd ones.
pub(crate) fn has_even_tlv(tlvs: &[u8]) -> bool {
    // Types stand in ascending order: the first tells enough of what we send.
    match tlvs.first() {
        None => false,
        Some(first @ 0..=0xfc) => first % 2 == 0,
        Some(0xfd) => tlvs.get(2).is_some_and(|last| last % 2 == 0),
        Some(0xfe) => tlvs.get(4).is_some_and(|last| last % 2 == 0),
        Some(_) => tlvs.get(8).is_some_and(|last| last % 2 == 0),
    }
}
