//! The time to wait before the next attempt to reach a peer. There is no clock and no randomness
//! here: the caller passes both in.

use std::time::Duration;

use crate::limits::{BACKOFF_MAX, BACKOFF_MIN, BACKOFF_RESET_AFTER};

/// Delays that double from [`BACKOFF_MIN`] to [`BACKOFF_MAX`], each with jitter, so that the
/// clients of a host that restarts do not all return at once.
#[derive(Clone, Debug, Default)]
pub struct Backoff {
    /// The number of delays since the last good connection.
    given: u32,
}

impl Backoff {
    /// Returns the next delay: at least the base of this attempt and less than twice of it.
    /// `random` is uniform and chooses between them.
    pub fn next_delay(&mut self, random: u64) -> Duration {
        let doubled = 2u32.checked_pow(self.given).and_then(|times| BACKOFF_MIN.checked_mul(times));
        // The base is at most half of the maximum, since jitter may double it.
        let base = doubled.unwrap_or(BACKOFF_MAX).min(BACKOFF_MAX / 2);
        self.given = self.given.saturating_add(1);
        let jitter_ms = (base.as_millis() * u128::from(random)) >> u64::BITS;
        base + Duration::from_millis(u64::try_from(jitter_ms).unwrap_or_default())
    }

    /// Takes note of the end of a connection that lasted for `lived`. Only a long one is a reason
    /// to try again soon: a host that accepts us and drops us at once is as good as down.
    pub fn connection_ended(&mut self, lived: Duration) {
        if lived >= BACKOFF_RESET_AFTER {
            self.given = 0;
        }
    }
}
