//! What the typed operations stand on. A running node implements it; tests use a fake.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use steward_engine::row::LocalIdentity;
use steward_engine::{Command, ConnId, Error, Event, Reply};
use steward_p2p::PeerAddress;
use steward_store::History;
use steward_wire::NodeId;
use tokio::sync::broadcast;

use crate::adapters::reach::ConnectionFailure;
use crate::info::NodeInfo;
use crate::metrics::NodeMetrics;

/// An answer on its way.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// A node below its typed operations: commands with their replies, events, and what is stored.
pub trait Plumbing: Send + Sync + 'static {
    /// What does not change while the node runs.
    fn info(&self) -> NodeInfo;

    /// Counters and queue lengths.
    fn metrics(&self) -> NodeMetrics;

    /// Asks the engine; the answer comes when what it depends on is durable.
    ///
    /// # Errors
    /// The engine's own; `node_busy` if too many commands wait, `node_stopped`, or what stopped
    /// the node.
    fn command(&self, command: Command) -> Pending<'_, Reply>;

    /// Connects to `peer` at `address`, under this key of ours.
    ///
    /// # Errors
    /// `peer_unreachable`, `handshake_failed`, `proxy_needed`, `own_node`.
    fn reach(
        &self,
        peer: NodeId,
        identity: LocalIdentity,
        address: PeerAddress,
    ) -> Pending<'_, ConnId>;

    /// Ends a connection.
    fn disconnect(&self, conn: ConnId, reason: &str);

    /// The wanted peers that could not be reached the last time.
    fn connection_failures(&self) -> Vec<ConnectionFailure>;

    /// Events from now on.
    fn subscribe(&self) -> broadcast::Receiver<Event>;

    /// What is stored; its calls block on the disk.
    fn history(&self) -> Arc<dyn History>;

    /// Copies the database to a new file, as [`crate::ops::Operations::backup`].
    fn backup(&self, to: PathBuf) -> Pending<'_, ()>;
}
