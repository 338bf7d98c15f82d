//! Writes that the disk confirms and does not make: a node that crashes now would not know what was
//! seen of him.

use std::collections::BTreeSet;

use steward_engine::row::{ChannelRow, Origin, PaymentStatus, Row, RowKey, WriteBatch};
use steward_hosted::Channel;
use steward_htlc::IncomingSettlement;
use steward_wire::{LastCrossSignedState, LinkId, PaymentHash};

use super::{Rewritten, channel_of, rewrite};
use crate::disk::Disk;

/// The writes that are lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// All rows of channels.
    Channels,
    /// Rows of channels that record a fulfill.
    Fulfills,
    /// Rows of channels that record a fail.
    Fails,
    /// Rows of channels that record updates of the peer.
    PeerUpdates,
    /// Rows of channels that record a new state and nothing else.
    States,
    /// Rows of channels that record our proposal of an override.
    Overrides,
    /// Rows of channels that record our wish for another capacity.
    Resizes,
    /// Rows of channels whose HTLC is forwarded in the same batch.
    Incoming,
    /// The origins of our HTLCs.
    Origins,
    /// That our HTLCs have ended.
    OriginEnds,
    /// That a settlement was recorded.
    OutboxEnds,
    /// Preimages of our own invoices.
    OwnPreimages,
    /// Preimages that a peer showed.
    LearnedPreimages,
    /// Payments.
    Payments,
    /// Ends of payments.
    PaymentEnds,
    /// Ends of parts.
    PartEnds,
    /// Invoices.
    Invoices,
    /// Events.
    Events,
    /// Messages kept as evidence.
    Evidence,
}

impl Lost {
    pub(super) fn corrupt(self, writes: &mut WriteBatch, disk: &Disk) {
        let forwarded: BTreeSet<LinkId> = writes.puts().filter_map(forwarded_from).collect();
        let learned: BTreeSet<PaymentHash> = writes.puts().flat_map(learned_in).collect();
        rewrite(writes, |key, row| {
            let is_lost = match (&row, key) {
                (Some(Row::Channel(row)), _) => self.loses_channel(row, disk, &forwarded),
                (Some(Row::Preimage { preimage, .. }), _) => match self {
                    Self::OwnPreimages => !learned.contains(&preimage.hash()),
                    Self::LearnedPreimages => learned.contains(&preimage.hash()),
                    _ => false,
                },
                (Some(Row::Origin(..)), _) => self == Self::Origins,
                (None, RowKey::Origin(_)) => self == Self::OriginEnds,
                (None, RowKey::Outbox(_)) => self == Self::OutboxEnds,
                (Some(Row::Payment(row)), _) => {
                    let has_ended = row.status != PaymentStatus::Pending;
                    self == Self::Payments || (self == Self::PaymentEnds && has_ended)
                }
                (Some(Row::Part(row)), _) => {
                    self == Self::PartEnds && row.status != PaymentStatus::Pending
                }
                (Some(Row::Invoice(_) | Row::InvoicePaid { .. }), _) => self == Self::Invoices,
                (Some(Row::Event(_)), _) => self == Self::Events,
                (Some(Row::Evidence(..)), _) => self == Self::Evidence,
                _ => false,
            };
            match row {
                _ if is_lost => Rewritten::Lost,
                Some(row) => Rewritten::Put(Box::new(row)),
                None => Rewritten::Delete,
            }
        });
    }

    fn loses_channel(self, row: &ChannelRow, disk: &Disk, forwarded: &BTreeSet<LinkId>) -> bool {
        let (Some(now), before) = (channel_of(row), disk.channel(&row.link)) else { return false };
        match (self, before) {
            (Self::Channels, _) => true,
            (Self::Incoming, _) => forwarded.contains(&row.link),
            (Self::Fulfills, Some(before)) => settles(before, &now, true),
            (Self::Fails, Some(before)) => settles(before, &now, false),
            (Self::PeerUpdates, Some(before)) => {
                let (was, is) = (before.unsigned_updates(), now.unsigned_updates());
                is_same_but_updates(before, &now) && was.0 == is.0 && was.1 < is.1
            }
            (Self::States, Some(before)) => only_signs(before, &now),
            (Self::Overrides, Some(before)) => {
                now.pending_override().is_some()
                    && now.pending_override() != before.pending_override()
            }
            (Self::Resizes, Some(before)) => {
                now.pending_resize().is_some() && now.pending_resize() != before.pending_resize()
            }
            _ => false,
        }
    }
}

fn forwarded_from(row: &Row) -> Option<LinkId> {
    match row {
        Row::Origin(_, Origin::Forward(incoming)) => Some(incoming.link),
        _ => None,
    }
}

fn learned_in(row: &Row) -> Vec<PaymentHash> {
    let Row::Channel(row) = row else { return Vec::new() };
    let Some(channel) = channel_of(row) else { return Vec::new() };
    channel.outgoing_htlcs().filter_map(|htlc| Some(htlc.preimage?.hash())).collect()
}

/// An HTLC that was open is settled now.
fn settles(before: &Channel, now: &Channel, with_fulfill: bool) -> bool {
    let was_open =
        |id: u64| before.incoming_htlcs().any(|h| h.htlc.id == id && h.settlement.is_none());
    now.incoming_htlcs().any(|htlc| {
        let is_fulfill = matches!(htlc.settlement, Some(IncomingSettlement::Fulfill(_)));
        htlc.settlement.is_some() && is_fulfill == with_fulfill && was_open(htlc.htlc.id)
    })
}

fn is_same_but_updates(before: &Channel, now: &Channel) -> bool {
    before.state() == now.state()
        && before.suspension() == now.suspension()
        && before.pending_override() == now.pending_override()
        && before.pending_resize() == now.pending_resize()
}

/// The state holds what was known, signed.
fn only_signs(before: &Channel, now: &Channel) -> bool {
    let (Some(was), Some(is)) = (before.state(), now.state()) else { return false };
    let counters = |state: &LastCrossSignedState| (state.local_updates, state.remote_updates);
    let (own, theirs) = before.unsigned_updates();
    let known = (was.local_updates + own as u32, was.remote_updates + theirs as u32);
    counters(was) != counters(is) && counters(is) == known && now.unsigned_updates() == (0, 0)
}
