//! Reaching peers: once, for somebody who waits for the answer, and for as long as they are wanted.

use std::sync::{Mutex, PoisonError};

use bitcoin::secp256k1::SecretKey;
use steward_engine::{Command, Error, Keys, Reply};
use steward_p2p::{
    ConnectError, ConnectionId, DisconnectReason, PeerAddress, PeerTransport, Reconnector,
    Transport,
};
use steward_wire::NodeId;
use tokio::time::Instant;

use crate::clock::wall_ms;
use crate::handle::NodeHandle;
use crate::keys::NodeKeys;

/// How the last attempt to reach a wanted peer went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionFailure {
    /// The peer.
    pub peer: NodeId,
    /// Our identity towards it.
    pub local: NodeId,
    /// The address that was tried last.
    pub address: String,
    /// A sentence.
    pub reason: String,
    /// When, unix time, milliseconds.
    pub failed_ms: u64,
    /// When it is tried again, unix time, milliseconds.
    pub next_attempt_ms: u64,
}

/// What it takes to reach a peer.
pub(crate) struct Reach {
    transport: Transport,
    pub(crate) reconnector: Reconnector,
    keys: Mutex<NodeKeys>,
}

impl Reach {
    pub(crate) fn new(transport: Transport, keys: NodeKeys) -> Self {
        let reconnector = Reconnector::new(transport.clone());
        Self { transport, reconnector, keys: Mutex::new(keys) }
    }

    /// The key under which we meet this peer.
    pub(crate) fn identity(&self, peer: &NodeId, is_host: bool) -> SecretKey {
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if is_host { keys.towards_host(peer) } else { keys.node() }
    }

    fn failures(&self) -> Vec<ConnectionFailure> {
        let (now, now_ms) = (Instant::now(), wall_ms());
        let ms =
            |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let failures = self.reconnector.failures().into_iter();
        let failures = failures.map(|(local, peer, attempt)| ConnectionFailure {
            peer,
            local,
            address: attempt.address.to_string(),
            reason: attempt.error.to_string(),
            failed_ms: now_ms.saturating_sub(ms(now.saturating_duration_since(attempt.at))),
            next_attempt_ms: now_ms
                .saturating_add(ms(attempt.next_at.saturating_duration_since(now))),
        });
        failures.collect()
    }

    /// Connects now, unless we are connected with that address. `Some` if a connection was made.
    async fn reach(
        &self,
        peer: NodeId,
        is_host: bool,
        address: &PeerAddress,
    ) -> Result<Option<ConnectionId>, Error> {
        let identity = self.identity(&peer, is_host);
        let unreachable = |error| unreachable(&error, address);
        let connection =
            self.transport.connect(identity, peer, address).await.map_err(unreachable)?;
        Ok(Some(connection.id()))
    }
}

impl NodeHandle {
    /// Reaches `peer` at `address`, as its client or with the node's own identity, and then asks
    /// the engine. What cannot be reached leaves nothing behind.
    ///
    /// # Errors
    /// `peer_unreachable`, `handshake_failed`, `proxy_needed`, `own_node`; or as
    /// [`NodeHandle::command`].
    pub async fn reach_and_command(
        &self,
        peer: NodeId,
        is_host: bool,
        address: PeerAddress,
        command: Command,
    ) -> Result<Reply, Error> {
        let reach = self.reaching();
        let is_connected = self.is_connected_at(peer, &address).await?;
        let made = match is_connected {
            true => None,
            false => reach.reach(peer, is_host, &address).await?,
        };
        let answer = self.command(command).await;
        if let (Some(made), Err(error)) = (made, &answer) {
            reach.transport.disconnect(made, &error.message);
        }
        answer
    }

    /// Wanted peers that could not be reached the last time.
    pub fn connection_failures(&self) -> Vec<ConnectionFailure> {
        self.reaching().failures()
    }

    async fn is_connected_at(&self, peer: NodeId, address: &PeerAddress) -> Result<bool, Error> {
        let Reply::Peers(peers) = self.command(Command::ListPeers).await? else {
            return Err(Error::ours("bug", "the engine did not answer with its peers"));
        };
        let address = address.to_string();
        let mut connected = peers.iter().filter(|info| info.peer == peer && info.connected);
        Ok(connected.any(|info| !info.inbound && info.addresses.contains(&address)))
    }
}

/// Why there is no connection, and who should look at what.
fn unreachable(error: &ConnectError, address: &PeerAddress) -> Error {
    match error {
        ConnectError::InvalidNodeId => {
            Error::bad_request("own_node", "the node id is our own").hint("name another node")
        }
        ConnectError::OnionNeedsProxy => {
            Error::refused("proxy_needed", "an onion address needs a proxy")
                .hint("run Tor and set proxy.socks5, for example to 127.0.0.1:9050")
        }
        ConnectError::Handshake(reason) => {
            let text = match reason {
                DisconnectReason::ClosedByPeer => {
                    "another key, or no Lightning node: it closed the connection".to_owned()
                }
                reason => reason.to_string(),
            };
            let text = format!("what listens at {address} is not this node: {text}");
            Error::refused("handshake_failed", text)
                .hint("compare the id with what the other node's status shows")
        }
        ConnectError::Unreachable(_) | ConnectError::Timeout => {
            let text = format!("nothing answers at {address}: {error}");
            Error::refused("peer_unreachable", text)
                .hint("is the address right, and does the other node run? Nothing was kept")
        }
        ConnectError::ShuttingDown => crate::error::stopping(),
        error => Error::ours("bug", format!("cannot connect: {error}")),
    }
}
