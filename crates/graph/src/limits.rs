//! Every limit of path-finding.

use steward_engine::limits::{MAX_EXPIRY_BLOCKS, MAX_PENDING_PAYMENTS};

pub use steward_onion::limits::{MAX_HEIGHT, MAX_MONEY_MSAT};

/// The longest time that a payment may lock money, in blocks, with what its last hop asks for
/// included; LDK's default.
pub const MAX_TOTAL_CLTV_BLOCKS: u32 = 1_008;
// No channel of ours refuses an HTLC for the expiry of the route that was found for it.
const _: () = assert!(MAX_TOTAL_CLTV_BLOCKS + FINAL_EXPIRY_SLACK_BLOCKS <= MAX_EXPIRY_BLOCKS);
/// The blocks that may be found while a payment is under way without the payee refusing it as too
/// near its expiry. They are added where no random offset hides the payee.
pub const FINAL_EXPIRY_SLACK_BLOCKS: u32 = 3;
/// The most parts of one payment.
pub const MAX_PARTS: u8 = 10;
/// The most of our channels that one search looks at.
pub const MAX_FIRST_HOPS: usize = 1_000;
/// The most route hints of one invoice that are used.
pub const MAX_HINTS: usize = 32;
/// The longest route hint that is used, in channels: what fits into an invoice.
pub const MAX_HINT_HOPS: usize = steward_invoice::limits::MAX_HINT_HOPS;
/// The most paths in flight that one search takes into account.
pub const MAX_IN_FLIGHT_PATHS: usize = 10_000;
const _: () = assert!(MAX_IN_FLIGHT_PATHS >= MAX_PENDING_PAYMENTS);
/// The most channels in the graph; the public network has about 50 000.
pub const MAX_CHANNELS: usize = 1_000_000;
/// The largest file that is loaded, in bytes.
pub const MAX_FILE_BYTES: u64 = 1 << 30;
