//! Starts a node: puts store, engine, connections and chain together around a runtime.

use std::net::{SocketAddr, SocketAddrV6};
use std::sync::{Arc, Mutex};

use bitcoin::constants::ChainHash;
use steward_chain::{BlockSource, ChainSource, Tip, WatchSettings, network_name};
use steward_engine::row::StoredState;
use steward_engine::{Code, Error, Time};
use steward_graph::Graph;
use steward_hosted::Role;
use steward_p2p::{PeerRoles, ProxyConfig, ProxyScope, SessionConfig, Transport, TransportConfig};
use steward_runtime::clock::time;
use steward_runtime::stop::guarded;
use steward_runtime::workers::Workers;
use steward_runtime::{Prepared, Stop, Surroundings};
use steward_store::Store;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;

use crate::adapters::blocks::{ChainBlocks, follow_chain, pump_chain};
use crate::adapters::reach::Reach;
use crate::adapters::router::{GraphRouter, keep_graph};
use crate::adapters::transport::{P2pTransport, pump_peers};
use crate::config::{CONFIG_FILE, Config};
use crate::data_dir;
use crate::error::chain_error;
use crate::handle::{NodeHandle, Shared};
use crate::info::NodeInfo;
use crate::keys::NodeKeys;
use crate::limits::MAX_READERS;
use crate::seed::Seed;
use crate::task::blocking;

/// The start of nodes. A started one is a [`NodeHandle`].
pub struct Node;

/// The parts that a node stands on, for programs that bring their own.
pub struct NodeParts {
    /// The seed that all keys are derived from.
    pub seed: Seed,
    /// The store of its state.
    pub store: Box<dyn Store>,
    /// The source of the height.
    pub chain: Box<dyn ChainSource>,
    /// The source of blocks, for published preimages. `None`: an expired HTLC is failed back
    /// without a look at the chain.
    pub blocks: Option<Box<dyn BlockSource>>,
}

impl Node {
    /// Starts the node of `config.node.data_dir`, which [`crate::initialize`] made. Must run inside
    /// a tokio runtime with I/O and time.
    ///
    /// # Errors
    /// Fails as [`Self::open`] and [`Self::start_with`].
    pub async fn start(config: Config) -> Result<NodeHandle, Error> {
        let parts = Self::open(&config).await?;
        Self::start_with(config, parts).await
    }

    /// Locks and opens the data directory and tells no peer: for programs that have more to do
    /// between this and the start.
    ///
    /// # Errors
    /// Fails with the code of the obstacle, such as `config_invalid`, `no_node`, `data_dir_locked`,
    /// `seed_missing`, `database_not_found`.
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
    /// Fails with the code of the obstacle: `host_not_enabled`, `listen_failed` and others.
    pub async fn start_with(config: Config, parts: NodeParts) -> Result<NodeHandle, Error> {
        for warning in config.check()? {
            tracing::warn!(key = warning.key, hint = warning.hint, "{}", warning.message);
        }
        let NodeParts { seed, store, chain, blocks } = parts;
        let load = move || Loaded::new(config, &seed, store);
        let loaded = blocking(load).await??;
        loaded.run(chain, blocks).await
    }
}

/// The parts of a node, all loaded and none started.
struct Loaded {
    config: Config,
    keys: NodeKeys,
    engine: Prepared,
    graph: Arc<Graph>,
    started: Time,
}

impl Loaded {
    fn new(config: Config, seed: &Seed, store: Box<dyn Store>) -> Result<Self, Error> {
        let network = config.node.network;
        let started = time();
        let signer = Box::new(NodeKeys::new(seed, network));
        let check = |stored: &StoredState| refuse_clients_of_a_wallet(&config, stored);
        let engine = Prepared::load(config.engine_config()?, signer, store, check)?;
        let graph = Arc::new(Graph::load(&config.node.data_dir, network));
        let keys = NodeKeys::new(seed, network);
        Ok(Self { config, keys, engine, graph, started })
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
        let (hurry, stop) = (Arc::<Notify>::default(), Stop::new());
        let mut tasks = JoinSet::new();
        let watching = (Arc::clone(&hurry), stop.clone());
        let (first_tip, updates) =
            follow_chain(chain, self.watch_settings()?, watching, &mut tasks).await?;
        let (graph, history) = (Arc::clone(&self.graph), self.engine.history());
        let readers = Workers::start("readers", MAX_READERS)
            .map_err(|error| Error::new(Code::NoThread, error.to_string()))?;
        let reach = Arc::new(Reach::new(transport.clone(), self.keys));
        let surroundings = Surroundings {
            transport: Arc::new(P2pTransport::new(transport.clone(), Arc::clone(&reach))),
            router: Arc::new(GraphRouter::new(Arc::clone(&graph), info.node_id)),
            blocks: Arc::new(ChainBlocks::new(blocks, info.network, hurry)),
        };
        let first = first_tip.into_iter().collect();
        let runtime = self.engine.start(surroundings, first, stop.clone()).await?;
        let guard = || stop.clone();
        let peers = pump_peers(peer_events, runtime.inbox());
        tasks.spawn(guarded(guard(), "chain", pump_chain(updates, runtime.inputs())));
        tasks.spawn(guarded(guard(), "peers", peers));
        let kept = keep_graph(Arc::clone(&graph), info.data_dir.clone());
        tasks.spawn(guarded(guard(), "graph", kept));
        tasks.spawn(disconnect_on_failure(stop.clone(), transport.clone()));
        tracing::info!(node_id = %info.node_id, network = network_name(info.network), listen = ?info.listen, "node started");
        Ok(NodeHandle::new(Shared {
            info,
            runtime,
            transport,
            history,
            readers,
            graph,
            reach,
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
        let (height, time_unix) = (self.engine.height(), self.started.wall_ms / 1000);
        let resume = Some(Tip { height, hash: None, time_unix }).filter(|tip| tip.height > 0);
        let config = &self.config;
        let settings = config.chain.watch_settings(config.node.network, resume);
        settings.map_err(|error| chain_error(&error))
    }
}

/// Refuses to start as a wallet a node that owes clients their balances: they could not reach it.
fn refuse_clients_of_a_wallet(config: &Config, snapshot: &StoredState) -> Result<(), Error> {
    let clients = snapshot.channels.iter().filter(|row| row.role == Role::Host).count();
    match u64::try_from(clients) {
        Ok(0) => Ok(()),
        _ if config.host.enabled => Ok(()),
        clients => Err(host_not_enabled(config, clients.unwrap_or(u64::MAX))),
    }
}

/// The error of a host whose configuration says that it is a wallet.
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

/// Ends the connections after a failed commit, before a peer can be told anything else.
async fn disconnect_on_failure(stop: Stop, transport: Transport) {
    // A stop that was asked for has ended the connections already.
    if stop.stopped().await.is_err() {
        transport.shutdown().await;
    }
}

fn transport_config(config: &Config) -> TransportConfig {
    let session = SessionConfig {
        chain: ChainHash::using_genesis_block_const(config.node.network),
        hosted_channel_bits: true,
        attribution: true,
        roles: PeerRoles::default(),
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

/// True if all of IPv6 and all of IPv4 are listened on at one port. For Linux the first includes
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
