//! What the disks hold when all is over, changed after the last commit: for what no run of the
//! network can leave behind, since an oracle stops it earlier.

use steward_engine::row::{ChannelRow, EvidenceRow, Row, RowKey, WriteBatch};
use steward_wire::{LastCrossSignedState, LinkId, NodeId, Onion, PaymentHash, UpdateAddHtlc};

use super::record::Record;
use super::{Injector, Mutation};
use crate::disk::Disk;
use crate::node::Node;
use crate::topology::Topology;

/// More messages than the connections of one simulation may leave behind as evidence.
const TOO_MUCH_EVIDENCE: u64 = 20_000;
/// No evidence is numbered this high in a simulation.
const FIRST_EVIDENCE: u64 = 1 << 32;

/// The change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// One side holds another balance than the other.
    OneSide,
    /// Both sides hold an HTLC.
    StuckHtlc,
    /// The host holds less than there is, and both say so.
    LessMoney,
    /// The host holds more than there is, and both say so.
    MoreMoney,
    /// On both sides, the host's signature has one bit turned.
    HostSignature,
    /// HTLCs that were given up at their expiry, and failed back, are fulfilled after all.
    ExpiredTurnedFulfilled,
    /// One node holds more evidence than anyone can have sent.
    TooMuchEvidence,
}

impl Injector {
    /// All is over.
    pub(crate) fn corrupt_end(&mut self, nodes: &mut [Node], topology: &Topology) {
        self.is_over = true;
        let Mutation::End(end) = self.mutation else { return };
        match end {
            End::ExpiredTurnedFulfilled => {
                for plan in &topology.edges {
                    for node in [plan.client, plan.host] {
                        let disk = &mut nodes[node].disk;
                        edit(disk, &plan.link, Record::fulfill_what_expired);
                    }
                }
            }
            End::TooMuchEvidence => {
                if let Some(plan) = topology.edges.first() {
                    keep_evidence(&mut nodes[plan.client].disk, plan.host_id, plan.link);
                }
            }
            _ => end.corrupt_states(nodes, topology),
        }
    }
}

impl End {
    fn corrupt_states(self, nodes: &mut [Node], topology: &Topology) {
        for plan in &topology.edges {
            edit_state(&mut nodes[plan.client].disk, &plan.link, |state| self.corrupt(state));
            if self != Self::OneSide {
                edit_state(&mut nodes[plan.host].disk, &plan.link, |state| {
                    *state = state.reverse();
                    self.corrupt(state);
                    *state = state.reverse();
                });
            }
        }
    }

    fn corrupt(self, state: &mut LastCrossSignedState) {
        match self {
            Self::OneSide => state.local_balance_msat += 1,
            Self::LessMoney => state.remote_balance_msat -= 1,
            Self::MoreMoney => state.remote_balance_msat += 1,
            Self::StuckHtlc => {
                state.remote_balance_msat -= 1;
                state.incoming_htlcs.push(stuck_htlc());
            }
            Self::HostSignature => state.remote_sig_of_local.0[40] ^= 1,
            Self::ExpiredTurnedFulfilled | Self::TooMuchEvidence => {}
        }
    }
}

fn edit_state(disk: &mut Disk, link: &LinkId, change: impl FnOnce(&mut LastCrossSignedState)) {
    edit(disk, link, |record| record.edit_state(change));
}

fn edit(disk: &mut Disk, link: &LinkId, change: impl FnOnce(&mut Record)) {
    let Some(Row::Channel(row)) = disk.row(&RowKey::Channel(*link)) else { return };
    let Some(mut record) = Record::parse(&row.record) else { return };
    change(&mut record);
    let row = ChannelRow { record: record.bytes(), ..row.clone() };
    let mut batch = WriteBatch::default();
    batch.put(Row::Channel(row));
    commit(disk, &batch);
}

fn keep_evidence(disk: &mut Disk, peer: NodeId, link: LinkId) {
    let mut batch = WriteBatch::default();
    for number in 0..TOO_MUCH_EVIDENCE {
        let what = "sabotage".to_owned();
        let (time_ms, message_type, body) = (0, 0, Vec::new());
        let row = EvidenceRow { peer, link: Some(link), time_ms, what, message_type, body };
        batch.put(Row::Evidence(FIRST_EVIDENCE + number, row));
    }
    commit(disk, &batch);
}

fn commit(disk: &mut Disk, batch: &WriteBatch) {
    disk.commit(batch).expect("the store takes what it can take from an engine");
}

fn stuck_htlc() -> UpdateAddHtlc {
    UpdateAddHtlc {
        channel_id: steward_wire::ChannelId([0; 32]),
        id: u64::MAX,
        amount_msat: 1,
        payment_hash: PaymentHash([0; 32]),
        cltv_expiry: 0,
        onion: Onion([0; 1366].into()),
        tlvs: Vec::new(),
    }
}
