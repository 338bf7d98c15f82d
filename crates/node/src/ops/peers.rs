//! Peers: list, connect, forget.

use steward_engine::Error;
use steward_engine::command::PeerInfo;
use steward_p2p::PeerAddress;
use steward_wire::NodeId;

use super::ask::{Answer, Ask};
use super::{Operations, ask};
use crate::adapters::reach::ConnectionFailure;

impl Operations {
    /// Connected and wanted peers.
    ///
    /// # Errors
    /// As [`super::plumbing::Plumbing::command`].
    pub async fn peers(&self) -> Result<Vec<PeerInfo>, Error> {
        self.ask(ask::list_peers()).await
    }

    /// The wanted peers that could not be reached the last time.
    pub fn connection_failures(&self) -> Vec<ConnectionFailure> {
        self.node.connection_failures()
    }

    /// Connects to a peer and keeps that connection from now on. A peer that cannot be reached is
    /// not kept.
    ///
    /// # Errors
    /// As [`super::plumbing::Plumbing::reach`] and [`super::plumbing::Plumbing::command`].
    pub async fn connect(&self, peer: NodeId, address: PeerAddress) -> Result<(), Error> {
        // Hosts are met with an identity derived for them.
        let node_id = self.info().node_id;
        let is_ours = |known: &PeerInfo| known.peer == peer && known.local != node_id;
        let is_host = self.peers().await?.iter().any(is_ours);
        self.reach_and_ask((peer, &address), is_host, ask::connect(peer, &address)).await
    }

    /// Reaches `peer` at `address`, as its client or with the node's own identity, unless it is
    /// connected there, and then asks the engine. A peer that cannot be reached, and one that the
    /// engine refuses, leave nothing behind.
    pub(super) async fn reach_and_ask<T: Answer>(
        &self,
        (peer, address): (NodeId, &PeerAddress),
        is_host: bool,
        ask: Ask<T>,
    ) -> Result<T, Error> {
        let made = match self.is_connected_at(peer, address).await? {
            true => None,
            false => Some(self.node.reach(peer, is_host, address.clone()).await?),
        };
        let answer = self.ask(ask).await;
        if let (Some(made), Err(error)) = (made, &answer) {
            self.node.disconnect(made, &error.message);
        }
        answer
    }

    async fn is_connected_at(&self, peer: NodeId, address: &PeerAddress) -> Result<bool, Error> {
        let address = address.to_string();
        let is_there = |known: &PeerInfo| {
            let is_dialled = known.connected && !known.inbound;
            known.peer == peer && is_dialled && known.addresses.contains(&address)
        };
        Ok(self.peers().await?.iter().any(is_there))
    }

    /// No longer keeps a connection to a peer. A channel with it stays; a host of ours is
    /// forgotten with its channel.
    ///
    /// # Errors
    /// Why it is kept, or as [`super::plumbing::Plumbing::command`].
    pub async fn forget_peer(&self, peer: NodeId) -> Result<(), Error> {
        self.ask(ask::forget_peer(peer)).await
    }
}
