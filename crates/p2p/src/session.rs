//! One BOLT 8 connection without a socket: bytes in, events and bytes out. It has no I/O, no clock
//! and no randomness of its own, so that a simulator can run it.

use std::sync::Arc;

use lightning::ln::peer_handler::{IgnoringMessageHandler, MessageHandler, PeerManager};
use steward_wire::{ErrorText, Identity, NodeId};

use crate::config::SessionConfig;
use crate::features::Features;
use crate::handlers::{Descriptor, Handlers, RawMessage, SessionEvent};
use crate::limits::{KEEP_BUFFER_BYTES, MAX_PAYLOAD_BYTES, MAX_QUEUED_BYTES, READ_SLICE_BYTES};
use crate::message::wire_bytes;
use crate::role::PeerRole;
use crate::signer::Signer;

/// LDK's wire stack for one connection. It ignores onion messages.
type Manager = PeerManager<
    Descriptor,
    Arc<Handlers>,
    Arc<Handlers>,
    IgnoringMessageHandler,
    Arc<Handlers>,
    Arc<Handlers>,
    Arc<Signer>,
    IgnoringMessageHandler,
>;

/// The reason why a session ended. Nothing can be received or sent afterwards.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The remote node id is not a curve point.
    #[error("the node id is not a public key")]
    InvalidNodeId,
    /// The peer broke the protocol, or requires a feature that we do not know. The text is for
    /// people.
    #[error("{0}")]
    Protocol(String),
    /// The peer sent an `error` for the whole connection, after which LDK disconnects.
    #[error("the peer sent an error: {}", ErrorText::parse(.0.as_bytes()))]
    PeerError(String),
    /// The handshake took two ticks, or the peer was silent for two.
    #[error("the peer stopped answering")]
    Timeout,
    /// More than [`MAX_QUEUED_BYTES`] wait to be sent.
    #[error("too many bytes waited to be sent")]
    SendQueueFull,
}

/// The reason why a message was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The payload is larger than a BOLT 8 message can be. Nothing was sent.
    #[error("a payload of {len} bytes does not fit a message")]
    TooLarge {
        /// The size of the payload, in bytes; at most [`MAX_PAYLOAD_BYTES`] fit.
        len: usize,
    },
    /// The handshake is not finished, or the session has ended.
    #[error("the session is not established")]
    NotEstablished,
    /// More than [`MAX_QUEUED_BYTES`] would wait; the session has ended.
    #[error("too many bytes waited to be sent")]
    QueueFull,
    /// Our `init` did not offer the peer messages of this type; see
    /// [`PeerRole::may_be_sent`]. Nothing was sent.
    #[error("the peer was not offered messages of type {message_type}")]
    NotOffered {
        /// The type of the message.
        message_type: u16,
    },
}

/// One connection: feed it with [`receive`](Self::receive), [`send`](Self::send) and
/// [`tick`](Self::tick), then drain [`take_events`](Self::take_events) and the outgoing bytes.
pub struct Session {
    manager: Manager,
    handlers: Arc<Handlers>,
    local: NodeId,
    peer: Option<(NodeId, Features)>,
    /// The encrypted bytes to send, from `sent` on.
    outgoing: Vec<u8>,
    sent: usize,
    /// The size on the wire of the messages that are not encrypted yet.
    unencrypted_bytes: usize,
    ended: Option<SessionError>,
}

impl Session {
    /// Opens a session, as `identity`, to `remote`. The first bytes are ready to be sent. `entropy`
    /// must be fresh and secret: the ephemeral key comes from it.
    ///
    /// # Errors
    /// [`SessionError::InvalidNodeId`] if `remote` is not a public key.
    pub fn outbound(
        identity: impl Identity + 'static,
        remote: NodeId,
        entropy: [u8; 32],
        config: &SessionConfig,
    ) -> Result<Self, SessionError> {
        let remote = remote.public_key().ok_or(SessionError::InvalidNodeId)?;
        let mut session = Self::new(Arc::new(identity), entropy, config);
        let descriptor = Descriptor(session.handlers.clone());
        let act_one = session.manager.new_outbound_connection(remote, descriptor, None);
        session.outgoing = act_one.map_err(|_| session.end_reason())?;
        Ok(session)
    }

