//! Connections and the frames on them: from bytes to messages and to the channel they are for.

use std::collections::BTreeMap;

use steward_htlc::LinkInput;
use steward_wire::features::{HOSTED_CHANNELS, has_pair, supports_hosted_channels};
use steward_wire::{Framing, LinkId, Message, NodeId, framing, impossible};

use crate::context::Context;
use crate::face::command::PeerInfo;
use crate::face::io::{Action, ConnId, Level};
use crate::face::limits::{COST_OF_IDLE_MESSAGE, COST_OF_REPEAT};
use crate::htlc::attribution::fit_for;
use crate::link::allowance::Allowance;
use crate::link::links::{Link, Links};
use crate::link::opening::Openings;
use crate::link::peer_book::{PeerBook, PeerKey};
use crate::link::resize;
use crate::step::{Disconnect, Invocation, Step};

/// Type of `update_fulfill_htlc`.
const FULFILL_TYPE: u16 = 63_503;

/// One connection.
pub(crate) struct Connection {
    peer: NodeId,
    /// Our identity on it.
    local: NodeId,
    /// The hosted channel that the two may have.
    link: LinkId,
    features: Vec<u8>,
    inbound: bool,
    address: String,
    /// The peer's framing of messages, once it has shown it.
    framing: Option<Framing>,
    allowance: Allowance,
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

    /// Guesses the framing of a peer that has never shown one: those who advertise only the old
    /// bits are eclair plugins, which use the legacy one.
    fn guess(&self, try_other: bool) -> Framing {
        let is_modern = has_pair(&self.features, HOSTED_CHANNELS) != try_other;
        if is_modern { Framing::Modern } else { Framing::Legacy }
    }
}

/// A message that was acted upon, while it is not known yet whether it was of any use.
pub(crate) struct Taken {
    conn: ConnId,
    /// [`Links::changes`] before it.
    changes: u64,
}

/// All connections, and the peers that we keep connected.
pub(crate) struct Connections {
    open: BTreeMap<ConnId, Connection>,
    book: PeerBook,
}

impl Connections {
    pub(crate) fn new(book: PeerBook) -> Self {
        Self { open: BTreeMap::new(), book }
    }

    /// The peers we keep a connection to.
    pub(crate) fn book(&self) -> &PeerBook {
        &self.book
    }

    /// Keeps a connection to a peer from now on.
    pub(crate) fn keep(&mut self, cx: &mut Context, key: PeerKey, addresses: Vec<String>) {
        let is_reached = |c: &&Connection| !c.inbound && (c.peer, cx.identity_of(&c.local)) == key;
        let outbound = self.open.values().filter(is_reached);
        let reached = outbound.map(|connection| connection.address.clone()).collect();
        self.book.keep(cx, key, addresses, reached);
    }

    /// No longer keeps a connection to a peer, and ends the present one.
    pub(crate) fn drop_peer(&mut self, cx: &mut Context, peer: NodeId, local: NodeId) {
        self.book.drop_peer(cx, peer, local);
    }

    /// The newest connection between the two.
    pub(crate) fn between(&self, peer: NodeId, local: NodeId) -> Option<ConnId> {
        let mut newest_first = self.open.iter().rev();
        newest_first.find(|(_, c)| c.peer == peer && c.local == local).map(|(conn, _)| *conn)
    }

    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    /// The connected peers.
    pub(crate) fn list(&self) -> impl Iterator<Item = PeerInfo> {
        self.open.values().map(|connection| PeerInfo {
            peer: connection.peer,
            local: connection.local,
            connected: true,
            inbound: connection.inbound,
            addresses: vec![connection.address.clone()],
            framing: connection.framing.map(|framing| match framing {
                Framing::Modern => "modern",
                Framing::Legacy => "legacy",
            }),
            supports_hosted_channels: supports_hosted_channels(&connection.features),
        })
    }

    pub(crate) fn connected(
        &mut self,
        cx: &mut Context,
        links: &Links,
        conn: ConnId,
        connection: Connection,
    ) {
        let (peer, link) = (connection.peer, connection.link);
        if !connection.inbound {
            let key = (peer, cx.identity_of(&connection.local));
            self.book.address_reached(cx, &key, connection.address.clone());
        }
        self.open.insert(conn, connection);
        let Some(entry) = links.get(&link) else {
            if links.with_peer(&peer).next().is_some() {
                let text = "the peer reached us under another identity than its channel's";
                cx.log(Level::Warn, "wrong_identity", peer, text);
            }
            return;
        };
        // The transport replaces a peer's old connection by a new one.
        if let Some(old) = entry.conn() {
            self.end(cx, old, true);
        }
        cx.push(Step::Connect(link, conn));
    }

