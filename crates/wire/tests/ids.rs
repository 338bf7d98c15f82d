//! Identifiers (docs/protocol.md section 1.6).

#[path = "support/load.rs"]
mod load;

use std::collections::BTreeSet;

use bitcoin::secp256k1::{SECP256K1, SecretKey};
use load::load;
use proptest::prelude::*;
use serde::Deserialize;
use steward_wire::{ChannelId, NodeId, ShortChannelId, Signature};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(rename = "source")]
    _source: String,
    secret_key_a: String,
    node_id_a: String,
    secret_key_b: String,
    node_id_b: String,
    channel_id: String,
    short_channel_id: String,
    short_channel_id_hex: String,
}

fn node_id(secret_key: &str) -> NodeId {
    secret_key.parse::<SecretKey>().unwrap().public_key(SECP256K1).into()
}

#[test]
fn ids_follow_from_the_keys() {
    for case in load::<Vec<Case>>("wire/ids.json") {
        let (a, b) = (node_id(&case.secret_key_a), node_id(&case.secret_key_b));
        assert_eq!(a.to_string(), case.node_id_a, "{}", case.name);
        assert_eq!(b.to_string(), case.node_id_b, "{}", case.name);
        assert_eq!(ChannelId::of_pair(&a, &b).to_string(), case.channel_id, "{}", case.name);
        let scid = ShortChannelId::of_pair(&a, &b);
        assert_eq!(scid.to_string(), case.short_channel_id, "{}", case.name);
        assert_eq!(format!("{:016x}", scid.0), case.short_channel_id_hex, "{}", case.name);
    }
}

/// The eclair plugin's suite (HostedChannelsDbSpec, line 137) draws a million pairs; a tenth of
/// that keeps the test short.
#[test]
fn a_hundred_thousand_random_pairs_have_different_short_channel_ids() {
    let mut state = 1u64;
    let mut word = || {
        // SplitMix64 makes pairs that look random and are the same in every run.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    let mut random_node_id = || {
        let mut bytes = [2; 33];
        bytes[1..]
            .chunks_exact_mut(8)
            .for_each(|chunk| chunk.copy_from_slice(&word().to_be_bytes()));
        NodeId(bytes)
    };
    let scids: BTreeSet<ShortChannelId> = (0..100_000)
        .map(|_| ShortChannelId::of_pair(&random_node_id(), &random_node_id()))
        .collect();
    assert_eq!(scids.len(), 100_000);
}

#[test]
fn the_last_two_bytes_of_the_pair_do_not_count_in_the_short_channel_id() {
    let low = NodeId([2; 33]);
    let mut high = NodeId([3; 33]);
    let before = ShortChannelId::of_pair(&low, &high);
    high.0[31] = 0xff;
    high.0[32] = 0xff;
    assert_eq!(ShortChannelId::of_pair(&low, &high), before);
    high.0[30] = 0xff;
    assert_ne!(ShortChannelId::of_pair(&low, &high), before);
}

#[test]
fn text_that_is_not_an_id_is_refused() {
    for text in ["", "1x2", "1x2x3x4", "+1x2x3", "-1x2x3", "1x2x", "16777216x0x0", "0x0x65536"] {
        assert!(text.parse::<ShortChannelId>().is_err(), "{text}");
    }
    assert!("00".parse::<ChannelId>().is_err());
    assert!("+0".repeat(32).parse::<ChannelId>().is_err());
    assert!("é".repeat(32).parse::<ChannelId>().is_err());
}

#[test]
fn bytes_that_are_no_point_give_no_key() {
    assert_eq!(NodeId([0; 33]).public_key(), None);
    assert_eq!(Signature([0xff; 64]).to_ecdsa(), None);
}

proptest! {
    /// The eclair plugin's suite has this test, too (HostedWireSpec, line 74).
    #[test]
    fn ids_are_symmetric_in_the_keys(a in any::<[u8; 32]>(), b in any::<[u8; 32]>()) {
        let node_id = |x: [u8; 32]| {
            let mut bytes = [2; 33];
            bytes[1..].copy_from_slice(&x);
            NodeId(bytes)
        };
        let (a, b) = (node_id(a), node_id(b));
        prop_assert_eq!(ChannelId::of_pair(&a, &b), ChannelId::of_pair(&b, &a));
        prop_assert_eq!(ShortChannelId::of_pair(&a, &b), ShortChannelId::of_pair(&b, &a));
    }

    #[test]
    fn ids_read_back_from_their_text(scid in any::<u64>(), id in any::<[u8; 32]>()) {
        let scid = ShortChannelId(scid);
        prop_assert_eq!(scid.to_string().parse(), Ok(scid));
        let id = ChannelId(id);
        prop_assert_eq!(id.to_string().parse(), Ok(id));
    }
}
