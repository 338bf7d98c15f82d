//! Starts a node: puts store, engine, connections and chain together.
//!
//! ```text
//! p2p, chain, commands ─▶ input queue ─▶ engine thread ─▶ commit thread ─▶ Performer ─▶ p2p, replies
//! ```

use std::net::{SocketAddr, SocketAddrV6};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use bitcoin::constants::ChainHash;
use steward_chain::{BlockSource, ChainSource, ChainUpdate, Tip, WatchSettings, network_name};
use steward_engine::row::StoredState;
use steward_engine::{Action, Code, Engine, Error, Event, Keys, Time};
use steward_graph::Graph;
use steward_hosted::Role;
use steward_p2p::{ProxyConfig, ProxyScope, SessionConfig, Transport, TransportConfig};
use steward_store::{CommitThread, History, Store};
use tokio::runtime::Handle;
use tokio::sync::{Notify, broadcast, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::clock::{clocks, time, wall_ms};
use crate::config::{CONFIG_FILE, Config};
use crate::data_dir;
use crate::engine_thread::EngineThread;
use crate::error::{chain_error, commit_error, stopping, store_error};
use crate::handle::{NodeHandle, Shared};
use crate::info::NodeInfo;
use crate::keys::NodeKeys;
use crate::limits::{
    FIRST_TIP_TIMEOUT, GRAPH_MAINTENANCE_INTERVAL, MAX_BUFFERED_EVENTS, MAX_QUEUED_CHAIN_UPDATES,
};
use crate::log_thread::{LogSender, LogThread};
use crate::metrics::Counters;
use crate::perform::{Performer, Routes};
use crate::pumps::{chain_input, pump_chain, pump_peers};
use crate::queue::{InputReceiver, InputSender, input_queue};
use crate::reach::Reach;
use crate::replies::Replies;
use crate::search::{SearchRequest, search_blocks, search_requests};
use crate::seed::Seed;
use crate::stop::{Stop, StopOnPanic, guarded};
use crate::task::blocking;

/// Starts nodes. A started one is a [`NodeHandle`].
pub struct Node;

/// What a node stands on, for those who bring their own.
pub struct NodeParts {
    /// What all keys are derived from.
    pub seed: Seed,
    /// Where it keeps its state.
    pub store: Box<dyn Store>,
    /// Where it learns the height.
    pub chain: Box<dyn ChainSource>,
    /// Where it looks for published preimages. `None`: an expired HTLC is failed back without a
    /// look at the chain.
    pub blocks: Option<Box<dyn BlockSource>>,
}

impl Node {
    /// Starts the node of `config.node.data_dir`, which [`crate::initialize`] made. Must run inside
    /// a tokio runtime with I/O and time.
    ///
    /// # Errors
    /// As [`Self::open`] and [`Self::start_with`].
    pub async fn start(config: Config) -> Result<NodeHandle, Error> {
        let parts = Self::open(&config).await?;
        Self::start_with(config, parts).await
    }

    /// Locks and opens the data directory, without a word to anybody: for those who have more to
    /// do between this and the start.
    ///
    /// # Errors
    /// With the code of what is in the way, such as `config_invalid`, `no_node`,
    /// `data_dir_locked`, `seed_missing`, `database_not_found`.
    pub async fn open(config: &Config) -> Result<NodeParts, Error> {
        config.check()?;
        let network = config.node.network;
        let chain = config.chain.open(network).map_err(|error| chain_error(&error))?;
        let blocks = config.chain.open_blocks(network).map_err(|error| chain_error(&error))?;
        let config = config.clone();
        let (seed, store) = blocking(move || data_dir::open(&config)).await??;
        Ok(NodeParts { seed, store: Box::new(store), chain, blocks })
    }

    /// Starts a node on these parts. Only the graph is kept in the data directory.
    ///
    /// # Errors
    /// `host_not_enabled`, `listen_failed` and others, with the code of what is in the way.
    pub async fn start_with(config: Config, parts: NodeParts) -> Result<NodeHandle, Error> {
        for warning in config.check()? {
            tracing::warn!(key = warning.key, hint = warning.hint, "{}", warning.message);
        }
        let NodeParts { seed, store, chain, blocks } = parts;
        let prepare = move || Prepared::new(config, &seed, store);
        let prepared = blocking(prepare).await??;
        prepared.run(chain, blocks).await
    }
}

/// Everything loaded, nothing started.
struct Prepared {
    config: Config,
    keys: NodeKeys,
    engine: Engine,
    store: Box<dyn Store>,
    history: Arc<dyn History>,
    graph: Arc<Graph>,
    /// Best height ever stored.
    height: u32,
    started: Time,
}

impl Prepared {
    fn new(config: Config, seed: &Seed, mut store: Box<dyn Store>) -> Result<Self, Error> {
        let network = config.node.network;
        let started = time();
        let snapshot = store.load(started.wall_ms).map_err(|error| store_error(&error))?;
        refuse_clients_of_a_wallet(&config, &snapshot)?;
        let history = store.history().map_err(|error| store_error(&error))?;
        let height = snapshot.height;
        let engine_keys = Box::new(NodeKeys::new(seed, network));
        let engine = Engine::new(config.engine_config()?, engine_keys, snapshot, started)?;
        let graph = Arc::new(Graph::load(&config.node.data_dir, network));
        let keys = NodeKeys::new(seed, network);
        Ok(Self { config, keys, engine, store, history, graph, height, started })
    }

    async fn run(
        self,
        chain: Box<dyn ChainSource>,
        blocks: Option<Box<dyn BlockSource>>,
    ) -> Result<NodeHandle, Error> {
        let (transport, peer_events) = Transport::new(transport_config(&self.config));
        let started = self.run_on(transport.clone(), peer_events, chain, blocks).await;
        if started.is_err() {
            // Addresses bound so far are given back.
            transport.shutdown().await;
        }
        started
    }

    async fn run_on(
        self,
        transport: Transport,
        peer_events: mpsc::Receiver<steward_p2p::Event>,
        chain: Box<dyn ChainSource>,
        blocks: Option<Box<dyn BlockSource>>,
    ) -> Result<NodeHandle, Error> {
        let info =
            self.info(listen(&transport, &self.config.listen_addresses(), &self.keys).await?);
        let (inputs, engine_inputs) = input_queue();
        let links = Links {
            transport,
            inputs,
            replies: Replies::default(),
            counters: Arc::default(),
            events: broadcast::channel(MAX_BUFFERED_EVENTS).0,
            stop: Stop::new(),
            hurry_chain: Arc::default(),
        };
        let mut tasks = JoinSet::new();
        let updates = follow_chain(chain, self.watch_settings()?, &links, &mut tasks).await?;
        let (graph, history) = (Arc::clone(&self.graph), Arc::clone(&self.history));
        let (searches, requests) = search_requests();
        let (log, log_thread) =
            LogThread::start().map_err(|error| Error::new(Code::NoThread, error.to_string()))?;
        let peers = pump_peers(peer_events, links.inputs.clone(), log.clone());
        let (engine_thread, reach) =
            self.start_threads(engine_inputs, searches, (log, log_thread), &links)?;
        let (inputs, stop) = (links.inputs.clone(), links.stop.clone());
        let guard = || links.stop.clone();
        let search = search_blocks(blocks, info.network, requests, inputs, stop);
        tasks.spawn(guarded(guard(), "block search", search));
        tasks.spawn(guarded(guard(), "chain", pump_chain(updates, links.inputs.clone())));
        tasks.spawn(guarded(guard(), "peers", peers));
        let kept = keep_graph(Arc::clone(&graph), info.data_dir.clone());
        tasks.spawn(guarded(guard(), "graph", kept));
        tasks.spawn(tear_down_on_failure(links.clone()));
        tracing::info!(node_id = %info.node_id, network = network_name(info.network), listen = ?info.listen, "node started");
        Ok(NodeHandle::new(Shared {
            info,
            links,
            history,
            graph,
            reach,
            engine_thread: Mutex::new(Some(engine_thread)),
            tasks: Mutex::new(tasks),
            torn_down: watch::Sender::new(false),
        }))
    }

    fn info(&self, listen: Vec<SocketAddr>) -> NodeInfo {
        NodeInfo {
            network: self.config.node.network,
            node_id: self.keys.node_id(),
            version: env!("CARGO_PKG_VERSION"),
            data_dir: self.config.node.data_dir.clone(),
            listen,
            public_addresses: self.config.listen.public_addresses.clone(),
            started_ms: self.started.wall_ms,
            started_at_ms: self.started.now_ms,
        }
    }

    fn watch_settings(&self) -> Result<WatchSettings, Error> {
        let believed =
            Tip { height: self.height, hash: None, time_unix: self.started.wall_ms / 1000 };
        let resume = Some(believed).filter(|tip| tip.height > 0);
        let config = &self.config;
        let settings = config.chain.watch_settings(config.node.network, resume);
        settings.map_err(|error| chain_error(&error))
    }

    fn start_threads(
        self,
        inputs: InputReceiver,
        searches: mpsc::Sender<SearchRequest>,
        (log, log_thread): (LogSender, LogThread),
        links: &Links,
    ) -> Result<(EngineJoin, Arc<Reach>), Error> {
        let counters = Arc::clone(&links.counters);
        let payer = self.keys.node_id();
        let reach = Arc::new(Reach::new(links.transport.clone(), self.keys));
        let performer = Performer {
            transport: Arc::new(links.transport.clone()),
            reach: Arc::clone(&reach),
            replies: links.replies.clone(),
            events: links.events.clone(),
            routes: Routes::new(
                self.graph,
                payer,
                Handle::current(),
                links.inputs.clone(),
                Arc::clone(&counters),
            ),
            searches,
            hurry_chain: Arc::clone(&links.hurry_chain),
            log,
            _log_thread: log_thread,
        };
        let guard = StopOnPanic { stop: links.stop.clone(), thread: "store" };
        let on_durable = move |batches| {
            let _ = &guard;
            performer.perform(batches);
        };
        let stop = links.stop.clone();
        let on_failure = move |error| stop.fail(commit_error(&error));
        let commits = CommitThread::spawn(self.store, on_durable, on_failure)
            .map_err(|error| store_error(&error))?;
        let engine = EngineThread { engine: self.engine, inputs, commits, counters };
        let guard = StopOnPanic { stop: links.stop.clone(), thread: "engine" };
        let run = move || {
            let _guard = guard;
            engine.run()
        };
        let thread = std::thread::Builder::new().name("engine".to_owned()).spawn(run);
        let thread = thread.map_err(|error| Error::new(Code::NoThread, error.to_string()))?;
        Ok((thread, reach))
    }
}

/// A node that owes clients their balances must not go on as a wallet, which they cannot reach.
fn refuse_clients_of_a_wallet(config: &Config, snapshot: &StoredState) -> Result<(), Error> {
    let clients = snapshot.channels.iter().filter(|row| row.role == Role::Host).count();
    match u64::try_from(clients) {
        Ok(0) => Ok(()),
        _ if config.host.enabled => Ok(()),
        clients => Err(host_not_enabled(config, clients.unwrap_or(u64::MAX))),
    }
}

/// Of a host whose configuration says that it is a wallet.
pub(crate) fn host_not_enabled(config: &Config, clients: u64) -> Error {
    let file = config.node.data_dir.join(CONFIG_FILE);
    let problem = format!(
        "this node hosts {clients} channels, but host.enabled is not set: as a wallet it would listen nowhere, and its clients could not reach it"
    );
    Error::new(Code::HostNotEnabled, problem).hint(format!(
        "Add this line below `[host]` in {} (and the line `[host]`, if there is none): enabled = true",
        file.display()
    ))
}

/// The engine's thread; it gives back the commit thread.
pub(crate) type EngineJoin = JoinHandle<CommitThread<Vec<Action>>>;

/// What threads, tasks and handles share.
#[derive(Clone)]
pub(crate) struct Links {
    pub(crate) transport: Transport,
    pub(crate) inputs: InputSender,
    pub(crate) replies: Replies,
    pub(crate) counters: Arc<Counters>,
    pub(crate) events: broadcast::Sender<Event>,
    pub(crate) stop: Stop,
    /// Wakes the chain's watcher before its turn.
    pub(crate) hurry_chain: Arc<Notify>,
}

/// After a failed commit nothing may leave: what was not durable is lost with the store's thread,
/// and the connections go before a peer can be told anything else.
async fn tear_down_on_failure(links: Links) {
    let Err(error) = links.stop.stopped().await else { return };
    tracing::error!(code = %error.code, hint = error.hint, "{}", error.message);
    links.inputs.end();
    links.replies.give_up();
    links.transport.shutdown().await;
}

/// Starts to watch the chain and waits for its first word, which becomes the engine's first input:
/// a channel opened or resumed at yesterday's height would be refused by its peer. A source that
/// does not answer in time does not keep the node from starting: fulfills are urgent.
async fn follow_chain(
    source: Box<dyn ChainSource>,
    settings: WatchSettings,
    links: &Links,
    tasks: &mut JoinSet<()>,
) -> Result<mpsc::Receiver<ChainUpdate>, Error> {
    let (sender, mut updates) = mpsc::channel(MAX_QUEUED_CHAIN_UPDATES);
    tasks.spawn(watch_chain(
        source,
        settings,
        Arc::clone(&links.hurry_chain),
        sender,
        links.stop.clone(),
    ));
    match timeout(FIRST_TIP_TIMEOUT, updates.recv()).await {
        Ok(Some(update)) => {
            // The queue is empty and its receiver alive.
            let _ = links.inputs.send(chain_input(&update)).await;
            Ok(updates)
        }
        Ok(None) => Err(links.stop.failure().unwrap_or_else(stopping)),
        Err(_elapsed) => {
            tracing::warn!("the chain source does not answer: no forwards until it does");
            Ok(updates)
        }
    }
}

async fn watch_chain(
    source: Box<dyn ChainSource>,
    settings: WatchSettings,
    hurry: Arc<Notify>,
    updates: mpsc::Sender<ChainUpdate>,
    stop: Stop,
) {
    // The reason first: whoever sees the updates end looks for it.
    let ended = steward_chain::watch(source, settings, clocks(), hurry, updates.clone()).await;
    if let Err(error) = ended {
        stop.fail(chain_error(&error));
    }
    drop(updates);
}

/// A cache: written now and then, and at shutdown.
async fn keep_graph(graph: Arc<Graph>, dir: std::path::PathBuf) {
    loop {
        tokio::time::sleep(GRAPH_MAINTENANCE_INTERVAL).await;
        let (graph, dir) = (Arc::clone(&graph), dir.clone());
        let work = move || {
            graph.maintain(wall_ms());
            graph.save(&dir)
        };
        if let Ok(Err(error)) = tokio::task::spawn_blocking(work).await {
            tracing::warn!(%error, "the graph was not saved");
        }
    }
}

fn transport_config(config: &Config) -> TransportConfig {
    let session = SessionConfig {
        chain: ChainHash::using_genesis_block_const(config.node.network),
        hosted_channel_bits: true,
        attribution: true,
    };
    let scope = if config.proxy.onion_only { ProxyScope::OnionOnly } else { ProxyScope::All };
    let proxy = config.proxy.socks5.map(|address| ProxyConfig { address, scope });
    TransportConfig { proxy, ..TransportConfig::new(session) }
}

async fn listen(
    transport: &Transport,
    addresses: &[SocketAddr],
    keys: &NodeKeys,
) -> Result<Vec<SocketAddr>, Error> {
    let mut bound = Vec::with_capacity(addresses.len());
    for address in addresses {
        let listening = match address {
            SocketAddr::V6(v6) if also_ipv4(v6, addresses) => {
                transport.listen_ipv6_only(*v6, keys.node())
            }
            _ => transport.listen(*address, keys.node()).await,
        };
        bound.push(listening.map_err(|error| {
            Error::new(Code::ListenFailed, format!("cannot listen on {address}: {error}")).hint(
                "Another program may use the port: see `steward doctor`, or set listen.addresses.",
            )
        })?);
    }
    Ok(bound)
}

/// Whether all of IPv6 and all of IPv4 are listened on at one port. For Linux the first includes
/// the second, unless told otherwise.
fn also_ipv4(v6: &SocketAddrV6, addresses: &[SocketAddr]) -> bool {
    let is_all_of_ipv4 = |other: &SocketAddr| {
        other.is_ipv4() && other.ip().is_unspecified() && other.port() == v6.port()
    };
    v6.ip().is_unspecified() && addresses.iter().any(is_all_of_ipv4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv6_is_listened_on_alone_only_beside_ipv4_at_the_same_port() {
        let of = |addresses: &[&str]| {
            let addresses: Vec<SocketAddr> = addresses.iter().map(|a| a.parse().unwrap()).collect();
            let Some(SocketAddr::V6(first)) = addresses.first() else { unreachable!() };
            also_ipv4(first, &addresses)
        };
        assert!(of(&["[::]:1", "0.0.0.0:1"]));
        assert!(!of(&["[::]:1"]), "both, as the system does by itself");
        assert!(!of(&["[::]:1", "0.0.0.0:2"]));
        assert!(!of(&["[::]:1", "127.0.0.1:1"]));
        assert!(!of(&["[::1]:1", "0.0.0.0:1"]));
    }
}
