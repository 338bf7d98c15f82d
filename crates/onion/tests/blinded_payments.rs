//! Payments over blinded paths that LDK built for us: the introduction node forwards with our code,
//! and the recipient reads the last layer, dummy hops included.

use bitcoin::secp256k1::{PublicKey, SECP256K1};
use lightning::blinded_path::payment::{
    BlindedPaymentPath, Bolt12RefundContext, ForwardTlvs, PaymentConstraints, PaymentContext,
    PaymentForwardNode, PaymentRelay, ReceiveTlvs,
};
use lightning::routing::router::BlindedTail;
use lightning::sign::{EntropySource, ReceiveAuthKey};
use lightning::util::ser::Writeable;
use lightning_types::features::BlindedHopFeatures;
use lightning_types::payment::PaymentSecret;
use steward_onion::{
    Blinding, Failure, Hop, IncomingHtlc, OnionSeed, PathHop, PaymentOnion, PeelError, Recipient,
    code, create_blinded, peel, receive,
};
use steward_testkit::onion::{
    self, PAYMENT_HASH, blind, blind_with, construct, htlc, key, node_id, public, sha256, tlv,
    with_length,
};
use steward_wire::{Identity as _, ShortChannelId};

const HEIGHT: u32 = 800_000;
const HOST: u8 = 1;
const CLIENT: u8 = 2;
const SECRET: [u8; 32] = [5; 32];

struct Fixed;

impl EntropySource for Fixed {
    fn get_secure_random_bytes(&self) -> [u8; 32] {
        [50; 32]
    }
}

fn constraints() -> PaymentConstraints {
    PaymentConstraints { max_cltv_expiry: HEIGHT + 1_000, htlc_minimum_msat: 10 }
}

fn receive_tlvs() -> ReceiveTlvs {
    ReceiveTlvs {
        payment_secret: PaymentSecret(SECRET),
        payment_constraints: constraints(),
        payment_context: PaymentContext::Bolt12Refund(Bolt12RefundContext {
            payment_metadata: None,
        }),
    }
}

/// Builds a path over the host to the client; the client's part is sealed with `auth_key`.
fn path_over_host(auth_key: [u8; 32]) -> BlindedPaymentPath {
    let relay = PaymentRelay {
        cltv_expiry_delta: 144,
        fee_proportional_millionths: 100,
        fee_base_msat: 1_000,
    };
    let host = PaymentForwardNode {
        tlvs: ForwardTlvs {
            short_channel_id: 77,
            payment_relay: relay,
            payment_constraints: constraints(),
            features: BlindedHopFeatures::empty(),
            next_blinding_override: None,
        },
        node_id: public(&key(HOST)),
        htlc_maximum_msat: 1_000_000_000,
    };
    let client = public(&key(CLIENT));
    let auth_key = ReceiveAuthKey(auth_key);
    let tlvs = receive_tlvs();
    BlindedPaymentPath::new(&[host], client, auth_key, tlvs, u64::MAX, 50, Fixed, SECP256K1)
        .unwrap()
}

fn pay(path: &BlindedPaymentPath) -> PaymentOnion {
    let tail = BlindedTail {
        trampoline_hops: Vec::new(),
        hops: path.blinded_hops().to_vec(),
        blinding_point: path.blinding_point(),
        excess_final_cltv_expiry_delta: 0,
        final_value_msat: 50_000,
    };
    let fee_msat = u64::from(path.payinfo.fee_base_msat)
        + 50_000 * u64::from(path.payinfo.fee_proportional_millionths) / 1_000_000;
    let to_host = PathHop {
        node_id: node_id(HOST),
        scid: ShortChannelId(1),
        fee_msat,
        cltv_expiry_delta: u32::from(path.payinfo.cltv_expiry_delta),
    };
    let recipient = Recipient { total_msat: 50_000, ..Recipient::default() };
    let seed = OnionSeed { session_key: [9; 32], prng_seed: [8; 32], height: HEIGHT };
    create_blinded(&[to_host], tail, &recipient, &PAYMENT_HASH, &seed).unwrap()
}

/// Returns what the client gets from the host.
fn at_client(payment: &PaymentOnion) -> (PaymentOnion, Option<PublicKey>) {
    let incoming = htlc(&payment.onion, payment.amount_msat, payment.cltv_expiry);
    let (_, forward) = onion::forward(&key(HOST), &incoming);
    assert_eq!(forward.scid(), Some(ShortChannelId(77)));
    assert_eq!(forward.blinding, Blinding::Introduction);
    let onion = PaymentOnion {
        onion: forward.onion,
        amount_msat: forward.amt_to_forward_msat,
        cltv_expiry: forward.outgoing_cltv_expiry,
    };
    (onion, forward.next_path_key)
}

fn client_htlc(payment: &PaymentOnion, path_key: Option<PublicKey>) -> IncomingHtlc<'_> {
    let incoming = htlc(&payment.onion, payment.amount_msat, payment.cltv_expiry);
    IncomingHtlc { path_key, ..incoming }
}

#[test]
fn a_payment_over_a_blinded_path_of_ours_arrives() {
    let payment = pay(&path_over_host(key(CLIENT).receive_auth_key()));
    let (payment, path_key) = at_client(&payment);
    let incoming = client_htlc(&payment, path_key);
    assert_eq!(peel(&key(CLIENT), &incoming).unwrap().hop, Hop::Final);
    let received = receive(&key(CLIENT), &incoming, HEIGHT).unwrap();
    assert_eq!(received.amount_msat, 50_000);
    assert_eq!(received.total_msat, 50_000);
    assert_eq!(received.payment_secret, Some(SECRET));
    assert_eq!(received.blinding, Blinding::Inside);
    let peeled = peel(&key(CLIENT), &incoming).unwrap();
    assert_eq!(received.shared_secret, peeled.shared_secret);
}

