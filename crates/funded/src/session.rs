//! What lives as long as a connection, or less.

use std::collections::{BTreeSet, VecDeque};

use steward_htlc::NewHtlc;

/// How far a connection has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The peer is not connected.
    #[default]
    Offline,
    /// We have sent our `channel_reestablish` and wait for the peer's.
    Syncing,
    /// Both know what the other has: updates may flow.
    Synced,
    /// The connection is to be dropped: what still arrives on it is ignored.
    Broken,
}

/// What lives as long as a connection. HTLCs that wait have not been seen by the peer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Session {
    pub(crate) stage: Stage,
    /// The time since when the peer owes an answer, by the clock that nobody sets.
    pub(crate) waits_since_ms: Option<u64>,
    /// HTLCs of ours that wait for an id.
    pub(crate) waiting: VecDeque<NewHtlc>,
    /// Commitments of the peer's in a row that changed nothing.
    pub(crate) empty_commitments: u8,
    /// True if `LinkEvent::Active` was the last report.
    pub(crate) is_reported_active: bool,
    /// HTLCs of the peer's that were reported as unanswered.
    pub(crate) unanswered: BTreeSet<u64>,
    /// True if our `shutdown` has been sent on this connection.
    pub(crate) is_shutdown_sent: bool,
}
