//! Payments to us: parts held until all are here, secrets, expiries, late parts.

use bitcoin::hashes::{Hash, sha256};
use steward_engine::AnswerAt;
use steward_engine::io::{Action, Input, RoutedPart};
use steward_engine::limits::{
    CHAIN_FRESH_MS, CLOCK_BELIEVED_AFTER_MS, KEEP_EXPIRED_INVOICES_MS, MPP_TIMEOUT_MS,
    SWEEP_INTERVAL_MS,
};
use steward_engine::row::{InvoiceRow, InvoiceStatus, PaymentStatus};
use steward_engine::{Command, Reply};
use steward_invoice::parse;
use steward_onion::{OnionSeed, PathHop, Recipient, create};
use steward_store::Store;
use steward_testkit::{INITIAL_MSAT, Net, PartOf, config, invoice_recipient};
use steward_wire::{NodeId, ShortChannelId};

/// A hand-made HTLC of client 1 to client 2 over host 0.
struct Part {
    amount_msat: u64,
    total_msat: u64,
    payment_secret: [u8; 32],
    final_delta: u32,
    /// Blocks between the two expiries at the host.
    host_delta: u32,
}

fn routed(net: &Net, payee: NodeId, invoice: &InvoiceRow, part: &Part, seed: u8) -> RoutedPart {
    let (host, client) = (net.id(0), net.client_id(1, 0));
    let fee_msat = 1_000 + part.amount_msat / 1_000;
    let path = vec![
        PathHop {
            node_id: host,
            scid: ShortChannelId::of_pair(&host, &client),
            fee_msat,
            cltv_expiry_delta: part.host_delta,
        },
        PathHop {
            node_id: payee,
            scid: ShortChannelId::of_pair(&host, &net.client_id(2, 0)),
            fee_msat: part.amount_msat,
            cltv_expiry_delta: part.final_delta,
        },
    ];
    let recipient = Recipient {
        payment_secret: Some(part.payment_secret),
        total_msat: part.total_msat,
        metadata: None,
        keysend_preimage: None,
        custom_tlvs: Vec::new(),
    };
    let session_key = [seed; 32];
    let seed = OnionSeed { session_key, prng_seed: [seed; 32], height: net.height };
    let onion = create(&path, &recipient, &invoice.payment_hash, &seed).unwrap();
    RoutedPart {
        path,
        amount_msat: onion.amount_msat,
        fee_msat,
        cltv_expiry: onion.cltv_expiry,
        onion: onion.onion,
        session_key,
    }
}

/// Client 1 pays with hand-made parts instead of the router's.
fn pay_by_hand(net: &mut Net, invoice: &InvoiceRow, parts: &[Part]) {
    let command = net.pay_command(invoice.kind.bolt11().unwrap(), None);
    let payee = match &command {
        Command::Pay { invoice, .. } => invoice.payee,
        _ => unreachable!(),
    };
    net.answer_routes_by_hand(1);
    let reply = net.issue(1, command);
    net.settle();
    assert!(matches!(net.reply(1, reply), Ok(Reply::Payment(_))));
    let parts: Vec<RoutedPart> = parts
        .iter()
        .enumerate()
        .map(|(index, part)| routed(net, payee, invoice, part, index as u8 + 40))
        .collect();
    let payment_hash = invoice.payment_hash;
    net.input(1, Input::Route { payment: payment_hash.into(), attempt: 1, result: Ok(parts) });
    net.settle();
}

fn good(invoice: &InvoiceRow, amount_msat: u64) -> Part {
    Part {
        amount_msat,
        total_msat: invoice.amount_msat.unwrap(),
        payment_secret: invoice.payment_secret,
        final_delta: 146,
        host_delta: 144,
    }
}

#[test]
fn parts_are_held_until_all_are_here_and_then_claimed_together() {
    let mut net = Net::host_and_clients(2);
    let invoice = net.invoice(2, Some(30_000_000));
    pay_by_hand(&mut net, &invoice, &[good(&invoice, 10_000_000), good(&invoice, 20_000_000)]);
    assert_eq!(net.payment(1, invoice.payment_hash).status, PaymentStatus::Complete);
    assert_eq!(net.received(2, invoice.payment_hash), Some(30_000_000));
    assert_eq!(net.agreed_balance_msat(2, 0), INITIAL_MSAT + 30_000_000);
}

