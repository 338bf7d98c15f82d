//! Writes a batch into the tables.

use steward_engine::WriteBatch;
use steward_engine::row::{Row, RowKey};

use super::Sql;
use crate::error::StoreError;
use crate::rows::{self, Settings, Write, setting};

/// Writes or removes each row of a batch. The rows were checked before.
pub(crate) fn write(db: &dyn Sql, batch: &WriteBatch) -> Result<(), StoreError> {
    batch.iter().try_for_each(|(key, row)| put(db, key, row))
}

fn put(db: &dyn Sql, key: &RowKey, row: Option<&Row>) -> Result<(), StoreError> {
    let statement = row.map_or_else(|| rows::delete(key), |row| Some(rows::put(row)));
    // A write without a statement was refused by the check before.
    let Some(statement) = statement else { return Ok(()) };
    match (db.run(statement.sql, &statement.values)?, statement.refusal) {
        (0, Some(refusal)) => Err(rows::bad_row(key, refusal)),
        _ => Ok(()),
    }
}

/// Writes a setting of the store's own.
pub(crate) fn put_own(db: &dyn Sql, name: &str, value: &[u8]) -> Result<(), StoreError> {
    db.run(Settings::PUT, &setting::put_own(name, value)).map(|_| ())
}
