//! The messages of BOLT 7 that announce channels and nodes. Hosted channels use the announcement
//! and the update of a channel too: in private between host and client, and in the gossip of public
//! hosted channels (docs/protocol.md section 5).
//!
//! Layout
//! - `channel`: `channel_announcement` and `channel_update`
//! - `signatures`: `announcement_signatures`
//! - `node`: `node_announcement` and the addresses in it

mod channel;
mod node;
mod signatures;

pub use channel::{
    CHANNEL_FLAG_DIRECTION, CHANNEL_FLAG_DISABLED, ChannelAnnouncement, ChannelUpdate,
    MESSAGE_FLAG_MUST_BE_ONE,
};
pub use node::{NodeAddress, NodeAddresses, NodeAnnouncement};
pub use signatures::AnnouncementSignatures;