    /// Accepts a session that a peer opened, as `identity`. `entropy` must be fresh and secret: the
    /// ephemeral key comes from it.
    ///
    /// # Errors
    /// There are none today; LDK reserves the right to refuse a connection.
    pub fn inbound(
        identity: impl Identity + 'static,
        entropy: [u8; 32],
        config: &SessionConfig,
    ) -> Result<Self, SessionError> {
        let session = Self::new(Arc::new(identity), entropy, config);
        let descriptor = Descriptor(session.handlers.clone());
        let accepted = session.manager.new_inbound_connection(descriptor, None);
        accepted.map_err(|_| session.end_reason())?;
        Ok(session)
    }

    fn new(identity: Arc<dyn Identity>, entropy: [u8; 32], config: &SessionConfig) -> Self {
        let signer = Arc::new(Signer::new(identity, entropy));
        let local = signer.node_id().into();
        let handlers = Handlers::new(local, config.clone());
        let message_handler = MessageHandler {
            chan_handler: handlers.clone(),
            route_handler: handlers.clone(),
            onion_message_handler: IgnoringMessageHandler {},
            custom_message_handler: handlers.clone(),
            send_only_message_handler: IgnoringMessageHandler {},
        };
        // The "current time" numbers node announcements, of which we send none.
        let manager = Manager::new(message_handler, 0, &entropy, handlers.clone(), signer);
        Self {
            manager,
            handlers,
            local,
            peer: None,
            outgoing: Vec::new(),
            sent: 0,
            unencrypted_bytes: 0,
            ended: None,
        }
    }

