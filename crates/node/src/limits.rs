//! Every bound of the runtime in one place: queues, batches, counts and times. No logic.

use std::time::Duration;

use steward_engine::limits::SEARCH_REORG_BLOCKS;

/// Largest seed file read: 24 words of at most 8 letters, and white space.
pub const MAX_SEED_FILE_BYTES: usize = 1024;

/// Identities towards hosts kept derived; more are derived again each time.
pub const MAX_CACHED_HOST_KEYS: usize = 1024;

/// Largest configuration file.
pub const MAX_CONFIG_FILE_BYTES: u64 = 1024 * 1024;

/// Largest branding image, in bytes: a message carries 65 533 and wallets show no larger one.
pub const MAX_BRANDING_PNG_BYTES: u64 = 60_000;

/// Most HTLCs each way: two full directions must fit into one message (P§1.3).
pub const MAX_HTLCS_PER_DIRECTION: u16 = 21;

/// Largest capacity, in satoshi: more than all bitcoin is a slip of the hand.
pub const MAX_CAPACITY_SAT: u64 = 21_000_000 * 100_000_000;

/// Largest minimum HTLC that wallets on immortan accept, in satoshi (P§3.2).
pub const MAX_MIN_HTLC_SAT_IMMORTAN: u64 = 546;

/// Smallest limit in flight that wallets on immortan accept, in satoshi (P§3.2).
pub const MIN_IN_FLIGHT_SAT_IMMORTAN: u64 = 100_000;

/// Room of the engine's input queue, in [`INPUT_WEIGHT_BYTES`]: 16 MiB. When it is full, peers are
/// not read and commands wait.
pub const MAX_QUEUED_WEIGHT: u32 = 4096;

/// An input takes one unit of room, and one more for each of these bytes that it carries.
pub const INPUT_WEIGHT_BYTES: usize = 4096;

/// Most units of room one input takes, whatever it carries.
pub const MAX_INPUT_WEIGHT: u32 = 256;

/// Inputs that share one batch, and with it one commit: bounds how long the first of them waits.
pub const MAX_INPUTS_PER_BATCH: usize = 1024;

/// Commands whose answer is awaited; more are refused with `node_busy`.
pub const MAX_OUTSTANDING_COMMANDS: usize = 1024;

/// Routes computed at the same time; more wait.
pub const MAX_CONCURRENT_ROUTES: usize = 2;

/// Events kept for a subscriber that is slow; it is told how many it has missed.
pub const MAX_BUFFERED_EVENTS: usize = 4096;

/// Chain updates that may wait for the engine.
pub const MAX_QUEUED_CHAIN_UPDATES: usize = 16;

/// Blocks searched for preimages before the engine hears of it. A block can publish about 26 000
/// of them, so all of these hold at most 55 MB.
pub const MAX_BLOCKS_PER_SEARCH: u32 = 64;
// Each search begins this much before the end of the last one, and must get further.
const _: () = assert!(MAX_BLOCKS_PER_SEARCH > SEARCH_REORG_BLOCKS);

/// How often a block may be missing before that is worth a warning: servers of one service do not
/// all learn of a block at once. After 15 s.
pub const MAX_QUIET_MISSES: u32 = 4;

/// Time for the chain source's first answer before the node starts without it.
pub const FIRST_TIP_TIMEOUT: Duration = Duration::from_secs(5);

/// The engine sees the clock at least this often.
pub const MAX_TICK_INTERVAL: Duration = Duration::from_secs(1);

/// And no more often, whatever it asks for, unless something happens.
pub const MIN_TICK_INTERVAL: Duration = Duration::from_millis(1);

/// Time for connections to end at shutdown.
pub const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How often the graph forgets stale channels and is written to disk.
pub const GRAPH_MAINTENANCE_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// Time for `steward doctor` to reach our own public address.
pub const DOCTOR_CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// With less free disk the doctor says fail: 100 MB.
pub const MIN_FREE_DISK_BYTES: u64 = 100_000_000;

/// With less free disk the doctor warns: 1 GB.
pub const WARN_FREE_DISK_BYTES: u64 = 1_000_000_000;

/// A clock before this is wrong: 2026-01-01, when this program did not exist.
pub const EARLIEST_PLAUSIBLE_UNIX: u64 = 1_767_225_600;

/// Bitcoin accepts blocks up to two hours ahead of honest clocks.
pub const MAX_CLOCK_BEHIND_TIP_S: u64 = 2 * 60 * 60;