#[test]
fn a_part_without_the_rest_is_failed_after_a_minute() {
    let mut net = Net::host_and_clients(2);
    let invoice = net.invoice(2, Some(30_000_000));
    pay_by_hand(&mut net, &invoice, &[good(&invoice, 10_000_000)]);
    assert_eq!(net.payment(1, invoice.payment_hash).status, PaymentStatus::Pending);
    net.tick(59_000);
    assert_eq!(net.payment(1, invoice.payment_hash).status, PaymentStatus::Pending);
    net.tick(3_000);
    let payment = net.payment(1, invoice.payment_hash);
    assert_eq!(payment.status, PaymentStatus::Failed);
    assert_eq!(payment.failure.unwrap().0, "mpp_timeout");
    assert_eq!(net.agreed_balance_msat(1, 0), INITIAL_MSAT);
}

#[test]
fn parts_are_held_for_a_minute_whatever_the_payees_wall_clock_says() {
    let mut net = Net::host_and_clients(2);
    let invoice = net.invoice(2, Some(30_000_000));
    pay_by_hand(&mut net, &invoice, &[good(&invoice, 10_000_000)]);
    net.nodes[2].wall_offset_ms = 50 * 60_000;
    net.tick(59_000);
    let payment = net.payment(1, invoice.payment_hash);
    assert_eq!(payment.status, PaymentStatus::Pending, "ahead: the rest may still come");
    net.nodes[2].wall_offset_ms = -60 * 60_000;
    net.tick(3_000);
    let payment = net.payment(1, invoice.payment_hash);
    assert_eq!(payment.status, PaymentStatus::Failed, "back: given up in time all the same");
    assert_eq!(net.agreed_balance_msat(1, 0), INITIAL_MSAT);
}

#[test]
fn a_part_refused_at_once_is_tried_again_for_itself_and_not_for_the_whole() {
    let mut net = Net::host_and_clients(2);
    let invoice = net.invoice(2, Some(30_000_000));
    let refused = Part { final_delta: 3_000, ..good(&invoice, 10_000_000) };
    pay_by_hand(&mut net, &invoice, &[refused, good(&invoice, 20_000_000)]);
    let asked: Vec<u64> =
        net.nodes[1].route_requests.iter().map(|request| request.amount_msat).collect();
    assert_eq!(asked, [30_000_000, 10_000_000], "20 000 000 msat are on their way");
    let fees: Vec<u64> =
        net.nodes[1].route_requests.iter().map(|request| request.max_fee_msat).collect();
    assert_eq!(fees, [300_000, 279_000], "and 21 000 msat of fees with them");
}

#[test]
fn a_set_that_lacks_a_single_millisatoshi_is_not_claimed() {
    let mut net = Net::host_and_clients(2);
    let invoice = net.invoice(2, Some(30_000_000));
    pay_by_hand(&mut net, &invoice, &[good(&invoice, 10_000_000), good(&invoice, 19_999_999)]);
    assert_eq!(net.received(2, invoice.payment_hash), None);
    net.tick(62_000);
    assert_eq!(net.agreed_balance_msat(2, 0), INITIAL_MSAT);
}

#[test]
fn all_that_came_in_is_in_the_books_also_what_nobody_asked_for() {
    let mut net = Net::host_and_clients(2);
    let invoice = net.invoice(2, Some(30_000_000));
    pay_by_hand(&mut net, &invoice, &[good(&invoice, 10_000_000), good(&invoice, 25_000_000)]);
    assert_eq!(net.received(2, invoice.payment_hash), Some(35_000_000));
    assert_eq!(net.agreed_balance_msat(2, 0), INITIAL_MSAT + 35_000_000);
}

