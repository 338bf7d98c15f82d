//! Connections: frames in order in each direction, lost from some point on when they break.

use std::collections::{BTreeMap, VecDeque};

use steward_engine::ConnId;

use crate::rng::Rng;

/// A custom message on the wire: type and payload.
pub(crate) type Frame = (u16, Vec<u8>);

/// One end of a connection.
#[derive(Debug)]
pub(crate) struct End {
    /// Whose end.
    pub node: usize,
    /// The channel it is for, by its number in the topology.
    pub edge: usize,
    /// The other end.
    pub far: ConnId,
    /// On its way to this end.
    pub queue: VecDeque<Frame>,
    /// When this end notices that the connection is broken, once `queue` is empty.
    pub closes_at_ms: Option<u64>,
}

/// All connections.
#[derive(Debug, Default)]
pub(crate) struct Links {
    ends: BTreeMap<ConnId, End>,
    last_conn: u64,
}

impl Links {
    /// A new connection; returns the client's and the host's end.
    pub(crate) fn connect(&mut self, edge: usize, client: usize, host: usize) -> (ConnId, ConnId) {
        let (a, b) = (ConnId(self.last_conn + 1), ConnId(self.last_conn + 2));
        self.last_conn += 2;
        for (conn, node, far) in [(a, client, b), (b, host, a)] {
            let queue = VecDeque::new();
            let end = End { node, edge, far, queue, closes_at_ms: None };
            self.ends.insert(conn, end);
        }
        (a, b)
    }

    /// One end.
    pub(crate) fn get(&self, conn: ConnId) -> Option<&End> {
        self.ends.get(&conn)
    }

    /// One end.
    pub(crate) fn get_mut(&mut self, conn: ConnId) -> Option<&mut End> {
        self.ends.get_mut(&conn)
    }

    /// All ends.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (ConnId, &End)> {
        self.ends.iter().map(|(conn, end)| (*conn, end))
    }

    /// Puts frames on the wire. On a broken connection they vanish.
    pub(crate) fn send(&mut self, conn: ConnId, frames: Vec<Frame>) {
        let Some(end) = self.ends.get(&conn) else { return };
        if end.closes_at_ms.is_some() {
            return;
        }
        if let Some(far) = self.ends.get_mut(&end.far.clone())
            && far.closes_at_ms.is_none()
        {
            far.queue.extend(frames);
        }
    }

    /// The connection breaks: of what is under way, each side still gets some first part, and
    /// notices at its own time.
    pub(crate) fn break_off(&mut self, conn: ConnId, now_ms: u64, rng: &mut Rng) {
        let Some(far) = self.ends.get(&conn).map(|end| end.far) else { return };
        for conn in [conn, far] {
            let Some(end) = self.ends.get_mut(&conn) else { continue };
            if end.closes_at_ms.is_some() {
                continue;
            }
            end.queue.truncate(rng.index(end.queue.len() + 1));
            let notices_late = rng.chance(300);
            let delay_ms = if notices_late { rng.below(20_000) } else { 0 };
            end.closes_at_ms = Some(now_ms + delay_ms);
        }
    }

    /// Both ends will notice at this time that the connection is dead; until then nothing passes.
    pub(crate) fn close_at(&mut self, conn: ConnId, at_ms: u64) {
        let Some(far) = self.ends.get(&conn).map(|end| end.far) else { return };
        for conn in [conn, far] {
            if let Some(end) = self.ends.get_mut(&conn) {
                end.queue.clear();
                end.closes_at_ms.get_or_insert(at_ms);
            }
        }
    }

    /// This end is gone without a word, as in a crash.
    pub(crate) fn drop_end(&mut self, conn: ConnId) -> Option<End> {
        self.ends.remove(&conn)
    }

    /// The connections of an edge that neither side knows to be broken.
    pub(crate) fn alive(&self, edge: usize) -> impl Iterator<Item = ConnId> {
        self.ends.iter().filter_map(move |(conn, end)| {
            let far_is_alive =
                self.ends.get(&end.far).is_some_and(|far| far.closes_at_ms.is_none());
            let is_alive = end.edge == edge && end.closes_at_ms.is_none() && far_is_alive;
            is_alive.then_some(*conn)
        })
    }

    /// The ends that a node holds.
    pub(crate) fn of_node(&self, node: usize) -> Vec<ConnId> {
        self.ends.iter().filter(|(_, end)| end.node == node).map(|(conn, _)| *conn).collect()
    }
}
