//! The evidence of peers' misbehaviour, and its bounds: a peer's share of the disk is limited,
//! whatever it sends and however often it comes back (docs/threat-model.md, 10).
//!
//! A proof is a state under both signatures; a hint is anything else, cut. Each kind has its own
//! bounds, per peer and in all, so that no flood of hints pushes out a proof. Of one peer's rows
//! the first stays, as it shows how things began, and the newest. Of a peer without a channel only
//! a proof is kept, one: that is how an operator learns what was lost with the database.

use std::collections::{BTreeMap, BTreeSet};

use bitcoin::secp256k1::PublicKey;
use steward_hosted::Evidence;
use steward_wire::{LinkId, Message, NodeId};

use crate::context::Context;
use crate::face::io::Level;
use crate::face::limits::{
    COST_OF_EVIDENCE, MAX_HINT_BYTES, MAX_HINTS, MAX_HINTS_BYTES, MAX_HINTS_PER_PEER, MAX_PROOFS,
    MAX_PROOFS_BYTES, MAX_PROOFS_PER_PEER, MAX_STRANGERS_PROOFS, MAX_STRANGERS_PROOFS_BYTES,
};
use crate::face::row::{EvidenceRow, EvidenceSummary, Row, RowKey};
use crate::link::links::Links;
use crate::step::Step;

/// Ends the sentence of a state whose signatures do not hold: it is a hint.
const UNPROVED: &str = " (its signatures do not hold)";

/// Type of `last_cross_signed_state`.
const STATE_TYPE: u16 = 65_531;

/// All rows of table `evidence`, without their messages.
#[derive(Debug)]
struct EvidenceIndex {
    proofs: Shelf,
    hints: Shelf,
    /// Proofs of peers we have no channel with.
    strangers: Shelf,
}

impl Default for EvidenceIndex {
    fn default() -> Self {
        let shelf = |rows_per_peer, rows, bytes| Shelf {
            rows_per_peer,
            max_rows: rows,
            max_bytes: bytes,
            rows: BTreeMap::new(),
            by_peer: BTreeMap::new(),
            bytes: 0,
        };
        Self {
            proofs: shelf(MAX_PROOFS_PER_PEER, MAX_PROOFS, MAX_PROOFS_BYTES),
            hints: shelf(MAX_HINTS_PER_PEER, MAX_HINTS, MAX_HINTS_BYTES),
            strangers: shelf(1, MAX_STRANGERS_PROOFS, MAX_STRANGERS_PROOFS_BYTES),
        }
    }
}

impl EvidenceIndex {
    /// Adds a row; the rows that have to go for it.
    fn add(&mut self, row: &EvidenceSummary, has_channel: bool) -> Vec<u64> {
        let bytes = row.body_bytes.saturating_add(row.what.len() as u64);
        if !has_channel {
            self.strangers.add(row.number, row.peer, bytes, Shelf::newest)
        } else if is_proof(row.message_type, &row.what) {
            self.proofs.add(row.number, row.peer, bytes, Shelf::newest_of_the_greediest)
        } else {
            self.hints.add(row.number, row.peer, bytes, Shelf::oldest)
        }
    }
}

/// Rows of one kind, bounded per peer and in all.
#[derive(Debug)]
struct Shelf {
    rows_per_peer: usize,
    max_rows: usize,
    max_bytes: u64,
    /// Size and sender of each row, by number.
    rows: BTreeMap<u64, (NodeId, u64)>,
    by_peer: BTreeMap<NodeId, BTreeSet<u64>>,
    bytes: u64,
}

impl Shelf {
    fn add(
        &mut self,
        number: u64,
        peer: NodeId,
        bytes: u64,
        victim: fn(&Self) -> Option<u64>,
    ) -> Vec<u64> {
        let mut gone = Vec::new();
        let of_peer = self.by_peer.entry(peer).or_default();
        of_peer.insert(number);
        // The first stays.
        let second = of_peer.iter().nth(1).copied();
        let is_full = of_peer.len() > self.rows_per_peer;
        self.rows.insert(number, (peer, bytes));
        self.bytes = self.bytes.saturating_add(bytes);
        if let Some(second) = second.filter(|_| is_full) {
            gone.extend(self.remove(second));
        }
        while self.rows.len() > self.max_rows || self.bytes > self.max_bytes {
            let Some(removed) = victim(self).and_then(|number| self.remove(number)) else { break };
            gone.push(removed);
        }
        gone
    }

