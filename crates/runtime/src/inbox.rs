//! The events of connections, on their way to the engine. The inbox never waits: what peers may
//! have waiting is bounded where it is read.

use steward_engine::io::Level;
use steward_engine::{ConnId, Input};
use steward_wire::{ErrorText, NodeId};

use crate::log_thread::{Line, LogSender};
use crate::queue::{Closed, InputSender, PeerInput};
use crate::traits::{Frame, Held};

/// An event of a connection. Per connection: one `Connected`, then any number of `Messages` and
/// `Said` in the order the peer sent them, then one `Disconnected`.
#[derive(Debug)]
pub enum PeerEvent<H> {
    /// The transport's handshake and both `init` are done.
    Connected {
        /// The connection.
        conn: ConnId,
        /// Our identity on it.
        local: NodeId,
        /// The peer, proven by the transport.
        peer: NodeId,
        /// The peer's init features, big-endian.
        features: Vec<u8>,
        /// True if it connected to us.
        inbound: bool,
        /// Its IP address and port, for quotas and for people.
        address: String,
    },
    /// The peer sent custom messages, in this order.
    Messages {
        /// The connection.
        conn: ConnId,
        /// The messages, at least one.
        messages: Vec<Frame>,
        /// The count of these messages as unread, dropped once they are handled.
        held: H,
    },
    /// The peer sent a BOLT1 `error` or `warning`.
    Said {
        /// The connection.
        conn: ConnId,
        /// True if it was a warning. An error is only logged: the transport hangs up after it.
        is_warning: bool,
        /// The peer's text, bounded.
        text: String,
    },
    /// The connection is gone.
    Disconnected {
        /// The connection.
        conn: ConnId,
        /// True if we ended it: what the peer sent meanwhile is of no use.
        drop_unread: bool,
    },
}

/// The inbox in which a transport puts the events of its connections.
pub struct Inbox<H> {
    pub(crate) inputs: InputSender<H>,
    pub(crate) log: LogSender,
}

impl<H> Clone for Inbox<H> {
    fn clone(&self) -> Self {
        Self { inputs: self.inputs.clone(), log: self.log.clone() }
    }
}

impl<H: Held> Inbox<H> {
    /// Puts an event in the line of its connection.
    ///
    /// # Errors
    /// Fails if the engine is gone.
    pub fn put(&self, event: PeerEvent<H>) -> Result<(), Closed> {
        match self.input(event) {
            Some(input) => self.inputs.send_of_peer(input),
            None => Ok(()),
        }
    }

    fn input(&self, event: PeerEvent<H>) -> Option<PeerInput<H>> {
        match event {
            PeerEvent::Connected { conn, local, peer, features, inbound, address } => {
                let input = Input::PeerConnected { conn, peer, local, features, inbound, address };
                Some(PeerInput::Connected { conn, peer, input })
            }
            PeerEvent::Messages { conn, messages, held } => {
                Some(PeerInput::Messages { conn, messages, held })
            }
            PeerEvent::Said { conn, is_warning, text } => {
                self.log_words(conn, is_warning, &text);
                is_warning.then_some(PeerInput::Warning { conn, text })
            }
            PeerEvent::Disconnected { conn, drop_unread } => {
                Some(PeerInput::Disconnected { conn, drop_unread })
            }
        }
    }

    fn log_words(&self, conn: ConnId, is_warning: bool, text: &str) {
        let kind = if is_warning { "Warning" } else { "Error" };
        let words = ErrorText::parse(text.as_bytes());
        let said = format!("{kind} on connection {}: {words}", conn.0);
        self.log.write(Line { level: Level::Info, code: "peer_says", peer: None, text: said });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::MAX_LINES_PER_CODE;
    use crate::log_thread::LogThread;
    use crate::log_thread::recorder::recorded;
    use crate::queue::input_queue;

    const CONN: ConnId = ConnId(1);

    fn says(inbox: &Inbox<()>, is_warning: bool, text: &str) -> Option<PeerInput<()>> {
        inbox.input(PeerEvent::Said { conn: CONN, is_warning, text: text.to_owned() })
    }

    #[test]
    fn what_a_peer_tells_us_again_and_again_fills_no_log() {
        let told = recorded(|| {
            let (log, thread) = LogThread::start().unwrap();
            let inbox = Inbox { inputs: input_queue().0, log };
            for _ in 0..MAX_LINES_PER_CODE + 7 {
                assert!(matches!(says(&inbox, true, "!"), Some(PeerInput::Warning { .. })));
            }
            drop(thread);
        });
        let told: Vec<_> = told.iter().filter(|line| line.code == "peer_says").collect();
        assert_eq!(told.len() as u64, MAX_LINES_PER_CODE);
        assert!(told.iter().all(|line| line.thread == "log"), "{told:?}");
    }

    #[test]
    fn code_and_words_of_a_peer_stand_apart_in_the_log_and_reach_the_engine_as_they_came() {
        for is_warning in [true, false] {
            let told = recorded(|| {
                let (log, thread) = LogThread::start().unwrap();
                let inbox = Inbox { inputs: input_queue().0, log };
                let said = says(&inbox, is_warning, "0009this host gives less");
                assert_eq!(said.is_some(), is_warning);
                if let Some(PeerInput::Warning { text, .. }) = said {
                    assert_eq!(text, "0009this host gives less");
                }
                drop(thread);
            });
            let said: Vec<_> = told.iter().filter(|line| line.code == "peer_says").collect();
            assert_eq!(said.len(), 1, "{told:?}");
            assert!(said[0].text.ends_with(": 0009 this host gives less"), "{said:?}");
        }
    }
}