    pub(crate) fn disconnected(&mut self, cx: &mut Context, conn: ConnId) {
        self.end(cx, conn, false);
    }

    /// Forgets a connection.
    fn end(&mut self, cx: &mut Context, conn: ConnId, is_replaced: bool) {
        // The end of one that was replaced may be told later.
        let Some(Connection { peer, link, framing, .. }) = self.open.remove(&conn) else { return };
        let is_unanswered = framing.is_none() && self.book.known_framing(&peer).is_none();
        cx.push(Step::Disconnect(Disconnect { link, conn, is_unanswered, is_replaced }));
    }

    /// True if the peer's init on the present connection of its channel has the feature.
    pub(crate) fn offers_feature(&self, links: &Links, link: &LinkId, feature: u32) -> bool {
        let connection = links.conn_of(link).and_then(|conn| self.open.get(&conn));
        connection.is_some_and(|connection| has_pair(&connection.features, feature))
    }

    /// One custom message. Whatever it holds, it can only hurt the channel of its sender. Once its
    /// steps are taken, [`Self::judge`] says whether it was of use.
    pub(crate) fn frame(
        &mut self,
        cx: &mut Context,
        links: &Links,
        openings: &Openings,
        conn: ConnId,
        frame: (u16, Vec<u8>),
    ) -> Option<Taken> {
        let (message_type, payload) = frame;
        // Gone before the engine came to what it sent.
        let connection = self.open.get_mut(&conn)?;
        if connection.is_flooding && message_type != FULFILL_TYPE {
            return None;
        }
        connection.allowance.receive(&payload, cx.now_ms());
        let (peer, link) = (connection.peer, connection.link);
        let decoded = framing::decode(&mut connection.framing, message_type, &payload);
        if let Some(shown) = connection.framing {
            self.book.framing_shown(cx, peer, shown);
        }
        match decoded {
            Ok(Some(message)) => {
                if cx.is_repeat(conn, &message, &payload) {
                    let text = format!("{} came again within one batch", message.name());
                    cx.log(Level::Debug, "repeated_request", peer, text);
                    self.bear(cx, conn, COST_OF_REPEAT);
                    return None;
                }
                let taken = may_be_idle(links, &link, &message)
                    .then(|| Taken { conn, changes: links.changes() });
                self.message(cx, links, openings, conn, message);
                taken
            }
            Ok(None) => {
                let text = format!("ignored a message of the unknown type {message_type}");
                cx.log(Level::Debug, "unknown_message", peer, text);
                self.bear(cx, conn, COST_OF_IDLE_MESSAGE);
                None
            }
            Err(error) => {
                let text = format!("message of type {message_type}: {error}");
                cx.log(Level::Warn, "undecodable_message", peer, text.clone());
                // The peer believes we have it. Only a fresh comparison of states can tell. The
                // author of its program will want to know why.
                let said = format!("this cannot be read, so we reconnect: {text}");
                cx.send(conn, steward_wire::bolt1::warning(&said));
                self.hang_up(cx, conn, text, false);
                None
            }
        }
    }

    /// Puts up with a message that changed nothing.
    pub(crate) fn judge(&mut self, cx: &mut Context, links: &Links, taken: &Taken) {
        if links.changes() == taken.changes {
            self.bear(cx, taken.conn, COST_OF_IDLE_MESSAGE);
        }
    }

    /// Puts up with something of no use, or hangs up.
    pub(crate) fn bear(&mut self, cx: &mut Context, conn: ConnId, cost: u32) {
        // It may have been hung up on, and be gone, by now.
        let Some(connection) = self.open.get_mut(&conn) else { return };
        if !connection.allowance.bear(cost) && !connection.is_closing {
            let text = "the peer sends too much of no use".to_owned();
            cx.log(Level::Warn, "peer_floods", connection.peer, text.clone());
            self.hang_up(cx, conn, text, true);
        }
    }

