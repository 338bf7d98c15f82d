//! A host against clients that share none of its code: every hosted-channel message on their side
//! is raw bytes, in the legacy and in the modern framing.

mod common;
mod raw;

use std::time::{SystemTime, UNIX_EPOCH};

use bitcoin::Network;
use bitcoin::secp256k1::SecretKey;
use common::{PATIENCE, TestNode, keysend_to, new_invoice, wait_for};
use raw::{Client, Framing, Htlc, Policy, sha256, short_channel_id};
use steward_engine::EventKind;
use steward_engine::row::{InvoiceRow, PaymentRow, PaymentStatus};
use steward_invoice::{Description, HintHop, Invoice, NewInvoice};
use steward_onion::{
    DecodedFailure, Failure, IncomingHtlc, OnionSeed, PathHop, PaymentOnion, Received, Recipient,
    build_failure, create, decode_failure, receive,
};
use steward_wire::{NodeId, PaymentHash, ShortChannelId};
use tokio::task::JoinHandle;

const HEIGHT: u32 = 800_000;
const BLOCK_DAY: u32 = HEIGHT / 144;
const CAPACITY_MSAT: u64 = 1_000_000_000;
const GIFT_MSAT: u64 = 100_000_000;
const AMOUNT_MSAT: u64 = 7_654_321;
/// The blocks that an expiry may lose before it arrives, and must still be enough.
const EXPIRY_SLACK_BLOCKS: u32 = 3;
/// `fee_insufficient` of BOLT4, with the flag for a `channel_update`.
const FEE_INSUFFICIENT: u16 = 0x1000 | 12;
const SESSION_KEY: [u8; 32] = [0x2e; 32];

/// A height that stays, a gift to pay with, and a branding to ask for.
const HOST: &[&str] = &[
    "chain.start_height=800000",
    "chain.seconds_per_block=4000000000",
    "host.initial_client_balance_sat=100000",
    "host.brand_color=#123456",
    "host.contact=https://host.example",
];

/// Runs every scenario once in each framing.
macro_rules! in_each_framing {
    ($($scenario:ident),+ $(,)?) => {
        in_each_framing!(legacy, Framing::Legacy, $($scenario),+);
        in_each_framing!(modern, Framing::Modern, $($scenario),+);
    };
    ($module:ident, $framing:expr, $($scenario:ident),+) => {
        mod $module {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $scenario() {
                    super::$scenario($framing).await;
                }
            )+
        }
    };
}

in_each_framing!(
    a_peer_opens_a_channel,
    a_peer_is_paid_by_its_host,
    a_peer_pays_its_host,
    payments_that_cross_both_arrive,
    a_payment_whose_answer_was_lost_ends_once,
    a_payment_lost_on_its_way_is_sent_again,
    a_peer_that_kept_only_its_key_gets_its_channel_back,
    a_peer_pays_one_that_speaks_the_other_framing,
    a_forward_that_pays_too_little_comes_back,
    a_failure_of_the_payee_reaches_the_payer,
);

async fn a_peer_opens_a_channel(framing: Framing) {
    let host = start_host().await;
    let mut peer = new_peer(&host, 1, framing);
    let init = peer.open().await;
    let mut terms = Vec::new();
    terms.extend(CAPACITY_MSAT.to_be_bytes()); // max_htlc_value_in_flight_msat
    terms.extend(1_000_u64.to_be_bytes()); // htlc_minimum_msat
    terms.extend(21_u16.to_be_bytes()); // max_accepted_htlcs
    terms.extend(CAPACITY_MSAT.to_be_bytes()); // channel_capacity_msat
    terms.extend(GIFT_MSAT.to_be_bytes()); // initial_client_balance_msat
    terms.extend([0, 2, 0x80, 0xcc, 0x80, 0xce]); // features 32972 and 32974
    assert_eq!(init, terms);
    let policy = Policy {
        short_channel_id: short_channel_id(&host_id(&host), &peer.id()),
        cltv_expiry_delta: 144,
        htlc_minimum_msat: 1_000,
        fee_base_msat: 1_000,
        fee_proportional_millionths: 1_000,
        htlc_maximum_msat: CAPACITY_MSAT,
    };
    assert_eq!(peer.policy(), policy);
    peer.expect_silence().await;
    check_books(&host, &peer, GIFT_MSAT).await;
}

async fn a_peer_is_paid_by_its_host(framing: Framing) {
    let host = start_host().await;
    let mut peer = opened_peer(&host, 1, framing).await;
    let payment = keysend(&host, &peer);

    let htlc = peer.next_htlc().await;
    assert_eq!(htlc.amount_msat(), AMOUNT_MSAT);
    let preimage = read_onion(&peer, &htlc).keysend_preimage.unwrap();
    peer.fulfill(&htlc, preimage.0);
    peer.settle().await;

    let payment = payment.await.unwrap();
    assert_eq!(payment.status, PaymentStatus::Complete);
    assert_eq!(payment.preimage, Some(preimage));
    check_books(&host, &peer, GIFT_MSAT + AMOUNT_MSAT).await;
}

