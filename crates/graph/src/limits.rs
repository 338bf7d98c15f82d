//! Every limit of path-finding, in one place.

pub use steward_onion::limits::{MAX_HEIGHT, MAX_MONEY_MSAT};

/// Longest time a payment may lock money, in blocks, its last hop's wish included; LDK's default.
pub const MAX_TOTAL_CLTV_BLOCKS: u32 = 1_008;
/// Blocks that may be found while a payment is under way without the payee refusing it as too
/// near its expiry. Added where no random offset hides the payee.
pub const FINAL_EXPIRY_SLACK_BLOCKS: u32 = 3;
/// Most parts of one payment.
pub const MAX_PARTS: u8 = 10;
/// Most of our channels that one search looks at.
pub const MAX_FIRST_HOPS: usize = 1_000;
/// Most route hints of one invoice that are used.
pub const MAX_HINTS: usize = 32;
/// Longest route hint that is used, in channels; what fits into an invoice.
pub const MAX_HINT_HOPS: usize = steward_invoice::limits::MAX_HINT_HOPS;
/// Most paths in flight that one search takes into account.
pub const MAX_IN_FLIGHT_PATHS: usize = 10_000;
/// Most channels in the graph; the public network has about 50 000.
pub const MAX_CHANNELS: usize = 1_000_000;
/// Largest file that is loaded, in bytes.
pub const MAX_FILE_BYTES: u64 = 1 << 30;
