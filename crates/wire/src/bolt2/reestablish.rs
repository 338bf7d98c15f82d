//! `channel_reestablish`: what each side of a funded channel has, on a new connection (BOLT 2,
//! "Message Retransmission").

use crate::codec::{DecodeError, Reader, Wire};
use crate::ids::{ChannelId, Point};
use crate::tlvs::read_tlvs;

/// 136: says which commitment and which revocation the sender expects next. Its TLVs are about
/// splices and dual funding, which nobody offers here; they are kept and not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelReestablish {
    /// The id of the channel.
    pub channel_id: ChannelId,
    /// The number of the next `commitment_signed` that the sender expects.
    pub next_commitment_number: u64,
    /// The number of the next `revoke_and_ack` that the sender expects.
    pub next_revocation_number: u64,
    /// The last per-commitment secret that the sender received; all zeros if there was none.
    pub your_last_per_commitment_secret: [u8; 32],
    /// The per-commitment point of the sender's own current commitment.
    pub my_current_per_commitment_point: Point,
    /// The TLV stream, verbatim.
    pub tlvs: Vec<u8>,
}

impl Wire for ChannelReestablish {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.channel_id.0);
        out.extend_from_slice(&self.next_commitment_number.to_be_bytes());
        out.extend_from_slice(&self.next_revocation_number.to_be_bytes());
        out.extend_from_slice(&self.your_last_per_commitment_secret);
        out.extend_from_slice(&self.my_current_per_commitment_point.0);
        out.extend_from_slice(&self.tlvs);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            channel_id: reader.channel_id()?,
            next_commitment_number: reader.u64()?,
            next_revocation_number: reader.u64()?,
            your_last_per_commitment_secret: reader.array()?,
            my_current_per_commitment_point: reader.point()?,
            tlvs: read_tlvs(reader, usize::MAX, &[])?,
        })
    }
}
