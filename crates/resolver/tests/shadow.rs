//! Two LDK nodes play histories of a channel. Our record is kept from the messages alone; the monitor made
//! of it and LDK's own are then shown the same chain.

mod common;

use common::chain::{header, start};
use common::fate::{Cause, Fate, Seen};
use common::ldk::Channel;
use common::observer::Observer;
use common::random::Random;
use lightning::chain::BlockLocator;
use steward_resolver::{BestBlock, ChannelKeys, dry_run};

struct History {
    random: Random,
    keys: ChannelKeys,
    channel: Channel,
    observer: Observer,
    best: BestBlock,
    payments: Vec<[u8; 32]>,
}

impl History {
    fn new(seed: u64) -> Self {
        let best = start();
        let locator = BlockLocator::new(best.hash, best.height);
        let channel = Channel::new(locator, 1_000_000, 400_000_000);
        let keys = ChannelKeys::new(&[7; 32]);
        let observer = Observer::new(&keys, channel.peer.id);
        let mut history =
            Self { random: Random(seed), keys, channel, observer, best, payments: vec![] };
        history.open();
        history
    }

    fn collect(&mut self) {
        let observer = &mut self.observer;
        self.channel.collect(|message| observer.sent(message));
    }

    fn deliver(&mut self, is_to_us: bool) -> bool {
        let delivered = self.channel.deliver(is_to_us);
        if let (Some(message), true) = (&delivered, is_to_us) {
            self.observer.received(message);
        }
        self.collect();
        delivered.is_some()
    }

    fn deliver_all(&mut self) {
        self.collect();
        while self.deliver(true) | self.deliver(false) {}
    }

    fn block(&mut self, transactions: &[&bitcoin::Transaction]) {
        let header = header(self.best.hash, self.best.height);
        self.best = BestBlock { hash: header.block_hash(), height: self.best.height + 1 };
        let transactions: Vec<_> =
            transactions.iter().enumerate().map(|(at, one)| (at + 1, *one)).collect();
        self.channel.connect(&header, &transactions, self.best.height);
        self.collect();
    }

    fn open(&mut self) {
        self.deliver_all();
        let funding = self.channel.funding.clone().unwrap();
        self.block(&[&funding]);
        self.deliver_all();
        for _ in 0..5 {
            self.block(&[]);
        }
        self.deliver_all();
        assert_eq!(self.channel.ours.manager.list_usable_channels().len(), 1);
    }

    /// One thing happens.
    fn step(&mut self) {
        match self.random.below(12) {
            0..=2 => self.pay(),
            3 | 4 => self.settle(),
            5 if self.random.one_in(3) => {
                let per_kw = 500 + self.random.below(4_000) as u32;
                self.channel.change_feerate(per_kw);
            }
            6 if self.random.one_in(6) => self.block(&[]),
            _ => {
                let is_to_us = self.random.one_in(2);
                self.deliver(is_to_us);
            }
        }
        self.collect();
    }

    fn pay(&mut self) {
        let mut preimage = [0; 32];
        preimage[..8].copy_from_slice(&self.random.next().to_be_bytes());
        self.payments.push(preimage);
        let is_ours = self.random.one_in(2);
        let count = if self.random.one_in(3) { 2 + self.random.below(2) } else { 1 };
        let expiry = 60 + self.random.below(4) as u32 * 20;
        let base_msat = match self.random.below(4) {
            0 => 100_000 + self.random.below(300_000),
            1 => 354_000 + self.random.below(3) * 500,
            _ => 1_000_000 + self.random.below(30_000_000),
        };
        let is_equal = self.random.one_in(2);
        let parts: Vec<_> = (0..count)
            .map(|part| (base_msat + if is_equal { 0 } else { part * 1_500 }, expiry))
            .collect();
        self.channel.pay(is_ours, preimage, &parts);
    }

