//! What the disks hold when all is over, changed after the last commit: for what no run of the
//! network can leave behind, since an oracle stops it earlier.

use steward_engine::row::{ChannelRow, RowKey, Write, WriteBatch};
use steward_wire::{LastCrossSignedState, NodeId, Onion, PaymentHash, UpdateAddHtlc};

use super::record::Record;
use super::{Mutation, Saboteur};
use crate::disk::Disk;
use crate::node::Node;
use crate::topology::Topology;

/// What is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// One side holds another balance than the other.
    OneSide,
    /// Both sides hold an HTLC.
    StuckHtlc,
    /// Both sides hold less than there is.
    LessMoney,
}

impl Saboteur {
    /// All is over.
    pub(crate) fn spoil_end(&self, nodes: &mut [Node], topology: &Topology) {
        let Mutation::End(end) = self.mutation else { return };
        for plan in &topology.edges {
            edit(&mut nodes[plan.client].disk, &plan.host_id, |state| end.spoil(state));
            if end != End::OneSide {
                edit(&mut nodes[plan.host].disk, &plan.client_id, |state| {
                    *state = state.reverse();
                    end.spoil(state);
                    *state = state.reverse();
                });
            }
        }
    }
}

impl End {
    fn spoil(self, state: &mut LastCrossSignedState) {
        match self {
            Self::OneSide => state.local_balance_msat += 1,
            Self::LessMoney => state.remote_balance_msat -= 1,
            Self::StuckHtlc => {
                state.remote_balance_msat -= 1;
                state.incoming_htlcs.push(stuck_htlc());
            }
        }
    }
}

fn edit(disk: &mut Disk, peer: &NodeId, change: impl FnOnce(&mut LastCrossSignedState)) {
    let Some(Write::Channel(row)) = disk.row(&RowKey::Channel(*peer)) else { return };
    let Some(mut record) = Record::parse(&row.record) else { return };
    record.edit_state(change);
    let row = ChannelRow { record: record.bytes(), ..row.clone() };
    let mut batch = WriteBatch::default();
    batch.put(RowKey::Channel(*peer), Write::Channel(row));
    disk.commit(&batch).expect("a row that was stored can be stored again");
}

fn stuck_htlc() -> UpdateAddHtlc {
    UpdateAddHtlc {
        channel_id: steward_wire::ChannelId([0; 32]),
        id: u64::MAX,
        amount_msat: 1,
        payment_hash: PaymentHash([0; 32]),
        cltv_expiry: 0,
        onion: Onion(Box::new([0; 1366])),
        tlvs: Vec::new(),
    }
}
