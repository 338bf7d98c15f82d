//! Attribution data (BOLT 4): the payer learns how long each hop held an HTLC and who spoiled a
//! failure; no other node learns anything, and peers that do not offer it are sent none.

use steward_engine::io::{Action, Input};
use steward_engine::row::{InvoiceRow, PaymentRow, PaymentStatus};
use steward_testkit::{Net, PartOf, invoice_recipient};
use steward_wire::features::ATTRIBUTION_DATA;
use steward_wire::{Message, PaymentHash, framing};

const AMOUNT_MSAT: u64 = 5_000_000;
/// Time from one batch of a node to its next.
const ROUND_MS: u64 = 330;

fn announce(net: &mut Net, bit: u32) {
    let len = net.features.len();
    let bit = usize::try_from(bit).unwrap();
    net.features[len - 1 - bit / 8] |= 1 << (bit % 8);
}

fn reconnect(net: &mut Net, client: usize) {
    net.disconnect(client, 0);
    net.settle();
    net.connect(client, 0);
    net.settle();
}

/// Host 0 and clients 1 and 2, all of which offer attribution data.
fn attributing() -> Net {
    let mut net = Net::host_and_clients(2);
    announce(&mut net, ATTRIBUTION_DATA);
    reconnect(&mut net, 1);
    reconnect(&mut net, 2);
    net
}

/// 1 begins to pay 2; nothing has moved yet.
fn begin(net: &mut Net) -> InvoiceRow {
    let invoice = net.invoice(2, Some(AMOUNT_MSAT));
    let command = net.pay_command(invoice.kind.bolt11().unwrap(), None);
    net.issue(1, command);
    invoice
}

fn settlements(action: &Action) -> Vec<Message> {
    let Action::Send { frames, .. } = action else { return Vec::new() };
    let decoded =
        frames.iter().map(|(kind, payload)| framing::decode(&mut None, *kind, payload).unwrap());
    let is_settlement = |message: &Message| {
        matches!(message, Message::UpdateFulfillHtlc(_) | Message::UpdateFailHtlc(_))
    };
    decoded.flatten().filter(is_settlement).collect()
}

fn tlvs(message: &Message) -> &[u8] {
    match message {
        Message::UpdateFulfillHtlc(fulfill) => &fulfill.tlvs,
        Message::UpdateFailHtlc(fail) => &fail.tlvs,
        _ => &[],
    }
}

/// What node 1, the payer, read in the only report there is.
fn held_ms(net: &Net) -> (Vec<u64>, Option<usize>) {
    let [(1, report)] = &net.hold_reports[..] else { panic!("{:?}", net.hold_reports) };
    let times = report.read().unwrap();
    (times.held_ms, times.spoiled_at)
}

fn payment(net: &mut Net, payment_hash: PaymentHash) -> PaymentRow {
    net.payment(1, payment_hash)
}

#[test]
fn a_payer_learns_how_long_each_hop_held_what_was_paid() {
    let mut net = attributing();
    let invoice = begin(&mut net);
    net.rounds(30, ROUND_MS, |_, _| {});
    assert!(net.was_received(2, invoice.payment_hash));
    assert_eq!(payment(&mut net, invoice.payment_hash).status, PaymentStatus::Complete);
    let (held_ms, spoiled_at) = held_ms(&net);
    assert_eq!(spoiled_at, None);
    let [host_ms, payee_ms] = held_ms[..] else { panic!("{held_ms:?}") };
    assert_eq!(payee_ms, 0, "it claims in the batch in which both have signed");
    // Units of 100 ms and no finer.
    let in_time = (300..30 * ROUND_MS).contains(&host_ms);
    assert!(in_time && host_ms % 100 == 0, "{host_ms}");
}

/// One part of two, whose other part never comes.
fn half_a_payment(net: &mut Net) -> PaymentHash {
    let invoice = net.invoice(2, Some(2 * AMOUNT_MSAT));
    let payment_hash = invoice.payment_hash;
    let command = net.pay_command(invoice.kind.bolt11().unwrap(), None);
    net.answer_routes_by_hand(1);
    net.issue(1, command);
    net.settle();
    let part = net.part(PartOf {
        payer: 1,
        payee: invoice_payee(&invoice),
        payment_hash,
        recipient: invoice_recipient(invoice.payment_secret, 2 * AMOUNT_MSAT),
        amount_msat: AMOUNT_MSAT,
        fee_msat: 6_000,
        final_delta_blocks: 146,
    });
    net.input(1, Input::Route { payment: payment_hash.into(), attempt: 1, result: Ok(vec![part]) });
    net.settle();
    payment_hash
}

fn invoice_payee(invoice: &InvoiceRow) -> steward_wire::NodeId {
    steward_invoice::parse(invoice.kind.bolt11().unwrap()).unwrap().payee
}

