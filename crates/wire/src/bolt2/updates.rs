//! The `update_*` messages that offer and settle an HTLC. Hosted channels reuse their bodies
//! (docs/protocol.md section 1.4); a funded channel has them under types of BOLT 2.

use std::sync::Arc;

use bitcoin::hashes::{Hash, sha256};
use bitcoin::secp256k1::PublicKey;

use crate::codec::{DecodeError, Reader, Wire, put_var_u16};
use crate::ids::{ChannelId, PaymentHash, Preimage};
use crate::limits::{ADD_FIXED_BYTES, MAX_ADD_TLV_BYTES, ONION_BYTES};
use crate::tlvs::{put_tlv, read_tlvs, tlv_value};

/// The TLV type of the blinded path's key in an `update_add_htlc` (BOLT 2).
const TLV_PATH_KEY: u64 = 0;
/// The TLV type of attribution data in `update_fail_htlc` and `update_fulfill_htlc` (BOLT 4).
const TLV_ATTRIBUTION: u64 = 1;

/// An onion packet as received: version, ephemeral key, hops data, hmac. It is not validated. The
/// copies of an HTLC share it, because every state that is signed or checked lists all HTLCs in
/// flight.
#[derive(Clone, PartialEq, Eq)]
pub struct Onion(pub Arc<[u8; ONION_BYTES]>);

impl Onion {
    /// Returns the hash to report in an `update_fail_malformed_htlc` of a funded channel: the
    /// SHA-256 of the packet, or all zeros if its ephemeral key is all zeros.
    ///
    /// The transport puts zeros in place of an ephemeral key that is no curve point. The hash of
    /// such a packet is not the hash of what was sent; one of all zeros stands for any (BOLT 2).
    pub fn malformed_hash(&self) -> [u8; 32] {
        let ephemeral_key = self.0.get(1..34).unwrap_or_default();
        if ephemeral_key.iter().all(|byte| *byte == 0) {
            return [0; 32];
        }
        sha256::Hash::hash(self.0.as_slice()).to_byte_array()
    }
}

impl std::fmt::Debug for Onion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Onion(..)")
    }
}

/// 63505, or 128 in a funded channel: offers an HTLC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateAddHtlc {
    /// The id of the channel, which follows from the pair of nodes.
    pub channel_id: ChannelId,
    /// The value to which this update raises the offerer's counter (docs/protocol.md section 2.6).
    pub id: u64,
    /// The amount, in millisatoshi.
    pub amount_msat: u64,
    /// The hash whose preimage claims the HTLC.
    pub payment_hash: PaymentHash,
    /// The expiry, an absolute block height.
    pub cltv_expiry: u32,
    /// The onion that the receiver peels.
    pub onion: Onion,
    /// The TLV stream, verbatim.
    pub tlvs: Vec<u8>,
}

impl UpdateAddHtlc {
    /// Returns the length of the encoded body, in bytes.
    pub fn encoded_len(&self) -> usize {
        ADD_FIXED_BYTES + self.tlvs.len()
    }

    /// Returns the path key of a blinded path (BOLT 2 TLV 0), if there is one. In a decoded add it
    /// is always a valid key.
    pub fn path_key(&self) -> Option<PublicKey> {
        tlv_value(&self.tlvs, TLV_PATH_KEY).and_then(|value| PublicKey::from_slice(value).ok())
    }

    /// Makes a TLV stream that holds just a path key.
    pub fn path_key_tlv(path_key: &PublicKey) -> Vec<u8> {
        let mut tlvs = vec![0, 33];
        tlvs.extend_from_slice(&path_key.serialize());
        tlvs
    }
}

impl Wire for UpdateAddHtlc {
    fn write(&self, out: &mut Vec<u8>) {
        out.reserve(self.encoded_len());
        out.extend_from_slice(&self.channel_id.0);
        out.extend_from_slice(&self.id.to_be_bytes());
        out.extend_from_slice(&self.amount_msat.to_be_bytes());
        out.extend_from_slice(&self.payment_hash.0);
        out.extend_from_slice(&self.cltv_expiry.to_be_bytes());
        out.extend_from_slice(self.onion.0.as_slice());
        out.extend_from_slice(&self.tlvs);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let add = Self {
            channel_id: reader.channel_id()?,
            id: reader.u64()?,
            amount_msat: reader.msat()?,
            payment_hash: reader.payment_hash()?,
            cltv_expiry: reader.u32()?,
            onion: Onion(Arc::new(reader.array()?)),
            tlvs: read_tlvs(reader, MAX_ADD_TLV_BYTES, &[TLV_PATH_KEY])?,
        };
        // An unreadable path key must not make a blinded HTLC look like a plain one.
        if tlv_value(&add.tlvs, TLV_PATH_KEY).is_some() && add.path_key().is_none() {
            return Err(DecodeError::BadTlv);
        }
        Ok(add)
    }
}

