//! The TLV stream at the end of a message (BOLT 1), which messages keep verbatim: unknown odd types
//! survive, unknown even ones are refused.

use crate::codec::{
    DecodeError, Reader, TlvStream, check_known_tlvs, put_bigsize, put_var_bigsize,
};

/// Reads everything that is left and checks that it is a TLV stream of at most `limit` bytes whose
/// even types are all in `known_even`.
pub(crate) fn read_tlvs(
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

/// Returns the value of a type in a stream, if it is there.
pub(crate) fn tlv_value(tlvs: &[u8], wanted: u64) -> Option<&[u8]> {
    TlvStream::new(tlvs).flatten().find(|(tlv_type, _)| *tlv_type == wanted).map(|(_, value)| value)
}

/// Returns the value of a type of exactly `N` bytes, if it is there.
pub(crate) fn tlv_array<const N: usize>(tlvs: &[u8], wanted: u64) -> Option<[u8; N]> {
    tlv_value(tlvs, wanted).and_then(|value| value.try_into().ok())
}

/// Checks that a type is absent from a stream or has exactly `len` bytes: BOLT 1 has a known type
/// of another length refused.
pub(crate) fn check_tlv_len(tlvs: &[u8], tlv_type: u64, len: usize) -> Result<(), DecodeError> {
    match tlv_value(tlvs, tlv_type) {
        Some(value) if value.len() != len => Err(DecodeError::BadTlv),
        _ => Ok(()),
    }
}

/// Appends a record. The caller appends types in ascending order.
pub(crate) fn put_tlv(tlvs: &mut Vec<u8>, tlv_type: u64, value: &[u8]) {
    put_bigsize(tlvs, tlv_type);
    put_var_bigsize(tlvs, value);
}
