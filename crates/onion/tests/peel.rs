//! Every defect of an incoming onion gets the failure that BOLT 4 asks for.

use steward_onion::{Blinding, Failure, Hop, IncomingHtlc, NextHop, PeelError, code, peel};
use steward_testkit::onion::{
    self, OnionBytes, PAYMENT_HASH, blind, clear_payload, construct, htlc, key, node_id,
    onion_with_payload, onion_with_raw_payload, public, sha256, tlv, with_length,
};
use steward_wire::{NodeId, ShortChannelId};

const AMOUNT_MSAT: u64 = 100_000;
const EXPIRY: u32 = 700;

/// Returns what a node with key 1 answers to `onion`.
fn refusal(onion: &OnionBytes) -> PeelError {
    peel(&key(1), &htlc(onion, AMOUNT_MSAT, EXPIRY)).unwrap_err()
}

fn malformed(code: u16, onion: &OnionBytes) -> PeelError {
    PeelError::Malformed { code, sha256_of_onion: sha256(&[onion]) }
}

#[track_caller]
fn assert_failure(refusal: PeelError, expected: Failure) {
    match refusal {
        PeelError::Failure { failure, .. } => assert_eq!(failure, expected),
        other => panic!("not an encrypted failure: {other:?}"),
    }
}

#[test]
fn an_unknown_version_is_malformed() {
    let mut onion = onion_with_payload(&clear_payload(7, 99_000, 600));
    onion[0] = 1;
    assert_eq!(refusal(&onion), malformed(code::INVALID_ONION_VERSION, &onion));
}

#[test]
fn an_ephemeral_key_off_the_curve_is_malformed() {
    let mut onion = onion_with_payload(&clear_payload(7, 99_000, 600));
    onion[1] = 9;
    assert_eq!(refusal(&onion), malformed(code::INVALID_ONION_KEY, &onion));
}

#[test]
fn a_changed_byte_anywhere_is_malformed() {
    for place in [34, 500, 1_333, 1_334, 1_365] {
        let mut onion = onion_with_payload(&clear_payload(7, 99_000, 600));
        onion[place] ^= 1;
        assert_eq!(refusal(&onion), malformed(code::INVALID_ONION_HMAC, &onion));
    }
}

#[test]
fn an_onion_for_another_payment_is_malformed() {
    let onion = onion_with_payload(&clear_payload(7, 99_000, 600));
    let mut htlc = htlc(&onion, AMOUNT_MSAT, EXPIRY);
    htlc.payment_hash.0[0] ^= 1;
    let refusal = peel(&key(1), &htlc).unwrap_err();
    assert_eq!(refusal, malformed(code::INVALID_ONION_HMAC, &onion));
}

#[test]
fn a_payload_length_that_does_not_fit_is_an_invalid_payload() {
    for raw in [vec![0, 0, 0], vec![1, 0, 0], vec![0xfd, 0x04, 0xf5, 0], vec![0xff; 9]] {
        assert_failure(refusal(&onion_with_raw_payload(raw)), Failure::invalid_onion_payload(0, 0));
    }
}

#[test]
fn an_unknown_even_record_is_named_with_its_offset() {
    let payload = [clear_payload(7, 99_000, 600), tlv(102, &[1])].concat();
    // One byte of length comes first, then the clear payload.
    let offset = 1 + clear_payload(7, 99_000, 600).len() as u16;
    let onion = onion_with_payload(&payload);
    assert_failure(refusal(&onion), Failure::invalid_onion_payload(102, offset));
}

#[test]
fn an_unknown_odd_record_is_ignored() {
    let payload = [clear_payload(7, 99_000, 600), tlv(103, &[1])].concat();
    let onion = onion_with_payload(&payload);
    let (_, forward) = onion::forward(&key(1), &htlc(&onion, AMOUNT_MSAT, EXPIRY));
    assert_eq!(forward.scid(), Some(ShortChannelId(7)));
}

#[test]
fn records_out_of_order_are_an_invalid_payload() {
    let payload = [tlv(4, &[1]), tlv(2, &[1])].concat();
    assert_failure(
        refusal(&onion_with_payload(&payload)),
        Failure::invalid_onion_payload(2, 1 + 3),
    );
}

#[test]
fn a_number_with_leading_zeros_is_an_invalid_payload() {
    let payload = [tlv(2, &[0, 1]), tlv(4, &[1]), tlv(6, &[0; 8])].concat();
    assert_failure(refusal(&onion_with_payload(&payload)), Failure::invalid_onion_payload(2, 1));
}

