//! Nodes of an earlier version are upgraded one after another while payments flow, each time after all of them were
//! killed with HTLCs in flight. Afterwards the books of all of them agree.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use steward_api::model::Invoice;

use crate::before::with_each;
use crate::support::load::{self, Load, assert_pays};
use crate::support::network::{ALICE, BOB, HOST, Network, Who, turn};
use crate::support::{PATIENCE, POLL_INTERVAL, binary, oracle, program};

const PAYMENT_MSAT: u64 = 5_000_000;
const FLOWS: [(Who, Who); 2] = [(ALICE, BOB), (BOB, ALICE)];

#[test]
fn a_host_upgraded_before_its_clients_loses_nothing() {
    upgrade("a_host_upgraded_before_its_clients_loses_nothing", &[&[HOST], &[ALICE], &[BOB]]);
}

#[test]
fn clients_upgraded_before_their_host_lose_nothing() {
    upgrade("clients_upgraded_before_their_host_lose_nothing", &[&[ALICE, BOB], &[HOST]]);
}

/// Upgrades the groups in this order.
fn upgrade(test: &str, order: &[&[Who]]) {
    with_each(test, |before| {
        let _turn = turn();
        let mut network = Network::start_as(before, 2);
        let load = Load::start(&network.apis, &FLOWS, network.rng.next());
        for group in order {
            leave_htlcs_in_flight(&network);
            network.kill(&[ALICE, BOB, HOST]);
            network.upgrade(group, binary());
            network.let_pass();
        }
        oracle::assert_consistent(&network, &load.stop());
        assert_refused_by(before, &mut network);
        assert_pays(&network, ALICE, BOB);
        assert_pays(&network, BOB, ALICE);
    });
}

/// The version before does not start on the upgraded database and leaves it as it is. The copy made before the
/// migration is there for it.
fn assert_refused_by(before: &Path, network: &mut Network) {
    network.kill(&[ALICE]);
    let data_dir = network.node(ALICE).data_dir();
    let mut start = program::command(before);
    start.arg("--json").arg("--data-dir").arg(data_dir).args(["start", "--until-stdin-closes"]);
    let refused = start.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stdout);
    assert!(!refused.status.success() && said.contains("database_too_new"), "{said}");
    let mut files = fs::read_dir(data_dir).unwrap().map(|file| file.unwrap().file_name());
    let is_copy = |name: OsString| name.to_string_lossy().starts_with("steward.db.schema-");
    assert!(files.any(is_copy), "no copy was made before the migration");
    network.restart(&[ALICE]);
    network.connect(ALICE);
}

/// Leaves an HTLC of each client in the state that it and the host have signed: the other client is stopped and
/// cannot take it.
fn leave_htlcs_in_flight(network: &Network) {
    let for_bob = network.node(BOB).create_invoice(PAYMENT_MSAT).unwrap();
    let for_alice = network.node(ALICE).create_invoice(PAYMENT_MSAT).unwrap();
    network.signal(BOB, "STOP");
    pay_and_await_htlc(network, ALICE, &for_bob);
    network.signal(ALICE, "STOP");
    network.signal(BOB, "CONT");
    pay_and_await_htlc(network, BOB, &for_alice);
}

fn pay_and_await_htlc(network: &Network, who: Who, invoice: &Invoice) {
    load::pay(network.node(who).client(), invoice, Duration::ZERO).unwrap();
    let host_id = network.cluster.host.node_id();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let balances = network.node(who).channel(host_id).unwrap().channel.balances;
        if balances.is_some_and(|balances| balances.outgoing_htlcs > 0) {
            return;
        }
        assert!(Instant::now() < deadline, "no HTLC of {who:?} is in flight");
        std::thread::sleep(POLL_INTERVAL);
    }
}
