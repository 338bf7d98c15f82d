//! What one batch has gathered so far: writes, sends in order per connection, other actions.

use std::collections::{BTreeMap, BTreeSet};

use steward_wire::NodeId;

use crate::io::{Action, ConnId, Effects, Event, EventKind, Level};
use crate::row::{RowKey, Write, WriteBatch};

/// Gathers the effects of a batch. Sends of one connection stay in order and leave together.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) writes: WriteBatch,
    sends: BTreeMap<ConnId, Vec<(u16, Vec<u8>)>>,
    actions: Vec<Action>,
    /// Channels that got an input and must be flushed.
    pub(crate) touched: BTreeSet<NodeId>,
    /// Channels whose record must be written.
    pub(crate) changed: BTreeSet<NodeId>,
}

impl Batch {
    pub(crate) fn send(&mut self, conn: ConnId, frame: (u16, Vec<u8>)) {
        self.sends.entry(conn).or_default().push(frame);
    }

    pub(crate) fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    pub(crate) fn log(
        &mut self,
        level: Level,
        code: &'static str,
        peer: impl Into<Option<NodeId>>,
        text: impl Into<String>,
    ) {
        self.act(Action::Log { level, code, peer: peer.into(), text: text.into() });
    }

    /// Keeps the event and tells it.
    pub(crate) fn notice(&mut self, number: u64, time_ms: u64, kind: EventKind) {
        let event = Event { number, time_ms, kind };
        self.writes.put(RowKey::Event(number), Write::Event(event.clone()));
        self.act(Action::Notice(event));
    }

    /// Sends first: a disconnect must not overtake the error that explains it.
    pub(crate) fn take(&mut self) -> Effects {
        let sends = std::mem::take(&mut self.sends);
        let mut actions: Vec<Action> =
            sends.into_iter().map(|(conn, frames)| Action::Send { conn, frames }).collect();
        actions.append(&mut self.actions);
        Effects { writes: std::mem::take(&mut self.writes), actions, wakeup_ms: None }
    }
}
