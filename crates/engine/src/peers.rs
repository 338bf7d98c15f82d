//! Connections and the frames on them: from bytes to messages and to the channel they are for.

use steward_channel::Input;
use steward_wire::features::{HOSTED_CHANNELS, has_pair};
use steward_wire::{Framing, Message, NodeId, framing};

use crate::engine::Engine;
use crate::io::{Action, ConnId, Level};
use crate::row::{RowKey, Write};

/// One connection.
pub(crate) struct Connection {
    pub(crate) peer: NodeId,
    /// Our identity on it.
    pub(crate) local: NodeId,
    pub(crate) features: Vec<u8>,
    pub(crate) inbound: bool,
    pub(crate) address: String,
    /// How the peer frames its messages, once it has shown.
    pub(crate) framing: Option<Framing>,
}

impl Connection {
    pub(crate) fn new(
        peer: NodeId,
        local: NodeId,
        features: Vec<u8>,
        inbound: bool,
        address: String,
    ) -> Self {
        Self { peer, local, features, inbound, address, framing: None }
    }

    /// A guess, for a peer that has never shown a framing: those who advertise only the old bits
    /// are eclair plugins, which speak the legacy one (docs/protocol-notes.md).
    fn guess(&self, try_other: bool) -> Framing {
        let is_modern = has_pair(&self.features, HOSTED_CHANNELS) != try_other;
        if is_modern { Framing::Modern } else { Framing::Legacy }
    }
}

impl Engine {
    pub(crate) fn peer_connected(&mut self, conn: ConnId, connection: Connection) {
        let peer = connection.peer;
        let local = connection.local;
        self.connections.insert(conn, connection);
        let Some(entry) = self.channels.get(&peer) else { return };
        if entry.channel.local() != local {
            let text = "the peer reached us under another identity than its channel's";
            self.batch.log(Level::Warn, "wrong_identity", peer, text);
            return;
        }
        // The transport replaces a peer's old connection by a new one; a late report of the old
        // one's end must not touch the new.
        if let Some(old) = entry.conn {
            self.connection_ended(old);
            self.drive(peer, Input::Disconnected);
        }
        if let Some(entry) = self.channels.get_mut(&peer) {
            entry.conn = Some(conn);
        }
        self.drive(peer, Input::Connected);
    }

    pub(crate) fn peer_disconnected(&mut self, conn: ConnId) {
        let Some(peer) = self.connection_ended(conn) else { return };
        let Some(entry) = self.channels.get_mut(&peer) else { return };
        if entry.conn != Some(conn) {
            return;
        }
        entry.conn = None;
        self.drive(peer, Input::Disconnected);
        self.forget_unfinished_opening(peer);
    }

    /// Forgets a connection. If the peer never showed a framing, on this connection or an earlier
    /// one, and left us without an answer, our guess may be why: an eclair node stops reading
    /// after a message that it cannot frame.
    fn connection_ended(&mut self, conn: ConnId) -> Option<NodeId> {
        let connection = self.connections.remove(&conn)?;
        let peer = connection.peer;
        let is_unanswered = connection.framing.is_none() && self.known_framing(&peer).is_none();
        if let Some(entry) = self.channels.get_mut(&peer)
            && entry.conn == Some(conn)
        {
            entry.try_other_framing ^= is_unanswered;
        }
        Some(peer)
    }

    /// As the peer has ever framed its messages; never changed by a guess.
    fn known_framing(&self, peer: &NodeId) -> Option<Framing> {
        self.peers.get(peer).and_then(|row| row.framing)
    }

    /// Stored with the peer, so that the next connection begins with it.
    fn framing_shown(&mut self, peer: NodeId, shown: Framing) {
        let Some(row) = self.peers.get_mut(&peer) else { return };
        if row.framing != Some(shown) {
            row.framing = Some(shown);
            self.batch.writes.put(RowKey::Peer(peer), Write::Peer(row.clone()));
        }
    }

