//! The questions that a node with funded channels puts to its chain source, beside those of
//! [`ChainSource`].

use bitcoin::block::Header;
use bitcoin::{Amount, Block, BlockHash, OutPoint, ScriptBuf, Transaction};

use crate::error::{ChainError, NotTaken};
use crate::limits::{
    MAX_FEERATE_PER_KW, MAX_PACKAGE_TRANSACTIONS, MAX_PACKAGE_WEIGHT, MAX_TRANSACTION_WEIGHT,
    MIN_FEERATE_PER_KW,
};
use crate::source::ChainSource;

/// A source that shows whole blocks and takes transactions. Its calls block, each for a bounded
/// time, and each reads a bounded number of bytes. What it shows of blocks is checked by whoever
/// asks ([`crate::Scanner`]).
pub trait BridgeSource: ChainSource {
    /// Returns the header of the block `hash`, or `None` if the source does not know it.
    ///
    /// # Errors
    /// What kept the source from answering, see [`ChainError`].
    fn header(&mut self, hash: BlockHash) -> Result<Option<Header>, ChainError>;

    /// Returns the block `hash`, or `None` if the source does not have it (any more).
    ///
    /// # Errors
    /// What kept the source from answering, see [`ChainError`].
    fn block(&mut self, hash: BlockHash) -> Result<Option<Block>, ChainError>;

    /// Gives the source a transaction to relay. One that it has already is no error.
    ///
    /// # Errors
    /// [`ChainError::NotTaken`]; otherwise what kept the source from answering.
    fn broadcast(&mut self, transaction: &Transaction) -> Result<(), ChainError>;

    /// Gives the source transactions that depend on each other, parents first, so that a child can
    /// pay for its parents. If the source takes no packages they are given one by one. Those that
    /// it has already are no error; an empty package is none either.
    ///
    /// # Errors
    /// [`ChainError::NotTaken`] for the first that was not taken; [`ChainError::NoPackages`] if
    /// a package might have been; otherwise what kept the source from answering.
    fn broadcast_package(&mut self, package: &[Transaction]) -> Result<(), ChainError>;

    /// Returns the feerate with which a transaction confirms within `target_blocks`.
    ///
    /// # Errors
    /// What kept the source from answering. A source that answers and has no estimate is no error.
    fn feerate(&mut self, target_blocks: u16) -> Result<Feerate, ChainError>;

    /// Returns the output `outpoint` if a block of the best chain made it and none spends it. The
    /// mempool does not count. It is what the source says, and not checked.
    ///
    /// # Errors
    /// What kept the source from answering, see [`ChainError`].
    fn unspent(&mut self, outpoint: OutPoint) -> Result<Option<Unspent>, ChainError>;
}

/// A feerate between [`MIN_FEERATE_PER_KW`] and [`MAX_FEERATE_PER_KW`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Feerate {
    /// The fee for 1000 weight units, in satoshi.
    pub per_kw: u32,
    /// Where it comes from.
    pub origin: FeerateOrigin,
}

/// The origin of a feerate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeerateOrigin {
    /// The source's own estimate, raised to what its mempool asks at least.
    Estimate,
    /// The source has no estimate: it is what its mempool asks at least, and no more. A deadline
    /// needs more.
    MempoolMinimum,
    /// The source says nothing about fees: it is [`MIN_FEERATE_PER_KW`].
    Floor,
}

impl Feerate {
    /// Joins an estimate and the mempool's minimum, as far as there are any, both in satoshi per
    /// 1000 weight units.
    pub(crate) fn of(estimate: Option<u32>, minimum: Option<u32>) -> Self {
        let (per_kw, origin) = match (estimate, minimum) {
            (Some(estimate), minimum) => {
                (estimate.max(minimum.unwrap_or(0)), FeerateOrigin::Estimate)
            }
            (None, Some(minimum)) => (minimum, FeerateOrigin::MempoolMinimum),
            (None, None) => (MIN_FEERATE_PER_KW, FeerateOrigin::Floor),
        };
        Self { per_kw: per_kw.clamp(MIN_FEERATE_PER_KW, MAX_FEERATE_PER_KW), origin }
    }
}

/// Converts a feerate for 1000 virtual bytes, rounded up; `None` if it is no positive number. One
/// that no number holds is the largest.
pub(crate) fn per_kw(sat_per_kvb: f64) -> Option<u32> {
    // A virtual byte is four weight units. The conversion of a float saturates.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    (sat_per_kvb > 0.0).then(|| (sat_per_kvb / 4.0).ceil() as u32)
}

/// An output that a block made and none spends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unspent {
    /// Its value.
    pub value: Amount,
    /// Its script.
    pub script: ScriptBuf,
    /// The blocks from the one that made it up to the tip, both included.
    pub confirmations: u32,
}

/// Refuses what no node would relay, before it is sent.
pub(crate) fn check_size(endpoint: &str, package: &[Transaction]) -> Result<(), ChainError> {
    let weights = package.iter().map(|transaction| transaction.weight().to_wu());
    let total = weights.fold(0, u64::saturating_add);
    for (index, transaction) in package.iter().enumerate() {
        let is_large = transaction.weight().to_wu() > MAX_TRANSACTION_WEIGHT;
        if is_large || total > MAX_PACKAGE_WEIGHT || index >= MAX_PACKAGE_TRANSACTIONS {
            let txid = transaction.compute_txid();
            return Err(ChainError::not_taken(endpoint, txid, NotTaken::TooLarge, "not sent"));
        }
    }
    Ok(())
}

/// Gives the transactions of a package one by one. `with_package` has why the whole was not taken,
/// or `None` if the source takes no packages.
pub(crate) fn broadcast_one_by_one(
    source: &mut dyn BridgeSource,
    package: &[Transaction],
    with_package: Option<&str>,
) -> Result<(), ChainError> {
    for transaction in package {
        source.broadcast(transaction).map_err(|error| match (error, with_package) {
            (ChainError::NotTaken { endpoint, txid, reason, message }, None) => {
                ChainError::NoPackages { endpoint, txid, reason, message }
            }
            (ChainError::NotTaken { endpoint, txid, reason, message }, Some(whole)) => {
                let message = format!("{message}; as a package: {whole}");
                ChainError::not_taken(&endpoint, txid, reason, &message)
            }
            (other, _) => other,
        })?;
    }
    Ok(())
}
