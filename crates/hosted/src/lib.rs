//! The state machine of one hosted channel, both roles, without I/O.
//!
//! A [`Channel`] is a pure value. Feed it a [`LinkInput`](steward_htlc::LinkInput); it answers with
//! [`Output`]s, in the order they must take effect. Our updates wait, without an id, until a flush
//! sends all of them under one signature (docs/design.md section 3, "Coalescing").
//!
//! Layout (sections of docs/protocol.md in brackets)
//! - [`io`](Output): outputs and what they carry, and what a channel knows of the world
//! - [`command`](Command): what an operator may ask for, and refusals
//! - `channel`: the struct, its constructors, and the two bodies it may have
//! - `opening`: from `invoke_hosted_channel` to the first signed state (3.2)
//! - `open`: what an open channel remembers, and the dispatch of inputs and messages
//! - `session`: what lives as long as a connection
//! - `commitment`: the cross-signed state and both sides' unsigned updates, as one value
//! - `next_state`: the arithmetic of the state both will sign next (3.1)
//! - `signing`: the one place where a state is signed
//! - `commit`: `state_update`, both ways (3.4)
//! - `local_updates`: our adds and settlements, from the queue onto the wire (3.5)
//! - `remote_updates`: the peer's adds, fulfills and fails (3.5)
//! - `reestablish`: comparing states after a connection (3.3)
//! - `direction`: who offered an HTLC of a state that only the peer remembers
//! - `suspend`: errors, and what still works after one (3.6)
//! - `timeout`: expiries and unanswered messages (3.7, 9.1)
//! - `resize`: a larger capacity (3.8)
//! - `state_override`: a fresh state for a suspended channel (3.10)
//! - `terms`: which terms and refund script a channel may have (3.2)
//! - `policy`: the peer's terms for forwarding to us
//! - `pair`: the two nodes, and what follows from their ids
//! - `view`: what can be read off a channel: [`Summary`], HTLCs, suspension, proposals
//! - `record`: the durable form
//! - `errors`, `limits`: an error we found (3.9), and named limits
#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![warn(clippy::print_stdout)]

mod channel;
mod command;
mod commit;
mod commitment;
mod direction;
mod errors;
mod io;
pub mod limits;
mod local_updates;
mod next_state;
mod open;
mod opening;
mod pair;
mod policy;
mod record;
mod reestablish;
mod remote_updates;
mod resize;
mod session;
mod signing;
mod state_override;
mod suspend;
mod terms;
mod timeout;
mod view;

pub use channel::Channel;
pub use command::{Command, CommandRefusal};
pub use io::*;
pub use record::RecordError;
