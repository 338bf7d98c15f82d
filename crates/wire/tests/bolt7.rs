//! `channel_update` and `channel_announcement`: signatures and directions.

use bitcoin::secp256k1::{SECP256K1, SecretKey};
use steward_wire::codec::Wire;
use steward_wire::{
    CHANNEL_FLAG_DIRECTION, CHANNEL_FLAG_DISABLED, ChannelUpdate, MESSAGE_FLAG_MUST_BE_ONE, NodeId,
    ShortChannelId, Signature,
};

fn key(byte: u8) -> SecretKey {
    SecretKey::from_slice(&[byte; 32]).unwrap()
}

fn node_id(byte: u8) -> NodeId {
    key(byte).public_key(SECP256K1).into()
}

fn update() -> ChannelUpdate {
    ChannelUpdate {
        signature: Signature::ZERO,
        chain_hash: [6; 32],
        short_channel_id: ShortChannelId(42),
        timestamp: 1_700_000_000,
        message_flags: MESSAGE_FLAG_MUST_BE_ONE,
        channel_flags: 0,
        cltv_expiry_delta: 144,
        htlc_minimum_msat: 1_000,
        fee_base_msat: 1_000,
        fee_proportional_millionths: 1_000,
        htlc_maximum_msat: Some(1_000_000),
        excess: Vec::new(),
    }
}

#[test]
fn a_signed_update_verifies_with_its_signers_id_only() {
    let mut update = update();
    update.sign(&key(1));
    assert!(update.is_signed_by(&node_id(1)));
    assert!(!update.is_signed_by(&node_id(2)));
    assert!(!update.is_signed_by(&NodeId([0; 33])));
}

#[test]
fn a_signature_covers_unknown_bytes_at_the_end() {
    let mut update = update();
    update.sign(&key(1));
    update.excess.push(1);
    assert!(!update.is_signed_by(&node_id(1)));
    update.sign(&key(1));
    assert!(ChannelUpdate::decode(&update.encode()).unwrap().is_signed_by(&node_id(1)));
}

#[test]
fn the_direction_bit_says_which_node_speaks() {
    let (lesser, greater) = (node_id(2), node_id(1));
    assert!(lesser < greater);
    let mut update = update();
    assert!(update.is_from(&lesser, &greater));
    assert!(!update.is_from(&greater, &lesser));
    update.channel_flags = CHANNEL_FLAG_DIRECTION;
    assert!(update.is_from(&greater, &lesser));
    assert!(!update.is_from(&lesser, &greater));
}

#[test]
fn the_disabled_bit_switches_a_direction_off() {
    let mut update = update();
    assert!(update.is_enabled());
    update.channel_flags |= CHANNEL_FLAG_DISABLED;
    assert!(!update.is_enabled());
}
