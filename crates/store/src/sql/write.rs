//! A batch into the tables.

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
    let statement = match row {
        Some(row) => rows::put(row),
        None => rows::delete(key),
    };
    let changed = db.run(statement.sql, &statement.values)?;
    if statement.must_change && changed == 0 { Err(rows::taken(key)) } else { Ok(()) }
}

/// Writes a setting of the store's own.
pub(crate) fn put_own(db: &dyn Sql, name: &str, value: &[u8]) -> Result<(), StoreError> {
    db.run(Settings::PUT, &setting::put_own(name, value)).map(|_| ())
}
