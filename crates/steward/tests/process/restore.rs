//! Recovery from words, backups and exported states after a loss.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use steward::cluster::NodeProcess;
use steward_api::model::Phase;
use steward_store::History;
use steward_store::sqlite::SqliteHistory;

use crate::channels::{await_phase, local_id, pay, settled};
use crate::shared;
use crate::support::binary;
use crate::support::network::{ALICE, BOB, HOST, Network, Who};
use crate::support::oracle::snapshot;
use crate::support::program::{mode, refused_start, steward, steward_with_input};

#[test]
fn the_words_of_the_seed_are_shown_only_if_asked_for_twice() {
    let network = shared();
    let dir = network.node(ALICE).data_dir();
    steward(dir, &["seed"]).failure("not_a_terminal");
    let words = words(dir);
    assert_eq!(words.split(' ').count(), 12);
}

#[test]
fn words_that_do_not_fit_together_restore_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let words = "abandon ".repeat(12);
    steward_with_input(dir.path(), &["init", "--restore"], &words).failure("seed_invalid");
    assert!(!dir.path().join("seed").exists());
}

#[test]
fn a_client_restored_from_its_words_gets_channel_and_balance_back() {
    let mut network = Network::start(2);
    pay(&network, ALICE, BOB);
    let alice = network.node(ALICE);
    let before = settled(&network, ALICE);
    let words = words(alice.data_dir());
    let node_id = alice.node_id().to_owned();
    network.kill(&[ALICE]);

    let dir = network.new_dir("restored");
    let restored = ["--set", "network=regtest", "init", "--restore"];
    let made = steward_with_input(&dir, &restored, &words).success();
    assert_eq!(made["node_id"], node_id.as_str());
    assert!(made["words"].is_null(), "words that were typed in are not repeated");
    replace(&mut network, ALICE, &dir, &[]);
    network.node(ALICE).open_channel(&network.cluster.host).unwrap();
    let after = settled(&network, ALICE);
    assert_eq!(snapshot(&after), snapshot(&before));
    assert_eq!(after.signatures_valid, Some(true));
    pay(&network, ALICE, BOB);
    pay(&network, BOB, ALICE);
}

#[test]
fn a_backup_is_private_and_replaces_no_file() {
    let network = shared();
    let file = network.new_dir("a-backup");
    backup(network.node(HOST), &file);
    assert_eq!(mode(&file), 0o600);
    let path = file.to_str().unwrap();
    let bytes = fs::read(&file).unwrap();
    steward(network.node(HOST).data_dir(), &["backup", path]).failure("file_exists");
    assert!(fs::read(&file).unwrap() == bytes);
}

#[test]
fn the_newest_backup_of_a_host_goes_on_where_it_was() {
    let mut network = Network::start(2);
    pay(&network, ALICE, BOB);
    let before = settled(&network, ALICE);
    restore_backup(&mut network, HOST, |_| {});
    assert_eq!(snapshot(&settled(&network, ALICE)), snapshot(&before));
    pay(&network, ALICE, BOB);
    pay(&network, BOB, ALICE);
}

/// Goes through the drill of docs/operations.md, command by command.
#[test]
fn a_host_whose_disk_is_gone_comes_back_from_its_words_and_a_backup() {
    let mut network = Network::start(2);
    pay(&network, ALICE, BOB);
    let before = settled(&network, ALICE);
    let host = network.node(HOST);
    let (words, node_id) = (words(host.data_dir()), host.node_id().to_owned());
    let listen = format!("listen.addresses={}", host.address().split_once('@').unwrap().1);
    let file = network.new_dir("backup");
    backup(host, &file);
    network.kill(&[HOST]);

    let dir = network.new_dir("new-disk");
    let path = file.to_str().unwrap();
    let said = steward(&dir, &["restore", path]).failure("no_node");
    assert!(said["hint"].as_str().unwrap().contains("init --restore"), "{said}");
    let init = ["init", "--network", "regtest", "--restore"];
    let made = steward_with_input(&dir, &init, &words).success();
    assert_eq!(made["node_id"], node_id.as_str());
    let restored = steward(&dir, &["restore", path]).success();
    assert_eq!((restored["channels"].as_u64(), &restored["set_aside"]), (Some(2), &Value::Null));
    // It owes its clients, so it does not start as a wallet.
    // The doctor says beforehand what `start` will say.
    let checkup = steward(&dir, &["--set", "network=regtest", "doctor"]);
    assert_eq!(checkup.code, Some(1), "{checkup:?}");
    assert!(checkup.stdout.contains("host.enabled is not set"), "{checkup:?}");
    let said = refused_start(&dir, &["network=regtest"]).failure("host_not_enabled");
    assert!(said["hint"].as_str().unwrap().ends_with("enabled = true"), "{said}");
    replace(&mut network, HOST, &dir, &["host.enabled=true", &listen]);
    network.reconnect();
    assert_eq!(snapshot(&settled(&network, ALICE)), snapshot(&before));
    pay(&network, ALICE, BOB);
    pay(&network, BOB, ALICE);
    // A second time it would be a step back.
    network.node_mut(HOST).stop().unwrap();
    let said = steward(&dir, &["restore", path]).failure("database_in_the_way");
    assert!(said["message"].as_str().unwrap().contains("newer than the backup"), "{said}");
    let restored = steward(&dir, &["restore", path, "--replace"]).success();
    let aside = Path::new(restored["set_aside"].as_str().unwrap());
    let aside = SqliteHistory::open(aside).unwrap();
    assert_eq!(aside.verify().unwrap().channels, 2);
}

