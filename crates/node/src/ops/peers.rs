//! Peers: the operations that list, connect and forget them.

use steward_engine::Error;
use steward_engine::command::PeerInfo;
use steward_engine::row::LocalIdentity;
use steward_p2p::PeerAddress;
use steward_wire::NodeId;

use super::ask;
use super::ask::{Answer, Ask};
use super::operations::Operations;
use crate::adapters::reach::ConnectionFailure;

impl Operations {
    /// Lists the connected and the wanted peers.
    ///
    /// # Errors
    /// Fails as [`super::plumbing::Plumbing::command`].
    pub async fn peers(&self) -> Result<Vec<PeerInfo>, Error> {
        self.ask(ask::list_peers()).await
    }

    /// Lists the wanted peers that could not be reached the last time.
    pub fn connection_failures(&self) -> Vec<ConnectionFailure> {
        self.node.connection_failures()
    }

    /// Connects to a peer and keeps that connection from now on. A peer that cannot be reached is
    /// not kept.
    ///
    /// # Errors
    /// Fails as [`super::plumbing::Plumbing::reach`] and [`super::plumbing::Plumbing::command`].
    pub async fn connect(&self, peer: NodeId, address: PeerAddress) -> Result<(), Error> {
        // A host that knows us by a key of its own alone is met under that key.
        let node_id = self.info().node_id;
        let known: Vec<PeerInfo> = self.peers().await?;
        let is_known = |by_node: bool| {
            known.iter().any(|known| known.peer == peer && (known.local == node_id) == by_node)
        };
        let identity = match is_known(false) && !is_known(true) {
            true => LocalIdentity::PerHost,
            false => LocalIdentity::Node,
        };
        self.reach_and_ask((peer, &address), identity, ask::connect(peer, &address)).await
    }

    /// Reaches `peer` at `address`, under this key of ours, unless it is connected there under it, and then asks the engine. A peer that cannot be reached, and one that the
    /// engine refuses, leave nothing behind.
    pub(super) async fn reach_and_ask<T: Answer>(
        &self,
        (peer, address): (NodeId, &PeerAddress),
        identity: LocalIdentity,
        ask: Ask<T>,
    ) -> Result<T, Error> {
        let made = match self.is_connected_at(peer, identity, address).await? {
            true => None,
            false => Some(self.node.reach(peer, identity, address.clone()).await?),
        };
        let answer = self.ask(ask).await;
        if let (Some(made), Err(error)) = (made, &answer) {
            self.node.disconnect(made, &error.message);
        }
        answer
    }

    async fn is_connected_at(
        &self,
        peer: NodeId,
        identity: LocalIdentity,
        address: &PeerAddress,
    ) -> Result<bool, Error> {
        let (address, node_id) = (address.to_string(), self.info().node_id);
        let by_node = identity == LocalIdentity::Node;
        let is_there = |known: &PeerInfo| {
            let is_dialled = known.connected && !known.inbound;
            let is_same = known.peer == peer && (known.local == node_id) == by_node;
            is_same && is_dialled && known.addresses.contains(&address)
        };
        Ok(self.peers().await?.iter().any(is_there))
    }

    /// No longer keeps a connection to a peer. A channel with it stays; a host of ours is
    /// forgotten with its channel.
    ///
    /// # Errors
    /// Fails with the reason why it is kept, or as [`super::plumbing::Plumbing::command`].
    pub async fn forget_peer(&self, peer: NodeId) -> Result<(), Error> {
        self.ask(ask::forget_peer(peer)).await
    }
}