#[test]
fn parts_that_name_different_totals_do_not_add_up() {
    let mut net = Net::host_and_clients(2);
    let invoice = net.invoice(2, Some(20_000_000));
    let first = Part { total_msat: 30_000_000, ..good(&invoice, 10_000_000) };
    let second = good(&invoice, 20_000_000);
    pay_by_hand(&mut net, &invoice, &[first, second]);
    assert_eq!(net.received(2, invoice.payment_hash), None);
    net.tick(62_000);
    assert_eq!(net.payment(1, invoice.payment_hash).status, PaymentStatus::Failed);
    assert_eq!(net.agreed_balance_msat(2, 0), INITIAL_MSAT);
}

#[test]
fn a_total_of_more_than_twice_what_was_asked_is_refused() {
    for (total_msat, is_taken) in [(20_000_000, true), (20_000_001, false)] {
        let mut net = Net::host_and_clients(2);
        let invoice = net.invoice(2, Some(10_000_000));
        pay_by_hand(&mut net, &invoice, &[Part { total_msat, ..good(&invoice, total_msat) }]);
        assert_eq!(net.received(2, invoice.payment_hash).is_some(), is_taken, "{total_msat}");
    }
}

#[test]
fn what_comes_after_an_invoice_expired_is_refused() {
    let mut net = Net::host_and_clients(2);
    let invoice = net.invoice(2, Some(10_000_000));
    let Command::Pay { invoice: parsed, .. } =
        net.pay_command(invoice.kind.bolt11().unwrap(), None)
    else {
        panic!()
    };
    net.answer_routes_by_hand(1);
    let command = net.pay_command(invoice.kind.bolt11().unwrap(), None);
    net.issue(1, command);
    net.settle();
    net.tick(3_600_001);
    net.mine(1);
    let part = routed(&net, parsed.payee, &invoice, &good(&invoice, 10_000_000), 40);
    let payment_hash = invoice.payment_hash;
    net.input(1, Input::Route { payment: payment_hash.into(), attempt: 1, result: Ok(vec![part]) });
    net.settle();
    let payment = net.payment(1, payment_hash);
    assert_eq!(payment.status, PaymentStatus::Failed);
    assert_eq!(net.received(2, payment_hash), None);
}

#[test]
fn an_htlc_that_expires_too_far_away_is_not_carried_on() {
    let mut net = Net::host_and_clients(2);
    let invoice = net.invoice(2, Some(10_000_000));
    pay_by_hand(&mut net, &invoice, &[Part { final_delta: 2_100, ..good(&invoice, 10_000_000) }]);
    assert_eq!(net.received(2, invoice.payment_hash), None);
    assert_eq!(net.agreed_balance_msat(1, 0), INITIAL_MSAT);
}

#[test]
fn an_htlc_that_expires_at_once_is_not_carried_on() {
    let mut net = Net::host_and_clients(2);
    let invoice = net.invoice(2, Some(10_000_000));
    pay_by_hand(&mut net, &invoice, &[Part { final_delta: 2, ..good(&invoice, 10_000_000) }]);
    let asked = net.nodes[1].route_requests.len();
    assert_eq!(asked, 2, "the host refuses, so another way is asked for; a payee's word is final");
}

#[test]
fn a_forward_needs_every_block_of_the_distance_that_the_policy_asks_for() {
    for (host_delta, is_carried) in [(144, true), (143, false)] {
        let mut net = Net::host_and_clients(2);
        let invoice = net.invoice(2, Some(10_000_000));
        pay_by_hand(&mut net, &invoice, &[Part { host_delta, ..good(&invoice, 10_000_000) }]);
        assert_eq!(net.received(2, invoice.payment_hash).is_some(), is_carried, "{host_delta}");
    }
}

#[test]
fn a_held_part_survives_a_restart_of_the_payee() {
    let mut net = Net::host_and_clients(2);
    let invoice = net.invoice(2, Some(30_000_000));
    let parts = [good(&invoice, 10_000_000)];
    pay_by_hand(&mut net, &invoice, &parts);
    net.crash(2);
    net.start(2);
    net.connect(2, 0);
    net.settle();
    assert_eq!(net.payment(1, invoice.payment_hash).status, PaymentStatus::Pending);
    net.tick(62_000);
    assert_eq!(net.payment(1, invoice.payment_hash).status, PaymentStatus::Failed);
}

