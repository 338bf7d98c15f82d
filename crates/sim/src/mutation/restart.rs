//! Mutations of a start: the engine finds rows that are not as they were left.

use steward_engine::config::Config;
use steward_engine::row::{Origin, StoredState};
use steward_hosted::Role;
use steward_htlc::{Failure, Settlement};
use steward_wire::NodeId;

use super::record::Record;
use crate::disk::Disk;
use steward_testkit::TestKeys;

/// More nodes than any network has.
const MAX_NODES: u8 = 32;

/// The defect of a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// Forwards in progress are forgotten.
    NoForwards,
    /// Payments in progress are forgotten.
    NoPayments,
    /// HTLCs of two payments are taken for each other.
    SwappedPayments,
    /// HTLCs of two forwards are taken for each other.
    SwappedForwards,
    /// Fulfills that are not signed yet are taken for fails, their preimages are forgotten.
    FulfillTurnedFail,
    /// Forwards in progress are believed to have failed.
    FailsForwards,
    /// Records are cut short.
    DamagedRecords,
    /// Event numbers go back by one.
    OldEventNumber,
    /// Hosts lose their disks and believe their clients.
    BelievesClients,
}

impl Restart {
    pub(super) fn corrupt_disk(self, disk: &mut Disk, life: u64) {
        let is_host = disk.channels().any(|(_, channel)| channel.role() == Role::Host);
        if self == Self::BelievesClients && is_host && life > 0 {
            *disk = Disk::default();
        }
    }

    pub(super) fn corrupt_start(
        self,
        snapshot: &mut StoredState,
        config: &mut Config,
        host: &NodeId,
    ) {
        match self {
            Self::NoForwards => {
                snapshot.origins.retain(|(_, origin)| matches!(origin, Origin::Payment { .. }));
            }
            Self::NoPayments => {
                snapshot.origins.retain(|(_, origin)| matches!(origin, Origin::Forward(_)));
            }
            Self::SwappedPayments => swap(snapshot, |o| matches!(o, Origin::Payment { .. })),
            Self::SwappedForwards => swap(snapshot, |o| matches!(o, Origin::Forward(_))),
            Self::FulfillTurnedFail => {
                for (_, settlement) in &mut snapshot.outbox {
                    *settlement = fail();
                }
                for row in &mut snapshot.channels {
                    if let Some(mut record) = Record::parse(&row.record) {
                        record.fail_what_is_fulfilled();
                        row.record = record.bytes();
                    }
                }
                snapshot.preimages.clear();
            }
            Self::FailsForwards => {
                let incoming = snapshot.origins.iter().filter_map(|(_, origin)| match origin {
                    Origin::Forward(incoming) => Some((*incoming, fail())),
                    Origin::Payment { .. } => None,
                });
                snapshot.outbox.extend(incoming);
            }
            Self::DamagedRecords => {
                for row in &mut snapshot.channels {
                    row.record.truncate(row.record.len() / 2);
                }
            }
            Self::OldEventNumber => snapshot.last_event = snapshot.last_event.saturating_sub(1),
            Self::BelievesClients => {
                let clients = (0..MAX_NODES).map(|number| TestKeys(number).client_id(host));
                config.host.adopt_lost_state = clients.collect();
            }
        }
    }
}

/// The origins of two HTLCs change places.
fn swap(snapshot: &mut StoredState, is_wanted: impl Fn(&Origin) -> bool) {
    let mut found = snapshot.origins.iter_mut().map(|(_, origin)| origin).filter(|o| is_wanted(o));
    if let (Some(first), Some(second)) = (found.next(), found.next()) {
        std::mem::swap(first, second);
    }
}

fn fail() -> Settlement {
    Settlement::Fail(Failure::Reason { reason: vec![0; 292], tlvs: Vec::new() })
}
