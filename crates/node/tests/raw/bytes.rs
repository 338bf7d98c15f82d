//! Reading by position, and BOLT1's variable-length integer. Bytes that do not fit end the test.

/// The unread rest of a message.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at_checked(len).expect("the message is long enough");
        self.0 = rest;
        taken
    }

    pub(crate) fn array<const N: usize>(&mut self) -> [u8; N] {
        self.take(N).try_into().unwrap()
    }

    pub(crate) fn u8(&mut self) -> u8 {
        u8::from_be_bytes(self.array())
    }

    pub(crate) fn u16(&mut self) -> u16 {
        u16::from_be_bytes(self.array())
    }

    pub(crate) fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.array())
    }

    pub(crate) fn u64(&mut self) -> u64 {
        u64::from_be_bytes(self.array())
    }

    /// Reads a BigSize below 65536, the longest a message can hold.
    pub(crate) fn big_size(&mut self) -> usize {
        match self.u8() {
            0xfd => {
                let long = self.u16();
                assert!(long >= 0xfd, "BigSize {long} is not minimal");
                usize::from(long)
            }
            short => {
                assert!(short < 0xfd, "BigSize beyond any message");
                usize::from(short)
            }
        }
    }

    /// Checks that all of the message was read.
    pub(crate) fn end(self) {
        assert!(self.0.is_empty(), "{} bytes too many: {:02x?}", self.0.len(), self.0);
    }
}

pub(crate) fn push_big_size(to: &mut Vec<u8>, value: usize) {
    let value = u16::try_from(value).unwrap();
    match u8::try_from(value) {
        Ok(short) if short < 0xfd => to.push(short),
        _ => {
            to.push(0xfd);
            to.extend(value.to_be_bytes());
        }
    }
}