    /// True if the peer's init on the present connection of its channel has the feature.
    pub(crate) fn offers_feature(&self, peer: &NodeId, feature: u32) -> bool {
        let conn = self.channels.get(peer).and_then(|entry| entry.conn);
        let connection = conn.and_then(|conn| self.connections.get(&conn));
        connection.is_some_and(|connection| has_pair(&connection.features, feature))
    }

    /// One custom message. Whatever it holds, it can only hurt the channel of its sender.
    pub(crate) fn frame(&mut self, conn: ConnId, message_type: u16, payload: &[u8]) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        let peer = connection.peer;
        let decoded = framing::decode(&mut connection.framing, message_type, payload);
        if let Some(shown) = connection.framing {
            self.framing_shown(peer, shown);
        }
        match decoded {
            Ok(Some(message)) => self.message(conn, peer, message),
            Ok(None) => {
                let text = format!("ignored a message of the unknown type {message_type}");
                self.batch.log(Level::Debug, "unknown_message", peer, text);
            }
            Err(error) => {
                let text = format!("message of type {message_type}: {error}");
                self.batch.log(Level::Warn, "undecodable_message", peer, text.clone());
                // The peer believes we have it. Only a fresh comparison of states can tell.
                self.batch.act(Action::Disconnect { conn, reason: text });
            }
        }
    }

    fn message(&mut self, conn: ConnId, peer: NodeId, message: Message) {
        match message {
            Message::InvokeHostedChannel(invoke) => self.invoked(conn, peer, invoke),
            Message::AskBrandingInfo(_) => self.send_branding(conn),
            Message::HostedChannelBranding(_)
            | Message::QueryPublicHostedChannels(_)
            | Message::ReplyPublicHostedChannelsEnd(_)
            | Message::QueryPreimages(_)
            | Message::ReplyPreimages(_)
            | Message::AnnouncementGossip(_)
            | Message::AnnouncementSync(_)
            | Message::TrampolineStatusInit(_)
            | Message::TrampolineStatusUpdate(_)
            | Message::TrampolineUndesired(_) => {
                let text = format!("ignored {}", message.name());
                self.batch.log(Level::Debug, "unused_message", peer, text);
            }
            message => {
                let is_current =
                    self.channels.get(&peer).is_some_and(|entry| entry.conn == Some(conn));
                if is_current {
                    self.drive(peer, Input::Message(message));
                } else {
                    let text = format!("{} without a channel", message.name());
                    self.batch.log(Level::Debug, "no_channel", peer, text);
                }
            }
        }
    }

    fn send_branding(&mut self, conn: ConnId) {
        if let Some(branding) = self.config.host.branding.clone() {
            self.send_on(conn, &Message::HostedChannelBranding(branding));
        }
    }

    /// Sends to the peer of a channel, if it is connected; otherwise the next resync repeats it.
    pub(crate) fn send(&mut self, peer: NodeId, message: &Message) {
        let Some(entry) = self.channels.get(&peer) else { return };
        let Some(conn) = entry.conn else { return };
        self.send_on(conn, message);
    }

    pub(crate) fn send_on(&mut self, conn: ConnId, message: &Message) {
        let Some(connection) = self.connections.get(&conn) else { return };
        let peer = connection.peer;
        let try_other = self.channels.get(&peer).is_some_and(|entry| entry.try_other_framing);
        let known = connection.framing.or_else(|| self.known_framing(&peer));
        let framing = known.unwrap_or_else(|| connection.guess(try_other));
        match framing::encode(framing, message) {
            Ok(frame) => self.batch.send(conn, frame),
            Err(error) => {
                let text = format!("{}: {error}", message.name());
                self.batch.log(Level::Error, "message_too_large", peer, text.clone());
                self.batch.act(Action::Disconnect { conn, reason: text });
            }
        }
    }
}