    /// Takes bytes from the peer, in any portions. [`take_events`](Self::take_events) returns what
    /// they caused, also after an error.
    ///
    /// # Errors
    /// The reason why the session has ended, now or earlier.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<(), SessionError> {
        for slice in bytes.chunks(READ_SLICE_BYTES) {
            self.check_alive()?;
            self.handlers.lock().last_log.clear();
            let mut descriptor = Descriptor(self.handlers.clone());
            if self.manager.read_event(&mut descriptor, slice).is_err() {
                return Err(self.end(self.end_reason()));
            }
            self.encrypt()?;
            let hang_up = self.handlers.lock().hang_up.clone();
            if let Some(text) = hang_up {
                return Err(self.end(SessionError::Protocol(text)));
            }
            if self.queued_bytes() > MAX_QUEUED_BYTES {
                return Err(self.end(SessionError::SendQueueFull));
            }
        }
        Ok(())
    }

    /// Queues a message for the peer; see [`outgoing`](Self::outgoing).
    ///
    /// The caller sends only what the peer was offered; see [`PeerRole::may_be_sent`].
    ///
    /// # Errors
    /// See [`SendError`]; only [`SendError::QueueFull`] ends the session.
    pub fn send(&mut self, message_type: u16, payload: Vec<u8>) -> Result<(), SendError> {
        if payload.len() > MAX_PAYLOAD_BYTES {
            return Err(SendError::TooLarge { len: payload.len() });
        }
        if !self.is_established() {
            return Err(SendError::NotEstablished);
        }
        let size = wire_bytes(&payload);
        if self.queued_bytes() + size > MAX_QUEUED_BYTES {
            self.end(SessionError::SendQueueFull);
            return Err(SendError::QueueFull);
        }
        self.unencrypted_bytes += size;
        self.handlers.lock().outbox.push(RawMessage { message_type, payload });
        Ok(())
    }

    /// Takes note that ten seconds have passed ([`crate::limits::TICK_INTERVAL`]), and pings the
    /// peer.
    ///
    /// # Errors
    /// [`SessionError::Timeout`] if the peer did not finish the handshake, or was silent, for two
    /// ticks.
    pub fn tick(&mut self) -> Result<(), SessionError> {
        self.check_alive()?;
        self.manager.timer_tick_occurred();
        if self.handlers.lock().disconnected {
            return Err(self.end(SessionError::Timeout));
        }
        self.encrypt()
    }

    /// Returns what happened since the last call, oldest first.
    pub fn take_events(&mut self) -> Vec<SessionEvent> {
        std::mem::take(&mut self.handlers.lock().events)
    }

    /// Returns the bytes to send to the peer: all messages queued so far, encrypted. The caller
    /// reports how many of them were sent to [`consume_outgoing`](Self::consume_outgoing).
    pub fn outgoing(&mut self) -> &[u8] {
        // An error here is kept, and returned by the next call that can.
        let _ = self.encrypt();
        self.outgoing.get(self.sent..).unwrap_or_default()
    }

    /// Takes note that the first `len` bytes of [`outgoing`](Self::outgoing) were sent.
    pub fn consume_outgoing(&mut self, len: usize) {
        self.sent = self.sent.saturating_add(len).min(self.outgoing.len());
        if self.sent < self.outgoing.len() {
            return;
        }
        self.sent = 0;
        self.outgoing.clear();
        self.outgoing.shrink_to(KEEP_BUFFER_BYTES);
    }

    /// Returns all bytes to send to the peer.
    pub fn take_outgoing(&mut self) -> Vec<u8> {
        let bytes = self.outgoing().to_vec();
        self.consume_outgoing(bytes.len());
        bytes
    }

    /// Returns how many bytes, as on the wire, wait to be sent. The caller pauses reading above
    /// [`crate::limits::READ_PAUSE_QUEUED_BYTES`].
    pub fn queued_bytes(&self) -> usize {
        self.unencrypted_bytes + (self.outgoing.len() - self.sent)
    }

    /// Returns true if messages can be sent.
    pub fn is_established(&self) -> bool {
        self.ended.is_none() && self.peer.is_some()
    }

    /// Returns our own node id.
    pub fn local_node_id(&self) -> NodeId {
        self.local
    }

    /// Returns the peer, once both `init` are exchanged.
    pub fn their_node_id(&self) -> Option<NodeId> {
        self.peer.as_ref().map(|(peer, _)| *peer)
    }

    /// Returns the peer's features, once both `init` are exchanged.
    pub fn their_features(&self) -> Option<&Features> {
        self.peer.as_ref().map(|(_, features)| features)
    }

    /// Returns the role of the peer, to which our `init` was fitted. Before its key is known it is
    /// the default.
    pub fn role(&self) -> PeerRole {
        self.handlers.role()
    }

    /// Lets LDK encrypt what is queued, and collects its bytes.
    fn encrypt(&mut self) -> Result<(), SessionError> {
        self.check_alive()?;
        self.manager.process_events();
        let mut shared = self.handlers.lock();
        if self.peer.is_none() {
            self.peer = shared.peer.clone().map(|(peer, features)| (peer.into(), features));
        }
        self.unencrypted_bytes = 0;
        if self.outgoing.is_empty() {
            std::mem::swap(&mut self.outgoing, &mut shared.outgoing);
        } else {
            // It removes half of the buffer at a time, so that a busy connection neither grows it
            // without end nor moves every byte again and again.
            if self.sent > self.outgoing.len() / 2 {
                self.outgoing.drain(..self.sent);
                self.sent = 0;
            }
            self.outgoing.append(&mut shared.outgoing);
        }
        let disconnected = shared.disconnected;
        drop(shared);
        if disconnected { Err(self.end(self.end_reason())) } else { Ok(()) }
    }

    fn check_alive(&self) -> Result<(), SessionError> {
        self.ended.clone().map_or(Ok(()), Err)
    }

    /// Ends the session, and frees its memory.
    fn end(&mut self, reason: SessionError) -> SessionError {
        self.manager.socket_disconnected(&Descriptor(self.handlers.clone()));
        let mut shared = self.handlers.lock();
        shared.outbox = Vec::new();
        shared.outgoing = Vec::new();
        self.unencrypted_bytes = 0;
        self.ended.get_or_insert(reason).clone()
    }

    /// Returns why LDK gave the connection up, as far as LDK says.
    fn end_reason(&self) -> SessionError {
        let shared = self.handlers.lock();
        if let Some(text) = &shared.fatal_error {
            return SessionError::PeerError(text.clone());
        }
        if shared.last_log.is_empty() {
            return SessionError::Protocol("the peer sent invalid data".to_owned());
        }
        SessionError::Protocol(shared.last_log.clone())
    }
}
