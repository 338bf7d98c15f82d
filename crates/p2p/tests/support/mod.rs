//! Keys, configurations and event helpers for the tests of this crate.
#![allow(dead_code, unreachable_pub)] // each test binary uses its own part

use std::net::SocketAddr;
use std::time::Duration;

use bitcoin::Network;
use bitcoin::constants::ChainHash;
use bitcoin::secp256k1::{Secp256k1, SecretKey};
use steward_p2p::{
    ConnectionId, DisconnectReason, Event, PeerRoles, Session, SessionConfig, SessionError,
    SessionEvent, Transport, TransportConfig,
};
use steward_wire::NodeId;
use tokio::sync::mpsc::Receiver;

/// An odd custom type.
pub const TYPE: u16 = 63_505;

pub fn key(seed: u8) -> SecretKey {
    SecretKey::from_slice(&[seed; 32]).unwrap()
}

pub fn node_id(key: &SecretKey) -> NodeId {
    key.public_key(&Secp256k1::new()).into()
}

pub fn config() -> SessionConfig {
    SessionConfig {
        chain: ChainHash::using_genesis_block_const(Network::Regtest),
        hosted_channel_bits: true,
        attribution: false,
        roles: PeerRoles::default(),
    }
}

/// Two sessions joined by memory, as a simulator joins them.
pub struct Pair {
    pub client: Session,
    pub host: Session,
}

impl Pair {
    pub fn new(client: &SessionConfig, host: &SessionConfig) -> Self {
        let host_key = key(2);
        Self {
            client: Session::outbound(key(1), node_id(&host_key), [11; 32], client).unwrap(),
            host: Session::inbound(host_key, [12; 32], host).unwrap(),
        }
    }

    /// Carries bytes both ways until neither side has any.
    pub fn drive(&mut self) -> Result<(), SessionError> {
        loop {
            let to_host = self.client.take_outgoing();
            self.host.receive(&to_host)?;
            let to_client = self.host.take_outgoing();
            self.client.receive(&to_client)?;
            if to_host.is_empty() && to_client.is_empty() {
                return Ok(());
            }
        }
    }

    /// Makes a pair past its handshake, with its events taken.
    pub fn established() -> Self {
        let mut pair = Self::new(&config(), &config());
        pair.drive().unwrap();
        pair.client.take_events();
        pair.host.take_events();
        pair
    }
}

/// Returns the messages among events.
pub fn messages(events: Vec<SessionEvent>) -> Vec<(u16, Vec<u8>)> {
    let message = |event| match event {
        SessionEvent::Message { message_type, payload } => Some((message_type, payload)),
        _ => None,
    };
    events.into_iter().filter_map(message).collect()
}

/// Makes the payload of a BOLT 1 `error` or `warning`: channel id, length, text.
pub fn text_message(channel_id: [u8; 32], text: &str) -> Vec<u8> {
    let mut payload = channel_id.to_vec();
    payload.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
    payload.extend(text.as_bytes());
    payload
}

/// A transport with its events.
pub struct Node {
    pub key: SecretKey,
    pub transport: Transport,
    pub events: Receiver<Event>,
}

impl Node {
    pub fn new(seed: u8) -> Self {
        Self::with_config(seed, TransportConfig::new(config()))
    }

    pub fn with_config(seed: u8, config: TransportConfig) -> Self {
        let (transport, events) = Transport::new(config);
        Self { key: key(seed), transport, events }
    }

    pub fn id(&self) -> NodeId {
        node_id(&self.key)
    }

    pub async fn listen(&self) -> SocketAddr {
        self.transport.listen("127.0.0.1:0".parse().unwrap(), self.key).await.unwrap()
    }

    /// Connects to `host` and takes both sides' `Connected` events.
    pub async fn connect(
        &mut self,
        host: &mut Node,
        at: SocketAddr,
    ) -> (ConnectionId, ConnectionId) {
        let handle = self.transport.connect(self.key, host.id(), &at.into()).await.unwrap();
        assert_eq!(self.connected().await, handle.id());
        (handle.id(), host.connected().await)
    }

    pub async fn event(&mut self) -> Event {
        let patience = Duration::from_secs(60);
        tokio::time::timeout(patience, self.events.recv()).await.expect("no event").expect("closed")
    }

    pub async fn connected(&mut self) -> ConnectionId {
        match self.event().await {
            Event::Connected { conn, .. } => conn,
            other => panic!("expected Connected, got {other:?}"),
        }
    }

    pub async fn disconnected(&mut self) -> (ConnectionId, DisconnectReason) {
        match self.event().await {
            Event::Disconnected { conn, reason } => (conn, reason),
            other => panic!("expected Disconnected, got {other:?}"),
        }
    }

    /// Takes exactly `count` messages of one connection.
    pub async fn messages(&mut self, count: usize) -> Vec<(u16, Vec<u8>)> {
        let mut taken = Vec::new();
        while taken.len() < count {
            match self.event().await {
                Event::Messages { messages, .. } => taken.extend(messages),
                other => panic!("expected Messages, got {other:?}"),
            }
        }
        assert_eq!(taken.len(), count);
        taken
    }
}

/// Carries bytes between a session and its socket until `done`.
pub async fn drive_socket(
    session: &mut Session,
    socket: &mut tokio::net::TcpStream,
    done: impl Fn(&Session) -> bool,
) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let mut buffer = vec![0; 65_536];
    loop {
        socket.write_all(&session.take_outgoing()).await.unwrap();
        if done(session) {
            return;
        }
        let len = socket.read(&mut buffer).await.unwrap();
        session.receive(&buffer[..len]).unwrap();
    }
}
