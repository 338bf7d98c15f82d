//! Every limit of the engine, in one place.

use steward_hosted::limits as channel;
use steward_onion::limits as onion;

// What ends an HTLC fits the message that tells it: attribution data in a TLV record with a type of
// one byte and a length of three, and a failure's reason with its HMAC and two lengths.
const _: () = assert!(onion::ATTRIBUTION_BYTES + 4 <= channel::MAX_SETTLEMENT_TLV_BYTES);
const _: () = assert!(32 + 2 + 2 + onion::FAILURE_PADDED_BYTES <= channel::MAX_FAIL_REASON_BYTES);

/// Blocks below the last one searched that are searched again, in case they were replaced.
pub const SEARCH_REORG_BLOCKS: u32 = 6;
/// Forwards wait this long for a free slot in a busy channel, in milliseconds.
pub const FORWARD_WAIT_MS: u64 = 5_000;
/// Our own payments wait this long for a free slot, in milliseconds.
pub const PAYMENT_WAIT_MS: u64 = 30_000;
/// A payment gets no new attempt after this time, in milliseconds.
pub const PAYMENT_RETRY_MS: u64 = 60_000;
/// Most attempts of a payment.
pub const MAX_PAYMENT_ATTEMPTS: u32 = 12;
/// Most payments out that have not ended.
pub const MAX_PENDING_PAYMENTS: usize = 10_000;
/// Parts of an incoming payment wait this long for the rest, in milliseconds (BOLT4: at least 60 s).
pub const MPP_TIMEOUT_MS: u64 = 60_000;
/// Most invoices that are neither paid nor expired.
pub const MAX_OPEN_INVOICES: usize = 1_000_000;
/// Open invoices lie in memory in chunks of this many.
pub const INVOICES_PER_CHUNK: usize = 256;
/// Smallest distance between two expiries of a forward we ever accept, in blocks.
pub const MIN_CLTV_EXPIRY_DELTA_BLOCKS: u16 = 34;
// Once the outgoing HTLC has expired, its blocks are searched again after a reorganisation, and the
// incoming one is still far enough from its own expiry to be claimed.
const _: () = assert!(
    SEARCH_REORG_BLOCKS + channel::PUBLISHED_GRACE_BLOCKS < MIN_CLTV_EXPIRY_DELTA_BLOCKS as u32
);
/// A forward's outgoing expiry must be further away than this, in blocks.
pub const MIN_OUTGOING_EXPIRY_BLOCKS: u32 = 3;
// What we decide to forward, its channel does not refuse for its expiry.
const _: () = assert!(MIN_OUTGOING_EXPIRY_BLOCKS >= channel::MIN_EXPIRY_BLOCKS);
/// No HTLC may expire later than this from now, in blocks: two weeks, as most of the network.
pub const MAX_EXPIRY_BLOCKS: u32 = 2016;
const _: () = assert!(MAX_EXPIRY_BLOCKS <= channel::MAX_EXPIRY_BLOCKS);
/// The distance that our invoices ask for between the HTLC's expiry and the height at which it is
/// paid, in blocks; immortan asks for as many.
pub const MIN_FINAL_CLTV_EXPIRY_DELTA_BLOCKS: u16 = 144;
/// Incoming payments that expire sooner than this are failed, in blocks: time to publish a
/// preimage if the host does not answer.
pub const FINAL_EXPIRY_SAFETY_BLOCKS: u32 = 108;
/// The same for payments without an invoice, whose senders choose the expiry: eclair asks for 18
/// blocks, of which some may pass on the way.
pub const KEYSEND_EXPIRY_SAFETY_BLOCKS: u32 = 12;
const _: () = assert!(KEYSEND_EXPIRY_SAFETY_BLOCKS < FINAL_EXPIRY_SAFETY_BLOCKS);
const _: () = assert!(KEYSEND_EXPIRY_SAFETY_BLOCKS >= onion::MIN_FINAL_EXPIRY_BLOCKS);
const _: () = assert!(FINAL_EXPIRY_SAFETY_BLOCKS < MIN_FINAL_CLTV_EXPIRY_DELTA_BLOCKS as u32);
// No payment to an invoice is claimed so late that its preimage is to be published at once.
const _: () = assert!(FINAL_EXPIRY_SAFETY_BLOCKS >= channel::PREIMAGE_AT_RISK_BLOCKS);
// Nor is any payment claimed so late that its host, were the preimage published, would be suspended.
const _: () = assert!(KEYSEND_EXPIRY_SAFETY_BLOCKS >= channel::PUBLISHED_GRACE_BLOCKS);
/// The preimage of a new payment is shown only if the chain source was asked at most this long ago,
/// the machine's sleep included, in milliseconds; otherwise it is asked first.
pub const CHAIN_FRESH_MS: u64 = 20_000;
const _: () = assert!(CHAIN_FRESH_MS < MPP_TIMEOUT_MS);
/// Preimages kept in memory beyond those of HTLCs in flight.
pub const MAX_RECENT_PREIMAGES: usize = 10_000;
/// Ended payments are kept in memory this long, so that asking again cannot pay again while the
/// store's readers may not see them yet, in milliseconds.
pub const KEEP_ENDED_PAYMENTS_MS: u64 = 600_000;
/// Ended payments kept in memory; beyond that the oldest are left to the store.
pub const MAX_ENDED_PAYMENTS: usize = 10_000;
/// Held parts of payments are looked at this often, in milliseconds.
pub const TIMER_INTERVAL_MS: u64 = 1_000;
/// Expired invoices stay payable in memory no longer than this past their expiry, in milliseconds.
pub const KEEP_EXPIRED_INVOICES_MS: u64 = 60_000;
/// Most channels in the middle of their opening exchange.
pub const MAX_PENDING_OPENINGS: usize = 1_000;
/// Clients told of a changed policy at each tick: each one costs a signature, 35 µs.
pub const MAX_POLICIES_PER_TICK: usize = 64;
/// An update of ours that is dated further ahead than this came of a wrong clock; a day, in
/// seconds.
pub const MAX_POLICY_DATE_AHEAD_S: u32 = 86_400;
/// A wall clock that moves by this much against the other between two ticks was set, in
/// milliseconds. A slewed one moves by less than a thousandth.
pub const MIN_CLOCK_JUMP_MS: u64 = 2_000;
/// A wall clock that jumped ahead is believed for forgetting after a day, in milliseconds.
pub const CLOCK_BELIEVED_AFTER_MS: u64 = 86_400_000;
/// Most events of a jumping clock within [`CLOCK_EVENT_WINDOW_MS`]; each jump is logged.
pub const MAX_CLOCK_EVENTS: u32 = 10;
/// Events of a jumping clock are counted within windows of this length, in milliseconds.
pub const CLOCK_EVENT_WINDOW_MS: u64 = 3_600_000;
/// The machine or the program was stopped if no tick came for this long, in milliseconds: ticks
/// come each second. The chain source is asked at once.
pub const MIN_SLEEP_MS: u64 = 5_000;
/// The most clients whose used channels were forgotten: they are kept in one row, without an end.
pub const MAX_FORGOTTEN_CLIENTS: usize = 10_000;
/// Opening quotas count within windows of this length, in milliseconds.
pub const QUOTA_WINDOW_MS: u64 = 3_600_000;
/// Longest description of an invoice, in bytes (BOLT11 allows 639).
pub const MAX_DESCRIPTION_BYTES: usize = 639;
const _: () = assert!(MAX_DESCRIPTION_BYTES <= steward_invoice::limits::MAX_DESCRIPTION_BYTES);
/// Largest amount that is paid, received or asked for: ten million bitcoin, in millisatoshi. No
/// honest user needs more, and no row can hold the sum of larger ones.
pub const MAX_AMOUNT_MSAT: u64 = 1_000_000_000_000_000_000;
// A paid invoice holds the amount that came in: less than was asked for, and one more part.
const _: () = assert!(2 * MAX_AMOUNT_MSAT < steward_wire::limits::MAX_MSAT);
const _: () = assert!(MAX_AMOUNT_MSAT <= steward_invoice::limits::MAX_AMOUNT_MSAT);
/// Longest life of an invoice: a year, in seconds.
pub const MAX_INVOICE_EXPIRY_S: u32 = 31_536_000;
const _: () = assert!(MAX_INVOICE_EXPIRY_S as u64 <= steward_invoice::limits::MAX_EXPIRY_S);
/// Most channels in one answer to an operator who lists them.
pub const MAX_CHANNELS_PER_PAGE: usize = 256;
/// Most channels of which an invoice gives hints.
pub const MAX_INVOICE_HINTS: usize = 4;
/// Most addresses kept of one peer.
pub const MAX_ADDRESSES: usize = 8;
/// Longest address kept of a peer, in bytes: a host name has at most 255.
pub const MAX_ADDRESS_BYTES: usize = 300;
/// Most addresses tried of one peer: those given last and those kept.
pub const MAX_ADDRESSES_TRIED: usize = 2 * MAX_ADDRESSES;
/// Most callers that wait for the end of one payment; further ones are told how it stands.
pub const MAX_WAITERS_PER_PAYMENT: usize = 64;
/// Expired invoices and ended payments are swept out of memory this often, in milliseconds.
pub const SWEEP_INTERVAL_MS: u64 = 60_000;
/// After a start, forwards found in progress wait this long for their next peer to come back, in
/// milliseconds.
pub const RESUME_WAIT_MS: u64 = 30_000;
const _: () = assert!(RESUME_WAIT_MS < MPP_TIMEOUT_MS);

