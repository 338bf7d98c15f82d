//! The numbers of rows that are found by a payment hash: each hash has one row at most, which the
//! one writer keeps so. It looks for a row before it makes one, in the transaction that makes it.
//!
//! A look-up asks the index segment by segment, the newest first. About the newest segments memory
//! knows which hashes are not in them, so that a new hash costs no probe of what is long past.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use steward_wire::PaymentHash;

use super::{Sql, last_number, rows};
use crate::error::StoreError;
use crate::limits::MAX_FILTERED_SEGMENTS;
use crate::rows::column::{Columns, values};
use crate::rows::hashed::{Hashed, START_BYTES, newest, segment, start_of};

/// What memory knows of the hashes in both tables: nothing at first, then the filters of the newest
/// segments. Shared by the writer, which adds to it before it commits, and its readers.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    payments: Mutex<Filters>,
    invoices: Mutex<Filters>,
}

/// The filters of segments. What one lacks is not in its segment; a segment without one is asked.
#[derive(Debug, Default)]
struct Filters(BTreeMap<u64, Filter>);

/// A Bloom filter: three bits for each hash, of 16 for each row that a segment may have.
struct Filter(Vec<u64>);

/// Bits that stand for one hash.
const BITS_OF_HASH: usize = 3;
/// Bits by which a bit of a filter is found: a filter has 2^20, which are 128 KiB.
const PLACE_BITS: u32 = 20;

impl Numbers {
    /// Reads the hashes of the newest segments, to be called within a transaction.
    pub(crate) fn fill(&self, db: &dyn Sql) -> Result<(), StoreError> {
        for table in [Hashed::Payment, Hashed::Invoice] {
            let last = last_number(db, table.name())?;
            for segment in newest(last, MAX_FILTERED_SEGMENTS) {
                let mut filter = Filter::empty();
                let starts = values![segment];
                db.ask(table.starts(), &starts, &mut |row| {
                    filter.add(Columns::new(row, table.name()).array()?);
                    Ok(())
                })?;
                self.of(table).0.insert(segment, filter);
            }
        }
        Ok(())
    }

    /// Returns the number of the row with this hash, to be called within a transaction.
    pub(crate) fn find(
        &self,
        db: &dyn Sql,
        table: Hashed,
        hash: &PaymentHash,
    ) -> Result<Option<u64>, StoreError> {
        let mut found = self.search(db, table, hash, |_| true)?;
        Ok(found.pop())
    }

    /// Returns the numbers of all rows with this hash, the newest first, to be called within a
    /// transaction. More than one is the work of a bug or of a hand.
    pub(crate) fn find_all(
        &self,
        db: &dyn Sql,
        table: Hashed,
        hash: &PaymentHash,
    ) -> Result<Vec<u64>, StoreError> {
        self.search(db, table, hash, |_| false)
    }

    /// Asks segment by segment until `is_enough` is found.
    fn search(
        &self,
        db: &dyn Sql,
        table: Hashed,
        hash: &PaymentHash,
        is_enough: impl Fn(u64) -> bool,
    ) -> Result<Vec<u64>, StoreError> {
        let last = last_number(db, table.name())?;
        let asked = self.of(table).may_hold(segment(last), start_of(hash));
        let mut numbers = Vec::new();
        for segment in asked {
            let by_hash = values![segment, &hash.0];
            for number in rows(db, table.name(), table.probe(), &by_hash, |c| c.number())? {
                numbers.push(number);
                if is_enough(number) {
                    return Ok(numbers);
                }
            }
        }
        Ok(numbers)
    }

    /// Returns the number of a new row, the next one.
    pub(crate) fn next(
        &self,
        db: &dyn Sql,
        table: Hashed,
        hash: &PaymentHash,
    ) -> Result<u64, StoreError> {
        let last = last_number(db, table.name())?;
        let number = last.saturating_add(1);
        self.of(table).add(number, segment(last) < segment(number), start_of(hash));
        Ok(number)
    }

    fn of(&self, table: Hashed) -> MutexGuard<'_, Filters> {
        let filters = match table {
            Hashed::Payment => &self.payments,
            Hashed::Invoice => &self.invoices,
        };
        // A panic elsewhere leaves a bit too many at worst.
        filters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Filters {
    /// Lists the segments that may hold a hash, the newest first.
    fn may_hold(&self, newest: u64, start: [u8; START_BYTES]) -> Vec<u64> {
        let may_hold = |segment: &u64| self.0.get(segment).is_none_or(|f| f.may_hold(start));
        (0..=newest).rev().filter(may_hold).collect()
    }

    fn add(&mut self, number: u64, begins_segment: bool, start: [u8; START_BYTES]) {
        if begins_segment {
            self.0.insert(segment(number), Filter::empty());
            while self.0.len() as u64 > MAX_FILTERED_SEGMENTS {
                self.0.pop_first();
            }
        }
        // Without a filter its segment is asked each time.
        if let Some(filter) = self.0.get_mut(&segment(number)) {
            filter.add(start);
        }
    }
}

impl Filter {
    fn empty() -> Self {
        Self(vec![0; 1 << (PLACE_BITS - u64::BITS.ilog2())])
    }

    fn add(&mut self, start: [u8; START_BYTES]) {
        for (word, bit) in bits(start) {
            if let Some(word) = self.0.get_mut(word) {
                *word |= bit;
            }
        }
    }

    fn may_hold(&self, start: [u8; START_BYTES]) -> bool {
        bits(start).all(|(word, bit)| self.0.get(word).is_some_and(|word| word & bit != 0))
    }
}

/// Returns the bits that stand for a hash, each as its word and its place there. A hash is random
/// enough to be its own.
fn bits(start: [u8; START_BYTES]) -> impl Iterator<Item = (usize, u64)> {
    let start = u64::from_be_bytes(start);
    (0..BITS_OF_HASH as u32).map(move |n| {
        let place = (start >> (n * PLACE_BITS)) & ((1 << PLACE_BITS) - 1);
        ((place / u64::from(u64::BITS)) as usize, 1 << (place % u64::from(u64::BITS)))
    })
}

impl std::fmt::Debug for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Filter").finish_non_exhaustive()
    }
}
