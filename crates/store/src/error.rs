//! The errors of the store: a code for programs, a sentence and a hint for people.

use std::path::{Path, PathBuf};

use steward_engine::Code;
/// The reason why the store cannot be opened, read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process, or another part of this one, uses the data directory.
    #[error("{} is in use by {}", dir.display(), match pid {
        Some(pid) => format!("process {pid}"),
        None => "another process".to_owned(),
    })]
    Locked {
        /// The data directory.
        dir: PathBuf,
        /// The process that holds it, as far as known.
        pid: Option<u32>,
    },
    /// There is no database where one must be.
    #[error("there is no database at {}", path.display())]
    NotFound {
        /// The path where it should be.
        path: PathBuf,
    },
    /// The file, or one that SQLite keeps beside it, cannot be written.
    #[error("{} cannot be written: {reason}", path.display())]
    ReadOnly {
        /// The path of the file.
        path: PathBuf,
        /// The system's message.
        reason: String,
    },
    /// The file has two names, and would have a log beside each.
    #[error("{} has a second name, a hard link", path.display())]
    Linked {
        /// The name we know.
        path: PathBuf,
    },
    /// The file we write to is no longer the one of that name.
    #[error("{} was moved, removed or replaced while the node was running", path.display())]
    Replaced {
        /// The path where it was.
        path: PathBuf,
    },
    /// A restore does not replace a database that may be worth something.
    #[error("{} exists and {what}", path.display())]
    InTheWay {
        /// The database that is there.
        path: PathBuf,
        /// The finding that makes it worth something.
        what: String,
    },
    /// A backup never replaces a file.
    #[error("{} exists already", path.display())]
    AlreadyExists {
        /// The file in the way.
        path: PathBuf,
    },
    /// The file is not one of ours.
    #[error("{} is not a steward database", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file's schema is newer than this program.
    #[error(
        "{} was written by a newer steward (schema {found}; this one knows up to {supported}); \
         as it was before its migration it is {}, if it was of schema {supported}",
        path.display(),
        copy.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema version.
        found: u32,
        /// The newest schema version this program knows.
        supported: u32,
        /// The copy that the newer program made before the migration, if the database was of the
        /// newest version this program knows.
        copy: PathBuf,
    },
    /// The database belongs to another network.
    #[error("the database belongs to network {found}, not to {expected}")]
    WrongNetwork {
        /// The configured network.
        expected: String,
        /// The database's.
        found: String,
    },
    /// The database belongs to another node.
    #[error("the database belongs to node {found}, not to {expected}")]
    WrongNode {
        /// The configured node id.
        expected: String,
        /// The database's.
        found: String,
    },
    /// The file's pages do not fit together.
    #[error("the database is damaged: {detail}")]
    Corrupt {
        /// SQLite's finding.
        detail: String,
    },
    /// Rows are of different moments: files that were copied while the node ran.
    #[error("the database is torn: its rows are of different moments")]
    Torn,
    /// A row does not hold what its format says.
    #[error("the database is damaged: table {table}, row {key}: {reason}")]
    Decode {
        /// The table.
        table: &'static str,
        /// The row's key: hexadecimal, decimal or text.
        key: String,
        /// The fault of the row.
        reason: String,
    },
    /// The engine gave a row that contradicts itself, which is a bug of ours.
    #[error("refused to store table {table}, row {key}: {reason}")]
    BadRow {
        /// The table.
        table: &'static str,
        /// The row's key: hexadecimal, decimal or text.
        key: String,
        /// The fault of the row.
        reason: &'static str,
    },
    /// Another program wrote to the database while we had it open.
    #[error("another program wrote to the database while the node was running")]
    SecondWriter,
    /// Another program holds the database's own lock.
    #[error("another program keeps the database locked")]
    Busy,
    /// There is no space, or a quota is used up.
    #[error("the disk is full")]
    DiskFull,
    /// The disk, or the operating system, failed or refused.
    #[error("cannot {action}: {reason}")]
    Io {
        /// The action that failed.
        action: String,
        /// The system's message.
        reason: String,
    },
    /// SQLite refused for a reason none of the others covers.
    #[error("the database refused: {detail}")]
    Database {
        /// SQLite's message.
        detail: String,
    },
    /// An earlier commit failed, or the store was closed: the disk may hold an older state than
    /// memory.
    #[error("the store accepts no more writes")]
    Stopped,
}