// The allowance of one connection (`allowance`).

/// The size of a message on the wire beyond its payload, in bytes.
pub const MESSAGE_OVERHEAD_BYTES: u64 = 36;
/// A connection is sent at most this many bytes for each one it sends, beyond
/// [`FREE_BYTES_OUT`] and [`REFILL_BYTES_OUT_PER_S`]. A payer's full round is 21 HTLCs out for
/// 21 fulfills and a signature in: 13 bytes for one.
pub const MAX_BYTES_OUT_PER_BYTE_IN: u64 = 32;
/// A new connection may be sent this much before it is worth it, in bytes: a full state and 21
/// HTLCs offered again, twice over.
pub const FREE_BYTES_OUT: u64 = 256 * 1024;
const _: () = {
    let add =
        channel::ADD_BYTES as u64 + channel::ORDINARY_ADD_TLV_BYTES as u64 + MESSAGE_OVERHEAD_BYTES;
    let state = channel::MAX_STATE_BYTES as u64 + MESSAGE_OVERHEAD_BYTES;
    assert!(2 * (state + channel::MAX_OWN_HTLCS as u64 * add) <= FREE_BYTES_OUT);
};
/// A connection may be sent this much more each second, in bytes.
pub const REFILL_BYTES_OUT_PER_S: u64 = 4 * 1024;
/// No connection saves up more than this, in bytes. With what it earns in a batch, the most that
/// the batch can hold for it.
pub const MAX_SAVED_BYTES_OUT: u64 = 512 * 1024;
const _: () = assert!(FREE_BYTES_OUT <= MAX_SAVED_BYTES_OUT);
/// Messages of no use that a connection may send before it is hung up on, in units of one that
/// is ignored.
pub const MAX_PATIENCE: u32 = 512;
/// Units of patience that come back each second.
pub const PATIENCE_PER_S: u32 = 8;
/// The cost of a message that is ignored, or changed nothing.
pub const COST_OF_IDLE_MESSAGE: u32 = 1;
/// The cost of a request that was answered in the same batch already.
pub const COST_OF_REPEAT: u32 = 4;
/// The cost of an opening that is refused or does not succeed: 32 of them end the connection.
pub const COST_OF_REFUSAL: u32 = 16;
const _: () = assert!(32 * COST_OF_REFUSAL == MAX_PATIENCE);
/// The cost of a message that is kept as evidence.
pub const COST_OF_EVIDENCE: u32 = 16;
// A connection keeps as much evidence as it may before it is hung up on for it.
const _: () =
    assert!(channel::MAX_EVIDENCE_PER_CONNECTION as u32 * COST_OF_EVIDENCE <= MAX_PATIENCE);
