//! The messages that open a funded channel (BOLT 2, "Channel Establishment v1").
//!
//! Amounts are read as they are, up to the largest number: some nodes send that as "no limit".
//! Whether the terms are acceptable is the receiver's judgement.

use bitcoin::Txid;
use bitcoin::hashes::Hash;

use crate::codec::{DecodeError, Reader, Wire};
use crate::ids::{ChannelId, Point, ShortChannelId, Signature};
use crate::tlvs::{check_tlv_len, put_tlv, read_tlvs, tlv_array, tlv_value};

/// The TLV type of `upfront_shutdown_script`.
const TLV_SHUTDOWN_SCRIPT: u64 = 0;
/// The TLV type of `channel_type`.
const TLV_CHANNEL_TYPE: u64 = 1;
/// The TLV type of the alias in `channel_ready`.
const TLV_ALIAS: u64 = 1;

/// The bit of `channel_flags` by which the opener wants the channel announced.
pub const CHANNEL_FLAG_ANNOUNCE: u8 = 1;

/// 32: offers to open a channel, on these terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenChannel {
    /// The genesis block hash, in internal byte order.
    pub chain_hash: [u8; 32],
    /// The id of the channel until its funding output is known.
    pub temporary_channel_id: ChannelId,
    /// The amount that the opener puts in, in satoshi.
    pub funding_sat: u64,
    /// The amount that the opener gives to the other side, in millisatoshi.
    pub push_msat: u64,
    /// The amount below which the opener's commitment has no output, in satoshi.
    pub dust_limit_sat: u64,
    /// The most that the other side may have in flight, in millisatoshi.
    pub max_htlc_value_in_flight_msat: u64,
    /// The amount that the other side must keep, in satoshi.
    pub channel_reserve_sat: u64,
    /// The smallest HTLC that the opener accepts, in millisatoshi.
    pub htlc_minimum_msat: u64,
    /// The first fee rate, in satoshi per 1000 weight units.
    pub feerate_per_kw: u32,
    /// The number of blocks that the other side's own outputs are delayed.
    pub to_self_delay: u16,
    /// The most HTLCs that the other side may have in flight.
    pub max_accepted_htlcs: u16,
    /// The opener's key in the funding output.
    pub funding_pubkey: Point,
    /// The basepoint from which revocation keys are derived.
    pub revocation_basepoint: Point,
    /// The basepoint of the opener's output in the other side's commitment.
    pub payment_basepoint: Point,
    /// The basepoint of the opener's delayed outputs.
    pub delayed_payment_basepoint: Point,
    /// The basepoint from which keys in HTLCs are derived.
    pub htlc_basepoint: Point,
    /// The per-commitment point of the opener's first commitment.
    pub first_per_commitment_point: Point,
    /// The flags; see [`CHANNEL_FLAG_ANNOUNCE`].
    pub channel_flags: u8,
    /// The TLV stream, verbatim.
    pub tlvs: Vec<u8>,
}

/// 33: accepts the offer, on these terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptChannel {
    /// The id of the channel until its funding output is known.
    pub temporary_channel_id: ChannelId,
    /// The amount below which the sender's commitment has no output, in satoshi.
    pub dust_limit_sat: u64,
    /// The most that the opener may have in flight, in millisatoshi.
    pub max_htlc_value_in_flight_msat: u64,
    /// The amount that the opener must keep, in satoshi.
    pub channel_reserve_sat: u64,
    /// The smallest HTLC that the sender accepts, in millisatoshi.
    pub htlc_minimum_msat: u64,
    /// The number of confirmations after which the sender uses the channel.
    pub minimum_depth: u32,
    /// The number of blocks that the opener's own outputs are delayed.
    pub to_self_delay: u16,
    /// The most HTLCs that the opener may have in flight.
    pub max_accepted_htlcs: u16,
    /// The sender's key in the funding output.
    pub funding_pubkey: Point,
    /// The basepoint from which revocation keys are derived.
    pub revocation_basepoint: Point,
    /// The basepoint of the sender's output in the opener's commitment.
    pub payment_basepoint: Point,
    /// The basepoint of the sender's delayed outputs.
    pub delayed_payment_basepoint: Point,
    /// The basepoint from which keys in HTLCs are derived.
    pub htlc_basepoint: Point,
    /// The per-commitment point of the sender's first commitment.
    pub first_per_commitment_point: Point,
    /// The TLV stream, verbatim.
    pub tlvs: Vec<u8>,
}

