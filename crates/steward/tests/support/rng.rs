//! Random moments and amounts from a seed. `STEWARD_TEST_SEED` gives the seed of a failure again;
//! moments are real time, so the same seed makes the same kills, not the same interleaving.

use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use std::time::Duration;

/// A generator, SplitMix64.
pub(crate) struct Rng(u64);

impl Rng {
    /// Makes the same sequence for the same seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns a number below a bound, uniform enough for tests.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number from a range that is not empty.
    pub(crate) fn within(&mut self, range: Range<u64>) -> u64 {
        range.start + self.next() % (range.end - range.start)
    }

    /// Returns an index into something of this length, which is not empty.
    pub(crate) fn below(&mut self, length: usize) -> usize {
        usize::try_from(self.next() % length as u64).unwrap()
    }

    /// Returns true one time in two.
    pub(crate) fn is_heads(&mut self) -> bool {
        self.next().is_multiple_of(2)
    }

    /// Returns a delay between nothing and `longest`.
    pub(crate) fn moment(&mut self, longest: Duration) -> Duration {
        Duration::from_micros(self.within(0..u64::try_from(longest.as_micros()).unwrap()))
    }
}

/// Returns the given seed, or a new one.
pub(crate) fn seed() -> u64 {
    match std::env::var("STEWARD_TEST_SEED") {
        Ok(text) => text.parse().expect("STEWARD_TEST_SEED is a decimal number"),
        Err(_) => RandomState::new().hash_one("seed"),
    }
}
