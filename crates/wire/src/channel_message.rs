//! [`ChannelMessage`], the enum of all messages that a funded channel sends and receives, under the
//! types of BOLT 1, 2 and 7.

use crate::bolt2::{
    AcceptChannel, ChannelReady, ChannelReestablish, ClosingSigned, CommitmentSigned,
    FundingCreated, FundingSigned, OpenChannel, RevokeAndAck, Shutdown, UpdateAddHtlc,
    UpdateFailHtlc, UpdateFailMalformedHtlc, UpdateFee, UpdateFulfillHtlc, WireError,
};
use crate::bolt7::{AnnouncementSignatures, ChannelAnnouncement, ChannelUpdate, NodeAnnouncement};
use crate::codec::{DecodeError, Wire};
use crate::ids::ChannelId;

macro_rules! messages {
    ($($type:literal $name:ident($body:ty), $of:expr, $doc:literal;)*) => {
        /// A message of a funded channel.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum ChannelMessage {
            $(#[doc = concat!(stringify!($type), ": ", $doc)] $name($body),)*
        }

        impl ChannelMessage {
            /// Returns true if messages of this type can be decoded.
            pub fn is_known(message_type: u16) -> bool {
                matches!(message_type, $($type)|*)
            }

            /// Returns the message's type number.
            pub fn message_type(&self) -> u16 {
                match self { $(Self::$name(_) => $type,)* }
            }

            /// Returns the message's name, for logs.
            pub fn name(&self) -> &'static str {
                match self { $(Self::$name(_) => stringify!($name),)* }
            }

            /// Returns the id of the channel that the message names: before `funding_signed` the
            /// temporary one, in `error` and `warning` maybe all zeros, in gossip none.
            pub fn channel_id(&self) -> Option<ChannelId> {
                match self {
                    $(Self::$name(body) => {
                        let of: fn(&$body) -> Option<ChannelId> = $of;
                        of(body)
                    })*
                }
            }

            /// Returns the type number and the payload.
            pub fn encode(&self) -> (u16, Vec<u8>) {
                match self { $(Self::$name(body) => ($type, body.encode()),)* }
            }

            /// Decodes the payload of a message. `Ok(None)` means an unknown type.
            ///
            /// # Errors
            /// [`DecodeError`] if the payload is not what the type demands.
            pub fn decode(message_type: u16, payload: &[u8]) -> Result<Option<Self>, DecodeError> {
                match message_type {
                    $($type => <$body>::decode(payload).map(|body| Some(Self::$name(body))),)*
                    _ => Ok(None),
                }
            }
        }
    };
}

messages! {
    1 Warning(WireError), |m| Some(m.channel_id), "something is wrong, and nothing is failed.";
    17 Error(WireError), |m| Some(m.channel_id), "the sender fails the channel.";
    32 OpenChannel(Box<OpenChannel>), |m| Some(m.temporary_channel_id), "offers a channel.";
    33 AcceptChannel(Box<AcceptChannel>), |m| Some(m.temporary_channel_id), "accepts the offer.";
    34 FundingCreated(FundingCreated), |m| Some(m.temporary_channel_id), "names the funding output.";
    35 FundingSigned(FundingSigned), |m| Some(m.channel_id), "signs the opener's first commitment.";
    36 ChannelReady(ChannelReady), |m| Some(m.channel_id), "the funding is deep enough.";
    38 Shutdown(Shutdown), |m| Some(m.channel_id), "begins a cooperative close.";
    39 ClosingSigned(ClosingSigned), |m| Some(m.channel_id), "signs a closing transaction.";
    128 UpdateAddHtlc(UpdateAddHtlc), |m| Some(m.channel_id), "offers an HTLC.";
    130 UpdateFulfillHtlc(UpdateFulfillHtlc), |m| Some(m.channel_id), "claims an HTLC.";
    131 UpdateFailHtlc(UpdateFailHtlc), |m| Some(m.channel_id), "fails an HTLC.";
    132 CommitmentSigned(CommitmentSigned), |m| Some(m.channel_id), "signs the next commitment.";
    133 RevokeAndAck(RevokeAndAck), |m| Some(m.channel_id), "revokes the previous commitment.";
    134 UpdateFee(UpdateFee), |m| Some(m.channel_id), "changes the fee rate.";
    135 UpdateFailMalformedHtlc(UpdateFailMalformedHtlc), |m| Some(m.channel_id),
        "fails an unreadable HTLC.";
    136 ChannelReestablish(ChannelReestablish), |m| Some(m.channel_id), "says what the sender has.";
    256 ChannelAnnouncement(Box<ChannelAnnouncement>), |_| None, "announces a public channel.";
    257 NodeAnnouncement(NodeAnnouncement), |_| None, "announces a node.";
    258 ChannelUpdate(ChannelUpdate), |_| None, "tells the terms of one direction of a channel.";
    259 AnnouncementSignatures(AnnouncementSignatures), |m| Some(m.channel_id),
        "carries half of an announcement.";
}
