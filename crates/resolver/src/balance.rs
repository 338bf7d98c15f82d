//! What is ours in a dying channel.

use lightning::chain::channelmonitor::Balance as LdkBalance;
use steward_wire::PaymentHash;

/// A part of what is ours, or may be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Balance {
    /// The channel is not closed: what our commitment pays us.
    OnClose {
        /// The value, in satoshi.
        amount_sat: u64,
    },
    /// Ours from a height on, unless blocks are replaced.
    Confirming {
        /// The value, in satoshi.
        amount_sat: u64,
        /// The height.
        height: u32,
    },
    /// An incoming HTLC whose preimage we have: it must be claimed before its expiry.
    Contested {
        /// The value, in satoshi.
        amount_sat: u64,
        /// Its expiry.
        expiry: u32,
        /// Its hash.
        payment_hash: PaymentHash,
    },
    /// An outgoing HTLC: it comes back after its expiry, unless the remote side has the preimage.
    Returning {
        /// The value, in satoshi.
        amount_sat: u64,
        /// Its expiry.
        expiry: u32,
        /// Its hash.
        payment_hash: PaymentHash,
    },
    /// An incoming HTLC whose preimage we do not have.
    Unclaimed {
        /// The value, in satoshi.
        amount_sat: u64,
        /// Its expiry.
        expiry: u32,
        /// Its hash.
        payment_hash: PaymentHash,
    },
    /// An output of a revoked commitment, all of whose outputs are ours.
    Punished {
        /// The value, in satoshi.
        amount_sat: u64,
    },
}

impl Balance {
    /// Turns LDK's balances into ours, in an order of their own.
    pub(crate) fn sorted(balances: Vec<LdkBalance>) -> Vec<Self> {
        let mut balances: Vec<Self> = balances.into_iter().filter_map(Self::from_ldk).collect();
        balances.sort_unstable();
        balances
    }

    fn from_ldk(balance: LdkBalance) -> Option<Self> {
        Some(match balance {
            LdkBalance::ClaimableOnChannelClose { balance_candidates, .. } => {
                // One funding output has one candidate.
                Self::OnClose { amount_sat: balance_candidates.first()?.amount_satoshis }
            }
            LdkBalance::ClaimableAwaitingConfirmations {
                amount_satoshis,
                confirmation_height,
                ..
            } => Self::Confirming { amount_sat: amount_satoshis, height: confirmation_height },
            LdkBalance::ContentiousClaimable {
                amount_satoshis,
                timeout_height,
                payment_hash,
                ..
            } => Self::Contested {
                amount_sat: amount_satoshis,
                expiry: timeout_height,
                payment_hash: PaymentHash(payment_hash.0),
            },
            LdkBalance::MaybeTimeoutClaimableHTLC {
                amount_satoshis,
                claimable_height,
                payment_hash,
                ..
            } => Self::Returning {
                amount_sat: amount_satoshis,
                expiry: claimable_height,
                payment_hash: PaymentHash(payment_hash.0),
            },
            LdkBalance::MaybePreimageClaimableHTLC {
                amount_satoshis,
                expiry_height,
                payment_hash,
                ..
            } => Self::Unclaimed {
                amount_sat: amount_satoshis,
                expiry: expiry_height,
                payment_hash: PaymentHash(payment_hash.0),
            },
            LdkBalance::CounterpartyRevokedOutputClaimable { amount_satoshis } => {
                Self::Punished { amount_sat: amount_satoshis }
            }
        })
    }
}
