//! The far end of a connection in the hands of a test.

use steward_engine::io::{ConnId, Input};
use steward_wire::{ChannelId, Onion, PaymentHash, UpdateAddHtlc};

use super::Net;
use crate::keys::hosted_features;

impl Net {
    /// From now on the test plays the far end of this connection.
    pub fn wiretap(&mut self, node: usize, conn: ConnId) {
        self.nodes[node].taps.insert(conn, Vec::new());
    }

    /// What was sent on a tapped connection since the last call.
    pub fn tapped(&mut self, conn: ConnId) -> Vec<(u16, Vec<u8>)> {
        let mut taps = self.nodes.iter_mut().filter_map(|node| node.taps.get_mut(&conn));
        taps.next().map(std::mem::take).unwrap_or_default()
    }

    /// A connection to `host` in the name of `client`, played by the test.
    pub fn impersonate(&mut self, client: usize, host: usize) -> ConnId {
        let conn = self.next_conn();
        self.wiretap(host, conn);
        let connected = Input::PeerConnected {
            conn,
            peer: self.client_id(client, host),
            local: self.id(host),
            features: hosted_features(),
            inbound: true,
            address: "127.0.0.1:2".to_owned(),
        };
        self.input(host, connected);
        self.settle();
        conn
    }

    /// An add as `client` could send it to `host` next, with an onion nobody can read.
    pub fn raw_add(&mut self, client: usize, host: usize, amount_msat: u64) -> UpdateAddHtlc {
        let state = self.channel(client, host).state.unwrap();
        UpdateAddHtlc {
            channel_id: ChannelId::of_pair(&self.client_id(client, host), &self.id(host)),
            id: u64::from(state.local_updates) + 1,
            amount_msat,
            payment_hash: PaymentHash([1; 32]),
            cltv_expiry: self.height + 500,
            onion: Onion([0; 1366].into()),
            tlvs: Vec::new(),
        }
    }

    /// The connection `node` has with `other`.
    pub fn conn(&self, node: usize, other: usize) -> ConnId {
        let links = &self.nodes[node].links;
        *links.iter().rev().find(|(_, link)| link.to == other).expect("connected").0
    }

    /// Returns how many channels a node has.
    pub fn channel_count(&mut self, node: usize) -> usize {
        self.channels(node).len()
    }

    /// Leaves the answers to requests for routes of this node to the test.
    pub fn answer_routes_by_hand(&mut self, node: usize) {
        self.nodes[node].routes_by_hand = true;
    }
}
