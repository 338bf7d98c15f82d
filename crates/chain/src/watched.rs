//! The outputs and scripts that matter, and the transactions of a block that touch them. Pure.

use std::collections::{BTreeSet, HashSet};

use bitcoin::{Block, OutPoint, ScriptBuf, Transaction};
use thiserror::Error;

use crate::limits::{MAX_WATCHED_OUTPOINTS, MAX_WATCHED_SCRIPTS};

/// The outputs whose spends are wanted, and the scripts whose payments are. An output that pays a
/// watched script is watched from then on by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Watched {
    outpoints: HashSet<OutPoint>,
    scripts: HashSet<ScriptBuf>,
}

/// There are too many outputs or scripts to watch: the limits of this crate are reached. Nothing
/// that was watched is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("there is no room to watch one more output or script of the chain")]
pub struct WatchedFull;

impl Watched {
    /// Watches for a spend of `outpoint`. Returns true if that is new.
    ///
    /// # Errors
    /// [`WatchedFull`].
    pub fn watch_outpoint(&mut self, outpoint: OutPoint) -> Result<bool, WatchedFull> {
        insert(&mut self.outpoints, outpoint, MAX_WATCHED_OUTPOINTS)
    }

    /// Watches for outputs that pay `script`, and for the spends of those. Returns true if that is
    /// new.
    ///
    /// # Errors
    /// [`WatchedFull`].
    pub fn watch_script(&mut self, script: ScriptBuf) -> Result<bool, WatchedFull> {
        insert(&mut self.scripts, script, MAX_WATCHED_SCRIPTS)
    }

    /// Watches an output no longer, for example since its spend is buried. Returns true if it was
    /// watched.
    pub fn forget_outpoint(&mut self, outpoint: &OutPoint) -> bool {
        self.outpoints.remove(outpoint)
    }

    /// Watches a script no longer. Outputs that paid it stay watched. Returns true if it was
    /// watched.
    pub fn forget_script(&mut self, script: &ScriptBuf) -> bool {
        self.scripts.remove(script)
    }

    /// Returns true if spends of `outpoint` are watched.
    pub fn is_watched(&self, outpoint: &OutPoint) -> bool {
        self.outpoints.contains(outpoint)
    }

    /// Returns the watched outputs, in no order. Those that watched scripts were paid to are among
    /// them, and must be watched again after a restart.
    pub fn outpoints(&self) -> impl Iterator<Item = &OutPoint> {
        self.outpoints.iter()
    }

    /// Returns true if `transaction` spends a watched output or pays a watched script, and watches
    /// the outputs that pay one.
    fn touches(&mut self, transaction: &Transaction) -> Result<bool, WatchedFull> {
        let spends =
            transaction.input.iter().any(|input| self.outpoints.contains(&input.previous_output));
        let ours: Vec<u32> = (0..)
            .zip(&transaction.output)
            .filter(|(_, output)| self.scripts.contains(&output.script_pubkey))
            .map(|(vout, _)| vout)
            .collect();
        if ours.is_empty() {
            return Ok(spends);
        }
        let txid = transaction.compute_txid();
        for vout in ours {
            self.watch_outpoint(OutPoint { txid, vout })?;
        }
        Ok(true)
    }
}

fn insert<T: Eq + std::hash::Hash>(
    set: &mut HashSet<T>,
    item: T,
    limit: usize,
) -> Result<bool, WatchedFull> {
    if set.contains(&item) {
        return Ok(false);
    }
    if set.len() >= limit {
        return Err(WatchedFull);
    }
    Ok(set.insert(item))
}

/// The search of one block for what is watched. Whoever gets transactions may want to watch more
/// because of them, perhaps outputs that are spent in the same block: it grows the list and asks
/// again, until there is nothing more.
///
/// ```
/// # use bitcoin::{Block, Transaction};
/// # use steward_chain::{BlockScan, Watched, WatchedFull};
/// # fn process(_: &[(usize, &Transaction)], _: &mut Watched) {}
/// fn search(block: &Block, watched: &mut Watched) -> Result<(), WatchedFull> {
///     let mut scan = BlockScan::new(block);
///     loop {
///         let found = scan.find(watched)?;
///         if found.is_empty() {
///             return Ok(());
///         }
///         process(&found, watched); // It may watch more.
///     }
/// }
/// # let block = bitcoin::constants::genesis_block(bitcoin::Network::Regtest);
/// # search(&block, &mut Watched::default()).unwrap();
/// ```
#[derive(Debug)]
pub struct BlockScan<'a> {
    block: &'a Block,
    found: BTreeSet<usize>,
}

impl<'a> BlockScan<'a> {
    /// Begins to search `block`.
    pub fn new(block: &'a Block) -> Self {
        Self { block, found: BTreeSet::new() }
    }

    /// Returns the transactions that touch what is watched and were not returned before, each with
    /// its index, in the block's order. Nothing more is there if it returns nothing.
    ///
    /// # Errors
    /// [`WatchedFull`] if a watched script was paid and the new output has no room; nothing counts
    /// as returned then.
    pub fn find(
        &mut self,
        watched: &mut Watched,
    ) -> Result<Vec<(usize, &'a Transaction)>, WatchedFull> {
        let mut new = Vec::new();
        // Parents stand before their children in a block: one pass finds a whole chain of spends.
        for (index, transaction) in self.block.txdata.iter().enumerate() {
            // One that was returned may pay a script that is watched since then.
            if watched.touches(transaction)? && !self.found.contains(&index) {
                new.push((index, transaction));
            }
        }
        self.found.extend(new.iter().map(|(index, _)| *index));
        Ok(new)
    }
}
