//! Hosts that cannot be reached, channels and peers that are forgotten.

use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::tempdir;

use crate::channels::host_id;
use crate::shared;
use crate::support::network::{ALICE, HOST, Network, Who};
use crate::support::program::{Answer, Daemon, steward};
use crate::support::{PATIENCE, POLL_INTERVAL};

const ONION: &str = "vww6ybal4bd7szmgncyruucpgfkqahzddi37ktceo3ah7ngmcopnpyyd.onion";

#[test]
fn a_host_that_cannot_be_reached_is_an_error_at_once_and_leaves_nothing_behind() {
    let network = shared();
    let dir = tempdir().unwrap();
    let daemon = Daemon::start(dir.path(), &["network=regtest"]);
    let (host, other) = (host_id(&network), network.node(ALICE).node_id());
    let address = network.cluster.host.address();
    let (_, listening) = address.split_once('@').unwrap();
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (peer, code) in [
        (format!("{host}@{unused}"), "peer_unreachable"),
        (format!("{host}@nowhere.invalid"), "peer_unreachable"),
        (format!("{other}@{listening}"), "handshake_failed"),
        (format!("{host}@{ONION}"), "proxy_needed"),
        (host.to_owned(), "bad_node_address"),
        (format!("{host}@:1"), "bad_node_address"),
        (format!("02{}@127.0.0.1:1", "00".repeat(32)), "not_a_public_key"),
    ] {
        for command in [&["channel", "invoke"][..], &["connect"]] {
            let started = Instant::now();
            let arguments = [command, &[&peer]].concat();
            steward(dir.path(), &arguments).failure(code);
            assert!(started.elapsed() < Duration::from_secs(30), "{arguments:?}");
        }
    }
    assert_eq!(list(dir.path(), &["channel", "list"], "channels"), Vec::<Value>::new());
    assert_eq!(list(dir.path(), &["peers"], "peers"), Vec::<Value>::new());
    assert_eq!(daemon.status().channels.opening, 0);
}

#[test]
fn what_is_wrong_with_an_address_is_said_before_anything_is_tried() {
    let dir = tempdir().unwrap();
    let answer = steward(dir.path(), &["channel", "invoke", "02ab"]);
    answer.failure("bad_node_address");
    assert_eq!(answer.stderr, "");
    let network = shared();
    let node = format!("{}@127.0.0.1", host_id(&network));
    steward(dir.path(), &["channel", "invoke", &node]).failure("daemon_not_running");
}

#[test]
fn why_a_host_is_not_reached_any_more_is_shown_with_its_channel_and_among_the_peers() {
    let mut network = Network::start(1);
    let host = host_id(&network).to_owned();
    network.kill(&[HOST]);
    let dir = network.node(ALICE).data_dir();
    let deadline = Instant::now() + PATIENCE;
    let failure = loop {
        let shown = steward(dir, &["channel", "show", &host]).success();
        if !shown["connection_failure"].is_null() {
            break shown["connection_failure"].clone();
        }
        assert!(Instant::now() < deadline, "{shown}");
        thread::sleep(POLL_INTERVAL);
    };
    assert!(failure["reason"].as_str().unwrap().contains("refused"), "{failure}");
    assert!(failure["next_attempt_ms"].as_u64() > failure["failed_ms"].as_u64(), "{failure}");
    let peers = list(dir, &["peers"], "peers");
    assert!(!peers[0]["connection_failure"].is_null(), "{peers:?}");
}

#[test]
fn money_is_not_forgotten_and_strangers_are_unknown() {
    let network = shared();
    let host = host_id(&network).to_owned();
    let client = crate::channels::local_id(&network, ALICE);
    forget(&network, ALICE, "channel", &host).failure("channel_not_empty");
    forget(&network, HOST, "channel", &client).failure("channel_not_empty");
    forget(&network, ALICE, "peer", &host).failure("peer_is_host");
    let stranger = network.node(ALICE).node_id();
    forget(&network, HOST, "channel", stranger).failure("unknown_channel");
    forget(&network, HOST, "peer", stranger).failure("unknown_peer");
}

fn forget(network: &Network, who: Who, what: &str, id: &str) -> Answer {
    steward(network.node(who).data_dir(), &[what, "forget", id])
}

fn list(dir: &std::path::Path, question: &[&str], key: &str) -> Vec<Value> {
    steward(dir, question).success()[key].as_array().unwrap().clone()
}
