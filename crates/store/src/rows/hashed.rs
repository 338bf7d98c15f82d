//! Tables whose rows have numbers and are found by a payment hash.
//!
//! A unique index of hashes is written somewhere else for each row: with a million rows stored, each
//! new one costs a page of its own. Instead the index `*_by_hash` is in the order of segments of
//! 65 536 numbers, and of hashes only within a segment: a new row changes a page of the newest one.

use std::ops::RangeInclusive;

use steward_wire::PaymentHash;

/// The rows of a segment are those whose numbers are equal but for this many bits.
pub(crate) const SEGMENT_BITS: u32 = 16;

/// The bytes of a hash that are in the index.
pub(crate) const START_BYTES: usize = 8;

/// A table of which a row is found by its payment hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hashed {
    Payment,
    Invoice,
}

/// The row that a write is about, by its hash. The writer puts the row's number behind the other
/// values, or NULL if there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ByHash {
    pub(crate) table: Hashed,
    pub(crate) hash: PaymentHash,
    /// True if a write makes the row if it is missing.
    pub(crate) is_made: bool,
}

impl Hashed {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Payment => "payment",
            Self::Invoice => "invoice",
        }
    }

    /// Finds the number of the row with hash `?2` in segment `?1`, in one probe of the index.
    pub(crate) const fn probe(self) -> &'static str {
        match self {
            Self::Payment => {
                "SELECT number FROM payment WHERE number >> 16 = ?1
                     AND substr(payment_hash, 1, 8) = substr(?2, 1, 8) AND payment_hash = ?2"
            }
            Self::Invoice => {
                "SELECT number FROM invoice WHERE number >> 16 = ?1
                     AND substr(payment_hash, 1, 8) = substr(?2, 1, 8) AND payment_hash = ?2"
            }
        }
    }

    /// Finds a hash that has more than one row. No index keeps the writer from making a second one.
    pub(crate) const fn twice(self) -> &'static str {
        match self {
            Self::Payment => {
                "SELECT payment_hash FROM payment GROUP BY payment_hash HAVING count(*) > 1 LIMIT 1"
            }
            Self::Invoice => {
                "SELECT payment_hash FROM invoice GROUP BY payment_hash HAVING count(*) > 1 LIMIT 1"
            }
        }
    }

    /// Lists the starts of the hashes in segment `?1`, from the index alone.
    pub(crate) const fn starts(self) -> &'static str {
        match self {
            Self::Payment => {
                "SELECT substr(payment_hash, 1, 8) FROM payment INDEXED BY payment_by_hash
                 WHERE number >> 16 = ?1"
            }
            Self::Invoice => {
                "SELECT substr(payment_hash, 1, 8) FROM invoice INDEXED BY invoice_by_hash
                 WHERE number >> 16 = ?1"
            }
        }
    }
}

/// Returns the segment of a row.
pub(crate) const fn segment(number: u64) -> u64 {
    number >> SEGMENT_BITS
}

/// Returns the newest segments up to that of the row `last`, at most `count` of them.
pub(crate) fn newest(last: u64, count: u64) -> RangeInclusive<u64> {
    let newest = segment(last);
    newest.saturating_sub(count.saturating_sub(1))..=newest
}

/// Returns the part of a hash that is in the index.
pub(crate) fn start_of(hash: &PaymentHash) -> [u8; START_BYTES] {
    let [a, b, c, d, e, f, g, h, ..] = hash.0;
    [a, b, c, d, e, f, g, h]
}
