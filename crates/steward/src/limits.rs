//! Every bound of the command line, in one place.

use std::time::Duration;

/// A request that waits for nothing is given up after this.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// Largest answer read, in bytes: a full page of payments with their invoices.
pub const MAX_ANSWER_BYTES: u64 = 64 * 1024 * 1024;
/// How long one request waits for the end of a payment, before the user is told how it stands.
pub const WAIT_SLICE: Duration = Duration::from_secs(5);
/// Longest wait for a payment before the command gives up watching; the payment goes on.
pub const MAX_PAYMENT_WATCH: Duration = Duration::from_secs(600);
/// Longest wait for a channel to open.
pub const MAX_OPENING_WAIT: Duration = Duration::from_secs(60);
/// Longest wait for a daemon to end.
pub const MAX_STOP_WAIT: Duration = Duration::from_secs(60);
/// How often something is looked at that tells nothing by itself.
pub const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// Lines of the log that wait to be written; further ones are lost, and counted.
pub const MAX_WAITING_LOG_LINES: usize = 4096;
/// Longest line of the log, in bytes.
pub const MAX_LOG_LINE_BYTES: usize = 16 * 1024;
/// How long the end of the process waits for the log to be written.
pub const LOG_FLUSH_TIMEOUT: Duration = Duration::from_secs(1);
/// How long the daemon may take to end in order; then it ends at once.
pub const MAX_SHUTDOWN: Duration = Duration::from_secs(45);
// `steward stop` still sees the end.
const _: () = assert!(MAX_SHUTDOWN.as_secs() < MAX_STOP_WAIT.as_secs());
/// Longest seed read from standard input, in bytes: words, and what people put beside them.
pub const MAX_SEED_BYTES: u64 = 4096;
/// Longest file with a secret, in bytes: 128 of them in hexadecimal, and the end of the line.
pub const MAX_SECRET_FILE_BYTES: u64 = 1024;
/// Longest snapshot read, in bytes: a message in hexadecimal with white space, and two node ids.
pub const MAX_SNAPSHOT_BYTES: u64 = 256 * 1024;
/// Largest amount, in millisatoshi: all bitcoin there will be.
pub const MAX_AMOUNT_MSAT: u64 = 21_000_000 * 100_000_000 * 1000;
/// Most rows a list shows.
pub const MAX_LIST_ROWS: u16 = 1000;
/// Longest time a child process may take to start.
pub const MAX_CHILD_START: Duration = Duration::from_secs(60);
/// Longest time a child process may take to end before it is killed.
pub const MAX_CHILD_STOP: Duration = Duration::from_secs(15);
/// Lines of a child's log shown when it does not start.
pub const SHOWN_LOG_LINES: usize = 10;
/// Most clients of a playground.
pub const MAX_PLAYGROUND_CLIENTS: u8 = 20;
/// How often the demo tries to kill the host in the middle of a payment.
pub const MAX_KILL_ATTEMPTS: u32 = 20;
/// Longest answer to a question, in bytes: `yes`.
pub const MAX_ANSWER_TO_QUESTION_BYTES: u64 = 64;
