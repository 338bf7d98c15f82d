//! The on-chain life of a funded channel after its death: LDK's `ChannelMonitor`, made from our own
//! record at that moment. Claims, time-outs, penalties, preimages, fees and reorgs are LDK's work; what
//! it needs and what it finds passes through plain values (docs/resolver.md).
//!
//! A [`Resolver`] is fed blocks and preimages and answers with [`Output`]s. It does no I/O and reads no
//! clock; what it stores is a row of the engine's batch, what it publishes an action after it.
//!
//! Layout
//! - [`record`](ChannelAtDeath): what a channel knows at its death, in values of our own
//! - `from_funded`: the record, from what crate `funded` knows
//! - [`keys`](ChannelKeys): the keys of our channels
//! - `check`: limits of a record, and numbers that follow each other
//! - `ldk_values`: the record in LDK's types
//! - `secrets`: the secrets with which the remote side revoked its commitments
//! - `source`: how an outgoing HTLC is named inside the monitor
//! - `encoding`: TLV streams and options in LDK's bytes
//! - `monitor_bytes`: the writer of a monitor
//! - [`not_defendable`](NotDefendable): why a channel could not be defended
//! - [`dry_run`](fn@dry_run): writes a monitor while the channel lives, and sees whether it would do its work
//! - [`resolver`](Resolver): one dying channel
//! - [`io`](Input): what a resolver is told, and what it answers
//! - [`fees`](Feerates), [`coins`](Coins): feerates, and the wallet as the resolver sees it
//! - `collected`: what LDK gives away, in an order of our own
//! - `sweep`: outputs that need a key of the channel
//! - `twins`: HTLCs that LDK takes for each other in a revoked commitment
//! - [`balance`](Balance): what is ours
//! - [`blob`](ReadError): the stored form
//! - [`limits`]: named limits
#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![warn(clippy::print_stdout)]

mod balance;
mod blob;
mod check;
mod coins;
mod collected;
mod dry_run;
mod encoding;
mod fees;
mod from_funded;
mod io;
mod keys;
mod ldk_values;
pub mod limits;
mod monitor_bytes;
mod not_defendable;
mod record;
mod resolver;
mod secrets;
mod source;
mod sweep;
mod twins;

pub use balance::Balance;
pub use blob::{LDK_VERSION, ReadError};
pub use coins::{Coin, Coins};
pub use dry_run::{Defence, dry_run};
pub use fees::Feerates;
pub use io::{Input, Output, Purpose};
pub use keys::ChannelKeys;
pub use not_defendable::NotDefendable;
pub use record::*;
pub use resolver::{Env, Resolver};