impl OpenChannel {
    /// Returns the script to which the opener binds its part of a cooperative close. An empty one
    /// binds it to none.
    pub fn upfront_shutdown_script(&self) -> Option<&[u8]> {
        tlv_value(&self.tlvs, TLV_SHUTDOWN_SCRIPT)
    }

    /// Returns the feature bits that make up the type of the channel, big-endian.
    pub fn channel_type(&self) -> Option<&[u8]> {
        tlv_value(&self.tlvs, TLV_CHANNEL_TYPE)
    }

    /// Makes the TLV stream of an offer and of its acceptance, which BOLT 2 wants to have both.
    pub fn tlvs(upfront_shutdown_script: &[u8], channel_type: &[u8]) -> Vec<u8> {
        let mut tlvs = Vec::new();
        put_tlv(&mut tlvs, TLV_SHUTDOWN_SCRIPT, upfront_shutdown_script);
        put_tlv(&mut tlvs, TLV_CHANNEL_TYPE, channel_type);
        tlvs
    }
}

impl Wire for OpenChannel {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.chain_hash);
        out.extend_from_slice(&self.temporary_channel_id.0);
        out.extend_from_slice(&self.funding_sat.to_be_bytes());
        out.extend_from_slice(&self.push_msat.to_be_bytes());
        out.extend_from_slice(&self.dust_limit_sat.to_be_bytes());
        out.extend_from_slice(&self.max_htlc_value_in_flight_msat.to_be_bytes());
        out.extend_from_slice(&self.channel_reserve_sat.to_be_bytes());
        out.extend_from_slice(&self.htlc_minimum_msat.to_be_bytes());
        out.extend_from_slice(&self.feerate_per_kw.to_be_bytes());
        out.extend_from_slice(&self.to_self_delay.to_be_bytes());
        out.extend_from_slice(&self.max_accepted_htlcs.to_be_bytes());
        out.extend_from_slice(&self.funding_pubkey.0);
        out.extend_from_slice(&self.revocation_basepoint.0);
        out.extend_from_slice(&self.payment_basepoint.0);
        out.extend_from_slice(&self.delayed_payment_basepoint.0);
        out.extend_from_slice(&self.htlc_basepoint.0);
        out.extend_from_slice(&self.first_per_commitment_point.0);
        out.push(self.channel_flags);
        out.extend_from_slice(&self.tlvs);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            chain_hash: reader.array()?,
            temporary_channel_id: reader.channel_id()?,
            funding_sat: reader.u64()?,
            push_msat: reader.u64()?,
            dust_limit_sat: reader.u64()?,
            max_htlc_value_in_flight_msat: reader.u64()?,
            channel_reserve_sat: reader.u64()?,
            htlc_minimum_msat: reader.u64()?,
            feerate_per_kw: reader.u32()?,
            to_self_delay: reader.u16()?,
            max_accepted_htlcs: reader.u16()?,
            funding_pubkey: reader.point()?,
            revocation_basepoint: reader.point()?,
            payment_basepoint: reader.point()?,
            delayed_payment_basepoint: reader.point()?,
            htlc_basepoint: reader.point()?,
            first_per_commitment_point: reader.point()?,
            channel_flags: reader.u8()?,
            tlvs: read_tlvs(reader, usize::MAX, &[TLV_SHUTDOWN_SCRIPT])?,
        })
    }
}

impl AcceptChannel {
    /// Returns the script to which the sender binds its part of a cooperative close. An empty one
    /// binds it to none.
    pub fn upfront_shutdown_script(&self) -> Option<&[u8]> {
        tlv_value(&self.tlvs, TLV_SHUTDOWN_SCRIPT)
    }

    /// Returns the feature bits that make up the type of the channel, big-endian.
    pub fn channel_type(&self) -> Option<&[u8]> {
        tlv_value(&self.tlvs, TLV_CHANNEL_TYPE)
    }
}

