//! The effects of one batch so far: writes, sends in order per connection, other actions.

use std::collections::BTreeMap;

use steward_wire::Message;

use crate::face::io::{Action, ConnId, Effects};
use crate::face::row::{Row, RowKey, WriteBatch};

/// Gathers the effects of a batch. Sends of one connection stay in order and leave together.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    writes: WriteBatch,
    sends: BTreeMap<ConnId, Vec<(u16, Vec<u8>)>>,
    actions: Vec<Action>,
    /// The requests of each connection.
    asked: BTreeMap<ConnId, Asked>,
}

/// Requests that one batch answers once, however often they come.
#[derive(Debug, Default)]
struct Asked {
    invoke: bool,
    branding: bool,
    /// The last state shown, as it came.
    state: Vec<u8>,
}

impl Batch {
    /// Notes a request. True if this batch has its answer already.
    pub(crate) fn is_repeat(&mut self, conn: ConnId, message: &Message, payload: &[u8]) -> bool {
        match message {
            Message::InvokeHostedChannel(_) => {
                std::mem::replace(&mut self.asked.entry(conn).or_default().invoke, true)
            }
            Message::AskBrandingInfo(_) => {
                std::mem::replace(&mut self.asked.entry(conn).or_default().branding, true)
            }
            Message::LastCrossSignedState(_) => {
                let asked = self.asked.entry(conn).or_default();
                let is_repeat = asked.state == payload;
                if !is_repeat {
                    asked.state = payload.to_vec();
                }
                is_repeat
            }
            _ => false,
        }
    }

    pub(crate) fn put(&mut self, row: Row) {
        self.writes.put(row);
    }

    pub(crate) fn delete(&mut self, key: RowKey) {
        self.writes.delete(key);
    }

    pub(crate) fn writes(&self) -> impl Iterator<Item = (&RowKey, Option<&Row>)> {
        self.writes.iter()
    }

    /// Takes back a write of this batch, to a row that is in no earlier one.
    pub(crate) fn forget(&mut self, key: &RowKey) {
        self.writes.forget(key);
    }

    pub(crate) fn send(&mut self, conn: ConnId, frame: (u16, Vec<u8>)) {
        self.sends.entry(conn).or_default().push(frame);
    }

    /// Takes back what this batch would have sent on a connection.
    pub(crate) fn discard(&mut self, conn: ConnId) {
        self.sends.remove(&conn);
    }

    pub(crate) fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    /// Sends first: a disconnect must not overtake the error that explains it.
    pub(crate) fn take(&mut self) -> Effects {
        self.asked.clear();
        let sends = std::mem::take(&mut self.sends);
        let mut actions: Vec<Action> =
            sends.into_iter().map(|(conn, frames)| Action::Send { conn, frames }).collect();
        actions.append(&mut self.actions);
        Effects { writes: std::mem::take(&mut self.writes), actions, wakeup_ms: None }
    }
}
