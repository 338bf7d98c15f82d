//! Writes a batch into the tables.

use steward_engine::WriteBatch;
use steward_engine::row::{Row, RowKey};

use super::Sql;
use super::numbers::Numbers;
use crate::error::StoreError;
use crate::rows::hashed::ByHash;
use crate::rows::{self, Settings, Write, setting};

/// Writes or removes each row of a batch. The rows were checked before.
pub(crate) fn write(db: &dyn Sql, numbers: &Numbers, batch: &WriteBatch) -> Result<(), StoreError> {
    batch.iter().try_for_each(|(key, row)| put(db, numbers, key, row))
}

fn put(db: &dyn Sql, numbers: &Numbers, key: &RowKey, row: Option<&Row>) -> Result<(), StoreError> {
    let statement = row.map_or_else(|| rows::delete(key), |row| Some(rows::put(row)));
    // A write without a statement was refused by the check before.
    let Some(mut statement) = statement else { return Ok(()) };
    if let Some(by_hash) = rows::by_hash(key) {
        let ByHash { table, hash, is_made } = by_hash;
        let number = match numbers.find(db, table, &hash)? {
            None if is_made && row.is_some() => Some(numbers.next(db, table, &hash)?),
            found => found,
        };
        statement.values.push(number.into());
    }
    match (db.run(statement.sql, &statement.values)?, statement.refusal) {
        (0, Some(refusal)) => Err(rows::bad_row(key, refusal)),
        _ => Ok(()),
    }
}

/// Writes a setting of the store's own.
pub(crate) fn put_own(db: &dyn Sql, name: &str, value: &[u8]) -> Result<(), StoreError> {
    db.run(Settings::PUT, &setting::put_own(name, value)).map(|_| ())
}
