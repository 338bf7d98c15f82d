//! The store in one SQLite file: the writer, and all that is SQLite's own. Its rules are argued in
//! docs/state-format.md.
//!
//! - `schema`, `sum_of_v4`: versions, migrations, and the check that one of them makes first
//! - `upgrade`: a copy of a database of an older version, then its migration
//! - `open`: creation, inspection, connections
//! - `own`: the settings of the store's own
//! - `statement`: runs the statements that all SQL databases have in common (`sql`)
//! - `history`: the readers' side
//! - `cost`: the cost of commits and checkpoints
//! - `backup`, `restore`: copies and verification, and the way back
//! - `held`: the file itself, which one node has at a time

mod backup;
mod cost;
mod held;
mod history;
mod open;
mod own;
mod restore;
mod schema;
mod statement;
mod sum_of_v4;
mod upgrade;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, TransactionBehavior};
use steward_engine::row::{StoredState, WriteBatch};

pub use held::check_writable;
pub use history::SqliteHistory;
pub use open::{FILE_NAME, OpenMode};
pub use restore::{Over, Restored, restore};
pub use schema::SCHEMA_VERSION;

use crate::error::StoreError;
use crate::limits::CHECKPOINT_LOG_BYTES;
use crate::live::LiveRows;
use crate::lock::DirLock;
use crate::rows::check;
use crate::rows::setting::LIVE_ROWS;
use crate::sql::load::stored_state;
use crate::sql::numbers::Numbers;
use crate::sql::prune::prune;
use crate::sql::write::{put_own, write};
use crate::store::{History, Owner, Store, StoreStats};
use cost::LogMeter;
use held::HeldFile;
use open::Checkpoint;
use own::own;
use upgrade::upgrade;

/// The [`Store`] in one SQLite file: `steward.db` in the data directory.
///
/// Every commit costs one fsync; checkpoints happen in [`Store::maintain`] and [`Store::close`]
/// only.
#[derive(Debug)]
pub struct SqliteStore {
    connection: Connection,
    path: PathBuf,
    page_bytes: u64,
    meter: LogMeter,
    stats: StoreStats,
    /// The live rows, known once something was loaded or committed.
    live: Option<LiveRows>,
    /// What is known of hashes, shared with the readers. Filled at the load.
    numbers: Arc<Numbers>,
    /// `PRAGMA data_version` at the start: it changes only by other connections' commits.
    data_version: i64,
    stopped: bool,
    /// The file is released after the connection.
    held: HeldFile,
    /// The directory's lock is released last.
    _lock: DirLock,
}

impl SqliteStore {
    /// Opens the database of a locked data directory, migrates it if it is of an older version.
    ///
    /// # Errors
    /// Refuses a file that is not `owner`'s, foreign, newer than this program or damaged, and
    /// leaves it as it was: see [`StoreError`].
    pub fn open(lock: DirLock, mode: OpenMode, owner: &Owner) -> Result<Self, StoreError> {
        let path = lock.dir().join(FILE_NAME);
        open::create_if_missing(&path, mode, owner)?;
        let held = HeldFile::hold(&path)?;
        let mut connection = open::writer(&path, owner)?;
        upgrade(&mut connection, &path)?;
        held.check_in_place()?;
        let page_bytes: u32 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let page_bytes = u64::from(page_bytes);
        let data_version = data_version(&connection)?;
        let meter = LogMeter::new(open::checkpoint(&connection, Checkpoint::NOOP)?, page_bytes);
        Ok(Self {
            connection,
            path,
            page_bytes,
            meter,
            stats: StoreStats::default(),
            live: None,
            numbers: Arc::default(),
            data_version,
            stopped: false,
            held,
            _lock: lock,
        })
    }

    /// Returns the path of the database.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns SQLite's journal mode, and its `synchronous` by number. SQLite is asked each time.
    ///
    /// # Errors
    /// Fails if the database refuses.
    pub fn commits_as(&self) -> Result<(String, i64), StoreError> {
        open::commits_as(&self.connection)
    }

