//! The short cut for the commonest hosted payment: to a peer of ours, or to a payee behind one.
//!
//! No route through the graph is shorter, so none is looked for. LDK's router finds all other
//! routes: payments that must be split, longer hints, payees without a hint.

use steward_engine::io::FirstHop;
use steward_invoice::HintHop;
use steward_onion::PathHop;

use crate::limits::MAX_TOTAL_CLTV_BLOCKS;
use crate::payment::Payment;

/// Finds the cheapest path of one or two channels that carries the whole amount, as LDK's router
/// would build it.
pub(crate) fn find(payment: &Payment<'_>) -> Option<Vec<PathHop>> {
    let direct = payment.first_hops.iter().find_map(|first| direct_path(payment, first));
    direct.or_else(|| own_client_path(payment)).or_else(|| cheapest_by_hint(payment))
}

/// Finds the path of a host to its own client: the invoice names a key of its own, and its hint is
/// our channel to the client.
fn own_client_path(payment: &Payment<'_>) -> Option<Vec<PathHop>> {
    let last_hops = payment.request.hints.iter().filter_map(|hint| hint.last());
    let our_scids = last_hops.filter(|hop| hop.node_id == payment.payer).map(|hop| hop.scid);
    let mut first_hops = our_scids
        .filter_map(|scid| payment.first_hops.iter().find(|first| first.short_channel_id == scid));
    let first = first_hops.find(|first| carries(first, payment.request.amount_msat))?;
    Some(vec![payment.revealed_last_hop(first.short_channel_id)])
}

fn direct_path(payment: &Payment<'_>, first: &FirstHop) -> Option<Vec<PathHop>> {
    if first.peer != payment.request.destination || !carries(first, payment.request.amount_msat) {
        return None;
    }
    Some(vec![payment.revealed_last_hop(first.short_channel_id)])
}

fn cheapest_by_hint(payment: &Payment<'_>) -> Option<Vec<PathHop>> {
    let last_channels = payment.hints.iter().filter_map(|hint| match hint {
        [hop] => Some(hop),
        _ => None,
    });
    let paths = last_channels.flat_map(|hint| {
        let first_hops = payment.first_hops.iter();
        first_hops.filter_map(|first| path_by_hint(payment, first, hint))
    });
    // A path without a fee cannot be beaten; of equal paths the first hint wins.
    paths.min_by_key(|path| path.first().map(|hop| hop.fee_msat))
}

fn path_by_hint(payment: &Payment<'_>, first: &FirstHop, hint: &HintHop) -> Option<Vec<PathHop>> {
    if first.peer != hint.node_id {
        return None;
    }
    let fee_msat = forwarding_fee_msat(hint, payment.request.amount_msat)?;
    let sent_msat = payment.request.amount_msat.checked_add(fee_msat)?;
    let last = payment.revealed_last_hop(hint.scid);
    let delta_blocks = u32::from(hint.cltv_expiry_delta).checked_add(last.cltv_expiry_delta)?;
    if fee_msat > payment.max_fee_msat
        || !carries(first, sent_msat)
        || delta_blocks > MAX_TOTAL_CLTV_BLOCKS
    {
        return None;
    }
    let host = PathHop {
        node_id: first.peer,
        scid: first.short_channel_id,
        fee_msat,
        cltv_expiry_delta: u32::from(hint.cltv_expiry_delta),
    };
    Some(vec![host, last])
}

fn carries(first: &FirstHop, amount_msat: u64) -> bool {
    (first.htlc_minimum_msat..=first.spendable_msat).contains(&amount_msat)
}

/// Computes what the forwarding node asks for an HTLC that leaves with `amount_msat` (BOLT 7 "HTLC
/// Fees").
fn forwarding_fee_msat(hint: &HintHop, amount_msat: u64) -> Option<u64> {
    let proportional_msat = amount_msat.checked_mul(u64::from(hint.fee_ppm))? / 1_000_000;
    proportional_msat.checked_add(u64::from(hint.fee_base_msat))
}

#[cfg(test)]
mod tests {
    use bitcoin::Network;
    use bitcoin::secp256k1::{SECP256K1, SecretKey};
    use proptest::prelude::*;
    use steward_engine::io::{Recipient, RouteRequest};
    use steward_wire::{NodeId, PaymentHash, ShortChannelId};

    use super::*;
    use crate::graph::Graph;
    use crate::router;

    fn node(byte: u8) -> NodeId {
        SecretKey::from_slice(&[byte; 32]).unwrap().public_key(SECP256K1).into()
    }

    /// Generates requests in which node 1 pays node 3; node 2 is the host of both, or node 3 the
    /// payer's peer.
    fn any_request() -> impl Strategy<Value = RouteRequest> {
        // The expiry stays below the limit, because the router keeps 80 blocks for its random
        // offset.
        let hint = (0..10_000u32, 0..20_000u32, 0..500u16);
        let first = (2..4u8, 1..2_000_000u64, 0..20_000u64);
        let request = (1..2_000_000u64, 0..50_000u64, 0..300u32, any::<bool>());
        (hint, first, request).prop_map(|(hint, first, request)| RouteRequest {
            payment: steward_wire::PaymentId([9; 32]),
            payment_hash: PaymentHash([9; 32]),
            attempt: 0,
            destination: node(3),
            amount_msat: request.0,
            max_fee_msat: request.1,
            final_cltv_expiry_delta_blocks: request.2,
            height: 800_000,
            hints: vec![vec![HintHop {
                node_id: node(2),
                scid: ShortChannelId(23),
                fee_base_msat: hint.0,
                fee_ppm: hint.1,
                cltv_expiry_delta: hint.2,
            }]],
            first_hops: vec![FirstHop {
                link: steward_wire::LinkId([0; 32]),
                peer: node(first.0),
                short_channel_id: ShortChannelId(12),
                spendable_msat: first.1,
                htlc_minimum_msat: first.2,
                capacity_msat: 2_000_000,
            }],
            avoid: Vec::new(),
            in_flight: Vec::new(),
            mpp: request.3,
            recipient: Recipient {
                payment_secret: Some([5; 32]),
                total_msat: request.0,
                metadata: None,
                keysend_preimage: None,
            },
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn the_short_cut_finds_the_path_that_the_router_finds(request in any_request()) {
            let graph = Graph::new(Network::Regtest);
            let Ok(payment) = Payment::new(&request, node(1)) else { return Ok(()) };
            let routed = router::find_paths(&graph, &payment, &[7; 32]);
            match find(&payment) {
                Some(path) => prop_assert_eq!(routed, Ok(vec![path])),
                // The router may also pay more than asked to reach a channel's minimum.
                None => prop_assert!(
                    routed.is_err() || request.amount_msat < payment.minimum_msat(),
                    "the short cut misses {:?}",
                    routed
                ),
            }
        }
    }
}
