//! The state machine of one funded channel (BOLT 2), fundee side, without I/O.
//!
//! A [`Channel`] is a pure value. Feed it an [`Input`]; it answers with [`Output`]s, in the order
//! they must take effect, none before its record is durable. docs/funded.md tells its states, what
//! must be durable before what leaves, and its deadlines.
//!
//! Layout
//! - [`bolt3`]: transactions, fees, keys and signatures (BOLT 3)
//! - [`io`](Output): inputs, outputs, and what a channel knows of the world
//! - `channel`: [`Channel`], an opening or a live channel
//! - `opening`: from `open_channel` to `funding_signed`, and the terms we accept
//! - `live`: what a channel remembers from then on
//! - `session`: what lives as long as a connection
//! - `step`: the dispatch of one input, and the answers to wrong messages
//! - `ready`: from the funding's confirmations to an open channel; the peer's terms
//! - `ledger`: balances, HTLCs and fee rates of both commitments, as one value
//! - `peer_updates`: the peer's updates
//! - `own_updates`: ours, from the queue onto the wire
//! - `dust`: what is lost to miners if a commitment confirms
//! - `commit`: `commitment_signed` and `revoke_and_ack`, both ways
//! - `reestablish`: what each side has on a new connection, and what is sent again
//! - `shutdown`: the cooperative close
//! - `closing`: the one decision that the channel ends
//! - `deadlines`: what a block brings
//! - `spend`: which commitment spends the funding output
//! - `view`: what can be read of a channel: [`Summary`], HTLCs
//! - `defence`: what is needed to resolve it on chain
//! - `record`: the durable form; `rows`: HTLCs and revoked commitments beside it; `codec`: the
//!   primitives of both
//! - [`limits`]: named limits
#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![warn(clippy::print_stdout)]

pub mod bolt3;
mod channel;
mod closing;
mod codec;
mod commit;
mod deadlines;
mod defence;
mod dust;
mod io;
mod ledger;
pub mod limits;
mod live;
mod opening;
mod own_updates;
mod peer_updates;
mod ready;
mod record;
mod reestablish;
mod rows;
mod session;
mod shutdown;
mod spend;
mod step;
mod view;

pub use channel::Channel;
pub use defence::{Defence, LocalDefence, RemoteDefence};
pub use io::*;
pub use opening::{AcceptTerms, CHANNEL_TYPE, Refusal};
pub use record::RecordError;
pub use rows::ArchivedCommitment;
pub use view::{Ending, Phase, Summary};
