//! Every bound of the runtime in one place: queues, batches, counts and times. No logic.

use std::time::Duration;

use steward_engine::limits::{MIN_SLEEP_MS, SEARCH_REORG_BLOCKS, TIMER_INTERVAL_MS};

/// Room of the engine's input queue for inputs that are not of peers: commands, the chain, routes,
/// found preimages. When it is full they wait. Peers have room of their own
/// ([`Held`](crate::traits::Held)).
pub const MAX_QUEUED_WEIGHT: u32 = 4096;

/// An input takes one unit of room, and one more for each of these bytes that it carries.
pub const INPUT_WEIGHT_BYTES: usize = 4096;

/// Most units of room one input takes, however much it carries.
pub const MAX_INPUT_WEIGHT: u32 = 256;
// The largest input finds room at last.
const _: () = assert!(MAX_INPUT_WEIGHT <= MAX_QUEUED_WEIGHT);

/// Inputs not of peers that share one batch.
pub const MAX_INPUTS_PER_BATCH: usize = 1024;

/// Connections of peers we share a channel with that have a turn in one batch. With the three below
/// it bounds how long a message waits, and the size of a batch.
pub const MAX_TURNS_PER_BATCH: usize = 128;

/// Messages of one connection in one batch: 21 HTLCs, 21 answers, signatures.
pub const MAX_MESSAGES_PER_TURN: usize = 64;

/// A turn ends once it has taken this much, in bytes.
pub const MAX_BYTES_PER_TURN: usize = 32 * 1024;

/// Connections of strangers that have a turn in one batch: however many there are, clients wait
/// for no more of them.
pub const MAX_STRANGERS_PER_BATCH: usize = 16;
const _: () = assert!(MAX_STRANGERS_PER_BATCH < MAX_TURNS_PER_BATCH);

/// Messages of a stranger in one batch.
pub const MAX_MESSAGES_PER_STRANGERS_TURN: usize = 4;
const _: () = assert!(MAX_MESSAGES_PER_STRANGERS_TURN < MAX_MESSAGES_PER_TURN);

/// Log lines that may wait for the log's thread; more are counted and dropped.
pub const MAX_QUEUED_LINES: usize = 4096;

/// Lines of one code that are written within [`LOG_WINDOW`]; more are counted.
pub const MAX_LINES_PER_CODE: u64 = 50;

/// The window of [`MAX_LINES_PER_CODE`].
pub const LOG_WINDOW: Duration = Duration::from_secs(10);

/// The text of a line is cut here.
pub const MAX_LOG_TEXT_BYTES: usize = 1024;

/// Commands whose answer is awaited; more are refused with `node_busy`.
pub const MAX_OUTSTANDING_COMMANDS: usize = 1024;

/// Routes computed at the same time; more wait.
pub const MAX_CONCURRENT_ROUTES: usize = 2;

/// Routes that are answered together.
pub const MAX_ROUTES_PER_ANSWER: usize = 8;
// They take and give back their whole weight: all of them have room in an empty queue.
const _: () = assert!(MAX_ROUTES_PER_ANSWER as u32 * MAX_INPUT_WEIGHT <= MAX_QUEUED_WEIGHT);

/// A batch on which no action depends waits this long for one to be committed with it.
pub const MAX_COMMIT_DELAY: Duration = Duration::from_millis(5);

/// Rows that wait for a commit in this way; with more it is made at once.
pub const MAX_DELAYED_ROWS: usize = 1024;

/// Events kept for a subscriber that is slow; it is told how many it has missed.
pub const MAX_BUFFERED_EVENTS: usize = 4096;

/// Blocks searched for preimages before the engine hears of it. A block can publish about 26 000
/// of them, so all of these hold at most 55 MB.
pub const MAX_BLOCKS_PER_SEARCH: u32 = 64;
// Each search begins this much before the end of the last one, and must get further.
const _: () = assert!(MAX_BLOCKS_PER_SEARCH > SEARCH_REORG_BLOCKS);

/// Times that a block may be missing before that is worth a warning: servers of one service do not
/// all learn of a block at once. After 15 s.
pub const MAX_QUIET_MISSES: u32 = 4;

/// The longest time between two looks of the engine at the clock.
pub const MAX_TICK_INTERVAL: Duration = Duration::from_secs(1);

/// The shortest time between two looks at the clock, whatever the engine asks for, unless something
/// happens.
pub const MIN_TICK_INTERVAL: Duration = Duration::from_millis(1);

// The engine looks at its timers often enough for each of them.
const _: () = assert!(MAX_TICK_INTERVAL.as_millis() <= TIMER_INTERVAL_MS as u128);
const _: () = assert!(MIN_TICK_INTERVAL.as_millis() < MAX_TICK_INTERVAL.as_millis());
// Two ticks at their usual distance are no sleep of the machine.
const _: () = assert!(2 * MAX_TICK_INTERVAL.as_millis() < MIN_SLEEP_MS as u128);
