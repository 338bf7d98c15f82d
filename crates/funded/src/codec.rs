//! What record and rows are written with, beside the wire's own primitives.

use bitcoin::secp256k1::PublicKey;
use steward_htlc::{Failure, Settlement};
use steward_wire::DecodeError;
use steward_wire::codec::{Reader, put_var_u16};

use crate::bolt3::{HtlcKey, Side};

const SETTLEMENT_FULFILL: u8 = 1;
const SETTLEMENT_REASON: u8 = 2;
const SETTLEMENT_MALFORMED: u8 = 3;

pub(crate) fn put_option<T>(
    out: &mut Vec<u8>,
    value: Option<T>,
    write: impl FnOnce(&mut Vec<u8>, T),
) {
    out.push(u8::from(value.is_some()));
    if let Some(value) = value {
        write(out, value);
    }
}

pub(crate) fn read_option<'a, T>(
    reader: &mut Reader<'a>,
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, DecodeError>,
) -> Result<Option<T>, DecodeError> {
    if read_bool(reader)? { read(reader).map(Some) } else { Ok(None) }
}

/// A bool that has one form only, so that equal values have equal bytes.
pub(crate) fn read_bool(reader: &mut Reader<'_>) -> Result<bool, DecodeError> {
    match reader.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(DecodeError::BadValue),
    }
}

pub(crate) fn put_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_be_bytes());
}

pub(crate) fn put_u32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_be_bytes());
}

pub(crate) fn put_u16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_be_bytes());
}

pub(crate) fn put_point(out: &mut Vec<u8>, point: &PublicKey) {
    out.extend_from_slice(&point.serialize());
}

pub(crate) fn read_point(reader: &mut Reader<'_>) -> Result<PublicKey, DecodeError> {
    PublicKey::from_slice(&reader.array::<33>()?).map_err(|_| DecodeError::BadValue)
}

pub(crate) fn put_key(out: &mut Vec<u8>, key: HtlcKey) {
    out.push(u8::from(key.offered_by == Side::Remote));
    put_u64(out, key.id);
}

pub(crate) fn read_key(reader: &mut Reader<'_>) -> Result<HtlcKey, DecodeError> {
    let offered_by = if read_bool(reader)? { Side::Remote } else { Side::Local };
    Ok(HtlcKey { offered_by, id: reader.u64()? })
}

pub(crate) fn put_settlement(out: &mut Vec<u8>, settlement: &Settlement) {
    match settlement {
        Settlement::Fulfill { preimage, tlvs } => {
            out.push(SETTLEMENT_FULFILL);
            out.extend_from_slice(&preimage.0);
            put_var_u16(out, tlvs);
        }
        Settlement::Fail(Failure::Reason { reason, tlvs }) => {
            out.push(SETTLEMENT_REASON);
            put_var_u16(out, reason);
            put_var_u16(out, tlvs);
        }
        Settlement::Fail(Failure::Malformed { sha256_of_onion, failure_code }) => {
            out.push(SETTLEMENT_MALFORMED);
            out.extend_from_slice(sha256_of_onion);
            put_u16(out, *failure_code);
        }
    }
}

pub(crate) fn read_settlement(reader: &mut Reader<'_>) -> Result<Settlement, DecodeError> {
    Ok(match reader.u8()? {
        SETTLEMENT_FULFILL => {
            let preimage = reader.preimage()?;
            Settlement::Fulfill { preimage, tlvs: reader.var_u16()?.to_vec() }
        }
        SETTLEMENT_REASON => {
            let reason = reader.var_u16()?.to_vec();
            Settlement::Fail(Failure::Reason { reason, tlvs: reader.var_u16()?.to_vec() })
        }
        SETTLEMENT_MALFORMED => {
            let sha256_of_onion = reader.array()?;
            Settlement::Fail(Failure::Malformed { sha256_of_onion, failure_code: reader.u16()? })
        }
        _ => return Err(DecodeError::BadValue),
    })
}
