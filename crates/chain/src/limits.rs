//! Every size, time and count that this crate does not exceed.

/// The time without a block after which the tip is stale (docs/design.md section 4, rule 10): 3 h.
/// At one block per 10 minutes an honest chain pauses this long about once in 60 million blocks.
pub const DEFAULT_STALE_AFTER_S: u64 = 3 * 60 * 60;
/// The shortest stale limit that can be configured, in seconds. With a shorter one, ordinary gaps
/// between blocks would stop forwards.
pub const MIN_STALE_AFTER_S: u64 = 60;

/// The time between two polls of our own bitcoind or of an electrum server.
pub const DEFAULT_POLL_INTERVAL_MS: u64 = 10_000;
/// The time between two polls of esplora, which is often a public service.
pub const DEFAULT_ESPLORA_POLL_INTERVAL_MS: u64 = 30_000;
/// The time between two reads of the regtest clock: a file or a subtraction, so tests need not
/// wait.
pub const DEFAULT_CLOCK_POLL_INTERVAL_MS: u64 = 250;
/// The shortest poll interval that can be configured.
pub const MIN_POLL_INTERVAL_MS: u64 = 50;
/// The longest poll interval that can be configured: about one block.
pub const MAX_POLL_INTERVAL_MS: u64 = 600_000;
const _: () = assert!(MIN_POLL_INTERVAL_MS <= DEFAULT_CLOCK_POLL_INTERVAL_MS);
const _: () = assert!(DEFAULT_ESPLORA_POLL_INTERVAL_MS <= MAX_POLL_INTERVAL_MS);
// An honest source is asked several times before its tip may be called stale.
const _: () = assert!(4 * MAX_POLL_INTERVAL_MS < DEFAULT_STALE_AFTER_S * 1000);

/// The shortest wait between two polls when the node cannot wait for the next one.
pub const MIN_HURRIED_POLL_INTERVAL_MS: u64 = 1_000;

/// The first wait after a failed poll; it doubles with each further failure.
pub const MIN_BACKOFF_MS: u64 = 1_000;
/// The longest wait after failed polls.
pub const MAX_BACKOFF_MS: u64 = 60_000;
const _: () = assert!(MIN_BACKOFF_MS < MAX_BACKOFF_MS);

/// The time to open a connection to a source.
pub const CONNECT_TIMEOUT_MS: u64 = 5_000;
/// The time for one HTTP request, or for all electrum traffic of one call, from first to last byte.
pub const REQUEST_TIMEOUT_MS: u64 = 10_000;
/// The time for one whole poll (network check, tip, one probe) before it counts as failed.
pub const POLL_TIMEOUT_MS: u64 = 45_000;
// Three requests, each on a connection of its own.
const _: () = assert!(3 * (CONNECT_TIMEOUT_MS + REQUEST_TIMEOUT_MS) <= POLL_TIMEOUT_MS);

/// The largest answer read from a source. The largest honest one, `getblockchaininfo`, is under 4
/// kB.
pub const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// The largest bitcoind cookie file. bitcoind writes 75 bytes.
pub const MAX_COOKIE_BYTES: u64 = 1_024;
/// The largest height file of the regtest clock: ten digits and white space.
pub const MAX_HEIGHT_FILE_BYTES: u64 = 64;
/// The largest block: consensus allows a weight of 4 000 000, and no byte weighs less than one.
pub const MAX_BLOCK_BYTES: usize = 4_000_000;
/// The time for the answer that carries a block, from first to last byte: 67 kB/s for the largest.
pub const BLOCK_TIMEOUT_MS: u64 = 60_000;
/// The most characters of a source's own text that an error repeats.
pub const MAX_REMOTE_TEXT_CHARS: usize = 200;

/// The highest height that we believe: from 500 000 000 on, lock times are read as unix times.
pub const MAX_HEIGHT: u32 = 499_999_999;
/// The number of accepted tips that are remembered to tell a reorg from a lagging source.
pub const REORG_MEMORY_BLOCKS: usize = 144;
/// The interval of the regtest clock unless it is configured.
pub const DEFAULT_SECONDS_PER_BLOCK: u64 = 600;

/// The blocks whose hashes a position remembers: two days, and 10 kB in storage. A reorg that is
/// deeper is not followed.
pub const POSITION_BLOCKS: usize = 288;
/// The depth at which what a block says is taken as final. Reorgs up to there, and well beyond,
/// must be followed.
pub const FINAL_DEPTH_BLOCKS: u32 = 6;
const _: () = assert!(POSITION_BLOCKS >= 8 * FINAL_DEPTH_BLOCKS as usize);
/// The headers of another branch that are fetched to compare its work with ours. A branch has the
/// same difficulty within a factor of four: whoever needs more has less work.
pub const MAX_BRANCH_HEADERS: u32 = 4 * POSITION_BLOCKS as u32;
/// How often a question is put again because the chain changed while it was asked, before the
/// source is said to contradict itself.
pub const MAX_SCAN_RESTARTS: usize = 4;

/// The outputs that are watched for spends. A funding output and the outputs of a commitment with
/// 966 HTLCs are under 1000 for each channel; the rest is for the wallet's coins.
pub const MAX_WATCHED_OUTPOINTS: usize = 1_000_000;
/// The scripts that are watched for payments.
pub const MAX_WATCHED_SCRIPTS: usize = 100_000;

/// The heaviest transaction that nodes relay.
pub const MAX_TRANSACTION_WEIGHT: u64 = 400_000;
/// The most bytes of a transaction of ours: none of them weighs less than one unit.
pub const MAX_TRANSACTION_BYTES: usize = 400_000;
/// The most transactions in a package that nodes take.
pub const MAX_PACKAGE_TRANSACTIONS: usize = 25;
/// The heaviest package that nodes take.
pub const MAX_PACKAGE_WEIGHT: u64 = 404_000;
const _: () = assert!(MAX_PACKAGE_WEIGHT >= MAX_TRANSACTION_WEIGHT);

/// The lowest feerate in use, in satoshi per 1000 weight units: below it nodes relay nothing.
pub const MIN_FEERATE_PER_KW: u32 = 253;
/// The highest feerate in use, in satoshi per 1000 weight units (1000 sat per virtual byte): an
/// estimate above it is a mistake of its source.
pub const MAX_FEERATE_PER_KW: u32 = 250_000;
const _: () = assert!(MIN_FEERATE_PER_KW < MAX_FEERATE_PER_KW);
/// The most blocks ahead for which bitcoind estimates a fee.
pub const MAX_FEE_TARGET_BLOCKS: u16 = 1008;
