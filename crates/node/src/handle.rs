//! The handle of a running node. Clones are the same node.

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use steward_engine::row::LocalIdentity;
use steward_engine::{Command, ConnId, Error, Event, Reply};
use steward_graph::Graph;
use steward_p2p::{PeerAddress, Transport};
use steward_runtime::workers::Workers;
use steward_runtime::{Ending, Runtime};
use steward_store::History;
use steward_wire::NodeId;
use tokio::runtime::Handle;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::adapters::reach::{ConnectionFailure, Reach};
use crate::adapters::transport::Unread;
use crate::error::backup_error;
use crate::info::NodeInfo;
use crate::limits::DISCONNECT_TIMEOUT;
use crate::metrics::{NodeMetrics, P2pMetrics};
use crate::ops::Operations;
use crate::ops::plumbing::{Pending, Plumbing, Question};
use crate::task::blocking;

/// A running node, which is asked through its [`Operations`]. When the last clone is dropped
/// without [`NodeHandle::shutdown`], it ends by itself: the inputs taken in become durable, but
/// there is no way to wait for it.
#[derive(Clone)]
pub struct NodeHandle {
    shared: Arc<Shared>,
    operations: Operations,
}

impl Deref for NodeHandle {
    type Target = Operations;

    fn deref(&self) -> &Operations {
        &self.operations
    }
}

pub(crate) struct Shared {
    pub(crate) info: NodeInfo,
    pub(crate) runtime: Runtime<Unread>,
    pub(crate) transport: Transport,
    pub(crate) history: Arc<dyn History>,
    pub(crate) readers: Workers,
    pub(crate) graph: Arc<Graph>,
    pub(crate) reach: Arc<Reach>,
    pub(crate) tasks: Mutex<JoinSet<()>>,
    /// True once the shutdown is complete.
    pub(crate) torn_down: watch::Sender<bool>,
}

impl NodeHandle {
    pub(crate) fn new(shared: Shared) -> Self {
        let shared = Arc::new(shared);
        let operations = Operations::over(Arc::clone(&shared) as Arc<dyn Plumbing>);
        Self { shared, operations }
    }

    /// Returns the name and the place of the node.
    pub fn info(&self) -> &NodeInfo {
        &self.shared.info
    }

    /// Waits until the node has stopped: `Ok` after [`NodeHandle::shutdown`], otherwise the error
    /// that stopped it, `store_failed` above all.
    ///
    /// # Errors
    /// Fails with the error that stopped the node.
    pub async fn stopped(&self) -> Result<(), Error> {
        self.shared.runtime.stop().stopped().await
    }

    /// Ends the node in order: no new commands, connections closed, all inputs handled and
    /// durable, the database checkpointed and unlocked. May be called more than once, and goes on
    /// if its caller does not wait.
    ///
    /// # Errors
    /// Fails with the error that stopped the node before, or while, it was shut down.
    pub async fn shutdown(&self) -> Result<(), Error> {
        if let Some(ending) = self.shared.runtime.begin_to_end() {
            tokio::spawn(shut_down(Arc::clone(&self.shared), ending));
        }
        // The sender lives as long as this handle.
        let _ = self.shared.torn_down.subscribe().wait_for(|done| *done).await;
        self.stopped().await
    }
}

async fn shut_down(node: Arc<Shared>, ending: Ending) {
    tracing::info!("shutting down");
    if timeout(DISCONNECT_TIMEOUT, node.transport.shutdown()).await.is_err() {
        tracing::warn!("not all connections ended in time");
    }
    let ended = node.runtime.end(ending).await;
    node.save_graph().await;
    node.runtime.ended(ended);
    node.tasks.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    node.torn_down.send_replace(true);
}

impl Shared {
    async fn save_graph(&self) {
        let (graph, dir) = (Arc::clone(&self.graph), self.info.data_dir.clone());
        if let Ok(Err(error)) = blocking(move || graph.save(&dir)).await {
            tracing::warn!(%error, "the graph was not saved");
        }
    }
}

impl Plumbing for Shared {
    fn info(&self) -> NodeInfo {
        self.info.clone()
    }

    fn metrics(&self) -> NodeMetrics {
        NodeMetrics {
            runtime: self.runtime.metrics(),
            graph_channels: self.graph.channel_count() as u64,
            bugs: steward_wire::invariant::total(),
            p2p: P2pMetrics::of(self.transport.stats()),
        }
    }

    fn command(&self, command: Command) -> Pending<'_, Reply> {
        Box::pin(self.runtime.command(command))
    }

    fn reach(
        &self,
        peer: NodeId,
        identity: LocalIdentity,
        address: PeerAddress,
    ) -> Pending<'_, ConnId> {
        Box::pin(async move { self.reach.reach(peer, identity, &address).await })
    }

    fn disconnect(&self, conn: ConnId, reason: &str) {
        self.reach.disconnect(conn, reason);
    }

    fn connection_failures(&self) -> Vec<ConnectionFailure> {
        self.reach.failures()
    }

    fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.runtime.subscribe()
    }

    fn ask_history(&self, question: Question) {
        let history = Arc::clone(&self.history);
        self.readers.give(move || question(&*history));
    }

    fn backup(&self, to: PathBuf) -> Pending<'_, ()> {
        let history = Arc::clone(&self.history);
        Box::pin(async move {
            let copied = blocking(move || history.backup(&to)).await?;
            copied.map(drop).map_err(|error| backup_error(&error))
        })
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let transport = self.transport.clone();
        // Without a tokio runtime its tasks are gone anyway.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move { transport.shutdown().await });
        }
    }
}
