//! The settings of the store's own, which are read before the engine's rows are.

use rusqlite::{Connection, OptionalExtension};

use crate::error::StoreError;

/// Reads a setting that every database has.
pub(crate) fn own(connection: &Connection, name: &'static str) -> Result<Vec<u8>, StoreError> {
    let sql = "SELECT value FROM setting WHERE name = ?1";
    let value = connection.query_row(sql, [name], |row| row.get(0)).optional()?;
    value.ok_or_else(|| unreadable(name, "missing"))
}

/// Returns the error about a setting that is there and means nothing.
pub(crate) fn unreadable(key: &str, reason: &str) -> StoreError {
    StoreError::Decode { table: "setting", key: key.to_owned(), reason: reason.to_owned() }
}
