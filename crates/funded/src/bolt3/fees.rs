//! Weights and fees of commitments, and which HTLCs have an output (BOLT 3, "Fees").

/// The form of a channel's commitments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `option_static_remotekey` alone. The specification's older vectors have it; no channel of
    /// ours is opened with it.
    StaticRemotekey,
    /// `option_static_remotekey` and `option_anchors`.
    Anchors,
}

/// The value of one anchor output, in satoshi.
pub const ANCHOR_SAT: u64 = 330;

/// The weight of one HTLC's output in a commitment.
const HTLC_OUTPUT_WEIGHT: u64 = 172;

impl Format {
    /// The weight of a commitment without HTLCs.
    fn base_weight(self) -> u64 {
        match self {
            Self::StaticRemotekey => 724,
            Self::Anchors => 1_124,
        }
    }

    /// Returns what the funder pays for both anchors, in satoshi.
    pub fn anchors_sat(self) -> u64 {
        match self {
            Self::StaticRemotekey => 0,
            Self::Anchors => 2 * ANCHOR_SAT,
        }
    }

    /// Returns the fee of a commitment with this many HTLC outputs, in satoshi.
    pub fn commitment_fee_sat(self, feerate_per_kw: u32, htlc_outputs: usize) -> u64 {
        let outputs = u64::try_from(htlc_outputs).unwrap_or(u64::MAX);
        let weight = HTLC_OUTPUT_WEIGHT.saturating_mul(outputs).saturating_add(self.base_weight());
        weight.saturating_mul(u64::from(feerate_per_kw)) / 1_000
    }

    /// Returns the fee of an HTLC's own transaction, in satoshi: a timeout for an HTLC that the
    /// owner of the commitment offers, else a success. With anchors it is brought from outside.
    pub fn htlc_fee_sat(self, feerate_per_kw: u32, offered: bool) -> u64 {
        let weight: u64 = match (self, offered) {
            (Self::Anchors, _) => 0,
            (Self::StaticRemotekey, true) => 663,
            (Self::StaticRemotekey, false) => 703,
        };
        weight.saturating_mul(u64::from(feerate_per_kw)) / 1_000
    }

    /// Returns true if the HTLC is too small for an output in the commitment of an owner with this
    /// dust limit.
    pub fn is_trimmed(
        self,
        amount_msat: u64,
        offered: bool,
        dust_limit_sat: u64,
        feerate_per_kw: u32,
    ) -> bool {
        let least = dust_limit_sat.saturating_add(self.htlc_fee_sat(feerate_per_kw, offered));
        amount_msat / 1_000 < least
    }
}
