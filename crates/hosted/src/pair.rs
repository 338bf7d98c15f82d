//! The two nodes of a channel, and what follows from their ids alone.

use bitcoin::secp256k1::PublicKey;
use steward_wire::{ChannelId, LastCrossSignedState, NodeId, ShortChannelId};

use crate::io::Role;

/// Which channel it is, and which side of it we are. Never changes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pair {
    pub(crate) role: Role,
    pub(crate) local: NodeId,
    pub(crate) remote: NodeId,
    /// `None` if the peer's id is not a point: then nothing it signs is ever valid.
    pub(crate) remote_key: Option<PublicKey>,
    pub(crate) channel_id: ChannelId,
    pub(crate) scid: ShortChannelId,
}

impl Pair {
    pub(crate) fn new(role: Role, local: NodeId, remote: NodeId) -> Self {
        Self {
            role,
            local,
            remote,
            remote_key: remote.public_key(),
            channel_id: ChannelId::of_pair(&local, &remote),
            scid: ShortChannelId::of_pair(&local, &remote),
        }
    }

    /// True if the peer signed this state of ours.
    pub(crate) fn is_signed_by_peer(&self, state: &LastCrossSignedState) -> bool {
        self.remote_key.is_some_and(|key| state.verify_remote_sig(&key))
    }

    /// True if our signature in this state of ours is good.
    pub(crate) fn is_signed_by_us(&self, state: &LastCrossSignedState) -> bool {
        self.local.public_key().is_some_and(|key| state.verify_local_sig(&key))
    }
}
