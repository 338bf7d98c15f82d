//! A node that goes on from an old copy of its data, and has several channels with one node: what it
//! may have forwarded in any of them it does not forward again in another.

use bitcoin::secp256k1::{PublicKey, SECP256K1};
use lightning::blinded_path::payment::{
    BlindedPaymentPath, Bolt12RefundContext, ForwardTlvs, PaymentConstraints, PaymentContext,
    PaymentForwardNode, PaymentRelay, ReceiveTlvs,
};
use lightning::routing::router::BlindedTail;
use lightning::sign::{EntropySource, ReceiveAuthKey};
use lightning_types::features::BlindedHopFeatures;
use lightning_types::payment::PaymentSecret;
use steward_engine::io::{Input, RoutedPart};
use steward_engine::row::InvoiceRow;
use steward_engine::row::LocalIdentity::{self, Node, PerHost};
use steward_hosted::Phase;
use steward_onion::{OnionSeed, PathHop, Recipient, create_blinded};
use steward_testkit::onion::{blind, key, tlv};
use steward_testkit::{Net, TestKeys, config};
use steward_wire::{Identity as _, NodeId, ShortChannelId};

const AMOUNT_MSAT: u64 = 5_000_000;

/// Longer than anything waits after a start.
const A_WHILE_MS: u64 = 31_000;

/// Shorter than anything is waited for.
const A_MOMENT_MS: u64 = 1_000;

/// The first path key's secret, and all else that a path of LDK's draws.
struct Fixed;

const PATH_SECRET: u8 = 50;

impl EntropySource for Fixed {
    fn get_secure_random_bytes(&self) -> [u8; 32] {
        [PATH_SECRET; 32]
    }
}

fn public(node_id: NodeId) -> PublicKey {
    node_id.public_key().unwrap()
}

/// What 2 offers 1 for a path from 1 to 0, in which 0 is named by its id and no channel is.
fn routed(net: &Net, invoice: &InvoiceRow) -> RoutedPart {
    let constraints =
        || PaymentConstraints { max_cltv_expiry: net.height + 1_000, htlc_minimum_msat: 1 };
    let relay = PaymentRelay {
        cltv_expiry_delta: 144,
        fee_proportional_millionths: 1_000,
        fee_base_msat: 1_000,
    };
    let hop = PaymentForwardNode {
        tlvs: ForwardTlvs {
            short_channel_id: 0,
            payment_relay: relay,
            payment_constraints: constraints(),
            features: BlindedHopFeatures::empty(),
            next_blinding_override: None,
        },
        node_id: public(net.id(1)),
        htlc_maximum_msat: 1_000_000_000,
    };
    let payee = ReceiveTlvs {
        payment_secret: PaymentSecret(invoice.payment_secret),
        payment_constraints: constraints(),
        payment_context: PaymentContext::Bolt12Refund(Bolt12RefundContext {
            payment_metadata: None,
        }),
    };
    let auth_key = ReceiveAuthKey(TestKeys(1).node().receive_auth_key());
    let payee_id = public(net.id(0));
    let path =
        BlindedPaymentPath::new(&[hop], payee_id, auth_key, payee, u64::MAX, 146, Fixed, SECP256K1)
            .unwrap();
    let mut hops = path.blinded_hops().to_vec();
    // LDK names the next channel: here it is the next node.
    let relay_data = [&[0, 144][..], &1_000u32.to_be_bytes(), &[3, 232]].concat();
    let constraint_data = [&(net.height + 1_000).to_be_bytes()[..], &[1]].concat();
    let data = [tlv(4, &net.id(0).0), tlv(10, &relay_data), tlv(12, &constraint_data)].concat();
    let blinded = blind(&key(PATH_SECRET), &public(net.id(1)), &data);
    assert_eq!(blinded.blinded_node_id, hops[0].blinded_node_id);
    hops[0].encrypted_payload = blinded.sealed;
    let tail = BlindedTail {
        trampoline_hops: Vec::new(),
        hops,
        blinding_point: path.blinding_point(),
        excess_final_cltv_expiry_delta: 0,
        final_value_msat: AMOUNT_MSAT,
    };
    let fee_msat = 1_000 + AMOUNT_MSAT / 1_000;
    let (host, payer) = (net.id(1), net.client_id(2, 1));
    let to_host = PathHop {
        node_id: host,
        scid: ShortChannelId::of_pair(&host, &payer),
        fee_msat,
        cltv_expiry_delta: u32::from(path.payinfo.cltv_expiry_delta),
    };
    let recipient = Recipient { total_msat: AMOUNT_MSAT, ..Recipient::default() };
    let seed = OnionSeed { session_key: [9; 32], prng_seed: [8; 32], height: net.height };
    let onion = create_blinded(&[to_host], tail, &recipient, &invoice.payment_hash, &seed).unwrap();
    RoutedPart {
        path: vec![to_host],
        amount_msat: onion.amount_msat,
        fee_msat,
        cltv_expiry: onion.cltv_expiry,
        onion: onion.onion,
        session_key: [9; 32],
    }
}

fn reconnect(net: &mut Net, client: usize, host: usize, identity: LocalIdentity) {
    net.connect_as(client, host, identity);
    net.settle();
}

#[test]
fn what_may_have_been_forwarded_in_one_channel_with_a_node_is_not_forwarded_in_another() {
    for (used, other) in [(PerHost, Node), (Node, PerHost)] {
        for order in [vec![used], vec![used, other], vec![other, used]] {
            for payer_is_first in [false, true] {
                forward_in(used, &order, payer_is_first);
            }
        }
    }
}

/// 1 forwards to 0 in the channel in which it has the key `used`, and goes on from a copy that does
/// not know it; then its peers come back in this order.
fn forward_in(used: LocalIdentity, order: &[LocalIdentity], payer_is_first: bool) {
    let mut net = Net::new(vec![config(); 3]);
    let len = net.features.len();
    net.features[len - 1 - 25 / 8] |= 1 << (25 % 8);
    net.open_as(1, 0, PerHost);
    net.open_as(1, 0, Node);
    net.open(2, 1);
    let invoice = net.invoice(0, Some(AMOUNT_MSAT));

    // Just started, 1 waits for either channel with 0, with what 2 offers.
    net.crash(1);
    net.start(1);
    reconnect(&mut net, 2, 1, PerHost);
    let command = net.pay_command(invoice.kind.bolt11().unwrap(), None);
    net.answer_routes_by_hand(2);
    net.issue(2, command);
    net.settle();
    let result = Ok(vec![routed(&net, &invoice)]);
    net.input(2, Input::Route { payment: invoice.payment_hash.into(), attempt: 1, result });
    net.settle();
    let copy = net.copy(1);
    net.connect_as(1, 0, used);
    while !net.has_logged(1, "htlc_resumed") {
        net.now_ms += A_MOMENT_MS;
        net.step(1);
        net.step(0);
    }
    net.disconnect(2, 1);
    net.settle();
    assert!(net.was_received(0, invoice.payment_hash));

    net.revive(1, &copy);
    if payer_is_first {
        reconnect(&mut net, 2, 1, PerHost);
    }
    order.iter().for_each(|identity| reconnect(&mut net, 1, 0, *identity));
    assert!(net.has_logged(1, "data_lost"));
    if !payer_is_first {
        reconnect(&mut net, 2, 1, PerHost);
    }
    net.tick(A_WHILE_MS);
    assert!(net.has_logged(1, "forward_unknown"));
    assert_eq!(net.channel(1, 2).phase, Phase::Suspended);
    assert_eq!(net.undelivered_settlements(1), 0, "what it is worth is not decided");
}
