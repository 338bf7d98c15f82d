//! Preimages published on chain (protocol.md section 6): while an HTLC of ours is out, every new
//! block is searched for its preimage, and none is given up as expired before its block was.

use std::collections::{BTreeMap, BTreeSet};

use steward_hosted::Input;
use steward_wire::{OutgoingHtlcId, PaymentHash, Preimage, UpdateAddHtlc};

use crate::engine::Engine;
use crate::io::{Action, Level};
use crate::limits::SEARCH_REORG_BLOCKS;
use crate::row::{Row, Setting};

/// How far the chain was searched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Search {
    height: u32,
    /// A request that was not answered yet.
    is_running: bool,
    /// The last height, of this run, at which no HTLC of ours was out: what earlier blocks
    /// publish claims other HTLCs, perhaps of the same hash.
    idle_height: u32,
    /// The height at which an HTLC of ours that is out was offered, if in this run: blocks up to
    /// there claim others of its hash, whose payment was another one.
    offered: BTreeMap<OutgoingHtlcId, u32>,
}

impl Search {
    /// As found at start; a node that never searched begins with the best height it knew.
    pub(crate) fn resume(searched_height: u32, best_height: u32) -> Self {
        let height = if searched_height == 0 { best_height } else { searched_height };
        Self { height, is_running: false, idle_height: 0, offered: BTreeMap::new() }
    }

    /// Blocks up to this height hold no preimage that we miss.
    pub(crate) fn height(&self) -> u32 {
        self.height
    }

    /// An HTLC of ours is on its way.
    pub(crate) fn offered(&mut self, key: OutgoingHtlcId, height: u32) {
        self.offered.insert(key, height);
    }

    /// An HTLC of ours has ended, or what it came from is settled.
    pub(crate) fn ended(&mut self, key: &OutgoingHtlcId) {
        self.offered.remove(key);
    }

    fn may_be_claimed_at(&self, key: &OutgoingHtlcId, height: u32) -> bool {
        self.offered.get(key).is_none_or(|offered| height > *offered)
    }
}

impl Engine {
    /// The tip moved. Blocks matter only while an HTLC of ours is out: an HTLC that is offered
    /// later cannot have been claimed in them.
    pub(crate) fn search_to_tip(&mut self) {
        // After a reorganisation other blocks stand where we looked.
        self.search.offered.values_mut().for_each(|offered| *offered = self.height.min(*offered));
        let reached = self.search.height.min(self.height);
        if self.search.is_running {
            return self.note_searched(reached);
        }
        // What is published later than the last expiry claims nothing.
        let last_expiry = self.awaited().map(|(_, htlc)| htlc.cltv_expiry).max();
        if last_expiry.is_none() {
            self.search.idle_height = self.height;
        }
        let to_height = self.height.min(last_expiry.unwrap_or(0));
        if reached >= to_height {
            return self.note_searched(self.height);
        }
        self.note_searched(reached);
        self.search.is_running = true;
        let again = reached.saturating_add(1).saturating_sub(SEARCH_REORG_BLOCKS);
        let from_height = again.max(self.search.idle_height.saturating_add(1)).min(to_height);
        self.batch.act(Action::SearchBlocks { from_height, to_height });
    }

    /// Every block up to `to_height` was searched.
    pub(crate) fn searched(&mut self, to_height: u32, published: &[(u32, Preimage)]) {
        self.search.is_running = false;
        let awaited: BTreeSet<PaymentHash> =
            self.awaited().map(|(_, htlc)| htlc.payment_hash).collect();
        for (height, preimage) in published {
            let hash = preimage.hash();
            let is_claim = awaited.contains(&hash)
                && self.awaited_of(&hash).any(|key| self.search.may_be_claimed_at(&key, *height));
            if is_claim {
                self.batch.log(Level::Warn, "preimage_on_chain", None, "a payee claimed on chain");
                self.published_preimage(*preimage, Some(*height));
            }
        }
        self.note_searched(to_height.min(self.height));
        self.search_to_tip();
        self.drive_blocks();
    }

    /// A preimage learned outside any channel: from the chain or an operator. True if an HTLC of
    /// ours, or a payment whose end we missed, waited for it.
    pub(crate) fn external_preimage(&mut self, preimage: Preimage) -> bool {
        self.published_preimage(preimage, None)
    }

    /// As [`Engine::external_preimage`], in the block at this height.
    fn published_preimage(&mut self, preimage: Preimage, height: Option<u32>) -> bool {
        let hash = preimage.hash();
        let is_claimed = |key: &OutgoingHtlcId| {
            height.is_none_or(|height| self.search.may_be_claimed_at(key, height))
        };
        let outgoing: Vec<OutgoingHtlcId> = self.awaited_of(&hash).filter(is_claimed).collect();
        let held = self.held_forwards(&hash);
        let is_wanted = !outgoing.is_empty() || !held.is_empty();
        if !is_wanted && !self.payments.is_outcome_unknown(&hash.into()) {
            return false;
        }
        self.learn(preimage);
        for key in held {
            self.htlc_fulfilled(key, preimage, &[]);
        }
        for key in outgoing {
            self.drive(key.link, Input::ExternalFulfill { id: key.id, preimage });
        }
        self.payment_proved(preimage);
        true
    }

    fn note_searched(&mut self, height: u32) {
        if height != self.search.height {
            self.search.height = height;
            self.batch.writes.put(Row::Setting(Setting::SearchedHeight(height)));
        }
    }

    fn awaited_of(&self, hash: &PaymentHash) -> impl Iterator<Item = OutgoingHtlcId> {
        self.awaited().filter(move |(_, htlc)| htlc.payment_hash == *hash).map(|(key, _)| key)
    }

    /// HTLCs of ours that are out and may still be claimed.
    fn awaited(&self) -> impl Iterator<Item = (OutgoingHtlcId, &UpdateAddHtlc)> {
        self.channels.lively().flat_map(|(link, entry)| {
            let ours = entry.channel.outgoing_htlcs().filter(|htlc| htlc.preimage.is_none());
            ours.map(|htlc| (OutgoingHtlcId { link: *link, id: htlc.htlc.id }, htlc.htlc))
        })
    }
}
