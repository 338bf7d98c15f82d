//! The reasons why there is no route, and why gossip is not taken into the graph.

use steward_engine::io::{NO_ROUTE, NoRoute};
use steward_onion::CreateError;
use steward_wire::amount::in_sat;
use steward_wire::{NodeId, ShortChannelId};

use crate::limits::{MAX_CHANNELS, MAX_MONEY_MSAT, MAX_TOTAL_CLTV_BLOCKS};

/// The reason why a payment has no route. Amounts are in millisatoshi.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// Payer and payee are the same node.
    #[error("a node cannot pay itself")]
    ToSelf,
    /// The payer's or the payee's id is not a public key.
    #[error("{0} is not a public key")]
    InvalidNodeId(NodeId),
    /// The amount is zero, or less than any of our channels carries.
    #[error("the amount is too small: the least that can be sent is {}", in_sat(*.minimum_msat))]
    AmountTooSmall {
        /// The least that can be sent, in millisatoshi.
        minimum_msat: u64,
    },
    /// The amount is more than all bitcoin.
    #[error("the amount must be below {}", in_sat(MAX_MONEY_MSAT))]
    AmountTooLarge,
    /// The payee, or the height, asks for an expiry that no node would accept.
    #[error("the payee asks for an expiry of {MAX_TOTAL_CLTV_BLOCKS} blocks or more")]
    ExpiryTooFar,
    /// No channel of ours can send anything, or all were tried.
    #[error("no channel can send now")]
    NoChannel,
    /// Our channels cannot carry amount and fee.
    #[error(
        "{} can be sent now, {} are needed with the fee",
        in_sat(*.spendable_msat),
        in_sat(*.needed_msat)
    )]
    InsufficientBalance {
        /// The sum that our channels can send, in millisatoshi; only those that lead to the payee
        /// count if the others have more.
        spendable_msat: u64,
        /// The amount, with the fee as far as it is known, in millisatoshi.
        needed_msat: u64,
    },
    /// The cheapest route found costs too much.
    #[error("the fee would be {}, {} are allowed", in_sat(*.needed_msat), in_sat(*.max_fee_msat))]
    FeeTooHigh {
        /// The fee of the route, in millisatoshi.
        needed_msat: u64,
        /// The fee that the request allows, in millisatoshi.
        max_fee_msat: u64,
    },
    /// No route to the payee is known.
    #[error("no route to the payee was found")]
    NoRoute,
    /// There is a route, but its onion cannot be made.
    #[error("the payment's onion cannot be made: {0}")]
    Onion(#[from] CreateError),
}

impl From<RouteError> for NoRoute {
    fn from(error: RouteError) -> Self {
        let code = match error {
            RouteError::InsufficientBalance { .. } => "insufficient_balance",
            RouteError::FeeTooHigh { .. } => "fee_too_high",
            RouteError::AmountTooSmall { .. } => "amount_below_minimum",
            _ => NO_ROUTE,
        };
        Self { code, text: error.to_string() }
    }
}

/// The reason why an announcement or an update is not taken into the graph.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GossipError {
    /// The gossip belongs to another chain.
    #[error("it belongs to another chain")]
    WrongChain,
    /// A node id is not a public key, or the two are not in ascending order.
    #[error("the node ids are not two public keys in ascending order")]
    BadNodeIds,
    /// The channel is in the graph already, perhaps an on-chain one of the same number.
    #[error("channel {0} is known already")]
    KnownChannel(ShortChannelId),
    /// The channel was not announced.
    #[error("channel {0} was not announced")]
    UnknownChannel(ShortChannelId),
    /// The graph has [`MAX_CHANNELS`] channels.
    #[error("the graph holds {MAX_CHANNELS} channels, no more fit")]
    Full,
    /// LDK refuses: the gossip is too old, not newer than what is known, from the future, or out of
    /// range.
    #[error("{0}")]
    Refused(String),
}
