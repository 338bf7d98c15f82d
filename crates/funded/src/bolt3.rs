//! The transactions of BOLT 3: keys, outputs, fees, signatures.
//!
//! Layout
//! - [`parameters`](Parameters): what never changes in a channel
//! - [`fees`]: weights, fees, and which outputs are too small to exist
//! - [`contents`](Contents): what one commitment holds
//! - [`commitment`](Commitment): a commitment transaction and those of its HTLCs
//! - [`close`](Close): the transaction of a cooperative close
//! - [`signer`](ChannelSigner): our keys, behind a trait that hands out none
//! - [`shachain`](Shachain): the peer's revocation secrets

mod close;
mod commitment;
mod contents;
pub mod fees;
mod parameters;
mod shachain;
mod signer;

pub use close::Close;
pub use commitment::{BadSignature, BuiltCommitment, Commitment};
pub use contents::{CommitmentHtlc, Contents, HtlcKey};
pub use fees::Format;
pub use parameters::{Basepoints, Parameters, Side, SideTerms};
pub use shachain::{BadSecret, Shachain, derive_secret};
pub use signer::{ChannelSigner, LdkSigner, SignerUnavailable};
