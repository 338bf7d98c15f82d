//! The operator's settings: the host's offer, policies and limits.

use std::collections::BTreeSet;

use bitcoin::Network;
use steward_wire::features::{INIT_HOSTED_CHANNELS, INIT_RESIZABLE};
use steward_wire::{InitHostedChannel, NodeId};

/// Our terms for forwarding a payment to a hosted channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The fixed fee, in millisatoshi.
    pub fee_base_msat: u32,
    /// The proportional fee, in millionths of the amount forwarded.
    pub fee_ppm: u32,
    /// The distance between the outgoing and the incoming expiry, in blocks.
    pub cltv_expiry_delta_blocks: u16,
}

impl Default for Policy {
    fn default() -> Self {
        Self { fee_base_msat: 1000, fee_ppm: 1000, cltv_expiry_delta_blocks: 144 }
    }
}

impl Policy {
    /// The fee for forwarding `amount_msat`; `None` if it does not fit.
    pub fn fee_msat(&self, amount_msat: u64) -> Option<u64> {
        let proportional = u128::from(amount_msat) * u128::from(self.fee_ppm) / 1_000_000;
        u64::try_from(proportional).ok()?.checked_add(u64::from(self.fee_base_msat))
    }
}

/// The conditions under which a peer may open a hosted channel with us, and its terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostConfig {
    /// False if we open no new channels. Those that exist go on.
    pub accept_new_channels: bool,
    /// The terms of a new channel.
    pub offer: InitHostedChannel,
    /// The largest capacity a client may resize to, in satoshi.
    pub max_capacity_sat: u64,
    /// The secrets that open a channel. If there are none and none is required, any peer may open
    /// one.
    pub secrets: Vec<Vec<u8>>,
    /// True if a peer must show one of the secrets to open a channel.
    pub require_secret: bool,
    /// The clients that are believed, within the offer's limits, if they show a valid state and our
    /// own record is missing. Each is named: a signature of ours does not say which client it was
    /// given to, so any node that has seen a state could claim the balance in it.
    pub adopt_lost_state: BTreeSet<NodeId>,
    /// The highest number of channels opened within an hour, over all peers.
    pub max_opens_per_hour: u32,
    /// The highest number of channels opened within an hour from one network prefix.
    pub max_opens_per_prefix_per_hour: u32,
    /// The highest number of channels in all.
    pub max_channels: u32,
    /// The branding, sent to clients that ask how we want to be shown.
    pub branding: Option<steward_wire::HostedChannelBranding>,
}

impl Default for HostConfig {
    fn default() -> Self {
        Self {
            accept_new_channels: true,
            offer: default_offer(1_000_000),
            max_capacity_sat: 10_000_000,
            secrets: Vec::new(),
            require_secret: false,
            adopt_lost_state: BTreeSet::new(),
            max_opens_per_hour: 1800,
            max_opens_per_prefix_per_hour: 60,
            max_channels: 1_000_000,
            branding: None,
        }
    }
}

/// Our default terms for a channel of this capacity, in satoshi.
pub fn default_offer(capacity_sat: u64) -> InitHostedChannel {
    let capacity_msat = capacity_sat.saturating_mul(1000);
    InitHostedChannel {
        max_htlc_value_in_flight_msat: capacity_msat,
        htlc_minimum_msat: 1000,
        max_accepted_htlcs: 21,
        channel_capacity_msat: capacity_msat,
        initial_client_balance_msat: 0,
        features: vec![INIT_HOSTED_CHANNELS, INIT_RESIZABLE],
    }
}

/// Everything an operator sets that the engine must know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The chain.
    pub network: Network,
    /// The hash of its genesis block, in internal byte order.
    pub chain_hash: [u8; 32],
    /// The settings of a host.
    pub host: HostConfig,
    /// The terms for forwards.
    pub policy: Policy,
    /// True if we accept payments without an invoice.
    pub accept_keysend: bool,
}
