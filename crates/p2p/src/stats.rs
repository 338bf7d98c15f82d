//! Counters for metrics; they only ever grow.

use std::sync::atomic::{AtomicU64, Ordering};

/// The counts of all connections since the start.
#[derive(Debug, Default)]
pub struct Stats {
    /// The sockets accepted, refused ones included.
    pub accepted: AtomicU64,
    /// The sockets closed at once because of the cap on connections.
    pub refused_total_cap: AtomicU64,
    /// The sockets closed at once because of the cap per address.
    pub refused_ip_cap: AtomicU64,
    /// The sockets closed at once because their address flooded us before.
    pub refused_back_off: AtomicU64,
    /// The handshakes ended to make room for newer ones.
    pub refused_handshake_cap: AtomicU64,
    /// The inbound handshakes that failed or timed out.
    pub failed_handshakes: AtomicU64,
    /// The connections established, both ways.
    pub established: AtomicU64,
    /// The connections that a newer one of the same pair replaced.
    pub replaced: AtomicU64,
    /// The connections closed because too much waited to be sent.
    pub send_queue_full: AtomicU64,
    /// The messages delivered to the consumer.
    pub messages_received: AtomicU64,
    /// The messages accepted for sending.
    pub messages_sent: AtomicU64,
    /// The messages dropped because their connection had ended.
    pub messages_dropped: AtomicU64,
    /// The bytes read from sockets.
    pub bytes_received: AtomicU64,
    /// The bytes written to sockets.
    pub bytes_sent: AtomicU64,
}

pub(crate) fn count(counter: &AtomicU64) {
    add(counter, 1);
}

pub(crate) fn add(counter: &AtomicU64, amount: usize) {
    counter.fetch_add(amount as u64, Ordering::Relaxed);
}
