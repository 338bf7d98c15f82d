//! Preimages we know: those in flight, and a bounded number of recent ones.

use std::collections::{BTreeMap, VecDeque};

use steward_wire::{PaymentHash, Preimage};

use crate::face::limits::MAX_RECENT_PREIMAGES;

/// Forgets the oldest beyond a limit. What is forgotten is still in the store; no HTLC in flight
/// depends on it, since each settlement is recorded in its channel by then.
#[derive(Debug, Default)]
pub(crate) struct Preimages {
    known: BTreeMap<PaymentHash, Preimage>,
    order: VecDeque<PaymentHash>,
}

impl Preimages {
    /// As found at start.
    pub(crate) fn resume(stored: &[Preimage]) -> Self {
        let mut preimages = Self::default();
        for preimage in stored {
            preimages.insert(*preimage);
        }
        preimages
    }

    pub(crate) fn get(&self, hash: &PaymentHash) -> Option<Preimage> {
        self.known.get(hash).copied()
    }

    /// True if it was not known.
    pub(crate) fn insert(&mut self, preimage: Preimage) -> bool {
        let hash = preimage.hash();
        if self.known.insert(hash, preimage).is_some() {
            return false;
        }
        self.order.push_back(hash);
        if self.order.len() > MAX_RECENT_PREIMAGES
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}
