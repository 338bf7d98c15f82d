//! The callbacks of LDK's PeerManager for one connection: `init`, custom messages, errors, bytes to
//! send, log records. Handlers only note what happened; the session acts on it.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bitcoin::constants::ChainHash;
use bitcoin::secp256k1::PublicKey;
use lightning::ln::msgs::{
    self, BaseMessageHandler, DecodeError, LightningError, MessageSendEvent,
};
use lightning::ln::peer_handler::{CustomMessageHandler, SocketDescriptor};
use lightning::ln::wire::{self, CustomMessageReader};
use lightning::types::features::{InitFeatures, NodeFeatures};
use lightning::util::logger::{Level, Logger, Record};
use lightning::util::ser::{LengthLimitedRead, Writeable, Writer};

use steward_wire::{NodeId, bolt1};

use crate::config::SessionConfig;
use crate::event::PeerTextKind;
use crate::features::Features;
use crate::limits::{MAX_TEXT_BYTES, MIN_CUSTOM_TYPE};
use crate::role::PeerRole;

/// An event of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionEvent {
    /// The handshake and both `init` are done. This event comes first, and once.
    Established {
        /// The node id of the peer.
        peer: NodeId,
        /// The features of its `init`.
        features: Features,
    },
    /// A message came: a custom one of odd type from [`crate::limits::MIN_CUSTOM_TYPE`] up, or one
    /// of BOLT 2 or BOLT 7 that the peer's [`PeerRole`] lets pass.
    Message {
        /// The BOLT 1 type.
        message_type: u16,
        /// The payload after the type.
        payload: Vec<u8>,
    },
    /// A BOLT 1 `error` or `warning` came; see [`crate::Event::PeerText`].
    PeerText {
        /// The message that carried the text.
        kind: PeerTextKind,
        /// The channel that it names.
        channel_id: [u8; 32],
        /// The peer's text, bounded.
        text: String,
    },
}

/// The text with which LDK 0.3 logs a BOLT 1 warning; it offers no callback for one.
const WARNING_LOG_PREFIX: &str = "Got warning message: ";

/// A message that neither LDK nor this crate interprets.
#[derive(Debug)]
pub(crate) struct RawMessage {
    pub(crate) message_type: u16,
    pub(crate) payload: Vec<u8>,
}

impl wire::Type for RawMessage {
    fn type_id(&self) -> u16 {
        self.message_type
    }
}

impl Writeable for RawMessage {
    fn write<W: Writer>(&self, writer: &mut W) -> Result<(), lightning::io::Error> {
        writer.write_all(&self.payload)
    }
}

/// The notes of the callbacks of one connection.
#[derive(Default)]
pub(crate) struct Shared {
    /// The events, oldest first.
    pub(crate) events: Vec<SessionEvent>,
    /// The messages to encrypt, oldest first.
    pub(crate) outbox: Vec<RawMessage>,
    /// The role for which our `init` was made, once the peer's key is known.
    pub(crate) role: Option<PeerRole>,
    /// The peer and its features, once both `init` are exchanged.
    pub(crate) peer: Option<(PublicKey, Features)>,
    /// The `error` messages for on-chain channel messages that we refuse.
    pub(crate) refusals: Vec<MessageSendEvent>,
    /// The encrypted bytes to send.
    pub(crate) outgoing: Vec<u8>,
    /// True if LDK gave the connection up.
    pub(crate) disconnected: bool,
    /// The last log line of LDK: the only information that it gives on why it refuses a peer.
    pub(crate) last_log: String,
    /// The reason why we disconnect once the warning about it is sent.
    pub(crate) hang_up: Option<String>,
    /// The peer's error for the whole connection (channel id zero), after which LDK disconnects.
    pub(crate) fatal_error: Option<String>,
}

/// All handlers of one connection, and the state that they share with its session.
pub(crate) struct Handlers {
    local: NodeId,
    config: SessionConfig,
    shared: Mutex<Shared>,
}

