//! Connections and the frames on them: from bytes to messages and to the channel they are for.

use steward_hosted::Input;
use steward_wire::features::{HOSTED_CHANNELS, has_pair};
use steward_wire::{Framing, LinkId, Message, NodeId, framing};

use crate::allowance::Allowance;
use crate::engine::Engine;
use crate::io::{Action, ConnId, Level};
use crate::limits::{COST_OF_IDLE_MESSAGE, COST_OF_REPEAT};
use crate::row::{LocalIdentity, Row};

/// Type of `update_fulfill_htlc`.
const FULFILL_TYPE: u16 = 63_503;

/// One connection.
pub(crate) struct Connection {
    pub(crate) peer: NodeId,
    /// Our identity on it.
    pub(crate) local: NodeId,
    /// The hosted channel that the two may have.
    pub(crate) link: LinkId,
    pub(crate) features: Vec<u8>,
    pub(crate) inbound: bool,
    pub(crate) address: String,
    /// How the peer frames its messages, once it has shown.
    pub(crate) framing: Option<Framing>,
    pub(crate) allowance: Allowance,
    /// It is being hung up on.
    is_closing: bool,
    /// It floods us: of what it sent only preimages count any more.
    is_flooding: bool,
    /// Something was not sent to it: nothing else may be, there is a gap.
    is_mute: bool,
}

impl Connection {
    pub(crate) fn new(
        peer: NodeId,
        local: NodeId,
        features: Vec<u8>,
        inbound: bool,
        address: String,
        now_ms: u64,
    ) -> Self {
        Self {
            peer,
            local,
            link: LinkId::hosted(&local, &peer),
            features,
            inbound,
            address,
            framing: None,
            allowance: Allowance::new(now_ms),
            is_closing: false,
            is_flooding: false,
            is_mute: false,
        }
    }

    /// A guess, for a peer that has never shown a framing: those who advertise only the old bits
    /// are eclair plugins, which speak the legacy one.
    fn guess(&self, try_other: bool) -> Framing {
        let is_modern = has_pair(&self.features, HOSTED_CHANNELS) != try_other;
        if is_modern { Framing::Modern } else { Framing::Legacy }
    }
}

impl Engine {
    pub(crate) fn peer_connected(&mut self, conn: ConnId, connection: Connection) {
        let peer = connection.peer;
        let link = connection.link;
        if !connection.inbound {
            let key = (peer, self.identity_of(&connection.local));
            self.address_reached(key, connection.address.clone());
        }
        self.connections.insert(conn, connection);
        let Some(entry) = self.channels.get(&link) else {
            if self.channels.with_peer(&peer).next().is_some() {
                let text = "the peer reached us under another identity than its channel's";
                self.batch.log(Level::Warn, "wrong_identity", peer, text);
            }
            return;
        };
        // The transport replaces a peer's old connection by a new one; a late report of the old
        // one's end must not touch the new.
        if let Some(old) = entry.conn {
            self.connection_ended(old);
            self.drive(link, Input::Disconnected);
        }
        if let Some(entry) = self.channels.get_mut(&link) {
            entry.conn = Some(conn);
        }
        self.drive(link, Input::Connected);
    }

    pub(crate) fn peer_disconnected(&mut self, conn: ConnId) {
        let Some(link) = self.connection_ended(conn) else { return };
        let Some(entry) = self.channels.get_mut(&link) else { return };
        if entry.conn != Some(conn) {
            return;
        }
        entry.conn = None;
        self.drive(link, Input::Disconnected);
        self.forget_unfinished_opening(link);
    }

    /// Forgets a connection. If the peer never showed a framing, on this connection or an earlier
    /// one, and left us without an answer, our guess may be why: an eclair node stops reading
    /// after a message that it cannot frame.
    fn connection_ended(&mut self, conn: ConnId) -> Option<LinkId> {
        let connection = self.connections.remove(&conn)?;
        let (peer, link) = (connection.peer, connection.link);
        let is_unanswered = connection.framing.is_none() && self.known_framing(&peer).is_none();
        if let Some(entry) = self.channels.get_mut(&link)
            && entry.conn == Some(conn)
        {
            entry.try_other_framing ^= is_unanswered;
        }
        Some(link)
    }

    /// As the peer has ever framed its messages; never changed by a guess.
    fn known_framing(&self, peer: &NodeId) -> Option<Framing> {
        let identities = [LocalIdentity::Node, LocalIdentity::PerHost];
        let mut rows = identities.iter().filter_map(|of| self.peers.get(&(*peer, *of)));
        rows.find_map(|row| row.framing)
    }

    /// Stored with the peer, so that the next connection begins with it.
    fn framing_shown(&mut self, peer: NodeId, shown: Framing) {
        for identity in [LocalIdentity::Node, LocalIdentity::PerHost] {
            // Not every peer is kept, under either key.
            let Some(row) = self.peers.get_mut(&(peer, identity)) else { continue };
            if row.framing != Some(shown) {
                row.framing = Some(shown);
                self.batch.writes.put(Row::Peer(row.clone()));
            }
        }
    }

    /// True if the peer's init on the present connection of its channel has the feature.
    pub(crate) fn offers_feature(&self, link: &LinkId, feature: u32) -> bool {
        let conn = self.channels.get(link).and_then(|entry| entry.conn);
        let connection = conn.and_then(|conn| self.connections.get(&conn));
        connection.is_some_and(|connection| has_pair(&connection.features, feature))
    }

