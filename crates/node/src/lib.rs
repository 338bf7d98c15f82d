//! The runtime around the engine: tasks, timers and the commit pipeline; and what a node stands
//! on: configuration, seed, keys, data directory.
//!
//! ```text
//! p2p, chain, commands ─▶ input queue ─▶ engine thread ─▶ commit thread ─▶ p2p, replies, events
//! ```
//!
//! Nothing leaves before the writes it depends on are durable (design.md section 4, rule 1): the
//! commit thread itself carries out the actions of what it has just made durable.
//!
//! ```no_run
//! use steward_node::{EffectiveConfig, Node, Sources};
//!
//! # async fn run() -> Result<(), steward_engine::Error> {
//! let effective = EffectiveConfig::load(&Sources::of_process(None, Vec::new()))?;
//! let node = Node::start(effective.config).await?;
//! let status = node.status().await?;
//! println!("{}: {status:?}", node.info().node_id);
//! node.shutdown().await
//! # }
//! ```
//!
//! Layout
//! - [`config`]: one TOML file, overridden by environment and flags
//! - [`seed`], [`keys`], [`random`]: what is secret; `seed_words`: as people write it
//! - [`data_dir`]: seed and database of one node; [`restore`]: a backup in their place
//! - [`text`]: files that are not UTF-8
//! - [`node`]: [`Node::start`], which puts everything together
//! - [`handle`]: [`NodeHandle`], a running node; [`info`]: who and where it is
//! - [`ops`]: the typed operations of a node, for API, command line and programs that embed one
//! - `reach`: reaching peers; `task`: work that may wait for the disk
//! - [`metrics`]: what it counts
//! - [`doctor`]: what a newcomer gets wrong
//! - `queue`, `engine_thread`, `perform`, `pumps`: the pipeline
//! - `search`: looks into blocks for published preimages
//! - `replies`, `stop`: who waits for what
//! - [`limits`]: every bound
#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![warn(clippy::print_stdout)]

pub mod clock;
pub mod config;
pub mod data_dir;
pub mod doctor;
pub mod handle;
pub mod info;
pub mod keys;
pub mod limits;
mod log_thread;
pub mod metrics;
pub mod node;
pub mod ops;
pub mod random;
mod reach;
pub mod restore;
pub mod seed;
pub mod text;

mod engine_thread;
mod error;
mod perform;
mod pumps;
mod queue;
mod replies;
mod search;
mod seed_words;
mod stop;
mod task;
mod timers;

pub use config::{Config, ConfigError, EffectiveConfig, Sources};
pub use data_dir::initialize;
pub use handle::NodeHandle;
pub use info::NodeInfo;
pub use keys::NodeKeys;
pub use metrics::{NodeMetrics, P2pMetrics};
pub use node::{Node, NodeParts};
pub use ops::Operations;
pub use random::random_bytes;
pub use reach::ConnectionFailure;
pub use restore::{RestoredBackup, restore_backup};
pub use seed::{Seed, SeedError};
