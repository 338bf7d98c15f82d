//! The two shapes of LDK's bytes that need more than its own `Writeable`: TLV streams whose fields
//! are written and read one by one, and options with a length.

use lightning::util::ser::{BigSize, Writeable};

/// Bytes that grow by what LDK writes. Writing to memory does not fail.
#[derive(Default)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl Bytes {
    pub(crate) fn put(&mut self, value: &impl Writeable) -> &mut Self {
        self.0.extend(value.encode());
        self
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// Appends the lowest 48 bits of a number.
    pub(crate) fn u48(&mut self, number: u64) -> &mut Self {
        let [_, _, bytes @ ..] = number.to_be_bytes();
        self.raw(&bytes)
    }

    /// Appends a TLV stream with its length before it.
    pub(crate) fn tlvs(&mut self, fields: &[(u64, Vec<u8>)]) -> &mut Self {
        let mut body = Self::default();
        for (number, value) in fields {
            body.put(&BigSize(*number)).put(&BigSize(value.len() as u64)).raw(value);
        }
        self.put(&BigSize(body.0.len() as u64)).raw(&body.0)
    }
}

/// Returns what LDK writes for an `Option` of something that has the bytes `value`.
pub(crate) fn option(value: Option<Vec<u8>>) -> Vec<u8> {
    let mut bytes = Bytes::default();
    match value {
        None => bytes.raw(&[0]),
        Some(value) => bytes.put(&BigSize(value.len() as u64 + 1)).raw(&value),
    };
    bytes.0
}

/// Reads a `BigSize` (BOLT 1) from the start of `bytes` and returns it with what follows.
fn big_size(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let length = match first {
        0xff => 8,
        0xfe => 4,
        0xfd => 2,
        small => return Some((u64::from(*small), rest)),
    };
    let (number, rest) = rest.split_at_checked(length)?;
    let number = number.iter().fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
    Some((number, rest))
}

/// Splits a value with its length before it off `bytes`.
fn with_length(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = big_size(bytes)?;
    rest.split_at_checked(usize::try_from(length).ok()?)
}

/// Returns the value of a field of a TLV stream that has its length before it.
pub(crate) fn field(stream: &[u8], number: u64) -> Option<&[u8]> {
    let (mut fields, _) = with_length(stream)?;
    while !fields.is_empty() {
        let (of, rest) = big_size(fields)?;
        let (value, rest) = with_length(rest)?;
        if of == number {
            return Some(value);
        }
        fields = rest;
    }
    None
}