#[test]
fn a_missing_field_is_named() {
    let fields = [tlv(2, &[1]), tlv(4, &[1]), tlv(6, &[0; 8])];
    for (index, missing) in [2, 4, 6].into_iter().enumerate() {
        let mut left = fields.to_vec();
        left.remove(index);
        let onion = onion_with_payload(&left.concat());
        assert_failure(refusal(&onion), Failure::invalid_onion_payload(missing, 0));
    }
}

#[test]
fn a_payload_for_the_last_hop_is_not_forwarded() {
    let payload = [clear_payload(7, 99_000, 600), tlv(8, &[1; 33])].concat();
    let offset = 1 + clear_payload(7, 99_000, 600).len() as u16;
    let onion = onion_with_payload(&payload);
    assert_failure(refusal(&onion), Failure::invalid_onion_payload(8, offset));
}

#[test]
fn recipient_data_without_a_path_key_is_refused() {
    let onion = onion_with_payload(&tlv(10, &[1; 40]));
    assert_failure(refusal(&onion), Failure::invalid_onion_payload(12, 0));
}

/// Makes instructions of a blinded path that node 1 can follow.
fn relay_data() -> Vec<u8> {
    [
        tlv(2, &7u64.to_be_bytes()),
        tlv(10, &[0, 36, 0, 0, 0, 150, 0x27, 0x10]),
        tlv(12, &[0, 0, 2, 0xbc, 5]),
    ]
    .concat()
}

/// Makes an onion in which node 1 is the introduction node of a blinded path with `data`, and has
/// any `extra` records after the path key.
fn introduction(data: &[u8], extra: &[u8]) -> OnionBytes {
    let hop = blind(&key(50), &public(&key(1)), data);
    let path_key = hop.path_key.serialize();
    onion_with_payload(&[tlv(10, &hop.sealed), tlv(12, &path_key), extra.to_vec()].concat())
}

/// Makes the same onion with node 1 inside the path; its path key travels with the HTLC.
fn inside(data: &[u8], extra: &[u8]) -> OnionBytes {
    let hop = blind(&key(50), &public(&key(1)), data);
    let payload = with_length(&[tlv(10, &hop.sealed), extra.to_vec()].concat());
    let hops = [(hop.blinded_node_id, payload), (public(&key(2)), with_length(&[2, 0]))];
    construct(&key(9), &hops, &PAYMENT_HASH.0)
}

fn inside_htlc(onion: &OnionBytes) -> IncomingHtlc<'_> {
    IncomingHtlc { path_key: Some(public(&key(50))), ..htlc(onion, AMOUNT_MSAT, EXPIRY) }
}

#[test]
fn an_introduction_node_forwards_as_the_recipient_said() {
    let onion = introduction(&relay_data(), &[]);
    let (_, forward) = onion::forward(&key(1), &htlc(&onion, AMOUNT_MSAT, EXPIRY));
    assert_eq!(forward.next, NextHop::Channel(ShortChannelId(7)));
    // (100000 - 10000) * 1000000 / 1000150, rounded up.
    assert_eq!(forward.amt_to_forward_msat, 89_987);
    assert_eq!(forward.outgoing_cltv_expiry, EXPIRY - 36);
    let next = blind(&key(50), &public(&key(1)), &[]).next_path_secret;
    assert_eq!(forward.next_path_key, Some(public(&next)));
    assert_eq!(forward.blinding, Blinding::Introduction);
}

#[test]
fn a_blinded_path_may_name_the_next_node_instead_of_a_channel() {
    let data = [tlv(4, &node_id(3).0), tlv(10, &[0, 36, 0, 0, 0, 0])].concat();
    let (_, forward) =
        onion::forward(&key(1), &htlc(&introduction(&data, &[]), AMOUNT_MSAT, EXPIRY));
    assert_eq!(forward.next, NextHop::Node(NodeId::from(public(&key(3)))));
    assert_eq!(forward.amt_to_forward_msat, AMOUNT_MSAT);
}

