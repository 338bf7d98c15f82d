//! Generates arbitrary signed states that have an encoding: amounts below 2^63, TLV streams in
//! order, of odd types and path keys.

use std::collections::BTreeMap;

use bitcoin::secp256k1::{PublicKey, SECP256K1, SecretKey};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use steward_wire::codec::{put_bigsize, put_var_bigsize};
use steward_wire::limits::{MAX_MSAT, ONION_BYTES};
use steward_wire::*;

pub(crate) fn any_state() -> impl Strategy<Value = LastCrossSignedState> {
    (
        (any::<bool>(), bytes(120), init(), any::<u32>()),
        (msat(), msat(), any::<u32>(), any::<u32>()),
        (vec(add(), 0..4), vec(add(), 0..4), signature(), signature()),
    )
        .prop_map(
            |(
                (is_host, last_refund_scriptpubkey, init_hosted_channel, block_day),
                (local_balance_msat, remote_balance_msat, local_updates, remote_updates),
                (incoming_htlcs, outgoing_htlcs, remote_sig_of_local, local_sig_of_remote),
            )| LastCrossSignedState {
                is_host,
                last_refund_scriptpubkey,
                init_hosted_channel,
                block_day,
                local_balance_msat,
                remote_balance_msat,
                local_updates,
                remote_updates,
                incoming_htlcs,
                outgoing_htlcs,
                remote_sig_of_local,
                local_sig_of_remote,
            },
        )
}

pub(crate) fn init() -> impl Strategy<Value = InitHostedChannel> {
    (any::<u64>(), msat(), any::<u16>(), msat(), msat(), vec(any::<u16>(), 0..4)).prop_map(
        |(in_flight, minimum, max_accepted_htlcs, capacity, initial, features)| InitHostedChannel {
            max_htlc_value_in_flight_msat: in_flight,
            htlc_minimum_msat: minimum,
            max_accepted_htlcs,
            channel_capacity_msat: capacity,
            initial_client_balance_msat: initial,
            features,
        },
    )
}

/// Generates an add whose onion is any bytes: most have no valid ephemeral key.
pub(crate) fn add() -> impl Strategy<Value = UpdateAddHtlc> {
    let tlvs = (option::of(path_key()), tlvs()).prop_map(|(path_key, odd)| {
        let mut tlvs = path_key.as_ref().map(UpdateAddHtlc::path_key_tlv).unwrap_or_default();
        tlvs.extend(odd);
        tlvs
    });
    (channel_id(), any::<u64>(), msat(), any::<[u8; 32]>(), any::<u32>(), any::<[u8; 32]>(), tlvs)
        .prop_map(|(channel_id, id, amount_msat, payment_hash, cltv_expiry, seed, tlvs)| {
            UpdateAddHtlc {
                channel_id,
                id,
                amount_msat,
                payment_hash: PaymentHash(payment_hash),
                cltv_expiry,
                onion: onion(seed),
                tlvs,
            }
        })
}

pub(crate) fn tlvs() -> impl Strategy<Value = Vec<u8>> {
    let odd = any::<u64>().prop_map(|tlv_type| tlv_type | 1);
    let small_odd = any::<u8>().prop_map(|tlv_type| u64::from(tlv_type | 1));
    btree_map(prop_oneof![odd, small_odd], bytes(40), 0..4).prop_map(
        |records: BTreeMap<u64, Vec<u8>>| {
            let mut stream = Vec::new();
            for (tlv_type, value) in &records {
                put_bigsize(&mut stream, *tlv_type);
                put_var_bigsize(&mut stream, value);
            }
            stream
        },
    )
}

fn path_key() -> impl Strategy<Value = PublicKey> {
    (1u8..).prop_map(|byte| {
        let mut bytes = [0; 32];
        bytes[31] = byte;
        SecretKey::from_slice(&bytes).unwrap().public_key(SECP256K1)
    })
}

fn onion(seed: [u8; 32]) -> Onion {
    let bytes: [u8; ONION_BYTES] = std::array::from_fn(|i| seed[i % 32] ^ (i / 32) as u8);
    Onion(bytes.into())
}

pub(crate) fn msat() -> impl Strategy<Value = u64> {
    0..MAX_MSAT
}

pub(crate) fn bytes(max: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..=max)
}

pub(crate) fn signature() -> impl Strategy<Value = Signature> {
    any::<([u8; 32], [u8; 32])>().prop_map(|(r, s)| {
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&r);
        bytes[32..].copy_from_slice(&s);
        Signature(bytes)
    })
}

pub(crate) fn channel_id() -> impl Strategy<Value = ChannelId> {
    any::<[u8; 32]>().prop_map(ChannelId)
}
