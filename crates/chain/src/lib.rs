//! The chain from bitcoind, esplora, electrum or a regtest clock: its height, the preimages that it
//! publishes, and for funded channels every block, checked, broadcast and feerates (docs/chain.md).
//!
//! Layout
//! - `config`: [`ChainConfig`], the `[chain]` table, and the source that it names
//! - `source`: [`ChainSource`], what every source answers; [`BlockSource`], for those with blocks
//! - `bitcoind`, `esplora`, `electrum`, `clock`: the four sources
//! - `bridge`: [`BridgeSource`], what a node with funded channels asks beside that; `bitcoind_bridge`
//!   and `esplora_bridge` answer it, `package` reads the answer to a package of transactions
//! - `position`: [`Position`], how far the chain was followed; pure
//! - `proof`: what a header and a block must fit by themselves; `lie`: [`Lie`], what does not; pure
//! - `watched`: [`Watched`] outputs and scripts, [`BlockScan`] of one block for them; pure
//! - `scanner`: [`Scanner`], which follows a source block by block; `feed`: [`feed`], its task
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
mod bitcoind_bridge;
mod block;
mod bridge;
mod clock;
mod config;
mod electrum;
mod error;
mod esplora;
mod esplora_bridge;
mod feed;
mod file;
mod http;
mod lie;
pub mod limits;
mod network;
mod package;
mod position;
mod proof;
mod scanner;
mod source;
mod stream;
mod tracker;
mod watched;
mod watcher;

pub use bitcoin::{BlockHash, Network};

pub use bridge::{BridgeSource, Feerate, FeerateOrigin, Unspent};
pub use clock::{ClockSource, Clocks, HeightHandle, UnixClock, system_clock};
pub use config::{ChainConfig, Password, SourceKind};
pub use error::{ChainError, NotTaken};
pub use feed::{FeedReport, feed};
pub use lie::Lie;
pub use network::{UnknownNetwork, chain_hash, network_name, parse_network};
pub use position::{BlockId, NotAPosition, Position};
pub use scanner::{ChainEvent, Scan, Scanned, Scanner, first_position};
pub use source::{BlockSource, ChainSource, Tip};
pub use tracker::{ChainUpdate, Moment, SourceHealth, StaleRule, TipTracker};
pub use watched::{BlockScan, Watched, WatchedFull};
pub use watcher::{Step, WatchSettings, Watcher, backoff, watch};