#[test]
fn an_introduction_node_tells_every_defect_as_invalid_onion_blinding() {
    let relay = tlv(10, &[0, 36, 0, 0, 0, 150, 0x27, 0x10]);
    let scid = tlv(2, &7u64.to_be_bytes());
    let expired = tlv(12, &[0, 0, 2, 0xbb, 5]);
    let too_small = tlv(12, &[0, 0, 9, 0, 0xff, 0xff, 0xff]);
    let far = tlv(10, &[0xff, 0xff, 0, 0, 0, 0]);
    let dear = tlv(10, &[0, 36, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
    for data in [
        scid.clone(),
        relay.clone(),
        [scid.clone(), tlv(4, &node_id(3).0), relay.clone()].concat(),
        [scid.clone(), relay.clone(), expired].concat(),
        [scid.clone(), relay.clone(), too_small].concat(),
        [scid.clone(), far].concat(),
        [scid.clone(), dear].concat(),
        [scid.clone(), relay.clone(), tlv(14, &[0x20])].concat(),
        [scid.clone(), relay.clone(), tlv(16, &[])].concat(),
        [relay, scid.clone()].concat(),
        // The base fee is as large as can be, so nothing is left to forward.
        [scid, tlv(10, &[0, 36, 0, 0, 0, 0, 1, 0x86, 0xa0])].concat(),
    ] {
        let onion = introduction(&data, &[]);
        let expected = Failure::invalid_onion_blinding(sha256(&[&onion]));
        assert_failure(refusal(&onion), expected);
    }
    for extra in [tlv(13, &[1]), tlv(18, &[1]), tlv(100, &[1])] {
        let onion = introduction(&relay_data(), &extra);
        let expected = Failure::invalid_onion_blinding(sha256(&[&onion]));
        assert_failure(refusal(&onion), expected);
    }
}

#[test]
fn recipient_data_sealed_for_another_node_is_refused() {
    let hop = blind(&key(50), &public(&key(3)), &relay_data());
    let payload = [tlv(10, &hop.sealed), tlv(12, &hop.path_key.serialize())].concat();
    let onion = onion_with_payload(&payload);
    assert_failure(refusal(&onion), Failure::invalid_onion_blinding(sha256(&[&onion])));
}

#[test]
fn a_node_inside_a_blinded_path_forwards() {
    let onion = inside(&relay_data(), &[]);
    let (_, forward) = onion::forward(&key(1), &inside_htlc(&onion));
    assert_eq!(forward.amt_to_forward_msat, 89_987);
    assert_eq!(forward.blinding, Blinding::Inside);
}

#[test]
fn a_node_inside_a_blinded_path_tells_every_defect_as_malformed() {
    let path_key = tlv(12, &public(&key(50)).serialize());
    let expected = |onion: &OnionBytes| malformed(code::INVALID_ONION_BLINDING, onion);
    for (data, extra) in [
        (tlv(2, &[0; 8]), Vec::new()),
        (relay_data(), path_key),
        (relay_data(), tlv(100, &[1])),
        (relay_data(), tlv(13, &[1])),
    ] {
        let onion = inside(&data, &extra);
        assert_eq!(peel(&key(1), &inside_htlc(&onion)).unwrap_err(), expected(&onion));
    }
    for place in [0, 1, 700, 1_365] {
        let mut onion = inside(&relay_data(), &[]);
        onion[place] ^= 8;
        assert_eq!(peel(&key(1), &inside_htlc(&onion)).unwrap_err(), expected(&onion));
    }
}

#[test]
fn failures_of_downstream_are_told_by_our_place_in_the_path() {
    let onion = onion_with_payload(&clear_payload(7, 99_000, 600));
    let failure = Failure::unknown_next_peer();
    let blinded = Failure::invalid_onion_blinding(sha256(&[&onion]));
    let secret = [3; 32];
    let reject = |blinding: Blinding| blinding.reject(&onion, secret, failure.clone());
    let encrypted = |failure| PeelError::Failure { shared_secret: secret, failure };
    assert_eq!(reject(Blinding::None), encrypted(failure.clone()));
    assert_eq!(reject(Blinding::Introduction), encrypted(blinded));
    let expected = malformed(code::INVALID_ONION_BLINDING, &onion);
    assert_eq!(reject(Blinding::Inside), expected);
}

#[test]
fn the_last_layer_is_final() {
    let payload = with_length(&tlv(2, &[1]));
    let onion = construct(&key(9), &[(public(&key(1)), payload)], &PAYMENT_HASH.0);
    let peeled = peel(&key(1), &htlc(&onion, AMOUNT_MSAT, EXPIRY)).unwrap();
    assert_eq!(peeled.hop, Hop::Final);
}
