//! Keeps outbound connections to a set of peers up, for as long as each is wanted.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use steward_wire::{Identity, NodeId};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::address::PeerAddress;
use crate::backoff::Backoff;
use crate::dial::ConnectError;
use crate::event::DisconnectReason;
use crate::limits::{MAX_ADDRESSES_PER_PEER, MAX_KEPT_PEERS};
use crate::registry::Pair;
use crate::transport::{ConnectionHandle, Transport};

/// The reason why a peer cannot be kept connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddPeerError {
    /// The peer has no address, or more than [`MAX_ADDRESSES_PER_PEER`].
    #[error("a peer needs from 1 to {MAX_ADDRESSES_PER_PEER} addresses")]
    AddressCount,
    /// The reconnector has [`MAX_KEPT_PEERS`] peers.
    #[error("no more than {MAX_KEPT_PEERS} peers can be kept connected")]
    TooManyPeers,
    /// The node id is not a public key, or our own.
    #[error("the node id is not a public key, or our own")]
    InvalidNodeId,
}

/// The last failed attempt to reach a kept peer; forgotten once it is connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedAttempt {
    /// The address that was tried last.
    pub address: PeerAddress,
    /// The reason why there was no connection.
    pub error: ConnectError,
    /// The time of the attempt.
    pub at: Instant,
    /// The time of the next attempt.
    pub next_at: Instant,
}

/// Keeps outbound connections up. Dropping it stops that, but ends no connection.
pub struct Reconnector {
    transport: Transport,
    kept: Arc<Mutex<HashMap<Pair, KeptPeer>>>,
}

/// A kept peer. Its task ends when this is dropped.
struct KeptPeer {
    task: JoinHandle<()>,
    failed: Arc<Mutex<Option<FailedAttempt>>>,
}

impl Drop for KeptPeer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Reconnector {
    /// Makes a reconnector without peers.
    pub fn new(transport: Transport) -> Self {
        Self { transport, kept: Arc::default() }
    }

    /// Keeps `identity` connected with `peer`; the first attempt is immediate. Each attempt tries
    /// the addresses in turn. For a peer that is kept already it replaces the addresses and leaves
    /// a live connection alone.
    ///
    /// # Errors
    /// See [`AddPeerError`].
    pub fn add_peer(
        &self,
        identity: impl Identity + 'static,
        peer: NodeId,
        addresses: Vec<PeerAddress>,
    ) -> Result<(), AddPeerError> {
        if !(1..=MAX_ADDRESSES_PER_PEER).contains(&addresses.len()) {
            return Err(AddPeerError::AddressCount);
        }
        let local = identity.node_id();
        if peer.public_key().is_none() || peer == local {
            return Err(AddPeerError::InvalidNodeId);
        }
        let mut kept = lock(&self.kept);
        if kept.len() >= MAX_KEPT_PEERS && !kept.contains_key(&(local, peer)) {
            return Err(AddPeerError::TooManyPeers);
        }
        let transport = self.transport.clone();
        let failed = Arc::default();
        let keeper = Keeper {
            transport,
            identity: Arc::new(identity),
            local,
            peer,
            addresses,
            failed: Arc::clone(&failed),
        };
        let task = tokio::spawn(keeper.run());
        kept.insert((local, peer), KeptPeer { task, failed });
        Ok(())
    }

    /// Returns our identity, peer and last failure of every kept peer that could not be reached.
    pub fn failures(&self) -> Vec<(NodeId, NodeId, FailedAttempt)> {
        let kept = lock(&self.kept);
        let failures = kept
            .iter()
            .filter_map(|((local, peer), kept)| Some((*local, *peer, lock(&kept.failed).clone()?)));
        failures.collect()
    }

    /// Stops keeping our identity `local` connected with `peer`, and ends their connection, even
    /// one that is being made. It returns at once; the future waits until that is done.
    pub fn remove_peer(&self, local: NodeId, peer: NodeId) -> impl Future<Output = ()> + use<> {
        let removed = lock(&self.kept).remove(&(local, peer));
        let (transport, kept) = (self.transport.clone(), Arc::clone(&self.kept));
        end_connection(&transport, local, peer);
        async move {
            let Some(mut removed) = removed else { return };
            removed.task.abort();
            // Until the task has ended it may still connect.
            let _ = (&mut removed.task).await;
            if !lock(&kept).contains_key(&(local, peer)) {
                end_connection(&transport, local, peer);
            }
        }
    }
}

fn end_connection(transport: &Transport, local: NodeId, peer: NodeId) {
    if let Some(connection) = transport.connection(local, peer) {
        transport.disconnect(connection.id(), "the peer was removed");
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The task of one kept peer.
struct Keeper {
    transport: Transport,
    identity: Arc<dyn Identity>,
    local: NodeId,
    peer: NodeId,
    addresses: Vec<PeerAddress>,
    failed: Arc<Mutex<Option<FailedAttempt>>>,
}

impl Keeper {
    async fn run(self) {
        let mut backoff = Backoff::default();
        loop {
            let mut failed = None;
            match self.connection(&mut failed).await {
                Ok(Some(connection)) => {
                    lock(&self.failed).take();
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
            if let Some((address, error)) = failed {
                let at = Instant::now();
                let attempt = FailedAttempt { address, error, at, next_at: at + delay };
                lock(&self.failed).replace(attempt);
            }
            sleep(delay).await;
        }
    }

    /// Returns the connection that exists meanwhile, or a new one to the first address that
    /// answers.
    async fn connection(
        &self,
        failed: &mut Option<(PeerAddress, ConnectError)>,
    ) -> Result<Option<ConnectionHandle>, ShuttingDown> {
        if let Some(connection) = self.transport.connection(self.local, self.peer) {
            return Ok(Some(connection));
        }
        for address in &self.addresses {
            match self.transport.connect(Arc::clone(&self.identity), self.peer, address).await {
                Ok(connection) => return Ok(Some(connection)),
                Err(ConnectError::ShuttingDown) => return Err(ShuttingDown),
                Err(error) => {
                    tracing::info!(peer = %self.peer, %address, %error, "not connected");
                    *failed = Some((address.clone(), error));
                }
            }
        }
        Ok(None)
    }
}

/// The error when the transport ends, and every keeper with it.
struct ShuttingDown;
