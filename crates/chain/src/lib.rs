//! Block height and published preimages from bitcoind, esplora, electrum or a regtest clock.
//!
//! Layout
//! - `config`: [`ChainConfig`], the `[chain]` table, and the source that it names
//! - `source`: [`ChainSource`], what every source answers; [`BlockSource`], for those with blocks
//! - `bitcoind`, `esplora`, `electrum`, `clock`: the four sources
//! - `block`: the preimages that a block publishes, if it is the block that was asked for
//! - `http`, `stream`, `file`: their bounded reads
//! - `tracker`: [`TipTracker`], which height to believe and when it is stale; pure
//! - `watcher`: [`watch`], the task that polls a source and reports changes
//! - `network`: names and chain hashes of the networks
//! - `error`: [`ChainError`]
//! - [`limits`]: every limit of this crate
//!
//! ```no_run
//! # async fn run() -> Result<(), steward_chain::ChainError> {
//! use std::sync::Arc;
//! use std::time::Instant;
//! use steward_chain::{ChainConfig, Clocks, Network, SourceKind, system_clock, watch};
//!
//! let config = ChainConfig {
//!     source: Some(SourceKind::Bitcoind),
//!     cookie_file: Some("/home/satoshi/.bitcoin/.cookie".into()),
//!     ..ChainConfig::default()
//! };
//! let source = config.open(Network::Bitcoin)?;
//! let settings = config.watch_settings(Network::Bitcoin, None)?;
//! let begun = Instant::now(); // Better: a clock that counts sleep as well.
//! let now_ms = Arc::new(move || begun.elapsed().as_millis() as u64);
//! let clocks = Clocks { unix_s: system_clock(), now_ms };
//! let (sender, mut updates) = tokio::sync::mpsc::channel(16);
//! let watching = tokio::spawn(watch(source, settings, clocks, Arc::default(), sender));
//! while let Some(update) = updates.recv().await {
//!     println!("height {} stale {}", update.height, update.stale);
//! }
//! // The updates have ended: the source turned out to be unusable.
//! # let _ = watching;
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![warn(clippy::print_stdout)]

mod bitcoind;
mod block;
mod clock;
mod config;
mod electrum;
mod error;
mod esplora;
mod file;
mod http;
pub mod limits;
mod network;
mod source;
mod stream;
mod tracker;
mod watcher;

pub use bitcoin::{BlockHash, Network};

pub use clock::{ClockSource, Clocks, HeightHandle, UnixClock, system_clock};
pub use config::{ChainConfig, Password, SourceKind};
pub use error::ChainError;
pub use network::{UnknownNetwork, chain_hash, network_name, parse_network};
pub use source::{BlockSource, ChainSource, Tip};
pub use tracker::{ChainUpdate, Moment, SourceHealth, StaleRule, TipTracker};
pub use watcher::{Step, WatchSettings, Watcher, backoff, watch};
