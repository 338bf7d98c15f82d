//! Tasks that turn what happens outside into inputs. Each waits while the engine's queue is full,
//! and with it its source: peers are then not read.

use steward_chain::ChainUpdate;
use steward_engine::{ConnId, Input};
use steward_p2p::Event;
use tokio::sync::mpsc::Receiver;

use crate::queue::InputSender;

/// From connections to the engine, until either ends.
pub(crate) async fn pump_peers(mut events: Receiver<Event>, inputs: InputSender) {
    while let Some(event) = events.recv().await {
        let Some(input) = peer_input(event) else { continue };
        if inputs.send(input).await.is_err() {
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

fn peer_input(event: Event) -> Option<Input> {
    match event {
        Event::Connected { conn, local, peer, features, inbound, address } => {
            Some(Input::PeerConnected {
                conn: ConnId(conn.0),
                peer,
                local,
                features: features.as_be_bytes().to_vec(),
                inbound,
                address: address.to_string(),
            })
        }
        Event::Messages { conn, messages } => {
            Some(Input::Frames { conn: ConnId(conn.0), frames: messages })
        }
        Event::Disconnected { conn, reason } => {
            tracing::debug!(%conn, %reason, "disconnected");
            Some(Input::PeerDisconnected { conn: ConnId(conn.0) })
        }
        // For people only: nothing is done because a peer says so.
        Event::PeerText { conn, kind, text, .. } => {
            tracing::info!(%conn, ?kind, text, "the peer says");
            None
        }
        _ => None,
    }
}