    /// Ends a connection. `back_off`: it floods us, so the messages that wait are dropped, and its
    /// address is not let in again at once. A preimage that has come this far still counts: the
    /// next connection compares states, but its peer need not show it again.
    pub(crate) fn hang_up(
        &mut self,
        cx: &mut Context,
        conn: ConnId,
        reason: String,
        back_off: bool,
    ) {
        // It ended by itself.
        let Some(connection) = self.open.get_mut(&conn) else { return };
        connection.is_flooding |= back_off;
        if std::mem::replace(&mut connection.is_closing, true) {
            return;
        }
        cx.act(Action::Disconnect { conn, reason, back_off });
    }

    fn message(
        &mut self,
        cx: &mut Context,
        links: &Links,
        openings: &Openings,
        conn: ConnId,
        message: Message,
    ) {
        let Some(connection) = self.open.get(&conn) else {
            return impossible!("what sent a message is connected");
        };
        let (peer, link) = (connection.peer, connection.link);
        let current = links.get(&link).filter(|entry| entry.conn() == Some(conn));
        match message {
            Message::InvokeHostedChannel(invoke) => {
                let (local, address) = (connection.local, connection.address.clone());
                let invocation = Invocation { conn, link, peer, local, address, invoke };
                cx.push(Step::Invoked(Box::new(invocation)));
            }
            Message::AskBrandingInfo(_) => {
                if let Some(branding) = cx.config().host.branding.clone() {
                    self.send(cx, links, conn, &Message::HostedChannelBranding(branding));
                }
            }
            Message::ResizeChannel(resize)
                if current.is_some_and(|entry| {
                    resize::is_refused(cx, entry, &connection.features, &resize)
                }) =>
            {
                resize::refuse(cx, conn, peer);
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
                cx.log(Level::Debug, "unused_message", peer, text);
            }
            message if current.is_none() => {
                let text = format!("{} without a channel", message.name());
                cx.log(Level::Debug, "no_channel", peer, text);
            }
            _ if openings.is_outrun(links, &link) => cx.push(Step::Outrun(conn, link, peer)),
            message => cx.push(Step::Drive(link, Box::new(LinkInput::Message(message)))),
        }
    }

    /// The peer says something about a connection. As client: a host refuses our resize in this
    /// way.
    pub(crate) fn warned(&self, cx: &mut Context, links: &Links, conn: ConnId, text: &str) {
        // Gone before the engine came to its words.
        let Some(link) = self.open.get(&conn).map(|connection| connection.link) else { return };
        let is_current = links.conn_of(&link) == Some(conn);
        if is_current && let Some(reason) = resize::refusal(text) {
            cx.push(Step::ResizeRefused(link, reason));
        }
    }

    /// Sends a message on a connection, framed as its peer frames its own.
    pub(crate) fn send(
        &mut self,
        cx: &mut Context,
        links: &Links,
        conn: ConnId,
        message: &Message,
    ) {
        // Gone meanwhile: reestablishing repeats what counts.
        let Some(connection) = self.open.get_mut(&conn) else { return };
        if connection.is_mute {
            return;
        }
        let peer = connection.peer;
        let try_other = links.get(&connection.link).is_some_and(Link::tries_other_framing);
        let known = connection.framing.or_else(|| self.book.known_framing(&peer));
        let framing = known.unwrap_or_else(|| connection.guess(try_other));
        let fitting = fit_for(&connection.features, message);
        match framing::encode(framing, fitting.as_ref().unwrap_or(message)) {
            Ok(frame) if connection.allowance.send(&frame.1) => cx.send(conn, frame),
            Ok(_) => {
                connection.is_mute = true;
                let text = "the peer asks for far more than it gives".to_owned();
                cx.log(Level::Warn, "peer_floods", peer, text.clone());
                cx.discard(conn);
                self.hang_up(cx, conn, text, true);
            }
            Err(error) => {
                connection.is_mute = true;
                let text = format!("{}: {error}", message.name());
                cx.log(Level::Error, "message_too_large", peer, text.clone());
                self.hang_up(cx, conn, text, false);
            }
        }
    }
}

/// True if a message that changes no record is of no use. Updates of an active channel change it
/// only once they are signed, and the channel bounds how many are not.
fn may_be_idle(links: &Links, link: &LinkId, message: &Message) -> bool {
    let is_update = matches!(
        message,
        Message::UpdateAddHtlc(_)
            | Message::UpdateFulfillHtlc(_)
            | Message::UpdateFailHtlc(_)
            | Message::UpdateFailMalformedHtlc(_)
    );
    !(is_update && links.is_active(link))
}
