//! Payments out, end to end, in memory: routes, retries, refusals, what the payer is told.

use steward_engine::AnswerAt;
use steward_engine::row::PaymentStatus;
use steward_engine::{Command, Reply};
use steward_testkit::{INITIAL_MSAT, Net, config, is_complete};
use steward_wire::Preimage;

#[test]
fn a_client_pays_another_client_of_the_same_host() {
    let mut net = Net::host_and_clients(2);
    let invoice = net.invoice(2, Some(50_000_000));
    let payment = net.pay(1, invoice.kind.bolt11().unwrap()).unwrap();
    assert!(is_complete(&payment), "{payment:?}");
    assert_eq!(payment.preimage, Some(invoice.preimage));
    assert_eq!(payment.fee_msat, 1_000 + 50_000);
    assert_eq!(net.received(2, invoice.payment_hash), Some(50_000_000));
    assert_eq!(net.agreed_balance_msat(1, 0), INITIAL_MSAT - 50_051_000);
    assert_eq!(net.agreed_balance_msat(2, 0), INITIAL_MSAT + 50_000_000);
}

#[test]
fn a_client_pays_its_host_without_a_fee() {
    let mut net = Net::host_and_clients(1);
    let invoice = net.invoice(0, Some(7_000_000));
    let payment = net.pay(1, invoice.kind.bolt11().unwrap()).unwrap();
    assert!(is_complete(&payment), "{payment:?}");
    assert_eq!(payment.fee_msat, 0);
    assert_eq!(net.agreed_balance_msat(1, 0), INITIAL_MSAT - 7_000_000);
}

#[test]
fn a_host_pays_its_client() {
    let mut net = Net::host_and_clients(1);
    let invoice = net.invoice(1, Some(9_000_000));
    let payment = net.pay(0, invoice.kind.bolt11().unwrap()).unwrap();
    assert!(is_complete(&payment), "{payment:?}");
    assert_eq!(net.agreed_balance_msat(1, 0), INITIAL_MSAT + 9_000_000);
}

#[test]
fn paying_the_same_invoice_again_does_not_pay_twice() {
    let mut net = Net::host_and_clients(2);
    let invoice = net.invoice(2, Some(50_000_000));
    let first = net.pay(1, invoice.kind.bolt11().unwrap()).unwrap();
    let second = net.pay(1, invoice.kind.bolt11().unwrap()).unwrap();
    assert_eq!(first, second);
    assert_eq!(net.agreed_balance_msat(2, 0), INITIAL_MSAT + 50_000_000);
}

#[test]
fn two_payments_of_one_invoice_in_the_same_batch_are_one_payment() {
    let mut net = Net::host_and_clients(2);
    let invoice = net.invoice(2, Some(50_000_000));
    let command = net.pay_command(invoice.kind.bolt11().unwrap(), None);
    let replies = [net.issue(1, command.clone()), net.issue(1, command)];
    net.settle();
    for reply in replies {
        net.reply(1, reply).unwrap();
    }
    assert_eq!(net.agreed_balance_msat(2, 0), INITIAL_MSAT + 50_000_000);
}

#[test]
fn asking_again_while_the_first_htlc_is_out_offers_no_second_one() {
    let (mut net, invoice) = Net::with_stuck_payment();
    let payment = net.pay(1, invoice.kind.bolt11().unwrap()).unwrap();
    assert_eq!(payment.status, PaymentStatus::Pending, "the first one is still out");
    assert_eq!(net.channel(1, 0).summary.unwrap().outgoing_htlcs, 1);
}

#[test]
fn the_payer_chooses_the_amount_of_an_open_invoice() {
    let mut net = Net::host_and_clients(2);
    let invoice = net.invoice(2, None);
    let command = net.pay_command(invoice.kind.bolt11().unwrap(), Some(3_000_000));
    net.command(1, command).unwrap();
    assert!(is_complete(&net.payment(1, invoice.payment_hash)));
    assert_eq!(net.received(2, invoice.payment_hash), Some(3_000_000));
}

#[test]
fn an_amount_larger_than_each_channel_goes_over_two_hosts() {
    // Nodes 0 and 1 are hosts, 2 pays 3, both clients of both.
    let mut net = Net::new(vec![config(); 4]);
    for (client, host) in [(2, 0), (2, 1), (3, 0), (3, 1)] {
        net.open(client, host);
    }
    let amount_msat = INITIAL_MSAT + 100_000_000;
    let invoice = net.invoice(3, Some(amount_msat));
    let payment = net.pay(2, invoice.kind.bolt11().unwrap()).unwrap();
    assert!(is_complete(&payment), "{payment:?}");
    assert_eq!(net.received(3, invoice.payment_hash), Some(amount_msat));
    let received = net.agreed_balance_msat(3, 0) + net.agreed_balance_msat(3, 1);
    assert_eq!(received, 2 * INITIAL_MSAT + amount_msat);
}

#[test]
fn a_part_that_fails_at_one_host_is_sent_over_the_other() {
    let mut net = Net::new(vec![config(); 4]);
    for (client, host) in [(2, 0), (2, 1), (3, 0), (3, 1)] {
        net.open(client, host);
    }
    let invoice = net.invoice(3, Some(30_000_000));
    // The payee leaves one host after it made the invoice.
    net.disconnect(3, 0);
    let payment = net.pay(2, invoice.kind.bolt11().unwrap()).unwrap();
    assert!(is_complete(&payment), "{payment:?}");
    assert_eq!(net.agreed_balance_msat(3, 1), INITIAL_MSAT + 30_000_000);
}

