//! The commit pipeline around the engine, over any transport, router, chain source and signer that
//! a program brings.
//!
//! ```text
//! transport, blocks, commands ─▶ input queue ─▶ engine thread ─▶ commit thread ─▶ transport, replies, events
//! ```
//!
//! Nothing leaves before the writes it depends on are durable (docs/design.md section 4, rule 1):
//! the commit thread itself carries out the actions of what it has just made durable. The pipeline
//! needs the four traits of [`traits`] from outside.
//!
//! ```no_run
//! use std::sync::Arc;
//! use steward_engine::{Command, Config, Error, Input};
//! use steward_runtime::traits::{Blocks, PeerTransport, Router, Signer};
//! use steward_runtime::{Prepared, Stop, Surroundings};
//! use steward_store::Store;
//!
//! # async fn run(
//! #     config: Config, signer: Box<dyn Signer>, store: Box<dyn Store>,
//! #     transport: impl PeerTransport, router: impl Router, blocks: impl Blocks,
//! # ) -> Result<(), Error> {
//! let prepared = Prepared::load(config, signer, store, |_stored| Ok(()))?;
//! let surroundings = Surroundings {
//!     transport: Arc::new(transport),
//!     router: Arc::new(router),
//!     blocks: Arc::new(blocks),
//! };
//! let height = Input::Chain { height: 900_000, stale: false, asked_ms: None };
//! let runtime = prepared.start(surroundings, vec![height], Stop::new()).await?;
//! // Peers' messages go into runtime.inbox(), heights into runtime.inputs().
//! let status = runtime.command(Command::Status).await?;
//! # drop(status);
//! if let Some(ending) = runtime.begin_to_end() {
//!     let ended = runtime.end(ending).await;
//!     runtime.ended(ended);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Layout
//! - [`traits`]: the surroundings of the engine: transport, router, blocks, signer
//! - [`runtime`]: [`Prepared`] and [`Runtime`], which put the pipeline together
//! - `inbox`: the events of connections, on their way in
//! - `queue`: the bounded input queue, a line for each connection, turns
//! - `engine_thread`: takes inputs, closes batches; `delay`: writes that wait for company
//! - `perform`: carries out actions; `routes`: path-finding on threads of its own
//! - [`workers`]: threads for short work that blocks
//! - `search`: looks into blocks for published preimages
//! - `replies`: the callers that wait for answers; [`stop`]: the reason why it stopped
//! - `log_thread`: lines that peers can cause; `fakes`: surroundings for unit tests
//! - [`clock`]: the two clocks; [`counters`]: the runtime's counters
//! - [`error`]: errors of the store and of stopping
//! - [`limits`]: every bound
#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![warn(clippy::print_stdout)]

pub mod clock;
pub mod counters;
mod delay;
mod engine_thread;
pub mod error;
#[cfg(test)]
mod fakes;
mod inbox;
pub mod limits;
mod log_thread;
mod perform;
mod queue;
mod replies;
mod routes;
pub mod runtime;
mod search;
pub mod stop;
pub mod traits;
pub mod workers;

pub use counters::RuntimeMetrics;
pub use inbox::{Inbox, PeerEvent};
pub use queue::{Closed, InputSender};
pub use runtime::{Ending, Prepared, Runtime, Surroundings};
pub use search::CANNOT_SEARCH_HINT;
pub use stop::Stop;
