//! Bytes of strangers to the transport, without a socket.

use bitcoin::Network;
use bitcoin::constants::ChainHash;
use steward_p2p::limits::{MAX_HOST_NAME_BYTES, MAX_QUEUED_BYTES, MAX_TEXT_BYTES, MIN_CUSTOM_TYPE};
use steward_p2p::{
    Host, PeerAddress, PeerRole, PeerRoles, SendError, Session, SessionConfig, SessionEvent,
};
use steward_wire::codec::DecodeError;
use steward_wire::{ChannelMessage, NodeId};

use crate::bytes::Bytes;
use steward_testkit::onion::{key, node_id};

/// Reads `host:port` as text.
pub(crate) fn address(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let address: PeerAddress = match text.parse() {
        Ok(address) => address,
        Err(error) => return assert!(!format!("{error}").is_empty()),
    };
    assert_ne!(address.port, 0);
    assert_eq!(address.to_string().parse(), Ok(address.clone()));
    if let Host::Name(name) | Host::Onion(name) = &address.host {
        assert!(!name.is_empty() && name.len() <= MAX_HOST_NAME_BYTES);
        assert_eq!(*name, name.to_ascii_lowercase());
    }
}

/// Mixes raw bytes, in portions, into a handshake: between the right bytes, or in their place.
pub(crate) fn handshake(data: &[u8]) {
    let mut input = Bytes::new(data);
    let mut pair = Pair::new();
    let honest_steps = input.below(6);
    for _ in 0..honest_steps {
        pair.carry();
    }
    while !input.is_empty() {
        let to_host = input.flag();
        let mut bytes = match input.flag() {
            // The right bytes are sent, with one of them spoiled.
            true => {
                let mut bytes = pair.sender(to_host).take_outgoing();
                let at = usize::from(input.u16());
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= input.u8();
                }
                bytes
            }
            false => input.long().to_vec(),
        };
        if input.u8() == 0 {
            bytes.truncate(bytes.len() / 2);
        }
        let receiver = pair.receiver(to_host);
        let result = receiver.receive(&bytes);
        if result.is_err() {
            assert_eq!(receiver.receive(&[0]), result, "an end is the end");
            assert_eq!(receiver.send(TYPE, vec![]), Err(SendError::NotEstablished));
        }
        pair.check();
    }
}

/// Sends messages of an authenticated peer, of any type and content; LDK handles some of them.
pub(crate) fn messages(data: &[u8]) {
    from_peer(PeerRole::default(), Bytes::new(data));
}

/// Reads the peer's role, then messages as above. Those of BOLT 2 and BOLT 7 pass by its role.
pub(crate) fn roles(data: &[u8]) {
    let mut input = Bytes::new(data);
    let role = PeerRole { bridge: input.flag(), gossip: input.flag() };
    from_peer(role, input);
}

fn from_peer(role: PeerRole, mut input: Bytes<'_>) {
    let mut pair = Pair::with_role(role);
    for _ in 0..6 {
        pair.carry();
    }
    assert!(pair.client.is_established() && pair.host.is_established());
    assert_eq!(pair.host.role(), role);
    pair.check();
    while !input.is_empty() {
        match input.u8() {
            0 => {
                if pair.host.tick().is_err() {
                    return;
                }
            }
            1 => drop(pair.client.tick()),
            _ => {
                let sent = (input.u16(), input.long().to_vec());
                if pair.client.send(sent.0, sent.1.clone()).is_err() {
                    return;
                }
                let bytes = pair.client.take_outgoing();
                let result = pair.host.receive(&bytes);
                let events = pair.host.take_events();
                let is_custom = sent.0 >= MIN_CUSTOM_TYPE && sent.0 % 2 == 1;
                let (message_type, payload) = sent;
                let expected = SessionEvent::Message { message_type, payload };
                assert!(
                    is_custom == events.contains(&expected) || !is_custom && role != PLAIN,
                    "{message_type} {result:?}"
                );
                check_events(role, &events);
                if result.is_err() {
                    return;
                }
            }
        }
        pair.check();
        let back = pair.host.take_outgoing();
        if pair.client.receive(&back).is_err() {
            return;
        }
    }
}

fn check_events(role: PeerRole, events: &[SessionEvent]) {
    for event in events {
        match event {
            SessionEvent::Message { message_type, payload } => {
                assert!(role.may_be_sent(*message_type));
                // LDK has read it, so it is what its type demands. We refuse absurd amounts too.
                let decoded = ChannelMessage::decode(*message_type, payload);
                let is_absurd = decoded == Err(DecodeError::AmountOutOfRange);
                assert!(decoded.is_ok() || is_absurd, "{message_type} {decoded:?}");
            }
            SessionEvent::PeerText { text, .. } => assert!(text.len() <= MAX_TEXT_BYTES),
            SessionEvent::Established { .. } => {}
        }
    }
}

const PLAIN: PeerRole = PeerRole { bridge: false, gossip: false };

const TYPE: u16 = 63_505;

struct Pair {
    client: Session,
    host: Session,
}

impl Pair {
    fn new() -> Self {
        Self::with_role(PLAIN)
    }

    /// Makes a host to which the client has a role.
    fn with_role(role: PeerRole) -> Self {
        let config = SessionConfig {
            chain: ChainHash::using_genesis_block_const(Network::Regtest),
            hosted_channel_bits: true,
            attribution: true,
            roles: PeerRoles::new([(node_id(2), node_id(1), role)]).unwrap(),
        };
        Self {
            client: Session::outbound(key(1), node_id(2), [11; 32], &config).unwrap(),
            host: Session::inbound(key(2), [12; 32], &config).unwrap(),
        }
    }

    fn sender(&mut self, to_host: bool) -> &mut Session {
        if to_host { &mut self.client } else { &mut self.host }
    }

    fn receiver(&mut self, to_host: bool) -> &mut Session {
        self.sender(!to_host)
    }

    /// Carries the bytes of each end to the other.
    fn carry(&mut self) {
        for to_host in [true, false] {
            let bytes = self.sender(to_host).take_outgoing();
            // It ends only if spoiled bytes came before.
            let _ = self.receiver(to_host).receive(&bytes);
        }
    }

    fn check(&mut self) {
        for (session, peer) in [(&mut self.client, node_id(2)), (&mut self.host, node_id(1))] {
            assert!(session.queued_bytes() <= MAX_QUEUED_BYTES);
            let authentic: Option<NodeId> = session.their_node_id();
            assert!(authentic.is_none_or(|id| id == peer), "no other node has these keys");
            let role = session.role();
            check_events(role, &session.take_events());
        }
    }
}
