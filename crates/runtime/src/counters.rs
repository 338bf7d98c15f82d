//! The runtime's counters.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use steward_store::StoreStats;

/// Counters since the start, and lengths of queues now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuntimeMetrics {
    /// The store's counters: commits, rows, fsyncs, bytes of log, checkpoints. At most a second
    /// old.
    pub store: StoreStats,
    /// Batches the engine closed that had any effect.
    pub batches: u64,
    /// Inputs the engine took, ticks not counted.
    pub inputs: u64,
    /// Actions carried out.
    pub actions: u64,
    /// Room in use in the input queue, in units of about 4 kB.
    pub queued_input_weight: u64,
    /// Commands whose answer is awaited.
    pub outstanding_commands: u64,
    /// Routes asked for and not yet found.
    pub pending_routes: u64,
}

/// The counters behind [`RuntimeMetrics`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) batches: AtomicU64,
    pub(crate) inputs: AtomicU64,
    pub(crate) actions: AtomicU64,
    pub(crate) pending_routes: AtomicU64,
    store: Mutex<StoreStats>,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, amount: usize) {
        counter.fetch_add(amount as u64, Ordering::Relaxed);
    }

    pub(crate) fn load(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }

    pub(crate) fn set_store(&self, stats: StoreStats) {
        *self.store.lock().unwrap_or_else(PoisonError::into_inner) = stats;
    }

    pub(crate) fn store(&self) -> StoreStats {
        *self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
