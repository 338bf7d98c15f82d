//! Every limit of the onion layer.

pub use steward_wire::limits::ONION_BYTES;

/// The size of the encrypted part of an onion packet, in bytes (BOLT 4 `hop_payloads`).
pub const HOP_PAYLOADS_BYTES: usize = 1_300;
const _: () = assert!(ONION_BYTES == 1 + 33 + HOP_PAYLOADS_BYTES + 32);
/// The longest route whose failures can be read, in hops (BOLT 4 "Origin node").
pub const MAX_ROUTE_HOPS: usize = 27;
/// The number of hops that attribution data reaches back to (BOLT 4).
pub const MAX_ATTRIBUTED_HOPS: usize = 20;
/// The size of attribution data, in bytes: 20 hold times and 210 truncated HMACs, four bytes each.
pub const ATTRIBUTION_BYTES: usize = 920;
const _: () = assert!(
    ATTRIBUTION_BYTES
        == 4 * (MAX_ATTRIBUTED_HOPS + MAX_ATTRIBUTED_HOPS * (MAX_ATTRIBUTED_HOPS + 1) / 2)
);
const _: () = assert!(MAX_ATTRIBUTED_HOPS <= MAX_ROUTE_HOPS);
/// The size of failure message and padding together, in bytes, so that every failure has the same
/// length.
pub const FAILURE_PADDED_BYTES: usize = 256;
/// The smallest failure packet that can hold a failure code, in bytes: hmac 32, length 2, code 2.
pub const MIN_FAILURE_BYTES: usize = 36;
/// The largest `channel_update` that we put into a failure, in bytes, so that it fits the padding.
pub const MAX_CHANNEL_UPDATE_BYTES: usize = 244;
// Before it stand a code, at most an amount, and its length.
const _: () = assert!(2 + 8 + 2 + MAX_CHANNEL_UPDATE_BYTES <= FAILURE_PADDED_BYTES);
/// The blocks that must be left before an HTLC's expiry for us to accept it as its final recipient,
/// whatever its kind; the caller asks for more by its own rules. An invoice must ask for at least
/// this `min_final_cltv_expiry_delta`.
pub const MIN_FINAL_EXPIRY_BLOCKS: u32 = 10;
/// The distance that LDK asks for by itself (`HTLC_FAIL_BACK_BUFFER + 2`), made for channels whose
/// HTLCs are claimed on chain. Many senders of spontaneous payments give less.
pub(crate) const LDK_FINAL_EXPIRY_BLOCKS: u32 = 41;
const _: () = assert!(MIN_FINAL_EXPIRY_BLOCKS < LDK_FINAL_EXPIRY_BLOCKS);
/// The upper bound of an amount, exclusive, in millisatoshi: 21 million bitcoin.
pub const MAX_MONEY_MSAT: u64 = 21_000_000 * 100_000_000 * 1_000;
/// The upper bound of an expiry, exclusive: `nLockTime` reads larger values as times.
pub const MAX_HEIGHT: u32 = 500_000_000;
