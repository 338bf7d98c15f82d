//! The creation of the file, the checks before it is used, and the two kinds of connection.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) use rusqlite::wal::CheckpointMode as Checkpoint;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, MAIN_DB, OpenFlags, params};
use steward_wire::NodeId;

use super::cost::LogPosition;
use super::own::{own, unreadable};
use super::schema::{self, APPLICATION_ID, SCHEMA_VERSION};
use crate::error::StoreError;
use crate::limits::{
    BUSY_TIMEOUT_MS, CACHED_STATEMENTS, MAX_IDLE_LOG_BYTES, MAX_QUICK_CHECK_BYTES, PAGE_BYTES,
    READER_CACHE_KIB, WRITER_CACHE_KIB,
};
use crate::lock::private;
use crate::rows::setting::{NETWORK, NODE_ID};
use crate::store::Owner;

/// Name of the database in the data directory.
pub const FILE_NAME: &str = "steward.db";

/// The behaviour when there is no database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// The store makes one: the first start of a node.
    Create,
    /// The store refuses: every later start. A node with channels must not begin from nothing
    /// because a disk was not mounted.
    Existing,
}

/// Makes sure that there is a file.
pub(crate) fn create_if_missing(
    path: &Path,
    mode: OpenMode,
    owner: &Owner,
) -> Result<(), StoreError> {
    match (exists(path)?, mode) {
        (true, _) => Ok(()),
        (false, OpenMode::Existing) => Err(StoreError::NotFound { path: path.to_owned() }),
        (false, OpenMode::Create) => create(path, owner),
    }
}

/// Opens the connection that writes, to a database that was checked and may be of an older version.
pub(crate) fn writer(path: &Path, owner: &Owner) -> Result<Connection, StoreError> {
    inspect(path, owner)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    configure(&connection, WRITER_CACHE_KIB)?;
    // A backup is without a log until it is used.
    pragma(&connection, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "checkpoint_fullfsync", true)?;
    pragma(&connection, "wal_autocheckpoint", 0)?;
    pragma(&connection, "journal_size_limit", MAX_IDLE_LOG_BYTES.cast_signed())?;
    check_durable(&connection)?;
    Ok(connection)
}

/// Returns the name of a copy of the database at `path`, made before it was migrated from
/// `version`.
pub(crate) fn before_migration(path: &Path, version: u32) -> PathBuf {
    with_suffix(path, &format!(".schema-{version}"))
}

/// Checks the two settings on which every promise depends. No test of ours can pull the plug, so
/// SQLite is asked how it took them.
fn check_durable(connection: &Connection) -> Result<(), StoreError> {
    const FULL: i64 = 2;
    let (mode, synchronous) = commits_as(connection)?;
    if mode == "wal" && synchronous == FULL {
        return Ok(());
    }
    let detail = format!("no durable commits: journal_mode {mode}, synchronous {synchronous}");
    Err(StoreError::Database { detail })
}

/// Returns the journal mode, and `synchronous` by number.
pub(crate) fn commits_as(connection: &Connection) -> Result<(String, i64), StoreError> {
    let mode = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    let synchronous = connection.pragma_query_value(None, "synchronous", |row| row.get(0))?;
    Ok((mode, synchronous))
}

/// Opens a connection that only reads. It changes nothing, not even the log when it is closed last.
pub(crate) fn reader(path: &Path) -> Result<Connection, StoreError> {
    if !exists(path)? {
        return Err(StoreError::NotFound { path: path.to_owned() });
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    // This is the first to read the file, and so to find that it is none of SQLite's.
    configure(&connection, READER_CACHE_KIB).map_err(|error| match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => StoreError::Foreign { path: path.to_owned() },
        _ => error.into(),
    })?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// Runs a checkpoint, [`Checkpoint::NOOP`] to look only. Returns where the log stands afterwards.
pub(crate) fn checkpoint(
    connection: &Connection,
    mode: Checkpoint,
) -> Result<LogPosition, StoreError> {
    let (frames, checkpointed) = match connection.wal_checkpoint_v2(Some(MAIN_DB), mode) {
        // A reader still needs the log: it stays, for the next checkpoint.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
            connection.wal_checkpoint_v2(Some(MAIN_DB), Checkpoint::NOOP)?
        }
        result => result?,
    };
    // The numbers are -1 before the first use of the log.
    let count = |frames: i32| u64::try_from(frames).unwrap_or(0);
    Ok(LogPosition { frames: count(frames), checkpointed: count(checkpointed) })
}

