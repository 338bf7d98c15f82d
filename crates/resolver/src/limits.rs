//! Every limit of the resolver, in one place.

/// HTLCs that one side may have in a commitment: BOLT 2 allows no more `max_accepted_htlcs`.
pub const MAX_HTLCS_PER_SIDE: usize = 483;
/// HTLCs in one commitment, of both sides.
pub const MAX_HTLCS: usize = 2 * MAX_HTLCS_PER_SIDE;
/// Revocation secrets from which all earlier ones follow: one per bit of a commitment number, and
/// one more (BOLT 3, "Efficient Per-commitment Secret Storage").
pub const MAX_SECRETS: usize = 49;
/// Preimages that a record may bring: one for each HTLC of both directions in the local commitment
/// and in two remote ones.
pub const MAX_PREIMAGES: usize = 3 * MAX_HTLCS;
/// The largest destination script, in bytes: a witness program is at most 42.
pub const MAX_DESTINATION_SCRIPT_BYTES: usize = 42;
/// The first number that no commitment has (BOLT 3: 48 bits).
pub const COMMITMENT_NUMBERS: u64 = 1 << 48;
/// The first `keys_id` that would give the keys of an earlier one: LDK takes 31 bits of it.
pub const KEYS_IDS: u64 = 1 << 31;
/// The largest stored blob that is read, in bytes. A channel with [`MAX_HTLCS`] HTLCs needs about
/// a fifth of it (`tests/sizes.rs`).
pub const MAX_BLOB_BYTES: usize = 16 << 20;
/// The longest name of an LDK version in a blob, in bytes.
pub const MAX_VERSION_BYTES: usize = 32;
/// Sweeps that may wait at once. Each is of one confirmed transaction that pays us.
pub const MAX_SWEEPS: usize = 2 * MAX_HTLCS;
/// Confirmations after which a transaction counts as final: LDK's own number.
pub const FINAL_CONFIRMATIONS: u32 = 6;
const _: () = assert!(FINAL_CONFIRMATIONS == lightning::chain::channelmonitor::ANTI_REORG_DELAY);
/// Blocks for which a sweep waits before its fee is raised.
pub const SWEEP_BUMP_BLOCKS: u32 = 12;
/// How much a raise of a sweep's fee is at least, in percent: more than nodes ask of a replacement.
pub const SWEEP_BUMP_PERCENT: u32 = 25;
/// The lowest feerate in use, in satoshi per 1000 weight units: below it nodes relay nothing.
pub const MIN_FEERATE_PER_KW: u32 = 253;
/// The highest feerate in use, in satoshi per 1000 weight units (1000 sat per virtual byte): an
/// estimate above it is a mistake of its source.
pub const MAX_FEERATE_PER_KW: u32 = 250_000;
const _: () = assert!(MIN_FEERATE_PER_KW < MAX_FEERATE_PER_KW);
