//! Our terms for forwarding, as `channel_update` (protocol.md section 4.2).

use steward_channel::{Input, Role};
use steward_wire::bolt7::{CHANNEL_FLAG_DIRECTION, MESSAGE_FLAG_MUST_BE_ONE};
use steward_wire::codec::Wire;
use steward_wire::{ChannelUpdate, NodeId, Signature};

use crate::engine::Engine;

impl Engine {
    /// Tells a client what forwarding to it costs, each time its channel becomes active.
    pub(crate) fn announce_policy(&mut self, peer: NodeId) {
        let is_host =
            self.channels.get(&peer).is_some_and(|entry| entry.channel.role() == Role::Host);
        if is_host && let Some(update) = self.own_update(&peer) {
            self.drive(peer, Input::OwnPolicy(update));
        }
    }

    /// The update for failures that carry one, with its message type as BOLT4 wants; empty if the
    /// channel is gone.
    pub(crate) fn own_update_for_failure(&self, peer: &NodeId) -> Vec<u8> {
        const CHANNEL_UPDATE_TYPE: u16 = 258;
        let Some(update) = self.own_update(peer) else { return Vec::new() };
        let mut bytes = CHANNEL_UPDATE_TYPE.to_be_bytes().to_vec();
        update.write(&mut bytes);
        bytes
    }

    fn own_update(&self, peer: &NodeId) -> Option<ChannelUpdate> {
        let channel = &self.channels.get(peer)?.channel;
        let local = channel.local();
        let summary = channel.summary();
        let policy = &self.config.policy;
        let mut update = ChannelUpdate {
            signature: Signature::ZERO,
            chain_hash: self.config.chain_hash,
            short_channel_id: channel.scid(),
            timestamp: u32::try_from(self.wall_ms / 1000).unwrap_or(u32::MAX),
            message_flags: MESSAGE_FLAG_MUST_BE_ONE,
            channel_flags: if local > *peer { CHANNEL_FLAG_DIRECTION } else { 0 },
            cltv_expiry_delta: policy.cltv_expiry_delta_blocks,
            htlc_minimum_msat: summary.terms.htlc_minimum_msat,
            fee_base_msat: policy.fee_base_msat,
            fee_proportional_millionths: policy.fee_ppm,
            htlc_maximum_msat: Some(summary.capacity_msat),
            excess: Vec::new(),
        };
        update.sign(&self.key_in_channel(peer));
        Some(update)
    }
}
