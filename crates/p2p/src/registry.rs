//! The live connections, and the one of them that serves a pair of nodes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use steward_wire::NodeId;
use tokio::sync::watch;

use crate::event::{ConnectionId, DisconnectReason};
use crate::outbox::Outbox;
use crate::role::{PeerRole, PeerRoles};

/// Our identity and the peer's.
pub(crate) type Pair = (NodeId, NodeId);

/// A receiver of the reason why a connection ended; `None` until then.
pub(crate) type Ended = watch::Receiver<Option<DisconnectReason>>;

#[derive(Default)]
pub(crate) struct Registry(Mutex<Tables>);

#[derive(Default)]
struct Tables {
    last_id: u64,
    by_id: HashMap<ConnectionId, Entry>,
    by_pair: HashMap<Pair, ConnectionId>,
}

struct Entry {
    pair: Pair,
    role: PeerRole,
    outbox: Arc<Outbox>,
    ended: Ended,
}

/// A connection's place in the registry. Dropping it removes the connection.
pub(crate) struct Registration {
    pub(crate) conn: ConnectionId,
    pub(crate) outbox: Arc<Outbox>,
    /// The connection that this one replaces. It ends before this one begins.
    pub(crate) predecessor: Option<Ended>,
    ended: watch::Sender<Option<DisconnectReason>>,
    pair: Pair,
    registry: Arc<Registry>,
}

impl Registry {
    /// Enters a connection under a new id, and asks an older one of the same pair to end.
    pub(crate) fn register(self: &Arc<Self>, pair: Pair, role: PeerRole) -> Registration {
        let mut tables = self.lock();
        tables.last_id += 1;
        let conn = ConnectionId(tables.last_id);
        let outbox = Arc::new(Outbox::default());
        let (ended, ended_receiver) = watch::channel(None);
        let entry = Entry { pair, role, outbox: outbox.clone(), ended: ended_receiver };
        tables.by_id.insert(conn, entry);
        let old = tables.by_pair.insert(pair, conn);
        let predecessor = old.and_then(|old| tables.by_id.get(&old)).map(|old| {
            old.outbox.end(DisconnectReason::Replaced);
            old.ended.clone()
        });
        drop(tables);
        Registration { conn, outbox, predecessor, ended, pair, registry: self.clone() }
    }

    /// Returns the outbox of a live connection.
    pub(crate) fn outbox(&self, conn: ConnectionId) -> Option<Arc<Outbox>> {
        self.lock().by_id.get(&conn).map(|entry| entry.outbox.clone())
    }

    /// Returns the outbox of a live connection, and the role of its peer.
    pub(crate) fn outbox_and_role(&self, conn: ConnectionId) -> Option<(Arc<Outbox>, PeerRole)> {
        self.lock().by_id.get(&conn).map(|entry| (entry.outbox.clone(), entry.role))
    }

    /// Asks every connection to end whose peer no longer has the role to which `init` was fitted.
    pub(crate) fn end_outdated(&self, roles: &PeerRoles) {
        for entry in self.lock().by_id.values() {
            let (local, peer) = entry.pair;
            if roles.of(local, peer) != entry.role {
                entry.outbox.end(DisconnectReason::RoleChanged);
            }
        }
    }

    /// Returns the live connection of a pair, and a receiver of its end.
    pub(crate) fn of_pair(&self, pair: &Pair) -> Option<(ConnectionId, Ended)> {
        let tables = self.lock();
        let conn = *tables.by_pair.get(pair)?;
        tables.by_id.get(&conn).map(|entry| (conn, entry.ended.clone()))
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registration {
    /// Returns our identity and the peer's.
    pub(crate) fn pair(&self) -> Pair {
        self.pair
    }

    /// Returns a receiver of this connection's end.
    pub(crate) fn ended(&self) -> Ended {
        self.ended.subscribe()
    }

    /// Announces why the connection ended. The caller does so once its last event is delivered.
    pub(crate) fn end(self, reason: DisconnectReason) {
        self.ended.send_replace(Some(reason));
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut tables = self.registry.lock();
        tables.by_id.remove(&self.conn);
        if tables.by_pair.get(&self.pair) == Some(&self.conn) {
            tables.by_pair.remove(&self.pair);
        }
    }
}
