//! Every limit of the wire layer.

/// The largest body of a custom message, in bytes: 65535 less the two bytes of the type.
pub const MAX_PAYLOAD_BYTES: usize = 65_533;
/// The largest body in legacy framing, in bytes: two more go to the inner length.
pub const MAX_LEGACY_PAYLOAD_BYTES: usize = 65_531;
const _: () = assert!(MAX_PAYLOAD_BYTES + 2 == u16::MAX as usize);
const _: () = assert!(MAX_LEGACY_PAYLOAD_BYTES + 2 == MAX_PAYLOAD_BYTES);
/// The size of an onion packet, in bytes (BOLT 4): version 1, key 33, hops 1300, hmac 32.
pub const ONION_BYTES: usize = 1_366;
/// The size of an `update_add_htlc` without TLVs, in bytes.
pub const ADD_FIXED_BYTES: usize = 84 + ONION_BYTES;
/// The size of `init_hosted_channel` without features, in bytes.
pub const INIT_FIXED_BYTES: usize = 36;
/// The size of all fields of fixed size in a `last_cross_signed_state`, in bytes: flag, length of the
/// script, day, two balances, two counters, two counts and two signatures.
pub const STATE_FIXED_BYTES: usize = 1 + 2 + 4 + 16 + 8 + 4 + 128;
/// The largest TLV stream that we accept after an `update_add_htlc`, in bytes. Immortan's tag takes
/// 70 and a blinding point 35; a much longer one would let one HTLC make the signed state larger
/// than a message.
pub const MAX_ADD_TLV_BYTES: usize = 512;
/// The most HTLCs that one side of a funded channel may have in flight (BOLT 2).
pub const MAX_ACCEPTED_HTLCS: usize = 483;
/// The most HTLCs in one commitment of a funded channel, of both sides together.
pub const MAX_COMMITMENT_HTLCS: usize = 2 * MAX_ACCEPTED_HTLCS;
/// The size of a signature, in bytes.
pub const SIGNATURE_BYTES: usize = 64;
// A commitment_signed with all signatures fits a message, with room for its TLVs.
const _: () = assert!(98 + MAX_COMMITMENT_HTLCS * SIGNATURE_BYTES + 1_000 < MAX_PAYLOAD_BYTES);
/// The largest secret, in bytes; what exceeds it is cut off (docs/protocol.md section 1.4, 65535).
pub const MAX_SECRET_BYTES: usize = 128;
/// The longest text of an `error` that we write or keep for display, in bytes; the rest is cut off.
pub const MAX_ERROR_TEXT_BYTES: usize = 512;
/// The largest branding image that we send or keep, in bytes.
pub const MAX_BRANDING_PNG_BYTES: usize = 60_000;
// The contact beside it has the rest of the message.
const _: () = assert!(MAX_BRANDING_PNG_BYTES < MAX_LEGACY_PAYLOAD_BYTES);
/// The upper bound of an amount, exclusive, in millisatoshi: eclair's codec refuses more.
pub const MAX_MSAT: u64 = 1 << 63;
/// The longest text of a `warning` that we send, in bytes.
pub const MAX_WARNING_TEXT_BYTES: usize = 400;

/// The most failed invariants that are kept with their texts until the next batch logs them.
pub const MAX_REMEMBERED_BUGS: usize = 16;
