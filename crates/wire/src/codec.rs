//! The primitive readers and writers that the messages share (docs/protocol.md section 1.2, BOLT
//! 1).

use bitcoin::Txid;
use bitcoin::hashes::Hash;

use crate::ids::{ChannelId, NodeId, PaymentHash, Point, Preimage, ShortChannelId, Signature};
use crate::limits::MAX_MSAT;

/// The reason why bytes are not a message. It is always the sender's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The message ends before its last field.
    #[error("the message ends too early")]
    Truncated,
    /// The message has bytes after its last field.
    #[error("the message has bytes after its last field")]
    TrailingBytes,
    /// A BigSize is not in its shortest form.
    #[error("a length is not in its shortest form")]
    NotMinimal,
    /// An amount is 2^63 millisatoshi or more.
    #[error("an amount is out of range")]
    AmountOutOfRange,
    /// Text is not UTF-8.
    #[error("a text is not UTF-8")]
    NotUtf8,
    /// A TLV stream is out of order, truncated or longer than we accept, or holds an even type that
    /// we do not know, or a known type with a value that it must not have.
    #[error("the TLV stream is malformed")]
    BadTlv,
    /// A field has a value that its format forbids.
    #[error("a field has a forbidden value")]
    BadValue,
}

/// A cursor over received bytes. Every read checks how many bytes are left.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Reads the next `n` bytes.
    pub fn take(&mut self, n: usize) -> Result<&'a [u8], DecodeError> {
        let (head, rest) = self.rest.split_at_checked(n).ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(head)
    }

    /// Reads the next `N` bytes as an array.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        self.take(N)?.try_into().map_err(|_| DecodeError::Truncated)
    }

    /// Reads all bytes that are left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// Returns how many bytes are left.
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Fails unless all bytes were read.
    pub fn end(self) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DecodeError::TrailingBytes) }
    }

    /// Reads one byte.
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    /// Reads a big-endian u16.
    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    /// Reads a big-endian u32.
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    /// Reads a big-endian u64.
    pub fn u64(&mut self) -> Result<u64, DecodeError> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    /// Reads an amount: a u64 below 2^63.
    pub fn msat(&mut self) -> Result<u64, DecodeError> {
        let amount = self.u64()?;
        if amount < MAX_MSAT { Ok(amount) } else { Err(DecodeError::AmountOutOfRange) }
    }

    /// Reads an amount in satoshi: like [`Self::msat`], a u64 below 2^63.
    pub fn sat(&mut self) -> Result<u64, DecodeError> {
        self.msat()
    }

    /// Reads a bool8: zero is false, anything else is true. This is the one place where decoding
    /// forgets bytes: 01 to fe are written back as ff, as every implementation does.
    pub fn bool8(&mut self) -> Result<bool, DecodeError> {
        Ok(self.u8()? != 0)
    }

    /// Reads a BigSize (BOLT 1), which must be minimal.
    pub fn bigsize(&mut self) -> Result<u64, DecodeError> {
        let (value, least) = match self.u8()? {
            0xfd => (u64::from(self.u16()?), 0xfd),
            0xfe => (u64::from(self.u32()?), 0x1_0000),
            0xff => (self.u64()?, 0x1_0000_0000),
            small => (u64::from(small), 0),
        };
        if value < least { Err(DecodeError::NotMinimal) } else { Ok(value) }
    }

    /// Reads a u16 length, then as many bytes.
    pub fn var_u16(&mut self) -> Result<&'a [u8], DecodeError> {
        let len = self.u16()?;
        self.take(usize::from(len))
    }

    /// Reads a BigSize length, then as many bytes.
    pub fn var_bigsize(&mut self) -> Result<&'a [u8], DecodeError> {
        let len = self.bigsize()?;
        self.take(usize::try_from(len).map_err(|_| DecodeError::Truncated)?)
    }

    /// Reads a u16 count, then as many items. A count that the bytes left cannot hold, at
    /// `min_item_bytes` each, is refused before anything is allocated for it.
    pub fn list<T>(
        &mut self,
        min_item_bytes: usize,
        read: impl Fn(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        let count = usize::from(self.u16()?);
        if count.saturating_mul(min_item_bytes) > self.remaining() {
            return Err(DecodeError::Truncated);
        }
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            items.push(read(self)?);
        }
        Ok(items)
    }

    /// Reads the 33 bytes of a node id.
    pub fn node_id(&mut self) -> Result<NodeId, DecodeError> {
        self.array().map(NodeId)
    }

    /// Reads the 33 bytes of a point.
    pub fn point(&mut self) -> Result<Point, DecodeError> {
        self.array().map(Point)
    }

    /// Reads the 32 bytes of a transaction id, in internal byte order.
    pub fn txid(&mut self) -> Result<Txid, DecodeError> {
        self.array().map(Txid::from_byte_array)
    }

    /// Reads the 32 bytes of a channel id.
    pub fn channel_id(&mut self) -> Result<ChannelId, DecodeError> {
        self.array().map(ChannelId)
    }

    /// Reads the 8 bytes of a short channel id.
    pub fn scid(&mut self) -> Result<ShortChannelId, DecodeError> {
        self.u64().map(ShortChannelId)
    }

    /// Reads the 32 bytes of a payment hash.
    pub fn payment_hash(&mut self) -> Result<PaymentHash, DecodeError> {
        self.array().map(PaymentHash)
    }

    /// Reads the 32 bytes of a preimage.
    pub fn preimage(&mut self) -> Result<Preimage, DecodeError> {
        self.array().map(Preimage)
    }

    /// Reads the 64 bytes of a signature.
    pub fn signature(&mut self) -> Result<Signature, DecodeError> {
        self.array().map(Signature)
    }
}

