//! All channels of one node and what joins them: forwards, payments, invoices. No I/O.
//!
//! [`Engine`] is a pure value (docs/design.md section 3). The runtime feeds it [`Input`]s, takes a
//! batch of [`Effects`] with [`Engine::finish`], makes the batch's writes durable and only then
//! carries out its actions.
//!
//! Layout
//! - `face`: inputs, actions and events ([`io`], [`event`]), the operator's commands ([`command`]) and
//!   settings ([`config`]), rows ([`row`]), the hold times of a part ([`HoldReport`]), errors and the
//!   list of their codes ([`error`], [`code`]), our identities ([`Signer`]), every limit ([`limits`])
//! - `engine`: the parts, and the one place that hands each input, command and step to its owner
//! - `audit`: what the parts remember of one HTLC agrees, at the end of each batch
//! - `context`: the context of every part: configuration, keys, clocks, the chain's tip, preimages, the
//!   batch, the queue of steps
//! - `step`: requests of one part to another
//! - `link`: channels (`links`), their reports (`events`, `hosted`), connections (`connections`, `peer_book`, `allowance`), the
//!   opening of channels (`opening`, `quotas`, `forgotten`), our terms (`policy`, `resize`), and
//!   messages kept as evidence (`evidence`)
//! - `htlc`: an HTLC offered to us (`incoming`), one that we offer (`outgoing`), the content of an onion
//!   (`onion`), attribution data (`attribution`), preimages published on chain (`chain_search`)
//! - `relay`: forwards (`forward`): whether an HTLC is passed on, and which fulfill or failure goes back
//!   for it. What cannot be read never gets there: `htlc::onion` refuses it
//! - `pay`: our own payments (`payments`), the meaning of a failure of one (`failure`), their first hops
//!   (`first_hops`), the most that can be sent (`send_all`). Routes are asked for by
//!   [`Action::FindRoute`]; the engine does not know the network
//! - `receive`: invoices, those that are open (`open_invoices`), and the parts of payments to us
//!   (`sets`)
//! - `recover`: going on after a restart (`resume`), also when our data may be an old copy
//!   (`stale_data`)
//! - `operator`: the operator's commands, carried out
#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![warn(clippy::print_stdout)]

mod audit;
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
