//! The cost of one connection: bytes out for bytes in, and the messages of no use that we accept.
//!
//! Both are buckets that fill again with time, so that an honest peer never meets them however
//! long it stays. A connection that empties one is hung up on (docs/threat-model.md, 10).

use crate::face::limits::{
    FREE_BYTES_OUT, MAX_BYTES_OUT_PER_BYTE_IN, MAX_PATIENCE, MAX_SAVED_BYTES_OUT,
    MESSAGE_OVERHEAD_BYTES, PATIENCE_PER_S, REFILL_BYTES_OUT_PER_S,
};

/// The rest of a connection's allowance.
#[derive(Debug)]
pub(crate) struct Allowance {
    /// Bytes that may still be sent.
    bytes_out: u64,
    patience: u32,
    /// The moment up to which both were filled, in milliseconds.
    filled_ms: u64,
}

impl Allowance {
    pub(crate) fn new(now_ms: u64) -> Self {
        Self { bytes_out: FREE_BYTES_OUT, patience: MAX_PATIENCE, filled_ms: now_ms }
    }

    /// A message with this payload came in.
    pub(crate) fn receive(&mut self, payload: &[u8], now_ms: u64) {
        let seconds = now_ms.saturating_sub(self.filled_ms) / 1000;
        self.filled_ms = self.filled_ms.saturating_add(seconds.saturating_mul(1000));
        let patience = u64::from(self.patience)
            .saturating_add(seconds.saturating_mul(u64::from(PATIENCE_PER_S)));
        self.patience = u32::try_from(patience).unwrap_or(u32::MAX).min(MAX_PATIENCE);
        let earned = message_bytes(payload)
            .saturating_mul(MAX_BYTES_OUT_PER_BYTE_IN)
            .saturating_add(seconds.saturating_mul(REFILL_BYTES_OUT_PER_S));
        // The limit takes nothing of earlier savings; nothing more is saved beyond it.
        let bytes_out = self.bytes_out.saturating_add(earned);
        self.bytes_out = bytes_out.min(MAX_SAVED_BYTES_OUT.max(self.bytes_out));
    }

    /// A message with this payload is to be sent. False if that is more than the peer is worth.
    pub(crate) fn send(&mut self, payload: &[u8]) -> bool {
        let left = self.bytes_out.checked_sub(message_bytes(payload));
        self.bytes_out = left.unwrap_or(0);
        left.is_some()
    }

    /// The peer sent something of no use. Returns false if that is once too often.
    pub(crate) fn bear(&mut self, cost: u32) -> bool {
        let left = self.patience.checked_sub(cost);
        self.patience = left.unwrap_or(0);
        left.is_some()
    }
}

/// The size of a message on the wire, in bytes.
fn message_bytes(payload: &[u8]) -> u64 {
    (payload.len() as u64).saturating_add(MESSAGE_OVERHEAD_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_MS: u64 = 1000;

    #[test]
    fn bytes_are_earned_by_bytes_and_by_time() {
        let mut allowance = Allowance::new(0);
        let large = vec![0; usize::try_from(FREE_BYTES_OUT - MESSAGE_OVERHEAD_BYTES).unwrap()];
        assert!(allowance.send(&large));
        assert!(!allowance.send(&[]));
        allowance.receive(&[0; 100], 0);
        let earned = (100 + MESSAGE_OVERHEAD_BYTES) * MAX_BYTES_OUT_PER_BYTE_IN;
        assert!(
            allowance.send(&vec![0; usize::try_from(earned - MESSAGE_OVERHEAD_BYTES).unwrap()])
        );
        assert!(!allowance.send(&[]));
        allowance.receive(&[], 10 * SECOND_MS);
        let earned =
            MESSAGE_OVERHEAD_BYTES * MAX_BYTES_OUT_PER_BYTE_IN + 10 * REFILL_BYTES_OUT_PER_S;
        assert!(
            allowance.send(&vec![0; usize::try_from(earned - MESSAGE_OVERHEAD_BYTES).unwrap()])
        );
        assert!(!allowance.send(&[]));
    }

    /// 21 HTLCs with a wallet's TLV and a signature out, 21 fulfills and two signatures in.
    #[test]
    fn a_payer_at_full_load_never_meets_the_limit() {
        let mut allowance = Allowance::new(0);
        for _ in 0..10_000 {
            assert!((0..21).all(|_| allowance.send(&[0; 1_453 + 70])));
            assert!(allowance.send(&[0; 76]));
            (0..21).for_each(|_| allowance.receive(&[0; 72], 0));
            (0..2).for_each(|_| allowance.receive(&[0; 76], 0));
        }
    }

    #[test]
    fn nobody_saves_more_than_the_limit() {
        let mut allowance = Allowance::new(0);
        for second in 0..100_000 {
            allowance.receive(&[0; 65_000], second * SECOND_MS);
        }
        assert_eq!(allowance.bytes_out, MAX_SAVED_BYTES_OUT);
        assert_eq!(allowance.patience, MAX_PATIENCE);
    }

    #[test]
    fn patience_ends_and_comes_back() {
        let mut allowance = Allowance::new(0);
        assert!(allowance.bear(MAX_PATIENCE));
        assert!(!allowance.bear(1));
        // Parts of a second are not lost.
        for tenth in 1..=10 {
            allowance.receive(&[], tenth * SECOND_MS / 10);
        }
        assert!(allowance.bear(PATIENCE_PER_S));
        assert!(!allowance.bear(1));
    }
}
