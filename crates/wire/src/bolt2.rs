//! The BOLT2 bodies that hosted channels reuse: `update_*` and `error` (protocol.md section 1.4).
//!
//! They are kept byte-exact: an invalid onion key and unknown odd TLVs survive decoding, because
//! the signed state covers an add's very bytes. Unknown even TLVs are refused (BOLT1).

use std::sync::Arc;

use crate::codec::{DecodeError, Reader, TlvStream, Wire, check_known_tlvs, put_var_u16};
use crate::ids::{ChannelId, PaymentHash, Preimage};
use crate::limits::{ADD_FIXED_BYTES, MAX_ADD_TLV_BYTES, ONION_BYTES};
use bitcoin::secp256k1::PublicKey;

/// TLV type of the blinded path's key in an `update_add_htlc` (BOLT2).
const TLV_PATH_KEY: u64 = 0;
/// TLV type of attribution data in `update_fail_htlc` and `update_fulfill_htlc` (BOLT4).
const TLV_ATTRIBUTION: u64 = 1;

/// An onion packet as received: version, ephemeral key, hops data, hmac. Not validated. Copies of
/// an HTLC share it: every state that is signed or checked lists all HTLCs in flight.
#[derive(Clone, PartialEq, Eq)]
pub struct Onion(pub Arc<[u8; ONION_BYTES]>);

impl std::fmt::Debug for Onion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Onion(..)")
    }
}

/// 63505: one HTLC offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateAddHtlc {
    /// The channel, from the pair of nodes.
    pub channel_id: ChannelId,
    /// The offerer's counter value that this update raises it to (protocol.md section 2.6).
    pub id: u64,
    /// Amount, in millisatoshi.
    pub amount_msat: u64,
    /// Hash whose preimage claims it.
    pub payment_hash: PaymentHash,
    /// Absolute expiry, block height.
    pub cltv_expiry: u32,
    /// What the receiver peels.
    pub onion: Onion,
    /// The TLV stream, verbatim.
    pub tlvs: Vec<u8>,
}

impl UpdateAddHtlc {
    /// Length of the encoded body, in bytes.
    pub fn encoded_len(&self) -> usize {
        ADD_FIXED_BYTES + self.tlvs.len()
    }

    /// The path key of a blinded path (BOLT2 TLV 0), if one is given. In a decoded add a key that
    /// is given is valid.
    pub fn path_key(&self) -> Option<PublicKey> {
        tlv_value(&self.tlvs, TLV_PATH_KEY).and_then(|value| PublicKey::from_slice(value).ok())
    }

    /// A TLV stream holding just a path key.
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

/// 63503: an HTLC claimed by its preimage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateFulfillHtlc {
    /// The channel.
    pub channel_id: ChannelId,
    /// The HTLC, by its offerer's id.
    pub id: u64,
    /// The proof of payment.
    pub preimage: Preimage,
    /// The TLV stream, verbatim.
    pub tlvs: Vec<u8>,
}

impl UpdateFulfillHtlc {
    /// Attribution data (BOLT4), if the sender gave any.
    pub fn attribution(&self) -> Option<&[u8]> {
        tlv_value(&self.tlvs, TLV_ATTRIBUTION)
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

/// 63501: an HTLC failed, with an onion error for the payer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateFailHtlc {
    /// The channel.
    pub channel_id: ChannelId,
    /// The HTLC, by its offerer's id.
    pub id: u64,
    /// The encrypted reason.
    pub reason: Vec<u8>,
    /// The TLV stream, verbatim.
    pub tlvs: Vec<u8>,
}

impl UpdateFailHtlc {
    /// Attribution data (BOLT4), if the sender gave any.
    pub fn attribution(&self) -> Option<&[u8]> {
        tlv_value(&self.tlvs, TLV_ATTRIBUTION)
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

/// 63499: an HTLC failed because its onion could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateFailMalformedHtlc {
    /// The channel.
    pub channel_id: ChannelId,
    /// The HTLC, by its offerer's id.
    pub id: u64,
    /// SHA-256 of the onion that could not be read.
    pub sha256_of_onion: [u8; 32],
    /// A BOLT4 failure code with the BADONION bit.
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

/// 63497: why the sender suspended the channel. For people: never act on its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireError {
    /// The channel; all zeros when it concerns an opening that was refused.
    pub channel_id: ChannelId,
    /// ASCII: a four-character code and text, or text alone.
    pub data: Vec<u8>,
    /// The TLV stream, verbatim.
    pub tlvs: Vec<u8>,
}

impl Wire for WireError {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.channel_id.0);
        put_var_u16(out, &self.data);
        out.extend_from_slice(&self.tlvs);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            channel_id: reader.channel_id()?,
            data: reader.var_u16()?.to_vec(),
            tlvs: read_tlvs(reader, usize::MAX, &[])?,
        })
    }
}

/// Everything left, checked to be a TLV stream of at most `limit` bytes whose even types are all
/// in `known_even`.
fn read_tlvs(
    reader: &mut Reader<'_>,
    limit: usize,
    known_even: &[u64],
) -> Result<Vec<u8>, DecodeError> {
    let bytes = reader.rest();
    if bytes.len() > limit {
        return Err(DecodeError::BadTlv);
    }
    check_known_tlvs(bytes, known_even)?;
    Ok(bytes.to_vec())
}

fn tlv_value(tlvs: &[u8], wanted: u64) -> Option<&[u8]> {
    TlvStream::new(tlvs).flatten().find(|(tlv_type, _)| *tlv_type == wanted).map(|(_, value)| value)
}
