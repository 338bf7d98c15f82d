//! Every limit of the store, in one place.

use std::time::Duration;

use steward_engine::limits::{KEEP_EXPIRED_INVOICES_MS, MAX_EXPIRY_BLOCKS, MAX_RECENT_PREIMAGES};

/// The log is checkpointed into the database once it is larger than this, in bytes.
pub const CHECKPOINT_LOG_BYTES: u64 = 16 * 1024 * 1024;
/// After a checkpoint the log file is cut back to this, in bytes, if readers had let it grow.
pub const MAX_IDLE_LOG_BYTES: u64 = 64 * 1024 * 1024;
const _: () = assert!(CHECKPOINT_LOG_BYTES <= MAX_IDLE_LOG_BYTES);
/// Page size of new databases, in bytes: a channel with a few HTLCs fits, and a commit costs at
/// least one page per channel that moved.
pub const PAGE_BYTES: u32 = 4096;
/// The writer's page cache, in KiB: the pages that move in a busy minute. SQLite looks through all of
/// it after a commit that split a page, so a larger one costs more than the reads it saves.
pub const WRITER_CACHE_KIB: u32 = 32 * 1024;
/// A reader's page cache, in KiB.
pub const READER_CACHE_KIB: u32 = 8 * 1024;
/// Most connections that read history at the same time; further readers wait.
pub const MAX_READER_CONNECTIONS: usize = 4;
/// All page caches together never hold more than this, in KiB: 64 MiB.
pub const MAX_PAGE_CACHE_KIB: u32 = 64 * 1024;
const _: () = assert!(
    WRITER_CACHE_KIB + READER_CACHE_KIB * MAX_READER_CONNECTIONS as u32 <= MAX_PAGE_CACHE_KIB
);
/// Time that a connection waits for a lock of another process, in milliseconds.
pub const BUSY_TIMEOUT_MS: u64 = 5_000;
/// Compiled statements a connection keeps; more than we have.
pub const CACHED_STATEMENTS: usize = 128;
/// Databases up to this size are checked page by page at every start, in bytes; larger ones by
/// `verify` only. About 0.2 s.
pub const MAX_QUICK_CHECK_BYTES: u64 = 64 * 1024 * 1024;

/// Attempts at a lock before its holder is believed to be a node: a caller that only asks whether a
/// directory is in use holds it for an instant.
pub const LOCK_ATTEMPTS: u32 = 10;
/// Time between two of these attempts.
pub const LOCK_RETRY_INTERVAL: Duration = Duration::from_millis(10);
/// Databases that restores have set aside, in one data directory.
pub const MAX_SET_ASIDE: u32 = 100;

/// Batches that may wait for the commit thread; a sender waits beyond that.
pub const MAX_QUEUED_BATCHES: usize = 1024;
/// Batches that share one commit: bounds how long the first of them waits for the others.
pub const MAX_BATCHES_PER_COMMIT: usize = 256;
const _: () = assert!(MAX_BATCHES_PER_COMMIT <= MAX_QUEUED_BATCHES);

/// The newest segments of 65 536 payments, and as many of invoices, whose hashes have a filter in
/// memory: 128 KiB each. A new hash is looked for in each older one.
pub const MAX_FILTERED_SEGMENTS: u64 = 64;

/// Most rows of one page of history.
pub const MAX_PAGE_ROWS: usize = 1000;

/// The newest events that are kept, and fewer than [`EVENTS_PRUNED_AT_ONCE`] more.
pub const MAX_EVENTS: u64 = 100_000;
/// Events are pruned by so many at once: a few in each commit would cost each one a page at the old
/// end of the table.
pub const EVENTS_PRUNED_AT_ONCE: u64 = 1_000;
/// Failed forwards are kept while this many newer ones, failed or paid, are not; the sums over all
/// forwards keep counting them. To fail one costs a peer nothing.
pub const KEEP_FAILED_FORWARDS: u64 = 10_000;
/// Age up to which preimages are kept: 90 days, in milliseconds. An HTLC lives two weeks at most,
/// and a channel's own record holds the preimages it still needs.
pub const PREIMAGE_KEEP_MS: u64 = 90 * 24 * 3600 * 1000;
// Blocks may take four times as long as they should.
const _: () = assert!(PREIMAGE_KEEP_MS >= 4 * MAX_EXPIRY_BLOCKS as u64 * 600_000);
/// The newest preimages are loaded at start, and never pruned whatever the clock says.
pub const MAX_LOADED_PREIMAGES: u64 = 10_000;
const _: () = assert!(MAX_LOADED_PREIMAGES <= MAX_RECENT_PREIMAGES as u64);
/// Rows a commit prunes from a table at least, if as many are due; twice what it adds if that is
/// more, so that pruning always catches up.
pub const PRUNE_ROWS_PER_COMMIT: u64 = 64;
/// Time after their expiry up to which invoices are loaded: one day, in milliseconds. An HTLC that
/// pays one may already be in flight.
pub const EXPIRED_INVOICE_LOAD_MS: u64 = 24 * 3600 * 1000;
const _: () = assert!(EXPIRED_INVOICE_LOAD_MS >= KEEP_EXPIRED_INVOICES_MS);
/// Most copies of one version that are kept beside a database: a crash between a copy and the
/// migration leaves one behind.
pub const MAX_COPIES_BEFORE_MIGRATION: u32 = 9;
