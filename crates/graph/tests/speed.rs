//! Measures how long a route takes. By default it is not run:
//! `cargo test --release -p steward-graph --test speed -- --ignored --nocapture`.
//! speed -- --ignored --nocapture`.

mod support;

use std::time::{Duration, Instant};

use bitcoin::secp256k1::{SECP256K1, SecretKey};
use steward_engine::io::RouteRequest;
use steward_graph::Graph;
use steward_wire::{NodeId, ShortChannelId};
use support::*;

const RUNS: usize = 500;
/// About as many nodes as the public network has.
const NODES: usize = 15_000;
const CHANNELS: usize = 60_000;

#[test]
#[ignore = "measures; meaningful in release builds only"]
fn a_payment_by_the_payees_host_takes_less_than_400_us() {
    let mut request = request(50_000);
    request.first_hops = vec![first_hop('H', 100_000), first_hop('G', 100_000)];
    request.hints = vec![hint('H', 'R')];
    let same_host = measure("same host, empty graph", &graph(), &request);

    let (big, ids) = public_network();
    let same_host_big = measure("same host, public network", &big, &request);

    request.hints = vec![[hint('H', 'G'), hint('G', 'R')].concat()];
    request.first_hops = vec![first_hop('H', 100_000)];
    measure("hint of two channels, by the router, empty graph", &graph(), &request);
    measure("hint of two channels, by the router, public network", &big, &request);

    request.hints = Vec::new();
    request.destination = ids[NODES - 1];
    request.first_hops = vec![first_hop('H', 100_000)];
    request.first_hops[0].peer = ids[0];
    measure("across the public network", &big, &request);

    assert!(same_host < Duration::from_micros(400), "{same_host:?}");
    assert!(same_host_big < Duration::from_micros(400), "{same_host_big:?}");
}

/// Returns the median, and prints it with the 95th percentile.
fn measure(name: &str, graph: &Graph, request: &RouteRequest) -> Duration {
    let mut times: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            let parts = find(graph, request).unwrap();
            let time = start.elapsed();
            assert_eq!(parts.len(), 1);
            time
        })
        .collect();
    times.sort();
    let median = times[RUNS / 2];
    println!("{name}: p50 {median:?}, p95 {:?}", times[RUNS * 95 / 100]);
    median
}

/// Makes up a network with hubs: every node chooses the nodes of its channels among those before
/// it, and prefers the first.
fn public_network() -> (Graph, Vec<NodeId>) {
    let graph = graph();
    let ids: Vec<NodeId> = (1..=NODES)
        .map(|number| {
            let mut key = [1u8; 32];
            key[..8].copy_from_slice(&number.to_be_bytes());
            SecretKey::from_slice(&key).unwrap().public_key(SECP256K1).into()
        })
        .collect();
    let mut state = 1u64;
    let mut random_below = |bound: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % bound
    };
    for channel in 0..CHANNELS {
        let later = 1 + channel % (NODES - 1);
        let earlier = random_below(later).min(random_below(later)).min(random_below(later));
        let (a, b) = (ids[earlier], ids[later]);
        let mut announced = announcement('H', 'R');
        announced.short_channel_id = ShortChannelId(u64::try_from(channel).unwrap());
        (announced.node_id_1, announced.node_id_2) = (a.min(b), a.max(b));
        graph.apply_announcement(&announced, Some(1_000_000), now_ms()).unwrap();
        for direction in 0..2 {
            let mut update = update('H', 'R', u32::try_from(random_below(2_000)).unwrap());
            update.short_channel_id = announced.short_channel_id;
            update.channel_flags = direction;
            graph.apply_update(&update).unwrap();
        }
    }
    (graph, ids)
}
