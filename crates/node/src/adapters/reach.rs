//! Reaching peers: once, for a caller that waits for the answer, and for as long as they are
//! wanted.

use std::sync::{Arc, Mutex, PoisonError};

use steward_engine::row::LocalIdentity;
use steward_engine::{Code, ConnId, Error, Signer};
use steward_p2p::{
    ConnectError, ConnectionId, DisconnectReason, PeerAddress, Reconnector, Transport,
};
use steward_runtime::clock::wall_ms;
use steward_runtime::error::stopping;
use steward_wire::{Identity, NodeId};
use tokio::time::Instant;

use crate::keys::NodeKeys;

/// The last failure to reach a wanted peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionFailure {
    /// The peer.
    pub peer: NodeId,
    /// Our identity towards it.
    pub local: NodeId,
    /// The address that was tried last.
    pub address: String,
    /// The reason, in a sentence.
    pub reason: String,
    /// The time of the failure, unix time in milliseconds.
    pub failed_ms: u64,
    /// The time of the next attempt, unix time in milliseconds.
    pub next_attempt_ms: u64,
}

/// The means to reach a peer.
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

    /// Returns the key under which we meet this peer.
    pub(crate) fn identity(&self, peer: &NodeId, identity: LocalIdentity) -> Arc<dyn Identity> {
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        match identity {
            LocalIdentity::Node => Signer::node(&*keys),
            LocalIdentity::PerHost => Signer::towards_host(&*keys, peer),
        }
    }

    pub(crate) fn failures(&self) -> Vec<ConnectionFailure> {
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

    /// Connects once and returns the connection.
    pub(crate) async fn reach(
        &self,
        peer: NodeId,
        identity: LocalIdentity,
        address: &PeerAddress,
    ) -> Result<ConnId, Error> {
        let identity = self.identity(&peer, identity);
        let unreachable = |error| unreachable(&error, address);
        let connection =
            self.transport.connect(identity, peer, address).await.map_err(unreachable)?;
        Ok(ConnId(connection.id().0))
    }

    pub(crate) fn disconnect(&self, conn: ConnId, reason: &str) {
        self.transport.disconnect(ConnectionId(conn.0), reason);
    }
}

/// Maps the reason why there is no connection, with a hint that says who should look at what.
fn unreachable(error: &ConnectError, address: &PeerAddress) -> Error {
    match error {
        ConnectError::InvalidNodeId => Error::new(Code::OwnNode, "the node id is our own"),
        ConnectError::OnionNeedsProxy => {
            Error::new(Code::ProxyNeeded, "an onion address needs a proxy")
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
            Error::new(Code::HandshakeFailed, text)
        }
        ConnectError::Unreachable(_) | ConnectError::Timeout => {
            let text = format!("nothing answers at {address}: {error}");
            Error::new(Code::PeerUnreachable, text)
                .hint("is the address right, and does the other node run? Nothing was kept")
        }
        ConnectError::ShuttingDown => stopping(),
        error => Error::new(Code::Bug, format!("cannot connect: {error}")),
    }
}
