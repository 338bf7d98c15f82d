//! The ground below the typed operations: a running node implements it, tests use a fake.

use std::path::PathBuf;
use std::pin::Pin;

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

/// A question to the stored lists, which hands on its answer by itself.
pub type Question = Box<dyn FnOnce(&dyn History) + Send>;

/// A node below its typed operations: commands with their replies, events, and what is stored.
pub trait Plumbing: Send + Sync + 'static {
    /// Returns the facts about the node that do not change while it runs.
    fn info(&self) -> NodeInfo;

    /// Returns the counters and the queue lengths.
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

    /// Lists the wanted peers that could not be reached the last time.
    fn connection_failures(&self) -> Vec<ConnectionFailure>;

    /// Returns a receiver of the events from now on.
    fn subscribe(&self) -> broadcast::Receiver<Event>;

    /// Asks the stored lists, on a thread that may block on the disk.
    fn ask_history(&self, question: Question);

    /// Copies the database to a new file, as [`crate::ops::Operations::backup`].
    fn backup(&self, to: PathBuf) -> Pending<'_, ()>;
}
