//! Keeps outbound connections to a set of peers up, for as long as each is wanted.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bitcoin::secp256k1::{Secp256k1, SecretKey};
use steward_wire::NodeId;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::address::PeerAddress;
use crate::backoff::Backoff;
use crate::dial::ConnectError;
use crate::event::{DisconnectReason, PeerTransport as _};
use crate::limits::{MAX_ADDRESSES_PER_PEER, MAX_KEPT_PEERS};
use crate::registry::Pair;
use crate::transport::{ConnectionHandle, Transport};

/// Why a peer cannot be kept connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddPeerError {
    /// No address, or more than [`MAX_ADDRESSES_PER_PEER`].
    #[error("a peer needs from 1 to {MAX_ADDRESSES_PER_PEER} addresses")]
    AddressCount,
    /// More than [`MAX_KEPT_PEERS`].
    #[error("no more than {MAX_KEPT_PEERS} peers can be kept connected")]
    TooManyPeers,
    /// The node id is not a public key, or our own.
    #[error("the node id is not a public key, or our own")]
    InvalidNodeId,
}

/// Keeps outbound connections up. Dropping it stops that, but ends no connection.
pub struct Reconnector {
    transport: Transport,
    kept: Mutex<HashMap<Pair, KeptPeer>>,
}

/// A peer's task, which ends with this.
struct KeptPeer(JoinHandle<()>);

impl Drop for KeptPeer {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Reconnector {
    /// A reconnector without peers.
    pub fn new(transport: Transport) -> Self {
        Self { transport, kept: Mutex::default() }
    }

    /// Keeps `identity` connected with `peer`; the first attempt is immediate. Each attempt tries
    /// the addresses in turn. For a peer already kept, replaces the addresses and leaves a live
    /// connection alone.
    ///
    /// # Errors
    /// See [`AddPeerError`].
    pub fn add_peer(
        &self,
        identity: SecretKey,
        peer: NodeId,
        addresses: Vec<PeerAddress>,
    ) -> Result<(), AddPeerError> {
        if !(1..=MAX_ADDRESSES_PER_PEER).contains(&addresses.len()) {
            return Err(AddPeerError::AddressCount);
        }
        let local = identity.public_key(&Secp256k1::signing_only()).into();
        if peer.public_key().is_none() || peer == local {
            return Err(AddPeerError::InvalidNodeId);
        }
        let mut kept = self.lock();
        if kept.len() >= MAX_KEPT_PEERS && !kept.contains_key(&(local, peer)) {
            return Err(AddPeerError::TooManyPeers);
        }
        let task = Keeper { transport: self.transport.clone(), identity, local, peer, addresses };
        kept.insert((local, peer), KeptPeer(tokio::spawn(task.run())));
        Ok(())
    }

    /// No longer keeps our identity `local` connected with `peer`, and ends their connection.
    pub async fn remove_peer(&self, local: NodeId, peer: NodeId) {
        let kept = self.lock().remove(&(local, peer));
        if let Some(mut kept) = kept {
            kept.0.abort();
            // Until the task has ended it may still connect.
            let _ = (&mut kept.0).await;
        }
        if let Some(connection) = self.transport.connection(local, peer) {
            self.transport.disconnect(connection.id(), "the peer was removed");
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Pair, KeptPeer>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task of one kept peer.
struct Keeper {
    transport: Transport,
    identity: SecretKey,
    local: NodeId,
    peer: NodeId,
    addresses: Vec<PeerAddress>,
}

impl Keeper {
    async fn run(self) {
        let mut backoff = Backoff::default();
        loop {
            match self.connection().await {
                Ok(Some(connection)) => {
                    let since = Instant::now();
                    if connection.ended().await == DisconnectReason::Shutdown {
                        return;
                    }
                    backoff.connection_ended(since.elapsed());
                }
                Ok(None) => {}
                Err(ShuttingDown) => return,
            }
            // Without randomness the longest jitter is as good as any.
            let delay = backoff.next_delay(getrandom::u64().unwrap_or(u64::MAX));
            tracing::debug!(peer = %self.peer, ?delay, "reconnecting later");
            sleep(delay).await;
        }
    }

    /// The connection somebody made meanwhile, or a new one to the first address that answers.
    async fn connection(&self) -> Result<Option<ConnectionHandle>, ShuttingDown> {
        if let Some(connection) = self.transport.connection(self.local, self.peer) {
            return Ok(Some(connection));
        }
        for address in &self.addresses {
            match self.transport.connect(self.identity, self.peer, address).await {
                Ok(connection) => return Ok(Some(connection)),
                Err(ConnectError::ShuttingDown) => return Err(ShuttingDown),
                Err(error) => tracing::info!(peer = %self.peer, %address, %error, "not connected"),
            }
        }
        Ok(None)
    }
}

/// The transport ends, and so does every keeper.
struct ShuttingDown;
