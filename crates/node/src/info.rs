//! The name and the place of a node.

use std::net::SocketAddr;
use std::path::PathBuf;

use bitcoin::Network;
use steward_p2p::PeerAddress;
use steward_wire::NodeId;

/// The name and the place of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeInfo {
    /// The chain.
    pub network: Network,
    /// Our identity as host.
    pub node_id: NodeId,
    /// This program's version.
    pub version: &'static str,
    /// The directory of seed and database.
    pub data_dir: PathBuf,
    /// The addresses we listen on, with the ports really bound.
    pub listen: Vec<SocketAddr>,
    /// The addresses under which clients reach us, as configured.
    pub public_addresses: Vec<PeerAddress>,
    /// The time at which the node started, unix time in milliseconds.
    pub started_ms: u64,
    /// The same moment by [`crate::clock::now_ms`], to count from.
    pub started_at_ms: u64,
}
