//! A backup put in the place of a database. The database that was there is kept.

use std::fs;
use std::path::{Path, PathBuf};

use super::backup::{backup, verify};
use super::open::{self, FILE_NAME};
use super::schema::SCHEMA_VERSION;
use crate::error::StoreError;
use crate::limits::MAX_SET_ASIDE;
use crate::lock::DirLock;
use crate::store::{Owner, Verified};

/// The databases that may be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// None, or one that has no channels.
    Nothing,
    /// Any, because the operator has said so.
    Anything,
}

/// The outcome of a restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The content of the backup.
    pub verified: Verified,
    /// The name under which the database that was there is kept.
    pub set_aside: Option<PathBuf>,
}

/// Puts a copy of the backup `from` in the place of the database of a locked data directory.
///
/// The backup is read as a whole before anything is touched; a crash at any point leaves either the
/// old database, or none beside a complete copy of each, and the restore can be repeated.
///
/// # Errors
/// Fails if the backup is unusable, or not `owner`'s; [`StoreError::InTheWay`] if the database
/// there has channels, or cannot be read, and `over` does not allow for that.
pub fn restore(
    lock: &DirLock,
    from: &Path,
    owner: &Owner,
    over: Over,
) -> Result<Restored, StoreError> {
    let path = lock.dir().join(FILE_NAME);
    if is_same_file(from, &path) {
        return Err(StoreError::AlreadyExists { path });
    }
    let found = verify(from)?;
    open::check_owner(&found.owner, owner)?;
    let is_pristine = look_at_present(&path, &found, over)?;

    let fresh = open::with_suffix(&path, ".restored");
    open::remove(&fresh)?;
    let verified = backup(from, &fresh)?;
    let set_aside = match is_pristine {
        Some(false) => Some(set_aside(&path)?),
        Some(true) | None => {
            open::remove(&path)?;
            None
        }
    };
    fs::rename(&fresh, &path).map_err(|e| StoreError::io("rename", &fresh, &e))?;
    open::sync_dir(&path)?;
    Ok(Restored { verified, set_aside })
}

/// Returns true if the database that is there is as `init` made it; `None` if there is none.
/// Refuses one that may be worth something.
fn look_at_present(path: &Path, backup: &Verified, over: Over) -> Result<Option<bool>, StoreError> {
    if !open::exists(path)? {
        return Ok(None);
    }
    let present = verify(path);
    let in_the_way =
        |what: &str| StoreError::InTheWay { path: path.to_owned(), what: what.to_owned() };
    let is_pristine = match &present {
        Ok(present) if present.schema_version == SCHEMA_VERSION && present.channels == 0 => {
            present.rows <= PRISTINE_ROWS
        }
        _ if over == Over::Anything => false,
        Ok(present) if present.schema_version != SCHEMA_VERSION => {
            return Err(in_the_way("is of an older version"));
        }
        Ok(present) => {
            let age = match present.history > backup.history {
                true => ", and is newer than the backup",
                false => "",
            };
            return Err(in_the_way(&format!("has {} channels{age}", present.channels)));
        }
        Err(error) => return Err(in_the_way(&format!("cannot be read ({error})"))),
    };
    Ok(Some(is_pristine))
}

/// The number of rows of a database that was never used: its owner, and its sum.
const PRISTINE_ROWS: u64 = 3;

/// Gives a database another name, with its log.
fn set_aside(path: &Path) -> Result<PathBuf, StoreError> {
    let aside = free_name(path)?;
    // The log goes first, as a copy: whenever this is cut off, each of the two names that has a
    // database has its log as well.
    let log = open::with_suffix(path, "-wal");
    if open::exists(&log)? {
        let copy = open::with_suffix(&aside, "-wal");
        fs::copy(&log, &copy).map_err(|e| StoreError::io("copy to", &copy, &e))?;
    }
    fs::rename(path, &aside).map_err(|e| StoreError::io("rename", path, &e))?;
    open::sync_dir(path)?;
    open::remove(path)?;
    Ok(aside)
}

fn free_name(path: &Path) -> Result<PathBuf, StoreError> {
    for number in 1..=MAX_SET_ASIDE {
        let name = open::with_suffix(path, &format!(".before-restore-{number}"));
        if !open::exists(&name)? {
            return Ok(name);
        }
    }
    let last = open::with_suffix(path, &format!(".before-restore-{MAX_SET_ASIDE}"));
    Err(StoreError::AlreadyExists { path: last })
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    matches!((fs::canonicalize(one), fs::canonicalize(other)), (Ok(one), Ok(other)) if one == other)
}
