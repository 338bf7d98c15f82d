//! Helpers of the tests: nodes, requests, gossip, and a walk along a part's onion.
#![allow(dead_code, unreachable_pub)]

use std::time::{SystemTime, UNIX_EPOCH};

use bitcoin::Network;
use bitcoin::constants::ChainHash;
use bitcoin::secp256k1::{SECP256K1, SecretKey};
use steward_engine::io::{FirstHop, Recipient, RouteRequest, RoutedPart};
use steward_graph::{Graph, RouteError};
use steward_invoice::HintHop;
use steward_onion::{Hop, IncomingHtlc, peel, receive};
use steward_wire::{
    ChannelAnnouncement, ChannelUpdate, LinkId, MESSAGE_FLAG_MUST_BE_ONE, NodeId, PaymentHash,
    ShortChannelId, Signature,
};

pub const HEIGHT: u32 = 800_000;
pub const FINAL_DELTA: u32 = 144;
pub const HOST_DELTA: u16 = 100;
pub const BASE_MSAT: u32 = 1_000;
pub const PPM: u32 = 2_000;

/// A node of the tests, named by a letter.
#[derive(Clone, Copy)]
pub struct Node {
    pub key: SecretKey,
    pub id: NodeId,
}

pub fn node(name: char) -> Node {
    let key = SecretKey::from_slice(&[u8::try_from(name).unwrap(); 32]).unwrap();
    Node { key, id: key.public_key(SECP256K1).into() }
}

pub fn scid(a: char, b: char) -> ShortChannelId {
    ShortChannelId::of_pair(&node(a).id, &node(b).id)
}

pub fn graph() -> Graph {
    Graph::new(Network::Regtest)
}

pub fn find(graph: &Graph, request: &RouteRequest) -> Result<Vec<RoutedPart>, RouteError> {
    graph.find_route(request, [7; 32], node('P').id)
}

pub fn refusal(graph: &Graph, request: &RouteRequest) -> RouteError {
    find(graph, request).unwrap_err()
}

/// Returns the only part of the only route for `request`.
pub fn find_one(graph: &Graph, request: &RouteRequest) -> RoutedPart {
    let mut parts = find(graph, request).unwrap();
    assert_eq!(parts.len(), 1, "{parts:?}");
    parts.remove(0)
}

/// Makes a hosted channel of the payer.
pub fn first_hop(host: char, spendable_msat: u64) -> FirstHop {
    FirstHop {
        link: LinkId::hosted(&node('P').id, &node(host).id),
        peer: node(host).id,
        short_channel_id: scid('P', host),
        spendable_msat,
        htlc_minimum_msat: 1_000,
        capacity_msat: 1_000_000_000,
    }
}

/// Makes a hint of one hosted channel, with the usual fee and delta.
pub fn hint(host: char, payee: char) -> Vec<HintHop> {
    vec![HintHop {
        node_id: node(host).id,
        scid: scid(host, payee),
        fee_base_msat: BASE_MSAT,
        fee_ppm: PPM,
        cltv_expiry_delta: HOST_DELTA,
    }]
}

/// Returns what a hint's host asks.
pub fn hint_fee_msat(amount_msat: u64) -> u64 {
    u64::from(BASE_MSAT) + amount_msat * u64::from(PPM) / 1_000_000
}

/// Makes a request: P pays R, and nothing is known about the route.
pub fn request(amount_msat: u64) -> RouteRequest {
    RouteRequest {
        payment: PaymentHash([9; 32]).into(),
        payment_hash: PaymentHash([9; 32]),
        attempt: 0,
        destination: node('R').id,
        amount_msat,
        max_fee_msat: 1_000_000,
        final_cltv_expiry_delta_blocks: FINAL_DELTA,
        height: HEIGHT,
        hints: Vec::new(),
        first_hops: Vec::new(),
        avoid: Vec::new(),
        in_flight: Vec::new(),
        mpp: false,
        recipient: Recipient {
            payment_secret: Some([5; 32]),
            total_msat: amount_msat,
            metadata: Some(vec![1, 2, 3]),
            keysend_preimage: None,
        },
    }
}