#[test]
fn a_backup_is_not_restored_under_a_running_daemon_nor_for_another_node() {
    let network = shared();
    let file = network.new_dir("not-for-everybody");
    backup(network.node(HOST), &file);
    let path = file.to_str().unwrap();
    let host = network.node(HOST).data_dir();
    steward(host, &["restore", path, "--replace"]).failure("data_dir_locked");
    let other = tempfile::tempdir().unwrap();
    steward(other.path(), &["init", "--network", "regtest"]).success();
    steward(other.path(), &["restore", path]).failure("wrong_node");
}

#[test]
fn a_restored_seed_is_told_what_to_do_before_its_first_start() {
    let network = shared();
    let words = words(network.node(HOST).data_dir());
    let dir = network.new_dir("told");
    let mut init = crate::support::program::command(crate::support::binary());
    init.arg("--data-dir").arg(&dir).args(["init", "--network", "regtest", "--restore"]);
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut child = init.stdin(Stdio::piped()).stdout(writer).spawn().unwrap();
    drop(init);
    child.stdin.take().unwrap().write_all(words.as_bytes()).unwrap();
    let mut said = String::new();
    reader.read_to_string(&mut said).unwrap();
    assert!(child.wait().unwrap().success());
    for advice in ["Before the first start", "steward restore FILE", "adopt_lost_state"] {
        assert!(said.contains(advice), "{said}");
    }
}

#[test]
fn a_client_restored_from_an_old_backup_takes_the_newer_state_from_its_host() {
    let mut network = Network::start(2);
    pay(&network, ALICE, BOB);
    restore_backup(&mut network, ALICE, |network| pay(network, ALICE, BOB));
    let by_host = network.node(HOST).channel(&local_id(&network, ALICE)).unwrap();
    let after = settled(&network, ALICE);
    assert_eq!(snapshot(&after).state.reverse(), snapshot(&by_host).state);
    assert_eq!(after.signatures_valid, Some(true));
    pay(&network, ALICE, BOB);
    pay(&network, BOB, ALICE);
}

#[test]
fn a_host_restored_from_an_old_backup_suspends_what_it_cannot_match() {
    let mut network = Network::start(2);
    pay(&network, ALICE, BOB);
    let mut before = None;
    restore_backup(&mut network, HOST, |network| {
        pay(network, ALICE, BOB);
        before = Some(settled(network, ALICE));
    });
    let host_id = network.cluster.host.node_id().to_owned();
    for who in [ALICE, BOB] {
        let client_id = local_id(&network, who);
        await_phase(network.node(HOST), &client_id, Phase::Suspended);
        await_phase(network.node(who), &host_id, Phase::Suspended);
    }
    // The proof of the newer balance stays with the client.
    let after = network.node(ALICE).channel(&host_id).unwrap();
    assert_eq!(snapshot(&after), snapshot(&before.unwrap()));
    assert_eq!(after.signatures_valid, Some(true));
}

#[test]
fn a_host_that_lost_its_database_believes_its_clients_only_if_told_to() {
    let mut network = Network::start(2);
    pay(&network, ALICE, BOB);
    let before = settled(&network, ALICE);
    let address = network.node(HOST).address();
    let listen = format!("listen.addresses={}", address.split_once('@').unwrap().1);
    let dir = network.node(HOST).data_dir().to_owned();
    let words = words(&dir);
    network.kill(&[HOST]);
    remove_database(&dir);
    refused_start(&dir, &["network=regtest"]).failure("database_not_found");
    let init = ["--set", "network=regtest", "init", "--restore"];
    steward_with_input(&dir, &init, &words).success();

    let believing = network.believing_all();
    replace(&mut network, HOST, &dir, &["host.enabled=true", &listen, &believing]);
    network.reconnect();
    let after = settled(&network, ALICE);
    assert_eq!(snapshot(&after), snapshot(&before));
    settled(&network, BOB);
    pay(&network, ALICE, BOB);
    pay(&network, BOB, ALICE);
}

fn words(data_dir: &Path) -> String {
    let shown = steward(data_dir, &["seed", "--yes"]).success();
    shown["words"].as_str().unwrap().to_owned()
}

fn backup(node: &NodeProcess, file: &Path) {
    let said = steward(node.data_dir(), &["backup", file.to_str().unwrap()]).success();
    assert_eq!(said["path"], file.to_str().unwrap());
}

/// Backs a node up, lets something happen, kills the node and puts the backup in the place of its
/// database.
fn restore_backup(network: &mut Network, who: Who, meanwhile: impl FnOnce(&Network)) {
    let file = network.new_dir("backup");
    backup(network.node(who), &file);
    meanwhile(network);
    network.kill(&[who]);
    let dir = network.node(who).data_dir().to_owned();
    remove_database(&dir);
    fs::copy(&file, dir.join("steward.db")).unwrap();
    network.restart(&[who]);
}

fn remove_database(dir: &Path) {
    for name in ["steward.db", "steward.db-wal", "steward.db-shm"] {
        let path: PathBuf = dir.join(name);
        if path.exists() {
            fs::remove_file(path).unwrap();
        }
    }
}

/// Another process, perhaps in another directory, takes the part of a node.
fn replace(network: &mut Network, who: Who, dir: &Path, settings: &[&str]) {
    *network.node_mut(who) = NodeProcess::start(binary(), dir, settings).unwrap();
}
