//! BOLT 4's own vectors for onions on their way forward.

mod support;

use steward_onion::{Blinding, Hop, IncomingHtlc, NextHop, Peeled, peel, receive};
use steward_testkit::onion::{self, construct};
use steward_wire::{PaymentHash, ShortChannelId};
use support::{array, bytes, point, secret, vector};

#[test]
fn every_hop_of_the_bolt4_onion_peels_its_layer() {
    let test = vector("onion-test");
    let payment_hash = PaymentHash(array(&test["generate"]["associated_data"]));
    let mut onion: Box<[u8; 1366]> = Box::new(array(&test["onion"]));
    let keys = test["decode"].as_array().unwrap();
    let expected = [(1, 15_000, 1_500), (2, 14_000, 1_400), (3, 12_500, 1_250), (4, 10_000, 1_000)];
    for (key, (scid, amount_msat, expiry)) in keys.iter().zip(expected) {
        let htlc = IncomingHtlc {
            onion: &onion,
            payment_hash,
            amount_msat: 20_000,
            cltv_expiry: 2_000,
            path_key: None,
        };
        let (_, forward) = onion::forward(&secret(key), &htlc);
        assert_eq!(forward.next, NextHop::Channel(ShortChannelId(scid)));
        assert_eq!(forward.amt_to_forward_msat, amount_msat);
        assert_eq!(forward.outgoing_cltv_expiry, expiry);
        assert_eq!(forward.next_path_key, None);
        assert_eq!(forward.blinding, Blinding::None);
        onion = forward.onion;
    }
    let htlc = IncomingHtlc {
        onion: &onion,
        payment_hash,
        amount_msat: 10_000,
        cltv_expiry: 1_000,
        path_key: None,
    };
    assert_eq!(peel(&secret(&keys[4]), &htlc).unwrap().hop, Hop::Final);
    let received = receive(&secret(&keys[4]), &htlc, 900).unwrap();
    assert_eq!((received.amount_msat, received.total_msat), (10_000, 10_000));
    assert_eq!(received.payment_secret.unwrap()[..2], [0x24, 0xa3]);
}

#[test]
fn the_construction_the_tests_use_gives_the_bolt4_onion() {
    let test = vector("onion-test");
    let generate = &test["generate"];
    let hops: Vec<_> = generate["hops"]
        .as_array()
        .unwrap()
        .iter()
        .map(|hop| (point(&hop["pubkey"]), bytes(&hop["payload"])))
        .collect();
    let onion =
        construct(&secret(&generate["session_key"]), &hops, &bytes(&generate["associated_data"]));
    assert_eq!(onion.to_vec(), bytes(&test["onion"]));
}

#[test]
fn the_shared_secrets_are_those_of_bolt4() {
    let onion = array(&vector("onion-test")["onion"]);
    let first = &vector("onion-error-test")["generate"]["hops"][0];
    let key = secret(&vector("onion-test")["decode"][0]);
    let peeled = peel(&key, &onion::htlc(&onion, 20_000, 2_000)).unwrap();
    assert_eq!(peeled.shared_secret, array(&first["hop_shared_secret"]));
}

#[test]
fn every_hop_of_the_bolt4_blinded_payment_forwards_as_the_recipient_said() {
    let test = vector("blinded-payment-onion-test");
    let payment_hash = PaymentHash(array(&test["generate"]["associated_data"]));
    let hops = test["decrypt"]["hops"].as_array().unwrap();
    // The channel, amount and expiry that Alice, Bob, Carol and Dave forward.
    let expected = [
        (10, 110_125, 749_150, Blinding::None),
        (1, 100_125, 749_100, Blinding::Introduction),
        (2, 100_010, 749_025, Blinding::Inside),
        (3, 100_000, 749_000, Blinding::Inside),
    ];
    let (mut amount_msat, mut cltv_expiry, mut path_key) = (110_125, 749_150, None);
    for (index, (scid, amount, expiry, blinding)) in expected.into_iter().enumerate() {
        let onion = array(&hops[index]["onion"]);
        let htlc = IncomingHtlc { onion: &onion, payment_hash, amount_msat, cltv_expiry, path_key };
        let (_, forward) = onion::forward(&secret(&hops[index]["node_privkey"]), &htlc);
        assert_eq!(forward.scid(), Some(ShortChannelId(scid)));
        assert_eq!(forward.amt_to_forward_msat, amount);
        assert_eq!(forward.outgoing_cltv_expiry, expiry);
        assert_eq!(forward.blinding, blinding);
        assert_eq!(forward.onion.to_vec(), bytes(&hops[index + 1]["onion"]));
        if index > 0 {
            assert_eq!(forward.next_path_key, Some(point(&hops[index]["next_path_key"])));
        }
        (amount_msat, cltv_expiry, path_key) = (amount, expiry, forward.next_path_key);
    }
    let onion = array(&hops[4]["onion"]);
    let htlc = IncomingHtlc { onion: &onion, payment_hash, amount_msat, cltv_expiry, path_key };
    let Peeled { hop, .. } = peel(&secret(&hops[4]["node_privkey"]), &htlc).unwrap();
    assert_eq!(hop, Hop::Final);
}

/// The vector has no onion, so this test makes one to the vector's blinded node ids with its data.
#[test]
fn the_bolt4_blinded_route_is_read_at_every_hop() {
    let test = vector("route-blinding-test");
    let route = test["route"]["hops"].as_array().unwrap();
    let unblind = test["unblind"]["hops"].as_array().unwrap();
    let hops: Vec<_> = route
        .iter()
        .map(|hop| {
            let payload = onion::tlv(10, &bytes(&hop["encrypted_data"]));
            (point(&hop["blinded_node_id"]), onion::with_length(&payload))
        })
        .collect();
    let mut onion = Box::new(construct(&onion::key(9), &hops, &onion::PAYMENT_HASH.0));
    let (mut amount_msat, mut cltv_expiry) = (1_000_000, 747_900);
    let scids = [1_729, 1_105, 561];
    for (hop, scid) in unblind.iter().zip(scids) {
        let path_key = Some(point(&hop["path_key"]));
        let htlc = IncomingHtlc { path_key, ..onion::htlc(&onion, amount_msat, cltv_expiry) };
        let (_, forward) = onion::forward(&secret(&hop["node_privkey"]), &htlc);
        assert_eq!(forward.scid(), Some(ShortChannelId(scid)));
        let overridden = hop.get("next_path_key_override");
        let next_path_key = point(overridden.unwrap_or(&hop["next_path_key"]));
        assert_eq!(forward.next_path_key, Some(next_path_key));
        (amount_msat, cltv_expiry) = (forward.amt_to_forward_msat, forward.outgoing_cltv_expiry);
        onion = forward.onion;
    }
    assert_eq!(cltv_expiry, 747_900 - 36 - 48 - 144);
}
