//! A copy of a database in use, and the proof that a copy is whole.

use std::fs::{self, File, OpenOptions};
use std::path::Path;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use steward_hosted::Role;

use super::columns;
use super::load::{self, rows};
use super::open::{self, Owner};
use crate::error::StoreError;
use crate::lock::private;

/// What [`verify`] read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Whose database it is.
    pub owner: Owner,
    /// Its schema version.
    pub schema_version: u32,
    /// Rows read, over all tables.
    pub rows: u64,
    /// Channels among them.
    pub channels: u64,
    /// Channels in which this node is the host.
    pub hosted: u64,
    /// Grows with everything the node does: of two copies of one database the newer has more.
    pub history: u64,
}

/// Copies the database at `from`, in use or not, to the new file `to`: one moment of it, complete
/// in one file, verified, private to its owner. The writer goes on meanwhile.
///
/// # Errors
/// [`StoreError::AlreadyExists`] if `to` exists; else what makes `from` unreadable, `to`
/// unwritable or the copy fail [`verify`]. No half copy is left under the name `to`.
pub fn backup(from: &Path, to: &Path) -> Result<Verified, StoreError> {
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

/// Checks a database page by page, decodes every row of every table, and takes the sum of the
/// live rows. Changes nothing; works while the database is in use.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn verify(path: &Path) -> Result<Verified, StoreError> {
    let connection = open::reader(path)?;
    let db = connection.unchecked_transaction()?;
    let (owner, schema_version) = open::identify(&db, path)?;
    open::check_pages(&db, "integrity_check")?;
    if schema_version < super::SCHEMA_VERSION {
        // Its columns are another version's: the pages must do until it is migrated.
        return Ok(Verified { owner, schema_version, rows: 0, channels: 0, hosted: 0, history: 0 });
    }
    load::live_rows(&db)?;
    let roles = rows(&db, columns::CHANNEL, [], |row| Ok(columns::channel(row)?.role))?;
    let channels = roles.len() as u64;
    let hosted = roles.iter().filter(|role| **role == Role::Host).count() as u64;
    let all_rows = channels
        + count(&db, columns::ORIGIN, columns::origin)?
        + count(&db, columns::OUTBOX, columns::outbox)?
        + count(&db, columns::PREIMAGE, columns::preimage)?
        + count(&db, columns::PAYMENT, columns::payment)?
        + count(&db, columns::PART, columns::part)?
        + count(&db, columns::INVOICE, columns::invoice)?
        + count(&db, columns::FORWARD, columns::forward)?
        + count(&db, columns::EVIDENCE, columns::evidence)?
        + count(&db, columns::EVENT, columns::event)?
        + count(&db, columns::PEER, columns::peer)?
        + count(&db, columns::SETTING, columns::setting)?;
    let numbered = ["event", "evidence", "forward", "invoice", "payment", "preimage"];
    let history = numbered.iter().try_fold(0_u64, |sum, table| {
        Ok::<_, StoreError>(sum.saturating_add(load::last_number(&db, table)?))
    })?;
    Ok(Verified { owner, schema_version, rows: all_rows, channels, hosted, history })
}

/// Reads every row, keeps none.
fn count<T>(
    db: &Connection,
    sql: &str,
    read: impl Fn(&rusqlite::Row<'_>) -> Result<T, StoreError>,
) -> Result<u64, StoreError> {
    let nothings = rows(db, sql, [], |row| read(row).map(|_| ()))?;
    Ok(nothings.len() as u64)
}

fn copy(from: &Path, partial: &Path) -> Result<(), StoreError> {
    let source = open::reader(from)?;
    // Refuses what is not ours before anything is written.
    open::identify(&source, from)?;
    open::remove(partial)?;
    private(OpenOptions::new().write(true).create_new(true))
        .open(partial)
        .map_err(|e| StoreError::io("create", partial, &e))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut target = Connection::open_with_flags(partial, flags)?;
    // All pages in one step: one read transaction, which no commit can make start again.
    if Backup::new(&source, &mut target)?.step(-1)? != StepResult::Done {
        return Err(StoreError::Busy);
    }
    // One file, without a log beside it.
    target.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))?;
    target.close().map_err(|(_, error)| error)?;
    let sync = || File::options().read(true).write(true).open(partial)?.sync_all();
    sync().map_err(|e| StoreError::io("sync", partial, &e))
}
