//! Connections and the frames on them: from bytes to messages and to the channel they are for.

use steward_channel::Input;
use steward_wire::features::{HOSTED_CHANNELS, has_pair};
use steward_wire::{Framing, Message, NodeId, framing};

use crate::engine::Engine;
use crate::io::{Action, ConnId, Level};

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

    /// What the peer has shown; before that what its features suggest: those who advertise only
    /// the old bits are eclair plugins, which speak the legacy framing (protocol.md section 1.1).
    fn framing_to_send(&self, try_other: bool) -> Framing {
        if let Some(shown) = self.framing {
            return shown;
        }
        let is_modern = has_pair(&self.features, HOSTED_CHANNELS) != try_other;
        if is_modern { Framing::Modern } else { Framing::Legacy }
    }
}

impl Engine {
    pub(crate) fn peer_connected(&mut self, conn: ConnId, connection: Connection) {
        let peer = connection.peer;
        let local = connection.local;
        self.connections.insert(conn, connection);
        let Some(entry) = self.channels.get_mut(&peer) else { return };
        if entry.channel.local() != local {
            let text = "the peer reached us under another identity than its channel's";
            self.batch.log(Level::Warn, "wrong_identity", peer, text);
            return;
        }
        // The transport replaces a peer's old connection by a new one; a late report of the old
        // one's end must not touch the new.
        if let Some(old) = entry.conn.replace(conn) {
            self.connections.remove(&old);
            self.drive(peer, Input::Disconnected);
        }
        self.drive(peer, Input::Connected);
    }

    pub(crate) fn peer_disconnected(&mut self, conn: ConnId) {
        let Some(connection) = self.connections.remove(&conn) else { return };
        let peer = connection.peer;
        let Some(entry) = self.channels.get_mut(&peer) else { return };
        if entry.conn != Some(conn) {
            return;
        }
        entry.conn = None;
        self.drive(peer, Input::Disconnected);
        self.forget_unfinished_opening(peer);
    }

    /// One custom message. Whatever it holds, it can only hurt the channel of its sender.
    pub(crate) fn frame(&mut self, conn: ConnId, message_type: u16, payload: &[u8]) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        let peer = connection.peer;
        match framing::decode(&mut connection.framing, message_type, payload) {
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
            Message::AskBrandingInfo(_) => self.send_branding(conn, peer),
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

    fn send_branding(&mut self, conn: ConnId, peer: NodeId) {
        if let Some(branding) = self.config.host.branding.clone() {
            let other = self.channels.get(&peer).is_some_and(|entry| entry.try_other_framing);
            self.send_on(conn, other, &Message::HostedChannelBranding(branding));
        }
    }

    /// Sends to the peer of a channel, if it is connected; otherwise the next resync repeats it.
    pub(crate) fn send(&mut self, peer: NodeId, message: &Message) {
        let Some(entry) = self.channels.get(&peer) else { return };
        let Some(conn) = entry.conn else { return };
        self.send_on(conn, entry.try_other_framing, message);
    }

    pub(crate) fn send_on(&mut self, conn: ConnId, try_other: bool, message: &Message) {
        let Some(connection) = self.connections.get(&conn) else { return };
        let peer = connection.peer;
        match framing::encode(connection.framing_to_send(try_other), message) {
            Ok(frame) => self.batch.send(conn, frame),
            Err(error) => {
                let text = format!("{}: {error}", message.name());
                self.batch.log(Level::Error, "message_too_large", peer, text.clone());
                self.batch.act(Action::Disconnect { conn, reason: text });
            }
        }
    }
}
