//! The line of one connection: its inputs that wait, in the order they came.

use std::collections::VecDeque;

use steward_engine::{ConnId, Input};
use steward_wire::NodeId;

use crate::traits::{Frame, Held};

/// An input from a connection.
pub(crate) enum PeerInput<H> {
    /// The connection is there, with an [`Input::PeerConnected`].
    Connected { conn: ConnId, peer: NodeId, input: Input },
    /// The peer sent these messages.
    Messages { conn: ConnId, messages: Vec<Frame>, held: H },
    /// The peer sent this text by a warning.
    Warning { conn: ConnId, text: String },
    /// The connection is gone. `drop_unread`: we ended it, and what the peer sent meanwhile is of
    /// no use.
    Disconnected { conn: ConnId, drop_unread: bool },
}

/// The inputs of one connection that wait.
pub(super) struct Line<H> {
    pub(super) peer: NodeId,
    connected: Option<Input>,
    messages: VecDeque<(Vec<Frame>, H)>,
    /// The peer's last warning.
    warning: Option<String>,
    is_disconnected: bool,
    /// True once we hang up on it: no more inputs of it are wanted.
    is_discarded: bool,
    /// True while it is in one of the turns.
    pub(super) is_waiting: bool,
}

/// The size that one turn may have.
#[derive(Clone, Copy)]
pub(super) struct Turn {
    pub(super) messages: usize,
    pub(super) bytes: usize,
}

/// The state of a line after its turn.
pub(super) enum Left {
    /// More waits for the next turn.
    More,
    /// Nothing waits.
    Nothing,
    /// The connection is gone.
    Gone,
}

impl<H: Held> Line<H> {
    pub(super) fn new(peer: NodeId, connected: Input) -> Self {
        Self {
            peer,
            connected: Some(connected),
            messages: VecDeque::new(),
            warning: None,
            is_disconnected: false,
            is_discarded: false,
            is_waiting: false,
        }
    }

    /// Adds messages. False if no more inputs are wanted of this connection.
    pub(super) fn add_messages(&mut self, messages: Vec<Frame>, held: H) -> bool {
        if !self.is_discarded {
            self.messages.push_back((messages, held));
        }
        !self.is_discarded
    }

    /// Replaces the warning, and returns as [`Self::add_messages`].
    pub(super) fn set_warning(&mut self, text: String) -> bool {
        if !self.is_discarded {
            self.warning = Some(text);
        }
        !self.is_discarded
    }

    pub(super) fn disconnect(&mut self, drop_unread: bool) {
        self.is_disconnected = true;
        if drop_unread {
            self.messages.clear();
        }
    }

    /// Returns the messages that waited, for the caller to drop without the lock.
    pub(super) fn discard(&mut self) -> VecDeque<(Vec<Frame>, H)> {
        self.is_discarded = true;
        std::mem::take(&mut self.messages)
    }

    /// Takes one turn. What was taken is put to `unread`, for the caller to drop.
    pub(super) fn take(
        &mut self,
        conn: ConnId,
        turn: Turn,
        inputs: &mut Vec<Input>,
        unread: &mut Vec<H>,
    ) -> Left {
        inputs.extend(self.connected.take());
        let frames = self.take_messages(turn, unread);
        if !frames.is_empty() {
            inputs.push(Input::Frames { conn, frames });
        }
        let warning = self.warning.take();
        inputs.extend(warning.map(|text| Input::PeerWarning { conn, text }));
        if !self.messages.is_empty() {
            Left::More
        } else if self.is_disconnected {
            inputs.push(Input::PeerDisconnected { conn });
            Left::Gone
        } else {
            Left::Nothing
        }
    }

    fn take_messages(&mut self, turn: Turn, unread: &mut Vec<H>) -> Vec<Frame> {
        let (mut taken, mut bytes) = (Vec::new(), 0);
        while taken.len() < turn.messages && bytes < turn.bytes {
            let Some((messages, held)) = self.messages.front_mut() else { break };
            let fits = messages
                .iter()
                .scan(bytes, |so_far, (_, payload)| {
                    let before = *so_far;
                    *so_far += payload.len();
                    Some(before)
                })
                .take(turn.messages - taken.len())
                .take_while(|before| *before < turn.bytes)
                .count();
            let rest = messages.split_off(fits);
            let part = std::mem::replace(messages, rest);
            let part_bytes: usize = part.iter().map(|(_, payload)| payload.len()).sum();
            bytes += part_bytes;
            unread.push(held.split(part_bytes));
            taken.extend(part);
            if messages.is_empty() {
                unread.extend(self.messages.pop_front().map(|(_, held)| held));
            }
        }
        taken
    }
}