#[test]
fn a_payee_that_is_offline_fails_the_payment_and_nothing_is_lost() {
    let mut net = Net::host_and_clients(2);
    let invoice = net.invoice(2, Some(30_000_000));
    net.disconnect(2, 0);
    let payment = net.pay(1, invoice.kind.bolt11().unwrap()).unwrap();
    assert_eq!(payment.status, PaymentStatus::Failed);
    assert_eq!(payment.failure.unwrap().0, "temporary_channel_failure");
    assert_eq!(net.agreed_balance_msat(1, 0), INITIAL_MSAT);
}

#[test]
fn a_keysend_reaches_another_client_by_naming_its_host() {
    let mut net = Net::host_and_clients(2);
    let preimage = Preimage([9; 32]);
    let keysend = Command::Keysend {
        destination: net.client_id(2, 0),
        via: Some(net.id(0)),
        amount_msat: 5_000_000,
        max_fee_msat: None,
        preimage,
        answer: AnswerAt::Start,
    };
    net.command(1, keysend).unwrap();
    assert!(is_complete(&net.payment(1, preimage.hash())));
    assert_eq!(net.received(2, preimage.hash()), Some(5_000_000));
}

#[test]
fn a_hundred_payments_at_once_all_arrive_although_only_21_fit_the_channel() {
    let mut net = Net::host_and_clients(2);
    let invoices: Vec<_> = (0..100).map(|_| net.invoice(2, Some(1_000_000))).collect();
    for invoice in &invoices {
        let command = net.pay_command(invoice.kind.bolt11().unwrap(), None);
        net.issue(1, command);
    }
    net.settle();
    for invoice in &invoices {
        let payment = net.payment(1, invoice.payment_hash);
        assert!(is_complete(&payment), "{payment:?}");
    }
    assert_eq!(net.agreed_balance_msat(2, 0), INITIAL_MSAT + 100_000_000);
    assert_eq!(net.agreed_balance_msat(1, 0), INITIAL_MSAT - 100 * 1_002_000);
}

#[test]
fn payments_in_both_directions_at_once_settle() {
    let mut net = Net::host_and_clients(2);
    for round in 0..10u64 {
        let there = net.invoice(2, Some(1_000_000 + round));
        let back = net.invoice(1, Some(2_000_000 + round));
        let command = net.pay_command(there.kind.bolt11().unwrap(), None);
        net.issue(1, command);
        let command = net.pay_command(back.kind.bolt11().unwrap(), None);
        net.issue(2, command);
    }
    net.settle();
    let (sent, got): (u64, u64) =
        (0..10).map(|r| (1_000_000 + r, 2_000_000 + r)).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
    let fees = |amounts: [u64; 10]| amounts.iter().map(|a| 1_000 + a / 1_000).sum::<u64>();
    let paid_fees = fees(std::array::from_fn(|r| 1_000_000 + r as u64));
    assert_eq!(net.agreed_balance_msat(1, 0), INITIAL_MSAT - sent - paid_fees + got);
}

#[test]
fn a_payment_crosses_a_chain_of_hosts() {
    // 0 hosts 1; 1 hosts 2: 2 pays 0 over its host, which is 0's client.
    let mut net = Net::new(vec![config(); 3]);
    net.open(1, 0);
    net.open(2, 1);
    let preimage = Preimage([3; 32]);
    // Node 0 has no host of its own: its invoice names itself, the route needs a hint to it.
    let command = Command::Keysend {
        destination: net.id(0),
        via: None,
        amount_msat: 1_000_000,
        max_fee_msat: None,
        preimage,
        answer: AnswerAt::Start,
    };
    // Without a hint and without a public graph the way is not known.
    let reply = net.command(2, command).unwrap();
    assert!(matches!(reply, Reply::Payment(_)));
    let payment = net.payment(2, preimage.hash());
    assert_eq!(payment.failure.unwrap().0, "no_route");
}

#[test]
fn who_awaits_a_payment_is_answered_when_it_ends() {
    let mut net = Net::host_and_clients(2);
    let invoice = net.invoice(2, Some(50_000_000));
    let pay = net.pay_command(invoice.kind.bolt11().unwrap(), None);
    net.issue(1, pay);
    let payment_hash = invoice.payment_hash;
    let waiting = net.issue(1, Command::AwaitPayment { payment_hash });
    net.settle();
    let Ok(Reply::Payment(row)) = net.reply(1, waiting) else { panic!() };
    assert!(is_complete(&row));
    // And at once, when it has ended already.
    let Ok(Reply::Payment(row)) = net.command(1, Command::AwaitPayment { payment_hash }) else {
        panic!()
    };
    assert!(is_complete(&row));
}

#[test]
fn no_channel_is_opened_before_the_height_is_known() {
    let mut net = Net::new(vec![config(); 2]);
    net.forget_the_chain(1);
    let host = net.id(0);
    let invoke = Command::InvokeChannel {
        host,
        addresses: Vec::new(),
        identity: steward_engine::row::LocalIdentity::PerHost,
        secret: Vec::new(),
    };
    assert_eq!(net.command(1, invoke).unwrap_err().code.name(), "chain_unknown");
}
