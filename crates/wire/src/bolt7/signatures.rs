//! `announcement_signatures`: one side's half of a `channel_announcement`.

use crate::codec::{DecodeError, Reader, Wire};
use crate::ids::{ChannelId, ShortChannelId, Signature};
use crate::tlvs::read_tlvs;

/// 259: carries the sender's two signatures under the announcement of a funded channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnnouncementSignatures {
    /// The id of the channel.
    pub channel_id: ChannelId,
    /// The short id of the channel: the place of its funding output in the chain.
    pub short_channel_id: ShortChannelId,
    /// The signature of the sender's node key.
    pub node_signature: Signature,
    /// The signature of the sender's key in the funding output.
    pub bitcoin_signature: Signature,
    /// The TLV stream, verbatim.
    pub tlvs: Vec<u8>,
}

impl Wire for AnnouncementSignatures {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.channel_id.0);
        out.extend_from_slice(&self.short_channel_id.0.to_be_bytes());
        out.extend_from_slice(&self.node_signature.0);
        out.extend_from_slice(&self.bitcoin_signature.0);
        out.extend_from_slice(&self.tlvs);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            channel_id: reader.channel_id()?,
            short_channel_id: reader.scid()?,
            node_signature: reader.signature()?,
            bitcoin_signature: reader.signature()?,
            tlvs: read_tlvs(reader, usize::MAX, &[])?,
        })
    }
}
