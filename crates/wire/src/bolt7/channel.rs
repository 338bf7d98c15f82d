//! `channel_announcement` and `channel_update`, of public channels and of hosted ones.

use bitcoin::hashes::{Hash, sha256d};
use bitcoin::secp256k1::{Message as SecpMessage, SECP256K1};

use crate::codec::{DecodeError, Reader, Wire, put_var_u16};
use crate::identity::Identity;
use crate::ids::{NodeId, ShortChannelId, Signature};

/// The announcement of a channel, signed by both nodes. Unknown bytes after the last field are
/// kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelAnnouncement {
    /// The signature of the lesser node id.
    pub node_signature_1: Signature,
    /// The signature of the greater node id.
    pub node_signature_2: Signature,
    /// The first bitcoin signature; in a public hosted channel it equals `node_signature_1`.
    pub bitcoin_signature_1: Signature,
    /// The second bitcoin signature; in a public hosted channel it equals `node_signature_2`.
    pub bitcoin_signature_2: Signature,
    /// The feature bits, big-endian.
    pub features: Vec<u8>,
    /// The genesis block hash, in internal byte order.
    pub chain_hash: [u8; 32],
    /// The short id of the channel.
    pub short_channel_id: ShortChannelId,
    /// The lesser node id.
    pub node_id_1: NodeId,
    /// The greater node id.
    pub node_id_2: NodeId,
    /// The first bitcoin key; in a public hosted channel it equals `node_id_1`.
    pub bitcoin_key_1: NodeId,
    /// The second bitcoin key; in a public hosted channel it equals `node_id_2`.
    pub bitcoin_key_2: NodeId,
    /// The bytes after the last known field, verbatim. They are signed with the rest.
    pub excess: Vec<u8>,
}

impl ChannelAnnouncement {
    /// Returns the hash that the four signatures cover (BOLT 7).
    pub fn signed_hash(&self) -> [u8; 32] {
        let mut witness = Vec::with_capacity(174 + self.features.len() + self.excess.len());
        self.write_witness(&mut witness);
        sha256d::Hash::hash(&witness).to_byte_array()
    }

    fn write_witness(&self, out: &mut Vec<u8>) {
        put_var_u16(out, &self.features);
        out.extend_from_slice(&self.chain_hash);
        out.extend_from_slice(&self.short_channel_id.0.to_be_bytes());
        for key in [self.node_id_1, self.node_id_2, self.bitcoin_key_1, self.bitcoin_key_2] {
            out.extend_from_slice(&key.0);
        }
        out.extend_from_slice(&self.excess);
    }
}

impl Wire for ChannelAnnouncement {
    fn write(&self, out: &mut Vec<u8>) {
        for signature in [
            self.node_signature_1,
            self.node_signature_2,
            self.bitcoin_signature_1,
            self.bitcoin_signature_2,
        ] {
            out.extend_from_slice(&signature.0);
        }
        self.write_witness(out);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            node_signature_1: reader.signature()?,
            node_signature_2: reader.signature()?,
            bitcoin_signature_1: reader.signature()?,
            bitcoin_signature_2: reader.signature()?,
            features: reader.var_u16()?.to_vec(),
            chain_hash: reader.array()?,
            short_channel_id: reader.scid()?,
            node_id_1: reader.node_id()?,
            node_id_2: reader.node_id()?,
            bitcoin_key_1: reader.node_id()?,
            bitcoin_key_2: reader.node_id()?,
            excess: reader.rest().to_vec(),
        })
    }
}

/// The bit of `message_flags` for `htlc_maximum_msat`, which BOLT 7 requires in every update.
pub const MESSAGE_FLAG_MUST_BE_ONE: u8 = 1;
/// The bit of `channel_flags` for an update by the greater node id.
pub const CHANNEL_FLAG_DIRECTION: u8 = 1;
/// The bit of `channel_flags` for a channel that is disabled in this direction.
pub const CHANNEL_FLAG_DISABLED: u8 = 2;

