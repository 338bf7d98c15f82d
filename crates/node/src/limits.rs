//! Every bound of the node in one place: files, configuration values, times. No logic.

use std::time::Duration;

use steward_engine::limits::{
    MAX_BYTES_OUT_PER_BYTE_IN, MAX_EXPIRY_BLOCKS, MAX_SAVED_BYTES_OUT,
    MIN_CLTV_EXPIRY_DELTA_BLOCKS, MIN_FINAL_CLTV_EXPIRY_DELTA_BLOCKS,
};
use steward_runtime::limits::{MAX_BYTES_PER_TURN, MAX_MESSAGES_PER_TURN};

// Every address that the engine wants tried is tried.
const _: () = assert!(
    steward_engine::limits::MAX_ADDRESSES_TRIED <= steward_p2p::limits::MAX_ADDRESSES_PER_PEER
);

/// Threads that read the stored lists for operators: one for each connection that the store has for
/// them.
pub const MAX_READERS: usize = steward_store::limits::MAX_READER_CONNECTIONS;

/// Largest seed file read: 24 words of at most 8 letters, and what people put beside them.
pub const MAX_SEED_FILE_BYTES: usize = 4096;

/// Identities towards hosts kept derived; more are derived again each time.
pub const MAX_CACHED_HOST_KEYS: usize = 1024;

/// Largest configuration file.
pub const MAX_CONFIG_FILE_BYTES: u64 = 1024 * 1024;

/// Largest branding image, in bytes: a message carries 65 533 and wallets show no larger one.
pub const MAX_BRANDING_PNG_BYTES: u64 = steward_wire::limits::MAX_BRANDING_PNG_BYTES as u64;

/// Most HTLCs each way: two full directions must fit into one message (docs/protocol.md section
/// 1.3).
pub const MAX_HTLCS_PER_DIRECTION: u16 = 21;
const _: () = assert!(MAX_HTLCS_PER_DIRECTION as usize == steward_hosted::limits::MAX_OWN_HTLCS);

/// Largest capacity, in satoshi: more than all bitcoin is a slip of the hand.
pub const MAX_CAPACITY_SAT: u64 = 21_000_000 * 100_000_000;

/// Largest proportional fee, in millionths: 10 %. More is a slip of the hand.
pub const MAX_FEE_PPM: u32 = 100_000;

/// Largest fixed fee, in millisatoshi: 10 000 sat. More is a slip of the hand.
pub const MAX_FEE_BASE_MSAT: u32 = 10_000_000;

/// Most blocks between two expiries: with more, LDK and others find no route through us.
pub const MAX_CLTV_DELTA_BLOCKS: u16 = 1008;
const _: () = assert!(MAX_CLTV_DELTA_BLOCKS > MIN_CLTV_EXPIRY_DELTA_BLOCKS);
// A payment over us alone may still end in an invoice of ours.
const _: () = assert!(
    MAX_CLTV_DELTA_BLOCKS as u32 + MIN_FINAL_CLTV_EXPIRY_DELTA_BLOCKS as u32 <= MAX_EXPIRY_BLOCKS
);

/// Largest minimum HTLC that wallets on immortan accept (docs/protocol.md section 3.2), in satoshi.
pub const MAX_MIN_HTLC_SAT_IMMORTAN: u64 = 546;
const _: () = assert!(
    MAX_MIN_HTLC_SAT_IMMORTAN * 1000 == steward_hosted::limits::MAX_OFFERED_HTLC_MINIMUM_MSAT
);

/// Smallest limit in flight that wallets on immortan accept (docs/protocol.md section 3.2), in
/// satoshi.
pub const MIN_IN_FLIGHT_SAT_IMMORTAN: u64 = 100_000;
const _: () = assert!(
    MIN_IN_FLIGHT_SAT_IMMORTAN * 1000 == steward_hosted::limits::MIN_OFFERED_IN_FLIGHT_MSAT
);

// Both count a message on the wire alike.
const _: () = assert!(
    steward_engine::limits::MESSAGE_OVERHEAD_BYTES
        == steward_p2p::limits::MESSAGE_OVERHEAD_BYTES as u64
);
// A turn takes all that a peer can have to say at once: its HTLCs, its answers to ours, a signature.
const _: () = assert!(2 * (MAX_HTLCS_PER_DIRECTION as usize) < MAX_MESSAGES_PER_TURN);

// The messages of one batch fit the transport's queue of a connection, which hangs up on more.
const _: () = {
    let turn = MAX_BYTES_PER_TURN
        + steward_p2p::limits::MAX_PAYLOAD_BYTES
        + MAX_MESSAGES_PER_TURN * steward_p2p::limits::MESSAGE_OVERHEAD_BYTES;
    let most = MAX_SAVED_BYTES_OUT + MAX_BYTES_OUT_PER_BYTE_IN * turn as u64;
    assert!(most <= steward_p2p::limits::MAX_QUEUED_BYTES as u64);
};

/// Chain updates that may wait for the engine.
pub const MAX_QUEUED_CHAIN_UPDATES: usize = 16;

/// Time for the chain source's first answer before the node starts without it.
pub const FIRST_TIP_TIMEOUT: Duration = Duration::from_secs(5);

/// Time for connections to end at shutdown.
pub const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Time between two passes in which the graph forgets stale channels and is written to disk.
pub const GRAPH_MAINTENANCE_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// Time for `steward doctor` to reach our own public address.
pub const DOCTOR_CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Free disk below which the doctor says fail: 100 MB.
pub const MIN_FREE_DISK_BYTES: u64 = 100_000_000;

/// Free disk below which the doctor warns: 1 GB.
pub const WARN_FREE_DISK_BYTES: u64 = 1_000_000_000;

/// The first plausible time of a clock: 2026-01-01, when this program did not exist.
pub const EARLIEST_PLAUSIBLE_UNIX: u64 = 1_767_225_600;

/// Time that a clock may be behind the newest block: Bitcoin accepts blocks up to two hours ahead.
pub const MAX_CLOCK_BEHIND_TIP_S: u64 = 2 * 60 * 60;
