//! Plain copies of a node's database, as they are made by people who do not know
//! `steward backup`, and what it takes to go on from one.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use steward_api::model::Metrics;

use crate::support::network::{Network, Who};
use crate::support::program::refused_start;
use crate::support::{PATIENCE, POLL_INTERVAL};

const DATABASE: &str = "steward.db";
const LOG: &str = "steward.db-wal";
const INDEX: &str = "steward.db-shm";

/// The pause between the files of a copy: commits and checkpoints go on meanwhile.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// The files of a database, each as it was at some moment.
pub(crate) struct DatabaseCopy(PathBuf);

impl DatabaseCopy {
    /// Copies file by file, in any order, whatever the node does meanwhile.
    pub(crate) fn take(network: &mut Network, who: Who) -> Self {
        let from = network.node(who).data_dir().to_owned();
        let name = format!("copy-{:016x}", network.rng.next());
        let to = network.new_dir(&name);
        fs::create_dir(&to).unwrap();
        let mut names = vec![DATABASE, LOG, INDEX];
        while !names.is_empty() {
            let name = names.swap_remove(network.rng.below(names.len()));
            fs::copy(from.join(name), to.join(name)).unwrap();
            network.let_pass_up_to(LONGEST_PAUSE);
        }
        Self(to)
    }

    /// Copies the database from before a checkpoint and the log from after it: what the checkpoint
    /// moved is in neither. Takes as long as the load takes to fill the log.
    pub(crate) fn take_across_a_checkpoint(network: &mut Network, who: Who) -> Self {
        let from = network.node(who).data_dir().to_owned();
        let copy = Self::take(network, who);
        let checkpoints = |network: &Network| {
            let metrics: Metrics = network.node(who).client().get("/v1/metrics", &[]).unwrap();
            metrics.store.checkpoints
        };
        let before = checkpoints(network);
        let deadline = Instant::now() + PATIENCE;
        while checkpoints(network) == before {
            assert!(Instant::now() < deadline, "the log never fills");
            thread::sleep(POLL_INTERVAL);
        }
        // The log begins again with the next commit.
        network.let_pass();
        for name in [LOG, INDEX] {
            fs::copy(from.join(name), copy.0.join(name)).unwrap();
        }
        copy
    }

    /// Kills the node, puts the copy in the place of its database and starts it. False if the node
    /// refuses to use it: then it says why, and leaves the files as they are.
    pub(crate) fn revive(&self, network: &mut Network, who: Who) -> bool {
        network.kill(&[who]);
        let dir = network.node(who).data_dir().to_owned();
        remove_database(&dir);
        for name in [DATABASE, LOG, INDEX] {
            fs::copy(self.0.join(name), dir.join(name)).unwrap();
        }
        if network.try_restart(who).is_ok() {
            network.reconnect();
            return true;
        }
        let said = refused_start(&dir, &["network=regtest"]).failure("database_damaged");
        eprintln!("{who:?} refuses a copy: {said}");
        for name in [DATABASE, LOG] {
            let is_untouched =
                fs::read(dir.join(name)).unwrap() == fs::read(self.0.join(name)).unwrap();
            assert!(is_untouched, "{name} was changed");
        }
        false
    }
}

/// Removes the database, as when a disk is gone.
pub(crate) fn remove_database(dir: &Path) {
    for name in [DATABASE, LOG, INDEX] {
        let path = dir.join(name);
        if path.exists() {
            fs::remove_file(path).unwrap();
        }
    }
}