/// Reads the database's owner and version, and refuses a file that we cannot use. Reads only.
pub(crate) fn identify(connection: &Connection, path: &Path) -> Result<(Owner, u32), StoreError> {
    let id: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if id != APPLICATION_ID {
        return Err(StoreError::Foreign { path: path.to_owned() });
    }
    let version = schema::version(connection)?;
    if version > SCHEMA_VERSION {
        let copy = before_migration(path, SCHEMA_VERSION);
        let (path, supported) = (path.to_owned(), SCHEMA_VERSION);
        return Err(StoreError::Newer { path, found: version, supported, copy });
    }
    let network = String::from_utf8(own(connection, NETWORK)?)
        .map_err(|_| unreadable(NETWORK, "not UTF-8"))?;
    let node_id =
        own(connection, NODE_ID)?.try_into().map_err(|_| unreadable(NODE_ID, "not 33 bytes"))?;
    Ok((Owner { network, node_id: NodeId(node_id) }, version))
}

/// Refuses a database of another node or network.
pub(crate) fn check_owner(found: &Owner, owner: &Owner) -> Result<(), StoreError> {
    if found.network != owner.network {
        let (expected, found) = (owner.network.clone(), found.network.clone());
        return Err(StoreError::WrongNetwork { expected, found });
    }
    if found.node_id != owner.node_id {
        let (expected, found) = (owner.node_id.to_string(), found.node_id.to_string());
        return Err(StoreError::WrongNode { expected, found });
    }
    Ok(())
}

fn inspect(path: &Path, owner: &Owner) -> Result<(), StoreError> {
    let connection = reader(path)?;
    let (found, _) = identify(&connection, path)?;
    check_owner(&found, owner)?;
    let size: i64 = connection.query_row(
        "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
        [],
        |row| row.get(0),
    )?;
    if size.cast_unsigned() <= MAX_QUICK_CHECK_BYTES {
        check_pages(&connection, "quick_check")
    } else {
        Ok(())
    }
}

/// Runs `quick_check` or `integrity_check`.
pub(crate) fn check_pages(connection: &Connection, pragma: &str) -> Result<(), StoreError> {
    // One finding is enough to refuse.
    let sql = format!("PRAGMA {pragma}(1)");
    let detail: String = connection.query_row(&sql, [], |row| row.get(0))?;
    if detail == "ok" { Ok(()) } else { Err(StoreError::Corrupt { detail }) }
}

/// Makes the database under another name first: a file that is called by its name is complete.
fn create(path: &Path, owner: &Owner) -> Result<(), StoreError> {
    let unfinished = with_suffix(path, ".new");
    remove(&unfinished)?;
    // Empty, and private from the start; SQLite gives its log the same permissions.
    private(OpenOptions::new().write(true).create_new(true))
        .open(&unfinished)
        .map_err(|e| StoreError::io("create", &unfinished, &e))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(&unfinished, flags)?;
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    schema::migrate(&mut connection)?;
    // Steps that made tables again left pages behind that no check reads.
    connection.execute_batch("VACUUM")?;
    let insert = "INSERT INTO setting (name, value) VALUES (?1, ?2)";
    connection.execute(insert, params![NETWORK, owner.network.as_bytes()])?;
    connection.execute(insert, params![NODE_ID, owner.node_id.0])?;
    pragma(&connection, "journal_mode", "WAL")?;
    connection.close().map_err(|(_, error)| error)?;
    fs::rename(&unfinished, path).map_err(|e| StoreError::io("rename", &unfinished, &e))?;
    sync_dir(path)
}

/// Removes a database and what SQLite put beside it.
pub(crate) fn remove(path: &Path) -> Result<(), StoreError> {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let path = with_suffix(path, suffix);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != ErrorKind::NotFound => {
                return Err(StoreError::io("remove", &path, &e));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Makes a rename in the file's directory durable.
pub(crate) fn sync_dir(path: &Path) -> Result<(), StoreError> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let result = File::open(dir).and_then(|dir| dir.sync_all());
    if cfg!(unix) { result.map_err(|e| StoreError::io("sync", dir, &e)) } else { Ok(()) }
}

pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

pub(crate) fn exists(path: &Path) -> Result<bool, StoreError> {
    path.try_exists().map_err(|e| StoreError::io("look for", path, &e))
}

/// Sets what both kinds of connection need.
fn configure(connection: &Connection, cache_kib: u32) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::from_millis(BUSY_TIMEOUT_MS))?;
    connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    // A damaged file must show as an error, never as behaviour.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // A negative number is in KiB instead of pages.
    connection.pragma_update(None, "cache_size", -i64::from(cache_kib))
}

/// Sets a pragma that answers with its new value.
fn pragma(
    connection: &Connection,
    name: &str,
    value: impl rusqlite::ToSql,
) -> Result<(), StoreError> {
    connection.pragma_update_and_check(None, name, value, |_| Ok(()))?;
    Ok(())
}
