//! Routes over public hosted channels, and what payments teach about them.

mod support;

use steward_engine::io::PathResult;
use steward_graph::{GossipError, Graph, RouteError};
use steward_wire::NodeId;
use support::*;

/// Makes two routes from H to R, over X at 1 sat and over Y at 3 sat.
fn two_ways() -> Graph {
    let graph = graph();
    for (a, b, base_msat) in
        [('H', 'X', 1_000), ('X', 'R', 1_000), ('H', 'Y', 3_000), ('Y', 'R', 3_000)]
    {
        publish(&graph, a, b, base_msat);
    }
    graph
}

fn by_host(amount_msat: u64) -> steward_engine::io::RouteRequest {
    let mut request = request(amount_msat);
    request.first_hops = vec![first_hop('H', 900_000_000)];
    request
}

#[test]
fn a_payment_crosses_public_hosted_channels() {
    let request = by_host(50_000);
    let part = find_one(&two_ways(), &request);
    assert_eq!(deliver_msat(&request, &part, "HXR"), 50_000);
    assert_eq!(part.fee_msat, 2_000);
}

#[test]
fn a_payment_crosses_a_public_hosted_channel_to_a_hint() {
    let graph = graph();
    publish(&graph, 'H', 'X', 1_000);
    let mut request = by_host(50_000);
    request.hints = vec![hint('X', 'R')];
    let part = find_one(&graph, &request);
    assert_eq!(deliver_msat(&request, &part, "HXR"), 50_000);
}

#[test]
fn a_hint_with_the_number_of_another_public_channel_is_left_out() {
    let graph = graph();
    publish(&graph, 'H', 'X', 1_000);
    let mut request = by_host(50_000);
    request.hints = vec![hint('X', 'R')];
    request.hints[0][0].scid = scid('H', 'X');
    assert_eq!(refusal(&graph, &request), RouteError::NoRoute);
}

#[test]
fn a_public_channel_is_used_once_both_directions_are_known() {
    let graph = graph();
    let request = by_host(50_000);
    graph.apply_announcement(&announcement('H', 'R'), None, now_ms()).unwrap();
    graph.apply_update(&update('H', 'R', 0)).unwrap();
    assert_eq!(refusal(&graph, &request), RouteError::NoRoute);
    graph.apply_update(&update('R', 'H', 0)).unwrap();
    deliver_msat(&request, &find_one(&graph, &request), "HR");
}

#[test]
fn a_route_goes_around_a_channel_to_avoid() {
    let mut request = by_host(50_000);
    request.avoid = vec![scid('H', 'X')];
    deliver_msat(&request, &find_one(&two_ways(), &request), "HYR");
}

#[test]
fn what_is_in_flight_is_not_spent_again() {
    let mut request = by_host(50_000);
    let way = [(node('H').id, scid('P', 'H')), (node('X').id, scid('H', 'X'))];
    request.in_flight = vec![(way.to_vec(), 600_000_000), (way.to_vec(), 390_000_000)];
    deliver_msat(&request, &find_one(&two_ways(), &request), "HYR");
}

#[test]
fn a_channel_that_failed_is_left_for_another() {
    let graph = two_ways();
    let request = by_host(400_000_000);
    let before = find_one(&graph, &request);
    deliver_msat(&request, &before, "HXR");
    let path: Vec<_> = before.path.iter().map(|hop| (hop.node_id, hop.scid)).collect();
    let failed = Some(Some(scid('X', 'R')));
    let result = PathResult { path, amount_msat: 400_000_000, failed };
    graph.record(&result, now_ms());
    deliver_msat(&request, &find_one(&graph, &request), "HYR");
}

#[test]
fn odd_results_change_nothing() {
    let graph = two_ways();
    let ways = [
        vec![],
        vec![(NodeId([0; 33]), scid('H', 'X'))],
        vec![(node('X').id, scid('H', 'X')), (node('X').id, scid('H', 'X'))],
    ];
    for path in ways {
        for failed in [None, Some(None), Some(Some(scid('H', 'X'))), Some(Some(scid('A', 'B')))] {
            let result = PathResult { path: path.clone(), amount_msat: u64::MAX, failed };
            graph.record(&result, 0);
            graph.record(&result, u64::MAX);
        }
    }
    find_one(&graph, &by_host(50_000));
}

#[test]
fn a_channel_without_news_for_two_weeks_is_forgotten() {
    let graph = graph();
    publish(&graph, 'H', 'R', 0);
    let day_ms = 24 * 60 * 60 * 1_000;
    graph.maintain(now_ms() + 13 * day_ms);
    assert_eq!(graph.channel_count(), 1);
    graph.maintain(now_ms() + 15 * day_ms);
    assert_eq!(graph.channel_count(), 0);
}

#[test]
fn a_channel_is_announced_once() {
    let graph = graph();
    publish(&graph, 'H', 'R', 0);
    let again = graph.apply_announcement(&announcement('H', 'R'), None, now_ms());
    assert_eq!(again, Err(GossipError::KnownChannel(scid('H', 'R'))));
}

#[test]
fn gossip_of_another_chain_or_with_bad_nodes_is_refused() {
    let graph = graph();
    let mut other_chain = announcement('H', 'R');
    other_chain.chain_hash = [1; 32];
    let refusal = graph.apply_announcement(&other_chain, None, 0);
    assert_eq!(refusal, Err(GossipError::WrongChain));
    let mut no_key = announcement('H', 'R');
    no_key.node_id_1 = NodeId([0; 33]);
    assert_eq!(graph.apply_announcement(&no_key, None, 0), Err(GossipError::BadNodeIds));
    assert_eq!(graph.channel_count(), 0);
}

#[test]
fn an_update_must_be_of_a_known_channel_and_newer() {
    let graph = graph();
    let first = update('H', 'R', 0);
    assert_eq!(graph.apply_update(&first), Err(GossipError::UnknownChannel(scid('H', 'R'))));
    graph.apply_announcement(&announcement('H', 'R'), None, now_ms()).unwrap();
    graph.apply_update(&first).unwrap();
    assert!(matches!(graph.apply_update(&first), Err(GossipError::Refused(_))));
}
