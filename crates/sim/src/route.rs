//! Routes and onions for simulated payers: what `graph` does in a real node, over a topology that
//! everybody knows.

use steward_engine::io::{RouteRequest, RoutedPart};
use steward_onion::{OnionSeed, PathHop, Recipient, create};
use steward_wire::{NodeId, ShortChannelId};

use crate::rng::Rng;
use crate::topology::Topology;

/// Longest way from payer to payee, in channels.
const MAX_HOPS: usize = 5;
/// Most ways looked at.
const MAX_PATHS: usize = 200;
/// One hop in so many is offered less than its fee, another less than its distance.
const OLD_TERMS_ONE_IN: u64 = 100;
/// Most parts of one payment.
const MAX_PARTS: u64 = 3;

/// One step of a way: over this edge, to the node at its other end.
#[derive(Clone, Copy, Debug)]
struct Step {
    edge: usize,
    from: usize,
}

/// Answers a request for a route.
///
/// # Errors
/// Why there is no route, for the payment's row.
pub(crate) fn find(
    topology: &Topology,
    payer: usize,
    request: &RouteRequest,
    rng: &mut Rng,
) -> Result<Vec<RoutedPart>, String> {
    let payee = payee_of(topology, request).ok_or("the payee is unknown")?;
    let mut paths = paths(topology, payer, payee, request);
    if paths.is_empty() {
        return Err("no way to the payee".to_owned());
    }
    let parts = if request.mpp && rng.chance(250) { rng.between(2, MAX_PARTS) } else { 1 };
    let each_msat = request.amount_msat / parts;
    if each_msat == 0 {
        return Err("nothing to send".to_owned());
    }
    let mut routed = Vec::new();
    for part in 0..parts {
        let rest_msat = request.amount_msat - each_msat * (parts - 1);
        let amount_msat = if part == 0 { rest_msat } else { each_msat };
        // Mostly a short one.
        paths.sort_by_key(Vec::len);
        let few = paths.len().min(3);
        let path = &paths[rng.index(few)];
        routed.push(build(topology, path, amount_msat, request, rng)?);
    }
    let fee_msat: u64 = routed.iter().map(|part| part.fee_msat).sum();
    if fee_msat > request.max_fee_msat {
        return Err("every way is too expensive".to_owned());
    }
    Ok(routed)
}

/// The node that is paid, and the last channel to it if the invoice names one.
fn payee_of(topology: &Topology, request: &RouteRequest) -> Option<usize> {
    if let Some(hop) = request.hints.first().and_then(|hint| hint.last()) {
        return topology.by_scid(hop.scid).map(|(_, edge)| edge.client);
    }
    let is_payee = |id: &NodeId| *id == request.destination;
    topology.edges.iter().find_map(|edge| {
        match (is_payee(&edge.host_id), is_payee(&edge.client_id)) {
            (true, _) => Some(edge.host),
            (_, true) => Some(edge.client),
            _ => None,
        }
    })
}

fn paths(
    topology: &Topology,
    payer: usize,
    payee: usize,
    request: &RouteRequest,
) -> Vec<Vec<Step>> {
    let last: Vec<ShortChannelId> =
        request.hints.iter().filter_map(|hint| hint.last()).map(|hop| hop.scid).collect();
    let mut found = Vec::new();
    let mut open = vec![(payer, Vec::<Step>::new())];
    while let Some((node, way)) = open.pop() {
        if node == payee && !way.is_empty() {
            found.push(way);
            if found.len() >= MAX_PATHS {
                break;
            }
            continue;
        }
        if way.len() >= MAX_HOPS {
            continue;
        }
        for (number, edge) in topology.edges_of(node) {
            let next = edge.other(node);
            let was_there = next == payer || way.iter().any(|step| step.from == next);
            let is_avoided = request.avoid.contains(&edge.scid);
            let is_hinted = next != payee || last.is_empty() || last.contains(&edge.scid);
            let is_usable = !way.is_empty()
                || request.first_hops.iter().any(|hop| hop.short_channel_id == edge.scid);
            if !was_there && !is_avoided && is_hinted && is_usable {
                let mut longer = way.clone();
                longer.push(Step { edge: number, from: node });
                open.push((next, longer));
            }
        }
    }
    found
}

fn build(
    topology: &Topology,
    path: &[Step],
    amount_msat: u64,
    request: &RouteRequest,
    rng: &mut Rng,
) -> Result<RoutedPart, String> {
    let mut hops: Vec<PathHop> = Vec::new();
    let mut carried_msat = amount_msat;
    for (position, step) in path.iter().enumerate().rev() {
        let edge = &topology.edges[step.edge];
        let to = edge.other(step.from);
        let is_last = position + 1 == path.len();
        let hop = if is_last {
            PathHop {
                node_id: request.destination,
                scid: edge.scid,
                fee_msat: amount_msat,
                cltv_expiry_delta: request.final_cltv_expiry_delta_blocks,
            }
        } else {
            let policy = &topology.policies[to];
            let mut fee_msat = policy.fee_msat(carried_msat).ok_or("the fee overflows")?;
            let mut cltv_expiry_delta = u32::from(policy.cltv_expiry_delta_blocks);
            // Terms change, and not every payer has heard of it.
            match rng.below(OLD_TERMS_ONE_IN) {
                0 => fee_msat /= 2,
                1 => cltv_expiry_delta /= 2,
                _ => {}
            }
            carried_msat += fee_msat;
            PathHop { node_id: edge.id_of(to), scid: edge.scid, fee_msat, cltv_expiry_delta }
        };
        hops.push(hop);
    }
    hops.reverse();
    let seed =
        OnionSeed { session_key: rng.bytes32(), prng_seed: rng.bytes32(), height: request.height };
    let recipient = Recipient {
        payment_secret: request.recipient.payment_secret,
        total_msat: request.recipient.total_msat,
        metadata: request.recipient.metadata.clone(),
        keysend_preimage: request.recipient.keysend_preimage,
        custom_tlvs: Vec::new(),
    };
    let onion = create(&hops, &recipient, &request.payment_hash, &seed)
        .map_err(|error| error.to_string())?;
    Ok(RoutedPart {
        path: hops,
        amount_msat: onion.amount_msat,
        fee_msat: onion.amount_msat - amount_msat,
        cltv_expiry: onion.cltv_expiry,
        onion: onion.onion,
        session_key: seed.session_key,
    })
}
