//! One node per data directory: an exclusive lock on `<dir>/lock`, released with the process.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use crate::error::StoreError;

/// Name of the lock file; people find the holder's process id in it.
const FILE_NAME: &str = "lock";
/// A process id and a newline need less, in bytes.
const MAX_FILE_BYTES: u64 = 32;

/// The right to use a data directory, until dropped. The operating system releases it however
/// the process ends, so a file left behind by a crash locks nobody out.
#[derive(Debug)]
pub struct DirLock {
    /// Holds the lock while open.
    _file: File,
    dir: PathBuf,
}

impl DirLock {
    /// Locks `dir`, which must exist.
    ///
    /// # Errors
    /// [`StoreError::Locked`] if another holder lives, [`StoreError::Io`] if the directory cannot
    /// be used.
    pub fn acquire(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join(FILE_NAME);
        let mut file = private(OpenOptions::new().read(true).write(true).create(true))
            .open(&path)
            .map_err(|e| StoreError::io("open", &path, &e))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::Locked { dir: dir.to_owned(), pid: holder(&file) });
            }
            Err(TryLockError::Error(e)) => return Err(StoreError::io("lock", &path, &e)),
        }
        sign(&mut file).map_err(|e| StoreError::io("write", &path, &e))?;
        Ok(Self { _file: file, dir: dir.to_owned() })
    }

    /// The locked directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

/// Adds the permissions of a private file, where the system knows them.
pub(crate) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

fn sign(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

fn holder(file: &File) -> Option<u32> {
    let mut text = String::new();
    file.take(MAX_FILE_BYTES).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
