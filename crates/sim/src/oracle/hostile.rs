//! The rules against a peer that keeps no rule: its violations are on record, what it owes can
//! be proved to anyone, and it cannot fill the disk.

use steward_engine::row::{Origin, Row, RowKey};
use steward_hosted::Channel;
use steward_htlc::{IncomingHtlc, IncomingHtlcId, IncomingSettlement, OutgoingHtlcId, Settlement};
use steward_wire::{NodeId, Snapshot};

use super::durable::is_preimage_stored;
use super::states::EXPLAINED_CODES;
use super::{Rule, Violation};
use crate::disk::Disk;
use crate::node::Batch;
use crate::world::World;

/// Messages kept as evidence in one connection, as the channel promises.
const MAX_EVIDENCE: usize = steward_hosted::limits::MAX_EVIDENCE_PER_CONNECTION as usize;

/// Checks that a node which suspends a channel over a message has that message on its disk.
pub(super) fn evidence_is_kept(
    node: usize,
    peer: &NodeId,
    before: Option<&Channel>,
    now: &Channel,
    batch: &Batch,
    disk: &Disk,
) -> Result<(), Violation> {
    let own_fault = |channel: &Channel| channel.suspension().filter(|fault| fault.by_us);
    let Some(fault) = own_fault(now) else { return Ok(()) };
    let is_old = before.is_some_and(|before| own_fault(before).is_some());
    if is_old || fault.code.is_some_and(|code| EXPLAINED_CODES.contains(&code)) {
        return Ok(());
    }
    let mut written = batch.writes.puts();
    if written.any(|row| is_evidence(row, peer)) || evidence(disk, peer) >= MAX_EVIDENCE {
        return Ok(());
    }
    let text = format!("it suspended over {:?} and kept no evidence", fault.text);
    Err(Violation::new(Rule::StatesOnlyGrow, node, text))
}

/// A channel that was open once is never gone.
pub(super) fn may_forget(node: usize, before: Option<&Channel>) -> Result<(), Violation> {
    if before.and_then(Channel::state).is_none() {
        return Ok(());
    }
    Err(Violation::new(Rule::StatesOnlyGrow, node, "it forgot an open channel"))
}

/// Checks that the signatures prove every state which the node holds with a byzantine peer, and that
/// what it paid on, or gave the preimage of, was paid to it or can still be claimed.
pub(super) fn claims_are_provable(world: &World, node: usize) -> Result<(), Violation> {
    let n = &world.nodes[node];
    for (link, channel) in n.disk.channels() {
        let peer = channel.remote();
        if !world.oracles.is_hostile_peer(node, link, &world.topology) {
            continue;
        }
        let is_client = channel.local() != n.keys.node_id();
        let key = if is_client { n.keys.towards_host(&peer) } else { n.keys.node() };
        let state = channel.export(&key);
        let is_proof = |state| {
            let proof = Snapshot { node_id_a: channel.local(), node_id_b: peer, state };
            steward_wire::proof::judge(&proof).is_some_and(|findings| findings.both_signed())
        };
        if state.is_some_and(|state| !is_proof(state)) {
            let text = "its state with a hostile peer proves nothing";
            return Err(Violation::new(Rule::StatesOnlyGrow, node, text));
        }
        for htlc in channel.outgoing_htlcs().filter(|htlc| htlc.preimage.is_some()) {
            let out = OutgoingHtlcId { link: *link, id: htlc.htlc.id };
            let books = &world.oracles.books[node];
            let Some(Origin::Forward(incoming)) = books.origins.get(&out) else { continue };
            let is_paid = books.ended_in.get(incoming) == Some(&true);
            if !is_paid && !is_provable(world, node, incoming) {
                let text = format!("it owes HTLC {} and can claim nothing for it", out.id);
                return Err(Violation::new(Rule::MoneyIsConserved, node, text));
            }
        }
    }
    Ok(())
}

/// Returns true if the attacker signed this HTLC, and its preimage was given or waits for the
/// connection: that is a claim, though the attacker signs no more.
pub(super) fn is_provable(world: &World, node: usize, incoming: &IncomingHtlcId) -> bool {
    let disk = &world.nodes[node].disk;
    let Some(htlc) = held_by_liar(world, node, incoming) else { return false };
    let is_given = matches!(htlc.settlement, Some(IncomingSettlement::Fulfill(_)));
    let waits = disk.row(&RowKey::Outbox(*incoming));
    let is_waiting = matches!(waits, Some(Row::Outbox(_, Settlement::Fulfill { .. })));
    (is_given || is_waiting) && is_preimage_stored(disk, &htlc.htlc.payment_hash)
}

/// An HTLC of an attacker that is still in the signed state.
pub(super) fn held_by_liar<'a>(
    world: &'a World,
    node: usize,
    key: &IncomingHtlcId,
) -> Option<IncomingHtlc<'a>> {
    let channel = world.nodes[node].disk.channel(&key.link)?;
    let mut htlcs = channel.incoming_htlcs();
    let htlc = htlcs.find(|htlc| htlc.htlc.id == key.id)?;
    world.oracles.is_hostile_peer(node, &key.link, &world.topology).then_some(htlc)
}

/// However much a peer sends, only so much of it is kept.
pub(super) fn evidence_is_bounded(world: &World, node: usize) -> Result<(), Violation> {
    for (edge, plan) in world.topology.edges_of(node) {
        let kept = evidence(&world.nodes[node].disk, &plan.peer_of(node));
        let connections = world.oracles.lines.values().filter(|line| line.edge == edge).count() / 2;
        if kept > connections * MAX_EVIDENCE {
            let text = format!("it keeps {kept} messages of {connections} connections");
            return Err(Violation::new(Rule::Rest, node, text));
        }
    }
    Ok(())
}

fn evidence(disk: &Disk, peer: &NodeId) -> usize {
    disk.rows().filter(|row| is_evidence(row, peer)).count()
}

fn is_evidence(row: &Row, peer: &NodeId) -> bool {
    matches!(row, Row::Evidence(_, row) if row.peer == *peer)
}
