//! Raw frames over BOLT8: the two framings of docs/protocol.md section 1.1, and a queue of unread
//! messages.

use std::collections::VecDeque;

use bitcoin::constants::ChainHash;
use bitcoin::secp256k1::SecretKey;
use steward_p2p::{
    ConnectionId, Event, PeerAddress, PeerRoles, SessionConfig, Transport, TransportConfig,
};
use steward_wire::NodeId;
use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;

use super::crypto::Id;
use crate::common::PATIENCE;

/// The bytes between a message's type and its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// The length of the body, two bytes.
    Legacy,
    /// There are none.
    Modern,
}

impl Framing {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Legacy => Self::Modern,
            Self::Modern => Self::Legacy,
        }
    }

    fn frame(self, body: Vec<u8>) -> Vec<u8> {
        match self {
            Self::Legacy => {
                let len = u16::try_from(body.len()).unwrap();
                [len.to_be_bytes().to_vec(), body].concat()
            }
            Self::Modern => body,
        }
    }

    /// Takes the body out of a payload. A modern payload taken for a legacy one, or the other way
    /// round, shows here or by its length when the body is read.
    fn unframe(self, message_type: u16, mut payload: Vec<u8>) -> Vec<u8> {
        match self {
            Self::Legacy => {
                let body = payload.split_off(2);
                let len = u16::from_be_bytes(payload.try_into().unwrap());
                assert_eq!(usize::from(len), body.len(), "the legacy length of {message_type}");
                body
            }
            Self::Modern => payload,
        }
    }
}

/// A peer's line to the host, connected or not.
pub(crate) struct Connection {
    key: SecretKey,
    host: NodeId,
    address: PeerAddress,
    framing: Framing,
    transport: Transport,
    events: Receiver<Event>,
    current: Option<ConnectionId>,
    unread: VecDeque<(u16, Vec<u8>)>,
}

impl Connection {
    pub(crate) fn new(key: SecretKey, host: Id, address: &str, framing: Framing) -> Self {
        let (transport, events) = Transport::new(TransportConfig::new(SessionConfig {
            chain: ChainHash::REGTEST,
            hosted_channel_bits: true,
            attribution: false,
            roles: PeerRoles::default(),
        }));
        Self {
            key,
            host: NodeId(host),
            address: address.parse().unwrap(),
            framing,
            transport,
            events,
            current: None,
            unread: VecDeque::new(),
        }
    }

    pub(crate) async fn connect(&mut self) {
        let connected = self.transport.connect(self.key, self.host, &self.address).await.unwrap();
        self.current = Some(connected.id());
    }

    /// Ends the connection. Unread messages are lost, and so are those that are sent from now on.
    pub(crate) async fn cut(&mut self) {
        self.transport.disconnect(self.current.take().unwrap(), "cut by the test");
        while !matches!(self.next_event().await, Event::Disconnected { .. }) {}
        self.unread.clear();
    }

    pub(crate) fn send(&self, message_type: u16, body: Vec<u8>) {
        if let Some(current) = self.current {
            let frame = (message_type, self.framing.frame(body));
            self.transport.try_send(current, vec![frame]).unwrap();
        }
    }

    /// Waits for the next message, and checks and takes off its framing.
    pub(crate) async fn receive(&mut self) -> (u16, Vec<u8>) {
        loop {
            if let Some((message_type, payload)) = self.unread.pop_front() {
                return (message_type, self.framing.unframe(message_type, payload));
            }
            self.read().await;
        }
    }

    /// Waits until so many messages of this type have come, and leaves them unread.
    pub(crate) async fn wait_for_unread(&mut self, message_type: u16, count: usize) {
        while self.unread.iter().filter(|(unread, _)| *unread == message_type).count() < count {
            self.read().await;
        }
    }

    async fn read(&mut self) {
        match self.next_event().await {
            Event::Connected { .. } => {}
            Event::Messages { messages, .. } => self.unread.extend(messages),
            other => panic!("the host answered by {other:?}"),
        }
    }

    async fn next_event(&mut self) -> Event {
        let event = timeout(PATIENCE, self.events.recv()).await.expect("the host says something");
        event.expect("the transport lives")
    }
}
