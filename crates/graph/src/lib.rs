//! The public graph and path-finding, by LDK, with hosted first hops.
//!
//! [`Graph`] is one value shared by all threads: it answers the engine's
//! [`steward_engine::io::RouteRequest`]s with ready-made onions and learns from its
//! [`steward_engine::io::PathResult`]s. It is a cache: nothing in it is needed to get money back,
//! so a spoiled file is set aside and the graph starts empty. No type of LDK leaves this crate.
//!
//! Layout
//! - `graph`: [`Graph`], and what it has learned about channels
//! - `gossip`: public hosted channels become part of the graph
//! - `file`: the graph on disk
//! - `find`: the search for a payment's route, and its HTLCs
//! - `payment`: a request without what no route may use
//! - `first_hop`: a channel of ours in the form that LDK's router reads
//! - `host_path`: the short cut for payees of our own hosts
//! - `router`: LDK's path-finding, and the reason if it finds nothing
//! - `part`: a path's HTLC and onion
//! - `error`: [`RouteError`] and [`GossipError`]
//! - `log`: LDK's log lines as tracing events
//! - [`limits`]: every limit of path-finding
#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![warn(clippy::print_stdout)]

mod error;
mod file;
mod find;
mod first_hop;
mod gossip;
mod graph;
mod host_path;
pub mod limits;
mod log;
mod part;
mod payment;
mod router;

pub use error::{GossipError, RouteError};
pub use graph::Graph;
