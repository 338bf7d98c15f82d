//! The role of a peer: what it is to us beyond a peer of hosted channels, and so what our `init`
//! offers it and which messages pass between it and the consumer.

use std::collections::BTreeMap;
use std::sync::Arc;

use steward_wire::{ChannelMessage, NodeId};

use crate::limits::{MAX_PEER_ROLES, MIN_CUSTOM_TYPE};

/// The types of BOLT 1 that carry a text.
const TEXT_TYPES: [u16; 2] = [1, 17];
/// The types of BOLT 7 in which gossip is told: `channel_announcement`, `node_announcement`,
/// `channel_update`.
const GOSSIP_TYPES: std::ops::RangeInclusive<u16> = 256..=258;
/// The types of BOLT 7 in which gossip is asked for.
const GOSSIP_QUERY_TYPES: std::ops::RangeInclusive<u16> = 261..=265;

/// What a peer is to us. The default is a peer of hosted channels alone: its messages of BOLT 2 and
/// BOLT 7 are ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PeerRole {
    /// True if we may have a funded channel with it: `init` offers bits 5, 23 and 27, and the
    /// messages of BOLT 2 pass.
    pub bridge: bool,
    /// True if we take BOLT 7 gossip from it or serve it: `init` offers bit 7, and gossip passes.
    pub gossip: bool,
}

impl PeerRole {
    /// Returns true if a message of this type may be sent to the peer. A message that it was not
    /// offered is never sent.
    pub fn may_be_sent(self, message_type: u16) -> bool {
        let is_custom = message_type >= MIN_CUSTOM_TYPE && !message_type.is_multiple_of(2);
        let is_gossip =
            GOSSIP_TYPES.contains(&message_type) || GOSSIP_QUERY_TYPES.contains(&message_type);
        is_custom
            || TEXT_TYPES.contains(&message_type)
            || (self.bridge && ChannelMessage::is_known(message_type))
            || (self.gossip && is_gossip)
    }
}

/// There are more peers with a role than [`MAX_PEER_ROLES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} peers have a role, and at most {MAX_PEER_ROLES} may")]
pub struct TooManyRoles(pub usize);

/// The roles of peers, each towards one of our identities. All other peers have the default role.
/// Clones share the table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerRoles(Arc<BTreeMap<(NodeId, NodeId), PeerRole>>);

impl PeerRoles {
    /// Makes a table of (our identity, the peer, its role). Of two roles of one pair the later one
    /// counts.
    ///
    /// # Errors
    /// [`TooManyRoles`] if there are more than [`MAX_PEER_ROLES`].
    pub fn new(
        roles: impl IntoIterator<Item = (NodeId, NodeId, PeerRole)>,
    ) -> Result<Self, TooManyRoles> {
        let roles: BTreeMap<_, _> =
            roles.into_iter().map(|(local, peer, role)| ((local, peer), role)).collect();
        if roles.len() > MAX_PEER_ROLES {
            return Err(TooManyRoles(roles.len()));
        }
        Ok(Self(Arc::new(roles)))
    }

    /// Returns the role of `peer` towards our identity `local`.
    pub fn of(&self, local: NodeId, peer: NodeId) -> PeerRole {
        self.0.get(&(local, peer)).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_offered_may_be_sent() {
        let plain = PeerRole::default();
        let bridge = PeerRole { bridge: true, gossip: false };
        let gossip = PeerRole { bridge: false, gossip: true };
        let allowed = |role: PeerRole| {
            (0..=u16::MAX).filter(move |message_type| role.may_be_sent(*message_type))
        };
        assert!(allowed(plain).eq([1, 17].into_iter().chain((32_769..=65_535).step_by(2))));
        let beyond = |role: PeerRole| -> Vec<u16> {
            allowed(role).filter(|message_type| !plain.may_be_sent(*message_type)).collect()
        };
        let channel = [
            32, 33, 34, 35, 36, 38, 39, 128, 130, 131, 132, 133, 134, 135, 136, 256, 257, 258, 259,
        ];
        assert_eq!(beyond(bridge), channel);
        assert_eq!(beyond(gossip), [256, 257, 258, 261, 262, 263, 264, 265]);
    }

    #[test]
    fn a_role_holds_towards_one_identity_only() {
        let [a, b, peer] = [1, 2, 3].map(|byte| NodeId([byte; 33]));
        let bridge = PeerRole { bridge: true, gossip: false };
        let roles = PeerRoles::new([(a, peer, bridge)]).unwrap();
        assert_eq!(roles.of(a, peer), bridge);
        assert_eq!(roles.of(b, peer), PeerRole::default());
    }

    #[test]
    fn the_table_of_roles_is_bounded() {
        let peer = |number: usize| {
            let mut id = [2; 33];
            id[1..9].copy_from_slice(&number.to_be_bytes());
            (NodeId([1; 33]), NodeId(id), PeerRole::default())
        };
        assert!(PeerRoles::new((0..MAX_PEER_ROLES).map(peer)).is_ok());
        let too_many = PeerRoles::new((0..=MAX_PEER_ROLES).map(peer));
        assert_eq!(too_many, Err(TooManyRoles(MAX_PEER_ROLES + 1)));
    }
}
