//! BOLT 4 onions: peel, forward, blinded hops, failures with attribution.
//!
//! Pure functions over bytes and keys, without channels, policy or chain. Forwarding and everything
//! about failures is written here; the rules of the last hop and the making of an onion are LDK's,
//! because LDK exposes these two.
//!
//! Layout
//! - `peel`: our layer of an incoming HTLC's onion, and where the HTLC goes next
//! - `receive`: the layer of an HTLC that ends here
//! - `send`: the onion of a payment of ours
//! - `failure`: failure messages
//! - `failure_packet`: how failures travel back
//! - `attribution`: which hop spoiled a failure, and how long each hop held an HTLC
//! - `sphinx`: one layer of an onion packet; `payload`: the TLVs in it
//! - `blinding`: the same for the hops of a blinded path
//! - `keys`: keys and streams derived from a shared secret
//! - `signer`: one of our identities in the form that LDK's code asks for
//! - [`limits`]: every limit of this layer
//!
//! A payment over one hop:
//! ```
//! use bitcoin::secp256k1::{PublicKey, SECP256K1, SecretKey};
//! use steward_onion::{Hop, IncomingHtlc, OnionSeed, PathHop, Recipient, create, peel, receive};
//! use steward_wire::{NodeId, Preimage, ShortChannelId};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let key = SecretKey::from_slice(&[1; 32])?;
//! let payment_hash = Preimage([2; 32]).hash();
//! let path = [PathHop {
//!     node_id: NodeId::from(PublicKey::from_secret_key(SECP256K1, &key)),
//!     scid: ShortChannelId(7),
//!     fee_msat: 50_000,
//!     cltv_expiry_delta: 144,
//! }];
//! let recipient =
//!     Recipient { payment_secret: Some([3; 32]), total_msat: 50_000, ..Recipient::default() };
//! let seed = OnionSeed { session_key: [4; 32], prng_seed: [5; 32], height: 900_000 };
//! let payment = create(&path, &recipient, &payment_hash, &seed)?;
//!
//! let htlc = IncomingHtlc {
//!     onion: &payment.onion,
//!     payment_hash,
//!     amount_msat: payment.amount_msat,
//!     cltv_expiry: payment.cltv_expiry,
//!     path_key: None,
//! };
//! assert_eq!(peel(&key, &htlc)?.hop, Hop::Final);
//! assert_eq!(receive(&key, &htlc, 900_000)?.payment_secret, Some([3; 32]));
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![warn(clippy::print_stdout)]

mod attribution;
mod blinding;
mod failure;
mod failure_packet;
mod keys;
pub mod limits;
mod payload;
mod peel;
mod receive;
mod send;
mod signer;
mod sphinx;

pub use attribution::{
    AttributedFailure, Attribution, HoldTimes, attribute_fulfill, build_attributed_failure,
    read_failure_attribution, read_fulfill_attribution, wrap_attributed_failure,
};
pub use failure::{Failure, code};
pub use failure_packet::{DecodedFailure, build_failure, decode_failure, wrap_failure};
pub use payload::NextHop;
pub use peel::{Blinding, Forward, Hop, IncomingHtlc, PeelError, Peeled, peel};
pub use receive::{Received, receive};
pub use send::{CreateError, OnionSeed, PathHop, PaymentOnion, Recipient, create, create_blinded};
