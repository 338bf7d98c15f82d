//! What a consumer of connections sees, whatever carries them: events, reasons, and the trait to
//! send and hang up. No LDK type appears here, so that a plugin of another node can implement it.

use std::fmt;

use steward_wire::{ErrorText, NodeId};

use crate::address::PeerAddress;
use crate::features::Features;
pub use crate::unread::Held;

/// One connection, never used again. A later connection has a larger number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A custom message: its BOLT1 type, and what follows the type.
pub type CustomMessage = (u16, Vec<u8>);

/// What happened on a connection. Per connection: one `Connected`, then any number of `Messages`
/// and `PeerText` in the order the peer sent them, then one `Disconnected`.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// The handshake and both `init` are done. Any older connection of the same pair of nodes was
    /// reported as disconnected before.
    Connected {
        /// The new connection.
        conn: ConnectionId,
        /// Which of our identities the peer talks to.
        local: NodeId,
        /// The peer, proven by the BOLT8 handshake.
        peer: NodeId,
        /// The features of the peer's `init`.
        features: Features,
        /// Whether the peer connected to us.
        inbound: bool,
        /// Where the peer is: as dialled, or as accepted.
        address: PeerAddress,
    },
    /// Custom messages, in the order they were sent. All that came in one read, so that they can
    /// be handled, and stored, together.
    Messages {
        /// The connection.
        conn: ConnectionId,
        /// The messages, at least one.
        messages: Vec<CustomMessage>,
        /// To be dropped once they are worked off: the connection is not read any further while
        /// too much of it is held.
        held: Held,
    },
    /// A BOLT1 `error` or `warning`, for information.
    PeerText {
        /// The connection.
        conn: ConnectionId,
        /// Which of the two.
        kind: PeerTextKind,
        /// The channel it names; zero for the whole connection. LDK withholds a warning's: zero.
        channel_id: [u8; 32],
        /// The peer's words, cut to [`crate::limits::MAX_TEXT_BYTES`].
        text: String,
    },
    /// The connection is gone. What was sent to it and not yet delivered is lost.
    Disconnected {
        /// The connection.
        conn: ConnectionId,
        /// Why.
        reason: DisconnectReason,
    },
}

/// Which BOLT1 message carried a peer's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerTextKind {
    /// `error`, type 17.
    Error,
    /// `warning`, type 1.
    Warning,
}

/// Why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The peer closed the connection.
    #[error("closed by the peer")]
    ClosedByPeer,
    /// The socket failed.
    #[error("connection failed: {0}")]
    Io(String),
    /// The handshake did not end in [`crate::limits::INBOUND_HANDSHAKE_TIMEOUT`] or
    /// [`crate::limits::OUTBOUND_HANDSHAKE_TIMEOUT`].
    #[error("the handshake timed out")]
    HandshakeTimeout,
    /// The peer answered no ping.
    #[error("the peer stopped answering")]
    PingTimeout,
    /// The peer broke the protocol, or requires what we do not know; for a human.
    #[error("refused: {0}")]
    Protocol(String),
    /// The peer sent an `error` for the whole connection.
    #[error("the peer sent an error: {}", ErrorText::parse(.0.as_bytes()))]
    PeerError(String),
    /// A newer connection of the same two nodes took over.
    #[error("replaced by a newer connection")]
    Replaced,
    /// The peer reads slower than we send; see [`crate::limits::MAX_QUEUED_BYTES`].
    #[error("too many bytes waited to be sent")]
    SendQueueFull,
    /// The consumer asked for it.
    #[error("disconnected: {0}")]
    Requested(String),
    /// The consumer asked for it, and for the peer's address to be kept out for a while.
    #[error("disconnected: {0}")]
    Flooding(String),
    /// The transport is shutting down.
    #[error("shutting down")]
    Shutdown,
}

/// Sends on connections and ends them. `Transport` here; a node's plugin interface elsewhere.
pub trait PeerTransport: Send + Sync {
    /// Queues messages, in order. To a connection that is gone they are dropped: the resync of
    /// the next connection repeats what matters.
    fn send(&self, conn: ConnectionId, messages: Vec<CustomMessage>);

    /// Ends a connection. The `Disconnected` event follows.
    fn disconnect(&self, conn: ConnectionId, reason: &str);

    /// Ends a connection as [`disconnect`](Self::disconnect), because the peer floods us: its
    /// address is not let in again at once.
    fn refuse(&self, conn: ConnectionId, reason: &str) {
        self.disconnect(conn, reason);
    }
}

impl DisconnectReason {
    /// True if we ended the connection: what the peer sent meanwhile is of no use.
    pub fn is_ours(&self) -> bool {
        matches!(
            self,
            Self::PingTimeout
                | Self::Protocol(_)
                | Self::SendQueueFull
                | Self::Requested(_)
                | Self::Flooding(_)
        )
    }
}
