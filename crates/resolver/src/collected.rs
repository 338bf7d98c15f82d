//! What LDK gives away while it works: transactions and events, put into an order of our own, since
//! LDK's maps have none.

use std::sync::{Mutex, PoisonError};

use bitcoin::Transaction;
use lightning::chain::chaininterface::{BroadcasterInterface, TransactionType};
use lightning::events::bump_transaction::BumpTransactionEvent;
use lightning::util::logger::{Logger, Record};

use crate::io::Purpose;

/// Takes what LDK wants to publish.
#[derive(Default)]
pub(crate) struct Packages(Mutex<Vec<(Purpose, Vec<Transaction>)>>);

impl BroadcasterInterface for Packages {
    fn broadcast_transactions(&self, transactions: &[(&Transaction, TransactionType)]) {
        let Some((_, kind)) = transactions.first() else { return };
        let purpose = match kind {
            TransactionType::UnilateralClose { .. } | TransactionType::AnchorBump { .. } => {
                Purpose::Commitment
            }
            _ => Purpose::Claim,
        };
        let package = transactions.iter().map(|(transaction, _)| (*transaction).clone()).collect();
        self.add(purpose, package);
    }
}

impl Packages {
    pub(crate) fn add(&self, purpose: Purpose, package: Vec<Transaction>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((purpose, package));
    }

    /// Returns the packages, sorted, each once.
    pub(crate) fn sorted(self) -> Vec<(Purpose, Vec<Transaction>)> {
        let mut packages = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        let key = |(purpose, package): &(Purpose, Vec<Transaction>)| {
            (*purpose, package.iter().map(Transaction::compute_txid).collect::<Vec<_>>())
        };
        packages.sort_by_cached_key(key);
        packages.dedup_by_key(|package| key(package));
        packages
    }
}

/// Returns what makes one request for a fee different from others.
pub(crate) fn claim_id(event: &BumpTransactionEvent) -> [u8; 32] {
    match event {
        BumpTransactionEvent::ChannelClose { claim_id, .. }
        | BumpTransactionEvent::HTLCResolution { claim_id, .. } => claim_id.0,
    }
}

/// Returns what a request's transactions are for: LDK calls those of HTLCs a close too.
pub(crate) fn purpose(event: &BumpTransactionEvent) -> Purpose {
    match event {
        BumpTransactionEvent::ChannelClose { .. } => Purpose::Commitment,
        BumpTransactionEvent::HTLCResolution { .. } => Purpose::Claim,
    }
}

/// LDK's log lines are dropped: what matters is in our outputs.
pub(crate) struct Silent;

impl Logger for Silent {
    fn log(&self, _: Record<'_>) {}
}
