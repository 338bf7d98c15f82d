//! The program as operators and scripts meet it: what it refuses, what it says about it, and that
//! what it was trusted with survives.
//!
//! - `command_line`: answers, exit codes, signals
//! - `access`: tokens, a second daemon, strangers at the Lightning port
//! - `doors`: what is shut until somebody opens it
//! - `disk`: databases that must not be used, and a disk that is full
//! - `restore`: words, backups
//! - `proofs`: what exported states prove, and what they do not
//! - `operator`: suspend, override, resize
//! - `readme`: what README.md says to paste
//! - `log`: a log that nobody reads, or that does not fit
//! - `reload`: SIGHUP
//! - `evidence`: what is kept of a peer, shown and gone on with
//! - `paying`: twice, oneself, everything, and what is no invoice
//! - `texts`: dates, tables, and what could play tricks on a terminal
//! - `reaching`: hosts out of reach, channels and peers forgotten
//! - `channels`: what these share

mod access;
mod channels;
mod command_line;
mod disk;
mod doors;
mod evidence;
mod log;
mod operator;
mod paying;
mod proofs;
mod reaching;
mod readme;
mod reload;
mod restore;
#[path = "../support/mod.rs"]
mod support;
mod texts;

use std::sync::{Arc, Mutex, PoisonError, Weak};

use support::network::Network;

/// A host and two clients with channels, shared by the tests that leave it as it is or only pay.
/// The last of them that is done with it ends it.
fn shared() -> Arc<Network> {
    static SHARED: Mutex<Weak<Network>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let network = Arc::new(Network::start(2));
        *shared = Arc::downgrade(&network);
        network
    })
}
