//! However odd a request is, it causes no panic, and what is found keeps the request's limits.

mod support;

use proptest::collection::vec;
use proptest::prelude::*;
use steward_engine::io::{FirstHop, Recipient, RouteRequest};
use steward_graph::Graph;
use steward_invoice::HintHop;
use steward_wire::{NodeId, PaymentHash, Preimage, ShortChannelId};
use support::*;

/// Generates few nodes, so that they meet often; one of them is not a public key.
fn any_node() -> impl Strategy<Value = NodeId> {
    prop_oneof![
        20 => prop::sample::select(vec!['P', 'H', 'G', 'X', 'R']).prop_map(|name| node(name).id),
        1 => Just(NodeId([0; 33])),
    ]
}

/// Generates numbers of own channels. They are derived from both ends, so no other channel has one
/// of them.
fn own_scid() -> impl Strategy<Value = ShortChannelId> {
    prop::sample::select(vec!['H', 'G', 'X', 'R']).prop_map(|peer| scid('P', peer))
}

fn any_scid() -> impl Strategy<Value = ShortChannelId> {
    let pairs =
        [('P', 'H'), ('P', 'G'), ('P', 'R'), ('H', 'R'), ('G', 'R'), ('H', 'G'), ('X', 'R')];
    let named = prop::sample::select(pairs.to_vec()).prop_map(|(a, b)| scid(a, b));
    prop_oneof![8 => named, 1 => any::<u64>().prop_map(ShortChannelId)]
}

fn any_msat() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 0..2_000_000_000u64, 1 => any::<u64>(), 1 => Just(u64::MAX)]
}

fn any_hint_hop() -> impl Strategy<Value = HintHop> {
    let fees = prop_oneof![3 => (0..5_000u32, 0..5_000u32), 1 => any::<(u32, u32)>()];
    let delta = prop_oneof![3 => 0..200u16, 1 => any::<u16>()];
    (any_node(), any_scid(), fees, delta).prop_map(|(node_id, scid, fees, cltv_expiry_delta)| {
        let (fee_base_msat, fee_ppm) = fees;
        HintHop { node_id, scid, fee_base_msat, fee_ppm, cltv_expiry_delta }
    })
}

fn any_first_hop() -> impl Strategy<Value = FirstHop> {
    let minimum = prop_oneof![4 => 0..2_000u64, 1 => any::<u64>()];
    (any_node(), own_scid(), any_msat(), minimum, any_msat()).prop_map(
        |(peer, short_channel_id, spendable_msat, htlc_minimum_msat, capacity_msat)| FirstHop {
            link: steward_wire::LinkId([0; 32]),
            peer,
            short_channel_id,
            spendable_msat,
            htlc_minimum_msat,
            capacity_msat,
        },
    )
}

fn any_recipient() -> impl Strategy<Value = Recipient> {
    let metadata = prop::option::of(vec(any::<u8>(), 0..1_500));
    let preimage = prop::option::of(any::<[u8; 32]>());
    (any::<Option<[u8; 32]>>(), any_msat(), metadata, preimage).prop_map(
        |(payment_secret, total_msat, metadata, preimage)| Recipient {
            payment_secret,
            total_msat,
            metadata,
            keysend_preimage: preimage.map(Preimage),
        },
    )
}

fn any_request() -> impl Strategy<Value = RouteRequest> {
    let way = vec((any_node(), any_scid()), 0..4);
    let lists = (
        vec(vec(any_hint_hop(), 0..4), 0..5),
        vec(any_first_hop(), 0..6),
        vec(any_scid(), 0..2),
        vec((way, any_msat()), 0..3),
    );
    let times = (
        prop_oneof![8 => 0..300u32, 1 => any::<u32>()],
        prop_oneof![8 => 0..1_000_000u32, 1 => any::<u32>()],
    );
    let amounts = (any_msat(), any_msat());
    (any_node(), amounts, times, lists, any::<bool>(), any_recipient()).prop_map(
        |(destination, amounts, times, lists, mpp, recipient)| RouteRequest {
            payment: PaymentHash([9; 32]).into(),
            payment_hash: PaymentHash([9; 32]),
            attempt: 0,
            destination,
            amount_msat: amounts.0,
            max_fee_msat: amounts.1,
            final_cltv_expiry_delta_blocks: times.0,
            height: times.1,
            hints: lists.0,
            first_hops: lists.1,
            avoid: lists.2,
            in_flight: lists.3,
            mpp,
            recipient,
        },
    )
}

fn with_public_channels() -> Graph {
    let graph = graph();
    for (a, b) in [('H', 'G'), ('G', 'X'), ('X', 'R'), ('P', 'X')] {
        publish(&graph, a, b, 500);
    }
    graph
}

fn check(graph: &Graph, request: &RouteRequest) {
    let Ok(parts) = find(graph, request) else { return };
    let delivered: u64 = parts.iter().map(|part| part.amount_msat - part.fee_msat).sum();
    let sent: u64 = parts.iter().map(|part| part.amount_msat).sum();
    assert!(delivered >= request.amount_msat);
    assert!(sent - request.amount_msat <= request.max_fee_msat);
    assert!(parts.len() == 1 || request.mpp);
    for part in &parts {
        let first = part.path[0];
        // An own client may have a key of its own for the invoice, whose hint names our channel.
        let is_own_client = part.path.len() == 1
            && request
                .hints
                .iter()
                .filter_map(|hint| hint.last())
                .any(|hop| hop.node_id == node('P').id && hop.scid == first.scid);
        let carries = |hop: &FirstHop| {
            (hop.peer == first.node_id || is_own_client)
                && hop.short_channel_id == first.scid
                && (hop.htlc_minimum_msat..=hop.spendable_msat).contains(&part.amount_msat)
        };
        assert!(request.first_hops.iter().any(carries), "not over a channel of ours");
        assert!(part.path.iter().all(|hop| !request.avoid.contains(&hop.scid)));
        assert!(part.path.iter().all(|hop| hop.node_id != node('P').id));
        assert_eq!(part.path.last().unwrap().node_id, request.destination);
        assert!(part.cltv_expiry > request.height + request.final_cltv_expiry_delta_blocks);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 500,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_request_panics_on_an_empty_graph(request in any_request()) {
        check(&graph(), &request);
    }

    #[test]
    fn no_request_panics_among_public_channels(request in any_request()) {
        check(&with_public_channels(), &request);
    }
}
