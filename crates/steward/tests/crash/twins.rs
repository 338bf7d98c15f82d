//! Two nodes where there should be one: processes that want one directory, or a copy of a
//! directory, seed and all, started beside the original. Both then sign with one key, and the one
//! that comes later finds the other's states ahead of its own.

use std::fs;
use std::path::PathBuf;
use std::sync::Barrier;
use std::thread;

use steward::cluster::NodeProcess;
use steward_api::model::{InvoiceState, Payment, PaymentState, Phase};

use crate::lost_host::{
    assert_evidence, assert_suspended, await_phase, by_client,
    settle_what_was_failed_after_its_fulfill,
};
use crate::support::load::{self, Attempt, Load, assert_pays};
use crate::support::network::{ALICE, BOB, HOST, Network, Who, turn};
use crate::support::oracle::{self, assert_preimage, snapshot};
use crate::support::program::{refused_start, steward};
use crate::support::{PATIENCE, binary};

/// The number of times the channel goes from one twin to the other.
const TURNS: usize = 4;
/// The number of times one of them takes the channel under load.
const CONTENTIONS: usize = 12;
/// The number of processes that want the same directory at the same moment.
const RACERS: usize = 4;
/// The codes of the log that twins in one channel cause.
const ERRORS_OF_TWINS: [&str; 4] =
    ["data_lost", "htlc_outcome_unknown", "evidence_kept", "channel_suspended"];
/// The files of a data directory that are about one process.
const OF_A_PROCESS: [&str; 4] = ["lock", "log", "api-address", "listen-addresses"];

#[test]
fn of_daemons_started_at_once_in_one_directory_one_runs() {
    let dir = tempfile::tempdir().unwrap();
    steward(dir.path(), &["--set", "network=regtest", "init"]).success();
    let barrier = Barrier::new(RACERS);
    let started: Vec<_> = thread::scope(|scope| {
        let start = || {
            barrier.wait();
            NodeProcess::start(binary(), dir.path(), &[])
        };
        let racers: Vec<_> = (0..RACERS).map(|_| scope.spawn(start)).collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    });
    assert_eq!(started.iter().flatten().count(), 1);
    refused_start(dir.path(), &["network=regtest"]).failure("data_dir_locked");
    steward(dir.path(), &["status"]).success();
}

#[test]
fn a_client_and_its_twin_taking_turns_take_each_others_states_and_lose_nothing() {
    let _turn = turn();
    let (network, twin) = with_twin_of_alice();
    let mut awake = ALICE;
    network.signal(twin, "STOP");
    for _ in 0..TURNS {
        let next = if awake == ALICE { twin } else { ALICE };
        network.signal(awake, "STOP");
        network.signal(next, "CONT");
        // The twin that connects last has the channel.
        network.connect(next);
        oracle::await_settled(&network, &[next, BOB]);
        oracle::assert_balances_of_the_hosts_books(&network, &[next, BOB]);
        assert_pays(&network, next, BOB);
        assert_pays(&network, BOB, next);
        oracle::await_settled(&network, &[next, BOB]);
        awake = next;
    }
    oracle::assert_balances_of_the_hosts_books(&network, &[awake, BOB]);
    network.signal(if awake == ALICE { twin } else { ALICE }, "CONT");
    for who in [ALICE, twin] {
        assert_complete_is_true(&network, who);
    }
    oracle::assert_only_errors_logged(&network, &["data_lost"]);
}

#[test]
fn a_client_and_its_twin_that_pay_at_once_lose_nothing() {
    let _turn = turn();
    let (mut network, twin) = with_twin_of_alice();
    let flows = [(ALICE, BOB), (twin, BOB), (BOB, ALICE)];
    let load = Load::start_until_suspended(&network.apis, &flows, network.rng.next());
    for _ in 0..CONTENTIONS {
        let next = if network.rng.is_heads() { ALICE } else { twin };
        network.connect(next);
        network.let_pass();
    }
    let attempts = load.stop();
    assert!(attempts.iter().any(Attempt::is_complete));
    for who in [ALICE, twin] {
        assert_complete_is_true(&network, who);
    }
    network.kill(&[twin]);
    network.connect(ALICE);
    settle_what_was_failed_after_its_fulfill(&network, ALICE);
    oracle::await_settled(&network, &[ALICE, BOB]);
    oracle::assert_balances_of_the_hosts_books(&network, &[ALICE, BOB]);
    oracle::assert_only_errors_logged(&network, &ERRORS_OF_TWINS);
}

#[test]
fn a_host_whose_twin_moved_a_channel_on_suspends_it_and_serves_the_others() {
    let _turn = turn();
    let mut network = Network::start(3);
    let carol = Who::Client(2);
    let place = copy_of_directory(&network, HOST);
    let as_host = ["host.enabled=true", "listen.addresses=127.0.0.1:0"];
    let mut twin = NodeProcess::start(binary(), &place, &as_host).unwrap();
    network.signal(HOST, "STOP");
    network.kill(&[ALICE]);
    network.try_restart(ALICE).unwrap();
    network.connect_to(ALICE, &twin.address());
    await_phase(network.node(ALICE), twin.node_id(), Phase::Active);
    let invoice = twin.create_invoice(1_000_000).unwrap();
    let payment = load::pay(network.node(ALICE).client(), &invoice, PATIENCE).unwrap();
    assert_eq!(payment.status, PaymentState::Complete, "{payment:?}");
    let proof = by_client(&network, ALICE);

    network.signal(HOST, "CONT");
    twin.kill();
    network.connect(ALICE);
    assert_suspended(&network, &[ALICE]);
    assert_evidence(&network, ALICE);
    assert_eq!(snapshot(&by_client(&network, ALICE)), snapshot(&proof));
    assert_pays(&network, BOB, carol);
    assert_pays(&network, carol, BOB);
}

fn with_twin_of_alice() -> (Network, Who) {
    let mut network = Network::start(2);
    let place = copy_of_directory(&network, ALICE);
    let twin = network.adopt_client(NodeProcess::start(binary(), &place, &[]).unwrap());
    (network, twin)
}

/// Copies everything a node needs, while the original runs, at rest.
fn copy_of_directory(network: &Network, who: Who) -> PathBuf {
    let place = network.new_dir("twin");
    fs::create_dir(&place).unwrap();
    for entry in fs::read_dir(network.node(who).data_dir()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !OF_A_PROCESS.contains(&name.as_str()) {
            let from = network.node(who).data_dir().join(&name);
            fs::copy(from, place.join(&name)).unwrap();
        }
    }
    place
}

/// Checks that what this node calls complete was paid, and that it holds the proof.
pub(crate) fn assert_complete_is_true(network: &Network, payer: Who) {
    let payments = oracle::payments(network.node(payer).client());
    let is_complete = |payment: &&Payment| payment.status == PaymentState::Complete;
    for payment in payments.iter().filter(is_complete) {
        assert_preimage(&payment.payment_hash, payment.preimage.as_deref());
        let invoice = network.node(BOB).invoice(&payment.payment_hash).unwrap();
        assert_eq!(invoice.status, InvoiceState::Complete, "{payment:?}");
    }
}