/// A type that is written to, and read from, the body of a message.
pub trait Wire: Sized {
    /// Appends the body.
    fn write(&self, out: &mut Vec<u8>);
    /// Reads the body; bytes after it are left to the caller.
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError>;

    /// Returns the body.
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    /// Reads the whole of `bytes` as one body.
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let value = Self::read(&mut reader)?;
        reader.end()?;
        Ok(value)
    }
}

/// A large body in an enum of small ones.
impl<T: Wire> Wire for Box<T> {
    fn write(&self, out: &mut Vec<u8>) {
        (**self).write(out);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        T::read(reader).map(Self::new)
    }
}

/// Writes a bool8: `ff` or `00`.
pub fn put_bool8(out: &mut Vec<u8>, value: bool) {
    out.push(if value { 0xff } else { 0 });
}

/// Writes a BigSize (BOLT 1).
pub fn put_bigsize(out: &mut Vec<u8>, value: u64) {
    let be = value.to_be_bytes();
    match value {
        0..0xfd => out.push(be[7]),
        0xfd..0x1_0000 => {
            out.push(0xfd);
            out.extend_from_slice(&be[6..]);
        }
        0x1_0000..0x1_0000_0000 => {
            out.push(0xfe);
            out.extend_from_slice(&be[4..]);
        }
        _ => {
            out.push(0xff);
            out.extend_from_slice(&be);
        }
    }
}

/// Writes a u16 length, then the bytes. Bytes past 65535 do not fit the format and are cut off; the
/// rest is still too long for [`crate::framing::encode`], so a cut message is never sent.
pub fn put_var_u16(out: &mut Vec<u8>, bytes: &[u8]) {
    let len = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&len.to_be_bytes());
    out.extend(bytes.iter().take(usize::from(len)));
}

/// Writes a BigSize length, then the bytes.
pub fn put_var_bigsize(out: &mut Vec<u8>, bytes: &[u8]) {
    put_bigsize(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Writes a u16 count, then the items by `write`. Items past 65535 do not fit the format and are
/// cut off, with the same consequence as in [`put_var_u16`].
pub fn put_list<T>(out: &mut Vec<u8>, items: &[T], write: impl Fn(&T, &mut Vec<u8>)) {
    let count = u16::try_from(items.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&count.to_be_bytes());
    items.iter().take(usize::from(count)).for_each(|item| write(item, out));
}

/// Returns how many bytes [`put_bigsize`] writes.
pub fn bigsize_len(value: u64) -> usize {
    match value {
        0..0xfd => 1,
        0xfd..0x1_0000 => 3,
        0x1_0000..0x1_0000_0000 => 5,
        _ => 9,
    }
}

/// Checks that `bytes` is a TLV stream (BOLT 1): types strictly increasing, lengths within bounds.
/// It accepts any type; see [`check_known_tlvs`].
pub fn check_tlv_stream(bytes: &[u8]) -> Result<(), DecodeError> {
    for record in TlvStream::new(bytes) {
        record?;
    }
    Ok(())
}

/// Checks as [`check_tlv_stream`] does, and that every even type is one of `known_even`: "it's OK
/// to be odd" (BOLT 1).
pub fn check_known_tlvs(bytes: &[u8], known_even: &[u64]) -> Result<(), DecodeError> {
    for record in TlvStream::new(bytes) {
        let (tlv_type, _) = record?;
        if tlv_type % 2 == 0 && !known_even.contains(&tlv_type) {
            return Err(DecodeError::BadTlv);
        }
    }
    Ok(())
}

/// An iterator over a TLV stream, which ends after the first error.
#[derive(Clone, Debug)]
pub struct TlvStream<'a> {
    reader: Reader<'a>,
    last_type: Option<u64>,
    failed: bool,
}

impl<'a> TlvStream<'a> {
    /// Iterates over the records of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { reader: Reader::new(bytes), last_type: None, failed: false }
    }

    fn record(&mut self) -> Result<(u64, &'a [u8]), DecodeError> {
        let tlv_type = self.reader.bigsize().map_err(|_| DecodeError::BadTlv)?;
        if self.last_type.is_some_and(|last| last >= tlv_type) {
            return Err(DecodeError::BadTlv);
        }
        self.last_type = Some(tlv_type);
        let value = self.reader.var_bigsize().map_err(|_| DecodeError::BadTlv)?;
        Ok((tlv_type, value))
    }
}

impl<'a> Iterator for TlvStream<'a> {
    type Item = Result<(u64, &'a [u8]), DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.reader.rest.is_empty() {
            return None;
        }
        let record = self.record();
        self.failed = record.is_err();
        Some(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_beyond_the_bytes_left_is_refused_before_any_item_is_read() {
        let mut reader = Reader::new(&[0xff, 0xff, 0, 0]);
        let list = reader.list(1, |_| -> Result<u8, DecodeError> { panic!("an item was read") });
        assert_eq!(list, Err(DecodeError::Truncated));
    }

    #[test]
    fn a_list_reserves_exactly_what_it_holds() {
        let bytes = [0, 3, 0, 1, 0, 2, 0, 3];
        let list = Reader::new(&bytes).list(2, Reader::u16).unwrap();
        assert_eq!(list, [1, 2, 3]);
        assert_eq!(list.capacity(), 3);
    }
}
