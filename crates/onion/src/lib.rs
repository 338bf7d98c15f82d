//! BOLT4 onions: peel, forward, blinded hops, failures with attribution.
//!
//! Pure functions over bytes and keys; no channel, no policy, no chain. Forwarding and everything
//! about failures is written here, the last hop's rules and the making of an onion are LDK's,
//! because that is what LDK exposes.
//!
//! Layout
//! - [`peel`]: our layer of an incoming HTLC's onion; where it goes on to
//! - [`receive`]: the layer of an HTLC that ends here
//! - [`send`]: an onion for a payment of ours
//! - [`failure`]: failure messages
//! - [`failure_packet`]: how they travel back
//! - [`attribution`]: who spoiled a failure, who held an HTLC for how long
#![forbid(unsafe_code)]

pub mod attribution;
mod blinding;
pub mod failure;
pub mod failure_packet;
mod keys;
pub mod limits;
mod payload;
pub mod peel;
pub mod receive;
pub mod send;
mod signer;
mod sphinx;

pub use attribution::{
    AttributedFailure, Attribution, HoldTimes, attribute_fulfil, build_attributed_failure,
    read_failure_attribution, read_fulfil_attribution, wrap_attributed_failure,
};
pub use failure::Failure;
pub use failure_packet::{DecodedFailure, build_failure, decode_failure, wrap_failure};
pub use peel::{Blinding, Forward, Hop, IncomingHtlc, NextHop, PeelError, Peeled, peel};
pub use receive::{Received, receive};
pub use send::{CreateError, OnionSeed, PathHop, PaymentOnion, Recipient, create, create_blinded};
pub use signer::receive_auth_key;