impl StoreError {
    /// Returns the code for programs.
    pub fn code(&self) -> Code {
        match self {
            Self::Locked { .. } => Code::DataDirLocked,
            Self::NotFound { .. } => Code::DatabaseNotFound,
            Self::ReadOnly { .. } => Code::DatabaseReadOnly,
            Self::Linked { .. } => Code::DatabaseLinked,
            Self::Replaced { .. } => Code::DatabaseReplaced,
            Self::InTheWay { .. } => Code::DatabaseInTheWay,
            Self::AlreadyExists { .. } => Code::FileExists,
            Self::Foreign { .. } => Code::NotOurDatabase,
            Self::Newer { .. } => Code::DatabaseTooNew,
            Self::WrongNetwork { .. } => Code::WrongNetwork,
            Self::WrongNode { .. } => Code::WrongNode,
            Self::Corrupt { .. } | Self::Torn | Self::Decode { .. } => Code::DatabaseDamaged,
            Self::BadRow { .. } => Code::BadRow,
            Self::SecondWriter => Code::SecondWriter,
            Self::Busy => Code::DatabaseBusy,
            Self::DiskFull => Code::DiskFull,
            Self::Io { .. } => Code::IoError,
            Self::Database { .. } => Code::DatabaseError,
            Self::Stopped => Code::StoreStopped,
        }
    }

    /// Returns the hint, in a sentence.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Locked { .. } => "Stop the other process, or choose another data directory.",
            Self::NotFound { .. } => {
                "Check the data directory, and that its disk is mounted. A node that has channels \
                 must never start with an empty database."
            }
            Self::AlreadyExists { .. } => "Choose another name: no file is overwritten.",
            Self::ReadOnly { .. } => {
                "Give the node's user the right to write to the database and to the files beside it \
                 that end in -wal and -shm (chmod 600), and check that the disk is not mounted \
                 read-only."
            }
            Self::Linked { .. } => {
                "A node that runs under the other name would ruin it. Find that name (find -samefile) \
                 and remove it, or make a copy of it in its place."
            }
            Self::Replaced { .. } => {
                "The node stopped at once: nothing more may be written to a file that the next start \
                 does not find. Put the newest database back, or see the chapter on recovery."
            }
            Self::InTheWay { .. } => {
                "The newest state is the one that holds: start with it if it can be used. If not, \
                 --replace restores the backup and keeps this database under another name."
            }
            Self::Foreign { .. } => "Check the data directory; the file was left as it is.",
            Self::Newer { .. } => {
                "Run the version that wrote it, or a newer one; the file was left as it is. The copy \
                 before its migration is older state: read the chapter on recovery before you use it."
            }
            Self::WrongNetwork { .. } => "Use one data directory per network.",
            Self::WrongNode { .. } => {
                "Restore the key that belongs to this database; one data directory per node."
            }
            Self::Corrupt { .. } | Self::Decode { .. } => {
                "Keep a copy of the file, check the disk, then restore the newest backup and let \
                 the peers bring it up to date: see the chapter on recovery in the documentation."
            }
            Self::Torn => {
                "Files copied while a node runs do not belong together. Restore the newest whole \
                 copy, such as one that `backup` made, and let the peers bring it up to date."
            }
            Self::BadRow { .. } => "This is a bug in steward: please report it with the log.",
            Self::SecondWriter => {
                "Stop the other program, then start the node again: it loads what is on disk."
            }
            Self::Busy => "Close the other program; read the database in read-only mode.",
            Self::DiskFull => "Free some space, then start the node again; nothing was lost.",
            Self::Io { .. } => "Check the disk, its mount and the file's permissions.",
            Self::Database { .. } => "Check the database with `verify`, and report the message.",
            Self::Stopped => "See the first error in the log, then start the node again.",
        }
    }

    pub(crate) fn io(action: &str, path: &Path, error: &std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::StorageFull {
            return Self::DiskFull;
        }
        Self::Io { action: format!("{action} {}", path.display()), reason: error.to_string() }
    }
}
