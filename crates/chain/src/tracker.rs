//! Decides which height to believe (docs/design.md section 4, rule 10): no backward step without a
//! reorg, and when the tip counts as stale. It is pure: no I/O, and the time is passed in.

use std::collections::BTreeMap;

use bitcoin::BlockHash;

use crate::limits::REORG_MEMORY_BLOCKS;
use crate::source::Tip;

/// The rule that says when a tip is too old to accept forwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StaleRule {
    /// The time without a new block, or without an answer, that makes the tip stale, in seconds.
    pub stale_after_s: u64,
    /// False where blocks come only when somebody wants them: then only silence makes the tip
    /// stale.
    pub block_age_counts: bool,
}

/// The health of the source, apart from that of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceHealth {
    /// It answers, and its tip is the one reported.
    Following,
    /// It answers with a lower height and no sign of a reorg: its height is not believed.
    Lagging,
    /// It does not answer, or not sensibly.
    Failing,
}

/// One moment on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The seconds since 1970, as the machine believes; block headers are compared with it.
    pub unix_s: u64,
    /// The milliseconds on a clock that cannot be set and that counts sleep; durations are measured
    /// with it.
    pub now_ms: u64,
}

/// The chain as the node should see it from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainUpdate {
    /// The height of the best chain. It is lower than in the update before only if `reorg` is true.
    pub height: u32,
    /// The hash of the block at `height`; `None` from the regtest clock.
    pub hash: Option<BlockHash>,
    /// The time since the block's header time or since we first saw it, whichever is longer, in
    /// seconds.
    pub tip_age_s: u64,
    /// True if the node must not accept forwards on this height.
    pub stale: bool,
    /// True if blocks that were reported before have been replaced.
    pub reorg: bool,
    /// The health of the source.
    pub health: SourceHealth,
    /// The time of the last request that was answered, by [`Moment::now_ms`]; `None` if there was
    /// none. A lagging answer does not count.
    pub asked_ms: Option<u64>,
}

impl ChainUpdate {
    /// Returns true if the node has to hear of `self` after `last`. A greater age alone is no news.
    fn is_news_after(&self, last: &Self) -> bool {
        self.reorg
            || (self.height, self.hash, self.stale, self.health)
                != (last.height, last.hash, last.stale, last.health)
    }
}

/// Follows the tips that a source shows and decides what to believe.
#[derive(Debug, Clone)]
pub struct TipTracker {
    rule: StaleRule,
    believed: Option<Believed>,
    /// The hashes of tips that were believed before, to compare the source's present chain with.
    /// Their number is bounded.
    remembered: BTreeMap<u32, BlockHash>,
    /// The time of the last answer, or of the beginning of the watch.
    last_answer_ms: u64,
    /// The time at which the last answered request was made.
    asked_ms: Option<u64>,
    last_update: Option<ChainUpdate>,
}

#[derive(Debug, Clone, Copy)]
struct Believed {
    tip: Tip,
    first_seen_ms: u64,
}

impl TipTracker {
    /// Makes a tracker that knows nothing yet, or what was believed before a restart (`resume`), so
    /// that the height does not go back at a restart either.
    pub fn new(rule: StaleRule, resume: Option<Tip>, now: Moment) -> Self {
        let believed = resume.map(|tip| Believed { tip, first_seen_ms: now.now_ms });
        let remembered = resume.and_then(|tip| Some((tip.height, tip.hash?))).into_iter().collect();
        Self {
            rule,
            believed,
            remembered,
            last_answer_ms: now.now_ms,
            asked_ms: None,
            last_update: None,
        }
    }

    /// Returns the height whose block hash on the source's chain must be looked up to judge `tip`,
    /// or `None` if the tip alone suffices.
    pub fn probe_height(&self, tip: &Tip) -> Option<u32> {
        tip.hash?;
        let (height, _) = self.remembered.range(..=tip.height).next_back()?;
        (*height != tip.height).then_some(*height)
    }

    /// Takes the answer to a request made at `asked_ms`: the source shows `tip`; `probe` is its
    /// hash at [`Self::probe_height`], if it has one. Returns what the node has to hear, if
    /// anything.
    pub fn tip_seen(
        &mut self,
        tip: Tip,
        probe: Option<BlockHash>,
        asked_ms: u64,
        now: Moment,
    ) -> Option<ChainUpdate> {
        self.last_answer_ms = now.now_ms;
        let believed_height = self.believed.map(|believed| believed.tip.height);
        let reorg = self.contradicts(&tip, probe);
        if reorg {
            // Older hashes may be of the replaced blocks as well: they would prove false reorgs.
            self.remembered.clear();
        } else if believed_height.is_some_and(|height| tip.height < height) {
            return self.report(SourceHealth::Lagging, false, now);
        }
        self.asked_ms = Some(asked_ms);
        self.believe(tip, reorg || believed_height != Some(tip.height), now);
        self.report(SourceHealth::Following, reorg, now)
    }

    /// Takes note that the source did not answer. Returns what the node has to hear, if anything.
    pub fn source_failed(&mut self, now: Moment) -> Option<ChainUpdate> {
        self.report(SourceHealth::Failing, false, now)
    }

    /// Returns what the node heard last, confirmed by an answer that was no news.
    pub fn confirmed(&self) -> Option<ChainUpdate> {
        let asked_ms = self.asked_ms;
        self.last_update.map(|last| ChainUpdate { reorg: false, asked_ms, ..last })
    }

    /// Returns true if the source's chain has another block than we were shown before, at the
    /// greatest height at which both are known.
    fn contradicts(&self, tip: &Tip, probe: Option<BlockHash>) -> bool {
        let Some((height, hash)) = self.remembered.range(..=tip.height).next_back() else {
            return false;
        };
        let shown = if *height == tip.height { tip.hash } else { probe };
        shown.is_some_and(|shown| shown != *hash)
    }

    fn believe(&mut self, tip: Tip, is_new: bool, now: Moment) {
        match &mut self.believed {
            Some(believed) if !is_new => believed.tip = tip,
            _ => self.believed = Some(Believed { tip, first_seen_ms: now.now_ms }),
        }
        if let Some(hash) = tip.hash {
            self.remembered.insert(tip.height, hash);
        }
        while self.remembered.len() > REORG_MEMORY_BLOCKS {
            self.remembered.pop_first();
        }
    }

    fn report(&mut self, health: SourceHealth, reorg: bool, now: Moment) -> Option<ChainUpdate> {
        let Believed { tip, first_seen_ms } = self.believed?;
        // Header times may lie two hours ahead, and a wall clock behind: then the time of the first
        // sight gives the age.
        let known_s = now.now_ms.saturating_sub(first_seen_ms) / 1000;
        let tip_age_s = now.unix_s.saturating_sub(tip.time_unix).max(known_s);
        let silence_s = now.now_ms.saturating_sub(self.last_answer_ms) / 1000;
        let too_old = self.rule.block_age_counts && tip_age_s >= self.rule.stale_after_s;
        let stale = too_old || silence_s >= self.rule.stale_after_s;
        let asked_ms = self.asked_ms;
        let (height, hash) = (tip.height, tip.hash);
        let update = ChainUpdate { height, hash, tip_age_s, stale, reorg, health, asked_ms };
        if self.last_update.as_ref().is_some_and(|last| !update.is_news_after(last)) {
            return None;
        }
        self.last_update = Some(update);
        Some(update)
    }
}
