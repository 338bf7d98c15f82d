//! Real processes on loopback, killed with SIGKILL at random moments under load. Whatever is hit,
//! afterwards every payment has ended, both sides of every channel hold the same signed state, and
//! all books agree (`support/oracle.rs`).

mod support;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use steward_api::model::{Invoice, PaymentState, Phase};
use support::load::{self, Attempt, Load, insist};
use support::network::{ALICE, BOB, HOST, Network, Who, turn};
use support::{PATIENCE, oracle};

/// The pairs of payer and payee for payments in one direction only.
const ALICE_PAYS_BOB: [(Who, Who); 1] = [(ALICE, BOB)];
/// The pairs of payer and payee for payments in both directions.
const BOTH_WAYS: [(Who, Who); 2] = [(ALICE, BOB), (BOB, ALICE)];

/// The number of kills of a node that is killed again and again.
const AGAIN_AND_AGAIN: u32 = 3;
/// The life of a node that is killed while it starts: some starts take longer, some do not.
const SHORTEST_LIVES: Duration = Duration::from_millis(60);
/// The time that an opening takes, about.
const OPENING: Duration = Duration::from_millis(40);

#[test]
fn a_host_killed_under_load_loses_nothing() {
    let _turn = turn();
    Network::start(2).survives(&BOTH_WAYS, &[HOST], 1);
}

#[test]
fn a_host_killed_again_and_again_loses_nothing() {
    let _turn = turn();
    Network::start(2).survives(&BOTH_WAYS, &[HOST], AGAIN_AND_AGAIN);
}

#[test]
fn a_host_killed_between_payments_in_one_direction_loses_nothing() {
    let _turn = turn();
    Network::start(2).survives(&ALICE_PAYS_BOB, &[HOST], 2);
}

#[test]
fn a_payer_killed_under_load_loses_nothing() {
    let _turn = turn();
    Network::start(2).survives(&ALICE_PAYS_BOB, &[ALICE], 1);
}

#[test]
fn a_payer_killed_again_and_again_loses_nothing() {
    let _turn = turn();
    Network::start(2).survives(&ALICE_PAYS_BOB, &[ALICE], AGAIN_AND_AGAIN);
}

#[test]
fn a_payee_killed_under_load_loses_nothing() {
    let _turn = turn();
    Network::start(2).survives(&ALICE_PAYS_BOB, &[BOB], 1);
}

#[test]
fn a_payee_killed_again_and_again_loses_nothing() {
    let _turn = turn();
    Network::start(2).survives(&ALICE_PAYS_BOB, &[BOB], AGAIN_AND_AGAIN);
}

#[test]
fn host_and_payer_killed_together_lose_nothing() {
    let _turn = turn();
    Network::start(2).survives(&ALICE_PAYS_BOB, &[HOST, ALICE], 2);
}

#[test]
fn host_and_payee_killed_together_lose_nothing() {
    let _turn = turn();
    Network::start(2).survives(&ALICE_PAYS_BOB, &[HOST, BOB], 2);
}

#[test]
fn a_power_cut_for_all_nodes_loses_nothing() {
    let _turn = turn();
    Network::start(2).survives(&BOTH_WAYS, &[BOB, HOST, ALICE], 2);
}

#[test]
fn nodes_killed_one_after_the_other_while_the_last_still_starts_lose_nothing() {
    let _turn = turn();
    let mut network = Network::start(2);
    let load = Load::start(&network.apis, &BOTH_WAYS, network.rng.next());
    network.let_pass();
    network.kill(&[ALICE]);
    network.let_pass();
    network.kill(&[HOST]);
    network.restart(&[ALICE]);
    network.let_pass();
    network.kill(&[BOB]);
    network.restart(&[HOST, BOB]);
    network.let_pass();
    oracle::assert_consistent(&network, &load.stop());
}

#[test]
fn a_host_killed_while_it_starts_loses_nothing() {
    let _turn = turn();
    killed_while_it_starts(HOST);
}

#[test]
fn a_client_killed_while_it_starts_loses_nothing() {
    let _turn = turn();
    killed_while_it_starts(BOB);
}

