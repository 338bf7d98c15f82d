//! The messages of a cooperative close (BOLT 2, "Channel Close", with the legacy negotiation of the
//! fee).

use crate::codec::{DecodeError, Reader, Wire, put_var_u16};
use crate::ids::{ChannelId, Signature};
use crate::tlvs::{check_tlv_len, put_tlv, read_tlvs, tlv_value};

/// The TLV type of the fees that the sender of `closing_signed` accepts.
const TLV_FEE_RANGE: u64 = 1;
/// The size of such a range, in bytes.
const FEE_RANGE_BYTES: usize = 16;

/// 38: no HTLC is added any more, and the sender wants to be paid to this script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shutdown {
    /// The id of the channel.
    pub channel_id: ChannelId,
    /// The script of the sender's output.
    pub scriptpubkey: Vec<u8>,
    /// The TLV stream, verbatim.
    pub tlvs: Vec<u8>,
}

impl Wire for Shutdown {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.channel_id.0);
        put_var_u16(out, &self.scriptpubkey);
        out.extend_from_slice(&self.tlvs);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            channel_id: reader.channel_id()?,
            scriptpubkey: reader.var_u16()?.to_vec(),
            tlvs: read_tlvs(reader, usize::MAX, &[])?,
        })
    }
}

/// The fees that one side of a close accepts, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeeRange {
    /// The lowest fee, in satoshi.
    pub min_fee_sat: u64,
    /// The highest fee, in satoshi.
    pub max_fee_sat: u64,
}

/// 39: signs a closing transaction that pays this fee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosingSigned {
    /// The id of the channel.
    pub channel_id: ChannelId,
    /// The fee of the closing transaction, in satoshi.
    pub fee_sat: u64,
    /// The sender's signature on the closing transaction.
    pub signature: Signature,
    /// The TLV stream, verbatim.
    pub tlvs: Vec<u8>,
}

impl ClosingSigned {
    /// Returns the fees that the sender accepts, if it tells them.
    pub fn fee_range(&self) -> Option<FeeRange> {
        let mut reader = Reader::new(tlv_value(&self.tlvs, TLV_FEE_RANGE)?);
        let (min_fee_sat, max_fee_sat) = (reader.u64().ok()?, reader.u64().ok()?);
        Some(FeeRange { min_fee_sat, max_fee_sat })
    }

    /// Makes a TLV stream that holds just a range of fees.
    pub fn fee_range_tlv(range: FeeRange) -> Vec<u8> {
        let mut value = range.min_fee_sat.to_be_bytes().to_vec();
        value.extend_from_slice(&range.max_fee_sat.to_be_bytes());
        let mut tlvs = Vec::new();
        put_tlv(&mut tlvs, TLV_FEE_RANGE, &value);
        tlvs
    }
}

impl Wire for ClosingSigned {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.channel_id.0);
        out.extend_from_slice(&self.fee_sat.to_be_bytes());
        out.extend_from_slice(&self.signature.0);
        out.extend_from_slice(&self.tlvs);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let signed = Self {
            channel_id: reader.channel_id()?,
            fee_sat: reader.u64()?,
            signature: reader.signature()?,
            tlvs: read_tlvs(reader, usize::MAX, &[])?,
        };
        check_tlv_len(&signed.tlvs, TLV_FEE_RANGE, FEE_RANGE_BYTES)?;
        Ok(signed)
    }
}
