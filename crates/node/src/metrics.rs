//! What the node counts, for people and for monitoring.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use steward_store::StoreStats;

/// Counters since the start, and lengths of queues now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeMetrics {
    /// What the store did: commits, rows, fsyncs, bytes of log, checkpoints. At most a second old.
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
    /// Channels in the public graph.
    pub graph_channels: u64,
    /// Invariants that did not hold, in this process. Each is a bug.
    pub bugs: u64,
    /// Connections.
    pub p2p: P2pMetrics,
}

/// What the transport counted since the start; names as in [`steward_p2p::Stats`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct P2pMetrics {
    /// Sockets accepted, refused ones included.
    pub accepted: u64,
    /// Sockets closed at once because of a cap.
    pub refused: u64,
    /// Inbound handshakes that failed or timed out.
    pub failed_handshakes: u64,
    /// Connections established, both ways.
    pub established: u64,
    /// Messages handed to the engine.
    pub messages_received: u64,
    /// Messages accepted for sending.
    pub messages_sent: u64,
    /// Messages dropped because their connection was gone.
    pub messages_dropped: u64,
    /// Bytes read from sockets.
    pub bytes_received: u64,
    /// Bytes written to sockets.
    pub bytes_sent: u64,
}

impl P2pMetrics {
    pub(crate) fn of(stats: &steward_p2p::Stats) -> Self {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Self {
            accepted: load(&stats.accepted),
            refused: load(&stats.refused_total_cap)
                + load(&stats.refused_ip_cap)
                + load(&stats.refused_handshake_cap)
                + load(&stats.refused_back_off),
            failed_handshakes: load(&stats.failed_handshakes),
            established: load(&stats.established),
            messages_received: load(&stats.messages_received),
            messages_sent: load(&stats.messages_sent),
            messages_dropped: load(&stats.messages_dropped),
            bytes_received: load(&stats.bytes_received),
            bytes_sent: load(&stats.bytes_sent),
        }
    }
}

/// The counters behind [`NodeMetrics`].
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
