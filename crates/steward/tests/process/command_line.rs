//! Answers as JSON, exit codes, and how a daemon ends.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use steward_api::model::PaymentState;
use tempfile::tempdir;

use crate::shared;
use crate::support::network::{ALICE, BOB, HOST};
use crate::support::program::{Daemon, command, mode, refused_start, signal, steward};
use crate::support::{GIFT_SAT, PATIENCE, binary, load};

#[test]
fn every_question_is_answered_in_json() {
    let network = shared();
    let dir = network.node(ALICE).data_dir();
    let host = network.node(HOST).node_id();
    let invoice = network.node(BOB).create_invoice(5_000).unwrap();
    let payment = load::pay(network.node(ALICE).client(), &invoice, PATIENCE).unwrap();
    assert_eq!(payment.status, PaymentState::Complete);
    let own = steward(dir, &["invoice", "create", "1000sat", "-d", "tea"]).success();
    let own_hash = own["payment_hash"].as_str().unwrap();
    let questions: [(&[&str], &str); 12] = [
        (&["status"], "node_id"),
        (&["config"], "keys"),
        (&["channel", "list"], "channels"),
        (&["channel", "show", host], "snapshot"),
        (&["invoice", "list"], "invoices"),
        (&["invoice", "show", own_hash], "bolt11"),
        (&["decode", invoice.bolt11.as_deref().unwrap()], "payee"),
        (&["payments"], "payments"),
        (&["payments", &payment.payment_hash], "parts"),
        (&["forwards"], "totals"),
        (&["peers"], "peers"),
        (&["metrics"], "uptime_ms"),
    ];
    for (question, key) in questions {
        let answer = steward(dir, question).success();
        assert!(answer.get(key).is_some(), "{question:?}: {answer}");
    }
}

#[test]
fn the_doctor_answers_in_json_beside_a_running_node() {
    let network = shared();
    let checkup = steward(network.node(HOST).data_dir(), &["--set", "network=regtest", "doctor"]);
    let checks = checkup.json();
    assert!(checks["checks"].as_array().unwrap().len() > 5, "{checks}");
}

#[test]
fn a_payment_that_fails_says_so_once_and_exits_with_1() {
    let network = shared();
    let too_much = network.node(BOB).create_invoice(2 * GIFT_SAT * 1000).unwrap();
    let bolt11 = too_much.bolt11.as_deref().unwrap();
    let answer = steward(network.node(ALICE).data_dir(), &["pay", bolt11]);
    assert_eq!(answer.code, Some(1), "{answer:?}");
    assert!(answer.json().is_object(), "one document, whether refused or tried in vain");
}

#[test]
fn what_does_not_exist_exits_with_1_and_a_hint() {
    let network = shared();
    let hash = "00".repeat(32);
    let dir = network.node(ALICE).data_dir();
    steward(dir, &["invoice", "show", &hash]).failure("unknown_invoice");
    steward(dir, &["payments", &hash]).failure("unknown_payment");
}

#[test]
fn a_command_without_a_daemon_exits_with_1_and_says_how_to_start_one() {
    let dir = tempdir().unwrap();
    let said = steward(dir.path(), &["status"]).failure("daemon_not_running");
    assert!(said["hint"].as_str().unwrap().contains("steward start"), "{said}");
}

#[test]
fn a_command_line_that_makes_no_sense_exits_with_2() {
    let dir = tempdir().unwrap();
    for arguments in [&["fly"][..], &["invoice", "1000"], &["pay"], &["status", "--loud"]] {
        let answer = steward(dir.path(), arguments);
        assert_eq!(answer.code, Some(2), "{arguments:?}: {answer:?}");
        assert_eq!(answer.json()["code"], "usage", "{answer:?}");
    }
}

#[test]
fn help_and_version_exit_with_0() {
    let dir = tempdir().unwrap();
    for arguments in [&["--help"][..], &["--version"], &["help", "pay"]] {
        assert_eq!(steward(dir.path(), arguments).code, Some(0), "{arguments:?}");
    }
}

#[test]
fn the_version_is_json_for_a_program_and_help_is_text() {
    let dir = tempdir().unwrap();
    for arguments in [&["--version"][..], &["-V"], &["pay", "--version"]] {
        let version = steward(dir.path(), arguments).success();
        assert_eq!(version["version"], env!("CARGO_PKG_VERSION"), "{arguments:?}");
    }
    let help = steward(dir.path(), &["--help"]);
    assert_eq!(help.code, Some(0));
    assert!(help.stdout.contains("Usage:") && help.stdout.contains("help stays text"), "{help:?}");
}

