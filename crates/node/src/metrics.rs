//! The node's counters, for people and for monitoring.

use std::sync::atomic::{AtomicU64, Ordering};

use steward_runtime::RuntimeMetrics;

/// Counters since the start, and lengths of queues now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeMetrics {
    /// The counters of store, queue, commands and routes.
    pub runtime: RuntimeMetrics,
    /// Channels in the public graph.
    pub graph_channels: u64,
    /// Invariants that did not hold, in this process. Each is a bug.
    pub bugs: u64,
    /// The counters of the connections.
    pub p2p: P2pMetrics,
}

/// The transport's counters since the start; names as in [`steward_p2p::Stats`].
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
