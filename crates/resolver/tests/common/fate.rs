//! A death of the channel, shown to our resolver and to LDK's own monitor: both must say and do the same.

use std::collections::{BTreeMap, BTreeSet};

use bitcoin::absolute::LockTime;
use bitcoin::hashes::{Hash, sha256};
use bitcoin::secp256k1::{All, Secp256k1};
use bitcoin::transaction::Version;
use bitcoin::{Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, Witness};
use lightning::ln::chan_utils::{
    CommitmentTransaction, HTLCOutputInCommitment, build_htlc_transaction, get_htlc_redeemscript,
};
use steward_resolver::*;
use steward_wire::{PaymentHash, Preimage};

use super::chain::{Dying, header};
use super::live::Live;
use super::observer::{Observer, Theirs};
use super::random::Random;

/// Whose commitment confirms.
pub enum Cause<'a> {
    /// Ours.
    Local,
    /// One of the peer's.
    Remote(&'a Theirs),
}

/// How often things were seen that the tests are about.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    pub deaths: u32,
    /// HTLCs resolved with a preimage and without one.
    pub fulfilled: u32,
    pub failed: u32,
    /// Transactions of ours that spend what is not the commitment's: penalties of second stages.
    pub second_stages: u32,
    /// Penalties and claims of the commitment's outputs.
    pub claims: u32,
    /// Claims that were published again with a higher fee.
    pub raised: u32,
    /// Claims of HTLCs of our own commitment that coins pay for.
    pub paid_with_coins: u32,
    pub reorgs: u32,
    pub preimages: u32,
    pub done: u32,
    pub signatures: u32,
}

impl Seen {
    pub fn add(&mut self, other: &Self) {
        self.deaths += 1;
        self.fulfilled += other.fulfilled;
        self.failed += other.failed;
        self.second_stages += other.second_stages;
        self.claims += other.claims;
        self.raised += other.raised;
        self.paid_with_coins += other.paid_with_coins;
        self.reorgs += other.reorgs;
        self.preimages += other.preimages;
        self.done += other.done;
        self.signatures += other.signatures;
    }
}

/// A block of the tests' chain.
struct Mined {
    best: BestBlock,
    transactions: Vec<Transaction>,
}

pub struct Fate<'a> {
    random: Random,
    observer: &'a Observer,
    payments: &'a [[u8; 32]],
    funding: &'a Transaction,
    secp: Secp256k1<All>,
    dying: Dying<'a>,
    live: Live,
    start: BestBlock,
    chain: Vec<Mined>,
    /// The newest transactions that we published, by what they spend.
    pending: BTreeMap<Vec<OutPoint>, Vec<Transaction>>,
    had_reorg: bool,
    salt: u32,
    fulfilled: Vec<u64>,
    pub seen: Seen,
    /// What each side published, for a message when they differ.
    what: String,
}

fn spent(transaction: &Transaction) -> Vec<OutPoint> {
    transaction.input.iter().map(|input| input.previous_output).collect()
}

/// Returns what a failed comparison shows of a transaction.
fn summary(of: &Transaction) -> String {
    let inputs: Vec<_> = spent(of)
        .iter()
        .map(|one| format!("{}:{}", &one.txid.to_string()[..8], one.vout))
        .collect();
    let outputs: Vec<_> = of.output.iter().map(|output| output.value.to_sat()).collect();
    format!("lock time {}, {inputs:?} -> {outputs:?}", of.lock_time)
}

impl<'a> Fate<'a> {
    /// Begins with the monitor made of `record` and LDK's own.
    pub fn new(
        seed: u64,
        observer: &'a Observer,
        (payments, funding): (&'a [[u8; 32]], &'a Transaction),
        keys: &'a ChannelKeys,
        record: &ChannelAtDeath,
        monitor: &[u8],
    ) -> Self {
        let mut dying = Dying::with_keys(keys, record);
        dying.wallet = super::wallet::Wallet::new(8, 200_000);
        dying.read_every = 7;
        let fate = Self {
            random: Random(seed),
            observer,
            payments,
            funding,
            secp: Secp256k1::new(),
            dying,
            live: Live::new(monitor),
            start: record.best_block,
            chain: vec![],
            pending: BTreeMap::new(),
            had_reorg: false,
            salt: 0,
            fulfilled: record.fulfilled.iter().map(|htlc| htlc.id).collect(),
            seen: Seen::default(),
            what: String::new(),
        };
        assert_eq!(fate.dying.resolver.balances(), fate.live.balances(), "before any block");
        fate
    }

