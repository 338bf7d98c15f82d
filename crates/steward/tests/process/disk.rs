//! Databases that must not be used are refused and left as they are; a disk that is full stops the
//! node, and nothing is lost.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use steward_node::Seed;
use tempfile::{TempDir, tempdir};

use crate::support::load::Load;
use crate::support::network::{ALICE, BOB, HOST, Network, turn};
use crate::support::program::{Daemon, refused_start, steward, with_limited_files};
use crate::support::{GIFT_SAT, oracle};

const REGTEST: &str = "network=regtest";
const SIGNET: [&str; 3] =
    ["network=signet", "chain.source=esplora", "chain.url=http://127.0.0.1:1"];

/// The size of a page of the database.
const PAGE_BYTES: usize = steward_store::limits::PAGE_BYTES as usize;

/// The largest size of files, at which a few dozen payments fit into the log, in blocks of 512
/// bytes.
const FILE_BLOCKS: u64 = 2048;

#[test]
fn a_damaged_page_is_refused_and_left_untouched_whichever_it_is() {
    let node = stopped_node();
    let whole = fs::read(node.database()).unwrap();
    let pages = whole.len() / PAGE_BYTES;
    assert!(pages > 10, "{pages} pages");
    // The first is the header's. Some of the others are not read at start.
    for page in 1..pages {
        let mut bytes = whole.clone();
        bytes[page * PAGE_BYTES..][..PAGE_BYTES].fill(0xEE);
        node.assert_refused(&bytes, &[REGTEST], "database_damaged");
    }
}

#[test]
fn a_file_cut_in_half_is_refused_and_left_untouched() {
    let node = stopped_node();
    let bytes = fs::read(node.database()).unwrap();
    node.assert_refused(&bytes[..bytes.len() / 2], &[REGTEST], "database_damaged");
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_untouched() {
    let node = stopped_node();
    node.assert_refused(&[b'x'; 20_000], &[REGTEST], "not_our_database");
}

#[test]
fn an_empty_file_is_refused_and_left_untouched() {
    let node = stopped_node();
    node.assert_refused(&[], &[REGTEST], "not_our_database");
}

#[test]
fn a_newer_schema_is_refused_and_left_untouched() {
    let node = stopped_node();
    let mut bytes = fs::read(node.database()).unwrap();
    // `user_version` in SQLite's header.
    bytes[60..64].copy_from_slice(&9_999_u32.to_be_bytes());
    node.assert_refused(&bytes, &[REGTEST], "database_too_new");
}

#[test]
fn the_database_of_another_seed_is_refused_and_left_untouched() {
    let node = stopped_node();
    let bytes = fs::read(node.database()).unwrap();
    fs::remove_file(node.dir.path().join("seed")).unwrap();
    Seed::generate().unwrap().create(node.dir.path()).unwrap();
    node.assert_refused(&bytes, &[REGTEST], "wrong_node");
}

#[test]
fn the_database_of_another_network_is_refused_and_left_untouched() {
    let node = stopped_node();
    let bytes = fs::read(node.database()).unwrap();
    node.assert_refused(&bytes, &SIGNET, "wrong_network");
}

#[test]
fn a_database_without_its_seed_gets_no_new_one() {
    let node = stopped_node();
    let bytes = fs::read(node.database()).unwrap();
    fs::remove_file(node.dir.path().join("seed")).unwrap();
    node.assert_refused(&bytes, &[REGTEST], "seed_missing");
    assert!(!node.dir.path().join("seed").exists());
}

#[test]
fn a_seed_without_its_database_does_not_start_from_nothing() {
    let node = stopped_node();
    fs::remove_file(node.database()).unwrap();
    refused_start(node.dir.path(), &[REGTEST]).failure("database_not_found");
    assert!(!node.database().exists());
}

#[test]
fn a_second_init_overwrites_nothing() {
    let node = stopped_node();
    let seed = fs::read(node.dir.path().join("seed")).unwrap();
    steward(node.dir.path(), &["init"]).failure("node_exists");
    assert_eq!(fs::read(node.dir.path().join("seed")).unwrap(), seed);
}

#[test]
fn a_full_disk_stops_the_host_and_nothing_is_lost() {
    let _turn = turn();
    let mut network = Network::start(2);
    let (_, listening) = network.node(HOST).address().split_once('@').map(owned).unwrap();
    network.node_mut(HOST).stop().unwrap();
    let dir = network.node(HOST).data_dir().to_owned();
    let limited = with_limited_files(&network.new_dir("."), FILE_BLOCKS);
    let settings = [
        REGTEST.to_owned(),
        "host.enabled=true".to_owned(),
        format!("listen.addresses={listening}"),
        format!("host.initial_client_balance_sat={GIFT_SAT}"),
    ];
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let host = Daemon::start_as(&limited, &dir, &settings);
    network.reconnect();
    let load = Load::start(&network.apis, &[(ALICE, BOB), (BOB, ALICE)], network.rng.next());
    let said = host.wait().failure("store_failed");
    assert!(said["message"].as_str().unwrap().contains("commit failed"), "{said}");
    // Space was made.
    network.restart(&[HOST]);
    oracle::assert_consistent(&network, &load.stop());
}

/// Returns the data directory of a node that ended in order.
struct StoppedNode {
    dir: TempDir,
}

fn stopped_node() -> StoppedNode {
    let dir = tempdir().unwrap();
    steward(dir.path(), &["--set", REGTEST, "init"]).success();
    StoppedNode { dir }
}

impl StoppedNode {
    fn database(&self) -> PathBuf {
        self.dir.path().join("steward.db")
    }

    /// Checks that with these bytes as database the node does not start, and they stay as they are.
    #[track_caller]
    fn assert_refused(&self, bytes: &[u8], settings: &[&str], code: &str) {
        fs::write(self.database(), bytes).unwrap();
        let before = files(self.dir.path());
        refused_start(self.dir.path(), settings).failure(code);
        assert!(fs::read(self.database()).unwrap() == bytes, "the database was changed");
        assert_eq!(files(self.dir.path()), before);
    }
}

/// Returns all names and sizes, but the lock, which holds the last process id, and what SQLite puts
/// beside a database for readers, which is empty or no data.
fn files(dir: &Path) -> BTreeMap<String, u64> {
    let sizes = fs::read_dir(dir).unwrap().map(|entry| {
        let entry = entry.unwrap();
        (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().len())
    });
    let is_data = |(name, size): &(String, u64)| match name.as_str() {
        "lock" | "steward.db-shm" => false,
        "steward.db-wal" => *size > 0,
        _ => true,
    };
    sizes.filter(is_data).collect()
}

fn owned((node_id, address): (&str, &str)) -> (String, String) {
    (node_id.to_owned(), address.to_owned())
}
