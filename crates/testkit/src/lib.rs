//! The worlds in which tests, the simulator and the fuzzers run the core. Nothing in them runs by
//! itself: a test reads as a script.
//!
//! Layout
//! - [`act`]: the one interpreter of the engine's actions; a world says how it carries out each kind
//! - `keys`: the keys and settings of test nodes
//! - `net`: a network of engines: links that keep order, stores that survive a crash, one clock
//! - [`funded`]: a funded channel, and a funder that signs what it is told
//! - [`hosted`]: the two sides of one hosted channel, without engines
//! - [`onion`]: a second, independent construction of onions and blinded data
#![forbid(unsafe_code)]

pub mod act;
pub mod funded;
pub mod hosted;
mod keys;
mod net;
pub mod onion;

pub use act::Act;
pub use keys::{CHAIN_HASH, INITIAL_MSAT, TestKeys, config, hosted_features, id_of};
pub use net::ask::is_complete;
pub use net::copies::Copy;
pub use net::parts::{PartOf, invoice_recipient, keysend_recipient};
pub use net::{Net, Node, START_HEIGHT};
