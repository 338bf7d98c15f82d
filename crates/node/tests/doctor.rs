//! The findings of the doctor, with and without a running node.

mod common;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use common::TestNode;
use steward_node::doctor::{Check, Status, examine};
use steward_node::{EffectiveConfig, Seed, Sources, initialize};

/// Returns sources with addresses that nothing else in this process uses.
fn sources(dir: &Path, overrides: &[&str]) -> Sources {
    let mut all = vec![
        format!("data_dir={}", dir.display()),
        "host.enabled=true".to_owned(),
        "host.require_secret=true".to_owned(),
        "host.secrets=for my friends".to_owned(),
        "listen.addresses=127.0.0.1:0".to_owned(),
        "api.address=127.0.0.1:0".to_owned(),
    ];
    all.extend(overrides.iter().map(|text| (*text).to_owned()));
    Sources { overrides: all, ..Sources::default() }
}

fn find<'a>(checks: &'a [Check], name: &str) -> &'a Check {
    checks.iter().find(|check| check.name == name).unwrap()
}

fn check(dir: &Path, overrides: &[&str], name: &str) -> Check {
    let sources = sources(dir, overrides);
    find(&examine(&sources), name).clone()
}

#[test]
fn before_init_what_init_makes_is_missing_and_nothing_is_made() {
    let dir = tempfile::tempdir().unwrap();
    for place in [dir.path().join("new"), dir.path().to_owned()] {
        let checks = examine(&sources(&place, &[]));
        for missing in ["seed", "database"] {
            let check = find(&checks, missing);
            assert_eq!(check.status, Status::Fail, "{check:?}");
            assert!(check.hint.contains("`steward init`"), "{check:?}");
        }
        assert!(checks.len() >= 9);
    }
    assert_eq!(check(&dir.path().join("new"), &[], "data_directory").status, Status::Fail);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn after_init_and_before_the_first_start_nothing_fails() {
    let dir = tempfile::tempdir().unwrap();
    let sources = sources(dir.path(), &[]);
    initialize(&EffectiveConfig::load(&sources).unwrap().config, None).unwrap();
    Seed::words_were_shown(dir.path()).unwrap();
    let checks = examine(&sources);
    assert!(checks.iter().all(|check| check.status != Status::Fail), "{checks:?}");
}

#[test]
fn a_configuration_that_cannot_be_read_is_all_it_says() {
    let dir = tempfile::tempdir().unwrap();
    let checks = examine(&sources(dir.path(), &["host.fee=1"]));
    assert_eq!(checks.len(), 1);
    assert_eq!(checks[0].status, Status::Fail);
    assert!(checks[0].detail.contains("host.fee"));
}

#[test]
fn mainnet_without_a_chain_source_fails() {
    let dir = tempfile::tempdir().unwrap();
    let chain = check(dir.path(), &["network=mainnet"], "chain_source");
    assert_eq!(chain.status, Status::Fail);
    assert!(chain.hint.contains("source"));
}

#[test]
fn an_unreachable_chain_source_fails() {
    let dir = tempfile::tempdir().unwrap();
    let flags = ["chain.source=esplora", "chain.url=http://127.0.0.1:1"];
    assert_eq!(check(dir.path(), &flags, "chain_source").status, Status::Fail);
}

#[test]
fn a_source_that_cannot_look_into_blocks_is_warned_of() {
    let dir = tempfile::tempdir().unwrap();
    let flags = ["chain.source=electrum", "chain.url=tcp://127.0.0.1:1"];
    let search = check(dir.path(), &flags, "block_search");
    assert_eq!(search.status, Status::Warn);
    assert!(search.hint.contains("bitcoind or esplora"), "{}", search.hint);
}

#[test]
fn blocks_that_cannot_be_read_fail() {
    let dir = tempfile::tempdir().unwrap();
    let flags = ["chain.source=esplora", "chain.url=http://127.0.0.1:1"];
    assert_eq!(check(dir.path(), &flags, "block_search").status, Status::Fail);
    assert_eq!(check(dir.path(), &[], "block_search").status, Status::Ok);
}

#[test]
fn a_port_of_another_program_fails() {
    let dir = tempfile::tempdir().unwrap();
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let flag = format!("api.address={}", other.local_addr().unwrap());
    let port = check(dir.path(), &[&flag], "api_port");
    assert_eq!(port.status, Status::Fail);
    assert!(port.detail.contains("another program"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_node_is_seen_and_its_port_is_not_a_conflict() {
    let node = TestNode::start(&[]).await;
    let listen = format!("listen.addresses={}", node.address());
    let sources = sources(node.dir.path(), &[&listen]);
    let checks = tokio::task::spawn_blocking(move || examine(&sources)).await.unwrap();
    let lock = find(&checks, "lock");
    assert!(lock.detail.contains(&std::process::id().to_string()), "{lock:?}");
    assert_eq!(find(&checks, "listen_port").status, Status::Ok);
    assert!(find(&checks, "database").detail.contains("whole"));
    assert!(checks.iter().all(|check| check.status != Status::Fail), "{checks:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seed_that_others_can_read_fails() {
    let node = TestNode::start(&[]).await;
    node.handle.shutdown().await.unwrap();
    let seed = node.dir.path().join("seed");
    std::fs::set_permissions(&seed, PermissionsExt::from_mode(0o644)).unwrap();
    let found = check(node.dir.path(), &[], "seed");
    assert_eq!(found.status, Status::Fail);
    assert!(found.hint.contains("chmod 600"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_another_network_fails() {
    let node = TestNode::start(&[]).await;
    node.handle.shutdown().await.unwrap();
    let database = check(node.dir.path(), &["network=signet"], "database");
    assert_eq!(database.status, Status::Fail);
    assert!(database.detail.contains("regtest"), "{}", database.detail);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_database_fails() {
    let node = TestNode::start(&[]).await;
    node.handle.shutdown().await.unwrap();
    std::fs::write(node.dir.path().join("steward.db"), b"not a database at all").unwrap();
    assert_eq!(check(node.dir.path(), &[], "database").status, Status::Fail);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_node_is_looked_at_where_it_listens() {
    let node = TestNode::start(&[]).await;
    std::fs::write(node.dir.path().join("api-address"), "127.0.0.1:7\n").unwrap();
    let listens = format!("{}\n", node.address());
    std::fs::write(node.dir.path().join("listen-addresses"), listens).unwrap();
    let elsewhere = ["listen.addresses=127.0.0.1:9", "api.address=127.0.0.1:9"];
    for (port, real) in [("listen_port", node.address()), ("api_port", "127.0.0.1:7".into())] {
        let found = check(node.dir.path(), &elsewhere, port);
        assert_eq!(found.status, Status::Warn, "{found:?}");
        assert!(found.detail.contains(&real), "{found:?}");
        assert!(found.detail.contains("127.0.0.1:9"), "{found:?}");
    }
    let listen = format!("listen.addresses={}", node.address());
    for port in ["listen_port", "api_port"] {
        let found = check(node.dir.path(), &[&listen, "api.address=127.0.0.1:7"], port);
        assert_eq!(found.status, Status::Ok, "{found:?}");
    }
    // The files of a node that does not run any more are not believed.
    node.handle.shutdown().await.unwrap();
    let stopped = check(node.dir.path(), &["listen.addresses=127.0.0.1:0"], "listen_port");
    assert!(stopped.detail.contains("is free"), "{stopped:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_looks_does_not_become_the_holder_of_the_lock() {
    let node = TestNode::start(&[]).await;
    node.handle.shutdown().await.unwrap();
    std::fs::remove_file(node.dir.path().join("lock")).unwrap();
    check(node.dir.path(), &[], "lock");
    assert!(!node.dir.path().join("lock").exists());
}

#[test]
fn a_configuration_with_secrets_that_others_can_read_fails() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("steward.toml");
    std::fs::write(&file, "[host]\nsecrets = [\"s\"]\n").unwrap();
    let sources = Sources {
        overrides: vec![format!("data_dir={}", dir.path().display())],
        ..Sources::default()
    };
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
    assert_eq!(find(&examine(&sources), "secrets").status, Status::Fail);
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    assert!(!examine(&sources).iter().any(|check| check.name == "secrets"));
}

#[test]
fn an_open_door_is_warned_of() {
    let dir = tempfile::tempdir().unwrap();
    let open = check(dir.path(), &["host.require_secret=false"], "configuration");
    assert_eq!(open.status, Status::Warn);
    assert!(open.detail.contains("anybody"), "{open:?}");
}

#[test]
fn warnings_of_the_configuration_are_shown() {
    let dir = tempfile::tempdir().unwrap();
    let flags = ["host.min_htlc_sat=1000"];
    assert!(EffectiveConfig::load(&sources(dir.path(), &flags)).is_ok());
    assert_eq!(check(dir.path(), &flags, "configuration").status, Status::Warn);
}
