//! The harness of the process tests: real daemons on loopback, load, kills, and what must hold
//! after.
//!
//! - `network`: a host and its clients as processes; kill and restart
//! - `load`: payments posted from many threads, whatever happens to the nodes
//! - `oracle`: waits until nothing is under way, then compares the books of all nodes
//! - `program`: the command line and single daemons
//! - `rng`: random moments from a seed that can be given again
#![allow(dead_code, reason = "each test file uses a part")]

pub(crate) mod load;
pub(crate) mod network;
pub(crate) mod oracle;
pub(crate) mod program;
pub(crate) mod rng;

use std::path::Path;
use std::time::Duration;

/// The program under test.
pub(crate) fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_steward"))
}

/// The longest wait, which only something that hangs reaches.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The pause between two looks at something that does not report by itself.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// The balance that each client is given in a new channel.
pub(crate) const GIFT_SAT: u64 = 250_000;
