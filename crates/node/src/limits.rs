//! Every bound of the runtime in one place: queues, batches, counts and times. No logic.

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
