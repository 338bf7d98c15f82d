//! Versions meet: a program built from an earlier commit and the present one run against each other, and one takes
//! over the data directory of the other with HTLCs in flight.
//!
//! - `before`: builds the earlier programs, or skips loudly
//! - `meet`: each version as host, as client and as forwarder of the other
//! - `upgrade`: nodes are upgraded one after another, in either order

mod before;
mod meet;
#[path = "../support/mod.rs"]
mod support;
mod upgrade;