async fn a_peer_pays_its_host(framing: Framing) {
    let host = start_host().await;
    let mut peer = opened_peer(&host, 1, framing).await;
    let invoice = invoice_of(&host).await;
    offer_to_host(&mut peer, &invoice);
    assert_eq!(peer.preimage(invoice.payment_hash.0).await, invoice.preimage.0);
    peer.settle().await;
    check_books(&host, &peer, GIFT_MSAT - AMOUNT_MSAT).await;
}

/// Each side signs before it has seen the other's HTLC (docs/protocol.md section 3.4, rule c).
async fn payments_that_cross_both_arrive(framing: Framing) {
    let host = start_host().await;
    let mut peer = opened_peer(&host, 1, framing).await;
    let invoice = invoice_of(&host).await;
    let payment = keysend(&host, &peer);
    peer.wait_for_unread_state_updates(1).await;
    offer_to_host(&mut peer, &invoice);
    peer.wait_for_unread_state_updates(2).await;

    let htlc = peer.next_htlc().await;
    let preimage = read_onion(&peer, &htlc).keysend_preimage.unwrap();
    peer.fulfill(&htlc, preimage.0);
    assert_eq!(peer.preimage(invoice.payment_hash.0).await, invoice.preimage.0);
    peer.settle().await;

    assert_eq!(payment.await.unwrap().preimage, Some(preimage));
    check_books(&host, &peer, GIFT_MSAT).await;
}

/// The host has signed and claimed the HTLC, and the peer hears of neither.
async fn a_payment_whose_answer_was_lost_ends_once(framing: Framing) {
    let host = start_host().await;
    let mut peer = opened_peer(&host, 1, framing).await;
    let invoice = invoice_of(&host).await;
    let mut events = host.handle.subscribe();
    offer_to_host(&mut peer, &invoice);
    wait_for(&mut events, is_invoice_paid).await;
    peer.disconnect().await;

    peer.resume().await;
    assert_eq!(peer.preimage(invoice.payment_hash.0).await, invoice.preimage.0);
    peer.settle().await;
    check_books(&host, &peer, GIFT_MSAT - AMOUNT_MSAT).await;
    while let Ok(event) = events.try_recv() {
        assert!(!is_invoice_paid(&event.kind), "paid twice");
    }
}

/// The host has received neither the HTLC nor the signature.
async fn a_payment_lost_on_its_way_is_sent_again(framing: Framing) {
    let host = start_host().await;
    let mut peer = opened_peer(&host, 1, framing).await;
    let invoice = invoice_of(&host).await;
    peer.disconnect().await;
    offer_to_host(&mut peer, &invoice);

    peer.resume().await;
    assert_eq!(peer.preimage(invoice.payment_hash.0).await, invoice.preimage.0);
    peer.settle().await;
    check_books(&host, &peer, GIFT_MSAT - AMOUNT_MSAT).await;
}

/// An HTLC in flight is found in the host's state as well, and can be claimed.
async fn a_peer_that_kept_only_its_key_gets_its_channel_back(framing: Framing) {
    let host = start_host().await;
    let mut peer = opened_peer(&host, 1, framing).await;
    let payment = keysend(&host, &peer);
    peer.next_htlc().await;
    peer.expect_silence().await;
    let before = peer.state().clone();
    peer.disconnect().await;
    drop(peer);

    let mut peer = new_peer(&host, 1, framing);
    peer.resume().await;
    assert_eq!(*peer.state(), before);
    let htlc = peer.next_htlc().await;
    let preimage = read_onion(&peer, &htlc).keysend_preimage.unwrap();
    peer.fulfill(&htlc, preimage.0);
    peer.settle().await;
    assert_eq!(payment.await.unwrap().preimage, Some(preimage));
    check_books(&host, &peer, GIFT_MSAT + AMOUNT_MSAT).await;
}

