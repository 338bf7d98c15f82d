//! Channels and peers that are forgotten: what was never signed, and what is empty.
//!
//! A host that forgets a client has still signed every state the channel went through. In a new
//! channel any of them would be newer than ours, and a state names its client by the refund script
//! alone: so both id and script are remembered, and never admitted again.

use std::collections::{BTreeMap, BTreeSet};

use bitcoin::hashes::{Hash, sha256};
use steward_hosted::{Channel, Phase, Role};
use steward_wire::{LastCrossSignedState, LinkId, NodeId};

use crate::channels::{Entry, ScriptMark};
use crate::code::Code;
use crate::command::{ChannelRef, Reply};
use crate::engine::Engine;
use crate::error::{Error, sat};
use crate::io::{Action, EventKind, Level};
use crate::limits::MAX_FORGOTTEN_CLIENTS;
use crate::row::{ForgottenClient, LocalIdentity, Row, RowKey, Setting};

impl Engine {
    /// Ends a channel in which nobody has anything, without the other side.
    pub(crate) fn forget_channel(&mut self, named: ChannelRef) -> Result<Reply, Error> {
        let (link, entry) = self.find_channel(named)?;
        let (channel, conn) = (&entry.channel, entry.conn);
        self.check_forgettable(&link, channel)?;
        let (role, peer, local) = (channel.role(), channel.remote(), channel.local());
        let is_stored = role == Role::Client || channel.state().is_some();
        let used = used_state(channel).map(|state| ForgottenClient {
            peer,
            refund_script_hash: hash(&state.last_refund_scriptpubkey),
        });

        self.quotas.end(&link, false);
        self.channels.remove(&link);
        self.batch.changed.remove(&link);
        self.batch.touched.remove(&link);
        if is_stored {
            self.batch.writes.delete(RowKey::Channel(link));
        }
        if let Some(client) = used.filter(|_| role == Role::Host) {
            self.forgotten.insert(client);
            self.batch.writes.put(Row::Setting(self.forgotten.to_setting()));
        }
        self.drop_peer(peer, local);
        if let Some(conn) = conn {
            let reason = "the channel was forgotten".to_owned();
            self.hang_up(conn, reason, false);
        }
        self.batch.log(Level::Info, "channel_forgotten", peer, "the channel was forgotten");
        self.notice(EventKind::ChannelForgotten { peer, link: Some(link), role });
        Ok(Reply::Done)
    }

    /// No longer keeps a connection to a peer.
    pub(crate) fn forget_peer(&mut self, peer: NodeId) -> Result<Reply, Error> {
        let keys = [LocalIdentity::Node, LocalIdentity::PerHost].map(|identity| (peer, identity));
        let kept: Vec<_> = keys.into_iter().filter(|key| self.peers.contains_key(key)).collect();
        if kept.is_empty() {
            return Err(Error::new(Code::UnknownPeer, "we keep no connection to this node"));
        }
        let is_client = |(_, entry): (_, &Entry)| entry.channel.role() == Role::Client;
        if self.channels.with_peer(&peer).any(is_client) {
            return Err(Error::new(Code::PeerIsHost, "this node is our host"));
        }
        for (peer, identity) in kept {
            self.drop_peer(peer, self.local_towards(&peer, identity));
        }
        Ok(Reply::Done)
    }

    pub(crate) fn drop_peer(&mut self, peer: NodeId, local: NodeId) {
        let identity = self.identity_of(&local);
        self.given_addresses.remove(&(peer, identity));
        if self.peers.remove(&(peer, identity)).is_some() {
            self.batch.writes.delete(RowKey::Peer(peer, identity));
            self.batch.act(Action::ForgetPeer { peer, local });
        }
    }

    fn check_forgettable(&self, link: &LinkId, channel: &Channel) -> Result<(), Error> {
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
            return Err(Error::new(Code::ChannelNotEmpty, text).hint(hint));
        }
        if channel.override_balance_msat().is_some_and(|proposed_msat| proposed_msat > 0) {
            let text = "the host proposes a balance for us in this channel";
            return Err(Error::new(Code::OverrideProposed, text));
        }
        if self.has_loose_ends(link, channel) {
            let text = "payments are under way in this channel";
            return Err(Error::new(Code::HtlcsInFlight, text).hint("wait until they have ended"));
        }
        if is_host && channel.phase() == Phase::Suspended {
            let text = "the channel is suspended: the client may hold a newer state than ours";
            return Err(Error::new(Code::ChannelSuspended, text)
                .hint("agree on a balance of 0 with the client by an override first"));
        }
        if is_host
            && used_state(channel).is_some()
            && self.forgotten.clients.len() >= MAX_FORGOTTEN_CLIENTS
        {
            let text = format!("{MAX_FORGOTTEN_CLIENTS} clients were forgotten already");
            return Err(Error::new(Code::TooManyForgotten, text));
        }
        Ok(())
    }

    /// HTLCs and updates of the channel, and whatever still waits for one of them.
    fn has_loose_ends(&self, link: &LinkId, channel: &Channel) -> bool {
        channel.has_htlcs()
            || channel.unsigned_updates() != (0, 0)
            || self.carries_on_htlcs_of(link)
            || self.awaits_state_of(link)
            || self.origins.keys().any(|key| key.link == *link)
            || self.outbox.keys().any(|key| key.link == *link)
            || self.forwards.keys().any(|key| key.link == *link)
    }
}

/// Clients whose used channels were forgotten: we signed states for them.
#[derive(Debug, Default)]
pub(crate) struct Forgotten {
    /// Hash of the refund script, by client.
    clients: BTreeMap<NodeId, [u8; 32]>,
    scripts: BTreeSet<[u8; 32]>,
}

impl Forgotten {
    pub(crate) fn new(clients: &[ForgottenClient]) -> Self {
        let mut forgotten = Self::default();
        clients.iter().for_each(|client| forgotten.insert(*client));
        forgotten
    }

    /// True if states we signed may be shown by whoever has this id, or names this refund script.
    pub(crate) fn has(&self, peer: &NodeId, refund_scriptpubkey: &[u8]) -> bool {
        self.clients.contains_key(peer) || self.scripts.contains(&hash(refund_scriptpubkey))
    }

    /// As [`Self::has`], for the refund script of this mark.
    pub(crate) fn has_script(&self, mark: &ScriptMark) -> bool {
        let mut first = [0; 32];
        first.iter_mut().zip(mark).for_each(|(to, from)| *to = *from);
        self.scripts.range(first..).next().is_some_and(|hash| hash.starts_with(mark))
    }

    fn insert(&mut self, client: ForgottenClient) {
        self.clients.insert(client.peer, client.refund_script_hash);
        self.scripts.insert(client.refund_script_hash);
    }

    fn to_setting(&self) -> Setting {
        let client = |(peer, hash): (&NodeId, &[u8; 32])| ForgottenClient {
            peer: *peer,
            refund_script_hash: *hash,
        };
        Setting::ForgottenClients(self.clients.iter().map(client).collect())
    }
}

/// The state, unless there is none but the first.
fn used_state(channel: &Channel) -> Option<&LastCrossSignedState> {
    channel.state().filter(|state| (state.local_updates, state.remote_updates) != (0, 0))
}

fn hash(script: &[u8]) -> [u8; 32] {
    sha256::Hash::hash(script).to_byte_array()
}
