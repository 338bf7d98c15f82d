//! Every size, time and count this crate will not exceed. No logic.

/// No block for this long makes the tip stale (design rule 10): 3 h. At one block per 10 minutes
/// an honest chain pauses this long about once in 60 million blocks.
pub const DEFAULT_STALE_AFTER_S: u64 = 3 * 60 * 60;
/// Shortest configurable stale limit. Below this ordinary gaps between blocks stop forwards.
pub const MIN_STALE_AFTER_S: u64 = 60;

/// How often our own bitcoind or an electrum server is asked.
pub const DEFAULT_POLL_INTERVAL_MS: u64 = 10_000;
/// How often esplora is asked: often a public service.
pub const DEFAULT_ESPLORA_POLL_INTERVAL_MS: u64 = 30_000;
/// How often the regtest clock is read: a file or a subtraction, so tests need not wait.
pub const DEFAULT_CLOCK_POLL_INTERVAL_MS: u64 = 250;
/// Shortest configurable poll interval.
pub const MIN_POLL_INTERVAL_MS: u64 = 50;
/// Longest configurable poll interval: about one block.
pub const MAX_POLL_INTERVAL_MS: u64 = 600_000;

/// Shortest wait between two polls when the node cannot wait for the next turn.
pub const MIN_HURRIED_POLL_INTERVAL_MS: u64 = 1_000;

/// First wait after a failed poll; doubles with each further failure.
pub const MIN_BACKOFF_MS: u64 = 1_000;
/// Longest wait after failed polls.
pub const MAX_BACKOFF_MS: u64 = 60_000;

/// Time to open a connection to a source.
pub const CONNECT_TIMEOUT_MS: u64 = 5_000;
/// Time for one HTTP request, or for all electrum traffic of one call, from first to last byte.
pub const REQUEST_TIMEOUT_MS: u64 = 10_000;
/// Time for one whole poll (network check, tip, one probe) before it counts as failed.
pub const POLL_TIMEOUT_MS: u64 = 45_000;

/// Largest answer read from a source. The largest honest one, `getblockchaininfo`, is under 4 kB.
pub const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// Largest bitcoind cookie file. bitcoind writes 75 bytes.
pub const MAX_COOKIE_BYTES: u64 = 1_024;
/// Largest height file of the regtest clock: ten digits and white space.
pub const MAX_HEIGHT_FILE_BYTES: u64 = 64;
/// Largest block in bytes: consensus allows a weight of 4 000 000, and no byte weighs less than one.
pub const MAX_BLOCK_BYTES: usize = 4_000_000;
/// Time for the answer that carries a block, from first to last byte: 67 kB/s for the largest.
pub const BLOCK_TIMEOUT_MS: u64 = 60_000;
/// How much of a source's own words goes into an error.
pub const MAX_REMOTE_TEXT_CHARS: usize = 200;

/// Highest height believed: from 500 000 000 on, lock times are read as UNIX times.
pub const MAX_HEIGHT: u32 = 499_999_999;
/// Accepted tips remembered to tell a reorg from a lagging source.
pub const REORG_MEMORY_BLOCKS: usize = 144;
/// Interval of the regtest clock unless configured.
pub const DEFAULT_SECONDS_PER_BLOCK: u64 = 600;