/// Most openings of one network prefix that are not finished.
pub const MAX_PENDING_OPENINGS_PER_PREFIX: usize = 64;
const _: () = assert!(MAX_PENDING_OPENINGS_PER_PREFIX * 8 <= MAX_PENDING_OPENINGS);

// Evidence (`evidence`): proofs are states under both signatures, hints all else.

/// A hint's message is cut to this, in bytes.
pub const MAX_HINT_BYTES: usize = 1024;
/// Hints kept about one peer: the first, and the newest.
pub const MAX_HINTS_PER_PEER: usize = 16;
/// Proofs kept about one peer: the first, and the newest.
pub const MAX_PROOFS_PER_PEER: usize = 8;
/// Hints kept in all; the oldest goes first.
pub const MAX_HINTS: usize = 16_384;
/// Size of all hints, in bytes.
pub const MAX_HINTS_BYTES: u64 = 32 * 1024 * 1024;
/// Proofs kept in all. Beyond that the peer with the most of them loses one.
pub const MAX_PROOFS: usize = 16_384;
/// Size of all proofs, in bytes.
pub const MAX_PROOFS_BYTES: u64 = 256 * 1024 * 1024;
/// Proofs kept of peers without a channel, one each; further ones are not kept.
pub const MAX_STRANGERS_PROOFS: usize = 1_024;
/// Size of all of these, in bytes.
pub const MAX_STRANGERS_PROOFS_BYTES: u64 = 16 * 1024 * 1024;
const _: () = assert!(MAX_HINTS_PER_PEER < MAX_HINTS && MAX_PROOFS_PER_PEER < MAX_PROOFS);
const _: () =
    assert!(MAX_STRANGERS_PROOFS < MAX_PROOFS && MAX_STRANGERS_PROOFS_BYTES < MAX_PROOFS_BYTES);
