//! The gossip of BOLT 7. That of a peer whose gossip we take or serve is passed up as it came; of
//! any other peer it is ignored. `channel_update` is among the channel messages.

use bitcoin::secp256k1::PublicKey;
use lightning::ln::msgs::{self, GossipTimestampFilter, LightningError, RoutingMessageHandler};
use lightning::routing::gossip::NodeId;

use crate::handlers::Handlers;

macro_rules! pass_up {
    ($($handler:ident($message:ty);)*) => {
        $(fn $handler(&self, _: PublicKey, message: $message) -> Result<(), LightningError> {
            self.pass_gossip_up(&message);
            Ok(())
        })*
    };
}

impl Handlers {
    fn pass_gossip_up<M: lightning::ln::wire::Type>(&self, message: &M) {
        if self.role().gossip {
            self.pass_up(message);
        }
    }
}

impl RoutingMessageHandler for Handlers {
    fn handle_node_announcement(
        &self,
        _: Option<PublicKey>,
        message: &msgs::NodeAnnouncement,
    ) -> Result<bool, LightningError> {
        self.pass_gossip_up(message);
        Ok(false)
    }

    fn handle_channel_announcement(
        &self,
        _: Option<PublicKey>,
        message: &msgs::ChannelAnnouncement,
    ) -> Result<bool, LightningError> {
        self.pass_gossip_up(message);
        Ok(false)
    }

    /// The same update has come as a channel message before.
    fn handle_channel_update(
        &self,
        _: Option<PublicKey>,
        _: &msgs::ChannelUpdate,
    ) -> Result<Option<(NodeId, NodeId)>, LightningError> {
        Ok(None)
    }

    /// LDK keeps a peer's `gossip_timestamp_filter` to itself, and begins to ask here if the peer
    /// wants all that there is. That much is passed up, as the filter which says it. A filter that
    /// only begins now is not seen.
    fn get_next_channel_announcement(
        &self,
        starting_point: u64,
    ) -> Option<(msgs::ChannelAnnouncement, Option<msgs::ChannelUpdate>, Option<msgs::ChannelUpdate>)>
    {
        if starting_point == 0 {
            self.pass_gossip_up(&GossipTimestampFilter {
                chain_hash: self.chain(),
                first_timestamp: 0,
                timestamp_range: u32::MAX,
            });
        }
        None
    }

    fn get_next_node_announcement(&self, _: Option<&NodeId>) -> Option<msgs::NodeAnnouncement> {
        None
    }

    pass_up! {
        handle_reply_channel_range(msgs::ReplyChannelRange);
        handle_reply_short_channel_ids_end(msgs::ReplyShortChannelIdsEnd);
        handle_query_channel_range(msgs::QueryChannelRange);
        handle_query_short_channel_ids(msgs::QueryShortChannelIds);
    }

    fn processing_queue_high(&self) -> bool {
        false
    }
}
