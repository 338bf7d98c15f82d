//! BOLT 11 invoices: build, parse and check.
//!
//! The crate speaks in our ids, and every error is a sentence for the user. It does not know
//! whether an invoice is ours or paid. `lightning-invoice` writes invoices; reading is our own
//! code, because a payee signs the text as it wrote it, and the library checks signatures over the
//! text as the library would have written it.
//!
//! Layout
//! - `build`: makes and signs an invoice
//! - `parse`: reads and checks one, by `groups` of five bits: the `prefix` with the
//!   amount, the tagged `fields` with `features` and `hint`s, the `signature`
//! - [`pasted`]: finds the invoice in what people paste, or names what that is instead
//! - `error`: the reasons why a text is not an invoice that we can pay
//! - [`limits`]: every limit of invoices
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
//!     payment_hash: Preimage([2; 32]).hash(),
//!     payment_secret: [3; 32],
//!     amount_msat: Some(50_000),
//!     description: Description::Text("coffee".to_owned()),
//!     created_at_unix: 1_790_000_000,
//!     expiry_s: 3_600,
//!     min_final_cltv_expiry_delta: 144,
//!     hints: Vec::new(),
//!     basic_mpp: true,
//! }, &SecretKey::from_slice(&[1; 32])?)?;
//! let invoice = parse(&text)?;
//! assert_eq!(invoice.amount_msat, Some(50_000));
//! invoice.check_network(Network::Regtest)?;
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![warn(clippy::print_stdout)]

mod build;
mod error;
mod features;
mod fields;
mod groups;
mod hint;
pub mod limits;
mod parse;
pub mod pasted;
mod prefix;
mod signature;

pub use build::{BuildError, NewInvoice, build};
pub use error::{ParseError, RequiredFeature, WrongNetwork};
pub use hint::HintHop;
pub use parse::{Invoice, parse};

/// The purpose of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Description {
    /// The purpose in words.
    Text(String),
    /// The SHA-256 of words that the payer knows from elsewhere.
    Hash([u8; 32]),
}
