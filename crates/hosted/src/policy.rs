//! The peer's terms for forwarding to us.

use steward_htlc::LinkEvent;
use steward_wire::ChannelUpdate;

use crate::io::{Output, Role};
use crate::limits::MAX_POLICY_EXCESS_BYTES;
use crate::open::OpenChannel;

impl OpenChannel<'_> {
    /// As client: the host's terms for forwarding to us.
    pub(crate) fn on_peer_policy(&mut self, policy: ChannelUpdate) {
        // What the host says last counts, whatever its clock says: nobody else can bring us an
        // older one over its connection, and one dated by a clock that was ahead must not stay.
        let known = self.open.peer_policy.as_ref();
        let is_new = known.is_none_or(|known| known.timestamp != policy.timestamp);
        let is_ours = self.pair.role == Role::Client
            && policy.short_channel_id == self.pair.scid
            && policy.chain_hash == *self.env.chain_hash
            && policy.is_from(&self.pair.remote, &self.pair.local)
            && policy.excess.len() <= MAX_POLICY_EXCESS_BYTES;
        if is_new && is_ours && policy.is_signed_by(&self.pair.remote) {
            self.open.peer_policy = Some(policy.clone());
            self.changed = true;
            self.out.push(Output::Link(LinkEvent::PeerPolicy(policy)));
        }
    }
}
