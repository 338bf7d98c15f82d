//! Rows that the disk keeps otherwise than they were written, or that a peer's signer helped to
//! forge.

use steward_engine::row::{
    ChannelRow, InvoiceStatus, Origin, PaymentKind, PaymentRow, PaymentStatus, Row, WriteBatch,
};
use steward_hosted::Channel;
use steward_htlc::Settlement;
use steward_wire::LastCrossSignedState;

use super::record::{Record, has_expired_htlc};
use super::{Rewritten, channel_of, key_of, rewrite};
use crate::disk::Disk;
use crate::topology::Topology;

/// The row that is altered, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Altered {
    /// The balances of a new state do not add up.
    Unbalanced,
    /// The peer's signature of a state has one bit turned.
    PeerSignature,
    /// Our signature of a state has one bit turned.
    OwnSignature,
    /// A millisatoshi changes hands with a new state, and both sides sign that.
    Balance,
    /// The same, without a new state.
    SameCounters,
    /// A new state counts less than the one before, and both sides sign that.
    LowerCounters,
    /// The HTLC that leaves has another payment hash than the one that came.
    PaymentHash,
    /// A channel gives up an HTLC, too early, and goes on.
    GivesUpAndGoesOn,
    /// Channels with something coming in are suspended on the disk, and no peer is told.
    TakesSuspended,
    /// Channels with nothing coming in are suspended on the disk, and no peer is told.
    OffersSuspended,
    /// A suspension is gone from the record with the next write.
    ForgetsSuspension,
    /// The row of an open channel is deleted with its next write.
    ForgetsChannel,
    /// A completed payment has no preimage.
    NoProof,
    /// A completed payment is called failed.
    PaidCalledFailed,
    /// A completed payment is called failed, its part is gone.
    PaidForgotten,
    /// Invoices are cut short.
    CutInvoices,
    /// A paid invoice is pending again with a later batch.
    UnpaidInvoice,
    /// A paid invoice says that less came in.
    LessReceived,
    /// The answer to a forward is the preimage of another.
    OtherPreimage,
    /// The first state of a channel gives one millisatoshi to the other side, and both sign that.
    OpeningBalance,
    /// The first state of a channel says that one HTLC is allowed.
    LowTerms,
    /// Incoming and outgoing HTLCs change places in a state, and both
    /// sides sign that.
    TurnedHtlcs,
}

impl Altered {
    pub(super) fn corrupt(
        self,
        node: usize,
        writes: &mut WriteBatch,
        disk: &Disk,
        topology: &Topology,
    ) {
        let forwarded: Vec<_> = writes
            .puts()
            .filter_map(|row| match row {
                Row::Origin(out, Origin::Forward(_)) => Some(*out),
                _ => None,
            })
            .collect();
        if self == Self::UnpaidInvoice {
            writes.merge(unpaid(disk));
        }
        rewrite(writes, |_, row| {
            let Some(row) = row else { return Rewritten::Delete };
            let row = match row {
                Row::Channel(row) if self == Self::ForgetsChannel && is_open(disk, &row) => {
                    return Rewritten::Delete;
                }
                Row::Channel(mut row) => {
                    let forwards = forwarded.iter().any(|out| out.link == row.link);
                    if let Some(record) = self.record(node, &row, forwards, disk, topology) {
                        row.record = record.bytes();
                    }
                    Row::Channel(row)
                }
                Row::Payment(row) => Row::Payment(self.payment(row)),
                Row::Outbox(htlc, Settlement::Fulfill { mut preimage, tlvs })
                    if self == Self::OtherPreimage =>
                {
                    preimage.0[0] ^= 1;
                    Row::Outbox(htlc, Settlement::Fulfill { preimage, tlvs })
                }
                Row::Invoice(mut row) if self == Self::CutInvoices => {
                    if let PaymentKind::Bolt11(text) = &mut row.kind {
                        text.truncate(text.len() / 2);
                    }
                    Row::Invoice(row)
                }
                Row::InvoicePaid { payment_hash, received_msat, paid_ms }
                    if self == Self::LessReceived =>
                {
                    let received_msat = received_msat.saturating_sub(1);
                    Row::InvoicePaid { payment_hash, received_msat, paid_ms }
                }
                Row::Invoice(mut row) if self == Self::LessReceived && row.received_msat > 0 => {
                    row.received_msat -= 1;
                    Row::Invoice(row)
                }
                Row::Part(row)
                    if self == Self::PaidForgotten && row.status == PaymentStatus::Complete =>
                {
                    return Rewritten::Delete;
                }
                other => other,
            };
            Rewritten::Put(Box::new(row))
        });
    }

