//! What a resolver is told, and what it answers.

use bitcoin::block::Header;
use bitcoin::{OutPoint, Transaction};
use steward_wire::Preimage;

use crate::record::BestBlock;

/// What a resolver is told.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// We close the channel: the decision is stored, and nothing of the channel is signed or revoked
    /// any more. Our commitment is to be published.
    Publish,
    /// A block joined the best chain.
    Block {
        /// Its header.
        header: &'a Header,
        /// Its transactions, or those that spend or make an output which is watched, each with its
        /// index in the block, in their order.
        transactions: &'a [(usize, &'a Transaction)],
        /// Its height.
        height: u32,
    },
    /// Blocks left the best chain.
    Disconnected {
        /// The last block that is still in it.
        fork: BestBlock,
    },
    /// The preimage of an incoming HTLC is known, and stored.
    Preimage(Preimage),
    /// Time to look again: feerates or coins are others, or broadcasts may have been lost.
    Refresh,
}

/// Why transactions are published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// Our commitment, alone or with a child that pays its fee.
    Commitment,
    /// A claim of HTLCs or of a revoked commitment's outputs.
    Claim,
    /// A payment of what is ours, and has waited long enough, to the wallet.
    Sweep,
}

/// What a resolver answers. All of it takes effect together, in one batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Publish these transactions together: parents first, as one package if there are several.
    Broadcast {
        /// Why.
        purpose: Purpose,
        /// The transactions.
        package: Vec<Transaction>,
    },
    /// An outgoing HTLC is settled for good. Each HTLC is reported once, or a second time with a
    /// preimage after none.
    Resolved {
        /// The number that we gave it.
        id: u64,
        /// Its preimage, from the chain; `None` if its failure is six blocks deep.
        preimage: Option<Preimage>,
    },
    /// An output is ours without conditions. If it pays the wallet's script, the wallet finds it in
    /// its block; otherwise a sweep is on its way.
    Sweepable {
        /// The output.
        outpoint: OutPoint,
        /// Its value, in satoshi.
        value_sat: u64,
    },
    /// A transaction with our name in it could not be paid for: the wallet has no coins for its fee.
    /// It is tried again with the next block.
    NoCoins {
        /// The feerate it needs, in satoshi per 1000 weight units.
        feerate_per_kw: u32,
    },
    /// Store this in place of what was stored before.
    Blob(Vec<u8>),
    /// Nothing is left to do: everything of ours is in the wallet, six blocks deep.
    Done,
}