    fn remove(&mut self, number: u64) -> Option<u64> {
        let (peer, bytes) = self.rows.remove(&number)?;
        self.bytes = self.bytes.saturating_sub(bytes);
        if let Some(of_peer) = self.by_peer.get_mut(&peer) {
            of_peer.remove(&number);
            if of_peer.is_empty() {
                self.by_peer.remove(&peer);
            }
        }
        Some(number)
    }

    fn newest(&self) -> Option<u64> {
        self.rows.keys().next_back().copied()
    }

    fn oldest(&self) -> Option<u64> {
        self.rows.keys().next().copied()
    }

    /// A peer's only proof stays as long as another peer has two.
    fn newest_of_the_greediest(&self) -> Option<u64> {
        let greediest = self.by_peer.values().max_by_key(|rows| rows.len())?;
        greediest.last().copied()
    }
}

/// The evidence of peers' misbehaviour.
pub(crate) struct KeptEvidence {
    index: EvidenceIndex,
    /// The number of the last row.
    last: u64,
}

impl KeptEvidence {
    /// Counts the stored rows. A database older than the bounds may hold more: those go.
    pub(crate) fn resume(
        cx: &mut Context,
        links: &Links,
        rows: Vec<EvidenceSummary>,
        last: u64,
    ) -> Self {
        let mut index = EvidenceIndex::default();
        for row in rows {
            delete(cx, index.add(&row, links.has_open(&row.peer)));
        }
        Self { index, last }
    }

    /// Keeps a message that may have to be shown to a person or a court, within the bounds.
    pub(crate) fn keep(
        &mut self,
        cx: &mut Context,
        links: &Links,
        link: LinkId,
        peer: NodeId,
        evidence: Evidence,
    ) {
        if let Some(conn) = links.conn_of(&link) {
            cx.push(Step::Bear(conn, COST_OF_EVIDENCE));
        }
        let row = evidence_row(cx, links, link, peer, evidence);
        let has_channel = links.has_open(&peer);
        if !has_channel && !is_proof(row.message_type, &row.what) {
            cx.log(Level::Debug, "evidence_ignored", peer, row.what);
            return;
        }
        cx.log(Level::Error, "evidence_kept", peer, row.what.clone());
        self.last += 1;
        let gone = self.index.add(&EvidenceSummary::of(self.last, &row), has_channel);
        cx.put(Row::Evidence(self.last, row));
        delete(cx, gone);
    }
}

fn delete(cx: &mut Context, numbers: Vec<u64>) {
    numbers.into_iter().for_each(|number| cx.delete(RowKey::Evidence(number)));
}

/// Keeps a signed state whole, and cuts everything else.
fn evidence_row(
    cx: &Context,
    links: &Links,
    link: LinkId,
    peer: NodeId,
    evidence: Evidence,
) -> EvidenceRow {
    let Evidence { mut what, message_type, mut body } = evidence;
    let signed = if message_type == STATE_TYPE {
        who_signed(links, &link, &peer, &body)
    } else {
        Signed { by_peer: false, by_us: false }
    };
    if message_type == STATE_TYPE && !(signed.by_peer && signed.by_us) {
        what.push_str(UNPROVED);
    }
    if !signed.by_peer {
        body.truncate(MAX_HINT_BYTES);
    }
    EvidenceRow { peer, link: Some(link), time_ms: cx.wall_ms(), what, message_type, body }
}