    fn settle(&mut self) {
        let is_ours = self.random.one_in(2);
        let node = if is_ours { &self.channel.ours } else { &self.channel.peer };
        if node.claimable.is_empty() {
            return;
        }
        let at = self.random.below(node.claimable.len() as u64) as usize;
        let hash = node.claimable[at];
        let is_claimed = !self.random.one_in(3);
        let preimage = self.payments.iter().copied().find(|preimage| {
            use bitcoin::hashes::{Hash, sha256};
            sha256::Hash::hash(preimage).to_byte_array() == hash.0
        });
        let preimage = preimage.filter(|_| is_claimed);
        if let (true, Some(preimage)) = (is_ours, preimage) {
            self.observer.learn(preimage);
        }
        self.channel.settle(is_ours, at, preimage);
    }
}

#[test]
fn the_record_that_is_kept_from_messages_is_defendable_after_every_one() {
    let mut most_htlcs = 0;
    for seed in 0..seeds() {
        let mut history = History::new(seed);
        for _ in 0..100 {
            history.step();
            let record = history.observer.record(history.best, None);
            most_htlcs = most_htlcs.max(record.remote.content.htlcs.len());
            dry_run(&record, &history.keys).unwrap();
        }
    }
    assert!(most_htlcs >= 6, "{most_htlcs}");
}

/// Plays histories; at every step the channel dies in one of all possible ways.
fn deaths(seeds: std::ops::Range<u64>, steps: u32) -> Seen {
    let mut seen = Seen::default();
    for seed in seeds {
        let mut history = History::new(seed);
        for step in 0..steps {
            // A channel with a past has more ways to die.
            let count = if step == 0 { 40 } else { 2 };
            (0..count).for_each(|_| history.step());
            let number = seed << 32 | u64::from(step);
            seen.add(&history.dies(number));
        }
    }
    seen
}

impl History {
    /// Lets a copy of the channel die.
    fn dies(&mut self, number: u64) -> Seen {
        let monitor = self.channel.ours.monitor();
        let (observer, payments, keys) = (&self.observer, &self.payments, &self.keys);
        let mut random = Random(number);
        let current = Cause::Remote(observer.remote.as_ref().unwrap());
        let previous = observer.previous.as_ref().map_or(Cause::Local, Cause::Remote);
        let with_htlcs: Vec<_> =
            observer.archive.iter().filter(|one| !one.content.htlcs.is_empty()).collect();
        let revoked = random.pick(&with_htlcs).copied();
        let record = observer.record(self.best, revoked);
        let funding = self.channel.funding.as_ref().unwrap();
        let mut fate = Fate::new(number, observer, (payments, funding), keys, &record, &monitor);
        match number % 6 {
            0 => {
                fate.publish();
                fate.confirms(&Cause::Local, 25);
                fate.shallow_reorg(&Cause::Local, 25);
            }
            1 => {
                fate.confirms(&current, 25);
                fate.shallow_reorg(&current, 25);
            }
            2 => {
                fate.confirms(&previous, 3);
                fate.fees_rise();
            }
            3 | 4 => {
                if let Some(revoked) = revoked {
                    let revoked = Cause::Remote(revoked);
                    fate.confirms(&revoked, 12);
                    fate.shallow_reorg(&revoked, 12);
                }
            }
            _ => fate.replaced(&current, &Cause::Local, 25),
        }
        fate.end()
    }
}

/// How many histories are played: more than the default by `STEWARD_SHADOW_SEEDS`.
fn seeds() -> u64 {
    std::env::var("STEWARD_SHADOW_SEEDS").map_or(2, |seeds| seeds.parse().unwrap())
}

#[test]
fn our_monitor_and_ldks_own_count_and_spend_the_same_however_the_channel_dies() {
    let seen = deaths(0..seeds(), 18);
    println!("{seen:?}");
    let counts = [
        seen.fulfilled,
        seen.failed,
        seen.claims,
        seen.second_stages,
        seen.paid_with_coins,
        seen.raised,
        seen.reorgs,
        seen.preimages,
        seen.signatures,
    ];
    assert!(counts.iter().all(|count| *count > 0), "the histories leave something out: {seen:?}");
}
