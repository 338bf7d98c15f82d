//! One node per data directory: exclusive locks, released with the process.
//!
//! There are two of them here, and a third on the database itself (`sqlite::held`), so that no
//! change to one of the files lets a second node in:
//!
//! - on the directory: it holds if the lock file is moved or removed, and under each path to the
//!   directory. Systems that lock no directories do without
//! - on `<dir>/lock`: people find the holder's process id in it

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::thread;

use crate::error::StoreError;
use crate::limits::{LOCK_ATTEMPTS, LOCK_RETRY_INTERVAL};

/// Name of the lock file; people find the holder's process id in it.
const FILE_NAME: &str = "lock";
/// The length of the lock file at most, in bytes: a process id and a newline need less.
const MAX_FILE_BYTES: u64 = 32;

/// The right to use a data directory, until dropped. The operating system releases it however the
/// process ends, so a file left behind by a crash keeps no node out.
#[derive(Debug)]
pub struct DirLock {
    /// The files hold the locks while open.
    _files: [Option<File>; 2],
    dir: PathBuf,
}

/// The use of a data directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InUse {
    /// It is not in use.
    No,
    /// A process uses it, with its id as far as known.
    By(Option<u32>),
}

impl DirLock {
    /// Locks `dir`, which must exist.
    ///
    /// # Errors
    /// [`StoreError::Locked`] if another holder lives, [`StoreError::Io`] if the directory cannot
    /// be used.
    pub fn acquire(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join(FILE_NAME);
        let locked = || StoreError::Locked { dir: dir.to_owned(), pid: holder(&path) };
        let directory = open_directory(dir)?;
        if let Some(directory) = &directory
            && !try_alone(directory, dir)?
        {
            return Err(locked());
        }
        let mut file = private(OpenOptions::new().read(true).write(true).create(true))
            .open(&path)
            .map_err(|e| StoreError::io("open", &path, &e))?;
        if !try_alone(&file, &path)? {
            return Err(locked());
        }
        sign(&mut file).map_err(|e| StoreError::io("write", &path, &e))?;
        Ok(Self { _files: [Some(file), directory], dir: dir.to_owned() })
    }

    /// Tells whether a node uses `dir`. Makes and changes nothing; a node that starts at this
    /// moment waits a little.
    ///
    /// # Errors
    /// [`StoreError::Io`] if the directory cannot be read.
    pub fn in_use(dir: &Path) -> Result<InUse, StoreError> {
        let path = dir.join(FILE_NAME);
        let file = match File::open(&path) {
            Ok(file) => Some(file),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(StoreError::io("open", &path, &error)),
        };
        let directory = if dir.is_dir() { open_directory(dir)? } else { None };
        for file in [file, directory].iter().flatten() {
            if matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)) {
                return Ok(InUse::By(holder(&path)));
            }
        }
        Ok(InUse::No)
    }

    /// Returns the locked directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

/// Locks a file, or returns false if another holder has. A caller that only looks whether it is
/// locked has it for an instant; that is waited out.
pub(crate) fn try_alone(file: &File, path: &Path) -> Result<bool, StoreError> {
    for attempt in 1..=LOCK_ATTEMPTS {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) if attempt < LOCK_ATTEMPTS => {
                thread::sleep(LOCK_RETRY_INTERVAL);
            }
            Err(TryLockError::WouldBlock) => return Ok(false),
            // NFS and some others lock no directories; the file in it they do.
            Err(TryLockError::Error(_)) if path.is_dir() => return Ok(true),
            Err(TryLockError::Error(e)) => return Err(StoreError::io("lock", path, &e)),
        }
    }
    Ok(false)
}

/// Adds the permissions of a private file, where the system knows them.
pub(crate) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// Opens a directory; `None` where directories cannot be opened.
fn open_directory(dir: &Path) -> Result<Option<File>, StoreError> {
    if !cfg!(unix) {
        return Ok(None);
    }
    File::open(dir).map(Some).map_err(|e| StoreError::io("open", dir, &e))
}

fn sign(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

fn holder(path: &Path) -> Option<u32> {
    let mut text = String::new();
    File::open(path).ok()?.take(MAX_FILE_BYTES).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
