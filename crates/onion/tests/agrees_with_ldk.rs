//! Our forward and LDK's, on the same onions: same channel, amount, expiry, packet and secret.
//! Inside blinded paths amounts may differ by one: we round as BOLT 4 says, LDK in its own favour.

use bitcoin::secp256k1::{PublicKey, SECP256K1, SecretKey};
use lightning::ln::channelmanager::{PendingHTLCInfo, PendingHTLCRouting};
use lightning::ln::msgs::{OnionPacket, UpdateAddHTLC};
use lightning::ln::onion_payment::peel_payment_onion;
use lightning::ln::types::ChannelId;
use lightning::sign::KeysManager;
use lightning::util::logger::{Logger, Record};
use proptest::prelude::*;
use steward_onion::{Hop, IncomingHtlc, OnionSeed, PathHop, Recipient, create, peel};
use steward_testkit::onion::{
    self, PAYMENT_HASH, blind, construct, key, node_id, public, tlv, with_length,
};
use steward_wire::{NodeId, ShortChannelId};

const HEIGHT: u32 = 800_000;

struct Quiet;

impl Logger for Quiet {
    fn log(&self, _record: Record<'_>) {}
}

fn ldk_node() -> KeysManager {
    KeysManager::new(&[7; 32], 1, 1, true)
}

fn ldk_key() -> SecretKey {
    ldk_node().get_node_secret_key()
}

fn packet(onion: &[u8; 1366]) -> OnionPacket {
    OnionPacket {
        version: onion[0],
        public_key: PublicKey::from_slice(&onion[1..34]),
        hop_data: onion[34..1334].try_into().unwrap(),
        hmac: onion[1334..].try_into().unwrap(),
    }
}

fn ldk_peel(htlc: &IncomingHtlc<'_>) -> Option<PendingHTLCInfo> {
    let add = UpdateAddHTLC {
        channel_id: ChannelId::new_zero(),
        htlc_id: 0,
        amount_msat: htlc.amount_msat,
        payment_hash: lightning_types::payment::PaymentHash(htlc.payment_hash.0),
        cltv_expiry: htlc.cltv_expiry,
        skimmed_fee_msat: None,
        onion_routing_packet: packet(htlc.onion),
        blinding_point: htlc.path_key,
        hold_htlc: None,
        accountable: None,
    };
    peel_payment_onion(&add, ldk_node(), &Quiet, SECP256K1, HEIGHT, false).ok()
}

/// Fails unless both forward the HTLC, and in the same way.
#[track_caller]
fn assert_same_forward(htlc: &IncomingHtlc<'_>) {
    let ours = peel(&ldk_key(), htlc).unwrap();
    let Hop::Forward(forward) = ours.hop else { panic!("not a forward") };
    let theirs = ldk_peel(htlc).unwrap();
    assert_eq!(ours.shared_secret, theirs.incoming_shared_secret);
    let rounding = if forward.blinding.is_blinded() { 0..=1 } else { 0..=0 };
    assert!(rounding.contains(&(forward.amt_to_forward_msat - theirs.outgoing_amt_msat)));
    assert_eq!(forward.outgoing_cltv_expiry, theirs.outgoing_cltv_value);
    let PendingHTLCRouting::Forward { onion_packet, short_channel_id, blinded, .. } =
        theirs.routing
    else {
        panic!("LDK does not forward");
    };
    assert_eq!(forward.scid(), Some(ShortChannelId(short_channel_id)));
    assert!(packet(&forward.onion) == onion_packet);
    assert_eq!(forward.blinding.is_blinded(), blinded.is_some());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn on_clear_forwards(
        scid: u64,
        fee_msat in 0..1_000_000_000u64,
        amount_msat in 1..1_000_000_000_000u64,
        delta in 48..900u32,
    ) {
        let us = NodeId::from(public(&ldk_key()));
        let hops = [
            PathHop { node_id: us, scid: ShortChannelId(1), fee_msat, cltv_expiry_delta: delta },
            PathHop {
                node_id: node_id(2),
                scid: ShortChannelId(scid),
                fee_msat: amount_msat,
                cltv_expiry_delta: 144,
            },
        ];
        let recipient = Recipient { payment_secret: Some([5; 32]), ..Recipient::default() };
        let seed = OnionSeed { session_key: [9; 32], prng_seed: [8; 32], height: HEIGHT };
        let payment = create(&hops, &recipient, &PAYMENT_HASH, &seed).unwrap();
        let htlc = onion::htlc(&payment.onion, payment.amount_msat, payment.cltv_expiry);
        assert_same_forward(&htlc);
    }

    #[test]
    fn on_blinded_forwards(
        scid: u64,
        delta in 48..900u16,
        rate in 0..=1_000_000u32,
        base: u32,
        amount_msat in u64::from(u32::MAX)..1_000_000_000_000,
        inside: bool,
    ) {
        let mut relay = [&delta.to_be_bytes()[..], &rate.to_be_bytes()].concat();
        relay.extend(onion::truncated(base.into()));
        let constraints = [&(HEIGHT + 1_000).to_be_bytes()[..], &[1]].concat();
        let data =
            [tlv(2, &scid.to_be_bytes()), tlv(10, &relay), tlv(12, &constraints)].concat();
        let us = public(&ldk_key());
        let hop = blind(&key(50), &us, &data);
        let path_key = hop.path_key;
        let introduction = [tlv(10, &hop.sealed), tlv(12, &path_key.serialize())].concat();
        let (node, payload) = if inside {
            (hop.blinded_node_id, tlv(10, &hop.sealed))
        } else {
            (us, introduction)
        };
        let hops = [(node, with_length(&payload)), (public(&key(2)), with_length(&[2, 0]))];
        let onion = construct(&key(9), &hops, &PAYMENT_HASH.0);
        let htlc = IncomingHtlc {
            path_key: inside.then_some(path_key),
            ..onion::htlc(&onion, amount_msat, HEIGHT + 1_000)
        };
        assert_same_forward(&htlc);
    }
}