/// Carries `part` to its end as its nodes would, with what `request` promises the payee, and
/// returns what arrives there. `way` names the nodes of the path.
pub fn deliver_msat(request: &RouteRequest, part: &RoutedPart, way: &str) -> u64 {
    let nodes: Vec<Node> = way.chars().map(node).collect();
    let ids: Vec<NodeId> = part.path.iter().map(|hop| hop.node_id).collect();
    assert_eq!(ids, nodes.iter().map(|node| node.id).collect::<Vec<_>>(), "not the way {way}");
    let mut onion = part.onion.clone();
    let (mut amount_msat, mut cltv_expiry) = (part.amount_msat, part.cltv_expiry);
    for (index, node) in nodes.iter().enumerate() {
        let htlc = IncomingHtlc {
            onion: &onion.clone(),
            payment_hash: request.payment_hash,
            amount_msat,
            cltv_expiry,
            path_key: None,
        };
        let hop = part.path[index];
        match peel(&node.key, &htlc).unwrap().hop {
            Hop::Forward(forward) => {
                assert_eq!(forward.scid(), Some(part.path[index + 1].scid));
                assert_eq!(amount_msat - forward.amt_to_forward_msat, hop.fee_msat);
                assert_eq!(cltv_expiry - forward.outgoing_cltv_expiry, hop.cltv_expiry_delta);
                amount_msat = forward.amt_to_forward_msat;
                cltv_expiry = forward.outgoing_cltv_expiry;
                onion = forward.onion;
            }
            Hop::Final => {
                assert_eq!(index, nodes.len() - 1, "ends early");
                let received = receive(&node.key, &htlc, request.height).unwrap();
                assert_eq!(received.amount_msat, amount_msat);
                assert_eq!(received.total_msat, request.recipient.total_msat);
                assert_eq!(received.payment_secret, request.recipient.payment_secret);
                assert_eq!(received.metadata, request.recipient.metadata);
                assert_eq!(received.keysend_preimage, request.recipient.keysend_preimage);
                assert_eq!(part.amount_msat - part.fee_msat, amount_msat);
                let left = cltv_expiry - request.height;
                assert!(left > request.final_cltv_expiry_delta_blocks, "too near: {left}");
                return amount_msat;
            }
        }
    }
    panic!("the last hop of {way} is not the last");
}

pub fn now_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

pub fn announcement(a: char, b: char) -> ChannelAnnouncement {
    let (node_1, node_2) = (node(a).id.min(node(b).id), node(a).id.max(node(b).id));
    ChannelAnnouncement {
        node_signature_1: Signature::ZERO,
        node_signature_2: Signature::ZERO,
        bitcoin_signature_1: Signature::ZERO,
        bitcoin_signature_2: Signature::ZERO,
        features: Vec::new(),
        chain_hash: ChainHash::using_genesis_block(Network::Regtest).to_bytes(),
        short_channel_id: scid(a, b),
        node_id_1: node_1,
        node_id_2: node_2,
        bitcoin_key_1: node_1,
        bitcoin_key_2: node_2,
        excess: Vec::new(),
    }
}

/// Makes the update of the direction from `from` to `to`, with a fee of `base_msat`.
pub fn update(from: char, to: char, base_msat: u32) -> ChannelUpdate {
    ChannelUpdate {
        signature: Signature::ZERO,
        chain_hash: ChainHash::using_genesis_block(Network::Regtest).to_bytes(),
        short_channel_id: scid(from, to),
        timestamp: u32::try_from(now_ms() / 1_000).unwrap() - 1_000,
        message_flags: MESSAGE_FLAG_MUST_BE_ONE,
        channel_flags: u8::from(node(from).id > node(to).id),
        cltv_expiry_delta: 40,
        htlc_minimum_msat: 1,
        fee_base_msat: base_msat,
        fee_proportional_millionths: 0,
        htlc_maximum_msat: Some(1_000_000_000),
        excess: Vec::new(),
    }
}

/// Puts a public hosted channel with a capacity of a million satoshi into the graph.
pub fn publish(graph: &Graph, a: char, b: char, base_msat: u32) {
    graph.apply_announcement(&announcement(a, b), Some(1_000_000), now_ms()).unwrap();
    graph.apply_update(&update(a, b, base_msat)).unwrap();
    graph.apply_update(&update(b, a, base_msat)).unwrap();
}
