//! Channels and peers that are forgotten: what was never signed, and what is empty.
//!
//! A host that forgets a client has still signed every state the channel went through. Were the
//! client let in again, it could show one of them: so its id is remembered, and never admitted.

use steward_channel::{Channel, Phase, Role};
use steward_wire::NodeId;

use crate::command::Reply;
use crate::engine::{Engine, node_id_of};
use crate::error::{Error, sat};
use crate::io::{Action, EventKind, Level};
use crate::limits::MAX_FORGOTTEN_CLIENTS;
use crate::row::{RowKey, Write};

impl Engine {
    /// Ends a channel in which nobody has anything, without the other side.
    pub(crate) fn forget_channel(&mut self, peer: NodeId) -> Result<Reply, Error> {
        // Tells who has no channel with us at all.
        self.show_channel(peer)?;
        let Some(entry) = self.channels.get(&peer) else { return Ok(Reply::Done) };
        let (channel, conn) = (&entry.channel, entry.conn);
        self.check_forgettable(&peer, channel)?;
        let (role, local) = (channel.role(), channel.local());
        let is_stored = role == Role::Client || channel.state().is_some();
        let was_used = was_used(channel);

        self.quotas.end(&peer, false);
        self.channels.remove(&peer);
        self.batch.changed.remove(&peer);
        self.batch.touched.remove(&peer);
        if is_stored {
            self.batch.writes.delete(RowKey::Channel(peer));
        }
        if role == Role::Host && was_used {
            self.forgotten_clients.insert(peer);
            let ids = self.forgotten_clients.iter().flat_map(|id| id.0).collect();
            self.batch.writes.put(RowKey::Setting("forgotten_clients"), Write::Setting(ids));
        }
        self.drop_peer(peer, local);
        if let Some(conn) = conn {
            let reason = "the channel was forgotten".to_owned();
            self.hang_up(conn, reason, false);
        }
        self.batch.log(Level::Info, "channel_forgotten", peer, "the channel was forgotten");
        self.notice(EventKind::ChannelForgotten { peer, role });
        Ok(Reply::Done)
    }

    /// No longer keeps a connection to a peer.
    pub(crate) fn forget_peer(&mut self, peer: NodeId) -> Result<Reply, Error> {
        let Some(row) = self.peers.get(&peer) else {
            return Err(Error::bad_request("unknown_peer", "we keep no connection to this node")
                .hint("the list of peers shows those that are wanted"));
        };
        let role = self.channels.get(&peer).map(|entry| entry.channel.role());
        if role == Some(Role::Client) {
            return Err(Error::refused("peer_is_host", "this node is our host")
                .hint("forget the channel, once it is empty: the connection goes with it"));
        }
        let local =
            if row.is_host { node_id_of(&self.keys.towards_host(&peer)) } else { self.node_id };
        self.drop_peer(peer, local);
        Ok(Reply::Done)
    }

    /// True if the peer was our client, and its channel was used: we signed states for it.
    pub(crate) fn is_forgotten_client(&self, peer: &NodeId) -> bool {
        self.forgotten_clients.contains(peer)
    }

    fn drop_peer(&mut self, peer: NodeId, local: NodeId) {
        self.given_addresses.remove(&peer);
        if self.peers.remove(&peer).is_some() {
            self.batch.writes.delete(RowKey::Peer(peer));
            self.batch.act(Action::ForgetPeer { peer, local });
        }
    }

    fn check_forgettable(&self, peer: &NodeId, channel: &Channel) -> Result<(), Error> {
        let Some(state) = channel.state() else { return Ok(()) };
        let is_host = channel.role() == Role::Host;
        let client_msat =
            if is_host { state.remote_balance_msat } else { state.local_balance_msat };
        if client_msat > 0 {
            let (text, hint) = match is_host {
                true => ("we owe the client", "only the client can spend it"),
                false => ("the host owes us", "pay it out first: everything can be sent at once"),
            };
            let text = format!("{text} {} in this channel", sat(client_msat));
            return Err(Error::refused("channel_not_empty", text).hint(hint));
        }
        if channel.override_balance_msat().is_some_and(|proposed_msat| proposed_msat > 0) {
            let text = "the host proposes a balance for us in this channel";
            return Err(Error::refused("override_proposed", text)
                .hint("accept the override, or ask the host for another proposal"));
        }
        if self.has_loose_ends(peer, channel) {
            let text = "payments are under way in this channel";
            return Err(
                Error::unavailable("htlcs_in_flight", text).hint("wait until they have ended")
            );
        }
        if is_host && channel.phase() == Phase::Suspended {
            let text = "the channel is suspended: the client may hold a newer state than ours";
            return Err(Error::refused("channel_suspended", text)
                .hint("agree on a balance of 0 with the client by an override first"));
        }
        if is_host && was_used(channel) && self.forgotten_clients.len() >= MAX_FORGOTTEN_CLIENTS {
            let text = format!("{MAX_FORGOTTEN_CLIENTS} clients were forgotten already");
            return Err(Error::refused("too_many_forgotten", text)
                .hint("an empty channel costs nothing but its place: leave it"));
        }
        Ok(())
    }

    /// HTLCs and updates of the channel, and whatever still waits for one of them.
    fn has_loose_ends(&self, peer: &NodeId, channel: &Channel) -> bool {
        channel.has_htlcs()
            || channel.unsigned_updates() != (0, 0)
            || self.carries_on_htlcs_of(peer)
            || self.awaits_word_of(peer)
            || self.origins.keys().any(|key| key.peer == *peer)
            || self.outbox.keys().any(|key| key.peer == *peer)
            || self.forwards.keys().any(|key| key.peer == *peer)
    }
}

/// True if there is any state but the first.
fn was_used(channel: &Channel) -> bool {
    channel.state().is_some_and(|state| (state.local_updates, state.remote_updates) != (0, 0))
}
