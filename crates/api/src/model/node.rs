//! The node itself, its peers and its books, in JSON.

use serde::{Deserialize, Serialize};
use steward_engine::command::PeerInfo;
use steward_engine::row::ForwardRow;
use steward_node::{NodeMetrics, P2pMetrics};
use steward_store::StoreStats;
use utoipa::ToSchema;

/// The node as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// Our identity as host; towards its own hosts a client has others.
    pub node_id: String,
    /// The network: mainnet, testnet, testnet4, signet or regtest.
    pub network: String,
    /// The program's version.
    pub version: String,
    /// The data directory, with seed and database, on the node's machine.
    pub data_dir: String,
    /// The addresses at which Lightning peers can connect, as bound.
    pub listen_addresses: Vec<String>,
    /// The address at which clients reach us, as the operator says, `host:port`.
    pub public_addresses: Vec<String>,
    /// The best block height.
    pub block_height: u32,
    /// True if the chain source gave no news for too long: no forwards are accepted.
    pub chain_is_stale: bool,
    /// The time since the chain source was asked for it; absent: it has not answered yet, or not
    /// since the machine's clock jumped.
    pub chain_age_ms: Option<u64>,
    /// The number of connected peers.
    pub connected_peers: u32,
    /// The numbers of channels by phase.
    pub channels: ChannelCounts,
    /// The sum that we owe our clients, signed.
    pub owed_to_clients_msat: u64,
    /// The sum that our hosts owe us, signed.
    pub owed_by_hosts_msat: u64,
    /// The sum that we could send now, before fees.
    pub spendable_msat: u64,
    /// The sum that we could receive now over our hosts.
    pub receivable_msat: u64,
    /// The number of payments out that have not ended.
    pub pending_payments: u32,
    /// The number of forwards that have not ended.
    pub pending_forwards: u32,
}

/// The numbers of channels by phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChannelCounts {
    /// The channels without a signed state yet.
    pub opening: u32,
    /// Those whose other side is not connected.
    pub offline: u32,
    /// Those in which both sides compare their states.
    pub syncing: u32,
    /// Those in which payments flow.
    pub active: u32,
    /// Those that wait for a person.
    pub suspended: u32,
}

/// Connected and wanted peers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Peers {
    /// The peers.
    pub peers: Vec<Peer>,
}

/// One peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Peer {
    /// The peer.
    pub node_id: String,
    /// Our identity towards it.
    pub local_id: String,
    /// True if it is connected now.
    pub connected: bool,
    /// True if it connected to us.
    pub inbound: bool,
    /// Its address on this connection, or those we try.
    pub addresses: Vec<String>,
    /// The framing of its hosted-channel messages, once known: `modern` or `legacy`.
    pub framing: Option<String>,
    /// True if it says that it knows hosted channels.
    pub supports_hosted_channels: bool,
    /// The failure of the last attempt to reach it, if it is wanted and not connected.
    pub connection_failure: Option<ConnectionFailure>,
}

/// The failure of the last attempt to reach a wanted peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConnectionFailure {
    /// The address that was tried last, `host:port`.
    pub address: String,
    /// A sentence.
    pub reason: String,
    /// The time of the attempt.
    pub failed_ms: u64,
    /// The time of the next attempt.
    pub next_attempt_ms: u64,
}

/// Part of the list of forwards, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Forwards {
    /// The forwards.
    pub forwards: Vec<Forward>,
    /// The sums over all forwards there ever were.
    pub totals: ForwardTotals,
    /// The next page's `before`; absent at the end.
    pub next: Option<u64>,
}

/// An HTLC forwarded from one channel to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Forward {
    /// The peer that it came from.
    pub incoming_peer_id: String,
    /// The channel it came in.
    #[serde(default)]
    #[schema(required)]
    pub incoming_channel_id: String,
    /// The incoming HTLC, by its offerer's number.
    pub incoming_htlc_id: u64,
    /// The peer that it went to.
    pub outgoing_peer_id: String,
    /// The channel it went out in.
    #[serde(default)]
    #[schema(required)]
    pub outgoing_channel_id: String,
    /// The amount that came in.
    pub amount_in_msat: u64,
    /// The amount that went out.
    pub amount_out_msat: u64,
    /// The fee that we earned; nothing if it failed.
    pub fee_msat: u64,
    /// True if it was paid.
    pub fulfilled: bool,
    /// The time when it ended.
    pub ended_ms: u64,
}

/// The sums over all forwards there ever were.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ForwardTotals {
    /// The number of forwards that were paid.
    pub fulfilled: u64,
    /// The number of forwards that failed.
    pub failed: u64,
    /// The amount that came in with those that were paid.
    pub amount_in_msat: u64,
    /// The amount that went out with them.
    pub amount_out_msat: u64,
    /// The fees that we earned.
    pub fees_msat: u64,
}

/// The counters of the node since it was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Metrics {
    /// The time since it was started.
    pub uptime_ms: u64,
    /// The counters of the store.
    pub store: StoreMetrics,
    /// The counters of the engine.
    pub engine: EngineMetrics,
    /// The lengths of the queues.
    pub queues: QueueMetrics,
    /// The counters of connections to peers.
    pub peers: PeerMetrics,
}

/// The counters of the engine since the node was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EngineMetrics {
    /// The inputs it took, ticks not counted.
    pub inputs: u64,
    /// The batches that had any effect.
    pub batches: u64,
    /// The actions carried out.
    pub actions: u64,
    /// The number of channels in the public graph.
    pub graph_channels: u64,
    /// The bugs that it found in itself and survived: more than 0 is to be reported, with the lines
    /// of code `bug` in the log.
    pub bugs: u64,
}

