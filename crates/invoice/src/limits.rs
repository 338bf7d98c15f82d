//! Every limit of invoices, in one place.

/// Longest invoice, in characters; the number all implementations agree on.
pub const MAX_INVOICE_CHARS: usize = 7_089;
/// Longest description, in bytes (BOLT11: 1023 groups of five bits).
pub const MAX_DESCRIPTION_BYTES: usize = 639;
/// Longest route hint, in hops (BOLT11: 1023 groups of five bits).
pub const MAX_HINT_HOPS: usize = 12;
/// Largest creation time, in seconds since 1970 (BOLT11: 35 bits).
pub const MAX_CREATED_AT_UNIX: u64 = (1 << 35) - 1;
/// Longest time until an invoice may no longer be paid, in seconds: 136 years. More is not built,
/// and read as this, so that no time we tell is beyond what programs can count.
pub const MAX_EXPIRY_S: u64 = (1 << 32) - 1;
/// Largest amount that we ask for, in millisatoshi: 18.4 million bitcoin, because the library
/// counts in tenths of a millisatoshi. More is read.
pub const MAX_AMOUNT_MSAT: u64 = u64::MAX / 10;

/// Longest text in which an invoice is looked for, in characters: an invoice in a URI, with white
/// space, and each byte of it escaped.
pub const MAX_PASTED_CHARS: usize = 8 * MAX_INVOICE_CHARS;