/// 63503, or 130 in a funded channel: claims an HTLC with its preimage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateFulfillHtlc {
    /// The id of the channel.
    pub channel_id: ChannelId,
    /// The id that the offerer gave the HTLC.
    pub id: u64,
    /// The proof of payment.
    pub preimage: Preimage,
    /// The TLV stream, verbatim.
    pub tlvs: Vec<u8>,
}

impl UpdateFulfillHtlc {
    /// Returns the attribution data (BOLT 4), if the sender gave any.
    pub fn attribution(&self) -> Option<&[u8]> {
        attribution_in(&self.tlvs)
    }
}

impl Wire for UpdateFulfillHtlc {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.channel_id.0);
        out.extend_from_slice(&self.id.to_be_bytes());
        out.extend_from_slice(&self.preimage.0);
        out.extend_from_slice(&self.tlvs);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            channel_id: reader.channel_id()?,
            id: reader.u64()?,
            preimage: reader.preimage()?,
            tlvs: read_tlvs(reader, usize::MAX, &[])?,
        })
    }
}

/// 63501, or 131 in a funded channel: fails an HTLC, with an onion error for the payer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateFailHtlc {
    /// The id of the channel.
    pub channel_id: ChannelId,
    /// The id that the offerer gave the HTLC.
    pub id: u64,
    /// The encrypted reason.
    pub reason: Vec<u8>,
    /// The TLV stream, verbatim.
    pub tlvs: Vec<u8>,
}

impl UpdateFailHtlc {
    /// Returns the attribution data (BOLT 4), if the sender gave any.
    pub fn attribution(&self) -> Option<&[u8]> {
        attribution_in(&self.tlvs)
    }
}

impl Wire for UpdateFailHtlc {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.channel_id.0);
        out.extend_from_slice(&self.id.to_be_bytes());
        put_var_u16(out, &self.reason);
        out.extend_from_slice(&self.tlvs);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            channel_id: reader.channel_id()?,
            id: reader.u64()?,
            reason: reader.var_u16()?.to_vec(),
            tlvs: read_tlvs(reader, usize::MAX, &[])?,
        })
    }
}

/// 63499, or 135 in a funded channel: fails an HTLC because its onion could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateFailMalformedHtlc {
    /// The id of the channel.
    pub channel_id: ChannelId,
    /// The id that the offerer gave the HTLC.
    pub id: u64,
    /// The SHA-256 of the onion that could not be read.
    pub sha256_of_onion: [u8; 32],
    /// A BOLT 4 failure code with the BADONION bit.
    pub failure_code: u16,
    /// The TLV stream, verbatim.
    pub tlvs: Vec<u8>,
}

impl Wire for UpdateFailMalformedHtlc {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.channel_id.0);
        out.extend_from_slice(&self.id.to_be_bytes());
        out.extend_from_slice(&self.sha256_of_onion);
        out.extend_from_slice(&self.failure_code.to_be_bytes());
        out.extend_from_slice(&self.tlvs);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            channel_id: reader.channel_id()?,
            id: reader.u64()?,
            sha256_of_onion: reader.array()?,
            failure_code: reader.u16()?,
            tlvs: read_tlvs(reader, usize::MAX, &[])?,
        })
    }
}

/// Attribution data (BOLT 4) in the TLV stream of a settlement.
pub fn attribution_in(tlvs: &[u8]) -> Option<&[u8]> {
    tlv_value(tlvs, TLV_ATTRIBUTION)
}

/// The TLV stream of a settlement that carries attribution data and nothing else.
pub fn attribution_tlv(data: &[u8]) -> Vec<u8> {
    let mut tlvs = Vec::new();
    put_tlv(&mut tlvs, TLV_ATTRIBUTION, data);
    tlvs
}
