//! What all blobs have in common. The first byte is the version, the rest is big-endian
//! (docs/state-format.md, "Blobs"). A format never changes: a new one gets the next version, and the
//! old one stays readable.

use steward_engine::row::HtlcKey;
use steward_wire::codec::{Reader, put_var_bigsize};
use steward_wire::{DecodeError, NodeId};

/// The first byte of every blob.
pub const VERSION: u8 = 1;

/// Checks the version, and that `read` leaves nothing behind.
pub(super) fn decode<'a, T>(
    blob: &'a [u8],
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, DecodeError>,
) -> Result<T, DecodeError> {
    let mut reader = Reader::new(blob);
    if reader.u8()? != VERSION {
        return Err(DecodeError::BadValue);
    }
    let value = read(&mut reader)?;
    reader.end()?;
    Ok(value)
}

pub(super) fn put_htlc(out: &mut Vec<u8>, htlc: &HtlcKey) {
    out.extend(htlc.peer.0);
    out.extend(htlc.id.to_be_bytes());
}

pub(super) fn htlc(reader: &mut Reader<'_>) -> Result<HtlcKey, DecodeError> {
    Ok(HtlcKey { peer: reader.node_id()?, id: reader.u64()? })
}

pub(super) fn put_tag_and_peer(out: &mut Vec<u8>, tag: u8, peer: &NodeId) {
    out.push(tag);
    out.extend(peer.0);
}

pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_var_bigsize(out, text.as_bytes());
}

pub(super) fn text(reader: &mut Reader<'_>) -> Result<String, DecodeError> {
    String::from_utf8(reader.var_bigsize()?.to_vec()).map_err(|_| DecodeError::NotUtf8)
}

/// One byte, 0 or 1: unlike on the wire, nothing else is ever written.
pub(super) fn flag(reader: &mut Reader<'_>) -> Result<bool, DecodeError> {
    match reader.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(DecodeError::BadValue),
    }
}
