//! The state machine of one hosted channel, both roles, without I/O.
//!
//! A [`Channel`] is a pure value. Feed it an [`Input`]; it answers with [`Output`]s, in the order
//! they must take effect. Own updates wait, without an id, until [`Channel::flush`] sends all of
//! them under one signature (design.md section 3, "Coalescing").
//!
//! Layout (protocol.md sections in brackets)
//! - [`io`](Input): inputs, outputs and what they carry
//! - [`command`](Command): what an operator may ask for, and refusals
//! - `channel`: the struct, its constructors and the dispatch of inputs and messages
//! - `view`: what can be read off a channel: [`Summary`], HTLCs, suspension, proposals
//! - `opening`: from `invoke_hosted_channel` to the first signed state (3.2)
//! - `resync`: comparing states after a connection (3.3)
//! - `direction`: who offered an HTLC of a state that only the peer remembers
//! - `updates`: the peer's adds, fulfills and fails (3.5)
//! - `own`: our adds and settlements, from the queue onto the wire (3.5)
//! - `commit`: `state_update`, both ways (3.4)
//! - `suspend`: errors, and what still works after one (3.6)
//! - `timeout`: expiries and unanswered messages (3.7, 9.1)
//! - `resize`, `overriding`: a larger capacity (3.8), a fresh state (3.10)
//! - `next_state`: the arithmetic of the state both will sign next (3.1)
//! - `record`: the durable form
//! - `errors`, `limits`: codes (3.9) and named limits
#![forbid(unsafe_code)]

mod channel;
mod command;
mod commit;
mod direction;
mod errors;
mod io;
pub mod limits;
mod next_state;
mod opening;
mod overriding;
mod own;
mod record;
mod resize;
mod resync;
mod suspend;
mod timeout;
mod updates;
mod view;

pub use channel::Channel;
pub use command::{Command, CommandRefusal};
pub use io::*;
pub use record::RecordError;
pub use view::{IncomingHtlc, IncomingSettlement, OutgoingHtlc};
