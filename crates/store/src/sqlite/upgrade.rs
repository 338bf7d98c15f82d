//! The way of a database from an older version to today's: a copy of it as it was, then the
//! migration. There is no other way back (docs/state-format.md, section 3).

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::backup::backup;
use super::open;
use super::schema::{self, SCHEMA_VERSION};
use crate::error::StoreError;
use crate::limits::MAX_COPIES_BEFORE_MIGRATION;

/// Brings the database to today's version, and leaves a copy of it beside it if it was older.
pub(crate) fn upgrade(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let found = schema::version(connection)?;
    if found >= SCHEMA_VERSION {
        return Ok(());
    }
    let copy = free_name(path, found)?;
    backup(path, &copy)?;
    tracing::info!(copy = %copy.display(), "the database was copied before its migration");
    let migrated = schema::migrate(connection);
    // The database is unchanged, and many starts that fail must not fill the disk.
    if migrated.is_err() {
        open::remove(&copy)?;
    }
    migrated
}

/// Returns a name that is free. A crash between copy and migration leaves a copy behind: it is
/// kept.
fn free_name(path: &Path, version: u32) -> Result<PathBuf, StoreError> {
    let first = open::before_migration(path, version);
    for number in 1..=MAX_COPIES_BEFORE_MIGRATION {
        let name = match number {
            1 => first.clone(),
            _ => open::with_suffix(&first, &format!("-{number}")),
        };
        if !open::exists(&name)? {
            return Ok(name);
        }
    }
    Err(StoreError::AlreadyExists { path: first })
}
