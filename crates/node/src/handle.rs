//! What a running node can be asked. Clones are the same node.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use bitcoin::Network;
use steward_engine::{Command, Error, Event, Input, Reply};
use steward_graph::Graph;
use steward_p2p::PeerAddress;
use steward_store::History;
use steward_wire::{NodeId, Preimage};
use tokio::runtime::Handle;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::config::Config;
use crate::data_dir::database;
use crate::error::{backup_error, commit_error, stopping};
use crate::limits::DISCONNECT_TIMEOUT;
use crate::metrics::{Counters, NodeMetrics, P2pMetrics};
use crate::node::{EngineJoin, Links, blocking};
use crate::random::random_bytes;
use crate::reach::Reach;
use crate::seed::Seed;

/// A running node. When the last clone is dropped without [`NodeHandle::shutdown`], it ends by
/// itself: what it has taken in becomes durable, but nobody can wait for it.
#[derive(Clone)]
pub struct NodeHandle(Arc<Shared>);

/// Who and where the node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeInfo {
    /// Which chain.
    pub network: Network,
    /// Our identity as host.
    pub node_id: NodeId,
    /// This program's version.
    pub version: &'static str,
    /// Where seed and database live.
    pub data_dir: PathBuf,
    /// Addresses we listen on, with the ports really bound.
    pub listen: Vec<SocketAddr>,
    /// Addresses under which clients reach us, as configured.
    pub public_addresses: Vec<PeerAddress>,
    /// When the node started, unix time, milliseconds.
    pub started_ms: u64,
    /// The same moment by [`crate::clock::now_ms`], to count from.
    pub started_at_ms: u64,
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
        Self(Arc::new(shared))
    }

    /// Asks the engine; the answer comes when what it depends on is durable.
    ///
    /// # Errors
    /// The engine's own; `node_busy` if too many commands wait, `node_stopped`, or what stopped
    /// the node.
    pub async fn command(&self, command: Command) -> Result<Reply, Error> {
        if self.0.links.stop.is_set() || self.is_shutting_down() {
            return Err(self.why_stopped());
        }
        let pending = self.0.links.replies.register()?;
        let input = Input::Command { reply: pending.id, command };
        if self.0.links.inputs.send(input).await.is_err() {
            return Err(self.why_stopped());
        }
        // A node that stopped meanwhile gave up the others, perhaps just before this one came.
        tokio::select! {
            biased;
            answer = pending.answer() => answer.unwrap_or_else(|| Err(self.why_stopped())),
            _ = self.0.links.stop.stopped() => Err(self.why_stopped()),
        }
    }

    /// Takes over what may change while the node runs: `[host]` but for `enabled`, and
    /// `[payments]`. Nothing is taken over from a configuration that cannot be used.
    ///
    /// # Errors
    /// `config_invalid`, or as [`Self::command`].
    pub async fn reconfigure(&self, config: Config) -> Result<(), Error> {
        // It may read an image.
        let config = blocking(move || config.engine_config()).await??;
        let command = Command::Reconfigure { config: Box::new(config) };
        self.command(command).await.map(drop)
    }

    /// Events from now on. A subscriber that is too slow is told how many it has missed and finds
    /// them in [`History::events`].
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.0.links.events.subscribe()
    }

    pub(crate) fn reaching(&self) -> &Reach {
        &self.0.reach
    }

    /// What is stored, for lists and searches. Blocks on the disk: call it where that is allowed.
    pub fn history(&self) -> Arc<dyn History> {
        Arc::clone(&self.0.history)
    }

    /// Who and where the node is.
    pub fn info(&self) -> &NodeInfo {
        &self.0.info
    }

    /// Counters and queue lengths.
    pub fn metrics(&self) -> NodeMetrics {
        let Links { transport, inputs, replies, counters, .. } = &self.0.links;
        NodeMetrics {
            store: counters.store(),
            batches: Counters::load(&counters.batches),
            inputs: Counters::load(&counters.inputs),
            actions: Counters::load(&counters.actions),
            queued_input_weight: inputs.weight() as u64,
            outstanding_commands: replies.len() as u64,
            pending_routes: Counters::load(&counters.pending_routes),
            graph_channels: self.0.graph.channel_count() as u64,
            p2p: P2pMetrics::of(transport.stats()),
        }
    }

    /// Copies the database, as of one moment and while it is in use, to a new file.
    ///
    /// # Errors
    /// `file_exists` if there is such a file, `backup_not_possible` if none can be made there.
    pub async fn backup(&self, to: PathBuf) -> Result<(), Error> {
        let from = database(&self.0.info.data_dir);
        let copied = blocking(move || steward_store::sqlite::backup(&from, &to)).await?;
        copied.map(drop).map_err(|error| backup_error(&error))
    }

    /// The seed's words, to be written down.
    ///
    /// # Errors
    /// If the seed file cannot be read.
    pub fn seed_words(&self) -> Result<Zeroizing<String>, Error> {
        let seed = Seed::load(&self.0.info.data_dir)?;
        Ok(Zeroizing::new(seed.words().to_owned()))
    }

    /// Waits until the node has stopped: `Ok` after [`NodeHandle::shutdown`], otherwise what
    /// stopped it, `store_failed` above all.
    ///
    /// # Errors
    /// What stopped the node.
    pub async fn stopped(&self) -> Result<(), Error> {
        self.0.links.stop.stopped().await
    }

    /// Ends the node in order: no new commands, connections closed, all inputs handled and
    /// durable, the database checkpointed and unlocked. May be called more than once, and goes on
    /// if its caller does not wait.
    ///
    /// # Errors
    /// What stopped the node before, or while, it was shut down.
    pub async fn shutdown(&self) -> Result<(), Error> {
        let engine_thread = lock(&self.0.engine_thread).take();
        if let Some(engine_thread) = engine_thread {
            tokio::spawn(self.clone().shut_down(engine_thread));
        }
        // The sender lives as long as this handle.
        let _ = self.0.torn_down.subscribe().wait_for(|done| *done).await;
        self.stopped().await
    }

    async fn shut_down(self, engine_thread: EngineJoin) {
        tracing::info!("shutting down");
        if timeout(DISCONNECT_TIMEOUT, self.0.links.transport.shutdown()).await.is_err() {
            tracing::warn!("not all connections ended in time");
        }
        self.0.links.inputs.end();
        let closed = blocking(move || match engine_thread.join() {
            Ok(commits) => commits.close().map(drop).map_err(|error| commit_error(&error)),
            // The guard has told why.
            Err(_) => Err(Error::ours("bug", "the engine panicked")),
        });
        let closed = closed.await.and_then(|closed| closed);
        self.save_graph().await;
        self.0.links.replies.give_up();
        match closed {
            Ok(()) => self.0.links.stop.done(),
            Err(error) => self.0.links.stop.fail(error),
        }
        lock(&self.0.tasks).abort_all();
        self.0.torn_down.send_replace(true);
    }

    async fn save_graph(&self) {
        let (graph, dir) = (Arc::clone(&self.0.graph), self.0.info.data_dir.clone());
        if let Ok(Err(error)) = blocking(move || graph.save(&dir)).await {
            tracing::warn!(%error, "the graph was not saved");
        }
    }

    fn is_shutting_down(&self) -> bool {
        lock(&self.0.engine_thread).is_none()
    }

    fn why_stopped(&self) -> Error {
        self.0.links.stop.failure().unwrap_or_else(stopping)
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

/// A fresh preimage, for an invoice or a keysend.
///
/// # Errors
/// `no_randomness`.
pub fn new_preimage() -> Result<Preimage, Error> {
    Ok(Preimage(random_bytes()?))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
