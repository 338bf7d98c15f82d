//! Every limit of invoices.

/// The longest invoice, in characters: the number that all implementations agree on.
pub const MAX_INVOICE_CHARS: usize = 7_089;
/// The longest description, in bytes (BOLT 11: 1023 groups of five bits).
pub const MAX_DESCRIPTION_BYTES: usize = 639;
/// The longest route hint, in hops (BOLT 11: 1023 groups of five bits).
pub const MAX_HINT_HOPS: usize = 12;
/// The largest creation time, in seconds since 1970 (BOLT 11: 35 bits).
pub const MAX_CREATED_AT_UNIX: u64 = (1 << 35) - 1;
/// The longest time until an invoice may no longer be paid, in seconds: 136 years. A longer one is
/// not built, and is read as this, so that every time can be represented by other programs.
pub const MAX_EXPIRY_S: u64 = (1 << 32) - 1;
/// The largest amount that we ask for, in millisatoshi: 18.4 million bitcoin, because the library
/// counts in tenths of a millisatoshi. A larger one can be read.
pub const MAX_AMOUNT_MSAT: u64 = u64::MAX / 10;

/// The longest text in which an invoice is looked for, in characters: an invoice in a URI, with
/// white space, and each byte of it escaped.
pub const MAX_PASTED_CHARS: usize = 8 * MAX_INVOICE_CHARS;