/// Tells which sides signed a state. The peer is the local side of a copy that it sent, and we are
/// that of our own.
fn who_signed(links: &Links, link: &LinkId, peer: &NodeId, body: &[u8]) -> Signed {
    let ours = links.get(link).and_then(|entry| entry.channel().local().public_key());
    let theirs = peer.public_key();
    let Ok(Message::LastCrossSignedState(state)) = Message::decode(STATE_TYPE, body) else {
        // Put together by the channel itself: it knows why.
        return Signed { by_peer: true, by_us: true };
    };
    let is_local = |key: Option<PublicKey>| key.is_some_and(|key| state.verify_local_sig(&key));
    let is_remote = |key: Option<PublicKey>| key.is_some_and(|key| state.verify_remote_sig(&key));
    if is_local(ours) {
        return Signed { by_peer: is_remote(theirs), by_us: true };
    }
    Signed { by_peer: is_local(theirs), by_us: is_remote(ours) }
}

/// The sides whose signatures a state bears.
struct Signed {
    by_peer: bool,
    by_us: bool,
}

/// True if the row is a state under both signatures.
fn is_proof(message_type: u16, what: &str) -> bool {
    message_type == STATE_TYPE && !what.ends_with(UNPROVED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u32) -> NodeId {
        let mut id = [2; 33];
        id[..4].copy_from_slice(&number.to_be_bytes());
        NodeId(id)
    }

    fn row(number: u64, from: u32, is_proof: bool, body_bytes: u64) -> EvidenceSummary {
        let what = if is_proof { "a state".to_owned() } else { format!("a state{UNPROVED}") };
        EvidenceSummary { number, peer: peer(from), what, message_type: STATE_TYPE, body_bytes }
    }

    #[test]
    fn of_one_peer_the_first_row_and_the_newest_stay() {
        let mut index = EvidenceIndex::default();
        let most = MAX_HINTS_PER_PEER as u64;
        let gone: Vec<u64> =
            (1..=3 * most).flat_map(|number| index.add(&row(number, 1, false, 10), true)).collect();
        assert_eq!(gone, (2..=2 * most + 1).collect::<Vec<_>>());
    }

    #[test]
    fn no_flood_of_hints_pushes_out_a_proof() {
        let mut index = EvidenceIndex::default();
        assert!(index.add(&row(1, 1, true, 60_000), true).is_empty());
        let mut gone = Vec::new();
        for number in 2..=MAX_HINTS as u64 + 1000 {
            gone.extend(index.add(&row(number, number as u32, false, 3_000), true));
        }
        assert!(!gone.is_empty() && !gone.contains(&1));
        assert!(index.hints.rows.len() <= MAX_HINTS && index.hints.bytes <= MAX_HINTS_BYTES);
    }

    #[test]
    fn who_sends_many_proofs_pushes_out_nobody_elses_only_one() {
        let mut index = EvidenceIndex::default();
        index.add(&row(1, 1, true, 60_000), true);
        let mut number = 1;
        // Many peers, each with as many as it may have.
        for from in 2..2_000 {
            for _ in 0..MAX_PROOFS_PER_PEER {
                number += 1;
                index.add(&row(number, from, true, 60_000), true);
            }
        }
        assert!(index.proofs.rows.contains_key(&1));
        assert!(index.proofs.bytes <= MAX_PROOFS_BYTES && index.proofs.rows.len() <= MAX_PROOFS);
    }

    /// Strangers can make as many names, and with one state of ours as many proofs, as they like.
    #[test]
    fn strangers_fill_their_own_share_only() {
        let mut index = EvidenceIndex::default();
        index.add(&row(1, 1, true, 60_000), true);
        assert!(index.add(&row(2, 2, true, 60_000), false).is_empty());
        assert_eq!(index.add(&row(3, 2, true, 60_000), false), [3]);
        for number in 4..2_000 {
            index.add(&row(number, number as u32, true, 60_000), false);
        }
        assert!(index.strangers.rows.len() <= MAX_STRANGERS_PROOFS);
        assert!(index.strangers.bytes <= MAX_STRANGERS_PROOFS_BYTES);
        assert!(index.strangers.rows.contains_key(&2) && index.proofs.rows.len() == 1);
    }
}
