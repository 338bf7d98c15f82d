//! The peer's revocation secrets, all of them in at most 49 entries (BOLT 3, "Efficient
//! Per-commitment Secret Storage").

use bitcoin::hashes::{Hash, sha256};

use crate::limits::MAX_COMMITMENT_NUMBER;

/// The most entries: one for each number of low zero bits of a 48-bit index.
const MAX_ENTRIES: usize = 49;

/// A secret that does not go with those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the secret does not go with the ones before it")]
pub struct BadSecret;

/// The secrets of all commitments that one side has revoked, in order from commitment 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shachain {
    /// The secret at each number of low zero bits, from which others follow.
    entries: Vec<Entry>,
    /// The number of secrets.
    count: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    index: u64,
    secret: [u8; 32],
}

impl Shachain {
    /// Returns how many secrets there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Adds the secret of the next commitment.
    ///
    /// # Errors
    /// [`BadSecret`] if the secrets before it do not follow from it, as they must.
    pub fn insert(&mut self, secret: [u8; 32]) -> Result<(), BadSecret> {
        let index = MAX_COMMITMENT_NUMBER.checked_sub(self.count).ok_or(BadSecret)?;
        let bits = zero_bits(index);
        for older in self.entries.iter().take(bits) {
            if derive_secret(secret, bits, older.index) != older.secret {
                return Err(BadSecret);
            }
        }
        let entry = Entry { index, secret };
        match self.entries.get_mut(bits) {
            Some(place) => *place = entry,
            None => self.entries.push(entry),
        }
        self.count = self.count.saturating_add(1);
        Ok(())
    }

    /// Returns the secret of a commitment, if it is revoked.
    pub fn secret(&self, number: u64) -> Option<[u8; 32]> {
        if number >= self.count {
            return None;
        }
        let index = MAX_COMMITMENT_NUMBER.checked_sub(number)?;
        let entry = self.entries.iter().enumerate().find(|(bits, entry)| {
            let mask = (1u64 << *bits) - 1;
            index & !mask == entry.index
        });
        entry.map(|(bits, entry)| derive_secret(entry.secret, bits, index))
    }

    /// Returns the stored secrets in their order, for a record.
    pub fn stored(&self) -> impl Iterator<Item = [u8; 32]> + '_ {
        self.entries.iter().map(|entry| entry.secret)
    }

    /// Returns the stored secrets, each with the number of its commitment: all others follow.
    pub fn numbered(&self) -> impl Iterator<Item = (u64, [u8; 32])> + '_ {
        let number = |entry: &Entry| MAX_COMMITMENT_NUMBER.saturating_sub(entry.index);
        self.entries.iter().map(move |entry| (number(entry), entry.secret))
    }

    /// Makes the store of `count` secrets from those that [`Self::stored`] gave.
    ///
    /// # Errors
    /// [`BadSecret`] if there are not as many as `count` needs, or they contradict each other.
    pub fn from_stored(count: u64, secrets: &[[u8; 32]]) -> Result<Self, BadSecret> {
        let mut entries = Vec::with_capacity(secrets.len().min(MAX_ENTRIES));
        for (bits, secret) in secrets.iter().enumerate() {
            let index = last_index(count, bits).ok_or(BadSecret)?;
            entries.push(Entry { index, secret: *secret });
        }
        let is_complete =
            (entries.len()..MAX_ENTRIES).all(|bits| last_index(count, bits).is_none());
        let chain = Self { entries, count };
        // What an older entry can derive of a younger one must be the younger one.
        let agrees = chain.entries.iter().enumerate().all(|(bits, entry)| {
            let younger = chain.entries.iter().take(bits);
            younger.clone().filter(|other| other.index > entry.index).all(|other| {
                other.index & !((1u64 << bits) - 1) != entry.index
                    || derive_secret(entry.secret, bits, other.index) == other.secret
            })
        });
        if is_complete && agrees { Ok(chain) } else { Err(BadSecret) }
    }
}

/// The lowest index seen with exactly `bits` low zero bits after `count` secrets, if there is one.
fn last_index(count: u64, bits: usize) -> Option<u64> {
    let lowest = MAX_COMMITMENT_NUMBER.checked_add(1)?.checked_sub(count)?;
    if count == 0 || bits >= MAX_ENTRIES {
        return None;
    }
    let step = 1u64 << bits;
    if bits == MAX_ENTRIES - 1 {
        return (lowest == 0).then_some(0);
    }
    // The first multiple of `step`, at or above `lowest`, whose next bit is set.
    let multiple = lowest.checked_add(step - 1)? / step * step;
    let index = if multiple & step == 0 { multiple.checked_add(step)? } else { multiple };
    (index <= MAX_COMMITMENT_NUMBER).then_some(index)
}

fn zero_bits(index: u64) -> usize {
    usize::try_from(index.trailing_zeros()).unwrap_or(usize::MAX).min(MAX_ENTRIES - 1)
}

/// Derives the secret of `index` from a secret that stands for all indexes which differ from its
/// own in the lowest `bits` bits only. From a seed, with 48 bits, it derives every secret.
pub fn derive_secret(secret: [u8; 32], bits: usize, index: u64) -> [u8; 32] {
    let mut derived = secret;
    for bit in (0..bits).rev() {
        if index >> bit & 1 == 1 {
            if let Some(byte) = derived.get_mut(bit / 8) {
                *byte ^= 1 << (bit % 8);
            }
            derived = sha256::Hash::hash(&derived).to_byte_array();
        }
    }
    derived
}
