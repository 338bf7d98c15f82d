//! A client that goes on from an old copy of its database. Its host's state carries its own
//! signature, so it takes that one, never the old; what it paid stays paid.

use std::time::{Duration, Instant};

use serde_json::Value;
use steward_api::model::{Invoice, InvoiceState, Payment, PaymentState};

use crate::copies::DatabaseCopy;
use crate::lost_host::settle_what_was_failed_after_its_fulfill;
use crate::support::load::{self, Attempt, Load, assert_pays};
use crate::support::network::{ALICE, BOB, HOST, Network, Who, turn};
use crate::support::oracle::{self, snapshot};
use crate::support::program::steward;
use crate::support::{PATIENCE, POLL_INTERVAL};
use crate::twins::assert_complete_is_true;

const BOTH_WAYS: [(Who, Who); 2] = [(ALICE, BOB), (BOB, ALICE)];
/// Copies made under load, besides one from before it.
const COPIES: usize = 4;

const PAYMENT_MSAT: u64 = 10_000_000;

#[test]
fn a_client_revived_from_copies_made_under_load_takes_its_hosts_state_each_time() {
    let _turn = turn();
    let (mut network, copies, _) = copied_under_load();
    let mut revivals = 0;
    for copy in copies {
        if !copy.revive(&mut network, ALICE) {
            continue;
        }
        revivals += 1;
        assert_goes_on_from_the_hosts_state(&network);
    }
    assert!(revivals > 0);
}

#[test]
fn a_client_revived_from_copies_made_under_load_calls_no_payment_failed_that_was_made() {
    let _turn = turn();
    let (mut network, copies, attempts) = copied_under_load();
    for copy in copies {
        if copy.revive(&mut network, ALICE) {
            oracle::await_settled(&network, &[ALICE, BOB]);
            let hashes = paid_by_alice(&network, &attempts);
            hashes.iter().for_each(|invoice| assert_not_called_failed(&network, invoice));
        }
    }
}

#[test]
fn a_payment_in_flight_in_the_copy_that_succeeded_afterwards_is_not_called_failed() {
    let _turn = turn();
    let mut network = Network::start(2);
    let invoice = network.node(BOB).create_invoice(PAYMENT_MSAT).unwrap();
    network.signal(BOB, "STOP");
    start_paying(&network, &invoice);
    await_htlc_of_alice(&network);
    let copy = DatabaseCopy::take(&mut network, ALICE);
    network.signal(BOB, "CONT");
    assert_ends_complete(&network, &invoice);
    // Before both have signed it the host would show the preimage again.
    oracle::await_settled(&network, &[ALICE, BOB]);

    assert!(copy.revive(&mut network, ALICE));
    assert_goes_on_from_the_hosts_state(&network);
    assert_not_called_failed(&network, &invoice);
    assert_is_put_right_by_its_preimage(&network, &invoice);
}

#[test]
fn payments_not_yet_signed_in_the_copy_that_succeeded_afterwards_are_not_called_failed() {
    let _turn = turn();
    let mut network = Network::start(2);
    let make = || network.node(BOB).create_invoice(PAYMENT_MSAT).unwrap();
    // The first has its number and was sent; the second waits for the host's answer to the first.
    let invoices = [make(), make()];
    network.signal(HOST, "STOP");
    invoices.iter().for_each(|invoice| start_paying(&network, invoice));
    let copy = DatabaseCopy::take(&mut network, ALICE);
    network.signal(HOST, "CONT");
    invoices.iter().for_each(|invoice| assert_ends_complete(&network, invoice));

    assert!(copy.revive(&mut network, ALICE));
    assert_goes_on_from_the_hosts_state(&network);
    invoices.iter().for_each(|invoice| assert_not_called_failed(&network, invoice));
}

#[test]
fn a_payment_the_copy_does_not_know_is_not_paid_a_second_time() {
    let _turn = turn();
    let mut network = Network::start(2);
    let copy = DatabaseCopy::take(&mut network, ALICE);
    let invoice = assert_pays(&network, ALICE, BOB);
    oracle::await_settled(&network, &[ALICE, BOB]);
    let balance_msat = |network: &Network| {
        oracle::balance_msat(network.node(ALICE).client(), network.cluster.host.node_id())
    };
    let paid_once_msat = balance_msat(&network);

    assert!(copy.revive(&mut network, ALICE));
    oracle::await_settled(&network, &[ALICE, BOB]);
    // The caller was never answered, or lost the answer with the disk.
    load::pay(network.node(ALICE).client(), &invoice, PATIENCE).unwrap();
    oracle::await_settled(&network, &[ALICE, BOB]);
    assert_eq!(balance_msat(&network), paid_once_msat);
}

#[test]
fn a_client_revived_from_a_copy_in_the_midst_of_its_payments_loses_nothing() {
    let _turn = turn();
    let mut network = Network::start(2);
    let load = Load::start_until_suspended(&network.apis, &BOTH_WAYS, network.rng.next());
    network.let_pass();
    let copy = DatabaseCopy::take(&mut network, ALICE);
    network.let_pass();
    assert!(copy.revive(&mut network, ALICE));
    network.let_pass();
    load.stop();
    settle_what_was_failed_after_its_fulfill(&network, ALICE);
    oracle::await_settled(&network, &[ALICE, BOB]);
    oracle::assert_balances_of_the_hosts_books(&network, &[ALICE, BOB]);
    assert_complete_is_true(&network, ALICE);
}

