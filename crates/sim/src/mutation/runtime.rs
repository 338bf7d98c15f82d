//! A runtime that does things in the wrong order, misreports the chain, or forwards on terms that
//! its operator did not set.

use steward_engine::Command;
use steward_engine::config::{Config, Policy};
use steward_engine::io::Input;
use steward_engine::row::{Origin, Row, RowKey, Setting, SettingName};
use steward_hosted::Channel;
use steward_htlc::OutgoingHtlcId;

use super::{Injector, Mutation};
use crate::disk::Disk;
use crate::node::Batch;
use crate::topology::Topology;

/// Blocks that a false height adds: more than any HTLC lives.
const FALSE_BLOCKS: u32 = 3_000;
/// Blocks that the height goes back without a reorganisation.
const BACK_BLOCKS: u32 = 7;

/// The defect of the runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runtime {
    /// It sends before the disk is done.
    SendBeforeCommit,
    /// It writes after a start the batches of before the crash.
    WritesAfterDeath,
    /// It always wants to run at once.
    NeverSleeps,
    /// The chain source says nothing for long, and the runtime calls its tip fresh.
    NeverStale,
    /// Every second block it tells a lower height.
    HeightGoesBack,
    /// With a forward out, it tells a height far ahead.
    HeightRunsAhead,
    /// The payee claims on chain only, and the runtime finds nothing there.
    FindsNothing,
    /// It forwards for nothing.
    NoFee,
    /// It forwards with too little time.
    ShortDelta,
    /// It hands in every part of a route twice.
    DoubledRoute,
    /// Operators leave suspended channels alone if nothing is in flight.
    IdleOperators,
    /// In the end it asks only for invoices that no payer can pay.
    OverpricedInTheEnd,
}

impl Runtime {
    pub(super) fn corrupt_config(self, config: &mut Config) {
        self.corrupt_policy(&mut config.policy);
    }

    fn corrupt_policy(self, policy: &mut Policy) {
        match self {
            Self::NoFee => (policy.fee_base_msat, policy.fee_ppm) = (0, 0),
            Self::ShortDelta => policy.cltv_expiry_delta_blocks = 10,
            _ => {}
        }
    }

    pub(super) fn corrupt_input(self, input: &mut Input, disk: &Disk, is_over: bool) {
        match input {
            Input::Chain { height, stale, .. } => match self {
                Self::NeverStale => *stale = false,
                Self::HeightGoesBack if *height % 2 == 1 => *height -= BACK_BLOCKS,
                Self::HeightRunsAhead => *height = false_height(disk, *height),
                _ => {}
            },
            Input::Route { result: Ok(parts), .. } if self == Self::DoubledRoute => {
                parts.extend(parts.clone());
            }
            Input::Searched { preimages, .. } if self == Self::FindsNothing => preimages.clear(),
            Input::Command { command: Command::CreateInvoice { amount_msat, .. }, .. }
                if is_over && self == Self::OverpricedInTheEnd =>
            {
                *amount_msat = Some(u64::MAX);
            }
            _ => {}
        }
    }
}

impl Injector {
    /// The terms that payers believe.
    pub(crate) fn advertised(&self, topology: &Topology) -> Topology {
        let mut topology = topology.clone();
        if let Mutation::Runtime(runtime) = self.mutation {
            topology.policies.iter_mut().for_each(|policy| runtime.corrupt_policy(policy));
        }
        topology
    }

    /// Corrupts the time at which the engine is woken.
    pub(crate) fn corrupt_wakeup(&self, wakeup_ms: &mut Option<u64>, clock_ms: u64) {
        if self.is(Mutation::Runtime(Runtime::NeverSleeps)) {
            *wakeup_ms = Some(clock_ms);
        }
    }

    pub(crate) fn batch_waits(&mut self, node: usize, batch: &Batch) {
        if self.is(Mutation::Runtime(Runtime::WritesAfterDeath)) && !batch.writes.is_empty() {
            self.unwritten.insert(node, (batch.life, batch.writes.clone()));
        }
    }

    pub(crate) fn batch_is_durable(&mut self, node: usize, batch: &Batch) {
        self.unwritten.retain(|of, (_, writes)| *of != node || *writes != batch.writes);
    }

    /// Returns the batch that an earlier life of this node still writes.
    pub(crate) fn late_batch(&mut self, node: usize) -> Option<Batch> {
        let (life, writes) = self.unwritten.remove(&node)?;
        Some(Batch { writes, actions: Vec::new(), tip_was_stale: false, life })
    }
}

/// Returns a false height while a forward is in flight, and after an earlier false one; never a
/// lower height than before.
fn false_height(disk: &Disk, height: u32) -> u32 {
    let told = match disk.row(&RowKey::Setting(SettingName::Height)) {
        Some(Row::Setting(Setting::Height(told))) => *told,
        _ => 0,
    };
    let is_signed = |out: &OutgoingHtlcId| {
        let state = disk.channel(&out.link).and_then(Channel::state);
        state.is_some_and(|state| state.outgoing_htlcs.iter().any(|add| add.id == out.id))
    };
    let mut forwards = disk.rows().filter_map(|row| match row {
        Row::Origin(out, Origin::Forward(_)) => Some(out),
        _ => None,
    });
    if told > height + FALSE_BLOCKS / 2 || forwards.any(is_signed) {
        told.max(height + FALSE_BLOCKS)
    } else {
        height
    }
}
