//! Our knowledge of the chain: its height, the age of that height, the blocks that were searched.

use crate::face::limits::CHAIN_FRESH_MS;

/// The chain as the chain source last showed it.
#[derive(Debug)]
pub(crate) struct Tip {
    height: u32,
    /// Blocks up to this height hold no preimage that we miss.
    searched_height: u32,
    /// False on a new node until the chain source first spoke: without a height, no state can be
    /// dated and no channel opened.
    is_known: bool,
    /// True until the chain source first spoke, and whenever it shows no news.
    is_stale: bool,
    /// The moment of the last question that the chain source answered, by `now_ms`.
    asked_ms: Option<u64>,
    /// Answers to questions asked before this say nothing about the chain of now.
    not_before_ms: u64,
}

impl Tip {
    /// Takes up the heights found at start; a node that never searched begins with the best one it
    /// knew.
    pub(crate) fn resume(height: u32, searched_height: u32) -> Self {
        Self {
            height,
            searched_height: if searched_height == 0 { height } else { searched_height },
            is_known: height > 0,
            is_stale: true,
            asked_ms: None,
            not_before_ms: 0,
        }
    }

    pub(crate) fn height(&self) -> u32 {
        self.height
    }

    pub(crate) fn searched_height(&self) -> u32 {
        self.searched_height
    }

    pub(crate) fn is_known(&self) -> bool {
        self.is_known
    }

    pub(crate) fn is_stale(&self) -> bool {
        self.is_stale
    }

    /// The time since the chain source was asked for the height we know, the machine's sleep
    /// included, in milliseconds; `None` if it never was, or not since the clock jumped.
    pub(crate) fn age_ms(&self, now_ms: u64) -> Option<u64> {
        self.asked_ms.map(|asked_ms| now_ms.saturating_sub(asked_ms))
    }

    /// True if the height is one of a moment ago, the machine's sleep included.
    pub(crate) fn is_fresh(&self, now_ms: u64) -> bool {
        !self.is_stale && self.age_ms(now_ms).is_some_and(|age_ms| age_ms <= CHAIN_FRESH_MS)
    }

    /// Takes an answer of the chain source over. True if the height is another one.
    pub(crate) fn answered(&mut self, height: u32, is_stale: bool, asked_ms: Option<u64>) -> bool {
        if let Some(asked_ms) = asked_ms.filter(|asked_ms| *asked_ms >= self.not_before_ms) {
            self.asked_ms = self.asked_ms.max(Some(asked_ms));
        }
        self.is_stale = is_stale;
        self.is_known = true;
        std::mem::replace(&mut self.height, height) != height
    }

    /// True if that is another height than before.
    pub(crate) fn searched(&mut self, searched_height: u32) -> bool {
        std::mem::replace(&mut self.searched_height, searched_height) != searched_height
    }

    /// The clock jumped. A virtual machine that was stopped sees its time only on the wall clock:
    /// blocks may have come meanwhile that no answer on the way knows of.
    pub(crate) fn forget_answers(&mut self, now_ms: u64) {
        self.asked_ms = None;
        self.not_before_ms = now_ms;
    }
}
