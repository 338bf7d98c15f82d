//! Route hints: the last channels of the way to a payee, as the payee names them.

use lightning_types::routing::{RouteHint, RouteHintHop, RoutingFees};
use steward_wire::{NodeId, ShortChannelId};

/// One channel of a hint, towards the payee. A hosted channel is hinted like any other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HintHop {
    /// The node at the channel's far end: the one that forwards.
    pub node_id: NodeId,
    /// The channel.
    pub scid: ShortChannelId,
    /// What `node_id` asks for each HTLC, in millisatoshi.
    pub fee_base_msat: u32,
    /// What `node_id` asks of the amount, in millionths.
    pub fee_ppm: u32,
    /// Blocks between incoming and outgoing expiry at `node_id`.
    pub cltv_expiry_delta: u16,
}

impl HintHop {
    /// `None` if the node id is not a public key.
    pub(crate) fn to_ldk(&self) -> Option<RouteHintHop> {
        Some(RouteHintHop {
            src_node_id: self.node_id.public_key()?,
            short_channel_id: self.scid.0,
            fees: RoutingFees {
                base_msat: self.fee_base_msat,
                proportional_millionths: self.fee_ppm,
            },
            cltv_expiry_delta: self.cltv_expiry_delta,
            htlc_minimum_msat: None,
            htlc_maximum_msat: None,
        })
    }
}

impl From<&RouteHintHop> for HintHop {
    fn from(hop: &RouteHintHop) -> Self {
        Self {
            node_id: NodeId::from(hop.src_node_id),
            scid: ShortChannelId(hop.short_channel_id),
            fee_base_msat: hop.fees.base_msat,
            fee_ppm: hop.fees.proportional_millionths,
            cltv_expiry_delta: hop.cltv_expiry_delta,
        }
    }
}

pub(crate) fn from_ldk(hint: &RouteHint) -> Vec<HintHop> {
    hint.0.iter().map(HintHop::from).collect()
}
