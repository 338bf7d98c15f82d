//! The program as operators and scripts use it: what it refuses, what it says about it, and that
//! what it was trusted with survives.
//!
//! - `command_line`: answers, exit codes, signals
//! - `access`: tokens, a second daemon, strangers at the Lightning port
//! - `doors`: what is shut until the operator opens it
//! - `disk`: databases that must not be used, and a disk that is full
//! - `restore`: words, backups
//! - `proofs`: what exported states prove, and what they do not
//! - `operator`: suspend, override, resize
//! - `readme`: what README.md says to paste
//! - `log`: a log that is not read, or that does not fit
//! - `reload`: SIGHUP
//! - `evidence`: evidence about a peer, shown and gone on with
//! - `paying`: twice, oneself, everything, and what is no invoice
//! - `texts`: dates, tables, and what could play tricks on a terminal
//! - `reaching`: hosts out of reach, channels and peers forgotten
//! - `channels`: the steps that these share

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
/// The last of these tests ends it.
fn shared() -> Arc<Network> {
    static SHARED: Mutex<Weak<Network>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let network = Arc::new(Network::start(2));
        *shared = Arc::downgrade(&network);
        network
    })
}
