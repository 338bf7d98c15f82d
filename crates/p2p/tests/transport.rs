//! Transports over loopback TCP: connecting, order, replacement, caps, slow and silent peers.

mod support;

use std::sync::atomic::Ordering;

use steward_p2p::limits::{MAX_PAYLOAD_BYTES, MAX_QUEUED_BYTES};
use steward_p2p::{
    ConnectError, DisconnectReason, Event, PeerTransport, SendError, TransportConfig,
};
use support::{Node, TYPE, address, config, key, node_id};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

#[tokio::test]
async fn both_sides_learn_of_a_connection_and_talk_both_ways() {
    let (mut client, mut host) = (Node::new(1), Node::new(2));
    let at = host.listen().await;
    let handle = client.transport.connect(client.key, host.id(), &address(at)).await.unwrap();
    match client.event().await {
        Event::Connected { conn, local, peer, features, inbound, address } => {
            assert_eq!((conn, local, peer), (handle.id(), client.id(), host.id()));
            assert!(features.has_bit(257) && !inbound);
            assert_eq!(address, at.into());
        }
        other => panic!("unexpected {other:?}"),
    }
    let at_host = match host.event().await {
        Event::Connected { conn, local, peer, inbound, .. } => {
            assert_eq!((local, peer, inbound), (host.id(), client.id(), true));
            conn
        }
        other => panic!("unexpected {other:?}"),
    };
    client.transport.try_send(handle.id(), vec![(TYPE, b"ping".to_vec())]).unwrap();
    assert_eq!(host.messages(1).await, [(TYPE, b"ping".to_vec())]);
    host.transport.try_send(at_host, vec![(TYPE, b"pong".to_vec())]).unwrap();
    assert_eq!(client.messages(1).await, [(TYPE, b"pong".to_vec())]);
}
