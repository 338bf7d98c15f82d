//! The oracles' own books of every HTLC, by direction: who offered it, what was in it, whether
//! both signed it. A state may list as outgoing only what its holder offered, as incoming only
//! what the peer sent; and no more of either than the terms allow.

use std::collections::BTreeMap;

use steward_engine::row::Row;
use steward_htlc::{IncomingHtlcId, OutgoingHtlcId};
use steward_wire::{InitHostedChannel, LastCrossSignedState, LinkId, UpdateAddHtlc};

use super::{Oracles, Rule, Violation};
use crate::disk::Disk;
use crate::node::Batch;

/// Different adds a peer may have sent under one id, as far as they are remembered.
const MAX_ADDS_OF_ONE_ID: usize = 100;

/// The HTLCs that were offered in the channels of one node.
#[derive(Debug, Default)]
pub(crate) struct Htlcs {
    /// Offered by this node, as they were stored when they were.
    pub(crate) offered: BTreeMap<OutgoingHtlcId, UpdateAddHtlc>,
    /// The chain's height when they were: what was published before claims none of them.
    pub(crate) offered_at: BTreeMap<OutgoingHtlcId, u32>,
    /// Sent by peers, as they arrived: a peer may try several under one id.
    heard: BTreeMap<IncomingHtlcId, Vec<UpdateAddHtlc>>,
    /// Of those, the ones that came to stand in a state both signed.
    pub(crate) signed_in: BTreeMap<IncomingHtlcId, UpdateAddHtlc>,
    /// Each channel's terms as they were first signed.
    terms: BTreeMap<LinkId, InitHostedChannel>,
}

impl Htlcs {
    /// A peer sent an add.
    pub(super) fn hear(&mut self, link: LinkId, add: UpdateAddHtlc) {
        let heard = self.heard.entry(IncomingHtlcId { link, id: add.id }).or_default();
        if heard.len() < MAX_ADDS_OF_ONE_ID && !heard.contains(&add) {
            heard.push(add);
        }
    }

    /// The node stored an HTLC of its own.
    pub(super) fn offer(&mut self, key: OutgoingHtlcId, disk: &Disk) {
        let channel = disk.channel(&key.link);
        let stored = channel
            .and_then(|channel| channel.outgoing_htlcs().find(|htlc| htlc.htlc.id == key.id));
        match stored {
            Some(htlc) => self.offered.insert(key, htlc.htlc.clone()),
            // It came to its end in the same batch.
            None => self.offered.remove(&key),
        };
    }
}

impl Oracles {
    /// HTLCs of the node's own that this batch stores for the first time.
    pub(super) fn offers_written(&mut self, node: usize, batch: &Batch, disk: &Disk, height: u32) {
        for row in batch.writes.puts() {
            if let Row::Origin(out, _) = row {
                self.books[node].htlcs.offer(*out, disk);
                self.books[node].htlcs.offered_at.insert(*out, height);
            }
        }
    }

    /// Each HTLC of a signed state stands where it belongs, and there are not too many.
    pub(super) fn htlcs_belong(
        &mut self,
        node: usize,
        link: LinkId,
        state: &LastCrossSignedState,
    ) -> Result<(), Violation> {
        let broken = |text: String| Err(Violation::new(Rule::OwnOrigin, node, text));
        let books = &mut self.books[node].htlcs;
        for add in &state.outgoing_htlcs {
            let key = OutgoingHtlcId { link, id: add.id };
            if books.offered.get(&key) != Some(add) {
                return broken(format!("a state lists HTLC {} as its own, which is not", add.id));
            }
        }
        for add in &state.incoming_htlcs {
            let key = IncomingHtlcId { link, id: add.id };
            if !books.heard.get(&key).is_some_and(|heard| heard.contains(add)) {
                let id = add.id;
                return broken(format!(
                    "a state lists HTLC {id} as the peer's, which sent no such"
                ));
            }
            books.signed_in.insert(key, add.clone());
        }
        self.in_flight_is_limited(node, link, state)
    }

    /// As many HTLCs, and as much in them, as the terms allow. A resize lifts the second limit to
    /// the new capacity: every deployed implementation does that.
    fn in_flight_is_limited(
        &mut self,
        node: usize,
        link: LinkId,
        state: &LastCrossSignedState,
    ) -> Result<(), Violation> {
        let first = self.books[node].htlcs.terms.entry(link);
        let first = first.or_insert_with(|| state.init_hosted_channel.clone());
        let capacity_msat = state.init_hosted_channel.channel_capacity_msat;
        let limit_msat = match capacity_msat == first.channel_capacity_msat {
            true => first.max_htlc_value_in_flight_msat,
            false => capacity_msat,
        };
        for (htlcs, direction) in
            [(&state.incoming_htlcs, "incoming"), (&state.outgoing_htlcs, "outgoing")]
        {
            let sum_msat: u128 = htlcs.iter().map(|add| u128::from(add.amount_msat)).sum();
            let (count, most) = (htlcs.len(), usize::from(first.max_accepted_htlcs));
            if sum_msat > u128::from(limit_msat) || count > most {
                let text = format!(
                    "{count} {direction} HTLCs of {sum_msat} msat, where {most} of {limit_msat} \
                     msat are allowed"
                );
                return Err(Violation::new(Rule::Balanced, node, text));
            }
        }
        Ok(())
    }
}
