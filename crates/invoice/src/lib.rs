//! BOLT11 invoices: build, parse and check.
//!
//! Our ids in and out, every error a sentence for the user. Whether an invoice is ours or paid is
//! not known here. `lightning-invoice` writes; reading is our own, because a payee signs the text
//! as it wrote it, and the library checks signatures over the text as it would have written it.
//!
//! Layout
//! - [`build`](mod@build): make and sign
//! - [`parse`](mod@parse): read and check, by `groups` of five bits: the `prefix` with the amount,
//!   the tagged `fields` with `features` and [`hint`]s, the `signature`
//! - [`pasted`]: the invoice in what people paste, or what that is instead
//! - [`error`]: why not
//!
//! ```
//! use bitcoin::Network;
//! use bitcoin::secp256k1::SecretKey;
//! use steward_invoice::{Description, NewInvoice, build, parse};
//! use steward_wire::Preimage;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let text = build(&NewInvoice {
//!     network: Network::Regtest,
//!     payee: SecretKey::from_slice(&[1; 32])?,
//!     payment_hash: Preimage([2; 32]).hash(),
//!     payment_secret: [3; 32],
//!     amount_msat: Some(50_000),
//!     description: Description::Text("coffee".to_owned()),
//!     created_at_unix: 1_790_000_000,
//!     expiry_s: 3_600,
//!     min_final_cltv_expiry_delta: 144,
//!     hints: Vec::new(),
//!     basic_mpp: true,
//! })?;
//! let invoice = parse(&text)?;
//! assert_eq!(invoice.amount_msat, Some(50_000));
//! invoice.check_network(Network::Regtest)?;
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

pub mod build;
pub mod error;
mod features;
mod fields;
mod groups;
pub mod hint;
pub mod limits;
pub mod parse;
pub mod pasted;
mod prefix;
mod signature;

pub use build::{BuildError, NewInvoice, build};
pub use error::{ParseError, RequiredFeature, WrongNetwork};
pub use hint::HintHop;
pub use parse::{Invoice, parse};

/// What an invoice is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Description {
    /// In words.
    Text(String),
    /// SHA-256 of words told elsewhere.
    Hash([u8; 32]),
}
