//! Crashes at every boundary, disconnects with messages under way: nothing is lost, nothing is paid
//! twice, every payment ends, both sides agree.

use proptest::prelude::*;
use steward_engine::row::PaymentStatus;
use steward_store::Store;
use steward_testkit::{INITIAL_MSAT, Net, config, is_complete};
use steward_wire::PaymentHash;

/// What may go wrong between two steps.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// The node stops between batches.
    Crash(usize),
    /// The node stops after a commit, before anything of it left.
    CrashAfterCommit(usize),
    /// The node's batch is lost with the node: it never became durable.
    CrashBeforeCommit(usize),
    /// A connection breaks, with what is on it.
    Disconnect(usize),
}

fn reconnect_all(net: &mut Net) {
    for node in 0..3 {
        if net.nodes[node].engine.is_none() {
            net.start(node);
        }
    }
    for client in [1, 2] {
        net.disconnect(client, 0);
        net.connect(client, 0);
    }
}

fn inject(net: &mut Net, fault: Fault) {
    match fault {
        Fault::Crash(node) => net.crash(node),
        Fault::CrashAfterCommit(node) => {
            net.batch(node);
            net.crash(node);
        }
        Fault::CrashBeforeCommit(node) => {
            net.uncommitted_batch(node);
            net.crash(node);
        }
        Fault::Disconnect(client) => net.disconnect(client, 0),
    }
}

/// Runs payments both ways with faults after chosen numbers of steps, heals, and checks the books.
fn survive(payments: &[(usize, u64)], faults: &[(u8, Fault)]) {
    let mut net = Net::host_and_clients(2);
    let mut hashes = Vec::new();
    for &(payer, amount_msat) in payments {
        let payee = 3 - payer;
        let invoice = net.invoice(payee, Some(amount_msat));
        let command = net.pay_command(invoice.kind.bolt11().unwrap(), None);
        net.issue(payer, command);
        hashes.push((payer, payee, amount_msat, invoice.payment_hash));
    }
    for &(steps, fault) in faults {
        for step in 0..steps {
            net.step(usize::from(step) % 3);
        }
        inject(&mut net, fault);
        reconnect_all(&mut net);
    }
    net.settle();
    // Waits of every kind run out, so that nothing may hang without end.
    for _ in 0..4 {
        net.tick(31_000);
        reconnect_all(&mut net);
        net.settle();
    }

    let mut expected = [0, INITIAL_MSAT, INITIAL_MSAT];
    for (payer, payee, amount_msat, hash) in hashes {
        let paid = net.outcome(payer, hash);
        let received = net.was_received(payee, hash);
        assert_ne!(paid, Some(PaymentStatus::Pending), "the payment ended");
        assert_eq!(
            paid == Some(PaymentStatus::Complete),
            received,
            "paid {paid:?}, received {received}"
        );
        if received {
            expected[payer] -= amount_msat + 1_000 + amount_msat / 1_000;
            expected[payee] += amount_msat;
        }
    }
    for client in [1, 2] {
        assert_eq!(net.agreed_balance_msat(client, 0), expected[client], "client {client}");
    }
}

#[test]
fn a_payment_survives_a_crash_of_the_host_at_every_step() {
    for steps in 0..40 {
        for fault in [Fault::Crash(0), Fault::CrashAfterCommit(0), Fault::CrashBeforeCommit(0)] {
            survive(&[(1, 10_000_000)], &[(steps, fault)]);
        }
    }
}

#[test]
fn a_payment_survives_a_crash_of_the_payer_at_every_step() {
    for steps in 0..40 {
        for fault in [Fault::Crash(1), Fault::CrashAfterCommit(1), Fault::CrashBeforeCommit(1)] {
            survive(&[(1, 10_000_000)], &[(steps, fault)]);
        }
    }
}

#[test]
fn a_payment_survives_a_crash_of_the_payee_at_every_step() {
    for steps in 0..40 {
        for fault in [Fault::Crash(2), Fault::CrashAfterCommit(2), Fault::CrashBeforeCommit(2)] {
            survive(&[(1, 10_000_000)], &[(steps, fault)]);
        }
    }
}

