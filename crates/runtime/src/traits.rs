//! The surroundings of the engine, as four small traits: a node with sockets of its own implements
//! them, and so does a plugin of another node, on that node's peers, routes and blocks.

use std::time::Duration;

use steward_engine::io::{NoRoute, PathResult, RouteRequest, RoutedPart};
use steward_engine::row::LocalIdentity;
use steward_engine::{ConnId, Error};
use steward_wire::{NodeId, Preimage};

/// The fourth trait, which signs for the engine. The engine calls it, so it lives there.
pub use steward_engine::Signer;

/// A custom message: its BOLT1 type, and its payload.
pub type Frame = (u16, Vec<u8>);

/// A transport sends to peers, and keeps connections to them. Messages from peers go into the
/// runtime's [`Inbox`](crate::Inbox). The calls come from the commit thread: none may wait.
pub trait PeerTransport: Send + Sync + 'static {
    /// The type that counts messages as unread until they are handled.
    type Held: Held;

    /// Queues messages, in order. To a connection that is gone they are dropped: the
    /// reestablishment on the next connection repeats what matters.
    fn send(&self, conn: ConnId, frames: Vec<Frame>);

    /// Ends a connection. With `back_off`, because the peer floods us: its address is not let in
    /// again at once.
    fn disconnect(&self, conn: ConnId, reason: &str, back_off: bool);

    /// Keeps a connection to this peer from now on, at one of these addresses, best first, under
    /// this key of ours. Without addresses the peer is one that comes to us.
    fn keep_connected(&self, peer: NodeId, identity: LocalIdentity, addresses: &[String]);

    /// Ends the connection to this peer under this identity, and keeps none from now on.
    fn forget(&self, peer: NodeId, local: NodeId);
}

/// Messages count as unread until this is dropped: while too much is unread the transport reads no
/// more from the connection.
pub trait Held: Send + 'static {
    /// Splits off a part, to be dropped on its own: messages with this much payload.
    #[must_use]
    fn split(&mut self, payload_bytes: usize) -> Self;
}

/// A transport that bounds by itself what peers may have waiting counts nothing.
impl Held for () {
    fn split(&mut self, _payload_bytes: usize) -> Self {}
}

/// A router finds routes and builds their onions.
pub trait Router: Send + Sync + 'static {
    /// Finds a route. May take long: it is called on threads that may block, a few at a time.
    ///
    /// # Errors
    /// Fails with the reason why there is no route.
    fn find_route(&self, request: &RouteRequest) -> Result<Vec<RoutedPart>, NoRoute>;

    /// Learns how a path did. Called on the same threads as [`Self::find_route`].
    fn record(&self, result: PathResult);
}

/// A source that knows the chain. Heights come by themselves, as
/// [`Input::Chain`](steward_engine::Input::Chain) through
/// [`Runtime::inputs`](crate::Runtime::inputs); preimages in blocks are asked for.
pub trait Blocks: Send + Sync + 'static {
    /// Asks for the height at once instead of at its next turn. Called from the commit thread: it
    /// must not wait. The answer is an [`Input::Chain`](steward_engine::Input::Chain), news or not.
    fn ask_height(&self);

    /// Names the source for the log. `None`: it cannot look into blocks, and every block counts as
    /// searched.
    fn describe(&self) -> Option<String>;

    /// Returns all preimages that the block at this height publishes; `None` if there is no such
    /// block yet. May take long: it is called on a thread that may block, and never twice at a
    /// time.
    ///
    /// # Errors
    /// A failure is asked again, unless it is final: that stops the node.
    fn preimages_at(&self, height: u32) -> Result<Option<Vec<Preimage>>, BlocksError>;

    /// Returns the time to wait before a block is asked for again, after so many failures in a row.
    fn pause(&self, failures: u32) -> Duration;
}

/// The error of a block that could not be looked into.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct BlocksError {
    /// The obstacle.
    pub error: Error,
    /// True if asking again is of no use.
    pub is_final: bool,
}
