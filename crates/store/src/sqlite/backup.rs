//! A copy of a database in use, and the proof that a copy is whole.

use std::fs::{self, File, OpenOptions};
use std::path::Path;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::open;
use crate::error::StoreError;
use crate::lock::private;
use crate::sql::count::{Counts, count};
use crate::store::Verified;

/// Copies the database at `from`, in use or not, to the new file `to`, as
/// [`History::backup`](crate::History::backup) says: one moment of it, in one file.
pub(crate) fn backup(from: &Path, to: &Path) -> Result<Verified, StoreError> {
    if open::exists(to)? {
        return Err(StoreError::AlreadyExists { path: to.to_owned() });
    }
    let partial = open::with_suffix(to, ".partial");
    let result = copy(from, &partial).and_then(|()| verify(&partial));
    if result.is_err() {
        open::remove(&partial)?;
        return result;
    }
    if open::exists(to)? {
        open::remove(&partial)?;
        return Err(StoreError::AlreadyExists { path: to.to_owned() });
    }
    fs::rename(&partial, to).map_err(|e| StoreError::io("rename", &partial, &e))?;
    open::sync_dir(to)?;
    result
}

/// Checks a database as [`History::verify`](crate::History::verify) says.
pub(crate) fn verify(path: &Path) -> Result<Verified, StoreError> {
    let connection = open::reader(path)?;
    let db = connection.unchecked_transaction()?;
    let (owner, schema_version) = open::identify(&db, path)?;
    open::check_pages(&db, "integrity_check")?;
    if schema_version < super::SCHEMA_VERSION {
        // Its columns are another version's: a check of the pages must do until it is migrated.
        return Ok(Verified { owner, schema_version, rows: 0, channels: 0, hosted: 0, history: 0 });
    }
    super::live_rows(&db)?;
    let Counts { rows, channels, hosted, history } = count(&*db)?;
    Ok(Verified { owner, schema_version, rows, channels, hosted, history })
}

fn copy(from: &Path, partial: &Path) -> Result<(), StoreError> {
    let source = open::reader(from)?;
    // A file that is not ours is refused before anything is written.
    open::identify(&source, from)?;
    open::remove(partial)?;
    private(OpenOptions::new().write(true).create_new(true))
        .open(partial)
        .map_err(|e| StoreError::io("create", partial, &e))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut target = Connection::open_with_flags(partial, flags)?;
    // All pages go in one step: one read transaction, which no commit can make start again.
    if Backup::new(&source, &mut target)?.step(-1)? != StepResult::Done {
        return Err(StoreError::Busy);
    }
    // The copy is one file, without a log beside it.
    target.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))?;
    target.close().map_err(|(_, error)| error)?;
    let sync = || File::options().read(true).write(true).open(partial)?.sync_all();
    sync().map_err(|e| StoreError::io("sync", partial, &e))
}