#[test]
fn a_payment_survives_a_disconnect_at_every_step() {
    for steps in 0..40 {
        for client in [1, 2] {
            survive(&[(1, 10_000_000)], &[(steps, Fault::Disconnect(client))]);
        }
    }
}

#[test]
fn an_undisturbed_run_of_the_same_script_pays() {
    let mut net = Net::host_and_clients(2);
    let invoice = net.invoice(2, Some(10_000_000));
    let payment = net.pay(1, invoice.kind.bolt11().unwrap()).unwrap();
    assert!(is_complete(&payment));
}

/// How the parts of a payment stand in the payer's store.
fn parts(net: &Net, payer: usize, hash: PaymentHash) -> Vec<PaymentStatus> {
    let history = net.nodes[payer].store.history().unwrap();
    history.payment(&hash).unwrap().unwrap().parts.iter().map(|part| part.status).collect()
}

#[test]
fn a_payer_that_stops_between_two_preimages_takes_the_second_one_later() {
    use PaymentStatus::{Complete, Pending};
    // Nodes 0 and 1 are hosts, 2 pays 3 over both.
    let mut net = Net::new(vec![config(); 4]);
    for (client, host) in [(2, 0), (2, 1), (3, 0), (3, 1)] {
        net.open(client, host);
    }
    let amount_msat = INITIAL_MSAT + 100_000_000;
    let invoice = net.invoice(3, Some(amount_msat));
    let command = net.pay_command(invoice.kind.bolt11().unwrap(), None);
    net.issue(2, command);
    let mut nodes = (0..4).cycle();
    while !(net.nodes_hold_htlc(0) && net.nodes_hold_htlc(1)) {
        net.step(nodes.next().unwrap());
        assert_eq!(net.outcome(2, invoice.payment_hash).unwrap_or(Pending), Pending);
    }
    // Both parts went on. The first preimage comes back, the second finds the payer gone.
    net.disconnect(2, 1);
    net.settle();
    let hash = invoice.payment_hash;
    let payment = net.payment(2, hash);
    assert!(is_complete(&payment));
    let mut statuses = parts(&net, 2, hash);
    statuses.sort_by_key(|status| *status == Pending);
    assert_eq!(statuses, [Complete, Pending]);

    net.crash(2);
    net.start(2);
    net.connect(2, 0);
    net.connect(2, 1);
    net.settle();
    assert_eq!(parts(&net, 2, hash), [Complete; 2]);
    let received = net.agreed_balance_msat(3, 0) + net.agreed_balance_msat(3, 1);
    assert_eq!(received, 2 * INITIAL_MSAT + amount_msat);
    let left = net.agreed_balance_msat(2, 0) + net.agreed_balance_msat(2, 1);
    assert_eq!(left, 2 * INITIAL_MSAT - amount_msat - payment.fee_msat);
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        (0usize..3).prop_map(Fault::Crash),
        (0usize..3).prop_map(Fault::CrashAfterCommit),
        (0usize..3).prop_map(Fault::CrashBeforeCommit),
        (1usize..3).prop_map(Fault::Disconnect),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn payments_both_ways_survive_any_faults(
        payments in prop::collection::vec((1usize..3, 1_000_000u64..20_000_000), 1..12),
        faults in prop::collection::vec((0u8..12, fault()), 0..8),
    ) {
        survive(&payments, &faults);
    }
}

#[test]
fn an_htlc_found_at_start_waits_until_its_peer_confirms_the_state() {
    let mut net = Net::host_and_clients(2);
    let invoice = net.invoice(2, Some(10_000_000));
    // The payee is away: the host holds the HTLC, and stops.
    net.crash(0);
    net.start(0);
    net.connect(1, 0);
    net.settle();
    net.pay(1, invoice.kind.bolt11().unwrap()).unwrap();
    net.crash(0);
    net.start(0);
    net.connect(2, 0);
    net.tick(31_000);
    assert!(!net.was_received(2, invoice.payment_hash), "the payer has not come back");
    net.connect(1, 0);
    net.settle();
    assert!(net.was_received(2, invoice.payment_hash));
}
