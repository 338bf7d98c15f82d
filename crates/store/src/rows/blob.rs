//! The rules that all blobs have in common. The first byte is the version, the rest is big-endian
//! (docs/state-format.md, "Blobs"). A format never changes: a new one gets the next version, and
//! the old one stays readable.

use steward_wire::codec::{Reader, put_var_bigsize};
use steward_wire::{DecodeError, LinkId};

/// The first byte of a blob whose format never changed.
pub const VERSION: u8 = 1;

/// The first byte of an origin, and of an event that names its channel: version 1 of these named a
/// channel by its other side.
pub const VERSION_WITH_LINK: u8 = 2;

/// Reads a blob of [`VERSION`].
pub(super) fn decode<'a, T>(
    blob: &'a [u8],
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, DecodeError>,
) -> Result<T, DecodeError> {
    decode_version(VERSION, blob, read)
}

/// Checks the version, and that `read` leaves nothing behind.
pub(super) fn decode_version<'a, T>(
    version: u8,
    blob: &'a [u8],
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, DecodeError>,
) -> Result<T, DecodeError> {
    let mut reader = Reader::new(blob);
    if reader.u8()? != version {
        return Err(DecodeError::BadValue);
    }
    let value = read(&mut reader)?;
    reader.end()?;
    Ok(value)
}

pub(super) fn link(reader: &mut Reader<'_>) -> Result<LinkId, DecodeError> {
    reader.array().map(LinkId)
}

pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_var_bigsize(out, text.as_bytes());
}

pub(super) fn text(reader: &mut Reader<'_>) -> Result<String, DecodeError> {
    String::from_utf8(reader.var_bigsize()?.to_vec()).map_err(|_| DecodeError::NotUtf8)
}

/// Reads one byte, 0 or 1: unlike on the wire, nothing else is ever written.
pub(super) fn flag(reader: &mut Reader<'_>) -> Result<bool, DecodeError> {
    match reader.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(DecodeError::BadValue),
    }
}
