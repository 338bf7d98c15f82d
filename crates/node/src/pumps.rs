//! Tasks that turn what happens outside into inputs.

use steward_chain::ChainUpdate;
use steward_engine::io::Level;
use steward_engine::{ConnId, Input};
use steward_p2p::{Event, PeerTextKind};
use steward_wire::ErrorText;
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
            let said =
                format!("{kind:?} on connection {conn}: {}", ErrorText::parse(text.as_bytes()));
            log.write(Line { level: Level::Info, code: "peer_says", peer: None, text: said });
            (kind == PeerTextKind::Warning)
                .then(|| PeerInput::Warning { conn: ConnId(conn.0), text })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use steward_p2p::{ConnectionId, DisconnectReason};

    use super::*;
    use crate::limits::MAX_LINES_PER_CODE;
    use crate::log_thread::LogThread;
    use crate::log_thread::recorder::recorded;

    const CONN: ConnectionId = ConnectionId(1);

    #[test]
    fn what_a_peer_tells_us_again_and_again_fills_no_log() {
        let told = recorded(|| {
            let (log, thread) = LogThread::start().unwrap();
            for _ in 0..MAX_LINES_PER_CODE + 7 {
                let said = Event::PeerText {
                    conn: CONN,
                    kind: PeerTextKind::Warning,
                    channel_id: [0; 32],
                    text: "!".to_owned(),
                };
                assert!(matches!(peer_input(said, &log), Some(PeerInput::Warning { .. })));
            }
            drop(thread);
        });
        let told: Vec<_> = told.iter().filter(|line| line.code == "peer_says").collect();
        assert_eq!(told.len() as u64, MAX_LINES_PER_CODE);
        assert!(told.iter().all(|line| line.thread == "log"), "{told:?}");
    }

    #[test]
    fn code_and_words_of_a_peer_stand_apart_in_the_log_and_reach_the_engine_as_they_came() {
        for kind in [PeerTextKind::Warning, PeerTextKind::Error] {
            let told = recorded(|| {
                let (log, thread) = LogThread::start().unwrap();
                let text = "0009this host gives less".to_owned();
                let said = Event::PeerText { conn: CONN, kind, channel_id: [0; 32], text };
                if let Some(PeerInput::Warning { text, .. }) = peer_input(said, &log) {
                    assert_eq!(text, "0009this host gives less");
                }
                drop(thread);
            });
            let said: Vec<_> = told.iter().filter(|line| line.code == "peer_says").collect();
            assert_eq!(said.len(), 1, "{told:?}");
            assert!(said[0].text.ends_with(": 0009 this host gives less"), "{said:?}");
        }
    }

    #[test]
    fn what_waits_is_dropped_if_we_hung_up_and_worked_off_if_the_peer_did() {
        let (log, _thread) = LogThread::start().unwrap();
        for (reason, is_dropped) in [
            (DisconnectReason::Flooding("enough".to_owned()), true),
            (DisconnectReason::Requested("bye".to_owned()), true),
            (DisconnectReason::ClosedByPeer, false),
        ] {
            let Some(PeerInput::Disconnected { drop_unread, .. }) =
                peer_input(Event::Disconnected { conn: CONN, reason: reason.clone() }, &log)
            else {
                panic!("{reason}")
            };
            assert_eq!(drop_unread, is_dropped, "{reason}");
        }
    }
}
