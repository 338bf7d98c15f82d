//! The typed operations of a node: each asks, waits for the outcome where there is one, and returns
//! its own type. API, command line and programs that embed a node call the same ones.
//!
//! Layout
//! - [`plumbing`]: [`Plumbing`](plumbing::Plumbing), the ground below the operations: a running node, or a fake of one
//! - `ask`: the table of commands and their replies; the only place that looks into a reply
//! - [`wait`]: the time that an operation waits for its outcome
//! - `operations`: [`Operations`] itself, and what is about the node as a whole
//! - `channels`: list, show, open, suspend, override, resize, forget
//! - [`requests`]: requests to pay and to be paid, and what comes of them
//! - `payments`: pay an invoice or a node, and wait for the end
//! - `invoices`: make, show and list invoices
//! - `peers`: list, connect, forget
//! - [`evidence`]: the messages kept against a peer, and the balance they prove
//! - `records`: the stored lists: payments, forwards, events

mod ask;
mod channels;
pub mod evidence;
mod invoices;
mod operations;
mod payments;
mod peers;
pub mod plumbing;
mod records;
pub mod requests;
pub mod wait;

pub use self::channels::OverrideBalance;
pub use self::operations::Operations;