#[test]
fn a_wrong_payment_secret_is_refused_like_an_unknown_payment() {
    let mut net = Net::host_and_clients(2);
    let invoice = net.invoice(2, Some(10_000_000));
    let part = Part { payment_secret: [1; 32], ..good(&invoice, 10_000_000) };
    pay_by_hand(&mut net, &invoice, &[part]);
    let payment = net.payment(1, invoice.payment_hash);
    assert_eq!(payment.failure.unwrap().0, "incorrect_or_unknown_payment_details");
}

/// The payee keeps the first half of a secret's SHA-256 in its place.
#[test]
fn a_payment_secret_is_compared_in_every_byte_that_is_kept() {
    let digest = |secret: &[u8; 32]| sha256::Hash::hash(secret).to_byte_array();
    let mut net = Net::host_and_clients(2);
    // Each byte for itself, and two together.
    for equal in (0..16).map(|at| at..at + 1).chain([0..2, 14..16]) {
        let invoice = net.invoice(2, Some(10_000));
        let kept = digest(&invoice.payment_secret);
        let mut others = (0..u32::MAX).map(|number| {
            let mut secret = [0; 32];
            secret[..4].copy_from_slice(&number.to_be_bytes());
            secret
        });
        let is_alike = |secret: &[u8; 32]| digest(secret)[equal.clone()] == kept[equal.clone()];
        let payment_secret = others.find(is_alike).unwrap();
        pay_by_hand(&mut net, &invoice, &[Part { payment_secret, ..good(&invoice, 10_000) }]);
        let code = net.payment(1, invoice.payment_hash).failure.unwrap().0;
        assert_eq!(code, "incorrect_or_unknown_payment_details", "bytes {equal:?}");
        assert_eq!(net.received(2, invoice.payment_hash), None);
    }
}

/// A part came in time, and the payee's clock is wrong for a moment: by it the invoice expired long
/// ago. It was ahead by a little for a day, so that it is believed at once.
#[test]
fn an_invoice_of_which_a_part_is_held_is_not_forgotten() {
    for rest_comes in [true, false] {
        let mut net = Net::host_and_clients(3);
        net.nodes[2].wall_offset_ms = 1;
        net.tick(1_000);
        net.tick(CLOCK_BELIEVED_AFTER_MS - SWEEP_INTERVAL_MS / 2);
        // The next sweep comes while the part is held.
        net.tick(SWEEP_INTERVAL_MS / 3);
        net.mine(1);
        let invoice = net.invoice(2, Some(30_000_000));
        pay_by_hand(&mut net, &invoice, &[good(&invoice, 10_000_000)]);

        let hour_ms = 3_600_000;
        net.nodes[2].wall_offset_ms = (hour_ms + KEEP_EXPIRED_INVOICES_MS + 1_000) as i64;
        for _ in 0..58 {
            net.tick(1_000);
        }
        net.nodes[2].wall_offset_ms = 0;
        net.tick(1);
        assert_eq!(net.payment(1, invoice.payment_hash).status, PaymentStatus::Pending, "held");
        if rest_comes {
            let bolt11 = invoice.kind.bolt11().unwrap();
            let rest = net.part(PartOf {
                payer: 3,
                payee: parse(bolt11).unwrap().payee,
                payment_hash: invoice.payment_hash,
                recipient: invoice_recipient(invoice.payment_secret, 30_000_000),
                amount_msat: 20_000_000,
                fee_msat: 21_000,
                final_delta_blocks: 146,
            });
            net.pay_by_hand(3, bolt11, vec![rest]);
            assert_eq!(net.received(2, invoice.payment_hash), Some(30_000_000));
        } else {
            net.tick(3_000);
            let payment = net.payment(1, invoice.payment_hash);
            assert_eq!(payment.failure.unwrap().0, "mpp_timeout");
            assert_eq!(net.agreed_balance_msat(1, 0), INITIAL_MSAT);
        }
    }
}

#[test]
fn less_than_the_invoice_asks_is_refused() {
    let mut net = Net::host_and_clients(2);
    let invoice = net.invoice(2, Some(10_000_000));
    let part = Part { total_msat: 9_000_000, ..good(&invoice, 9_000_000) };
    pay_by_hand(&mut net, &invoice, &[part]);
    let payment = net.payment(1, invoice.payment_hash);
    assert_eq!(payment.failure.unwrap().0, "incorrect_or_unknown_payment_details");
}