impl Handlers {
    pub(crate) fn new(local: NodeId, config: SessionConfig) -> Arc<Self> {
        Arc::new(Self { local, config, shared: Mutex::default() })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Handlers {
    pub(crate) fn chain(&self) -> ChainHash {
        self.config.chain
    }

    /// Returns the role of the peer for which our `init` was made.
    pub(crate) fn role(&self) -> PeerRole {
        self.lock().role.unwrap_or_default()
    }

    /// Hands a message that LDK has decoded to the consumer, as the bytes that it was.
    pub(crate) fn pass_up<M: wire::Type>(&self, message: &M) {
        let event =
            SessionEvent::Message { message_type: message.type_id(), payload: message.encode() };
        let mut shared = self.lock();
        if shared.hang_up.is_none() {
            shared.events.push(event);
        }
    }

    /// Refuses a message that must be understood (BOLT 1: "it's OK to be odd") and is not. LDK
    /// would disconnect without telling the peer why.
    fn refuse_even(&self, message_type: u16) {
        let mut shared = self.lock();
        if shared.hang_up.is_some() {
            return;
        }
        let text = format!("unknown even message of type {message_type}");
        let (message_type, payload) =
            bolt1::warning(&format!("{text}: BOLT1 has us end the connection"));
        shared.outbox.push(RawMessage { message_type, payload });
        shared.hang_up = Some(text);
    }

    /// Notes an `error` of the peer. One for channel zero concerns the whole connection.
    pub(crate) fn peer_error(&self, error: &msgs::ErrorMessage) {
        let text = bounded_text(format_args!("{}", error.data));
        let mut shared = self.lock();
        if error.channel_id.is_zero() {
            shared.fatal_error = Some(text.clone());
        }
        let channel_id = error.channel_id.0;
        shared.events.push(SessionEvent::PeerText { kind: PeerTextKind::Error, channel_id, text });
    }
}

impl BaseMessageHandler for Handlers {
    fn get_and_clear_pending_msg_events(&self) -> Vec<MessageSendEvent> {
        std::mem::take(&mut self.lock().refusals)
    }

    fn peer_disconnected(&self, _: PublicKey) {}

    fn provided_node_features(&self) -> NodeFeatures {
        NodeFeatures::empty()
    }

    /// LDK asks before it sends our `init`, and again when the peer's comes.
    fn provided_init_features(&self, peer: PublicKey) -> InitFeatures {
        let role = self.config.roles.of(self.local, peer.into());
        self.lock().role = Some(role);
        let SessionConfig { hosted_channel_bits, attribution, .. } = self.config;
        let features = Features::announced(hosted_channel_bits, attribution, role);
        InitFeatures::from_be_bytes(features.as_be_bytes().to_vec())
    }

    fn peer_connected(&self, _: PublicKey, _: &msgs::Init, _: bool) -> Result<(), ()> {
        Ok(())
    }
}

impl CustomMessageReader for Handlers {
    type CustomMessage = RawMessage;

    fn read<R: LengthLimitedRead>(
        &self,
        message_type: u16,
        buffer: &mut R,
    ) -> Result<Option<RawMessage>, DecodeError> {
        let is_even = message_type.is_multiple_of(2);
        let known = message_type >= MIN_CUSTOM_TYPE && !is_even;
        if !known && !is_even {
            return Ok(None);
        }
        let len = usize::try_from(buffer.remaining_bytes()).map_err(|_| DecodeError::ShortRead)?;
        let mut payload = vec![0; len];
        buffer.read_exact(&mut payload)?;
        Ok(Some(RawMessage { message_type, payload }))
    }
}

impl CustomMessageHandler for Handlers {
    fn handle_custom_message(
        &self,
        message: RawMessage,
        _: PublicKey,
    ) -> Result<(), LightningError> {
        let RawMessage { message_type, payload } = message;
        if message_type.is_multiple_of(2) {
            self.refuse_even(message_type);
            return Ok(());
        }
        let mut shared = self.lock();
        if shared.hang_up.is_some() {
            return Ok(());
        }
        shared.events.push(SessionEvent::Message { message_type, payload });
        Ok(())
    }

    fn get_and_clear_pending_msg(&self) -> Vec<(PublicKey, RawMessage)> {
        let mut shared = self.lock();
        let Some((peer, _)) = shared.peer else { return Vec::new() };
        shared.outbox.drain(..).map(|message| (peer, message)).collect()
    }

    fn peer_disconnected(&self, _: PublicKey) {}

    fn peer_connected(&self, peer: PublicKey, init: &msgs::Init, _: bool) -> Result<(), ()> {
        let big_endian: Vec<u8> = init.features.le_flags().iter().rev().copied().collect();
        let features = Features::from_be_bytes(&big_endian);
        let mut shared = self.lock();
        shared.peer = Some((peer, features.clone()));
        shared.events.push(SessionEvent::Established { peer: peer.into(), features });
        Ok(())
    }

    fn provided_node_features(&self) -> NodeFeatures {
        NodeFeatures::empty()
    }

    fn provided_init_features(&self, _: PublicKey) -> InitFeatures {
        InitFeatures::empty()
    }
}

impl Logger for Handlers {
    fn log(&self, record: Record<'_>) {
        if record.level < Level::Debug {
            return;
        }
        let text = bounded_text(record.args);
        tracing::debug!(target: "steward_p2p::ldk", "{text}");
        let mut shared = self.lock();
        if let Some(warning) = text.strip_prefix(WARNING_LOG_PREFIX) {
            shared.events.push(SessionEvent::PeerText {
                kind: PeerTextKind::Warning,
                channel_id: [0; 32],
                text: warning.to_owned(),
            });
        }
        shared.last_log = text;
    }
}

/// The "socket" that LDK writes to. It takes everything; the session bounds what is queued.
#[derive(Clone)]
pub(crate) struct Descriptor(pub(crate) Arc<Handlers>);

impl SocketDescriptor for Descriptor {
    fn send_data(&mut self, data: &[u8], _continue_read: bool) -> usize {
        self.0.lock().outgoing.extend_from_slice(data);
        data.len()
    }

    fn disconnect_socket(&mut self) {
        self.0.lock().disconnected = true;
    }
}

impl PartialEq for Descriptor {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Descriptor {}

impl Hash for Descriptor {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

/// Formats at most [`MAX_TEXT_BYTES`], with control characters replaced: a peer may have written
/// the text, and a terminal will show it.
fn bounded_text(args: fmt::Arguments<'_>) -> String {
    struct Bounded(String);

    impl fmt::Write for Bounded {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            for c in text.chars() {
                let c = if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
                if self.0.len() + c.len_utf8() > MAX_TEXT_BYTES {
                    return Err(fmt::Error);
                }
                self.0.push(c);
            }
            Ok(())
        }
    }

    let mut bounded = Bounded(String::new());
    // An error only says that the bound was reached.
    let _ = fmt::Write::write_fmt(&mut bounded, args);
    bounded.0
}
