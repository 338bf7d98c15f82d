//! Rules broken on purpose, to prove that each oracle sees it. The engine is the real one; what
//! is broken is the runtime or the disk around it, in the one way that breaks the rule.

use steward_engine::config::Config;
use steward_engine::io::Action;
use steward_engine::row::{Snapshot, WriteBatch};

use crate::disk::Disk;
use crate::rng::Rng;

/// What is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// The runtime sends before the disk is done.
    SendBeforeCommit,
}

impl Mutation {
    pub(crate) fn spoil_snapshot(self, _snapshot: &mut Snapshot, _disk: &Disk) {}
    pub(crate) fn spoil_config(self, _config: &mut Config) {}
    pub(crate) fn spoil_batch(
        self,
        _writes: &mut WriteBatch,
        _actions: &mut Vec<Action>,
        _disk: &Disk,
        _rng: &mut Rng,
    ) {
    }
    pub(crate) fn spoil_chain(self, _height: &mut u32, _stale: &mut bool, _rng: &mut Rng) {}
}
