//! Columns, as every database knows them: values to write, fields to read.

use steward_htlc::IncomingHtlcId;
use steward_wire::{DecodeError, LinkId, NodeId, PaymentHash, Preimage};

use crate::error::StoreError;

/// A value for one column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Null,
    Integer(i64),
    Text(&'a str),
    Bytes(&'a [u8]),
    /// Bytes that were encoded for this write.
    Blob(Vec<u8>),
}

/// Makes the values of these columns, in order.
macro_rules! values {
    ($($value:expr),* $(,)?) => { [$($crate::rows::column::Value::from($value)),*] };
}
pub(crate) use values;

/// A number from 2^63 on looks negative: for numbers that were checked, or are never compared.
impl From<u64> for Value<'_> {
    fn from(number: u64) -> Self {
        Self::Integer(number.cast_signed())
    }
}

macro_rules! from_small_numbers {
    ($($number:ty),*) => {$(
        impl From<$number> for Value<'_> {
            fn from(number: $number) -> Self {
                Self::Integer(i64::from(number))
            }
        }
    )*};
}
from_small_numbers!(u8, u16, u32, bool);

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Value<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<Vec<u8>> for Value<'_> {
    fn from(blob: Vec<u8>) -> Self {
        Self::Blob(blob)
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// One column of a row that was found.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Field<'r> {
    Null,
    Integer(i64),
    Text(&'r [u8]),
    Bytes(&'r [u8]),
    /// There is no such column, or it is of a type that we never write.
    Other,
}

/// A row that a database found.
pub(crate) trait Fields {
    /// Returns the column at this place of the query.
    fn field(&self, at: usize) -> Field<'_>;
}

/// The columns of one row, read one after the other.
pub(crate) struct Columns<'r> {
    row: &'r dyn Fields,
    table: &'static str,
    next: usize,
}

impl<'r> Columns<'r> {
    pub(crate) fn new(row: &'r dyn Fields, table: &'static str) -> Self {
        Self { row, table, next: 0 }
    }

    fn next(&mut self) -> Field<'r> {
        let at = self.next;
        self.next += 1;
        self.row.field(at)
    }

    pub(crate) fn integer(&mut self) -> Result<i64, StoreError> {
        self.optional_integer()?.ok_or_else(|| self.error("a number is missing"))
    }

    fn optional_integer(&mut self) -> Result<Option<i64>, StoreError> {
        match self.next() {
            Field::Null => Ok(None),
            Field::Integer(number) => Ok(Some(number)),
            _ => Err(self.error("a number is none")),
        }
    }

    /// Reads a number that is never negative.
    pub(crate) fn number(&mut self) -> Result<u64, StoreError> {
        u64::try_from(self.integer()?).map_err(|_| self.error("a number is negative"))
    }

    pub(crate) fn optional_number(&mut self) -> Result<Option<u64>, StoreError> {
        let value = self.optional_integer()?;
        value.map(u64::try_from).transpose().map_err(|_| self.error("a number is negative"))
    }

    /// Reads 64 bits that a peer may have chosen: from 2^63 on they look negative.
    pub(crate) fn bits(&mut self) -> Result<u64, StoreError> {
        Ok(self.integer()?.cast_unsigned())
    }

    pub(crate) fn small<T: TryFrom<i64>>(&mut self) -> Result<T, StoreError> {
        T::try_from(self.integer()?).map_err(|_| self.error("a number is out of range"))
    }

    pub(crate) fn flag(&mut self) -> Result<bool, StoreError> {
        match self.integer()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.error("a flag is neither 0 nor 1")),
        }
    }

    pub(crate) fn code<T>(&mut self, read: impl FnOnce(i64) -> Option<T>) -> Result<T, StoreError> {
        read(self.integer()?).ok_or_else(|| self.error("a code is unknown"))
    }

    pub(crate) fn optional_code<T>(
        &mut self,
        read: impl FnOnce(i64) -> Option<T>,
    ) -> Result<Option<T>, StoreError> {
        let code = self.optional_integer()?;
        code.map(|code| read(code).ok_or_else(|| self.error("a code is unknown"))).transpose()
    }

    pub(crate) fn text(&mut self) -> Result<String, StoreError> {
        self.optional_text()?.ok_or_else(|| self.error("a text is missing"))
    }

    fn optional_text(&mut self) -> Result<Option<String>, StoreError> {
        match self.next() {
            Field::Null => Ok(None),
            Field::Text(text) => String::from_utf8(text.to_vec())
                .map(Some)
                .map_err(|_| self.error("a text is not UTF-8")),
            _ => Err(self.error("a text is none")),
        }
    }

    /// Reads a code and a sentence, or neither.
    pub(crate) fn failure(&mut self) -> Result<Option<(String, String)>, StoreError> {
        match (self.optional_text()?, self.optional_text()?) {
            (Some(code), Some(message)) => Ok(Some((code, message))),
            (None, None) => Ok(None),
            _ => Err(self.error("half a failure")),
        }
    }

    fn optional_bytes(&mut self) -> Result<Option<&'r [u8]>, StoreError> {
        match self.next() {
            Field::Null => Ok(None),
            Field::Bytes(bytes) => Ok(Some(bytes)),
            _ => Err(self.error("bytes are none")),
        }
    }

    pub(crate) fn bytes(&mut self) -> Result<&'r [u8], StoreError> {
        self.optional_bytes()?.ok_or_else(|| self.error("bytes are missing"))
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], StoreError> {
        self.bytes()?.try_into().map_err(|_| self.error("another number of bytes is there"))
    }

    pub(crate) fn optional_array<const N: usize>(&mut self) -> Result<Option<[u8; N]>, StoreError> {
        let bytes = self.optional_bytes()?;
        let array = bytes.map(TryInto::try_into).transpose();
        array.map_err(|_| self.error("another number of bytes is there"))
    }

    pub(crate) fn node(&mut self) -> Result<NodeId, StoreError> {
        self.array().map(NodeId)
    }

    pub(crate) fn hash(&mut self) -> Result<PaymentHash, StoreError> {
        self.array().map(PaymentHash)
    }

    pub(crate) fn preimage(&mut self) -> Result<Preimage, StoreError> {
        self.array().map(Preimage)
    }

    pub(crate) fn link(&mut self) -> Result<LinkId, StoreError> {
        self.array().map(LinkId)
    }

    pub(crate) fn incoming(&mut self) -> Result<IncomingHtlcId, StoreError> {
        Ok(IncomingHtlcId { link: self.link()?, id: self.bits()? })
    }

    pub(crate) fn blob<T>(
        &mut self,
        decode: impl FnOnce(&[u8]) -> Result<T, DecodeError>,
    ) -> Result<T, StoreError> {
        decode(self.bytes()?).map_err(|error| self.error(&error.to_string()))
    }

    /// Names the row by its first column; every query begins with the key.
    pub(crate) fn error(&self, reason: &str) -> StoreError {
        let key = match self.row.field(0) {
            Field::Integer(number) => number.to_string(),
            Field::Text(text) => String::from_utf8_lossy(text).into_owned(),
            Field::Bytes(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            Field::Null | Field::Other => "unknown".to_owned(),
        };
        StoreError::Decode { table: self.table, key, reason: reason.to_owned() }
    }
}
