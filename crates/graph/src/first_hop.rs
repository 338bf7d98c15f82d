//! A hosted channel of ours in the form that LDK's router reads.

use lightning::ln::channel_state::{ChannelCounterparty, ChannelDetails};
use lightning::ln::types::ChannelId;
use lightning_types::features::InitFeatures;
use steward_engine::io::FirstHop;

use crate::limits::MAX_MONEY_MSAT;

/// Converts a channel. Returns `None` if the peer's id is not a public key.
///
/// The router reads the peer, the channel's number and what one HTLC may carry; the rest concerns
/// on-chain channels.
pub(crate) fn to_channel_details(hop: &FirstHop) -> Option<ChannelDetails> {
    let spendable_msat = hop.spendable_msat.min(MAX_MONEY_MSAT);
    Some(ChannelDetails {
        channel_id: ChannelId::new_zero(),
        counterparty: ChannelCounterparty {
            node_id: hop.peer.public_key()?,
            features: InitFeatures::empty(),
            unspendable_punishment_reserve: 0,
            forwarding_info: None,
            outbound_htlc_minimum_msat: Some(hop.htlc_minimum_msat),
            outbound_htlc_maximum_msat: None,
        },
        funding_txo: None,
        channel_type: None,
        short_channel_id: Some(hop.short_channel_id.0),
        outbound_scid_alias: None,
        inbound_scid_alias: None,
        channel_value_satoshis: hop.capacity_msat.min(MAX_MONEY_MSAT) / 1_000,
        unspendable_punishment_reserve: None,
        user_channel_id: 0,
        feerate_sat_per_1000_weight: None,
        outbound_capacity_msat: spendable_msat,
        next_outbound_htlc_limit_msat: spendable_msat,
        next_outbound_htlc_minimum_msat: hop.htlc_minimum_msat,
        next_splice_out_maximum_sat: 0,
        inbound_capacity_msat: 0,
        confirmations_required: None,
        confirmations: None,
        force_close_spend_delay: None,
        is_outbound: true,
        is_channel_ready: true,
        channel_shutdown_state: None,
        is_usable: true,
        is_announced: false,
        inbound_htlc_minimum_msat: None,
        inbound_htlc_maximum_msat: None,
        config: None,
        pending_inbound_htlcs: Vec::new(),
        pending_outbound_htlcs: Vec::new(),
        funding_redeem_script: None,
        current_dust_exposure_msat: None,
        splice_details: None,
    })
}
