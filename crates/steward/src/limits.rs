//! The limits of the command line.

use std::time::Duration;

/// The time after which a request is given up that waits for nothing.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
// The daemon's own answer that it took too long comes first.
const _: () = assert!(steward_api::limits::REQUEST_TIMEOUT_MS < REQUEST_TIMEOUT.as_millis() as u64);
/// The largest answer read, which is a full page of payments with their invoices, in bytes.
pub const MAX_ANSWER_BYTES: u64 = 64 * 1024 * 1024;
/// The time that one request waits for the end of a payment, before the user is told how it stands.
pub const WAIT_SLICE: Duration = Duration::from_secs(5);
const _: () = assert!(WAIT_SLICE.as_millis() as u64 <= steward_api::limits::MAX_WAIT_MS);
/// The longest wait for a payment before the command gives up watching; the payment goes on.
pub const MAX_PAYMENT_WATCH: Duration = Duration::from_secs(600);
/// The longest wait for a channel to open.
pub const MAX_OPENING_WAIT: Duration = Duration::from_secs(60);
/// The longest wait for a daemon to end.
pub const MAX_STOP_WAIT: Duration = Duration::from_secs(60);
/// The time between two looks at something that does not report by itself.
pub const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// The most lines of the log that wait to be written; further ones are lost, and counted.
pub const MAX_WAITING_LOG_LINES: usize = 4096;
/// The longest line of the log, in bytes.
pub const MAX_LOG_LINE_BYTES: usize = 16 * 1024;
/// The time that the end of the process waits for the log to be written.
pub const LOG_FLUSH_TIMEOUT: Duration = Duration::from_secs(1);
/// The time that the daemon may take to end in order; then it ends at once.
pub const MAX_SHUTDOWN: Duration = Duration::from_secs(45);
// `steward stop` still sees the end.
const _: () = assert!(MAX_SHUTDOWN.as_secs() < MAX_STOP_WAIT.as_secs());
// Open requests have ended before.
const _: () = assert!(steward_api::limits::SHUTDOWN_GRACE_MS < MAX_SHUTDOWN.as_millis() as u64);
/// The longest seed read from standard input, which is words and what people put beside them, in
/// bytes.
pub const MAX_SEED_BYTES: u64 = 4096;
/// The longest file with a secret, which is 128 bytes in hexadecimal and the end of the line, in
/// bytes.
pub const MAX_SECRET_FILE_BYTES: u64 = 1024;
/// The longest snapshot read, which is a message in hexadecimal with white space, and two node ids,
/// in bytes.
pub const MAX_SNAPSHOT_BYTES: u64 = 256 * 1024;
/// The largest amount, which is all bitcoin there will be, in millisatoshi.
pub const MAX_AMOUNT_MSAT: u64 = 21_000_000 * 100_000_000 * 1000;
/// The most rows a list shows.
pub const MAX_LIST_ROWS: u16 = 1000;
const _: () = assert!(MAX_LIST_ROWS as usize <= steward_api::limits::MAX_PAGE_ROWS);
/// The longest time a child process may take to start.
pub const MAX_CHILD_START: Duration = Duration::from_secs(60);
/// The longest time a child process may take to end before it is killed.
pub const MAX_CHILD_STOP: Duration = Duration::from_secs(15);
/// The number of lines of a child's log that are shown when it does not start.
pub const SHOWN_LOG_LINES: usize = 10;
/// The most clients of a playground.
pub const MAX_PLAYGROUND_CLIENTS: u8 = 20;
/// The number of attempts of the demo to kill the host in the middle of a payment.
pub const MAX_KILL_ATTEMPTS: u32 = 20;
/// The longest answer to a question, which is `yes`, in bytes.
pub const MAX_ANSWER_TO_QUESTION_BYTES: u64 = 64;