/// The counters of connections to peers since the node was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PeerMetrics {
    /// The sockets accepted, refused ones included.
    pub accepted: u64,
    /// The sockets closed at once because there were too many.
    pub refused: u64,
    /// The inbound handshakes that failed.
    pub failed_handshakes: u64,
    /// The connections established, both ways.
    pub established: u64,
    /// The messages handed to the engine.
    pub messages_received: u64,
    /// The messages sent.
    pub messages_sent: u64,
    /// The messages dropped because their connection was gone.
    pub messages_dropped: u64,
    /// The bytes read.
    pub bytes_received: u64,
    /// The bytes written.
    pub bytes_sent: u64,
}

/// The counters of the store since the node was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StoreMetrics {
    /// The number of commits.
    pub commits: u64,
    /// The rows written or removed by them.
    pub rows: u64,
    /// The number of waits for the disk.
    pub fsyncs: u64,
    /// The bytes written to the log.
    pub log_bytes: u64,
    /// The number of times the log was moved into the database.
    pub checkpoints: u64,
}

/// The lengths of the node's queues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QueueMetrics {
    /// The room in use in the engine's input queue, in units of about 4 kB.
    pub input_weight: u64,
    /// The number of commands that wait for their answer.
    pub commands: u64,
    /// The number of payments that wait for a route.
    pub routes: u64,
}

/// A backup that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Backup {
    /// The path of the file.
    pub path: String,
}

/// The node is stopping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Stopping {
    /// Always true.
    pub stopping: bool,
}

impl From<[u32; 5]> for ChannelCounts {
    fn from([opening, offline, syncing, active, suspended]: [u32; 5]) -> Self {
        Self { opening, offline, syncing, active, suspended }
    }
}

impl From<&PeerInfo> for Peer {
    fn from(info: &PeerInfo) -> Self {
        Self {
            node_id: info.peer.to_string(),
            local_id: info.local.to_string(),
            connected: info.connected,
            inbound: info.inbound,
            addresses: info.addresses.clone(),
            framing: info.framing.map(str::to_owned),
            supports_hosted_channels: info.supports_hosted_channels,
            connection_failure: None,
        }
    }
}

impl From<&steward_node::ConnectionFailure> for ConnectionFailure {
    fn from(failure: &steward_node::ConnectionFailure) -> Self {
        Self {
            address: failure.address.clone(),
            reason: failure.reason.clone(),
            failed_ms: failure.failed_ms,
            next_attempt_ms: failure.next_attempt_ms,
        }
    }
}

impl From<ForwardRow> for Forward {
    fn from(row: ForwardRow) -> Self {
        let earned_msat = row.amount_in_msat.saturating_sub(row.amount_out_msat);
        Self {
            incoming_peer_id: row.incoming_peer.to_string(),
            incoming_channel_id: row.incoming.link.to_string(),
            incoming_htlc_id: row.incoming.id,
            outgoing_peer_id: row.outgoing_peer.to_string(),
            outgoing_channel_id: row.outgoing.to_string(),
            amount_in_msat: row.amount_in_msat,
            amount_out_msat: row.amount_out_msat,
            fee_msat: if row.fulfilled { earned_msat } else { 0 },
            fulfilled: row.fulfilled,
            ended_ms: row.ended_ms,
        }
    }
}

impl From<steward_store::ForwardTotals> for ForwardTotals {
    fn from(totals: steward_store::ForwardTotals) -> Self {
        Self {
            fulfilled: totals.fulfilled,
            failed: totals.failed,
            amount_in_msat: totals.amount_in_msat,
            amount_out_msat: totals.amount_out_msat,
            fees_msat: totals.fees_msat(),
        }
    }
}

impl Metrics {
    /// Returns what the node counted in `uptime_ms` milliseconds.
    pub fn at(metrics: NodeMetrics, uptime_ms: u64) -> Self {
        Self {
            uptime_ms,
            store: metrics.runtime.store.into(),
            engine: EngineMetrics {
                inputs: metrics.runtime.inputs,
                batches: metrics.runtime.batches,
                actions: metrics.runtime.actions,
                graph_channels: metrics.graph_channels,
                bugs: metrics.bugs,
            },
            queues: QueueMetrics {
                input_weight: metrics.runtime.queued_input_weight,
                commands: metrics.runtime.outstanding_commands,
                routes: metrics.runtime.pending_routes,
            },
            peers: metrics.p2p.into(),
        }
    }
}

impl From<P2pMetrics> for PeerMetrics {
    fn from(metrics: P2pMetrics) -> Self {
        Self {
            accepted: metrics.accepted,
            refused: metrics.refused,
            failed_handshakes: metrics.failed_handshakes,
            established: metrics.established,
            messages_received: metrics.messages_received,
            messages_sent: metrics.messages_sent,
            messages_dropped: metrics.messages_dropped,
            bytes_received: metrics.bytes_received,
            bytes_sent: metrics.bytes_sent,
        }
    }
}

impl From<StoreStats> for StoreMetrics {
    fn from(stats: StoreStats) -> Self {
        Self {
            commits: stats.commits,
            rows: stats.rows,
            fsyncs: stats.fsyncs,
            log_bytes: stats.log_bytes,
            checkpoints: stats.checkpoints,
        }
    }
}
