//! Rules broken on purpose, to prove that each oracle sees it. The engine is the real one and
//! knows nothing of this: what is broken is the disk, the runtime or the wire around it, in the
//! one way that breaks the rule.

use std::collections::{BTreeMap, BTreeSet};

use bitcoin::secp256k1::SecretKey;
use steward_engine::config::Config;
use steward_engine::io::Input;
use steward_engine::row::{ChannelRow, Row, RowKey, StoredState, WriteBatch};
use steward_hosted::Channel;
use steward_wire::NodeId;

use crate::disk::Disk;
use crate::node::Batch;
use crate::topology::{Edge, Topology};
use steward_testkit::TestKeys;

mod altered;
mod end;
mod lost;
mod record;
mod restart;
mod runtime;
mod wire;

pub use altered::Altered;
pub use end::End;
pub use lost::Lost;
pub use restart::Restart;
pub use runtime::Runtime;
pub use wire::Wire;

/// The place of the defect, and its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// Writes that the disk confirms and does not make.
    Lost(Lost),
    /// Rows that the disk keeps otherwise than they were written.
    Altered(Altered),
    /// A start finds wrong rows.
    Restart(Restart),
    /// The runtime misinforms the engine, or works in the wrong order.
    Runtime(Runtime),
    /// The wire loses or changes messages.
    Wire(Wire),
    /// The disks are changed when all is over.
    End(End),
}

/// A mutation at work, with what it must remember.
#[derive(Debug)]
pub(crate) struct Injector {
    pub(crate) mutation: Mutation,
    /// Each node's last batch that was not durable when the node stopped, and its life.
    unwritten: BTreeMap<usize, (u64, WriteBatch)>,
    /// Ends, by channel and node, whose messages no longer arrive.
    silenced: BTreeSet<(usize, usize)>,
    /// The network has healed, only the last payments are to come.
    is_over: bool,
}

impl Injector {
    pub(crate) fn new(mutation: Mutation) -> Self {
        Self { mutation, unwritten: BTreeMap::new(), silenced: BTreeSet::new(), is_over: false }
    }

    pub(crate) fn is(&self, mutation: Mutation) -> bool {
        self.mutation == mutation
    }

    /// Corrupts the disk of a node that is about to start.
    pub(crate) fn corrupt_disk(&self, disk: &mut Disk, life: u64) {
        if let Mutation::Restart(restart) = self.mutation {
            restart.corrupt_disk(disk, life);
        }
    }

    /// Corrupts the rows and settings of a starting engine.
    pub(crate) fn corrupt_start(
        &self,
        snapshot: &mut StoredState,
        config: &mut Config,
        host: &NodeId,
    ) {
        match self.mutation {
            Mutation::Restart(restart) => restart.corrupt_start(snapshot, config, host),
            Mutation::Runtime(runtime) => runtime.corrupt_config(config),
            _ => {}
        }
    }

    /// Corrupts an input on its way to the engine.
    pub(crate) fn corrupt_input(&self, input: &mut Input, disk: &Disk) {
        if let Mutation::Runtime(runtime) = self.mutation {
            runtime.corrupt_input(input, disk, self.is_over);
        }
        if self.is(Mutation::Altered(Altered::GivesUpAndGoesOn)) {
            Runtime::HeightRunsAhead.corrupt_input(input, disk, self.is_over);
        }
    }

    /// Corrupts a batch on its way to the disk.
    pub(crate) fn corrupt_batch(
        &mut self,
        node: usize,
        batch: &mut Batch,
        disk: &Disk,
        topology: &Topology,
    ) {
        match self.mutation {
            Mutation::Lost(lost) => lost.corrupt(&mut batch.writes, disk),
            Mutation::Altered(altered) => altered.corrupt(node, &mut batch.writes, disk, topology),
            Mutation::Wire(wire) => wire.corrupt_actions(&mut batch.actions),
            _ => self.batch_waits(node, batch),
        }
    }
}

/// The fate of one write of a batch.
enum Rewritten {
    /// It is made, perhaps otherwise.
    Put(Box<Row>),
    /// The row is deleted.
    Delete,
    /// It is not made.
    Lost,
}

/// Changes the writes of a batch; a row of `None` was to be deleted.
fn rewrite(writes: &mut WriteBatch, mut change: impl FnMut(&RowKey, Option<Row>) -> Rewritten) {
    for (key, row) in std::mem::take(writes).iter() {
        match change(key, row.cloned()) {
            Rewritten::Put(row) => writes.put(*row),
            Rewritten::Delete => writes.delete(key.clone()),
            Rewritten::Lost => {}
        }
    }
}

/// The channel in a row.
fn channel_of(row: &ChannelRow) -> Option<Channel> {
    Channel::from_record(&row.record).ok()
}

/// The key a node signs with in this channel.
fn key_of(edge: &Edge, node: usize) -> SecretKey {
    let keys = TestKeys(node as u8 + 1);
    if edge.client == node { keys.towards_host(&edge.host_id) } else { keys.node() }
}
