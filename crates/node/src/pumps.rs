//! Tasks that turn what happens outside into inputs.

use steward_chain::ChainUpdate;
use steward_engine::io::Level;
use steward_engine::{ConnId, Input};
use steward_p2p::{Event, PeerTextKind};
use tokio::sync::mpsc::Receiver;

use crate::log_thread::{Line, LogSender};
use crate::queue::{InputSender, PeerInput};

/// From connections to the engine, until either ends. Never waits: what peers may have waiting is
/// bounded where it is read.
pub(crate) async fn pump_peers(mut events: Receiver<Event>, inputs: InputSender, log: LogSender) {
    while let Some(event) = events.recv().await {
        let Some(input) = peer_input(event, &log) else { continue };
        if inputs.send_of_peer(input).is_err() {
            return;
        }
    }
}

/// From the chain's watcher to the engine, until either ends.
pub(crate) async fn pump_chain(mut updates: Receiver<ChainUpdate>, inputs: InputSender) {
    while let Some(update) = updates.recv().await {
        if inputs.send(chain_input(&update)).await.is_err() {
            return;
        }
    }
}

pub(crate) fn chain_input(update: &ChainUpdate) -> Input {
    let ChainUpdate { height, stale, reorg, health, asked_ms, .. } = *update;
    tracing::trace!(height, stale, reorg, ?health, "chain");
    Input::Chain { height, stale, asked_ms }
}

fn peer_input(event: Event, log: &LogSender) -> Option<PeerInput> {
    match event {
        Event::Connected { conn, local, peer, features, inbound, address } => {
            let conn = ConnId(conn.0);
            let input = Input::PeerConnected {
                conn,
                peer,
                local,
                features: features.as_be_bytes().to_vec(),
                inbound,
                address: address.to_string(),
            };
            Some(PeerInput::Connected { conn, peer, input })
        }
        Event::Messages { conn, messages, held } => {
            Some(PeerInput::Messages { conn: ConnId(conn.0), messages, held })
        }
        Event::Disconnected { conn, reason } => {
            tracing::debug!(%conn, %reason, "disconnected");
            let drop_unread = reason.is_ours();
            Some(PeerInput::Disconnected { conn: ConnId(conn.0), drop_unread })
        }
        Event::PeerText { conn, kind, text, .. } => {
            let said = format!("{kind:?} on connection {conn}: {text}");
            log.write(Line { level: Level::Info, code: "peer_says", peer: None, text: said });
            (kind == PeerTextKind::Warning)
                .then(|| PeerInput::Warning { conn: ConnId(conn.0), text })
        }
        _ => None,
    }
}
