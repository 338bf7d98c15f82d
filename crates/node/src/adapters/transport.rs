//! Peers, by `p2p`: its connections carry out the engine's actions, its events become inputs.

use std::sync::Arc;

use steward_engine::ConnId;
use steward_engine::row::LocalIdentity;
use steward_p2p::{ConnectionId, CustomMessage, Event, Held, PeerAddress, PeerTextKind, Transport};
use steward_runtime::traits::{self, PeerTransport};
use steward_runtime::{Inbox, PeerEvent};
use steward_wire::NodeId;
use tokio::runtime::Handle;
use tokio::sync::mpsc::Receiver;

use super::reach::Reach;

/// The connections of `p2p`, and the peers it is to keep connected.
pub(crate) struct P2pTransport {
    transport: Transport,
    reach: Arc<Reach>,
    tasks: Handle,
}

/// The messages that `p2p` counts as unread.
#[derive(Debug)]
pub(crate) struct Unread(Held);

impl traits::Held for Unread {
    fn split(&mut self, payload_bytes: usize) -> Self {
        Self(self.0.split(payload_bytes))
    }
}

impl P2pTransport {
    /// Makes a transport. Must be called inside a tokio runtime.
    pub(crate) fn new(transport: Transport, reach: Arc<Reach>) -> Self {
        Self { transport, reach, tasks: Handle::current() }
    }
}

impl PeerTransport for P2pTransport {
    type Held = Unread;

    fn send(&self, conn: ConnId, frames: Vec<CustomMessage>) {
        self.transport.send(ConnectionId(conn.0), frames);
    }

    fn disconnect(&self, conn: ConnId, reason: &str, back_off: bool) {
        let conn = ConnectionId(conn.0);
        match back_off {
            true => self.transport.refuse(conn, reason),
            false => self.transport.disconnect(conn, reason),
        }
    }

    fn keep_connected(&self, peer: NodeId, identity: LocalIdentity, addresses: &[String]) {
        // A peer without an address only ever comes to us.
        if addresses.is_empty() {
            return;
        }
        let parsed = addresses.iter().filter_map(|text| parse(peer, text)).collect();
        let identity = self.reach.identity(&peer, identity);
        let _tasks = self.tasks.enter();
        if let Err(error) = self.reach.reconnector.add_peer(identity, peer, parsed) {
            tracing::warn!(%peer, %error, "the peer is not kept connected");
        }
    }

    fn forget(&self, peer: NodeId, local: NodeId) {
        self.tasks.spawn(self.reach.reconnector.remove_peer(local, peer));
    }
}

fn parse(peer: NodeId, text: &str) -> Option<PeerAddress> {
    text.parse()
        .inspect_err(|error| tracing::warn!(%peer, address = text, %error, "address ignored"))
        .ok()
}

/// Passes events from connections to the engine, until either ends.
pub(crate) async fn pump_peers(mut events: Receiver<Event>, inbox: Inbox<Unread>) {
    while let Some(event) = events.recv().await {
        let Some(event) = peer_event(event) else { continue };
        if inbox.put(event).is_err() {
            return;
        }
    }
}

fn peer_event(event: Event) -> Option<PeerEvent<Unread>> {
    match event {
        Event::Connected { conn, local, peer, features, inbound, address, .. } => {
            Some(PeerEvent::Connected {
                conn: ConnId(conn.0),
                local,
                peer,
                features: features.as_be_bytes().to_vec(),
                inbound,
                address: address.to_string(),
            })
        }
        Event::Messages { conn, messages, held } => {
            Some(PeerEvent::Messages { conn: ConnId(conn.0), messages, held: Unread(held) })
        }
        Event::Disconnected { conn, reason } => {
            tracing::debug!(%conn, %reason, "disconnected");
            let drop_unread = reason.is_ours();
            Some(PeerEvent::Disconnected { conn: ConnId(conn.0), drop_unread })
        }
        Event::PeerText { conn, kind, text, .. } => {
            let is_warning = kind == PeerTextKind::Warning;
            Some(PeerEvent::Said { conn: ConnId(conn.0), is_warning, text })
        }
        // The crate may have further events one day.
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use steward_p2p::DisconnectReason;

    use super::*;

    const CONN: ConnectionId = ConnectionId(1);

    #[test]
    fn what_waits_is_dropped_if_we_hung_up_and_worked_off_if_the_peer_did() {
        for (reason, is_dropped) in [
            (DisconnectReason::Flooding("enough".to_owned()), true),
            (DisconnectReason::Requested("bye".to_owned()), true),
            (DisconnectReason::ClosedByPeer, false),
        ] {
            let Some(PeerEvent::Disconnected { drop_unread, .. }) =
                peer_event(Event::Disconnected { conn: CONN, reason: reason.clone() })
            else {
                panic!("{reason}")
            };
            assert_eq!(drop_unread, is_dropped, "{reason}");
        }
    }
}
