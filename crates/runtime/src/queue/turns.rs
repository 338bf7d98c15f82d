//! The turns of the lines: each connection has a line, of which a batch takes a few messages; those
//! of peers we share a channel with go first, and all strangers together get a small share.

use std::collections::{HashMap, VecDeque};

use steward_engine::{ConnId, Input};
use steward_wire::NodeId;

use super::line::{Left, Line, PeerInput, Turn};
use crate::limits::{
    MAX_BYTES_PER_TURN, MAX_MESSAGES_PER_STRANGERS_TURN, MAX_MESSAGES_PER_TURN,
    MAX_STRANGERS_PER_BATCH, MAX_TURNS_PER_BATCH,
};
use crate::traits::{Frame, Held};

const TURN: Turn = Turn { messages: MAX_MESSAGES_PER_TURN, bytes: MAX_BYTES_PER_TURN };
const STRANGERS_TURN: Turn =
    Turn { messages: MAX_MESSAGES_PER_STRANGERS_TURN, bytes: MAX_BYTES_PER_TURN };

/// All lines, and the order in which they are served.
pub(super) struct Turns<H> {
    lines: HashMap<ConnId, Line<H>>,
    /// Lines with something in them, in turn: of peers we share a channel with, and of others.
    known: VecDeque<ConnId>,
    strangers: VecDeque<ConnId>,
    /// Lines that have had no turn yet, in turn.
    new: VecDeque<ConnId>,
}

impl<H> Default for Turns<H> {
    fn default() -> Self {
        Self {
            lines: HashMap::default(),
            known: VecDeque::default(),
            strangers: VecDeque::default(),
            new: VecDeque::default(),
        }
    }
}

impl<H: Held> Turns<H> {
    pub(super) fn is_empty(&self) -> bool {
        self.new.is_empty() && self.known.is_empty() && self.strangers.is_empty()
    }

    pub(super) fn push(&mut self, input: PeerInput<H>) {
        let conn = match input {
            PeerInput::Connected { conn, peer, input } => {
                self.lines.insert(conn, Line::new(peer, input));
                conn
            }
            PeerInput::Messages { conn, messages, held } => {
                // The connection ended, or we hang up on it: what it still sends is dropped.
                let Some(line) = self.lines.get_mut(&conn) else { return };
                if !line.add_messages(messages, held) {
                    return;
                }
                conn
            }
            PeerInput::Warning { conn, text } => {
                // The connection ended, or we hang up on it, as for messages.
                let Some(line) = self.lines.get_mut(&conn) else { return };
                if !line.set_warning(text) {
                    return;
                }
                conn
            }
            PeerInput::Disconnected { conn, drop_unread } => {
                // A connection may end before its start was queued.
                let Some(line) = self.lines.get_mut(&conn) else { return };
                line.disconnect(drop_unread);
                conn
            }
        };
        if let Some(line) = self.lines.get_mut(&conn)
            && !std::mem::replace(&mut line.is_waiting, true)
        {
            self.new.push_back(conn);
        }
    }

    /// Takes away the inputs of a connection, which is no longer wanted, nor what still comes of
    /// it.
    pub(super) fn discard(&mut self, conn: ConnId) -> VecDeque<(Vec<Frame>, H)> {
        self.lines.get_mut(&conn).map(Line::discard).unwrap_or_default()
    }

    /// Takes the turns of one batch. What was taken is given back for the caller to drop.
    pub(super) fn take(
        &mut self,
        inputs: &mut Vec<Input>,
        is_known: impl Fn(&NodeId) -> bool,
    ) -> Vec<H> {
        let mut unread = Vec::new();
        for conn in std::mem::take(&mut self.new) {
            let known = self.lines.get(&conn).is_some_and(|line| is_known(&line.peer));
            if known { &mut self.known } else { &mut self.strangers }.push_back(conn);
        }
        // Each line has at most one turn in a batch.
        for _ in 0..self.known.len().min(MAX_TURNS_PER_BATCH) {
            let Some(conn) = self.known.pop_front() else { break };
            self.take_turn(conn, TURN, inputs, &mut unread);
        }
        for _ in 0..self.strangers.len().min(MAX_STRANGERS_PER_BATCH) {
            let Some(conn) = self.strangers.pop_front() else { break };
            self.take_turn(conn, STRANGERS_TURN, inputs, &mut unread);
        }
        unread
    }

    /// Takes one line's turn, and then decides where it waits for the next one.
    fn take_turn(
        &mut self,
        conn: ConnId,
        turn: Turn,
        inputs: &mut Vec<Input>,
        unread: &mut Vec<H>,
    ) {
        let Some(line) = self.lines.get_mut(&conn) else {
            steward_wire::impossible!("a connection without a line has a turn");
            return;
        };
        match line.take(conn, turn, inputs, unread) {
            Left::More => self.new.push_back(conn),
            Left::Nothing => line.is_waiting = false,
            Left::Gone => {
                self.lines.remove(&conn);
            }
        }
    }
}