#[test]
fn a_blinded_path_somebody_else_made_for_us_is_refused() {
    let payment = pay(&path_over_host([1; 32]));
    let (payment, path_key) = at_client(&payment);
    let refusal = receive(&key(CLIENT), &client_htlc(&payment, path_key), HEIGHT).unwrap_err();
    let expected = PeelError::Malformed {
        code: code::INVALID_ONION_BLINDING,
        sha256_of_onion: sha256(&[&*payment.onion]),
    };
    assert_eq!(refusal, expected);
}

#[test]
fn a_late_payment_inside_a_blinded_path_does_not_say_why_it_fails() {
    let payment = pay(&path_over_host(key(CLIENT).receive_auth_key()));
    let (payment, path_key) = at_client(&payment);
    let incoming = client_htlc(&payment, path_key);
    let refusal = receive(&key(CLIENT), &incoming, payment.cltv_expiry).unwrap_err();
    assert!(matches!(refusal, PeelError::Malformed { code: code::INVALID_ONION_BLINDING, .. }));
}

/// Makes an onion for which we are the introduction node of our own path, which continues with a
/// dummy hop and ends with us.
fn onion_with_dummy_hop(receive_data: &[u8]) -> [u8; 1366] {
    let own_key = key(CLIENT).receive_auth_key();
    let relay = tlv(10, &[0, 10, 0, 0, 0, 0, 100]);
    let dummy = [relay, tlv(12, &[0xff, 0xff, 0xff, 0xff]), tlv(65_539, &[])].concat();
    let client = public(&key(CLIENT));
    let seal = |data: Vec<u8>| move |rho| onion::seal_for_self(rho, own_key, &data);
    let first = blind_with(&key(50), &client, seal(dummy));
    let last = blind_with(&first.next_path_secret, &client, seal(receive_data.to_vec()));
    let first_payload = [tlv(10, &first.sealed), tlv(12, &first.path_key.serialize())].concat();
    let last_payload = [
        tlv(2, &onion::truncated(50_000)),
        tlv(4, &onion::truncated(u64::from(HEIGHT) + 50)),
        tlv(10, &last.sealed),
        tlv(18, &onion::truncated(60_000)),
    ]
    .concat();
    let hops =
        [(client, with_length(&first_payload)), (last.blinded_node_id, with_length(&last_payload))];
    construct(&key(9), &hops, &PAYMENT_HASH.0)
}

#[test]
fn dummy_hops_of_our_own_path_end_with_us() {
    let onion = onion_with_dummy_hop(&receive_tlvs().encode());
    let incoming = htlc(&onion, 50_100, HEIGHT + 60);
    let peeled = peel(&key(CLIENT), &incoming).unwrap();
    assert_eq!(peeled.hop, Hop::Final);
    let received = receive(&key(CLIENT), &incoming, HEIGHT).unwrap();
    assert_eq!(received.amount_msat, 50_000);
    assert_eq!(received.total_msat, 60_000);
    assert_eq!(received.payment_secret, Some(SECRET));
    assert_eq!(received.shared_secret, peeled.shared_secret);
    assert_eq!(received.blinding, Blinding::Introduction);
}

#[test]
fn a_defect_behind_dummy_hops_is_told_by_the_introduction_node() {
    let onion = onion_with_dummy_hop(&tlv(12, &[0; 4]));
    let refusal = receive(&key(CLIENT), &htlc(&onion, 50_100, HEIGHT + 60), HEIGHT).unwrap_err();
    match refusal {
        PeelError::Failure { failure, .. } => {
            assert_eq!(failure, Failure::invalid_onion_blinding(sha256(&[&onion])));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn dummy_hops_hide_that_the_introduction_node_is_the_recipient() {
    let onion = onion_with_dummy_hop(&receive_tlvs().encode());
    let expected = Failure::invalid_onion_blinding(sha256(&[&onion]));
    // The payment comes too late, and brings too little.
    for (amount_msat, height) in [(50_100, HEIGHT + 55), (50_099, HEIGHT)] {
        let incoming = htlc(&onion, amount_msat, HEIGHT + 60);
        match receive(&key(CLIENT), &incoming, height).unwrap_err() {
            PeelError::Failure { failure, .. } => assert_eq!(failure, expected),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn our_own_seal_does_not_make_a_forward() {
    let data = [tlv(2, &[0; 8]), tlv(10, &[0, 10, 0, 0, 0, 0])].concat();
    let own = blind_with(&key(50), &public(&key(CLIENT)), |rho| {
        onion::seal_for_self(rho, key(CLIENT).receive_auth_key(), &data)
    });
    let plain = blind(&key(50), &public(&key(CLIENT)), &data);
    let onion_of = |sealed: &[u8]| {
        let payload = [tlv(10, sealed), tlv(12, &plain.path_key.serialize())].concat();
        let hops = [
            (public(&key(CLIENT)), with_length(&payload)),
            (public(&key(3)), with_length(&tlv(2, &[1]))),
        ];
        construct(&key(9), &hops, &PAYMENT_HASH.0)
    };
    let (own, plain) = (onion_of(&own.sealed), onion_of(&plain.sealed));
    assert!(matches!(peel(&key(CLIENT), &htlc(&plain, 50_000, 500)).unwrap().hop, Hop::Forward(_)));
    assert_eq!(peel(&key(CLIENT), &htlc(&own, 50_000, 500)).unwrap().hop, Hop::Final);
    assert!(receive(&key(CLIENT), &htlc(&own, 50_000, 500), 100).is_err());
}
