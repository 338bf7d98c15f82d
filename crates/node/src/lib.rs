//! The runtime around the engine: configuration, keys, tasks, timers and the commit pipeline.
#![forbid(unsafe_code)]

pub mod config;
pub mod keys;
pub mod limits;
pub mod random;
pub mod seed;

pub use config::{Config, ConfigError, EffectiveConfig, Sources};
pub use keys::NodeKeys;
pub use random::random_bytes;
pub use seed::{Seed, SeedError};
