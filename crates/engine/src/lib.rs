//! All channels of one node and what joins them: forwards, payments, invoices. No I/O.
//!
//! [`Engine`] is a pure value (design.md section 3). The runtime feeds it [`Input`]s, takes a
//! batch of [`Effects`] with [`Engine::finish`], makes the batch's writes durable and only then
//! carries out its actions.
//!
//! Layout
//! - [`io`]: inputs, effects, actions, events
//! - [`command`]: what the operator asks and what is answered
//! - [`row`]: what is stored, and the batch that stores it
//! - [`error`], [`code`]: errors with a code, a sentence and a hint, and the list of all codes
//! - [`config`]: the host's offer, policies and limits that an operator sets
//! - `signer`: our identities: who signs what
//! - `engine`: the state, the dispatch, the end of a batch
//! - `clock`: what waits and what has a date, and a wall clock that jumps
//! - `recover`: from a snapshot to a running engine
//! - `peers`, `opening`, `policy`: connections, who may open a channel, what we ask for
//! - `channels`: the channels, and how their outputs become effects
//! - `incoming`, `forward`, `receive`: an incoming HTLC from its add to its settlement
//! - [`attribution`]: who held an HTLC for how long, made, passed on and read
//! - `outgoing`: an HTLC that we offer, from its add to its end
//! - `payments`, `verdict`, `invoices`: what we pay, why it failed, what we are to be paid
//! - `allowance`, `evidence`: what one peer may cost in bytes, patience and rows
//! - `search`: preimages published on chain, before an expired HTLC is given up
//! - `lost_data`: what is not guessed when our data turns out to be an old copy
//! - `bounds`: what a command may say
//! - `send_all`: how much a payee can get at most
//! - `forget`: channels and peers that nobody needs any more
//! - `commands`, `operator`: the operator's commands, carried out; those that stop or change a
//!   channel
#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![warn(clippy::print_stdout)]

mod allowance;
pub mod attribution;
mod batch;
mod bounds;
mod channels;
mod clock;
pub mod code;
pub mod command;
mod commands;
pub mod config;
mod engine;
pub mod error;
mod evidence;
mod forget;
mod forward;
mod incoming;
mod invoices;
pub mod io;
pub mod limits;
mod lost_data;
mod opening;
mod operator;
mod outgoing;
mod payments;
mod peers;
mod policy;
mod preimages;
mod receive;
mod recover;
mod resize;
pub mod row;
mod search;
mod send_all;
mod signer;
mod verdict;

pub use code::{Blame, Code, Scope};
pub use command::{AnswerAt, Command, Reply};
pub use config::{Config, Policy};
pub use engine::Engine;
pub use error::Error;
pub use io::{Action, ConnId, Effects, Event, EventKind, Input, ReplyId, Time};
pub use row::{Row, StoredState, WriteBatch};
pub use signer::Signer;
