//! Payments over blinded paths that begin at a host: only peers that say so can read the adds that
//! are forwarded to them.

use bitcoin::secp256k1::{PublicKey, SECP256K1};
use lightning::blinded_path::payment::{
    BlindedPaymentPath, Bolt12RefundContext, ForwardTlvs, PaymentConstraints, PaymentContext,
    PaymentForwardNode, PaymentRelay, ReceiveTlvs,
};
use lightning::routing::router::BlindedTail;
use lightning::sign::{EntropySource, ReceiveAuthKey};
use lightning_types::features::BlindedHopFeatures;
use lightning_types::payment::PaymentSecret;
use steward_engine::io::{Action, Input, RoutedPart};
use steward_engine::row::{InvoiceRow, PaymentStatus};
use steward_hosted::Phase;
use steward_onion::{OnionSeed, PathHop, Recipient, create_blinded};
use steward_testkit::{Net, TestKeys};
use steward_wire::codec::TlvStream;
use steward_wire::{Identity as _, Message, NodeId, ShortChannelId, framing};

const AMOUNT_MSAT: u64 = 5_000_000;

struct Fixed;

impl EntropySource for Fixed {
    fn get_secure_random_bytes(&self) -> [u8; 32] {
        [50; 32]
    }
}

fn public(node_id: NodeId) -> PublicKey {
    node_id.public_key().unwrap()
}

/// Host 0, then client 2, whose scid every node can compute.
fn path_over_host(net: &Net, invoice: &InvoiceRow) -> BlindedPaymentPath {
    let constraints =
        || PaymentConstraints { max_cltv_expiry: net.height + 1_000, htlc_minimum_msat: 1 };
    let client = net.client_id(2, 0);
    let host = PaymentForwardNode {
        tlvs: ForwardTlvs {
            short_channel_id: ShortChannelId::of_pair(&client, &net.id(0)).0,
            payment_relay: PaymentRelay {
                cltv_expiry_delta: 144,
                fee_proportional_millionths: 1_000,
                fee_base_msat: 1_000,
            },
            payment_constraints: constraints(),
            features: BlindedHopFeatures::empty(),
            next_blinding_override: None,
        },
        node_id: public(net.id(0)),
        htlc_maximum_msat: 1_000_000_000,
    };
    let payee = ReceiveTlvs {
        payment_secret: PaymentSecret(invoice.payment_secret),
        payment_constraints: constraints(),
        payment_context: PaymentContext::Bolt12Refund(Bolt12RefundContext {
            payment_metadata: None,
        }),
    };
    let auth_key = ReceiveAuthKey(TestKeys(3).towards_host(&net.id(0)).receive_auth_key());
    let client = public(client);
    BlindedPaymentPath::new(&[host], client, auth_key, payee, u64::MAX, 146, Fixed, SECP256K1)
        .unwrap()
}

/// What client 1 offers host 0 for it.
fn routed(net: &Net, invoice: &InvoiceRow) -> RoutedPart {
    let path = path_over_host(net, invoice);
    let tail = BlindedTail {
        trampoline_hops: Vec::new(),
        hops: path.blinded_hops().to_vec(),
        blinding_point: path.blinding_point(),
        excess_final_cltv_expiry_delta: 0,
        final_value_msat: AMOUNT_MSAT,
    };
    let fee_msat = u64::from(path.payinfo.fee_base_msat)
        + AMOUNT_MSAT * u64::from(path.payinfo.fee_proportional_millionths) / 1_000_000;
    let (host, payer) = (net.id(0), net.client_id(1, 0));
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

/// 1 pays 2 over a blinded path that begins at 0.
fn pay_over_blinded_path(net: &mut Net) -> InvoiceRow {
    let invoice = begin_over_blinded_path(net);
    net.settle();
    invoice
}

fn begin_over_blinded_path(net: &mut Net) -> InvoiceRow {
    let invoice = net.invoice(2, Some(AMOUNT_MSAT));
    let command = net.pay_command(invoice.kind.bolt11().unwrap(), None);
    net.answer_routes_by_hand(1);
    net.issue(1, command);
    net.settle();
    let parts = vec![routed(net, &invoice)];
    let payment_hash = invoice.payment_hash;
    net.input(1, Input::Route { payment: payment_hash.into(), attempt: 1, result: Ok(parts) });
    invoice
}

/// Client 2 comes back, and both ends announce these bits.
fn announce(net: &mut Net, bits: &[usize]) {
    let len = net.features.len();
    for bit in bits {
        net.features[len - 1 - bit / 8] |= 1 << (bit % 8);
    }
    net.disconnect(2, 0);
    net.settle();
    net.connect(2, 0);
    net.settle();
}

#[test]
fn a_stranger_cannot_suspend_a_legacy_client_over_a_blinded_path() {
    let mut net = Net::host_and_clients(2);
    let conn = net.conn(0, 2);
    net.wiretap(0, conn);
    let invoice = pay_over_blinded_path(&mut net);
    for (message_type, payload) in net.tapped(conn) {
        let message = framing::decode(&mut None, message_type, &payload).unwrap();
        let Some(Message::UpdateAddHtlc(add)) = message else { continue };
        let mut types = TlvStream::new(&add.tlvs).map(|record| record.unwrap().0);
        assert!(types.all(|tlv_type| tlv_type % 2 == 1), "the client could not read the add");
    }
    assert_eq!(net.channel(0, 2).phase, Phase::Active);
    assert_eq!(net.channel(0, 2).state.unwrap().outgoing_htlcs, []);
    assert_eq!(net.channel(1, 0).state.unwrap().outgoing_htlcs, [], "failed back at once");
    assert!(!net.was_received(2, invoice.payment_hash));
}

#[test]
fn a_client_that_reads_path_keys_is_paid_over_a_blinded_path() {
    let mut net = Net::host_and_clients(2);
    announce(&mut net, &[25]);
    let invoice = pay_over_blinded_path(&mut net);
    assert_eq!(net.payment(1, invoice.payment_hash).status, PaymentStatus::Complete);
    assert!(net.was_received(2, invoice.payment_hash));
}

/// The path key's holders are not to be known by their speed.
#[test]
fn no_attribution_data_comes_out_of_a_blinded_path() {
    let mut net = Net::host_and_clients(2);
    announce(&mut net, &[25, 37]);
    let invoice = begin_over_blinded_path(&mut net);
    let mut sent = Vec::new();
    net.rounds(30, 300, |node, action| {
        let Action::Send { frames, .. } = action else { return };
        for (kind, payload) in frames {
            let message = framing::decode(&mut None, *kind, payload).unwrap();
            let Some(Message::UpdateFulfillHtlc(fulfill)) = message else { continue };
            sent.push((node, fulfill.tlvs.len()));
        }
    });
    assert_eq!(net.payment(1, invoice.payment_hash).status, PaymentStatus::Complete);
    assert!(sent.contains(&(2, 0)), "{sent:?}");
    assert!(sent.iter().all(|(node, len)| *node == 0 || *len == 0), "{sent:?}");
}