    /// One custom message. Whatever it holds, it can only hurt the channel of its sender.
    pub(crate) fn frame(&mut self, conn: ConnId, message_type: u16, payload: &[u8]) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        if connection.is_flooding && message_type != FULFILL_TYPE {
            return;
        }
        connection.allowance.receive(payload, self.now_ms);
        let (peer, link) = (connection.peer, connection.link);
        let decoded = framing::decode(&mut connection.framing, message_type, payload);
        if let Some(shown) = connection.framing {
            self.framing_shown(peer, shown);
        }
        match decoded {
            Ok(Some(message)) => {
                if self.batch.is_repeat(conn, &message, payload) {
                    let text = format!("{} came again within one batch", message.name());
                    self.batch.log(Level::Debug, "repeated_request", peer, text);
                    return self.bear(conn, COST_OF_REPEAT);
                }
                let changes = self.changes;
                let may_be_idle = self.may_be_idle(&link, &message);
                self.message(conn, link, peer, message);
                if may_be_idle && self.changes == changes {
                    self.bear(conn, COST_OF_IDLE_MESSAGE);
                }
            }
            Ok(None) => {
                let text = format!("ignored a message of the unknown type {message_type}");
                self.batch.log(Level::Debug, "unknown_message", peer, text);
                self.bear(conn, COST_OF_IDLE_MESSAGE);
            }
            Err(error) => {
                let text = format!("message of type {message_type}: {error}");
                self.batch.log(Level::Warn, "undecodable_message", peer, text.clone());
                // The peer believes we have it. Only a fresh comparison of states can tell. Whoever
                // wrote its program will want to know why.
                let said = format!("this cannot be read, so we reconnect: {text}");
                self.batch.send(conn, steward_wire::bolt1::warning(&said));
                self.hang_up(conn, text, false);
            }
        }
    }

    /// True if a message that changes no record is of no use. Updates of an active channel change
    /// it only once they are signed, and the channel bounds how many are not.
    fn may_be_idle(&self, link: &LinkId, message: &Message) -> bool {
        let is_update = matches!(
            message,
            Message::UpdateAddHtlc(_)
                | Message::UpdateFulfillHtlc(_)
                | Message::UpdateFailHtlc(_)
                | Message::UpdateFailMalformedHtlc(_)
        );
        !(is_update && self.is_active(link))
    }

    /// Puts up with something of no use, or hangs up.
    pub(crate) fn bear(&mut self, conn: ConnId, cost: u32) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        if !connection.allowance.bear(cost) && !connection.is_closing {
            let text = "the peer sends too much of no use".to_owned();
            self.batch.log(Level::Warn, "peer_floods", connection.peer, text.clone());
            self.hang_up(conn, text, true);
        }
    }

    /// As [`Engine::bear`], on whatever connection the peer of a channel has.
    pub(crate) fn bear_link(&mut self, link: &LinkId, cost: u32) {
        if let Some(conn) = self.channels.get(link).and_then(|entry| entry.conn) {
            self.bear(conn, cost);
        }
    }

    /// Ends a connection. `back_off`: it floods us, so what it sent and nobody has looked at yet is
    /// dropped, and its address is not let in again at once. A preimage that has come this far
    /// still counts: the next connection compares states, but its peer need not show it again.
    pub(crate) fn hang_up(&mut self, conn: ConnId, reason: String, back_off: bool) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        connection.is_flooding |= back_off;
        if std::mem::replace(&mut connection.is_closing, true) {
            return;
        }
        self.batch.act(Action::Disconnect { conn, reason, back_off });
    }

    /// True if a signed channel joins us with this peer: it may be served before strangers.
    pub fn has_channel(&self, peer: &NodeId) -> bool {
        self.channels.with_peer(peer).any(|(_, entry)| entry.channel.state().is_some())
    }

    fn message(&mut self, conn: ConnId, link: LinkId, peer: NodeId, message: Message) {
        match message {
            Message::InvokeHostedChannel(invoke) => self.invoked(conn, link, peer, invoke),
            Message::AskBrandingInfo(_) => self.send_branding(conn),
            Message::ResizeChannel(resize) if self.refuses_resize(conn, &link, &resize) => {
                self.refuse_resize(conn, peer);
            }
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
                    self.channels.get(&link).is_some_and(|entry| entry.conn == Some(conn));
                if is_current {
                    if !self.refuse_outrun(conn, link, peer) {
                        self.drive(link, Input::Message(message));
                    }
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
    pub(crate) fn send(&mut self, link: &LinkId, message: &Message) {
        let Some(entry) = self.channels.get(link) else { return };
        let Some(conn) = entry.conn else { return };
        self.send_on(conn, message);
    }

    pub(crate) fn send_on(&mut self, conn: ConnId, message: &Message) {
        let Some(connection) = self.connections.get(&conn) else { return };
        if connection.is_mute {
            return;
        }
        let (peer, link) = (connection.peer, connection.link);
        let try_other = self.channels.get(&link).is_some_and(|entry| entry.try_other_framing);
        let known = connection.framing.or_else(|| self.known_framing(&peer));
        let framing = known.unwrap_or_else(|| connection.guess(try_other));
        let fitting = self.fit_for(&connection.features, message);
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        match framing::encode(framing, fitting.as_ref().unwrap_or(message)) {
            Ok(frame) if connection.allowance.send(&frame.1) => self.batch.send(conn, frame),
            Ok(_) => {
                connection.is_mute = true;
                let text = "the peer asks for far more than it gives".to_owned();
                self.batch.log(Level::Warn, "peer_floods", peer, text.clone());
                self.batch.discard(conn);
                self.hang_up(conn, text, true);
            }
            Err(error) => {
                connection.is_mute = true;
                let text = format!("{}: {error}", message.name());
                self.batch.log(Level::Error, "message_too_large", peer, text.clone());
                self.hang_up(conn, text, false);
            }
        }
    }
}