#[test]
fn payments_accepted_right_before_the_host_is_killed_all_end() {
    let _turn = turn();
    accepted_right_before_a_kill_of(HOST);
}

#[test]
fn payments_accepted_right_before_the_payer_is_killed_are_not_forgotten() {
    let _turn = turn();
    accepted_right_before_a_kill_of(ALICE);
}

#[test]
fn channels_open_although_the_host_is_killed_meanwhile() {
    let _turn = turn();
    killed_while_opening(|_| HOST);
}

#[test]
fn channels_open_although_the_client_is_killed_meanwhile() {
    let _turn = turn();
    killed_while_opening(|newcomer| newcomer);
}

#[test]
fn every_invoice_that_was_given_out_can_be_paid_after_its_maker_was_killed() {
    let _turn = turn();
    let mut network = Network::start(2);
    let makers: Vec<_> = (0..2)
        .map(|_| {
            let apis = Arc::clone(&network.apis);
            thread::spawn(move || -> Vec<Invoice> {
                let make = || insist(&apis, BOB, |api| load::create_invoice(api, 10_000)).unwrap();
                (0..20).map(|_| make()).collect()
            })
        })
        .collect();
    network.let_pass();
    network.kill(&[BOB]);
    network.restart(&[BOB]);
    let invoices: Vec<Invoice> = makers.into_iter().flat_map(|t| t.join().unwrap()).collect();
    oracle::await_quiet(&network);
    let attempts: Vec<Attempt> =
        invoices.into_iter().map(|invoice| pay_from_alice(&network, invoice, PATIENCE)).collect();
    let is_complete = |attempt: &Attempt| {
        attempt.answer.as_ref().is_ok_and(|payment| payment.status == PaymentState::Complete)
    };
    assert!(attempts.iter().all(is_complete));
    oracle::assert_consistent(&network, &attempts);
}

fn killed_while_it_starts(victim: Who) {
    let mut network = Network::start(2);
    let load = Load::start(&network.apis, &BOTH_WAYS, network.rng.next());
    network.let_pass();
    network.kill(&[victim]);
    for _ in 0..8 {
        let lifetime = network.rng.moment(SHORTEST_LIVES);
        network.node_mut(victim).start_and_kill(lifetime).unwrap();
    }
    network.restart(&[victim]);
    network.let_pass();
    oracle::assert_consistent(&network, &load.stop());
}

/// Nothing passes between the answer `pending` and the kill.
fn accepted_right_before_a_kill_of(victim: Who) {
    let mut network = Network::start(2);
    let mut attempts = Vec::new();
    for round in 1..=4 {
        for _ in 0..round {
            let invoice = network.node(BOB).create_invoice(10_000).unwrap();
            attempts.push(pay_from_alice(&network, invoice, Duration::ZERO));
        }
        network.kill(&[victim]);
        network.restart(&[victim]);
        oracle::await_quiet(&network);
    }
    assert!(attempts.iter().all(|attempt| attempt.answer.is_ok()));
    oracle::assert_consistent(&network, &attempts);
}

fn killed_while_opening(victim: impl Fn(Who) -> Who) {
    let mut network = Network::start(1);
    let mut newcomers = Vec::new();
    for _ in 0..3 {
        let newcomer = network.add_client();
        newcomers.push(newcomer);
        network.invoke_channel(newcomer);
        thread::sleep(network.rng.moment(OPENING));
        let victim = victim(newcomer);
        network.kill(&[victim]);
        network.restart(&[victim]);
        // Asked for once: the daemon goes on by itself.
        oracle::await_quiet(&network);
        let channel = network.node(newcomer).channel(network.cluster.host.node_id()).unwrap();
        assert_eq!(channel.channel.phase, Phase::Active);
    }
    let flows: Vec<(Who, Who)> = newcomers.iter().map(|newcomer| (*newcomer, ALICE)).collect();
    let load = Load::start(&network.apis, &flows, network.rng.next());
    oracle::assert_consistent(&network, &load.stop());
}

fn pay_from_alice(network: &Network, invoice: Invoice, wait: Duration) -> Attempt {
    let answer = load::pay(network.node(ALICE).client(), &invoice, wait);
    Attempt { payer: ALICE, payee: BOB, invoice, answer }
}
