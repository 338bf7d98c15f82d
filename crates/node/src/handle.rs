//! What a running node can be asked. Clones are the same node.

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use steward_engine::{Code, Command, ConnId, Error, Event, Input, Reply};
use steward_graph::Graph;
use steward_p2p::PeerAddress;
use steward_store::History;
use steward_wire::NodeId;
use tokio::runtime::Handle;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::error::{backup_error, commit_error, stopping};
use crate::info::NodeInfo;
use crate::limits::DISCONNECT_TIMEOUT;
use crate::metrics::{Counters, NodeMetrics, P2pMetrics};
use crate::node::{EngineJoin, Links};
use crate::ops::Operations;
use crate::ops::plumbing::{Pending, Plumbing};
use crate::reach::{ConnectionFailure, Reach};
use crate::task::blocking;

/// A running node; what it can be asked are the [`Operations`]. When the last clone is dropped
/// without [`NodeHandle::shutdown`], it ends by itself: what it has taken in becomes durable, but
/// nobody can wait for it.
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
    pub(crate) links: Links,
    pub(crate) history: Arc<dyn History>,
    pub(crate) graph: Arc<Graph>,
    pub(crate) reach: Arc<Reach>,
    /// Taken by whoever shuts down.
    pub(crate) engine_thread: Mutex<Option<EngineJoin>>,
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

    /// Who and where the node is.
    pub fn info(&self) -> &NodeInfo {
        &self.shared.info
    }

    /// Waits until the node has stopped: `Ok` after [`NodeHandle::shutdown`], otherwise what
    /// stopped it, `store_failed` above all.
    ///
    /// # Errors
    /// What stopped the node.
    pub async fn stopped(&self) -> Result<(), Error> {
        self.shared.links.stop.stopped().await
    }

    /// Ends the node in order: no new commands, connections closed, all inputs handled and
    /// durable, the database checkpointed and unlocked. May be called more than once, and goes on
    /// if its caller does not wait.
    ///
    /// # Errors
    /// What stopped the node before, or while, it was shut down.
    pub async fn shutdown(&self) -> Result<(), Error> {
        let engine_thread = lock(&self.shared.engine_thread).take();
        if let Some(engine_thread) = engine_thread {
            tokio::spawn(shut_down(Arc::clone(&self.shared), engine_thread));
        }
        // The sender lives as long as this handle.
        let _ = self.shared.torn_down.subscribe().wait_for(|done| *done).await;
        self.stopped().await
    }
}

async fn shut_down(node: Arc<Shared>, engine_thread: EngineJoin) {
    tracing::info!("shutting down");
    if timeout(DISCONNECT_TIMEOUT, node.links.transport.shutdown()).await.is_err() {
        tracing::warn!("not all connections ended in time");
    }
    node.links.inputs.end();
    let closed = blocking(move || match engine_thread.join() {
        Ok(commits) => commits.close().map(drop).map_err(|error| commit_error(&error)),
        // The guard has told why.
        Err(_) => Err(Error::new(Code::Bug, "the engine panicked")),
    });
    let closed = closed.await.and_then(|closed| closed);
    node.save_graph().await;
    node.links.replies.give_up();
    match closed {
        Ok(()) => node.links.stop.done(),
        Err(error) => node.links.stop.fail(error),
    }
    lock(&node.tasks).abort_all();
    node.torn_down.send_replace(true);
}

impl Shared {
    async fn ask(&self, command: Command) -> Result<Reply, Error> {
        if self.links.stop.is_set() || self.is_shutting_down() {
            return Err(self.why_stopped());
        }
        let pending = self.links.replies.register()?;
        let input = Input::Command { reply: pending.id, command };
        if self.links.inputs.send(input).await.is_err() {
            return Err(self.why_stopped());
        }
        // A node that stopped meanwhile gave up the others, perhaps just before this one came.
        tokio::select! {
            biased;
            answer = pending.answer() => answer.unwrap_or_else(|| Err(self.why_stopped())),
            _ = self.links.stop.stopped() => Err(self.why_stopped()),
        }
    }

    async fn save_graph(&self) {
        let (graph, dir) = (Arc::clone(&self.graph), self.info.data_dir.clone());
        if let Ok(Err(error)) = blocking(move || graph.save(&dir)).await {
            tracing::warn!(%error, "the graph was not saved");
        }
    }

    fn is_shutting_down(&self) -> bool {
        lock(&self.engine_thread).is_none()
    }

    fn why_stopped(&self) -> Error {
        self.links.stop.failure().unwrap_or_else(stopping)
    }
}

impl Plumbing for Shared {
    fn info(&self) -> NodeInfo {
        self.info.clone()
    }

    fn metrics(&self) -> NodeMetrics {
        let Links { transport, inputs, replies, counters, .. } = &self.links;
        NodeMetrics {
            store: counters.store(),
            batches: Counters::load(&counters.batches),
            inputs: Counters::load(&counters.inputs),
            actions: Counters::load(&counters.actions),
            queued_input_weight: inputs.weight() as u64,
            outstanding_commands: replies.len() as u64,
            pending_routes: Counters::load(&counters.pending_routes),
            graph_channels: self.graph.channel_count() as u64,
            bugs: steward_wire::invariant::total(),
            p2p: P2pMetrics::of(transport.stats()),
        }
    }

    fn command(&self, command: Command) -> Pending<'_, Reply> {
        Box::pin(self.ask(command))
    }

    fn reach(&self, peer: NodeId, is_host: bool, address: PeerAddress) -> Pending<'_, ConnId> {
        Box::pin(async move { self.reach.reach(peer, is_host, &address).await })
    }

    fn disconnect(&self, conn: ConnId, reason: &str) {
        self.reach.disconnect(conn, reason);
    }

    fn connection_failures(&self) -> Vec<ConnectionFailure> {
        self.reach.failures()
    }

    fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.links.events.subscribe()
    }

    fn history(&self) -> Arc<dyn History> {
        Arc::clone(&self.history)
    }

    fn backup(&self, to: PathBuf) -> Pending<'_, ()> {
        let history = self.history();
        Box::pin(async move {
            let copied = blocking(move || history.backup(&to)).await?;
            copied.map(drop).map_err(|error| backup_error(&error))
        })
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.links.inputs.end();
        let transport = self.links.transport.clone();
        // Without a runtime its tasks are gone anyway.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move { transport.shutdown().await });
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