#[test]
fn a_payer_learns_how_long_each_hop_held_what_failed() {
    let mut net = attributing();
    let payment_hash = half_a_payment(&mut net);
    net.tick(61_000);
    assert_eq!(payment(&mut net, payment_hash).failure.unwrap().0, "mpp_timeout");
    assert_eq!(held_ms(&net), (vec![61_000, 61_000], None));
}

#[test]
fn a_failure_that_was_spoiled_is_blamed_on_the_two_nodes_of_which_one_did_it() {
    for (liar, blamed) in [(2, 1), (0, 0)] {
        let mut net = attributing();
        let payment_hash = half_a_payment(&mut net);
        net.rounds(70, 1_000, |node, action| {
            let Action::Send { frames, .. } = action else { return };
            for (kind, payload) in frames.iter_mut().filter(|_| node == liar) {
                let mut shown = None;
                let message = framing::decode(&mut shown, *kind, payload).unwrap();
                if let Some(Message::UpdateFailHtlc(mut fail)) = message {
                    fail.reason[40] ^= 1;
                    let message = Message::UpdateFailHtlc(fail);
                    (*kind, *payload) = framing::encode(shown.unwrap(), &message).unwrap();
                }
            }
        });
        let (code, message) = payment(&mut net, payment_hash).failure.unwrap();
        assert_eq!(code, "unreadable_failure");
        let [(1, report)] = &net.hold_reports[..] else { panic!("{:?}", net.hold_reports) };
        assert_eq!(report.read().unwrap().spoiled_at, Some(blamed));
        assert!(message.starts_with(&report.hops[blamed].to_string()), "{message}");
    }
}

#[test]
fn a_peer_that_does_not_offer_attribution_data_is_sent_none() {
    let mut net = Net::host_and_clients(2);
    let invoice = begin(&mut net);
    let mut seen = 0;
    net.rounds(30, ROUND_MS, |_, action| {
        for message in settlements(action) {
            assert_eq!(tlvs(&message), [0u8; 0]);
            seen += 1;
        }
    });
    assert!(seen >= 2);
    assert_eq!(payment(&mut net, invoice.payment_hash).status, PaymentStatus::Complete);
    assert!(net.hold_reports.is_empty());
}

/// It was made for a peer that offered to read it, and the peer comes back as an older one.
#[test]
fn attribution_data_that_is_stored_is_not_sent_to_a_peer_that_offers_it_no_more() {
    let mut net = attributing();
    let (with, without) = (net.features.clone(), steward_testkit::hosted_features());
    let invoice = begin(&mut net);
    net.run_until_offered(1, 0);
    // The payee claims, and the claim is lost on the way.
    net.rounds(30, 0, |_, action| {
        let is_claim = !settlements(action).is_empty();
        if is_claim && let Action::Send { frames, .. } = action {
            frames.clear();
        }
    });
    assert!(net.was_received(2, invoice.payment_hash));
    for features in [without, with] {
        let is_offered = features != steward_testkit::hosted_features();
        net.features = features;
        net.disconnect(2, 0);
        net.rounds(2, 0, |_, _| {});
        net.connect(2, 0);
        let mut seen = Vec::new();
        net.rounds(8, 0, |node, action| {
            let sent = settlements(action);
            if node == 2 && !sent.is_empty() {
                seen.extend(sent.iter().map(|message| tlvs(message).len()));
                let Action::Send { frames, .. } = action else { return };
                frames.clear();
            }
        });
        assert!(!seen.is_empty());
        let expected = if is_offered { 924 } else { 0 };
        assert!(seen.iter().all(|len| *len == expected), "{seen:?}");
    }
}

#[test]
fn attribution_data_survives_restarts_of_those_who_made_it() {
    let mut net = attributing();
    let invoice = begin(&mut net);
    net.run_until_offered(1, 0);
    // The host goes away when the payee has the HTLC; the payee claims it and stops.
    net.rounds(30, ROUND_MS, |node, action| {
        if node != 1 && !settlements(action).is_empty() {
            let Action::Send { frames, .. } = action else { return };
            frames.clear();
        }
    });
    assert!(net.was_received(2, invoice.payment_hash));
    for node in [2, 0] {
        net.crash(node);
        net.start(node);
    }
    net.connect(1, 0);
    net.connect(2, 0);
    net.rounds(30, ROUND_MS, |_, _| {});
    assert_eq!(payment(&mut net, invoice.payment_hash).status, PaymentStatus::Complete);
    let (held_ms, spoiled_at) = held_ms(&net);
    assert_eq!((held_ms.len(), spoiled_at), (2, None), "valid, whatever was forgotten of the time");
}

#[test]
fn what_comes_back_from_a_hop_without_attribution_data_is_signed_by_those_before_it() {
    let mut net = Net::host_and_clients(2);
    announce(&mut net, ATTRIBUTION_DATA);
    reconnect(&mut net, 1);
    let payment_hash = half_a_payment(&mut net);
    net.tick(61_000);
    assert_eq!(payment(&mut net, payment_hash).failure.unwrap().0, "mpp_timeout");
    assert_eq!(held_ms(&net), (vec![61_000], Some(1)));
}
