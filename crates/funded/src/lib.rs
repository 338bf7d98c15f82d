//! The state machine of one funded channel (BOLT 2), fundee side, without I/O.
//!
//! Layout
//! - [`bolt3`]: transactions, fees, keys and signatures (BOLT 3)
//! - [`limits`]: named limits
#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![warn(clippy::print_stdout)]

pub mod bolt3;
pub mod limits;
