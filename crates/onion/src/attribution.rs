//! Attribution data (BOLT 4): which hop spoiled a failure, and how long each hop held an HTLC.
//!
//! The block holds 20 hold times, newest first, and 210 HMACs cut to four bytes: 20 of the newest
//! hop, one for each place in the route it could be at, 19 of the hop after it, and so on.

use steward_wire::NodeId;

use crate::failure::Failure;
use crate::failure_packet::{plain_packet, route_secrets, wrap_failure};
use crate::keys::{self, KeyType};
use crate::limits::{ATTRIBUTION_BYTES, MAX_ATTRIBUTED_HOPS as HOPS};

/// A hold time or a truncated HMAC.
type Word = [u8; 4];

/// The unit of a hold time on the wire, in milliseconds.
const HOLD_TIME_UNIT_MS: u64 = 100;

/// The `attribution_data` of an `update_fail_htlc` or `update_fulfill_htlc`, obfuscated.
#[derive(Clone, PartialEq, Eq)]
pub struct Attribution(pub [u8; ATTRIBUTION_BYTES]);

/// A failure and its attribution data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttributedFailure {
    /// The `reason` of `update_fail_htlc`.
    pub reason: Vec<u8>,
    /// The `attribution_data` of `update_fail_htlc`.
    pub attribution: Attribution,
}

/// The content of attribution data, as the sender reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldTimes {
    /// The times for which the hops say that they held the HTLC, from the first hop on, in
    /// milliseconds.
    pub held_ms: Vec<u64>,
    /// The first hop whose HMAC is wrong: it or the hop before it spoiled the data, or it does not
    /// support attribution. `None` means that all hops are right.
    pub spoiled_at: Option<usize>,
}

/// Builds a failure as [`crate::build_failure`] does, with attribution data. `held_ms` is how long
/// we held the HTLC.
pub fn build_attributed_failure(
    shared_secret: &[u8; 32],
    failure: &Failure,
    held_ms: u64,
) -> AttributedFailure {
    attribute(shared_secret, &plain_packet(shared_secret, failure), Block::zero(), held_ms)
}

/// Wraps a failure as [`crate::wrap_failure`] does, with attribution data. `downstream` is the data
/// that came with the failure, if any.
pub fn wrap_attributed_failure(
    shared_secret: &[u8; 32],
    reason: &[u8],
    downstream: Option<&Attribution>,
    held_ms: u64,
) -> AttributedFailure {
    attribute(shared_secret, reason, Block::received(downstream), held_ms)
}

/// Makes the attribution data of a fulfill. `downstream` is the data that came with the fulfill
/// that we pass on, and `None` at the recipient.
pub fn attribute_fulfill(
    shared_secret: &[u8; 32],
    downstream: Option<&Attribution>,
    held_ms: u64,
) -> Attribution {
    Block::received(downstream).sign(shared_secret, &[], held_ms)
}

/// Reads the attribution data of a failure. `hops` ends with the hop that [`crate::decode_failure`]
/// found, or is the whole route if it found none: then [`HoldTimes::spoiled_at`] is the hop to
/// blame. Returns `None` if the session key is not a private key or a node id is not a public key.
pub fn read_failure_attribution(
    session_key: &[u8; 32],
    hops: &[NodeId],
    reason: &[u8],
    attribution: &Attribution,
) -> Option<HoldTimes> {
    read(session_key, hops, Some(reason), attribution)
}

/// Reads the attribution data of a fulfill. Returns `None` if the session key is not a private key
/// or a node id is not a public key.
pub fn read_fulfill_attribution(
    session_key: &[u8; 32],
    hops: &[NodeId],
    attribution: &Attribution,
) -> Option<HoldTimes> {
    read(session_key, hops, None, attribution)
}

fn attribute(secret: &[u8; 32], packet: &[u8], block: Block, held_ms: u64) -> AttributedFailure {
    let attribution = block.sign(secret, packet, held_ms);
    AttributedFailure { reason: wrap_failure(secret, packet), attribution }
}

fn read(
    session_key: &[u8; 32],
    hops: &[NodeId],
    reason: Option<&[u8]>,
    attribution: &Attribution,
) -> Option<HoldTimes> {
    let mut message = reason.map(<[u8]>::to_vec);
    let mut block = Block::from(attribution);
    let mut held_ms = Vec::new();
    let reach = hops.len().min(HOPS);
    for (hop_index, secret) in route_secrets(session_key, hops)?.iter().take(HOPS).enumerate() {
        message = message.map(|packet| wrap_failure(secret, &packet));
        block.obfuscate(secret);
        // The number of hops that come after this one, as far as attribution reaches.
        let after = reach.saturating_sub(hop_index).saturating_sub(1);
        let um = keys::derive(KeyType::Um, secret);
        if block.own_hmac(after) != block.hmac(&um, message.as_deref().unwrap_or(&[]), after) {
            return Some(HoldTimes { held_ms, spoiled_at: Some(hop_index) });
        }
        held_ms.push(block.newest_hold_time_ms());
        block.remove_newest();
    }
    Some(HoldTimes { held_ms, spoiled_at: None })
}