#[test]
fn before_init_the_doctor_says_what_to_run_and_exits_with_1() {
    let dir = tempdir().unwrap();
    for data_dir in [dir.path().to_owned(), dir.path().join("new")] {
        let said = steward(&data_dir, &["doctor"]);
        assert_eq!(said.code, Some(1), "{said:?}");
        let checks = said.json();
        let seed =
            checks["checks"].as_array().unwrap().iter().find(|check| check["name"] == "seed");
        let seed = seed.unwrap();
        assert_eq!(seed["status"], "fail", "{seed}");
        assert!(seed["hint"].as_str().unwrap().contains("`steward init`"), "{seed}");
    }
    assert!(!dir.path().join("new").exists());
}

#[test]
fn signals_to_stop_end_the_daemon_in_order_and_it_starts_again_at_once() {
    let dir = tempdir().unwrap();
    for signal in ["TERM", "INT"] {
        let daemon = Daemon::start(dir.path(), &["network=regtest"]);
        daemon.status();
        daemon.signal(signal);
        let end = daemon.wait();
        assert_eq!((end.code, end.stdout.as_str()), (Some(0), ""), "{signal}");
        assert!(!dir.path().join(steward::client::ADDRESS_FILE).exists());
        let log = std::fs::metadata(dir.path().join("steward.db-wal"));
        assert!(log.map_or(0, |log| log.len()) == 0, "the log was not moved into the database");
    }
    let started = Instant::now();
    let daemon = Daemon::start(dir.path(), &["network=regtest"]);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    daemon.status();
}

#[test]
fn a_playground_without_a_terminal_runs_until_it_is_told_to_stop() {
    let mut playground = command(binary());
    playground.args(["--json", "playground", "--clients", "1"]).stdin(Stdio::null());
    let mut child = playground.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let described: Value = serde_json::Deserializer::from_reader(child.stdout.take().unwrap())
        .into_iter()
        .next()
        .unwrap()
        .unwrap();
    let host = Path::new(described["host_data_dir"].as_str().unwrap());
    steward(host, &["status"]).success();
    assert_eq!(child.try_wait().unwrap(), None);
    signal(child.id(), "HUP");
    steward(host, &["status"]).success();
    signal(child.id(), "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(!host.exists(), "nothing is left behind");
}

#[test]
fn stop_ends_the_daemon_and_waits_for_that() {
    let dir = tempdir().unwrap();
    let daemon = Daemon::start(dir.path(), &["network=regtest"]);
    assert_eq!(steward(dir.path(), &["stop"]).success()["stopped"], true);
    assert_eq!(daemon.wait().code, Some(0));
}

#[test]
fn mainnet_without_a_chain_source_is_refused_before_anything_is_made() {
    let dir = tempdir().unwrap();
    let data_dir = dir.path().join("new");
    let said = refused_start(&data_dir, &["network=mainnet"]).failure("config_invalid");
    assert!(said["message"].as_str().unwrap().contains("chain"), "{said}");
    assert!(said["hint"].as_str().unwrap().contains("chain"), "{said}");
    assert!(!data_dir.join("seed").exists() && !data_dir.join("steward.db").exists());
}

#[test]
fn an_address_in_use_is_refused_with_its_key() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let dir = tempdir().unwrap();
    steward(dir.path(), &["init", "--network", "regtest"]).success();
    let api = format!("api.address={address}");
    refused_start(dir.path(), &["network=regtest", &api]).failure("api_listen_failed");
    let listen = format!("listen.addresses={address}");
    let said: Value =
        refused_start(dir.path(), &["network=regtest", "host.enabled=true", &listen]).json();
    assert!(said["message"].as_str().unwrap().contains(&address.to_string()), "{said}");
}

#[test]
fn secrets_are_files_that_only_their_owner_can_read() {
    let network = shared();
    let dir = network.node(ALICE).data_dir();
    assert_eq!(mode(dir), 0o700);
    for secret in ["seed", "steward.db", "api-token"] {
        assert_eq!(mode(&dir.join(secret)), 0o600, "{secret}");
    }
}