/// The terms on which a node forwards payments to the other end of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelUpdate {
    /// The signature of the node whose direction this is.
    pub signature: Signature,
    /// The genesis block hash, in internal byte order.
    pub chain_hash: [u8; 32],
    /// The short id of the channel.
    pub short_channel_id: ShortChannelId,
    /// The unix time, in seconds. The update with the higher one wins.
    pub timestamp: u32,
    /// The flags; see [`MESSAGE_FLAG_MUST_BE_ONE`].
    pub message_flags: u8,
    /// The flags; see [`CHANNEL_FLAG_DIRECTION`] and [`CHANNEL_FLAG_DISABLED`].
    pub channel_flags: u8,
    /// The number of blocks that the forwarder wants between the two expiries.
    pub cltv_expiry_delta: u16,
    /// The smallest HTLC that is forwarded, in millisatoshi.
    pub htlc_minimum_msat: u64,
    /// The fixed fee, in millisatoshi.
    pub fee_base_msat: u32,
    /// The proportional fee, in millionths of the amount forwarded.
    pub fee_proportional_millionths: u32,
    /// The largest HTLC that is forwarded, in millisatoshi. It is present if, and only if,
    /// `message_flags` has [`MESSAGE_FLAG_MUST_BE_ONE`]; very old updates lack it.
    pub htlc_maximum_msat: Option<u64>,
    /// The bytes after the last known field, verbatim. They are signed with the rest.
    pub excess: Vec<u8>,
}

impl ChannelUpdate {
    /// Returns true if this is the direction out of `from`, towards `to`.
    pub fn is_from(&self, from: &NodeId, to: &NodeId) -> bool {
        (self.channel_flags & CHANNEL_FLAG_DIRECTION != 0) == (from > to)
    }

    /// Returns true unless the node has disabled this direction.
    pub fn is_enabled(&self) -> bool {
        self.channel_flags & CHANNEL_FLAG_DISABLED == 0
    }

    /// Signs the update in place.
    pub fn sign(&mut self, node: &dyn Identity) {
        self.signature = node.sign_update(self.signed_hash());
    }

    /// Returns true if `node` signed it.
    pub fn is_signed_by(&self, node: &NodeId) -> bool {
        let (Some(key), Some(signature)) = (node.public_key(), self.signature.to_ecdsa()) else {
            return false;
        };
        let message = SecpMessage::from_digest(self.signed_hash());
        SECP256K1.verify_ecdsa(&message, &signature, &key).is_ok()
    }

    fn signed_hash(&self) -> [u8; 32] {
        let mut witness = Vec::with_capacity(72 + self.excess.len());
        self.write_witness(&mut witness);
        sha256d::Hash::hash(&witness).to_byte_array()
    }

    fn write_witness(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.chain_hash);
        out.extend_from_slice(&self.short_channel_id.0.to_be_bytes());
        out.extend_from_slice(&self.timestamp.to_be_bytes());
        out.push(self.message_flags);
        out.push(self.channel_flags);
        out.extend_from_slice(&self.cltv_expiry_delta.to_be_bytes());
        out.extend_from_slice(&self.htlc_minimum_msat.to_be_bytes());
        out.extend_from_slice(&self.fee_base_msat.to_be_bytes());
        out.extend_from_slice(&self.fee_proportional_millionths.to_be_bytes());
        if let Some(maximum) = self.htlc_maximum_msat {
            out.extend_from_slice(&maximum.to_be_bytes());
        }
        out.extend_from_slice(&self.excess);
    }
}

impl Wire for ChannelUpdate {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.signature.0);
        self.write_witness(out);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut update = Self {
            signature: reader.signature()?,
            chain_hash: reader.array()?,
            short_channel_id: reader.scid()?,
            timestamp: reader.u32()?,
            message_flags: reader.u8()?,
            channel_flags: reader.u8()?,
            cltv_expiry_delta: reader.u16()?,
            htlc_minimum_msat: reader.msat()?,
            fee_base_msat: reader.u32()?,
            fee_proportional_millionths: reader.u32()?,
            htlc_maximum_msat: None,
            excess: Vec::new(),
        };
        if update.message_flags & MESSAGE_FLAG_MUST_BE_ONE != 0 {
            update.htlc_maximum_msat = Some(reader.msat()?);
        }
        update.excess = reader.rest().to_vec();
        Ok(update)
    }
}
