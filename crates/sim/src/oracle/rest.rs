//! The rules for a network at rest: faults are over and nothing moves (docs/simulation.md,
//! "Oracles").

use std::collections::BTreeSet;

use steward_engine::row::{Origin, PaymentStatus, Row, RowKey};
use steward_hosted::Channel;

use super::{Rule, Violation, accounts, contents, hostile};
use crate::world::World;

/// All oracles for a network at rest.
///
/// # Errors
/// The first thing that is wrong.
pub(crate) fn check(world: &World) -> Result<(), Violation> {
    for node in 0..world.nodes.len() {
        if !world.oracles.is_hostile(node) {
            payments_ended(world, node)?;
            nothing_given_away(world, node)?;
            nothing_left(world, node)?;
            hostile::claims_are_provable(world, node)?;
            hostile::evidence_is_bounded(world, node)?;
            accounts::nobody_lost(world, node)?;
        }
    }
    for edge in 0..world.topology.edges.len() {
        sides_agree(world, edge)?;
    }
    money_is_conserved(world)
}

fn payments_ended(world: &World, node: usize) -> Result<(), Violation> {
    let broken = |text: String| Err(Violation::new(Rule::PaymentsEnd, node, text));
    let disk = &world.nodes[node].disk;
    let may_wait = waits_for_liar(world, node);
    let mut paid = BTreeSet::new();
    for row in disk.rows() {
        match row {
            Row::Part(row) if row.status == PaymentStatus::Complete => {
                paid.insert(row.payment);
            }
            Row::Part(row) if row.status == PaymentStatus::Pending && !may_wait => {
                let payment = row.payment;
                return broken(format!("part {} of payment {payment} has not ended", row.part));
            }
            _ => {}
        }
    }
    for row in disk.rows() {
        let Row::Payment(row) = row else { continue };
        match row.status {
            PaymentStatus::Pending | PaymentStatus::Unknown if !may_wait => {
                return broken(format!("payment {} has not ended", row.payment_hash));
            }
            PaymentStatus::Complete if row.preimage.map(|p| p.hash()) != Some(row.payment_hash) => {
                return broken("a payment is complete without its preimage".to_owned());
            }
            PaymentStatus::Failed if paid.contains(&row.id()) => {
                let hash = row.payment_hash;
                return broken(format!("payment {hash} failed, but a part of it was paid"));
            }
            _ => {}
        }
    }
    Ok(())
}

/// A byzantine host may never confirm that our data is the newest there is: what may have left
/// us over it stays open (docs/recovery.md).
fn waits_for_liar(world: &World, node: usize) -> bool {
    let mut hosts = world.topology.edges.iter().filter(|edge| edge.client == node);
    hosts.any(|edge| world.oracles.is_hostile(edge.host))
}

/// Whatever a node paid on, it was paid; whatever preimage it gave, it was credited.
fn nothing_given_away(world: &World, node: usize) -> Result<(), Violation> {
    let broken = |text: String| Err(Violation::new(Rule::MoneyIsConserved, node, text));
    let books = &world.oracles.books[node];
    for (out, is_paid) in &books.ended_out {
        if !is_paid {
            continue;
        }
        match books.origins.get(out) {
            Some(Origin::Forward(incoming)) => {
                let is_paid = books.ended_in.get(incoming) == Some(&true);
                if !is_paid && !hostile::is_provable(world, node, incoming) {
                    let (out, incoming) = (out.id, incoming.id);
                    return broken(format!("it paid HTLC {out} and was not paid HTLC {incoming}"));
                }
            }
            Some(Origin::Payment { payment, .. }) => {
                let row = world.nodes[node].disk.row(&RowKey::Payment(*payment));
                let is_complete = matches!(row, Some(Row::Payment(row))
                    if row.status == PaymentStatus::Complete);
                if !is_complete {
                    return broken(format!("HTLC {} was paid, its payment was not", out.id));
                }
            }
            None => return broken(format!("HTLC {} came from nowhere", out.id)),
        }
    }
    for incoming in &books.given {
        let is_paid = books.ended_in.get(incoming) == Some(&true);
        if !is_paid && !hostile::is_provable(world, node, incoming) {
            return broken(format!("it gave the preimage of HTLC {} for nothing", incoming.id));
        }
    }
    Ok(())
}

/// No HTLC, no settlement, no forward is left over.
fn nothing_left(world: &World, node: usize) -> Result<(), Violation> {
    for row in world.nodes[node].disk.rows() {
        let left = match row {
            Row::Origin(key, _) => format!("the origin of HTLC {}", key.id),
            // An attacker that is suspended, or does not listen, is not told.
            Row::Outbox(key, _) if hostile::held_by_liar(world, node, key).is_some() => continue,
            Row::Outbox(key, _) => format!("a settlement of HTLC {}", key.id),
            _ => continue,
        };
        return Err(Violation::new(Rule::Rest, node, format!("{left} is left over")));
    }
    Ok(())
}

fn sides_agree(world: &World, edge: usize) -> Result<(), Violation> {
    let plan = &world.topology.edges[edge];
    if world.oracles.is_hostile(plan.client) || world.oracles.is_hostile(plan.host) {
        return Ok(());
    }
    let broken = |text: &str| {
        let text = format!("channel of client {} with host {}: {text}", plan.client, plan.host);
        Err(Violation::new(Rule::SidesAgree, plan.host, text))
    };
    if !world.edges[edge].is_invoked {
        return Ok(());
    }
    let ours = world.durable(edge, plan.client).and_then(Channel::state);
    let theirs = world.durable(edge, plan.host).and_then(Channel::state);
    let (Some(ours), Some(theirs)) = (ours, theirs) else { return broken("it is not open") };
    if let Some(field) = contents::difference_of_sides(ours, theirs) {
        return broken(&format!("the sides hold different states: {field}"));
    }
    if !ours.incoming_htlcs.is_empty() || !ours.outgoing_htlcs.is_empty() {
        return broken("it still has HTLCs");
    }
    for node in [plan.client, plan.host] {
        if world.durable(edge, node).is_none_or(|channel| channel.suspension().is_some()) {
            return broken("it is still suspended");
        }
    }
    Ok(())
}

/// Each channel's balances add up to its capacity on both sides, and so does the whole network.
fn money_is_conserved(world: &World) -> Result<(), Violation> {
    let (mut held_msat, mut capacity_msat) = (0u128, 0u128);
    for (number, edge) in world.topology.edges.iter().enumerate() {
        if world.oracles.is_hostile(edge.client) || world.oracles.is_hostile(edge.host) {
            continue;
        }
        let client = world.durable(number, edge.client).and_then(Channel::state);
        let host = world.durable(number, edge.host).and_then(Channel::state);
        let (Some(client), Some(host)) = (client, host) else { continue };
        held_msat += u128::from(client.local_balance_msat) + u128::from(host.local_balance_msat);
        capacity_msat += u128::from(host.init_hosted_channel.channel_capacity_msat);
    }
    if held_msat == capacity_msat {
        return Ok(());
    }
    let text = format!("all hold {held_msat} msat together, there are {capacity_msat} msat");
    Err(Violation::new(Rule::MoneyIsConserved, 0, text))
}
