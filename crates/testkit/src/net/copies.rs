//! Disks that are lost, and old copies of them put back.

use steward_engine::row::{RowKey, WriteBatch};
use steward_store::{MemoryStore, Store};

use super::Net;

/// A copy of a node's store: all its commits.
pub struct Copy(Vec<WriteBatch>);

impl Net {
    /// Copies the disk of a node.
    pub fn copy(&self, node: usize) -> Copy {
        Copy(self.nodes[node].committed.clone())
    }

    /// As if the node had paid and been paid so often since that it has forgotten its preimages.
    pub fn forget_preimages(&mut self, node: usize) {
        let n = &mut self.nodes[node];
        let mut batch = WriteBatch::default();
        for (key, _) in n.committed.iter().flat_map(WriteBatch::iter) {
            if matches!(key, RowKey::Preimage(_)) {
                batch.delete(key.clone());
            }
        }
        n.store.commit(&batch).unwrap();
        n.committed.push(batch);
    }

    /// The node stops and goes on from the copy. Nobody is connected to it.
    pub fn revive(&mut self, node: usize, copy: &Copy) {
        self.crash(node);
        let n = &mut self.nodes[node];
        n.committed.clone_from(&copy.0);
        n.store = MemoryStore::new();
        for batch in &n.committed {
            n.store.commit(batch).unwrap();
        }
        self.start(node);
    }
}