/// Attribution data, split into words.
struct Block {
    hold_times: [Word; HOPS],
    /// The HMACs. Row `x` belongs to the hop `x` places after the newest; its entry `y` is the HMAC
    /// for the case that `y` hops come after that one. Row `x` uses entries `0..HOPS - x`.
    hmacs: [[Word; HOPS]; HOPS],
}

impl Block {
    fn zero() -> Self {
        Self { hold_times: [[0; 4]; HOPS], hmacs: [[[0; 4]; HOPS]; HOPS] }
    }

    /// Takes over what came from downstream and makes room for our own entries.
    fn received(downstream: Option<&Attribution>) -> Self {
        let Some(attribution) = downstream else { return Self::zero() };
        let mut block = Self::from(attribution);
        block.hold_times.rotate_right(1);
        block.hmacs.rotate_right(1);
        block.hold_times[0] = [0; 4];
        block.hmacs[0] = [[0; 4]; HOPS];
        block
    }

    /// Fills in our own entries and obfuscates the whole.
    fn sign(mut self, secret: &[u8; 32], message: &[u8], held_ms: u64) -> Attribution {
        let units = u32::try_from(held_ms / HOLD_TIME_UNIT_MS).unwrap_or(u32::MAX);
        self.hold_times[0] = units.to_be_bytes();
        let um = keys::derive(KeyType::Um, secret);
        let own: Vec<Word> = (0..HOPS).map(|after| self.hmac(&um, message, after)).collect();
        self.hmacs[0].copy_from_slice(&own);
        self.obfuscate(secret);
        Attribution::from(&self)
    }

    /// Computes the newest hop's HMAC for the case that `after` hops come after it: over the
    /// message, the hold times, and the HMACs that those hops made for the same case.
    fn hmac(&self, um: &[u8; 32], message: &[u8], after: usize) -> Word {
        let hold_times = self.hold_times.iter().take(after.saturating_add(1)).flatten();
        let downstream = (0..after).rev().zip(self.hmacs.iter().skip(1));
        let downstream = downstream.filter_map(|(place, row)| row.get(place)).flatten();
        let words: Vec<u8> = hold_times.chain(downstream).copied().collect();
        let [a, b, c, d, ..] = keys::hmac(um, &[message, &words]);
        [a, b, c, d]
    }

    fn own_hmac(&self, after: usize) -> Word {
        self.hmacs[0].get(after).copied().unwrap_or_default()
    }

    fn newest_hold_time_ms(&self) -> u64 {
        u64::from(u32::from_be_bytes(self.hold_times[0])).saturating_mul(HOLD_TIME_UNIT_MS)
    }

    /// Undoes the shift that the newest hop made. What that shift pushed out is lost, and not
    /// needed: it was for routes longer than attribution reaches.
    fn remove_newest(&mut self) {
        self.hold_times.rotate_left(1);
        self.hmacs.rotate_left(1);
    }

    fn obfuscate(&mut self, secret: &[u8; 32]) {
        let mut bytes = Attribution::from(&*self);
        keys::xor_stream(&keys::derive(KeyType::AmmagExt, secret), &mut bytes.0);
        *self = Self::from(&bytes);
    }

    /// Lists the words in the order of the wire: hold times, then each row from its furthest place
    /// down.
    fn words_mut(&mut self) -> impl Iterator<Item = &mut Word> {
        let rows = self.hmacs.iter_mut().enumerate();
        let hmacs = rows.flat_map(|(x, row)| row.iter_mut().take(HOPS - x).rev());
        self.hold_times.iter_mut().chain(hmacs)
    }

    fn words(&self) -> impl Iterator<Item = &Word> {
        let rows = self.hmacs.iter().enumerate();
        let hmacs = rows.flat_map(|(x, row)| row.iter().take(HOPS - x).rev());
        self.hold_times.iter().chain(hmacs)
    }
}

impl From<&Attribution> for Block {
    fn from(attribution: &Attribution) -> Self {
        let mut block = Self::zero();
        let bytes = attribution.0.as_chunks::<4>().0;
        block.words_mut().zip(bytes).for_each(|(word, bytes)| *word = *bytes);
        block
    }
}

impl From<&Block> for Attribution {
    fn from(block: &Block) -> Self {
        let mut bytes = [0; ATTRIBUTION_BYTES];
        bytes.iter_mut().zip(block.words().flatten()).for_each(|(to, from)| *to = *from);
        Self(bytes)
    }
}

impl std::fmt::Debug for Attribution {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Attribution(920 bytes)")
    }
}
