//! Every bound of the runtime in one place: queues, batches, counts and times. No logic.

use std::time::Duration;

use steward_engine::limits::{
    MAX_BYTES_OUT_PER_BYTE_IN, MAX_SAVED_BYTES_OUT, MIN_CLTV_EXPIRY_DELTA_BLOCKS,
    SEARCH_REORG_BLOCKS,
};

// Whatever the engine wants tried is tried.
const _: () = assert!(
    steward_engine::limits::MAX_ADDRESSES_TRIED <= steward_p2p::limits::MAX_ADDRESSES_PER_PEER
);

/// Largest seed file read: 24 words of at most 8 letters, and what people put beside them.
pub const MAX_SEED_FILE_BYTES: usize = 4096;

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

/// Largest proportional fee, in millionths: 10 %. More is a slip of the hand.
pub const MAX_FEE_PPM: u32 = 100_000;

/// Largest fixed fee, in millisatoshi: 10 000 sat. More is a slip of the hand.
pub const MAX_FEE_BASE_MSAT: u32 = 10_000_000;

/// Most blocks between two expiries: with more, LDK and others find no route through us.
pub const MAX_CLTV_DELTA_BLOCKS: u16 = 1008;
const _: () = assert!(MAX_CLTV_DELTA_BLOCKS > MIN_CLTV_EXPIRY_DELTA_BLOCKS);

/// Largest minimum HTLC that wallets on immortan accept, in satoshi (P§3.2).
pub const MAX_MIN_HTLC_SAT_IMMORTAN: u64 = 546;

/// Smallest limit in flight that wallets on immortan accept, in satoshi (P§3.2).
pub const MIN_IN_FLIGHT_SAT_IMMORTAN: u64 = 100_000;

/// Room of the engine's input queue for what is not of peers: commands, the chain, routes, found
/// preimages. When it is full they wait. Peers have room of their own
/// ([`steward_p2p::limits::MAX_UNREAD_BYTES`]).
pub const MAX_QUEUED_WEIGHT: u32 = 4096;

/// An input takes one unit of room, and one more for each of these bytes that it carries.
pub const INPUT_WEIGHT_BYTES: usize = 4096;

/// Most units of room one input takes, whatever it carries.
pub const MAX_INPUT_WEIGHT: u32 = 256;

/// Inputs not of peers that share one batch.
pub const MAX_INPUTS_PER_BATCH: usize = 1024;

/// Connections of peers we share a channel with that have a turn in one batch. With the three
/// below it bounds how long anybody's message waits, and what one batch can hold.
pub const MAX_TURNS_PER_BATCH: usize = 128;

/// Messages of one connection in one batch: 21 HTLCs, 21 answers, signatures.
pub const MAX_MESSAGES_PER_TURN: usize = 64;

/// A turn ends once it has taken this much, in bytes.
pub const MAX_BYTES_PER_TURN: usize = 32 * 1024;

/// Connections of strangers that have a turn in one batch: however many there are, clients wait
/// for no more of them.
pub const MAX_STRANGERS_PER_BATCH: usize = 16;

/// Messages of a stranger in one batch.
pub const MAX_MESSAGES_PER_STRANGERS_TURN: usize = 4;
const _: () = assert!(MAX_MESSAGES_PER_STRANGERS_TURN < MAX_MESSAGES_PER_TURN);

// What one batch sends on a connection fits the transport, which hangs up on what does not.
const _: () = {
    let turn = MAX_BYTES_PER_TURN
        + steward_p2p::limits::MAX_PAYLOAD_BYTES
        + MAX_MESSAGES_PER_TURN * steward_p2p::limits::MESSAGE_OVERHEAD_BYTES;
    let most = MAX_SAVED_BYTES_OUT + MAX_BYTES_OUT_PER_BYTE_IN * turn as u64;
    assert!(most <= steward_p2p::limits::MAX_QUEUED_BYTES as u64);
};

/// Log lines that may wait for the log's thread; more are counted and dropped.
pub const MAX_QUEUED_LINES: usize = 4096;

/// Lines of one code that are written within [`LOG_WINDOW`]; more are counted.
pub const MAX_LINES_PER_CODE: u64 = 50;

/// See [`MAX_LINES_PER_CODE`].
pub const LOG_WINDOW: Duration = Duration::from_secs(10);

/// The text of a line is cut here.
pub const MAX_LOG_TEXT_BYTES: usize = 1024;

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