async fn a_peer_pays_one_that_speaks_the_other_framing(framing: Framing) {
    let host = start_host().await;
    let mut payer = opened_peer(&host, 1, framing).await;
    let mut payee = opened_peer(&host, 2, framing.other()).await;
    let preimage = [0x42; 32];
    let invoice = invoice_by(&payee, &preimage);
    let fee_msat = payee.policy().fee_msat(AMOUNT_MSAT);
    assert_eq!(fee_msat, 1_000 + AMOUNT_MSAT / 1_000);
    let onion = onion_through_host(&host, &payer, &invoice, fee_msat);
    payer.offer(onion.amount_msat, invoice.payment_hash.0, onion.cltv_expiry, &onion.onion);

    let htlc = payee.next_htlc().await;
    assert_eq!(htlc.amount_msat(), AMOUNT_MSAT);
    assert_eq!(htlc.cltv_expiry(), onion.cltv_expiry - 144);
    let received = read_onion(&payee, &htlc);
    assert_eq!(received.payment_secret, Some(invoice.payment_secret));
    assert_eq!(received.total_msat, AMOUNT_MSAT);
    payee.fulfill(&htlc, preimage);
    assert_eq!(payer.preimage(invoice.payment_hash.0).await, preimage);
    payee.settle().await;
    payer.settle().await;
    check_books(&host, &payer, GIFT_MSAT - AMOUNT_MSAT - fee_msat).await;
    check_books(&host, &payee, GIFT_MSAT + AMOUNT_MSAT).await;
}

async fn a_forward_that_pays_too_little_comes_back(framing: Framing) {
    let host = start_host().await;
    let mut payer = opened_peer(&host, 1, framing).await;
    let mut payee = opened_peer(&host, 2, framing.other()).await;
    let invoice = invoice_by(&payee, &[0x42; 32]);
    let fee_msat = payee.policy().fee_msat(AMOUNT_MSAT) - 1;
    let onion = onion_through_host(&host, &payer, &invoice, fee_msat);
    payer.offer(onion.amount_msat, invoice.payment_hash.0, onion.cltv_expiry, &onion.onion);

    let reason = payer.failure(invoice.payment_hash.0).await;
    let hops = [NodeId(host_id(&host)), invoice.payee];
    let DecodedFailure { hop_index, failure } =
        decode_failure(&SESSION_KEY, &hops, &reason).expect("an authentic failure");
    assert_eq!((hop_index, failure.code), (0, FEE_INSUFFICIENT));
    let (amount, rest) = failure.data.split_at(8);
    assert_eq!(amount, onion.amount_msat.to_be_bytes());
    // The length and the type of a channel_update, then its body.
    let (head, update) = rest.split_at(4);
    assert_eq!(head, [0, 138, 0x01, 0x02]);
    // The maximum is the same for all: a failure must not tell what the channel can hold.
    let shown = Policy::read(update, &host_id(&host), &payee.id());
    let htlc_maximum_msat = 10_000_000_000;
    assert_eq!(shown, Policy { htlc_maximum_msat, ..payee.policy() });
    payer.settle().await;
    payee.settle().await;
    check_books(&host, &payer, GIFT_MSAT).await;
    check_books(&host, &payee, GIFT_MSAT).await;
}

async fn a_failure_of_the_payee_reaches_the_payer(framing: Framing) {
    let host = start_host().await;
    let mut payer = opened_peer(&host, 1, framing).await;
    let mut payee = opened_peer(&host, 2, framing.other()).await;
    let invoice = invoice_by(&payee, &[0x42; 32]);
    let fee_msat = payee.policy().fee_msat(AMOUNT_MSAT);
    let onion = onion_through_host(&host, &payer, &invoice, fee_msat);
    payer.offer(onion.amount_msat, invoice.payment_hash.0, onion.cltv_expiry, &onion.onion);

    let htlc = payee.next_htlc().await;
    let refusal = Failure::incorrect_or_unknown_payment_details(htlc.amount_msat(), HEIGHT);
    let shared_secret = read_onion(&payee, &htlc).shared_secret;
    payee.fail(&htlc, build_failure(&shared_secret, &refusal));
    let reason = payer.failure(invoice.payment_hash.0).await;
    let hops = [NodeId(host_id(&host)), invoice.payee];
    let decoded = decode_failure(&SESSION_KEY, &hops, &reason);
    assert_eq!(decoded, Some(DecodedFailure { hop_index: 1, failure: refusal }));
    payer.settle().await;
    payee.settle().await;
    check_books(&host, &payer, GIFT_MSAT).await;
    check_books(&host, &payee, GIFT_MSAT).await;
}

async fn start_host() -> TestNode {
    TestNode::start(HOST).await
}

fn host_id(host: &TestNode) -> [u8; 33] {
    host.handle.info().node_id.0
}

fn new_peer(host: &TestNode, number: u8, framing: Framing) -> Client {
    let key = SecretKey::from_slice(&[number; 32]).unwrap();
    Client::new(key, host_id(host), &host.address(), framing, BLOCK_DAY)
}

async fn opened_peer(host: &TestNode, number: u8, framing: Framing) -> Client {
    let mut peer = new_peer(host, number, framing);
    peer.open().await;
    peer
}

