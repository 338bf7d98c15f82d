//! A chain whose blocks the tests make, and the resolver that is fed with them.

use bitcoin::block::{Header, Version};
use bitcoin::hashes::Hash;
use bitcoin::{BlockHash, CompactTarget, OutPoint, Transaction, TxMerkleNode};
use steward_resolver::*;
use steward_wire::Preimage;

use super::Pair;
use super::wallet::Wallet;

/// The block before all others.
pub fn start() -> BestBlock {
    BestBlock { hash: BlockHash::from_byte_array([1; 32]), height: 100 }
}

pub fn header(before: BlockHash, salt: u32) -> Header {
    Header {
        version: Version::TWO,
        prev_blockhash: before,
        merkle_root: TxMerkleNode::all_zeros(),
        time: salt,
        bits: CompactTarget::from_consensus(42),
        nonce: salt,
    }
}

/// A resolver on its chain. It is stored and read, and goes on with what was read.
pub struct Dying<'a> {
    pub keys: &'a ChannelKeys,
    pub wallet: Wallet,
    pub feerates: Feerates,
    pub resolver: Resolver,
    pub blocks: Vec<BestBlock>,
    pub published: Vec<(Purpose, Vec<Transaction>)>,
    pub resolved: Vec<(u64, Option<Preimage>)>,
    pub sweepable: Vec<(OutPoint, u64)>,
    pub lacked_coins: bool,
    pub is_done: bool,
    /// After so many inputs the resolver is stored and read.
    pub read_every: u32,
    inputs: u32,
    salt: u32,
}

impl<'a> Dying<'a> {
    pub fn new(pair: &'a Pair, record: &ChannelAtDeath) -> Self {
        Self::with_keys(&pair.keys, record)
    }

    pub fn with_keys(keys: &'a ChannelKeys, record: &ChannelAtDeath) -> Self {
        let resolver = Resolver::start(record, keys).unwrap();
        Self {
            keys,
            wallet: Wallet::new(3, 50_000),
            feerates: Feerates { urgent_per_kw: 1_000, relaxed_per_kw: 500 },
            resolver,
            blocks: vec![record.best_block],
            published: vec![],
            resolved: vec![],
            sweepable: vec![],
            lacked_coins: false,
            is_done: false,
            read_every: 1,
            inputs: 0,
            salt: 0,
        }
    }

    pub fn height(&self) -> u32 {
        self.blocks.last().unwrap().height
    }

    pub fn give(&mut self, input: &Input<'_>) {
        let env = Env { keys: self.keys, coins: &self.wallet, feerates: self.feerates };
        for output in self.resolver.handle(input, &env) {
            match output {
                Output::Broadcast { purpose, package } => self.published.push((purpose, package)),
                Output::Resolved { id, preimage } => self.resolved.push((id, preimage)),
                Output::Sweepable { outpoint, value_sat } => {
                    self.sweepable.push((outpoint, value_sat))
                }
                Output::NoCoins { .. } => self.lacked_coins = true,
                Output::Blob(_) => {}
                Output::Done => self.is_done = true,
            }
        }
        self.inputs += 1;
        if !self.inputs.is_multiple_of(self.read_every) {
            return;
        }
        let balances = self.resolver.balances();
        let best = self.resolver.best_block();
        self.resolver = Resolver::read(&self.resolver.blob(), self.keys).unwrap();
        assert_eq!(self.resolver.balances(), balances);
        assert_eq!(self.resolver.best_block(), best);
    }

    pub fn block(&mut self, transactions: &[&Transaction]) {
        self.salt += 1;
        let header = header(self.blocks.last().unwrap().hash, self.salt);
        let height = self.height() + 1;
        let transactions: Vec<_> = transactions
            .iter()
            .enumerate()
            .map(|(at, transaction)| (at + 1, *transaction))
            .collect();
        self.blocks.push(BestBlock { hash: header.block_hash(), height });
        self.give(&Input::Block { header: &header, transactions: &transactions, height });
    }

    pub fn blocks_to(&mut self, height: u32) {
        while self.height() < height {
            self.block(&[]);
        }
    }

    /// Takes the newest `count` blocks out of the chain.
    pub fn disconnect(&mut self, count: usize) {
        self.blocks.truncate(self.blocks.len() - count);
        let fork = *self.blocks.last().unwrap();
        self.give(&Input::Disconnected { fork });
    }

    /// Returns all transactions published since the last call.
    pub fn take(&mut self) -> Vec<Transaction> {
        std::mem::take(&mut self.published).into_iter().flat_map(|(_, package)| package).collect()
    }

    /// Returns those published since the last call that spend an output of `of`.
    pub fn take_spends(&mut self, of: &Transaction) -> Vec<Transaction> {
        let txid = of.compute_txid();
        let mut all = self.take();
        all.retain(|one| one.input.iter().any(|input| input.previous_output.txid == txid));
        all.dedup_by_key(|one| one.compute_txid());
        all
    }
}