#[test]
fn an_htlc_that_expires_too_soon_is_refused() {
    let mut net = Net::host_and_clients(2);
    let invoice = net.invoice(2, Some(10_000_000));
    let part = Part { final_delta: 100, ..good(&invoice, 10_000_000) };
    pay_by_hand(&mut net, &invoice, &[part]);
    let payment = net.payment(1, invoice.payment_hash);
    assert_eq!(payment.failure.unwrap().0, "incorrect_or_unknown_payment_details");
}

#[test]
fn a_keysend_is_refused_where_it_is_not_wanted() {
    let mut configs = vec![config(); 2];
    configs[0].accept_keysend = false;
    let mut net = Net::new(configs);
    net.open(1, 0);
    let preimage = steward_wire::Preimage([4; 32]);
    let keysend = Command::Keysend {
        destination: net.id(0),
        via: None,
        amount_msat: 1_000_000,
        max_fee_msat: None,
        preimage,
        answer: AnswerAt::Start,
    };
    net.command(1, keysend).unwrap();
    let payment = net.payment(1, preimage.hash());
    assert_eq!(payment.failure.unwrap().0, "incorrect_or_unknown_payment_details");
}

#[test]
fn an_invoice_that_is_paid_is_not_paid_again_by_somebody_else() {
    let mut net = Net::host_and_clients(3);
    let invoice = net.invoice(2, Some(10_000_000));
    net.pay(1, invoice.kind.bolt11().unwrap()).unwrap();
    let balance_msat = net.agreed_balance_msat(3, 0);
    let second = net.pay(3, invoice.kind.bolt11().unwrap()).unwrap();
    assert_eq!(second.failure.unwrap().0, "incorrect_or_unknown_payment_details");
    assert_eq!(net.agreed_balance_msat(3, 0), balance_msat);
}

/// What docs/threat-model.md says of invoices, and what it admits.
#[test]
fn invoices_name_no_identity_but_the_channel_of_their_hint_ties_them_together() {
    let mut net = Net::host_and_clients(2);
    let client = net.client_id(2, 0);
    let invoices =
        [(); 2].map(|()| parse(net.invoice(2, Some(10_000_000)).kind.bolt11().unwrap()).unwrap());
    let [first, second] = &invoices;
    assert_ne!(first.payee, second.payee);
    let scid = ShortChannelId::of_pair(&client, &net.id(0));
    for invoice in &invoices {
        assert!(![client, net.id(2)].contains(&invoice.payee));
        let hops: Vec<_> = invoice.hints.iter().flatten().collect();
        assert_eq!(hops.len(), 1);
        assert_eq!((hops[0].node_id, hops[0].scid), (net.id(0), scid));
    }
}

/// The payee's machine slept, or its chain source is silent: the height it knows is an old one.
fn paid_while_the_payees_height_is_old() -> (Net, InvoiceRow) {
    let mut net = Net::host_and_clients(2);
    let invoice = net.invoice(2, Some(10_000_000));
    net.nodes[2].chain_is_silent = true;
    net.tick(CHAIN_FRESH_MS + 1);
    let command = net.pay_command(invoice.kind.bolt11().unwrap(), None);
    net.issue(1, command);
    net.settle();
    assert_eq!(net.payment(1, invoice.payment_hash).status, PaymentStatus::Pending, "held");
    net.nodes[2].chain_is_silent = false;
    (net, invoice)
}

#[test]
fn a_payee_that_slept_asks_the_chain_before_it_claims() {
    let (mut net, invoice) = paid_while_the_payees_height_is_old();
    net.act(2, Action::AskChain);
    net.settle();
    assert_eq!(net.payment(1, invoice.payment_hash).status, PaymentStatus::Complete);
    assert_eq!(net.received(2, invoice.payment_hash), Some(10_000_000));
}