    fn best(&self) -> BestBlock {
        self.chain.last().map_or(self.start, |mined| mined.best)
    }

    /// Compares what both said and did since the last time.
    fn compare(&mut self) {
        let what = self.what.clone();
        assert_eq!(self.dying.resolver.balances(), self.live.balances(), "after {what}");
        let published = std::mem::take(&mut self.dying.published);
        let (sweeps, claims): (Vec<_>, Vec<_>) =
            published.into_iter().partition(|(purpose, _)| *purpose == Purpose::Sweep);
        let ours: BTreeSet<Txid> =
            claims.iter().flat_map(|(_, package)| package).map(Transaction::compute_txid).collect();
        let theirs = std::mem::take(&mut self.live.published);
        let ldk: BTreeSet<Txid> = theirs.iter().map(Transaction::compute_txid).collect();
        if ours != ldk {
            let claims = claims.iter().flat_map(|(_, package)| package);
            let ours: Vec<_> = claims.map(summary).collect();
            let ldk: Vec<_> = theirs.iter().map(summary).collect();
            panic!("after {what} we publish\n{ours:#?}\nbut LDK\n{ldk:#?}");
        }
        let packages = claims.iter().chain(&sweeps).map(|(_, package)| package);
        self.seen.signatures += self.check_signatures(packages) as u32;
        for (purpose, package) in claims.into_iter().chain(sweeps) {
            let last = package.last().unwrap();
            self.count(purpose, last);
            self.pending.insert(spent(last), package);
        }
        self.dying.sweepable.sort_unstable();
        self.live.sweepable.sort_unstable();
        assert_eq!(self.dying.sweepable, self.live.sweepable, "after {what}");
        self.compare_resolved();
    }

