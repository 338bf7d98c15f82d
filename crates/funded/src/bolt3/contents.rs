//! What one commitment holds: balances, HTLCs, fee rate. It says nothing of keys.

use steward_wire::PaymentHash;

use super::fees::Format;
use super::parameters::Side;

/// Names an HTLC within a channel: each side counts its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HtlcKey {
    /// The side that offers it.
    pub offered_by: Side,
    /// The number that this side gave it.
    pub id: u64,
}

/// An HTLC in a commitment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommitmentHtlc {
    /// Its name.
    pub key: HtlcKey,
    /// Amount, in millisatoshi.
    pub amount_msat: u64,
    /// Hash whose preimage claims it.
    pub payment_hash: PaymentHash,
    /// Absolute expiry, block height.
    pub cltv_expiry: u32,
}

/// What one commitment holds. Balances are without the HTLCs, and before the funder has paid for
/// fee and anchors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// Our balance, in millisatoshi.
    pub local_msat: u64,
    /// The peer's balance, in millisatoshi.
    pub remote_msat: u64,
    /// Fee rate, in satoshi per 1000 weight units.
    pub feerate_per_kw: u32,
    /// The HTLCs, also those too small for an output.
    pub htlcs: Vec<CommitmentHtlc>,
}

impl Contents {
    /// Returns the balance of one side, in millisatoshi.
    pub fn balance_msat(&self, side: Side) -> u64 {
        match side {
            Side::Local => self.local_msat,
            Side::Remote => self.remote_msat,
        }
    }

    /// Returns the sum of balances and HTLCs, in millisatoshi: always the channel's capacity.
    pub fn total_msat(&self) -> Option<u64> {
        let balances = self.local_msat.checked_add(self.remote_msat)?;
        self.htlcs.iter().try_fold(balances, |sum, htlc| sum.checked_add(htlc.amount_msat))
    }

    /// Tells which HTLCs have an output in the commitment of `owner`.
    pub fn is_trimmed(
        &self,
        htlc: &CommitmentHtlc,
        format: Format,
        owner: Side,
        dust_limit_sat: u64,
    ) -> bool {
        let offered = htlc.key.offered_by == owner;
        format.is_trimmed(htlc.amount_msat, offered, dust_limit_sat, self.feerate_per_kw)
    }

    /// Returns how many HTLCs have an output in the commitment of `owner`.
    pub fn outputs(&self, format: Format, owner: Side, dust_limit_sat: u64) -> usize {
        let has_output =
            |htlc: &&CommitmentHtlc| !self.is_trimmed(htlc, format, owner, dust_limit_sat);
        self.htlcs.iter().filter(has_output).count()
    }
}
