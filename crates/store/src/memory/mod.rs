//! A store in memory, for the simulator and for tests: the same rules, nothing survives.
//!
//! - `tables`: the rows and their rules
//! - `history`: the readers' side

mod history;
mod tables;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use steward_engine::row::{StoredState, WriteBatch};

use crate::error::StoreError;
use crate::store::{History, Store, StoreStats};
use history::MemoryHistory;
use tables::Tables;

/// A [`Store`] in memory. Each commit counts as one fsync, so that a simulated disk can charge
/// for it.
#[derive(Debug, Default)]
pub struct MemoryStore {
    tables: Arc<Mutex<Tables>>,
    stats: StoreStats,
    stopped: bool,
}

impl MemoryStore {
    /// Makes an empty store.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Store for MemoryStore {
    fn load(&mut self, now_ms: u64) -> Result<StoredState, StoreError> {
        Ok(lock(&self.tables).state(now_ms))
    }

    fn commit(&mut self, batch: &WriteBatch) -> Result<(), StoreError> {
        if self.stopped {
            return Err(StoreError::Stopped);
        }
        if batch.is_empty() {
            return Ok(());
        }
        if let Err(error) = lock(&self.tables).apply(batch) {
            self.stopped = true;
            return Err(error);
        }
        self.stats.commits += 1;
        self.stats.fsyncs += 1;
        self.stats.rows += batch.len() as u64;
        Ok(())
    }

    fn maintain(&mut self) -> Result<(), StoreError> {
        if self.stopped { Err(StoreError::Stopped) } else { Ok(()) }
    }

    fn close(&mut self) -> Result<(), StoreError> {
        self.stopped = true;
        Ok(())
    }

    fn stats(&self) -> StoreStats {
        self.stats
    }

    fn history(&self) -> Result<Arc<dyn History>, StoreError> {
        Ok(Arc::new(MemoryHistory { tables: Arc::clone(&self.tables) }))
    }
}

/// Locks the tables. A panic elsewhere cannot have left a table half written: `apply` checks before
/// it writes.
fn lock(tables: &Mutex<Tables>) -> MutexGuard<'_, Tables> {
    tables.lock().unwrap_or_else(PoisonError::into_inner)
}
