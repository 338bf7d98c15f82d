//! Route hints: the last channels of the route to a payee, as the payee names them.

use lightning_types::routing::{RouteHintHop, RoutingFees};
use steward_wire::{NodeId, ShortChannelId};

use crate::error::ParseError;

/// One channel of a hint, towards the payee. A hint names a hosted channel like any other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HintHop {
    /// The node at the channel's far end, which forwards.
    pub node_id: NodeId,
    /// The short id of the channel.
    pub scid: ShortChannelId,
    /// The fee that `node_id` asks for each HTLC, in millisatoshi.
    pub fee_base_msat: u32,
    /// The share of the amount that `node_id` asks for, in millionths.
    pub fee_ppm: u32,
    /// The blocks between incoming and outgoing expiry at `node_id`.
    pub cltv_expiry_delta: u16,
}

impl HintHop {
    /// Converts the hop. Returns `None` if the node id is not a public key.
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

/// The size of one hop, in bytes: key, channel, two fees, delta.
const HOP_BYTES: usize = 33 + 8 + 4 + 4 + 2;

/// Reads the hops of one `r` field. Returns `None` if it has none, which carries no information.
pub(crate) fn read(bytes: &[u8]) -> Result<Option<Vec<HintHop>>, ParseError> {
    let hops = bytes.chunks_exact(HOP_BYTES);
    if !hops.remainder().is_empty() {
        return Err(ParseError::Malformed("a route hint has the wrong length"));
    }
    let hops: Vec<HintHop> = hops.map(read_hop).collect::<Result<_, _>>()?;
    Ok(Some(hops).filter(|hops| !hops.is_empty()))
}

/// Reads one hop. An invalid key makes the whole invoice invalid, as in other implementations: a
/// payee that writes such a key is not to be trusted with money.
fn read_hop(bytes: &[u8]) -> Result<HintHop, ParseError> {
    let (node_id, rest) = bytes.split_first_chunk().ok_or(CUT_OFF)?;
    let (scid, rest) = rest.split_first_chunk().ok_or(CUT_OFF)?;
    let (fee_base_msat, rest) = rest.split_first_chunk().ok_or(CUT_OFF)?;
    let (fee_ppm, rest) = rest.split_first_chunk().ok_or(CUT_OFF)?;
    let (cltv_expiry_delta, _) = rest.split_first_chunk().ok_or(CUT_OFF)?;
    let node_id = NodeId(*node_id);
    node_id.public_key().ok_or(ParseError::BadHintNode)?;
    Ok(HintHop {
        node_id,
        scid: ShortChannelId(u64::from_be_bytes(*scid)),
        fee_base_msat: u32::from_be_bytes(*fee_base_msat),
        fee_ppm: u32::from_be_bytes(*fee_ppm),
        cltv_expiry_delta: u16::from_be_bytes(*cltv_expiry_delta),
    })
}

const CUT_OFF: ParseError = ParseError::Malformed("a route hint is cut off");
