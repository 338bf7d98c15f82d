//! The shape of a simulated network: hosts in chains, hosts that are each other's clients,
//! clients of one host or of several.

use steward_engine::Policy;
use steward_wire::{LinkId, NodeId, ShortChannelId};

use crate::rng::Rng;
use steward_testkit::TestKeys;

/// Fewest nodes of a network.
pub(crate) const MIN_NODES: usize = 2;
/// Most nodes of a network.
pub(crate) const MAX_NODES: usize = 20;
/// Most hosts among them.
const MAX_HOSTS: u64 = 5;

/// One hosted channel of the plan.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edge {
    /// Number of the client's node.
    pub client: usize,
    /// Number of the host's node.
    pub host: usize,
    /// The client's identity in this channel.
    pub client_id: NodeId,
    /// The host's identity.
    pub host_id: NodeId,
    /// The channel's name.
    pub link: LinkId,
    /// The name of the channel in routes.
    pub scid: ShortChannelId,
}

impl Edge {
    fn new(client: usize, host: usize) -> Self {
        let host_id = TestKeys(host as u8 + 1).node_id();
        let client_id = TestKeys(client as u8 + 1).client_id(&host_id);
        let scid = ShortChannelId::of_pair(&client_id, &host_id);
        let link = LinkId::hosted(&client_id, &host_id);
        Self { client, host, client_id, host_id, link, scid }
    }

    /// Returns the identity of this end in the channel.
    pub(crate) fn id_of(&self, node: usize) -> NodeId {
        if node == self.client { self.client_id } else { self.host_id }
    }

    /// The other end.
    pub(crate) fn other(&self, node: usize) -> usize {
        if node == self.client { self.host } else { self.client }
    }

    /// Returns the identity of the other end in the channel.
    pub(crate) fn peer_of(&self, node: usize) -> NodeId {
        self.id_of(self.other(node))
    }

    /// True if `node` is one of its ends.
    pub(crate) fn has(&self, node: usize) -> bool {
        self.client == node || self.host == node
    }
}

/// The planned channels between nodes, and what each node asks for forwarding.
#[derive(Clone, Debug)]
pub(crate) struct Topology {
    /// Number of nodes.
    pub nodes: usize,
    /// All channels.
    pub edges: Vec<Edge>,
    /// Each node's terms.
    pub policies: Vec<Policy>,
}

impl Topology {
    /// A network of two to twenty nodes; small ones are more likely.
    pub(crate) fn random(rng: &mut Rng) -> Self {
        let nodes = match rng.below(10) {
            0 => MIN_NODES,
            1..=5 => rng.between(3, 5) as usize,
            6..=8 => rng.between(5, 9) as usize,
            _ => rng.between(9, MAX_NODES as u64) as usize,
        };
        let most_hosts = MAX_HOSTS.min(nodes as u64 - 1).max(1);
        let hosts = rng.between(1, most_hosts) as usize;
        let mut edges = Vec::new();
        for host in 1..hosts {
            // A chain, or a tree; some pairs are each other's clients.
            let up = if rng.chance(700) { host - 1 } else { rng.index(host) };
            edges.push(Edge::new(host, up));
            if rng.chance(300) {
                edges.push(Edge::new(up, host));
            }
        }
        for client in hosts..nodes {
            let first = rng.index(hosts);
            edges.push(Edge::new(client, first));
            let second = rng.index(hosts);
            if second != first && rng.chance(400) {
                edges.push(Edge::new(client, second));
            }
        }
        Self { nodes, edges, policies: (0..nodes).map(|_| random_policy(rng)).collect() }
    }

    /// The edges of one node, by their number.
    pub(crate) fn edges_of(&self, node: usize) -> impl Iterator<Item = (usize, &Edge)> {
        self.edges.iter().enumerate().filter(move |(_, edge)| edge.has(node))
    }

    /// The edge with this short channel id.
    pub(crate) fn by_scid(&self, scid: ShortChannelId) -> Option<(usize, &Edge)> {
        self.edges.iter().enumerate().find(|(_, edge)| edge.scid == scid)
    }

    /// The edge of this name.
    pub(crate) fn edge_of(&self, link: &LinkId) -> Option<&Edge> {
        self.edges.iter().find(|edge| edge.link == *link)
    }
}

fn random_policy(rng: &mut Rng) -> Policy {
    Policy {
        fee_base_msat: rng.pick(&[0, 1, 1000, 5000]).unwrap_or(1000),
        fee_ppm: rng.pick(&[0, 1, 1000, 10_000]).unwrap_or(1000),
        cltv_expiry_delta_blocks: rng.pick(&[144, 144, 72, 34]).unwrap_or(144),
    }
}
