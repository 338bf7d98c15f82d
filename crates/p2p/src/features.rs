//! The feature bits of `init`: those that we announce and those of a peer. What the bits mean for
//! hosted channels is elsewhere.

use std::fmt;
use std::sync::Arc;

use steward_wire::features::{ATTRIBUTION_DATA, HOSTED_CHANNELS, HOSTED_CHANNELS_LEGACY};

use crate::role::PeerRole;

/// The BOLT 9 bits that every Lightning node may require of a peer before it talks at all:
/// data_loss_protect, var_onion_optin, static_remotekey, payment_secret, basic_mpp, channel_type;
/// and option_route_blinding, since we read the `path_key` of an add.
const BASE_BITS: [u32; 7] = [1, 9, 13, 15, 17, 25, 45];

/// The BOLT 9 bits for a peer with which we may have a funded channel:
/// option_upfront_shutdown_script, option_anchors and option_shutdown_anysegwit.
const BRIDGE_BITS: [u32; 3] = [5, 23, 27];

/// The BOLT 9 bit for a peer with which we exchange gossip: gossip_queries.
const GOSSIP_BITS: [u32; 1] = [7];

/// The feature vector of an `init`: big-endian bytes as on the wire, without leading zeros. Clones
/// share the bytes, of which bit 32973 alone makes 4 kB.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Features(Arc<[u8]>);

impl Features {
    /// Reads big-endian bytes, as in `init`.
    pub fn from_be_bytes(bytes: &[u8]) -> Self {
        Self(bytes.iter().copied().skip_while(|byte| *byte == 0).collect())
    }

    /// Makes a vector of exactly these bits.
    pub fn from_bits(bits: &[u32]) -> Self {
        let len = bits.iter().max().map_or(0, |highest| highest / 8 + 1);
        let mut bytes = vec![0; len as usize];
        for bit in bits {
            if let Some(byte) = bytes.iter_mut().rev().nth(*bit as usize / 8) {
                *byte |= 1 << (bit % 8);
            }
        }
        Self(bytes.into())
    }

    /// Makes the vector that we announce to a peer of this role: odd bits only, since nodes refuse
    /// even bits that they do not know.
    pub fn announced(hosted_channels: bool, attribution: bool, role: PeerRole) -> Self {
        let mut bits = BASE_BITS.to_vec();
        if role.bridge {
            bits.extend(BRIDGE_BITS);
        }
        if role.gossip {
            bits.extend(GOSSIP_BITS);
        }
        if attribution {
            bits.push(ATTRIBUTION_DATA);
        }
        if hosted_channels {
            bits.extend([HOSTED_CHANNELS, HOSTED_CHANNELS_LEGACY]);
        }
        Self::from_bits(&bits)
    }

    /// Returns true if this very bit is set; the odd and the even bit of a pair are different bits.
    pub fn has_bit(&self, bit: u32) -> bool {
        steward_wire::features::has_bit(&self.0, bit)
    }

    /// Returns big-endian bytes, as in `init`.
    pub fn as_be_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Lists the bits that are set, ascending.
    pub fn bits(&self) -> impl Iterator<Item = u32> + '_ {
        let len = u32::try_from(self.0.len()).unwrap_or(u32::MAX / 8);
        (0..len.saturating_mul(8)).filter(|bit| self.has_bit(*bit))
    }
}

impl fmt::Debug for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.bits()).finish()
    }
}
