//! Every limit of the wire layer, in one place.

/// Largest body of a custom message, in bytes: 65535 less the two bytes of the type.
pub const MAX_PAYLOAD_BYTES: usize = 65_533;
/// Largest body in legacy framing, in bytes: two more go to the inner length.
pub const MAX_LEGACY_PAYLOAD_BYTES: usize = 65_531;
/// An onion packet, in bytes (BOLT4): version 1, key 33, hops 1300, hmac 32.
pub const ONION_BYTES: usize = 1_366;
/// An `update_add_htlc` without TLVs, in bytes.
pub const ADD_FIXED_BYTES: usize = 84 + ONION_BYTES;
/// Largest TLV stream we accept after an `update_add_htlc`, in bytes. Immortan's tag takes 70, a
/// blinding point 35; anything longer would let one HTLC push the signed state past a message.
pub const MAX_ADD_TLV_BYTES: usize = 512;
/// Secrets longer than this are cut off, in bytes (protocol.md section 1.4, 65535).
pub const MAX_SECRET_BYTES: usize = 128;
/// Longest text of an `error` we write or keep for display, in bytes; the rest is cut off.
pub const MAX_ERROR_TEXT_BYTES: usize = 512;
/// Largest branding image we send or keep, in bytes.
pub const MAX_BRANDING_PNG_BYTES: usize = 60_000;
/// Largest value of an amount, exclusive, in millisatoshi: eclair's codec refuses more.
pub const MAX_MSAT: u64 = 1 << 63;
/// Longest text of a `warning` that we send, in bytes.
pub const MAX_WARNING_TEXT_BYTES: usize = 400;

/// Invariants that did not hold, remembered with their texts until the next batch logs them.
pub const MAX_REMEMBERED_BUGS: usize = 16;
