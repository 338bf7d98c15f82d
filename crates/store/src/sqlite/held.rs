//! The database file itself, held while the store is open: if the lock file is moved or removed,
//! and under each name of the file, it still has one node.

use std::fs::{self, File, Metadata, OpenOptions};
use std::path::{Path, PathBuf};

use super::open::{exists, with_suffix};
use crate::error::StoreError;
use crate::lock;

/// A database file that is ours alone, until dropped.
///
/// Must be dropped after the connections to the file: closing a file releases the locks that
/// SQLite has on it in this process.
#[derive(Debug)]
pub(crate) struct HeldFile {
    /// The file holds the lock while open.
    _file: File,
    path: PathBuf,
    /// The file's device and number, if the system can tell them.
    identity: Option<(u64, u64)>,
}

impl HeldFile {
    /// Takes the file at `path`, which must be writable. Changes nothing.
    pub(crate) fn hold(path: &Path) -> Result<Self, StoreError> {
        let file = OpenOptions::new().read(true).write(true).open(path).map_err(|error| {
            StoreError::ReadOnly { path: path.to_owned(), reason: error.to_string() }
        })?;
        check_writable(path)?;
        // On other systems this lock and SQLite's own get into each other's way.
        if cfg!(any(target_os = "linux", target_os = "android")) && !lock::try_alone(&file, path)? {
            let dir = path.parent().unwrap_or(path).to_owned();
            return Err(StoreError::Locked { dir, pid: None });
        }
        let metadata = file.metadata().map_err(|e| StoreError::io("look at", path, &e))?;
        if names(&metadata) > 1 {
            return Err(StoreError::Linked { path: path.to_owned() });
        }
        Ok(Self { _file: file, path: path.to_owned(), identity: identity(&metadata) })
    }

    /// Refuses if another file, or none, has its name by now: our writes would be lost.
    pub(crate) fn check_in_place(&self) -> Result<(), StoreError> {
        let found = fs::metadata(&self.path).ok().as_ref().and_then(identity);
        match self.identity == found {
            true => Ok(()),
            false => Err(StoreError::Replaced { path: self.path.clone() }),
        }
    }
}

/// Refuses a database that this user may not write to, or SQLite's files beside it.
///
/// # Errors
/// [`StoreError::ReadOnly`] with the name of the file.
pub fn check_writable(path: &Path) -> Result<(), StoreError> {
    for suffix in ["", "-wal", "-shm"] {
        let path = with_suffix(path, suffix);
        if !exists(&path)? {
            continue;
        }
        if let Err(reason) = may_write(&path) {
            return Err(StoreError::ReadOnly { path, reason });
        }
    }
    Ok(())
}

/// Asks for the permission without opening the file: closing it would release SQLite's locks on it.
#[cfg(unix)]
fn may_write(path: &Path) -> Result<(), String> {
    use rustix::fs::{Access, AtFlags, CWD, accessat};

    accessat(CWD, path, Access::WRITE_OK, AtFlags::EACCESS).map_err(|error| error.to_string())
}

#[cfg(not(unix))]
fn may_write(path: &Path) -> Result<(), String> {
    match fs::metadata(path).is_ok_and(|metadata| metadata.permissions().readonly()) {
        true => Err("it is read-only".to_owned()),
        false => Ok(()),
    }
}

/// Returns the file's device and number.
#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "other systems cannot tell")]
fn identity(metadata: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;

    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn identity(_metadata: &Metadata) -> Option<(u64, u64)> {
    None
}

/// Returns the number of names the file has. With two, SQLite would keep a log beside each of them.
#[cfg(unix)]
fn names(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(metadata)
}

#[cfg(not(unix))]
fn names(_metadata: &Metadata) -> u64 {
    1
}
