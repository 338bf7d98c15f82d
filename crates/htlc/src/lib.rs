//! The vocabulary of HTLCs in which a channel, of whatever kind, and the engine speak. No I/O.
//!
//! A channel takes a [`LinkInput`] and answers with [`LinkEvent`]s, in the order in which they must
//! take effect. What only one kind of channel can do stays in that channel's own crate (docs/design.md
//! section 3, "Links"); the words here name only what it does to HTLCs.
//!
//! Layout
//! - [`ids`](IncomingHtlcId): the ids of HTLCs
//! - [`input`](LinkInput): the inputs of a channel
//! - [`event`](LinkEvent): the events that a channel reports
//! - [`add`](NewHtlc): an HTLC to offer, and its refusal
//! - [`settlement`](Settlement): the answer to an HTLC: a preimage or a failure
//! - [`view`](IncomingHtlc): what can be read of an HTLC that is in a channel
#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![warn(clippy::print_stdout)]

mod add;
mod event;
mod ids;
mod input;
mod settlement;
mod view;

pub use add::{AddRefusal, AddToken, NewHtlc};
pub use event::{DropCause, LinkEvent};
pub use ids::{IncomingHtlcId, OutgoingHtlcId};
pub use input::LinkInput;
pub use settlement::{Failure, Settlement};
pub use view::{IncomingHtlc, IncomingSettlement, OutgoingHtlc};
