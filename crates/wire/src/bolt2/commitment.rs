//! The messages that sign a new commitment and revoke the old one, and the fee update (BOLT 2,
//! "Normal Operation").

use bitcoin::Txid;
use bitcoin::hashes::Hash;

use crate::codec::{DecodeError, Reader, Wire, put_list};
use crate::ids::{ChannelId, Point, Signature};
use crate::limits::{MAX_COMMITMENT_HTLCS, SIGNATURE_BYTES};
use crate::tlvs::{check_tlv_len, put_tlv, read_tlvs, tlv_array};

/// The TLV type of the funding transaction's id in `commitment_signed`.
const TLV_FUNDING_TXID: u64 = 1;

/// 132: signs the receiver's next commitment, with all updates so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitmentSigned {
    /// The id of the channel.
    pub channel_id: ChannelId,
    /// The signature on the commitment transaction.
    pub signature: Signature,
    /// The signatures on the transactions of its HTLCs, in the order of its outputs; at most
    /// [`MAX_COMMITMENT_HTLCS`].
    pub htlc_signatures: Vec<Signature>,
    /// The TLV stream, verbatim.
    pub tlvs: Vec<u8>,
}

impl CommitmentSigned {
    /// Returns the id of the funding transaction that the commitment spends, if the sender names
    /// it.
    pub fn funding_txid(&self) -> Option<Txid> {
        tlv_array(&self.tlvs, TLV_FUNDING_TXID).map(Txid::from_byte_array)
    }

    /// Makes a TLV stream that holds just the id of the funding transaction.
    pub fn funding_txid_tlv(funding_txid: Txid) -> Vec<u8> {
        let mut tlvs = Vec::new();
        put_tlv(&mut tlvs, TLV_FUNDING_TXID, &funding_txid.to_byte_array());
        tlvs
    }
}

impl Wire for CommitmentSigned {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.channel_id.0);
        out.extend_from_slice(&self.signature.0);
        put_list(out, &self.htlc_signatures, |signature, out| out.extend_from_slice(&signature.0));
        out.extend_from_slice(&self.tlvs);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let signed = Self {
            channel_id: reader.channel_id()?,
            signature: reader.signature()?,
            htlc_signatures: reader.list(SIGNATURE_BYTES, Reader::signature)?,
            tlvs: read_tlvs(reader, usize::MAX, &[])?,
        };
        if signed.htlc_signatures.len() > MAX_COMMITMENT_HTLCS {
            return Err(DecodeError::BadValue);
        }
        check_tlv_len(&signed.tlvs, TLV_FUNDING_TXID, 32)?;
        Ok(signed)
    }
}

/// 133: gives up the sender's commitment before the one that was just signed.
#[derive(Clone, PartialEq, Eq)]
pub struct RevokeAndAck {
    /// The id of the channel.
    pub channel_id: ChannelId,
    /// The secret of the commitment that is given up.
    pub per_commitment_secret: [u8; 32],
    /// The per-commitment point of the sender's next commitment.
    pub next_per_commitment_point: Point,
    /// The TLV stream, verbatim.
    pub tlvs: Vec<u8>,
}

/// The secret is left out: before it is sent, whoever has it takes the whole channel.
impl std::fmt::Debug for RevokeAndAck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RevokeAndAck")
            .field("channel_id", &self.channel_id)
            .field("next_per_commitment_point", &self.next_per_commitment_point)
            .field("tlvs", &self.tlvs)
            .finish_non_exhaustive()
    }
}

impl Wire for RevokeAndAck {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.channel_id.0);
        out.extend_from_slice(&self.per_commitment_secret);
        out.extend_from_slice(&self.next_per_commitment_point.0);
        out.extend_from_slice(&self.tlvs);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            channel_id: reader.channel_id()?,
            per_commitment_secret: reader.array()?,
            next_per_commitment_point: reader.point()?,
            tlvs: read_tlvs(reader, usize::MAX, &[])?,
        })
    }
}

/// 134: changes the fee rate of the commitments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateFee {
    /// The id of the channel.
    pub channel_id: ChannelId,
    /// The fee rate, in satoshi per 1000 weight units.
    pub feerate_per_kw: u32,
    /// The TLV stream, verbatim.
    pub tlvs: Vec<u8>,
}

impl Wire for UpdateFee {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.channel_id.0);
        out.extend_from_slice(&self.feerate_per_kw.to_be_bytes());
        out.extend_from_slice(&self.tlvs);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            channel_id: reader.channel_id()?,
            feerate_per_kw: reader.u32()?,
            tlvs: read_tlvs(reader, usize::MAX, &[])?,
        })
    }
}
