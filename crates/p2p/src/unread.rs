//! The messages that were read from one connection and are not handled yet. Reading pauses while
//! there are too many, so a peer that sends faster than we work fills its own socket, and no queue
//! of ours.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

use crate::limits::{MAX_UNREAD_BYTES, MAX_UNREAD_BYTES_IN_ALL, MIN_UNREAD_BYTES};
use crate::message::{CustomMessage, wire_bytes};

/// Counts the bytes that all connections of a transport hold.
#[derive(Clone, Default)]
pub(crate) struct AllUnread(Arc<AtomicUsize>);

/// Counts the bytes that one connection holds.
pub(crate) struct Unread(Arc<Gauge>);

#[derive(Default)]
struct Gauge {
    bytes: AtomicUsize,
    all: AllUnread,
    /// Wakes the connection's task.
    less: Notify,
}

/// Messages that count as unread until this is dropped.
#[derive(Default)]
pub struct Held {
    bytes: usize,
    gauge: Option<Arc<Gauge>>,
}

impl AllUnread {
    pub(crate) fn connection(&self) -> Unread {
        Unread(Arc::new(Gauge { all: self.clone(), ..Gauge::default() }))
    }
}

impl Unread {
    /// Counts messages until the returned guard is dropped.
    pub(crate) fn hold(&self, messages: &[CustomMessage]) -> Held {
        let size = |(_, payload): &CustomMessage| wire_bytes(payload);
        let bytes = messages.iter().map(size).sum();
        self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.0.all.0.fetch_add(bytes, Ordering::Relaxed);
        Held { bytes, gauge: Some(self.0.clone()) }
    }

    /// Returns true if more may be read.
    pub(crate) fn has_room(&self) -> bool {
        let own = self.0.bytes.load(Ordering::Relaxed);
        let all = self.0.all.0.load(Ordering::Relaxed);
        own < if all < MAX_UNREAD_BYTES_IN_ALL { MAX_UNREAD_BYTES } else { MIN_UNREAD_BYTES }
    }

    /// Resolves when some messages were handled.
    pub(crate) async fn less(&self) {
        self.0.less.notified().await;
    }
}

impl Held {
    /// Makes a guard that holds nothing, for callers that make events themselves.
    pub fn none() -> Self {
        Self::default()
    }

    /// Splits off a part that can be dropped on its own: messages with this much payload.
    #[must_use]
    pub fn split(&mut self, payload_bytes: usize) -> Self {
        let bytes = payload_bytes.min(self.bytes);
        self.bytes -= bytes;
        Self { bytes, gauge: self.gauge.clone() }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(gauge) = &self.gauge else { return };
        gauge.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        gauge.all.0.fetch_sub(self.bytes, Ordering::Relaxed);
        gauge.less.notify_one();
    }
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Held({})", self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::MESSAGE_OVERHEAD_BYTES;

    fn message(payload_bytes: usize) -> Vec<CustomMessage> {
        vec![(1, vec![0; payload_bytes])]
    }

    #[tokio::test]
    async fn a_connection_is_read_again_once_its_messages_are_worked_off() {
        let unread = AllUnread::default().connection();
        let mut held = unread.hold(&message(MAX_UNREAD_BYTES));
        assert!(!unread.has_room());
        drop(held.split(MESSAGE_OVERHEAD_BYTES));
        assert!(!unread.has_room());
        drop(held);
        unread.less().await;
        assert!(unread.has_room());
    }

    #[test]
    fn what_others_hold_leaves_every_connection_a_little_room() {
        let all = AllUnread::default();
        let many: Vec<_> = (0..MAX_UNREAD_BYTES_IN_ALL / MAX_UNREAD_BYTES)
            .map(|_| all.connection().hold(&message(MAX_UNREAD_BYTES)))
            .collect();
        let last = all.connection();
        assert!(last.has_room());
        let held = last.hold(&message(MIN_UNREAD_BYTES));
        assert!(!last.has_room());
        drop(many);
        assert!(last.has_room());
        drop(held);
    }
}
