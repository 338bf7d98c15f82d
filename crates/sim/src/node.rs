//! One simulated node: its engine, its disk, and what lies between them.

use std::collections::VecDeque;

use steward_engine::config::{Config, HostConfig, Policy, default_offer};
use steward_engine::io::{Action, Input};
use steward_engine::row::WriteBatch;
use steward_engine::{Engine, Time};
use steward_wire::HostedChannelBranding;

use crate::deployed::Manner;
use crate::disk::Disk;
use crate::world::START_MS;
use steward_testkit::TestKeys;

/// The regtest genesis hash would do as well: it only has to be the same everywhere.
const CHAIN_HASH: [u8; 32] = [0x6f; 32];
/// The first balance of a client, so that payments flow both ways at once, in millisatoshi.
pub(crate) const INITIAL_MSAT: u64 = 400_000_000;
/// The amount that some hosts allow in flight: a little more than any client insists on, in
/// millisatoshi.
const SMALL_IN_FLIGHT_MSAT: u64 = 150_000_000;
/// And how many HTLCs.
const FEW_HTLCS: u16 = 6;
/// Capacity of a new channel, in satoshi.
pub(crate) const CAPACITY_SAT: u64 = 1_000_000;

/// A batch that is handled and not durable yet.
#[derive(Debug)]
pub(crate) struct Batch {
    /// The rows that must be durable first.
    pub writes: WriteBatch,
    /// The actions that may be carried out then.
    pub actions: Vec<Action>,
    /// The chain source was silent for long when the batch was handled.
    pub tip_was_stale: bool,
    /// The start of the node that it belongs to.
    pub life: u64,
}

/// One node.
pub(crate) struct Node {
    /// The keys of the node.
    pub keys: TestKeys,
    /// The program it behaves as.
    pub manner: Manner,
    /// The settings of the node.
    pub config: Config,
    /// `None` while it is down.
    pub engine: Option<Engine>,
    /// Survives a crash.
    pub disk: Disk,
    /// Waits for the engine.
    pub inbox: VecDeque<Input>,
    /// Waits for the disk.
    pub pending: VecDeque<Batch>,
    /// Durable, and not carried out yet.
    pub released: VecDeque<Action>,
    /// Blocks that are to be searched, first and last.
    pub searches: VecDeque<(u32, u32)>,
    /// The time at which the engine wants to be woken, by the monotonic clock.
    pub wakeup_ms: Option<u64>,
    /// The monotonic clock at the beginning of the world; another value with each start.
    pub boot_ms: u64,
    /// The error of its wall clock, in milliseconds.
    pub clock_offset_ms: i64,
    /// While down: when it starts.
    pub starts_at_ms: u64,
    /// The disk is busy until then.
    pub disk_free_at_ms: u64,
    /// The last report of its chain source: height, and whether the source is silent.
    pub told: Option<(u32, bool)>,
    /// The chain source is silent until then.
    pub stale_until_ms: u64,
    /// The time since which it knows that the source is silent.
    pub stale_since_ms: Option<u64>,
    /// Counts starts.
    pub life: u64,
}

impl Node {
    /// A node that is down and has nothing on its disk.
    pub(crate) fn new(number: usize, policy: Policy) -> Self {
        Self {
            keys: TestKeys(number as u8 + 1),
            manner: Manner::Steward,
            config: config(number, policy),
            engine: None,
            disk: Disk::default(),
            inbox: VecDeque::new(),
            pending: VecDeque::new(),
            released: VecDeque::new(),
            searches: VecDeque::new(),
            wakeup_ms: None,
            boot_ms: 0,
            clock_offset_ms: 0,
            starts_at_ms: 0,
            disk_free_at_ms: 0,
            told: None,
            stale_until_ms: 0,
            stale_since_ms: None,
            life: 0,
        }
    }

    /// True if it runs.
    pub(crate) fn is_up(&self) -> bool {
        self.engine.is_some()
    }

    /// Its clocks.
    pub(crate) fn time(&self, now_ms: u64) -> Time {
        Time {
            now_ms: self.boot_ms + (now_ms - START_MS),
            wall_ms: now_ms.saturating_add_signed(self.clock_offset_ms),
        }
    }

    /// When the engine wants to hear the time, by the world's clock.
    pub(crate) fn wakeup_at_ms(&self) -> Option<u64> {
        self.wakeup_ms.map(|ms| START_MS.saturating_add(ms.saturating_sub(self.boot_ms)))
    }

    /// True if it has nothing to do but wait.
    pub(crate) fn is_quiet(&self) -> bool {
        self.inbox.is_empty()
            && self.pending.is_empty()
            && self.released.is_empty()
            && self.searches.is_empty()
    }

    /// Memory is gone; the disk stays as it is.
    pub(crate) fn stop(&mut self, starts_at_ms: u64) {
        self.engine = None;
        self.inbox.clear();
        self.pending.clear();
        self.released.clear();
        self.searches.clear();
        self.wakeup_ms = None;
        self.told = None;
        self.stale_since_ms = None;
        self.starts_at_ms = starts_at_ms;
    }
}

fn config(number: usize, policy: Policy) -> Config {
    let mut offer = default_offer(CAPACITY_SAT);
    offer.initial_client_balance_msat = INITIAL_MSAT;
    // Every third host allows little at a time.
    if number % 3 == 1 {
        offer.max_htlc_value_in_flight_msat = SMALL_IN_FLIGHT_MSAT;
        offer.max_accepted_htlcs = FEW_HTLCS;
    }
    Config {
        network: bitcoin::Network::Regtest,
        chain_hash: CHAIN_HASH,
        host: HostConfig {
            offer,
            max_opens_per_prefix_per_hour: 10_000,
            // Every second host has an image that makes a small question's answer large.
            branding: number.is_multiple_of(2).then(branding),
            ..HostConfig::default()
        },
        policy,
        accept_keysend: true,
    }
}

/// Hosted channels the old way; a modern node has them the new way as well. Our own reads
/// blinded paths and attribution data.
pub(crate) fn features(is_modern: bool, manner: Manner) -> Vec<u8> {
    let mut features = vec![0u8; 32_973 / 8 + 1];
    let last = features.len() - 1;
    let bits: &[usize] = match (manner, is_modern) {
        (Manner::Steward, true) => &[25, 37, 257, 32_973],
        (Manner::Steward, false) => &[25, 37, 32_973],
        (Manner::Eclair, _) => &[32_973],
        (Manner::Immortan, _) => &[257, 32_973],
    };
    for bit in bits {
        features[last - bit / 8] |= 1 << (bit % 8);
    }
    features
}

fn branding() -> HostedChannelBranding {
    HostedChannelBranding {
        rgb: [1, 2, 3],
        png: Some(vec![0; 50_000]),
        contact_info: "no contact".to_owned(),
    }
}
