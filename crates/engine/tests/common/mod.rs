//! A network of engines in memory: links that keep order, stores that survive a crash, one clock.
//! Nothing runs by itself; tests read as a script.
#![allow(dead_code, unused_imports, unreachable_pub)]

mod ask;
mod copies;
mod far_end;
mod keys;
mod net;
mod parts;

pub use ask::is_complete;
pub use keys::{CHAIN_HASH, INITIAL_MSAT, TestKeys, config, hosted_features, id_of};
pub use net::{Net, START_HEIGHT};
pub use parts::{PartOf, invoice_recipient, keysend_recipient};
