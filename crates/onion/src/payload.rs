//! The TLV payload of a hop (BOLT 4 "`payload` format"): its form, and the fields of a hop that
//! forwards. LDK reads the fields of a last hop, see `receive`.

use bitcoin::secp256k1::PublicKey;
use steward_wire::codec::Reader;
use steward_wire::{NodeId, ShortChannelId};

/// The TLV types of a payload.
pub(crate) mod tlv {
    pub(crate) const AMT_TO_FORWARD: u64 = 2;
    pub(crate) const OUTGOING_CLTV: u64 = 4;
    pub(crate) const SHORT_CHANNEL_ID: u64 = 6;
    pub(crate) const PAYMENT_DATA: u64 = 8;
    pub(crate) const ENCRYPTED_RECIPIENT_DATA: u64 = 10;
    pub(crate) const CURRENT_PATH_KEY: u64 = 12;
    pub(crate) const PAYMENT_METADATA: u64 = 16;
    pub(crate) const TOTAL_AMOUNT: u64 = 18;
    /// The type of bLIP-3, the only even one in the custom range.
    pub(crate) const KEYSEND_PREIMAGE: u64 = 5_482_373_484;
}

/// The fields of a payload, checked for form but not for sense.
#[derive(Default)]
pub(crate) struct Payload<'a> {
    pub(crate) amt_to_forward_msat: Option<u64>,
    pub(crate) outgoing_cltv_expiry: Option<u32>,
    pub(crate) scid: Option<ShortChannelId>,
    pub(crate) encrypted_recipient_data: Option<&'a [u8]>,
    pub(crate) current_path_key: Option<PublicKey>,
    /// The first field that only a last hop's payload may have.
    pub(crate) final_only: Option<Defect>,
    /// The first field that a blinded hop's payload may not have.
    pub(crate) unblinded_only: Option<Defect>,
}

/// The next hop, as the sender or a blinded path names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextHop {
    /// A channel. Any other channel to the same node will do (BOLT 4 "Non-strict Forwarding").
    Channel(ShortChannelId),
    /// A node id. Only blinded paths name one.
    Node(NodeId),
}

/// A defect of a payload: the TLV type and its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Defect {
    /// The TLV type; 0 if none can be named.
    pub(crate) tlv_type: u64,
    /// The offset of the TLV from the start of the payload after its length, in bytes.
    pub(crate) offset: usize,
    /// True if the payload named a path key: we are the introduction node of a blinded path.
    pub(crate) introduction: bool,
}

impl<'a> Payload<'a> {
    /// Reads a TLV stream. Unknown odd types are skipped, unknown even ones are refused.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, Defect> {
        let mut payload = Self::default();
        let mut reader = Reader::new(bytes);
        let mut last_type = None;
        let mut introduction = false;
        loop {
            let offset = bytes.len().saturating_sub(remaining(reader));
            if offset == bytes.len() {
                return Ok(payload);
            }
            let broken = |tlv_type| Defect { tlv_type, offset, introduction };
            let tlv_type = reader.bigsize().map_err(|_| broken(0))?;
            if last_type.is_some_and(|last| last >= tlv_type) {
                return Err(broken(tlv_type));
            }
            last_type = Some(tlv_type);
            let value = reader.var_bigsize().map_err(|_| broken(tlv_type))?;
            introduction |= tlv_type == tlv::CURRENT_PATH_KEY;
            let defect = Defect { tlv_type, offset, introduction };
            payload.field(tlv_type, value, defect).ok_or(defect)?;
        }
    }

    /// Stores one field. Returns `None` if it is unknown and even, or malformed.
    fn field(&mut self, tlv_type: u64, value: &'a [u8], place: Defect) -> Option<()> {
        match tlv_type {
            tlv::AMT_TO_FORWARD => self.amt_to_forward_msat = Some(truncated_u64(value)?),
            tlv::OUTGOING_CLTV => self.outgoing_cltv_expiry = Some(truncated_u32(value)?),
            tlv::SHORT_CHANNEL_ID => self.scid = Some(scid(value)?),
            tlv::ENCRYPTED_RECIPIENT_DATA => self.encrypted_recipient_data = Some(value),
            tlv::CURRENT_PATH_KEY => {
                self.current_path_key = Some(PublicKey::from_slice(value).ok()?);
            }
            tlv::PAYMENT_DATA
            | tlv::PAYMENT_METADATA
            | tlv::TOTAL_AMOUNT
            | tlv::KEYSEND_PREIMAGE => {
                self.final_only.get_or_insert(place);
            }
            unknown if unknown % 2 == 0 => return None,
            _ => {}
        }
        if !matches!(tlv_type, tlv::ENCRYPTED_RECIPIENT_DATA | tlv::CURRENT_PATH_KEY) {
            self.unblinded_only.get_or_insert(place);
        }
        Some(())
    }
}

fn remaining(mut reader: Reader<'_>) -> usize {
    reader.rest().len()
}

/// Reads a `tu64` (BOLT 1): big-endian without leading zeros.
pub(crate) fn truncated_u64(bytes: &[u8]) -> Option<u64> {
    if bytes.len() > 8 || bytes.first() == Some(&0) {
        return None;
    }
    Some(bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

/// Reads a `tu32` (BOLT 1).
pub(crate) fn truncated_u32(bytes: &[u8]) -> Option<u32> {
    u32::try_from(truncated_u64(bytes)?).ok()
}

/// Reads a short channel id of exactly eight bytes.
pub(crate) fn scid(bytes: &[u8]) -> Option<ShortChannelId> {
    Some(ShortChannelId(u64::from_be_bytes(bytes.try_into().ok()?)))
}
