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
//! - [`error`]: errors with a code, a sentence and a hint
//! - [`config`]: the host's offer, policies and limits that an operator sets
//! - [`keys`]: whose keys sign what
#![forbid(unsafe_code)]

pub mod command;
pub mod config;
pub mod error;
pub mod io;
pub mod keys;
pub mod limits;
pub mod row;

pub use command::{Command, Reply};
pub use config::{Config, Policy};
pub use error::{Blame, Error};
pub use io::{Action, ConnId, Effects, Event, EventKind, Input, ReplyId};
pub use keys::Keys;
pub use row::{Snapshot, Write, WriteBatch};
