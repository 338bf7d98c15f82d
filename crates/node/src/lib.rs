//! A node: configuration, seed, keys and data directory, the assembly of store, connections, graph
//! and chain around a [runtime](steward_runtime), and the operations that can be asked of it.
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
//! - [`seed`], [`keys`], [`random`]: the secrets; `seed_words`: a seed as people write it;
//!   `seed_error`: the errors of a seed
//! - [`data_dir`]: seed and database of one node; [`restore`]: a backup in their place
//! - [`text`]: files that are not UTF-8
//! - [`node`]: [`Node::start`], which puts everything together
//! - [`handle`]: [`NodeHandle`], a running node; [`info`]: its name and place
//! - [`ops`]: the typed operations of a node, for API, command line and programs that embed one
//! - `adapters`: the runtime's four traits over `p2p`, `graph` and `chain`
//! - `task`: work that may wait for the disk; `timers`: how the crates' timers fit together
//! - [`metrics`]: the node's counters; `error`: errors of the parts, in the one form
//! - [`doctor`]: the checks for a newcomer's mistakes
//! - [`limits`]: every bound
#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![warn(clippy::print_stdout)]

mod adapters;
pub mod config;
pub mod data_dir;
pub mod doctor;
pub mod handle;
pub mod info;
pub mod keys;
pub mod limits;
pub mod metrics;
pub mod node;
pub mod ops;
pub mod random;
pub mod restore;
pub mod seed;
pub mod text;

mod error;
mod seed_error;
mod seed_words;
mod task;
mod timers;

pub use adapters::reach::ConnectionFailure;
pub use config::{Config, ConfigError, EffectiveConfig, Sources};
pub use data_dir::initialize;
pub use handle::NodeHandle;
pub use info::NodeInfo;
pub use keys::NodeKeys;
pub use metrics::{NodeMetrics, P2pMetrics};
pub use node::{Node, NodeParts};
pub use ops::Operations;
pub use random::random_bytes;
pub use restore::{RestoredBackup, restore_backup};
pub use seed::Seed;
pub use seed_error::SeedError;
pub use steward_runtime::clock;
