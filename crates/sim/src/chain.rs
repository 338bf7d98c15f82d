//! The simulated chain: a height, preimages in blocks, reorganisations.

use std::collections::BTreeMap;

use steward_wire::Preimage;

/// The height at which every simulated chain begins.
pub(crate) const START_HEIGHT: u32 = 800_000;

/// The best chain. Nodes hear of it late, each in its own time.
#[derive(Debug)]
pub(crate) struct Chain {
    height: u32,
    /// Preimages by the height of the block that publishes them.
    published: BTreeMap<u32, Vec<Preimage>>,
    /// Transactions that wait for a block.
    mempool: Vec<Preimage>,
    /// Transactions that will be broadcast to be mined at this height.
    scheduled: BTreeMap<u32, Vec<Preimage>>,
    /// Highest height there ever was.
    highest: u32,
    /// The reorganisations: the heights before and after each.
    reorgs: Vec<(u32, u32)>,
}

impl Default for Chain {
    fn default() -> Self {
        Self {
            height: START_HEIGHT,
            published: BTreeMap::new(),
            mempool: Vec::new(),
            scheduled: BTreeMap::new(),
            highest: START_HEIGHT,
            reorgs: Vec::new(),
        }
    }
}

impl Chain {
    /// The best height.
    pub(crate) fn height(&self) -> u32 {
        self.height
    }

    /// Highest height there ever was.
    pub(crate) fn highest(&self) -> u32 {
        self.highest
    }

    /// True if a node may have seen the height go back like this.
    pub(crate) fn went_back(&self, from: u32, to: u32) -> bool {
        self.reorgs.iter().any(|(first, last)| *first >= from && *last <= to)
    }

    /// New blocks; the first holds what waited.
    pub(crate) fn mine(&mut self, blocks: u32) {
        for _ in 0..blocks {
            self.height += 1;
            for preimage in self.scheduled.remove(&self.height).unwrap_or_default() {
                self.broadcast(preimage);
            }
            let waiting = std::mem::take(&mut self.mempool);
            if !waiting.is_empty() {
                self.published.entry(self.height).or_default().extend(waiting);
            }
        }
        self.highest = self.highest.max(self.height);
    }

    /// The last blocks are gone; what they held waits for other blocks.
    pub(crate) fn reorganise(&mut self, blocks: u32) {
        let kept = self.height.saturating_sub(blocks);
        for (_, preimages) in self.published.split_off(&(kept + 1)) {
            self.mempool.extend(preimages);
        }
        self.reorgs.push((self.highest, kept));
        self.height = kept;
    }

    /// Somebody waits with a preimage until the last moment.
    pub(crate) fn schedule(&mut self, preimage: Preimage, height: u32) {
        if height <= self.height {
            return self.broadcast(preimage);
        }
        self.scheduled.entry(height).or_default().push(preimage);
    }

    /// A transaction that shows a preimage.
    pub(crate) fn broadcast(&mut self, preimage: Preimage) {
        if !self.mempool.contains(&preimage) {
            self.mempool.push(preimage);
        }
    }

    /// Returns the preimages in the blocks from `first` to `last`.
    pub(crate) fn preimages(&self, first: u32, last: u32) -> Vec<(u32, Preimage)> {
        if first > last {
            return Vec::new();
        }
        let blocks = self.published.range(first..=last);
        let each = |(height, block): (&u32, &'_ Vec<Preimage>)| -> Vec<(u32, Preimage)> {
            block.iter().map(|preimage| (*height, *preimage)).collect()
        };
        blocks.flat_map(each).collect()
    }
}
