//! Preimages published on chain (docs/protocol.md section 6): while an HTLC of ours is in flight,
//! every new block is searched for its preimage, and none is given up as expired before its block
//! was.

use std::collections::BTreeSet;

use steward_htlc::{LinkInput, OutgoingHtlcId};
use steward_wire::{PaymentHash, Preimage, UpdateAddHtlc};

use crate::context::Context;
use crate::face::io::{Action, Level};
use crate::face::limits::SEARCH_REORG_BLOCKS;
use crate::htlc::outgoing::Outgoing;
use crate::link::links::Links;
use crate::pay::payments::Payments;
use crate::step::{Ending, Step};

/// The search of the chain for preimages. How far it has come is in [`Context::tip`].
#[derive(Debug, Default)]
pub(crate) struct ChainSearch {
    /// A request that was not answered yet.
    is_running: bool,
    /// The last height, of this run, at which no HTLC of ours was in flight: preimages in earlier
    /// blocks claim other HTLCs, perhaps of the same hash.
    idle_height: u32,
}

impl ChainSearch {
    /// The tip moved. Blocks matter only while an HTLC of ours is in flight: an HTLC that is
    /// offered later cannot have been claimed in them.
    pub(crate) fn search_to_tip(&mut self, cx: &mut Context, links: &Links) {
        let reached = cx.tip().searched_height().min(cx.height());
        if self.is_running {
            return cx.set_searched_height(reached);
        }
        // A preimage published later than the last expiry claims nothing.
        let last_expiry = awaited(links).map(|(_, htlc)| htlc.cltv_expiry).max();
        if last_expiry.is_none() {
            self.idle_height = cx.height();
        }
        let to_height = cx.height().min(last_expiry.unwrap_or(0));
        if reached >= to_height {
            return cx.set_searched_height(cx.height());
        }
        cx.set_searched_height(reached);
        self.is_running = true;
        let again = reached.saturating_add(1).saturating_sub(SEARCH_REORG_BLOCKS);
        let from_height = again.max(self.idle_height.saturating_add(1)).min(to_height);
        cx.act(Action::SearchBlocks { from_height, to_height });
    }

    /// Blocks were searched, and publish these preimages: those that claim HTLCs of ours are taken.
    pub(crate) fn found(
        &mut self,
        cx: &mut Context,
        links: &Links,
        outgoing: &Outgoing,
        payments: &Payments,
        published: &[(u32, Preimage)],
    ) {
        self.is_running = false;
        let wanted: BTreeSet<PaymentHash> =
            awaited(links).map(|(_, htlc)| htlc.payment_hash).collect();
        for (height, preimage) in published {
            let hash = preimage.hash();
            let is_claim = wanted.contains(&hash)
                && awaited_of(links, &hash).any(|htlc| outgoing.may_be_claimed_at(&htlc, *height));
            if is_claim {
                cx.log(Level::Warn, "preimage_on_chain", None, "a payee claimed on chain");
                claim(cx, links, outgoing, payments, *preimage, Some(*height));
            }
        }
    }

    /// Every block up to this height was searched, and what they claim is taken.
    pub(crate) fn reached(&mut self, cx: &mut Context, links: &Links, to_height: u32) {
        cx.set_searched_height(to_height.min(cx.height()));
        self.search_to_tip(cx, links);
        links.push_blocks(cx);
    }
}

/// Takes a preimage that was learned outside any channel: from an operator or, with its height, from
/// a block. True if an HTLC of ours, or a payment whose end we missed, waited for it.
pub(crate) fn claim(
    cx: &mut Context,
    links: &Links,
    outgoing: &Outgoing,
    payments: &Payments,
    preimage: Preimage,
    height: Option<u32>,
) -> bool {
    let hash = preimage.hash();
    let is_claimed = |htlc: &OutgoingHtlcId| {
        height.is_none_or(|height| outgoing.may_be_claimed_at(htlc, height))
    };
    let claimed: Vec<OutgoingHtlcId> = awaited_of(links, &hash).filter(is_claimed).collect();
    let held = outgoing.held_forwards(links, &hash);
    let is_wanted = !claimed.is_empty() || !held.is_empty();
    if !is_wanted && !payments.is_outcome_unknown(&hash.into()) {
        return false;
    }
    cx.learn(preimage);
    for htlc in held {
        cx.push(Step::Ended(htlc, Ending::Fulfilled(preimage, Vec::new())));
    }
    for htlc in claimed {
        let input = LinkInput::ExternalFulfill { id: htlc.id, preimage };
        cx.push(Step::Drive(htlc.link, Box::new(input)));
    }
    cx.push(Step::PaymentProved(preimage));
    true
}

fn awaited_of(links: &Links, hash: &PaymentHash) -> impl Iterator<Item = OutgoingHtlcId> {
    awaited(links).filter(move |(_, htlc)| htlc.payment_hash == *hash).map(|(htlc, _)| htlc)
}

/// The outgoing HTLCs that are in flight and may still be claimed.
fn awaited(links: &Links) -> impl Iterator<Item = (OutgoingHtlcId, &UpdateAddHtlc)> {
    links.connected_or_in_flight().flat_map(|(link, entry)| {
        let ours = entry.channel().outgoing_htlcs().filter(|htlc| htlc.preimage.is_none());
        ours.map(|htlc| (OutgoingHtlcId { link: *link, id: htlc.htlc.id }, htlc.htlc))
    })
}
