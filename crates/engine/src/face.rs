//! The engine's face to the outside: inputs and effects, rows, and its words for people.

pub mod code;
pub mod command;
pub mod config;
pub mod error;
pub mod event;
pub(crate) mod hold_report;
pub mod io;
pub mod limits;
pub mod row;
pub(crate) mod signer;