impl Wire for AcceptChannel {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.temporary_channel_id.0);
        out.extend_from_slice(&self.dust_limit_sat.to_be_bytes());
        out.extend_from_slice(&self.max_htlc_value_in_flight_msat.to_be_bytes());
        out.extend_from_slice(&self.channel_reserve_sat.to_be_bytes());
        out.extend_from_slice(&self.htlc_minimum_msat.to_be_bytes());
        out.extend_from_slice(&self.minimum_depth.to_be_bytes());
        out.extend_from_slice(&self.to_self_delay.to_be_bytes());
        out.extend_from_slice(&self.max_accepted_htlcs.to_be_bytes());
        out.extend_from_slice(&self.funding_pubkey.0);
        out.extend_from_slice(&self.revocation_basepoint.0);
        out.extend_from_slice(&self.payment_basepoint.0);
        out.extend_from_slice(&self.delayed_payment_basepoint.0);
        out.extend_from_slice(&self.htlc_basepoint.0);
        out.extend_from_slice(&self.first_per_commitment_point.0);
        out.extend_from_slice(&self.tlvs);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            temporary_channel_id: reader.channel_id()?,
            dust_limit_sat: reader.u64()?,
            max_htlc_value_in_flight_msat: reader.u64()?,
            channel_reserve_sat: reader.u64()?,
            htlc_minimum_msat: reader.u64()?,
            minimum_depth: reader.u32()?,
            to_self_delay: reader.u16()?,
            max_accepted_htlcs: reader.u16()?,
            funding_pubkey: reader.point()?,
            revocation_basepoint: reader.point()?,
            payment_basepoint: reader.point()?,
            delayed_payment_basepoint: reader.point()?,
            htlc_basepoint: reader.point()?,
            first_per_commitment_point: reader.point()?,
            tlvs: read_tlvs(reader, usize::MAX, &[TLV_SHUTDOWN_SCRIPT])?,
        })
    }
}

/// 34: names the funding output, and signs the other side's first commitment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FundingCreated {
    /// The id that `open_channel` gave the channel.
    pub temporary_channel_id: ChannelId,
    /// The id of the funding transaction.
    pub funding_txid: Txid,
    /// The index of the funding output.
    pub funding_output_index: u16,
    /// The opener's signature on the other side's first commitment.
    pub signature: Signature,
    /// The TLV stream, verbatim.
    pub tlvs: Vec<u8>,
}

impl Wire for FundingCreated {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.temporary_channel_id.0);
        out.extend_from_slice(&self.funding_txid.to_byte_array());
        out.extend_from_slice(&self.funding_output_index.to_be_bytes());
        out.extend_from_slice(&self.signature.0);
        out.extend_from_slice(&self.tlvs);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            temporary_channel_id: reader.channel_id()?,
            funding_txid: reader.txid()?,
            funding_output_index: reader.u16()?,
            signature: reader.signature()?,
            tlvs: read_tlvs(reader, usize::MAX, &[])?,
        })
    }
}

/// 35: signs the opener's first commitment, so that the opener can publish the funding transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FundingSigned {
    /// The id of the channel, from here on.
    pub channel_id: ChannelId,
    /// The sender's signature on the opener's first commitment.
    pub signature: Signature,
    /// The TLV stream, verbatim.
    pub tlvs: Vec<u8>,
}

impl Wire for FundingSigned {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.channel_id.0);
        out.extend_from_slice(&self.signature.0);
        out.extend_from_slice(&self.tlvs);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            channel_id: reader.channel_id()?,
            signature: reader.signature()?,
            tlvs: read_tlvs(reader, usize::MAX, &[])?,
        })
    }
}

/// 36: the funding output is deep enough for the sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelReady {
    /// The id of the channel.
    pub channel_id: ChannelId,
    /// The per-commitment point of the sender's second commitment.
    pub second_per_commitment_point: Point,
    /// The TLV stream, verbatim.
    pub tlvs: Vec<u8>,
}

impl ChannelReady {
    /// Returns the short channel id by which the sender knows the channel too, if it gives one.
    pub fn alias(&self) -> Option<ShortChannelId> {
        tlv_array(&self.tlvs, TLV_ALIAS).map(|alias| ShortChannelId(u64::from_be_bytes(alias)))
    }

    /// Makes a TLV stream that holds just an alias.
    pub fn alias_tlv(alias: ShortChannelId) -> Vec<u8> {
        let mut tlvs = Vec::new();
        put_tlv(&mut tlvs, TLV_ALIAS, &alias.0.to_be_bytes());
        tlvs
    }
}

impl Wire for ChannelReady {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.channel_id.0);
        out.extend_from_slice(&self.second_per_commitment_point.0);
        out.extend_from_slice(&self.tlvs);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let ready = Self {
            channel_id: reader.channel_id()?,
            second_per_commitment_point: reader.point()?,
            tlvs: read_tlvs(reader, usize::MAX, &[])?,
        };
        check_tlv_len(&ready.tlvs, TLV_ALIAS, 8)?;
        Ok(ready)
    }
}
