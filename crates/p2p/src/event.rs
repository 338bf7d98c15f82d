//! The interface to a consumer of connections: events and reasons. No LDK type appears here.

use std::fmt;

use steward_wire::{ErrorText, NodeId};

use crate::address::PeerAddress;
use crate::features::Features;
use crate::message::CustomMessage;
use crate::role::PeerRole;
use crate::unread::Held;

/// The id of one connection, never used again. A later connection has a larger number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// An event on a connection. Each connection has one `Connected`, then any number of `Messages` and
/// `PeerText` in the order in which the peer sent them, then one `Disconnected`.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// The handshake and both `init` are done. Any older connection of the same pair of nodes was
    /// reported as disconnected before.
    Connected {
        /// The id of the new connection.
        conn: ConnectionId,
        /// Our identity to which the peer talks.
        local: NodeId,
        /// The peer, as the BOLT 8 handshake proved.
        peer: NodeId,
        /// The features of the peer's `init`.
        features: Features,
        /// The role of the peer, to which our `init` was fitted.
        role: PeerRole,
        /// True if the peer connected to us.
        inbound: bool,
        /// The address of the peer, as dialled or as accepted.
        address: PeerAddress,
    },
    /// Messages came, in the order in which they were sent: custom ones, and those of BOLT 2 and
    /// BOLT 7 that the peer's role lets pass. All messages of one read are
    /// together, so that they can be handled, and stored, together.
    Messages {
        /// The id of the connection.
        conn: ConnectionId,
        /// The messages, at least one.
        messages: Vec<CustomMessage>,
        /// A guard for the consumer to drop once the messages are handled: the connection is not
        /// read any further while too much of it is held.
        held: Held,
    },
    /// A BOLT 1 `error` or `warning` came, for information.
    PeerText {
        /// The id of the connection.
        conn: ConnectionId,
        /// The message that carried the text.
        kind: PeerTextKind,
        /// The channel that it names; zero for the whole connection, and for a warning, because LDK
        /// withholds the channel of a warning.
        channel_id: [u8; 32],
        /// The peer's text, cut to [`crate::limits::MAX_TEXT_BYTES`].
        text: String,
    },
    /// The connection has ended. What was sent on it and not yet delivered is lost.
    Disconnected {
        /// The id of the connection.
        conn: ConnectionId,
        /// The reason of the end.
        reason: DisconnectReason,
    },
}

/// The BOLT 1 message that carried a peer's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerTextKind {
    /// An `error`, type 17.
    Error,
    /// A `warning`, type 1.
    Warning,
}

/// The reason why a connection ended.
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
    /// The peer broke the protocol, or requires a feature that we do not know. The text is for
    /// people.
    #[error("refused: {0}")]
    Protocol(String),
    /// The peer sent an `error` for the whole connection.
    #[error("the peer sent an error: {}", ErrorText::parse(.0.as_bytes()))]
    PeerError(String),
    /// A newer connection of the same two nodes replaced it.
    #[error("replaced by a newer connection")]
    Replaced,
    /// The peer reads slower than we send; see [`crate::limits::MAX_QUEUED_BYTES`].
    #[error("too many bytes waited to be sent")]
    SendQueueFull,
    /// The consumer asked for the end.
    #[error("disconnected: {0}")]
    Requested(String),
    /// The consumer asked for the end, and to keep the peer's address out for a while.
    #[error("disconnected: {0}")]
    Flooding(String),
    /// The peer has another role than our `init` was fitted to; see
    /// [`crate::Transport::set_peer_roles`].
    #[error("the role of the peer has changed")]
    RoleChanged,
    /// The transport is shutting down.
    #[error("shutting down")]
    Shutdown,
}

impl DisconnectReason {
    /// Returns true if we ended the connection: what the peer sent meanwhile is of no use.
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
