//! Any input of a peer is refused or forwarded, and none causes a panic.

use proptest::prelude::*;
use steward_onion::{
    Attribution, Failure, IncomingHtlc, OnionSeed, PathHop, Recipient, create, decode_failure,
    peel, read_failure_attribution, read_fulfill_attribution, receive, wrap_attributed_failure,
    wrap_failure,
};
use steward_testkit::onion::{
    self, PAYMENT_HASH, blind, construct, key, node_id, public, tlv, with_length,
};
use steward_wire::{NodeId, ShortChannelId};

fn random(len: impl Into<proptest::collection::SizeRange>) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), len)
}

/// Generates records with the types that the readers know, and values of any kind.
fn records(types: &'static [u64]) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::btree_map(proptest::sample::select(types), random(0..40), 0..6)
        .prop_map(|records| records.iter().flat_map(|(t, value)| tlv(*t, value)).collect())
}

fn all_ways_in(onion: &[u8; 1366], amount_msat: u64, cltv_expiry: u32, height: u32) {
    for path_key in [None, Some(public(&key(50)))] {
        let htlc =
            IncomingHtlc { onion, payment_hash: PAYMENT_HASH, amount_msat, cltv_expiry, path_key };
        let _ = peel(&key(1), &htlc);
        let _ = receive(&key(1), &htlc, height);
    }
}

const PAYLOAD_TYPES: &[u64] =
    &[2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 21, 65_537, 77_777, 5_482_373_484];
const DATA_TYPES: &[u64] = &[1, 2, 4, 6, 8, 10, 12, 14, 15, 65_536, 65_537, 65_539];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn on_random_onions(onion in random(1366), amount: u64, expiry: u32, height: u32) {
        let mut onion: [u8; 1366] = onion.try_into().unwrap();
        all_ways_in(&onion, amount, expiry, height);
        onion[0] = 0;
        onion[1..34].copy_from_slice(&node_id(3).0);
        all_ways_in(&onion, amount, expiry, height);
    }

    #[test]
    fn on_random_payloads(payload in random(0..600), last: bool, amount: u64, height: u32) {
        let mut hops = vec![(public(&key(1)), payload)];
        if !last {
            hops.push((public(&key(2)), with_length(&[2, 0])));
        }
        let onion = construct(&key(9), &hops, &PAYMENT_HASH.0);
        all_ways_in(&onion, amount, 800_000, height);
    }

    #[test]
    fn on_random_records(
        payload in records(PAYLOAD_TYPES),
        last: bool,
        amount: u64,
        expiry: u32,
        height: u32,
    ) {
        let mut hops = vec![(public(&key(1)), with_length(&payload))];
        if !last {
            hops.push((public(&key(2)), with_length(&[2, 0])));
        }
        let onion = construct(&key(9), &hops, &PAYMENT_HASH.0);
        all_ways_in(&onion, amount, expiry, height);
    }

    #[test]
    fn on_random_recipient_data(
        data in prop_oneof![records(DATA_TYPES).boxed(), random(0..200).boxed()],
        last: bool,
        amount: u64,
        expiry: u32,
    ) {
        let hop = blind(&key(50), &public(&key(1)), &data);
        let payload = [tlv(10, &hop.sealed), tlv(12, &hop.path_key.serialize())].concat();
        let mut hops = vec![(public(&key(1)), with_length(&payload))];
        if !last {
            hops.push((public(&key(2)), with_length(&[2, 0])));
        }
        let onion = construct(&key(9), &hops, &PAYMENT_HASH.0);
        all_ways_in(&onion, amount, expiry, 800_000);
        hops[0] = (hop.blinded_node_id, with_length(&tlv(10, &hop.sealed)));
        let onion = construct(&key(9), &hops, &PAYMENT_HASH.0);
        all_ways_in(&onion, amount, expiry, 800_000);
    }

    #[test]
    fn on_random_failures(reason in random(0..2_000), block in random(920), secret: [u8; 32]) {
        let attribution = Attribution(block.try_into().unwrap());
        let hops: Vec<NodeId> = (1..=5).map(node_id).collect();
        prop_assert_eq!(decode_failure(&[9; 32], &hops, &reason), None);
        let read = read_failure_attribution(&[9; 32], &hops, &reason, &attribution).unwrap();
        prop_assert_eq!(read.spoiled_at, Some(0));
        prop_assert!(read_fulfill_attribution(&[9; 32], &hops, &attribution).is_some());
        prop_assert_eq!(wrap_failure(&secret, &wrap_failure(&secret, &reason)), reason.clone());
        let wrapped = wrap_attributed_failure(&secret, &reason, Some(&attribution), u64::MAX);
        prop_assert_eq!(wrapped.reason.len(), reason.len());
    }

    #[test]
    fn on_any_failure_message(code: u16, data in random(0..600)) {
        let failure = Failure { code, data };
        let _ = (failure.name(), failure.channel_update(), failure.to_string());
        let mut session = [9; 32];
        session[0] = 1;
        let onion = create(&path(&[1_000]), &recipient(), &PAYMENT_HASH, &seed(session)).unwrap();
        let secret = peel(&key(1), &onion::htlc(&onion.onion, 1_000, 800_000)).unwrap();
        let reason = steward_onion::build_failure(&secret.shared_secret, &failure);
        let decoded = decode_failure(&session, &[node_id(1)], &reason).unwrap();
        prop_assert_eq!(decoded.failure, failure);
    }

    #[test]
    fn on_any_route(amounts in proptest::collection::vec(any::<u64>(), 0..30), height: u32) {
        let seed = OnionSeed { height, ..seed([9; 32]) };
        let _ = create(&path(&amounts), &recipient(), &PAYMENT_HASH, &seed);
    }
}

fn path(amounts: &[u64]) -> Vec<PathHop> {
    let hop = |(n, amount): (u8, &u64)| PathHop {
        node_id: node_id(n),
        scid: ShortChannelId(1),
        fee_msat: *amount,
        cltv_expiry_delta: *amount as u32,
    };
    (1..).zip(amounts).map(hop).collect()
}

fn recipient() -> Recipient {
    Recipient { payment_secret: Some([5; 32]), ..Recipient::default() }
}

fn seed(session_key: [u8; 32]) -> OnionSeed {
    OnionSeed { session_key, prng_seed: [8; 32], height: 800_000 }
}