/// Copies of the client's database, made before and while it paid and was paid; afterwards it went
/// on, and nothing is under way any more.
fn copied_under_load() -> (Network, Vec<DatabaseCopy>, Vec<Attempt>) {
    let mut network = Network::start(2);
    let mut copies = vec![DatabaseCopy::take(&mut network, ALICE)];
    let load = Load::start(&network.apis, &BOTH_WAYS, network.rng.next());
    for _ in 0..COPIES {
        network.let_pass();
        copies.push(DatabaseCopy::take(&mut network, ALICE));
    }
    network.let_pass();
    let attempts = load.stop();
    for (payer, payee) in BOTH_WAYS {
        assert_pays(&network, payer, payee);
    }
    oracle::assert_consistent(&network, &attempts);
    (network, copies, attempts)
}

/// Checks that the old state is gone, the host has lost nothing, and money moves both ways.
#[track_caller]
fn assert_goes_on_from_the_hosts_state(network: &Network) {
    let everybody = [ALICE, BOB];
    oracle::await_settled(network, &everybody);
    oracle::assert_balances_of_the_hosts_books(network, &everybody);
    for (payer, payee) in BOTH_WAYS {
        assert_pays(network, payer, payee);
    }
    oracle::await_settled(network, &everybody);
    oracle::assert_balances_of_the_hosts_books(network, &everybody);
}

/// Returns what Alice paid, by the payee's books.
fn paid_by_alice(network: &Network, attempts: &[Attempt]) -> Vec<Invoice> {
    let by_alice = attempts.iter().filter(|attempt| attempt.payer == ALICE);
    let invoices = by_alice.map(|attempt| attempt.invoice.clone());
    let is_paid = |invoice: &Invoice| {
        let now = network.node(BOB).invoice(&invoice.payment_hash).unwrap();
        now.status == InvoiceState::Complete
    };
    invoices.filter(is_paid).collect()
}

/// Checks that it is not called failed: the money left, and a payer that reads `failed` pays again.
#[track_caller]
fn assert_not_called_failed(network: &Network, invoice: &Invoice) {
    let payments = oracle::payments(network.node(ALICE).client());
    let payment = payments.iter().find(|payment| payment.payment_hash == invoice.payment_hash);
    let is_failed = |payment: &&Payment| payment.status == PaymentState::Failed;
    assert_eq!(payment.filter(is_failed), None);
}

/// Checks that its payer is told `unknown` at once, and later what the payee shows.
fn assert_is_put_right_by_its_preimage(network: &Network, invoice: &Invoice) {
    let dir = network.node(ALICE).data_dir();
    let pay = ["pay", invoice.bolt11.as_deref().unwrap()];
    let asked = steward(dir, &pay);
    assert_eq!(asked.code, Some(1), "{asked:?}");
    assert_eq!(asked.json()["status"], "unknown");
    assert_eq!(asked.json()["failure"]["code"], "outcome_unknown");
    let begun = Instant::now();
    network.node(ALICE).payment(&invoice.payment_hash, PATIENCE).unwrap();
    assert!(begun.elapsed() < PATIENCE, "nothing to wait for");
    let paid = network.node(BOB).invoice(&invoice.payment_hash).unwrap();
    steward(dir, &["preimage", paid.preimage.as_deref().unwrap()]).success();
    assert_ends_complete(network, invoice);
    let paid = steward(dir, &pay).success();
    assert_eq!(paid["failure"], Value::Null);
}

/// Waits until its part is with the channel.
fn start_paying(network: &Network, invoice: &Invoice) {
    load::pay(network.node(ALICE).client(), invoice, Duration::ZERO).unwrap();
    await_true("no part", || {
        let payment = network.node(ALICE).payment(&invoice.payment_hash, Duration::ZERO);
        !payment.unwrap().parts.is_empty()
    });
}

/// Returns the balance in the state both sides hold with both signatures.
pub(crate) fn await_htlc_of_alice(network: &Network) {
    await_true("no HTLC both have signed", || {
        let (by_host, by_client) = oracle::both_sides(network, network.node(ALICE));
        let (at_host, at_client) = (snapshot(&by_host).state, snapshot(&by_client).state);
        at_client.outgoing_htlcs.len() == 1 && at_host == at_client.reverse()
    });
}

#[track_caller]
fn assert_ends_complete(network: &Network, invoice: &Invoice) {
    let payment = network.node(ALICE).payment(&invoice.payment_hash, PATIENCE).unwrap().payment;
    assert_eq!(payment.status, PaymentState::Complete, "{payment:?}");
}

#[track_caller]
fn await_true(otherwise: &str, mut is_true: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_true() {
        assert!(Instant::now() < deadline, "{otherwise}");
        std::thread::sleep(POLL_INTERVAL);
    }
}
