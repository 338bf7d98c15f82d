//! The answers as people read them.
//!
//! - `node`: status, metrics, peers, forwards
//! - `channel`, `payment`, `evidence`: what each is about
//! - [`foreign`]: text that others wrote; [`table`]: columns; [`when`]: dates; `words`: what several answers share

pub use self::channel::{channel, channel_details, channels, proof};
pub use self::evidence::{evidence, evidence_list, proved_override};
pub use self::node::{forwards, metrics, peers, status};
pub use self::payment::{decoded, invoice, invoices, payment, payment_details, payments};

mod channel;
mod evidence;
pub mod foreign;
mod node;
mod payment;
pub mod table;
pub mod when;
mod words;
