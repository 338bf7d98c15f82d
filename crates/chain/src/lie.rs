//! What a source can show that cannot be true, whatever chain is the best one.

use thiserror::Error;

/// The reason why a header or a block is not believed. Each can be checked without a look at any
/// other source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Lie {
    /// The header has another hash than the one asked for.
    #[error("another block than asked for")]
    OtherBlock,
    /// The header does not name the block below it as its parent.
    #[error("a block that does not connect to the block below it")]
    DoesNotConnect,
    /// The header's hash is not below its own target.
    #[error("a header without proof of work")]
    NoProofOfWork,
    /// The header's target is not one that the network allows above the block below it.
    #[error("a header with a difficulty that the network does not allow there")]
    WrongDifficulty,
    /// The transactions do not have the header's Merkle root, or one of them is there twice.
    #[error("a block with other transactions than its own")]
    WrongTransactions,
    /// The witnesses are not the ones that the first transaction commits to.
    #[error("a block with other witnesses than its own")]
    WrongWitnesses,
    /// The first transaction, and no other, must be a coinbase transaction.
    #[error("a block without its coinbase transaction")]
    NoCoinbase,
    /// The coinbase transaction names another height.
    #[error("a block that belongs to another height")]
    WrongHeight,
    /// The source named a block of its best chain and has no header of it.
    #[error("a chain with a block that it does not know")]
    UnknownBlock,
}
