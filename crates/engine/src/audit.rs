//! Pair assertions at the end of a batch: what two parts of the engine, or a part and the record of a
//! channel, remember of one HTLC agrees.
//!
//! - An origin exists if, and only if, its channel's record holds the outgoing HTLC that it names, and
//!   no preimage of it is known; or the HTLC is still to be added. Those offered in a time we know
//!   nothing of have none, and are known one by one.
//! - A settlement waits in the outbox if, and only if, its channel holds the incoming HTLC, knows the
//!   settlement, and does not have it in its record.
//! - An incoming HTLC that is not settled has one owner who will settle it.
//! - The rows that a batch writes are what memory holds.
//! - The totals that are kept are the sums over all channels.
//!
//! A release checks the channels that the batch changed; builds with debug assertions check all.

use std::collections::BTreeSet;

use steward_htlc::{IncomingHtlcId, OutgoingHtlcId};
use steward_wire::{LinkId, invariant};

use crate::context::Context;
use crate::face::row::{Origin, RowKey};
use crate::htlc::incoming::Incoming;
use crate::htlc::outgoing::Outgoing;
use crate::link::links::{Link, Links};
use crate::receive::sets::Receives;
use crate::relay::forward::Forwards;

/// The parts whose records of one HTLC must agree.
pub(crate) struct Audit<'a> {
    pub(crate) links: &'a Links,
    pub(crate) incoming: &'a Incoming,
    pub(crate) outgoing: &'a Outgoing,
    pub(crate) forwards: &'a Forwards,
    pub(crate) receives: &'a Receives,
}

impl Audit<'_> {
    /// Checks what the batch touched, before its channels are written.
    pub(crate) fn check(&self, cx: &Context) {
        let mut touched: BTreeSet<LinkId> = self.links.changed().copied().collect();
        for (key, row) in cx.writes() {
            let (link, is_kept) = match key {
                RowKey::Origin(htlc) => (htlc.link, self.outgoing.has_origin(htlc)),
                RowKey::Outbox(htlc) => (htlc.link, self.incoming.has_settlement(htlc)),
                // Not about a single HTLC.
                _ => continue,
            };
            invariant!(is_kept == row.is_some(), "a batch writes what memory holds of {key:?}");
            touched.insert(link);
        }
        touched.iter().for_each(|link| self.check_link(link));
        if cfg!(debug_assertions) {
            self.links.connected_or_in_flight().for_each(|(link, _)| self.check_link(link));
            self.check_unsent();
            self.links.check_totals();
        }
    }

    fn check_link(&self, link: &LinkId) {
        // Nothing is left of a channel that was forgotten in this batch.
        let entry = self.links.get(link);
        self.check_outgoing(link, entry);
        self.check_incoming(link, entry);
    }

    fn check_outgoing(&self, link: &LinkId, entry: Option<&Link>) {
        let in_record = || entry.into_iter().flat_map(|entry| entry.channel().outgoing_htlcs());
        let mut without_origin = BTreeSet::new();
        for found in in_record() {
            let htlc = OutgoingHtlcId { link: *link, id: found.htlc.id };
            let has_origin = self.outgoing.has_origin(&htlc);
            match found.preimage {
                Some(_) => invariant!(!has_origin, "the origin of {htlc:?} knows that it was paid"),
                None if has_origin => {}
                None => {
                    without_origin.insert(htlc);
                }
            }
        }
        let known: BTreeSet<OutgoingHtlcId> = self.outgoing.without_origin_in(link).collect();
        invariant!(
            known == without_origin,
            "an HTLC in flight has an origin, or is known to be of a time we know nothing of: \
             {known:?} are, and {without_origin:?} have none"
        );
        for (htlc, is_lost) in self.outgoing.offered_in(link) {
            let is_in_flight =
                in_record().any(|found| found.htlc.id == htlc.id && found.preimage.is_none());
            invariant!(is_in_flight || is_lost, "{htlc:?}, which has an origin, is in flight");
        }
    }

    fn check_incoming(&self, link: &LinkId, entry: Option<&Link>) {
        let in_record = || entry.into_iter().flat_map(|entry| entry.channel().incoming_htlcs());
        let mut waiting = BTreeSet::new();
        let is_suspended = entry.is_some_and(Link::is_suspended);
        for found in in_record() {
            let htlc = IncomingHtlcId { link: *link, id: found.htlc.id };
            if found.waits_for_record() {
                waiting.insert(htlc);
            }
            // People decide about the HTLCs of a suspended channel.
            if found.settlement.is_some() || is_suspended {
                continue;
            }
            let owners = [
                self.incoming.is_deferred(&htlc),
                self.forwards.has(&htlc),
                self.receives.holds(&found.htlc.payment_hash, &htlc),
            ];
            let count = owners.iter().filter(|is_owner| **is_owner).count();
            invariant!(count == 1, "{htlc:?}, not settled, has {count} owners");
        }
        let outbox: BTreeSet<IncomingHtlcId> = self.incoming.settlements_in(link).collect();
        invariant!(
            outbox == waiting,
            "the outbox holds the settlements that wait for their channel's record: {outbox:?} in \
             the one, {waiting:?} in the other"
        );
    }

    /// An HTLC without an id waits in its channel, and the outgoing half of a forward is somewhere.
    fn check_unsent(&self) {
        let entries = self.links.connected_or_in_flight();
        let waiting: usize = entries.map(|(_, entry)| entry.channel().waiting_adds()).sum();
        let unsent = self.outgoing.unsent_count();
        invariant!(waiting == unsent, "{unsent} HTLCs wait for an id, and {waiting} in channels");
        let out = self.outgoing.out();
        for htlc in self.forwards.iter() {
            let is_out = out.contains(&Origin::Forward(*htlc));
            invariant!(is_out, "the forward of {htlc:?} has an outgoing half");
        }
    }
}
