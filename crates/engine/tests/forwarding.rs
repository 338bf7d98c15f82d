//! What a host forwards, what it refuses, and what happens to an HTLC whose other half is gone.

use steward_engine::AnswerAt;
use steward_engine::Reply;
use steward_engine::command::Command;
use steward_engine::io::Input;
use steward_engine::row::PaymentStatus;
use steward_testkit::{INITIAL_MSAT, Net, START_HEIGHT, config};

/// The code a payer sees when the host refuses.
fn refusal(net: &mut Net, spoil: impl FnOnce(&mut Net)) -> String {
    let invoice = net.invoice(2, Some(10_000_000));
    spoil(net);
    let payment = net.pay(1, invoice.kind.bolt11().unwrap()).unwrap();
    assert_eq!(payment.status, PaymentStatus::Failed);
    assert_eq!(net.agreed_balance_msat(1, 0), INITIAL_MSAT, "nothing is lost");
    payment.failure.unwrap().0
}

#[test]
fn a_stale_tip_stops_forwards() {
    let mut net = Net::host_and_clients(2);
    let code = refusal(&mut net, |net| {
        net.input(0, Input::Chain { height: START_HEIGHT, stale: true, asked_ms: None });
    });
    assert_eq!(code, "temporary_node_failure");
}

#[test]
fn a_fee_below_the_policy_is_refused() {
    let mut net = Net::host_and_clients(2);
    // The host raises its fee; the payee's invoice still names the old one.
    let code = refusal(&mut net, |net| {
        net.nodes[0].config.policy.fee_base_msat = 2_000;
        net.crash(0);
        net.start(0);
        net.connect(1, 0);
        net.settle();
        net.connect(2, 0);
        net.settle();
    });
    assert_eq!(code, "fee_insufficient");
}

#[test]
fn an_expiry_distance_below_the_policy_is_refused() {
    let mut net = Net::host_and_clients(2);
    let code = refusal(&mut net, |net| {
        net.nodes[0].config.policy.cltv_expiry_delta_blocks = 300;
        net.crash(0);
        net.start(0);
        net.connect(1, 0);
        net.settle();
        net.connect(2, 0);
        net.settle();
    });
    assert_eq!(code, "incorrect_cltv_expiry");
}

#[test]
fn a_host_without_the_outgoing_channel_says_unknown_next_peer() {
    let mut net = Net::new(vec![config(); 4]);
    net.open(1, 0);
    net.open(3, 2);
    // A keysend through our host to another host's client.
    let keysend = Command::Keysend {
        destination: net.client_id(3, 2),
        via: Some(net.id(0)),
        amount_msat: 1_000_000,
        max_fee_msat: None,
        preimage: steward_wire::Preimage([5; 32]),
        answer: AnswerAt::Start,
    };
    let Ok(Reply::Payment(row)) = net.command(1, keysend) else { panic!() };
    let payment = net.payment(1, row.payment_hash);
    assert_eq!(payment.failure.unwrap().0, "unknown_next_peer");
}

#[test]
fn an_htlc_held_by_a_silent_payee_is_failed_back_after_it_expired() {
    let (mut net, invoice) = Net::with_stuck_payment();
    assert_eq!(net.payment(1, invoice.payment_hash).status, PaymentStatus::Pending);
    // Past the expiry towards the payee, not yet past the payer's.
    net.mine(200);
    let payment = net.payment(1, invoice.payment_hash);
    assert_eq!(payment.status, PaymentStatus::Failed, "{payment:?}");
    assert_eq!(net.agreed_balance_msat(1, 0), INITIAL_MSAT);
    let to_payee = net.channel(0, 2);
    assert_eq!(to_payee.phase, steward_hosted::Phase::Suspended);
}

#[test]
fn just_after_a_start_a_forward_waits_for_its_next_peer_to_come_back() {
    let mut net = Net::host_and_clients(2);
    let invoice = net.invoice(2, Some(10_000_000));
    net.crash(0);
    net.start(0);
    net.connect(1, 0);
    net.settle();
    assert_eq!(net.pay(1, invoice.kind.bolt11().unwrap()).unwrap().status, PaymentStatus::Pending);
    net.connect(2, 0);
    net.settle();
    assert_eq!(net.payment(1, invoice.payment_hash).status, PaymentStatus::Complete);
}

#[test]
fn a_next_peer_that_does_not_come_back_is_not_waited_for_long() {
    let mut net = Net::host_and_clients(2);
    let invoice = net.invoice(2, Some(10_000_000));
    net.crash(0);
    net.start(0);
    net.connect(1, 0);
    net.settle();
    net.pay(1, invoice.kind.bolt11().unwrap()).unwrap();
    net.tick(31_000);
    let payment = net.payment(1, invoice.payment_hash);
    assert_eq!(payment.failure.unwrap().0, "temporary_channel_failure");
    assert_eq!(net.agreed_balance_msat(1, 0), INITIAL_MSAT);
}