    /// Limits the database's size, in bytes. A write that does not fit fails as on a full disk.
    ///
    /// # Errors
    /// Fails if the database refuses.
    pub fn limit_size(&mut self, bytes: u64) -> Result<(), StoreError> {
        let pages = bytes.div_ceil(self.page_bytes.max(1)).cast_signed();
        let set = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
        self.connection.pragma_update_and_check(None, "max_page_count", pages, set)?;
        Ok(())
    }

    /// Runs a step that writes; after its failure no other step runs.
    fn step<T>(
        &mut self,
        run: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if self.stopped {
            return Err(StoreError::Stopped);
        }
        let result = run(self);
        self.stopped = result.is_err();
        result
    }

    fn commit_batch(&mut self, batch: &WriteBatch) -> Result<(), StoreError> {
        batch.iter().try_for_each(|(key, row)| check(key, row))?;
        self.held.check_in_place()?;
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if data_version(&transaction)? != self.data_version {
            return Err(StoreError::SecondWriter);
        }
        let live = match &mut self.live {
            Some(live) => live,
            unknown => unknown.insert(live_rows(&transaction)?),
        };
        write(&*transaction, &self.numbers, batch)?;
        if live.follow(batch) {
            put_own(&*transaction, LIVE_ROWS, &live.setting())?;
        }
        prune(&*transaction, batch)?;
        transaction.commit()?;
        self.stats.commits += 1;
        self.stats.rows += batch.len() as u64;
        let log = open::checkpoint(&self.connection, Checkpoint::NOOP)?;
        self.meter.after_commit(log, &mut self.stats);
        Ok(())
    }

    fn checkpoint(&mut self, mode: Checkpoint) -> Result<(), StoreError> {
        let log = open::checkpoint(&self.connection, mode)?;
        self.meter.after_checkpoint(log, &mut self.stats);
        Ok(())
    }

    fn close_cleanly(&mut self) -> Result<(), StoreError> {
        // There are two, because truncating forgets what the first moved, and so what it cost.
        self.checkpoint(Checkpoint::PASSIVE)?;
        self.checkpoint(Checkpoint::TRUNCATE)?;
        // SQLite may now remove the empty log when the last connection goes.
        self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
        Ok(())
    }
}

impl Store for SqliteStore {
    fn load(&mut self, now_ms: u64) -> Result<StoredState, StoreError> {
        let transaction = self.connection.transaction()?;
        let (state, live) = load(&transaction, now_ms)?;
        self.numbers.fill(&*transaction)?;
        drop(transaction);
        self.live = Some(live);
        Ok(state)
    }

    fn commit(&mut self, batch: &WriteBatch) -> Result<(), StoreError> {
        if batch.is_empty() && !self.stopped {
            return Ok(());
        }
        self.step(|store| store.commit_batch(batch))
    }

    fn maintain(&mut self) -> Result<(), StoreError> {
        if self.meter.pending_bytes() <= CHECKPOINT_LOG_BYTES && !self.stopped {
            return Ok(());
        }
        self.step(|store| store.checkpoint(Checkpoint::PASSIVE))
    }

    fn close(&mut self) -> Result<(), StoreError> {
        let result = self.step(Self::close_cleanly);
        self.stopped = true;
        result
    }

    fn stats(&self) -> StoreStats {
        self.stats
    }

    fn history(&self) -> Result<Arc<dyn History>, StoreError> {
        Ok(Arc::new(SqliteHistory::beside(&self.path, Arc::clone(&self.numbers))?))
    }
}

/// Loads the state that a start needs, read at one moment of the database. Refuses rows that are of
/// several.
fn load(db: &Connection, now_ms: u64) -> Result<(StoredState, LiveRows), StoreError> {
    let state = stored_state(db, now_ms)?;
    let live = LiveRows::of(&state, &own(db, LIVE_ROWS)?)?;
    Ok((state, live))
}

/// Loads the live rows alone, refused as in [`load`].
fn live_rows(db: &Connection) -> Result<LiveRows, StoreError> {
    // The time is so late that no invoice is worth reading: they are not live.
    let now_ms = u64::MAX;
    Ok(load(db, now_ms)?.1)
}

fn data_version(connection: &Connection) -> Result<i64, StoreError> {
    let mut statement = connection.prepare_cached("PRAGMA data_version")?;
    Ok(statement.query_row([], |row| row.get(0))?)
}
