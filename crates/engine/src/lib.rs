//! All channels of one node and what joins them: forwards, payments, invoices. No I/O.
//!
//! [`Engine`] is a pure value (docs/design.md section 3). The runtime feeds it [`Input`]s, takes a
//! batch of [`Effects`] with [`Engine::finish`], makes the batch's writes durable and only then
//! carries out its actions.
//!
//! Layout
//! - `face`: what goes in and comes out ([`io`], [`event`]), what the operator asks ([`command`]) and
//!   sets ([`config`]), what is stored ([`row`]), how long
//!   hops held a part ([`HoldReport`]), errors and the list of their codes ([`error`],
//!   [`code`]), our identities ([`Signer`]), every limit ([`limits`])
//! - `engine`: the parts, and the one place that hands each input, command and step to its owner
//! - `context`: what every part may use: configuration, keys, clocks, the chain's tip, preimages, the
//!   batch, the queue of steps
//! - `step`: what one part asks of another
//! - `link`: channels (`links`, `hosted`), connections (`connections`, `peer_book`, `allowance`), who
//!   may open a channel (`opening`, `quotas`, `forgotten`), our terms (`policy`, `resize`), and what is
//!   kept of misbehaviour (`evidence`)
//! - `htlc`: an HTLC offered to us (`incoming`), one that we offer (`outgoing`), what an onion says
//!   (`onion`), who held it for how long (`attribution`), preimages published on chain (`chain_search`)
//! - `relay`: forwards, from the decision to the answer (`forward`)
//! - `pay`: payments out (`payments`), what a failure means (`failure`), where they can begin
//!   (`first_hops`), the most that can be sent (`send_all`)
//! - `receive`: invoices, and the parts of payments to us (`sets`)
//! - `recover`: going on after a restart (`resume`), and what is not guessed when our data may be an
//!   old copy (`stale_data`)
//! - `operator`: the operator's commands, carried out
#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![warn(clippy::print_stdout)]

mod context;
mod engine;
mod face;
mod htlc;
mod link;
mod operator;
mod pay;
mod receive;
mod recover;
mod relay;
mod step;

pub use face::code::{Blame, Code, Scope};
pub use face::command::{AnswerAt, Command, Reply};
pub use face::config::{Config, Policy};
pub use face::error::Error;
pub use face::event::{Event, EventKind};
pub use face::hold_report::HoldReport;
pub use face::io::{Action, ConnId, Effects, Input, ReplyId, Time};
pub use face::row::{Row, StoredState, WriteBatch};
pub use face::signer::Signer;
pub use face::{code, command, config, error, event, io, limits, row};

pub use engine::Engine;