    /// Checks all signatures of packages, and returns how many there are.
    fn check_signatures<'p>(&self, packages: impl Iterator<Item = &'p Vec<Transaction>>) -> usize {
        let mut count = 0;
        for package in packages {
            let output_of = |outpoint: &OutPoint| {
                let made = self.made(package, outpoint.txid)?;
                made.output.get(outpoint.vout as usize).cloned()
            };
            let checked =
                package.iter().map(|one| super::signed::check(&self.secp, one, output_of));
            count += checked.sum::<usize>();
        }
        count
    }

    /// Finds a transaction: of a package, of a block, of the wallet, or the funding.
    fn made<'m>(&'m self, package: &'m [Transaction], txid: Txid) -> Option<&'m Transaction> {
        let mined = self.chain.iter().flat_map(|mined| &mined.transactions);
        let known = package.iter().chain(mined).chain(&self.dying.wallet.previous);
        known.chain([self.funding]).find(|one| one.compute_txid() == txid)
    }

    fn count(&mut self, purpose: Purpose, transaction: &Transaction) {
        if purpose != Purpose::Claim {
            return;
        }
        let before = self.pending.get(&spent(transaction)).and_then(|package| package.last());
        match before.map(Transaction::compute_txid) {
            Some(txid) if txid == transaction.compute_txid() => return,
            Some(_) => self.seen.raised += 1,
            None => {}
        }
        let commitment = self.chain.iter().flat_map(|mined| &mined.transactions).next();
        let commitment = commitment.map(Transaction::compute_txid);
        let coins = &self.dying.wallet.previous;
        let is_coin = |txid| coins.iter().any(|made| made.compute_txid() == txid);
        let first = spent(transaction)[0].txid;
        if Some(first) != commitment {
            self.seen.second_stages += 1;
        } else if spent(transaction).iter().any(|outpoint| is_coin(outpoint.txid)) {
            self.seen.paid_with_coins += 1;
        } else {
            self.seen.claims += 1;
        }
    }

    /// Returns what was seen in all.
    pub fn end(mut self) -> Seen {
        let is_fulfilled = |(_, preimage): &&(u64, Option<Preimage>)| preimage.is_some();
        self.seen.fulfilled = self.dying.resolved.iter().filter(is_fulfilled).count() as u32;
        self.seen.failed = self.dying.resolved.len() as u32 - self.seen.fulfilled;
        self.seen.done = self.dying.is_done.into();
        self.seen
    }

    fn compare_resolved(&self) {
        let mut ours: BTreeMap<_, u32> = BTreeMap::new();
        for (id, preimage) in &self.dying.resolved {
            let (hash, sat) = self.observer.outgoing(*id);
            *ours.entry((hash, sat, *preimage)).or_default() += 1;
        }
        let mut ldk: BTreeMap<_, u32> = BTreeMap::new();
        for key in &self.live.resolved {
            *ldk.entry(*key).or_default() += 1;
        }
        // What the peer has fulfilled before the death is told no more.
        for id in &self.fulfilled {
            let (hash, sat) = self.observer.outgoing(*id);
            let told = ldk
                .iter()
                .find(|((of, value, _), count)| *of == hash && *value == sat && **count > 0);
            if let Some(key) = told.map(|(key, _)| *key) {
                *ldk.get_mut(&key).unwrap() -= 1;
            }
        }
        ldk.retain(|_, count| *count > 0);
        if self.had_reorg {
            // LDK repeats itself when a claim confirms again.
            for (key, count) in &ours {
                assert!(ldk.get(key).is_some_and(|ldk| ldk >= count), "{} {key:?}", self.what);
            }
        } else {
            assert_eq!(ours, ldk, "after {}", self.what);
        }
    }

    fn block(&mut self, transactions: Vec<Transaction>) {
        self.salt += 1;
        let before = self.best();
        let header = header(before.hash, self.salt.wrapping_mul(7919));
        let best = BestBlock { hash: header.block_hash(), height: before.height + 1 };
        for transaction in &transactions {
            self.dying.wallet.spent.extend(spent(transaction));
        }
        let listed: Vec<_> =
            transactions.iter().enumerate().map(|(at, one)| (at + 1, one)).collect();
        let (rates, height) = (self.dying.feerates, best.height);
        self.live.block(&header, &listed, height, rates, &self.dying.wallet);
        self.dying.give(&Input::Block { header: &header, transactions: &listed, height });
        self.what = format!("block {height} with {} transactions", listed.len());
        self.chain.push(Mined { best, transactions });
        self.compare();
    }

    /// Publishes our commitment.
    pub fn publish(&mut self) {
        self.what = "the decision to close".to_owned();
        self.live.publish(self.dying.feerates, &self.dying.wallet);
        self.dying.give(&Input::Publish);
        self.compare();
    }

    fn reorg(&mut self, depth: usize) {
        self.had_reorg = true;
        self.seen.reorgs += 1;
        self.what = format!("a reorg of {depth}");
        let left = self.chain.split_off(self.chain.len().saturating_sub(depth));
        for outpoint in left.iter().flat_map(|mined| &mined.transactions).flat_map(spent) {
            self.dying.wallet.spent.remove(&outpoint);
        }
        let fork = self.best();
        self.live.disconnect(fork, self.dying.feerates, &self.dying.wallet);
        self.dying.give(&Input::Disconnected { fork });
        self.compare();
    }

    fn learn(&mut self, preimage: [u8; 32]) {
        self.seen.preimages += 1;
        self.what = "a preimage".to_owned();
        self.live.learn(preimage, self.dying.feerates, &self.dying.wallet);
        self.dying.give(&Input::Preimage(Preimage(preimage)));
        self.compare();
    }

    fn is_spent(&self, outpoint: &OutPoint) -> bool {
        let mut mined = self.chain.iter().flat_map(|mined| &mined.transactions);
        mined.any(|one| one.input.iter().any(|input| input.previous_output == *outpoint))
    }

    fn exists(&self, outpoint: &OutPoint) -> bool {
        if self.dying.wallet.previous.iter().any(|made| made.compute_txid() == outpoint.txid) {
            return true;
        }
        let mut mined = self.chain.iter().flat_map(|mined| &mined.transactions);
        mined.any(|one| one.compute_txid() == outpoint.txid)
    }

    /// Tells whether a transaction may be in the next block.
    fn is_valid(&self, transaction: &Transaction) -> bool {
        let height = self.best().height + 1;
        let is_ripe = match transaction.lock_time {
            LockTime::Blocks(blocks) => blocks.to_consensus_u32() < height,
            LockTime::Seconds(_) => true,
        };
        is_ripe
            && spent(transaction).iter().all(|outpoint| {
                let is_funding = Some(outpoint.txid) == self.observer.funding_txid();
                (is_funding || self.exists(outpoint)) && !self.is_spent(outpoint)
            })
    }

    fn preimage_of(&self, hash: &[u8; 32]) -> Option<[u8; 32]> {
        let mut known = self.payments.iter().copied();
        known.find(|preimage| sha256::Hash::hash(preimage).to_byte_array() == *hash)
    }

    /// Returns a claim of the peer's for one HTLC of a commitment.
    fn peers_claim(
        &self,
        cause: &Cause<'_>,
    ) -> Option<(CommitmentTransaction, HTLCOutputInCommitment)> {
        let built = match cause {
            Cause::Local => self.observer.local_built.clone()?,
            Cause::Remote(theirs) => theirs.built.clone(),
        };
        let txid = built.trust().txid();
        let open = |htlc: &&HTLCOutputInCommitment| {
            let outpoint = OutPoint { txid, vout: htlc.transaction_output_index.unwrap() };
            self.exists(&outpoint) && !self.is_spent(&outpoint)
        };
        let open: Vec<_> = built.nondust_htlcs().iter().filter(open).cloned().collect();
        let mut random = Random(self.salt.into());
        let htlc = random.pick(&open)?.clone();
        Some((built, htlc))
    }

    fn peer_spends(&self, cause: &Cause<'_>) -> Option<Transaction> {
        let (built, htlc) = self.peers_claim(cause)?;
        let trusted = built.trust();
        let (keys, kind) = (trusted.keys(), trusted.channel_type_features());
        let script = get_htlc_redeemscript(&htlc, kind, keys);
        let is_ours = matches!(cause, Cause::Local);
        // In our commitment the peer takes with a preimage what we offered, and back what it offered.
        let needs_preimage = htlc.offered == is_ours;
        let preimage =
            if needs_preimage { self.preimage_of(&htlc.payment_hash.0)?.to_vec() } else { vec![] };
        let signature = vec![0x30; 71];
        if is_ours {
            let outpoint = OutPoint { txid: trusted.txid(), vout: htlc.transaction_output_index? };
            let lock_time = if needs_preimage {
                LockTime::ZERO
            } else {
                LockTime::from_height(htlc.cltv_expiry).ok()?
            };
            return Some(Transaction {
                version: Version::TWO,
                lock_time,
                input: vec![TxIn {
                    previous_output: outpoint,
                    sequence: Sequence(1),
                    witness: Witness::from_slice(&[signature, preimage, script.into_bytes()]),
                    ..TxIn::default()
                }],
                output: vec![TxOut {
                    value: Amount::from_sat(htlc.amount_msat / 1000),
                    script_pubkey: ScriptBuf::new_op_return([]),
                }],
            });
        }
        let mut transaction = build_htlc_transaction(
            &trusted.txid(),
            trusted.negotiated_feerate_per_kw(),
            self.observer.to_self_delay_of_peer(),
            &htlc,
            kind,
            &keys.broadcaster_delayed_payment_key,
            &keys.revocation_key,
        );
        let witness = [vec![], signature.clone(), signature, preimage, script.into_bytes()];
        transaction.input[0].witness = Witness::from_slice(&witness);
        Some(transaction)
    }

    /// One thing happens after the commitment is in a block.
    fn step(&mut self, cause: &Cause<'_>) {
        match self.random.below(10) {
            0 => {
                let pending: Vec<_> = self.pending.values().cloned().collect();
                let all: Vec<_> = pending.into_iter().flatten().collect();
                let mut block: Vec<Transaction> = vec![];
                for one in all {
                    let conflicts = block.iter().any(|other| {
                        spent(other).iter().any(|outpoint| spent(&one).contains(outpoint))
                    });
                    if !conflicts && self.is_valid(&one) && self.random.one_in(2) {
                        block.push(one);
                    }
                }
                self.block(block);
            }
            1..=3 => {
                let claim = self.peer_spends(cause);
                let claim = claim.filter(|claim| self.is_valid(claim));
                self.block(claim.into_iter().collect());
            }
            4 => {
                let preimage = self.incoming_preimage(cause);
                if let Some(preimage) = preimage {
                    self.learn(preimage);
                }
            }
            5 => {
                let per_cent = 100 + self.random.below(40) as u32;
                let rates = &mut self.dying.feerates;
                rates.urgent_per_kw = (rates.urgent_per_kw / 100 * per_cent).min(20_000);
                self.block(vec![]);
            }
            _ => {
                for _ in 0..=self.random.below(12) {
                    self.block(vec![]);
                }
            }
        }
    }

    fn incoming_preimage(&mut self, cause: &Cause<'_>) -> Option<[u8; 32]> {
        let content = match cause {
            Cause::Local => self.observer.record(self.start, None).local.content,
            Cause::Remote(theirs) => theirs.content.clone(),
        };
        let incoming: Vec<PaymentHash> = content
            .htlcs
            .iter()
            .filter(|htlc| htlc.terms.direction == Direction::Incoming)
            .map(|htlc| htlc.terms.payment_hash)
            .collect();
        let hash = *self.random.pick(&incoming)?;
        let preimage = self.preimage_of(&hash.0)?;
        (!self.would_claim_twice(cause, &content)).then_some(preimage)
    }

    /// Tells whether LDK would make claims of our commitment twice (docs/resolver.md, "What LDK
    /// decides"): it does no harm, but a debug assertion of LDK stops the test.
    fn would_claim_twice(&self, cause: &Cause<'_>, content: &Commitment) -> bool {
        let outgoing = content.htlcs.iter().filter(|htlc| {
            htlc.terms.direction == Direction::Outgoing && htlc.terms.output_index.is_some()
        });
        let mut expiries: Vec<u32> = outgoing.map(|htlc| htlc.terms.cltv_expiry).collect();
        let all = expiries.len();
        expiries.sort_unstable();
        expiries.dedup();
        matches!(cause, Cause::Local) && expiries.len() < all
    }

    fn commitment(&self, cause: &Cause<'_>) -> Transaction {
        let built = match cause {
            Cause::Local => self.observer.local_built.clone().unwrap(),
            Cause::Remote(theirs) => theirs.built.clone(),
        };
        let mut transaction = built.trust().built_transaction().transaction.clone();
        transaction.input[0].witness =
            Witness::from_slice(&[vec![], vec![1; 71], vec![1; 71], vec![1; 71]]);
        transaction
    }

    /// Lets a commitment confirm, and then things happen.
    pub fn confirms(&mut self, cause: &Cause<'_>, steps: u32) {
        let commitment = self.commitment(cause);
        self.block(vec![commitment]);
        for _ in 0..steps {
            self.step(cause);
        }
    }

    /// Fees rise for 50 blocks in which nothing of ours confirms.
    pub fn fees_rise(&mut self) {
        for _ in 0..50 {
            let rates = &mut self.dying.feerates;
            rates.urgent_per_kw += rates.urgent_per_kw / 20;
            self.block(vec![]);
        }
    }

    /// One commitment is replaced by another within six blocks.
    pub fn replaced(&mut self, first: &Cause<'_>, second: &Cause<'_>, steps: u32) {
        let commitment = self.commitment(first);
        self.block(vec![commitment]);
        for _ in 0..self.random.below(4) {
            self.block(vec![]);
        }
        self.reorg(self.chain.len());
        self.pending.clear();
        self.confirms(second, steps);
    }

    /// The newest blocks of a chain are replaced, with what is ours in them.
    pub fn shallow_reorg(&mut self, cause: &Cause<'_>, steps: u32) {
        let depth = 1 + self.random.below(5) as usize;
        // The commitment itself stays.
        let depth = depth.min(self.chain.len().saturating_sub(1));
        if depth > 0 {
            self.reorg(depth);
        }
        for _ in 0..steps {
            self.step(cause);
        }
    }
}