    fn record(
        self,
        node: usize,
        row: &ChannelRow,
        forwards: bool,
        disk: &Disk,
        topology: &Topology,
    ) -> Option<Record> {
        let (mut record, channel) = (Record::parse(&row.record)?, channel_of(row)?);
        let state = channel.state()?;
        let before = disk.channel(&row.link);
        let was = before.and_then(Channel::state);
        let was_suspended = before.is_some_and(|before| before.suspension().is_some());
        let is_new = was.is_some_and(|was| counters(was) != counters(state));
        let mut forge = |edit: &dyn Fn(&mut LastCrossSignedState)| {
            let edge = topology.edge_of(&row.link)?;
            let ours = key_of(edge, node);
            let theirs = key_of(edge, edge.other(node));
            record.edit_state(edit);
            record.sign(&ours, &theirs);
            Some(())
        };
        match self {
            Self::Unbalanced if is_new => record.edit_state(|state| state.local_balance_msat += 1),
            Self::PeerSignature if is_new => {
                record.edit_state(|state| state.remote_sig_of_local.0[40] ^= 1);
            }
            Self::OwnSignature if is_new => {
                record.edit_state(|state| state.local_sig_of_remote.0[40] ^= 1);
            }
            Self::Balance if is_new => forge(&move_one_msat)?,
            Self::OpeningBalance if was.is_none() => forge(&take_one_msat)?,
            Self::LowTerms if was.is_none() => {
                record.edit_state(|state| state.init_hosted_channel.max_accepted_htlcs = 1);
            }
            Self::TurnedHtlcs if is_new => forge(&|state| {
                std::mem::swap(&mut state.incoming_htlcs, &mut state.outgoing_htlcs);
            })?,
            Self::SameCounters if was == Some(state) => forge(&move_one_msat)?,
            Self::LowerCounters if is_new => {
                let lower = was?.local_updates.checked_sub(1)?;
                forge(&move |state| state.local_updates = lower)?;
            }
            Self::PaymentHash if forwards => {
                let last = channel.outgoing_htlcs().last()?.htlc;
                let mut other = last.payment_hash.0;
                other[0] ^= 1;
                record.replace(&last.payment_hash.0, &other);
            }
            Self::GivesUpAndGoesOn if !was_suspended && has_expired_htlc(&channel) => {
                record.forget_suspension();
            }
            Self::TakesSuspended if was_suspended || is_taking(&channel) => record.suspend(),
            Self::OffersSuspended if was_suspended || channel.incoming_htlcs().next().is_none() => {
                record.suspend();
            }
            Self::ForgetsSuspension if was_suspended => record.forget_suspension(),
            _ => return None,
        }
        Some(record)
    }

    fn payment(self, mut row: PaymentRow) -> PaymentRow {
        if row.status != PaymentStatus::Complete {
            return row;
        }
        match self {
            Self::NoProof => row.preimage = None,
            Self::PaidCalledFailed | Self::PaidForgotten => row.status = PaymentStatus::Failed,
            _ => {}
        }
        row
    }
}

/// It was open before this write.
fn is_open(disk: &Disk, row: &ChannelRow) -> bool {
    disk.channel(&row.link).is_some_and(|before| before.state().is_some())
}

fn counters(state: &LastCrossSignedState) -> (u32, u32) {
    (state.local_updates, state.remote_updates)
}

/// An HTLC of the peer's is there and not signed yet; none of ours is out.
fn is_taking(channel: &Channel) -> bool {
    channel.unsigned_updates().1 > 0 && channel.outgoing_htlcs().next().is_none()
}

/// Either side's, as there may be nothing on the other.
fn take_one_msat(state: &mut LastCrossSignedState) {
    if state.remote_balance_msat > 0 {
        return move_one_msat(state);
    }
    state.remote_balance_msat += 1;
    state.local_balance_msat -= 1;
}

/// Some paid invoice of the disk, as if it were unpaid.
fn unpaid(disk: &Disk) -> WriteBatch {
    let mut batch = WriteBatch::default();
    let paid = disk.rows().find_map(|row| match row {
        Row::Invoice(row) if row.status == InvoiceStatus::Paid => Some(row.clone()),
        _ => None,
    });
    if let Some(mut row) = paid {
        row.status = InvoiceStatus::Open;
        batch.put(Row::Invoice(row));
    }
    batch
}

fn move_one_msat(state: &mut LastCrossSignedState) {
    if state.remote_balance_msat > 0 {
        state.remote_balance_msat -= 1;
        state.local_balance_msat += 1;
    }
}
