//! Every limit of a funded channel, in one place.

use steward_wire::limits::{MAX_ACCEPTED_HTLCS as WIRE_MAX_ACCEPTED_HTLCS, MAX_COMMITMENT_HTLCS};

/// The smallest dust limit that a peer may have, in satoshi: below it no node relays an output to a
/// script of a later segwit version (BOLT 3, "Dust Limits").
pub const MIN_DUST_LIMIT_SAT: u64 = 354;
/// The largest dust limit that a peer may have, in satoshi: what is below it is lost to fees when
/// the peer's commitment confirms.
pub const MAX_DUST_LIMIT_SAT: u64 = 10_000;
const _: () = assert!(MIN_DUST_LIMIT_SAT <= MAX_DUST_LIMIT_SAT);
/// The longest delay, in blocks, that a peer may put on our own outputs: two weeks.
pub const MAX_TO_SELF_DELAY_BLOCKS: u16 = 2_016;
/// The most HTLCs that one side may have in flight.
pub const MAX_ACCEPTED_HTLCS: u16 = 483;
const _: () = assert!(MAX_ACCEPTED_HTLCS as usize == WIRE_MAX_ACCEPTED_HTLCS);
const _: () = assert!(2 * MAX_ACCEPTED_HTLCS as usize == MAX_COMMITMENT_HTLCS);
/// The fewest HTLCs that a peer must let us have in flight.
pub const MIN_ACCEPTED_HTLCS: u16 = 1;
/// The lowest fee rate of a commitment, in satoshi per 1000 weight units: nodes relay nothing less.
pub const MIN_FEERATE_PER_KW: u32 = 253;
/// The highest fee rate of a commitment, in satoshi per 1000 weight units: 200 satoshi for a virtual
/// byte. Commitments with anchors need little more than what nodes relay; without a ceiling the
/// funder could put its balance into the fee of a commitment that it revokes and publishes later.
pub const MAX_FEERATE_PER_KW: u32 = 50_000;
const _: () = assert!(MIN_FEERATE_PER_KW < MAX_FEERATE_PER_KW);
/// The confirmations that a coinbase transaction needs before anything can spend it.
pub const COINBASE_DEPTH: u32 = 100;
/// The largest amount of a channel, in satoshi: all bitcoin. It keeps every sum in millisatoshi far
/// below 2^63.
pub const MAX_FUNDING_SAT: u64 = 2_100_000_000_000_000;
const _: () = assert!(MAX_FUNDING_SAT < steward_wire::limits::MAX_MSAT / 1_000);
/// A funding transaction that has not confirmed after this many blocks is forgotten (BOLT 2).
pub const FUNDING_TIMEOUT_BLOCKS: u32 = 2_016;
/// An outgoing HTLC that the peer has not removed is taken to the chain this many blocks after its
/// expiry.
pub const OUTGOING_GRACE_BLOCKS: u32 = 3;
/// An incoming HTLC whose preimage we know is claimed on chain this many blocks before its expiry,
/// if the peer has not removed it by then.
pub const CLAIM_BLOCKS: u32 = 36;
/// An incoming HTLC without an answer is reported this many blocks before its expiry, since nodes
/// close the channel at the expiry.
pub const ANSWER_BLOCKS: u32 = 6;
const _: () = assert!(ANSWER_BLOCKS < CLAIM_BLOCKS);
/// The peer is given this many blocks to close a channel that has failed, before we do it.
pub const ASK_PEER_BLOCKS: u32 = 6;
const _: () = assert!(ASK_PEER_BLOCKS < CLAIM_BLOCKS);
/// An HTLC of ours must expire at least this many blocks after the best one.
pub const MIN_EXPIRY_BLOCKS: u32 = 2;
/// An HTLC of ours must expire at most this many blocks after the best one (two weeks).
pub const MAX_EXPIRY_BLOCKS: u32 = 2_016;
const _: () = assert!(MIN_EXPIRY_BLOCKS < MAX_EXPIRY_BLOCKS);
/// Expiries from here on would be read as times (BOLT 2).
pub const CLTV_TIME_THRESHOLD: u32 = 500_000_000;
/// A peer that owes an answer (`channel_reestablish`, `revoke_and_ack`) for this long, in
/// milliseconds, is connected again.
pub const ANSWER_TIMEOUT_MS: u64 = 60_000;
/// HTLCs of ours that wait for an id.
pub const MAX_WAITING_ADDS: usize = 1_000;
const _: () = assert!(MAX_ACCEPTED_HTLCS as usize <= MAX_WAITING_ADDS);
/// The most that all HTLCs without an output may be worth together, in millisatoshi: it is lost to
/// miners when a commitment confirms.
pub const MAX_DUST_EXPOSURE_MSAT: u64 = 50_000_000;
/// The longest failure reason that is kept, in bytes. A longer one is cut: its payer cannot read it,
/// and learns of the failure all the same.
pub const MAX_REASON_BYTES: usize = 4_096;
/// The longest TLV stream of a settlement that is kept, in bytes: attribution data takes 920.
pub const MAX_SETTLEMENT_TLV_BYTES: usize = 2_048;
/// The longest script to which a close may pay, in bytes (BOLT 2: a witness program is at most 42).
pub const MAX_SHUTDOWN_SCRIPT_BYTES: usize = 42;
/// Closing transactions that we sign for one channel: each may confirm, so each is kept.
pub const MAX_SIGNED_CLOSES: usize = 16;
/// Updates of the peer's that change nothing: a second commitment in a row without one is refused.
pub const MAX_EMPTY_COMMITMENTS: u8 = 1;
/// The longest reason of a close that is kept, in bytes.
pub const MAX_REASON_TEXT_BYTES: usize = 512;
/// The largest number of a commitment: 48 bits hold it.
pub const MAX_COMMITMENT_NUMBER: u64 = (1 << 48) - 1;