/// Its host may have taken the HTLC back while it slept: then the payer would have its money, and
/// the preimage too.
#[test]
fn a_payment_that_a_sleeping_payee_finds_too_late_is_refused_and_the_invoice_says_so() {
    let (mut net, invoice) = paid_while_the_payees_height_is_old();
    let height = net.height + 100;
    let asked_ms = Some(net.time(2).now_ms);
    net.input(2, Input::Chain { height, stale: false, asked_ms });
    net.settle();
    let payment = net.payment(1, invoice.payment_hash);
    assert_eq!(payment.failure.unwrap().0, "incorrect_or_unknown_payment_details");
    let history = net.nodes[2].store.history().unwrap();
    let row = history.invoice(&invoice.payment_hash).unwrap().unwrap();
    assert_eq!(row.status, InvoiceStatus::Open);
    assert_eq!(row.failure.unwrap().0, "payment_too_late");
}

/// One part is enough: with the preimage its host would be paid for it, and the payee not.
#[test]
fn a_payment_of_which_one_part_comes_too_late_is_refused_as_a_whole() {
    let mut net = Net::host_and_clients(2);
    let invoice = net.invoice(2, Some(30_000_000));
    net.nodes[2].chain_is_silent = true;
    net.tick(CHAIN_FRESH_MS + 1);
    let late = good(&invoice, 10_000_000);
    let early = Part { final_delta: 146 + 100, ..good(&invoice, 20_000_000) };
    pay_by_hand(&mut net, &invoice, &[late, early]);
    assert_eq!(net.payment(1, invoice.payment_hash).status, PaymentStatus::Pending, "held");
    let height = net.height + 100;
    let asked_ms = Some(net.time(2).now_ms);
    net.input(2, Input::Chain { height, stale: false, asked_ms });
    net.settle();
    assert_eq!(net.payment(1, invoice.payment_hash).status, PaymentStatus::Failed);
    assert_eq!(net.received(2, invoice.payment_hash), None);
    assert_eq!(net.agreed_balance_msat(2, 0), INITIAL_MSAT);
}

#[test]
fn a_payee_on_a_stale_tip_gives_no_preimage() {
    let mut net = Net::host_and_clients(2);
    let invoice = net.invoice(2, Some(10_000_000));
    net.nodes[2].chain_is_silent = true;
    let (height, asked_ms) = (net.height, Some(net.time(2).now_ms));
    net.input(2, Input::Chain { height, stale: true, asked_ms });
    net.settle();
    let command = net.pay_command(invoice.kind.bolt11().unwrap(), None);
    net.issue(1, command);
    net.settle();
    net.tick(MPP_TIMEOUT_MS);
    let payment = net.payment(1, invoice.payment_hash);
    assert_eq!(payment.status, PaymentStatus::Failed);
    assert_eq!(net.received(2, invoice.payment_hash), None);
}

/// The failure of a claim that the host never signs is written on the invoice.
#[test]
fn an_invoice_whose_claim_ends_in_a_suspension_or_an_override_says_so() {
    let (mut net, invoice) = paid_while_the_payees_height_is_old();
    let failure = |net: &Net| {
        let history = net.nodes[2].store.history().unwrap();
        history.invoice(&invoice.payment_hash).unwrap().unwrap().failure.map(|(code, _)| code)
    };
    // The host hears nothing of the claim.
    net.disconnect(2, 0);
    net.act(2, Action::AskChain);
    net.settle();
    assert_eq!(net.received(2, invoice.payment_hash), Some(10_000_000));
    assert_eq!(failure(&net), None);
    let (host, client) = (net.id(0), net.client_id(2, 0));
    net.command(2, Command::SuspendChannel { channel: host.into() }).unwrap();
    assert_eq!(failure(&net).as_deref(), Some("claim_unsigned"));

    net.connect(2, 0);
    net.settle();
    let local_balance_msat = 1_000_000_000 - INITIAL_MSAT;
    net.command(0, Command::ProposeOverride { channel: client.into(), local_balance_msat })
        .unwrap();
    let accept = Command::AcceptOverride { channel: host.into(), our_balance_msat: INITIAL_MSAT };
    net.command(2, accept).unwrap();
    assert_eq!(failure(&net).as_deref(), Some("claim_overridden"));
}