/// Lets the host pay the peer, in the background.
fn keysend(host: &TestNode, peer: &Client) -> JoinHandle<PaymentRow> {
    let (handle, payee) = (host.handle.clone(), NodeId(peer.id()));
    tokio::spawn(
        async move { handle.keysend(keysend_to(payee, AMOUNT_MSAT), PATIENCE).await.unwrap() },
    )
}

async fn invoice_of(host: &TestNode) -> InvoiceRow {
    host.handle.create_invoice(new_invoice(Some(AMOUNT_MSAT), 3600)).await.unwrap()
}

/// Makes an invoice of a peer's, with its host as the way to it.
fn invoice_by(payee: &Client, preimage: &[u8; 32]) -> Invoice {
    let policy = payee.policy();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let hint = HintHop {
        node_id: NodeId(payee.host()),
        scid: ShortChannelId(policy.short_channel_id),
        fee_base_msat: policy.fee_base_msat,
        fee_ppm: policy.fee_proportional_millionths,
        cltv_expiry_delta: policy.cltv_expiry_delta,
    };
    let text = steward_invoice::build(
        &NewInvoice {
            network: Network::Regtest,
            payment_hash: PaymentHash(sha256(preimage)),
            payment_secret: [0x5e; 32],
            amount_msat: Some(AMOUNT_MSAT),
            description: Description::Text("coffee".to_owned()),
            created_at_unix: now.as_secs(),
            expiry_s: 3600,
            min_final_cltv_expiry_delta: 144,
            hints: vec![vec![hint]],
            basic_mpp: false,
        },
        payee.key(),
    );
    steward_invoice::parse(&text.unwrap()).unwrap()
}

fn offer_to_host(payer: &mut Client, invoice: &InvoiceRow) {
    let invoice = steward_invoice::parse(invoice.kind.bolt11().unwrap()).unwrap();
    let hop = last_hop(&invoice, payer.policy().short_channel_id);
    let onion = onion(&[hop], &invoice);
    payer.offer(onion.amount_msat, invoice.payment_hash.0, onion.cltv_expiry, &onion.onion);
}

fn onion_through_host(
    host: &TestNode,
    payer: &Client,
    invoice: &Invoice,
    fee_msat: u64,
) -> PaymentOnion {
    let hint = &invoice.hints[0][0];
    let first = PathHop {
        node_id: host.handle.info().node_id,
        scid: ShortChannelId(payer.policy().short_channel_id),
        fee_msat,
        cltv_expiry_delta: u32::from(hint.cltv_expiry_delta),
    };
    onion(&[first, last_hop(invoice, hint.scid.0)], invoice)
}

fn last_hop(invoice: &Invoice, scid: u64) -> PathHop {
    PathHop {
        node_id: invoice.payee,
        scid: ShortChannelId(scid),
        fee_msat: AMOUNT_MSAT,
        cltv_expiry_delta: invoice.min_final_cltv_expiry_delta + EXPIRY_SLACK_BLOCKS,
    }
}

fn onion(path: &[PathHop], invoice: &Invoice) -> PaymentOnion {
    let recipient = Recipient {
        payment_secret: Some(invoice.payment_secret),
        total_msat: AMOUNT_MSAT,
        ..Recipient::default()
    };
    let seed = OnionSeed { session_key: SESSION_KEY, prng_seed: [0x1f; 32], height: HEIGHT };
    create(path, &recipient, &invoice.payment_hash, &seed).unwrap()
}

fn read_onion(payee: &Client, htlc: &Htlc) -> Received {
    let incoming = IncomingHtlc {
        onion: htlc.onion(),
        payment_hash: PaymentHash(htlc.payment_hash()),
        amount_msat: htlc.amount_msat(),
        cltv_expiry: htlc.cltv_expiry(),
        path_key: None,
    };
    receive(payee.key(), &incoming, HEIGHT).unwrap()
}

/// Checks that host and peer agree on the balances, and that nothing is in flight.
async fn check_books(host: &TestNode, peer: &Client, balance_msat: u64) {
    let state = peer.state();
    assert_eq!(state.local_balance_msat, balance_msat);
    assert_eq!(state.remote_balance_msat, CAPACITY_MSAT - balance_msat);
    let channel = host.handle.channel(NodeId(peer.id())).await.unwrap();
    let summary = channel.summary.unwrap();
    assert_eq!(summary.remote_balance_msat, balance_msat);
    assert_eq!(summary.local_balance_msat, CAPACITY_MSAT - balance_msat);
    assert_eq!((summary.incoming_htlcs, summary.outgoing_htlcs), (0, 0));
    let known = channel.state.unwrap();
    assert_eq!(known.remote_sig_of_local.0, state.local_sig_of_remote, "our signature is kept");
}

fn is_invoice_paid(kind: &EventKind) -> bool {
    matches!(kind, EventKind::InvoicePaid { .. })
}
