//! Public hosted channels (docs/protocol.md section 5) as part of the graph. The caller verifies
//! signatures, and whether a node may have such a channel at all. Nobody calls it yet: the gossip of
//! public hosted channels is not asked for.
//!
//! The router uses a channel once an update of BOTH directions is known, and forgets it 14 days
//! after the last one. The first channel that is announced under a number keeps it.

use bitcoin::constants::ChainHash;
use lightning::ln::msgs::{LightningError, UnsignedChannelUpdate};
use lightning::routing::gossip::NodeId as LdkNodeId;
use lightning_types::features::ChannelFeatures;
use steward_wire::{ChannelAnnouncement, ChannelUpdate, MESSAGE_FLAG_MUST_BE_ONE, NodeId};

use crate::error::GossipError;
use crate::graph::Graph;
use crate::limits::{MAX_CHANNELS, MAX_MONEY_MSAT};

impl Graph {
    /// Adds a channel that the caller has verified (docs/protocol.md section 5.7). `capacity_sat`
    /// is given if it is known; otherwise the `htlc_maximum_msat` of the updates replaces it.
    /// `now_ms` is the unix time, in milliseconds.
    ///
    /// # Errors
    /// [`GossipError::KnownChannel`] if the number is taken, even by the same channel; `WrongChain`,
    /// `BadNodeIds`, `Full`.
    pub fn apply_announcement(
        &self,
        announcement: &ChannelAnnouncement,
        capacity_sat: Option<u64>,
        now_ms: u64,
    ) -> Result<(), GossipError> {
        self.check_chain(&announcement.chain_hash)?;
        let (node_1, node_2) = (announcement.node_id_1, announcement.node_id_2);
        if node_1 >= node_2 {
            return Err(GossipError::BadNodeIds);
        }
        let (node_1, node_2) = (to_ldk_node(node_1)?, to_ldk_node(node_2)?);
        let scid = announcement.short_channel_id;
        {
            let graph = self.channels.read_only();
            if graph.channel(scid.0).is_some() {
                return Err(GossipError::KnownChannel(scid));
            }
            if graph.channels().len() >= MAX_CHANNELS {
                return Err(GossipError::Full);
            }
        }
        let features = ChannelFeatures::from_be_bytes(announcement.features.clone());
        let capacity_sat = capacity_sat.map(|sat| sat.min(MAX_MONEY_MSAT / 1_000));
        let now = now_ms / 1_000;
        self.channels
            .add_channel_from_partial_announcement(
                scid.0,
                capacity_sat,
                now,
                features,
                node_1,
                node_2,
            )
            .map_err(refused)
    }

    /// Sets one direction of a known channel; the caller has verified the signature.
    ///
    /// # Errors
    /// [`GossipError::UnknownChannel`], `WrongChain`, or `Refused` if the update is not newer than
    /// the known one, more than 14 days old or a day ahead by the system's clock, or promises more
    /// than the capacity.
    pub fn apply_update(&self, update: &ChannelUpdate) -> Result<(), GossipError> {
        self.check_chain(&update.chain_hash)?;
        let scid = update.short_channel_id;
        if self.channels.read_only().channel(scid.0).is_none() {
            return Err(GossipError::UnknownChannel(scid));
        }
        let Some(htlc_maximum_msat) = update.htlc_maximum_msat else {
            return Err(GossipError::Refused(
                "it does not say what the channel carries".to_owned(),
            ));
        };
        let contents = UnsignedChannelUpdate {
            chain_hash: ChainHash::from(update.chain_hash),
            short_channel_id: scid.0,
            timestamp: update.timestamp,
            message_flags: MESSAGE_FLAG_MUST_BE_ONE,
            channel_flags: update.channel_flags,
            cltv_expiry_delta: update.cltv_expiry_delta,
            htlc_minimum_msat: update.htlc_minimum_msat,
            htlc_maximum_msat,
            fee_base_msat: update.fee_base_msat,
            fee_proportional_millionths: update.fee_proportional_millionths,
            excess_data: Vec::new(),
        };
        self.channels.update_channel_unsigned(&contents).map(drop).map_err(refused)
    }

    fn check_chain(&self, chain_hash: &[u8; 32]) -> Result<(), GossipError> {
        match self.channels.get_chain_hash() == ChainHash::from(*chain_hash) {
            true => Ok(()),
            false => Err(GossipError::WrongChain),
        }
    }
}

/// Converts a node id and refuses a bad key: in the graph it would spoil every route that meets it.
fn to_ldk_node(node: NodeId) -> Result<LdkNodeId, GossipError> {
    let key = node.public_key().ok_or(GossipError::BadNodeIds)?;
    Ok(LdkNodeId::from_pubkey(&key))
}

fn refused(error: LightningError) -> GossipError {
    GossipError::Refused(error.err)
}
