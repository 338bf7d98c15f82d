//! The feerates that claims are made with.

use lightning::chain::chaininterface::{ConfirmationTarget, FeeEstimator};

use crate::limits::{MAX_FEERATE_PER_KW, MIN_FEERATE_PER_KW};

/// Feerates, in satoshi per 1000 weight units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feerates {
    /// For what has a deadline: about three blocks, and at least the mempool's minimum.
    pub urgent_per_kw: u32,
    /// For what has none: about half a day.
    pub relaxed_per_kw: u32,
}

impl Feerates {
    pub(crate) fn urgent(&self) -> u32 {
        self.urgent_per_kw.clamp(MIN_FEERATE_PER_KW, MAX_FEERATE_PER_KW)
    }

    pub(crate) fn relaxed(&self) -> u32 {
        self.relaxed_per_kw.clamp(MIN_FEERATE_PER_KW, self.urgent())
    }
}

impl FeeEstimator for Feerates {
    fn get_est_sat_per_1000_weight(&self, target: ConfirmationTarget) -> u32 {
        match target {
            ConfirmationTarget::MaximumFeeEstimate | ConfirmationTarget::UrgentOnChainSweep => {
                self.urgent()
            }
            ConfirmationTarget::OutputSpendingFee | ConfirmationTarget::AnchorChannelFee => {
                self.relaxed()
            }
            // What a living channel asks, which is not our matter.
            _ => self.relaxed(),
        }
    }
}
