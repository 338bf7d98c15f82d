//! The body of `error` and `warning`. An `error` of a hosted channel has the same body
//! (docs/protocol.md section 3.9).

use crate::codec::{DecodeError, Reader, Wire, put_var_u16};
use crate::ids::ChannelId;
use crate::tlvs::read_tlvs;

/// 63497: tells why the sender suspended the channel; as BOLT 1 messages, 17 says that it fails the
/// channel and 1 that something is wrong. The text is for people: no code acts on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireError {
    /// The id of the channel; all zeros when the error concerns an opening that was refused.
    pub channel_id: ChannelId,
    /// The data in ASCII: a code of four digits and text, or text alone.
    pub data: Vec<u8>,
    /// The TLV stream, verbatim.
    pub tlvs: Vec<u8>,
}

impl Wire for WireError {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.channel_id.0);
        put_var_u16(out, &self.data);
        out.extend_from_slice(&self.tlvs);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            channel_id: reader.channel_id()?,
            data: reader.var_u16()?.to_vec(),
            tlvs: read_tlvs(reader, usize::MAX, &[])?,
        })
    }
}
