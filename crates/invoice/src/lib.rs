//! BOLT11 invoices: build, parse and check.
//!
//! A thin, typed layer over `lightning-invoice`: our ids in and out, every error a sentence for
//! the user. Whether an invoice is ours or paid is not known here.
//!
//! Layout
//! - [`build`](mod@build): make and sign
//! - [`parse`](mod@parse): read and check
//! - [`hint`]: route hints
#![forbid(unsafe_code)]

pub mod build;
pub mod hint;
pub mod limits;
pub mod parse;

pub use build::{BuildError, NewInvoice, build};
pub use hint::HintHop;
pub use parse::{Invoice, ParseError, WrongNetwork, parse};

/// What an invoice is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Description {
    /// In words.
    Text(String),
    /// SHA-256 of words told elsewhere.
    Hash([u8; 32]),
}
