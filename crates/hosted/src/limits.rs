//! Every limit of the channel, in one place.

use steward_wire::limits::{
    ADD_FIXED_BYTES, INIT_FIXED_BYTES, MAX_ADD_TLV_BYTES, MAX_LEGACY_PAYLOAD_BYTES,
    STATE_FIXED_BYTES,
};

/// HTLCs we offer at once, whatever more the terms allow: 42 of both directions, each with a
/// wallet's TLV, are all that fit one `last_cross_signed_state` (docs/protocol.md section 1.3).
pub const MAX_OWN_HTLCS: usize = 21;
/// Largest `last_cross_signed_state` we let come into being, in bytes: below both framings' limit.
pub const MAX_STATE_BYTES: usize = 65_500;
const _: () = assert!(MAX_STATE_BYTES <= MAX_LEGACY_PAYLOAD_BYTES);
/// A state without HTLCs, in bytes, rounded up: 2 × 64 for signatures, 48 for counters, balances
/// and counts, 36 for the terms, the rest for the refund script and the terms' features.
pub const STATE_OVERHEAD_BYTES: usize = 480;
/// Longest refund script, in bytes: a witness program is at most 42.
pub const MAX_REFUND_SCRIPT_BYTES: usize = 42;
/// Most feature numbers in the terms of a channel.
pub const MAX_INIT_FEATURES: usize = 64;
// The terms have a length of at most three bytes before them, and each feature takes two.
const _: () = assert!(
    STATE_FIXED_BYTES + MAX_REFUND_SCRIPT_BYTES + 3 + INIT_FIXED_BYTES + 2 * MAX_INIT_FEATURES
        <= STATE_OVERHEAD_BYTES
);
/// An `update_add_htlc` without TLVs inside a state, in bytes, with its length prefix.
pub const ADD_BYTES: usize = 1_453;
const _: () = assert!(ADD_BYTES == ADD_FIXED_BYTES + 3);
/// TLVs an ordinary add carries, in bytes: immortan's payment tag.
pub const ORDINARY_ADD_TLV_BYTES: usize = 70;
const _: () = assert!(ORDINARY_ADD_TLV_BYTES <= MAX_ADD_TLV_BYTES);
// All that both sides may have in flight fits one state; and so does one HTLC of the largest size
// beside all that the other side may have.
const _: () = assert!(
    STATE_OVERHEAD_BYTES + 2 * MAX_OWN_HTLCS * (ADD_BYTES + ORDINARY_ADD_TLV_BYTES)
        <= MAX_STATE_BYTES
);
const _: () = assert!(
    STATE_OVERHEAD_BYTES
        + MAX_OWN_HTLCS * (ADD_BYTES + ORDINARY_ADD_TLV_BYTES)
        + (ADD_BYTES + MAX_ADD_TLV_BYTES)
        <= MAX_STATE_BYTES
);
/// HTLCs of ours that wait for an id.
pub const MAX_WAITING_ADDS: usize = 1_000;
const _: () = assert!(MAX_OWN_HTLCS < MAX_WAITING_ADDS);
/// Largest counter value (docs/protocol.md section 9.1, 12): 2^32 - 2.
pub const MAX_UPDATES: u32 = u32::MAX - 1;
/// An HTLC of ours must expire at least this many blocks after the best one, plus one: less could
/// expire before the peer has seen it. Forwarding policy asks for far more.
pub const MIN_EXPIRY_BLOCKS: u32 = 2;
/// An HTLC of ours must expire at most this many blocks after the best one (two weeks).
pub const MAX_EXPIRY_BLOCKS: u32 = 2_016;
const _: () = assert!(MIN_EXPIRY_BLOCKS < MAX_EXPIRY_BLOCKS);
/// Blocks in a `block_day` (docs/protocol.md section 2.5).
pub const BLOCKS_PER_DAY: u32 = 144;
/// Block days two nodes may be apart (docs/protocol.md section 2.5).
pub const MAX_BLOCK_DAY_DRIFT: u32 = 1;
/// A revealed incoming HTLC this close to its expiry, in blocks, is reported (section 3.7).
pub const PREIMAGE_AT_RISK_BLOCKS: u32 = 108;
/// A peer that has not fulfilled an HTLC whose preimage was published is suspended this long
/// before the expiry, in blocks. An honest payee publishes [`PREIMAGE_AT_RISK_BLOCKS`] before it.
pub const PUBLISHED_GRACE_BLOCKS: u32 = 12;
const _: () = assert!(PUBLISHED_GRACE_BLOCKS < PREIMAGE_AT_RISK_BLOCKS);
const _: () = assert!(MIN_EXPIRY_BLOCKS < PUBLISHED_GRACE_BLOCKS);
/// `invoke`, `last_cross_signed_state` and `state_update` must be answered within this time,
/// in milliseconds (docs/protocol.md section 9.1, 9).
pub const ANSWER_TIMEOUT_MS: u64 = 30_000;
/// As client: an invoke that nothing answered is sent again after this, in milliseconds, in the
/// same framing: sooner than any limit on silence ends the connection.
pub const REPEAT_INVOKE_MS: u64 = 4_000;
const _: () = assert!(REPEAT_INVOKE_MS < ANSWER_TIMEOUT_MS);
/// As client: a host that says it does not know the channel is asked again after this, in
/// milliseconds, twice as late each time.
pub const FORGOTTEN_RETRY_MS: u64 = 15_000;
/// As client: such a host is asked at least this often, in milliseconds.
pub const MAX_FORGOTTEN_RETRY_MS: u64 = 600_000;
const _: () = assert!(FORGOTTEN_RETRY_MS < MAX_FORGOTTEN_RETRY_MS);
/// As host: an opening not finished within this time is forgotten, in milliseconds.
pub const OPENING_TIMEOUT_MS: u64 = 60_000;
/// Wrong signatures on `state_update` in a row that end in a reconnection; the next one suspends
/// (docs/protocol.md section 9.1, 11).
pub const MAX_BAD_SIGNATURES: u8 = 3;
/// A failure's reason is cut to this length, in bytes. Reasons come from anywhere on a route, so
/// a long one must not harm the channel; no honest one is near this.
pub const MAX_FAIL_REASON_BYTES: usize = 8_192;
/// TLVs of a fulfill or a failure that are longer than this, in bytes, are dropped. Attribution
/// data takes 924.
pub const MAX_SETTLEMENT_TLV_BYTES: usize = 2_048;
// Channel, id and the reason's length take 42 bytes.
const _: () =
    assert!(42 + MAX_FAIL_REASON_BYTES + MAX_SETTLEMENT_TLV_BYTES <= MAX_LEGACY_PAYLOAD_BYTES);
/// Messages kept as evidence per connection: a hostile peer must not fill the disk with them.
pub const MAX_EVIDENCE_PER_CONNECTION: u8 = 16;
/// Bytes that are kept of the peer's error text.
pub const MAX_ERROR_BYTES: usize = steward_wire::limits::MAX_ERROR_TEXT_BYTES;
/// Unknown bytes that are kept at the end of a `channel_update`.
pub const MAX_POLICY_EXCESS_BYTES: usize = 256;
/// As client: smallest in-flight limit we accept, in millisatoshi (docs/protocol.md section 3.2).
pub const MIN_OFFERED_IN_FLIGHT_MSAT: u64 = 100_000_000;
/// As client: largest HTLC minimum we accept, in millisatoshi (docs/protocol.md section 3.2).
pub const MAX_OFFERED_HTLC_MINIMUM_MSAT: u64 = 546_000;
