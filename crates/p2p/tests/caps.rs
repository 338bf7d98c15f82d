//! Caps on inbound connections: total, per address, handshakes.

mod support;

use std::sync::atomic::Ordering;

use steward_p2p::{DisconnectReason, TransportConfig};
use support::{Node, TYPE, config, key};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

fn limits() -> TransportConfig {
    TransportConfig { limit_loopback: true, ..TransportConfig::new(config()) }
}

/// Returns true if the host closes a socket that says nothing at once.
async fn is_refused(at: std::net::SocketAddr) -> bool {
    let mut socket = TcpStream::connect(at).await.unwrap();
    matches!(socket.read(&mut [0; 1]).await, Ok(0) | Err(_))
}

#[tokio::test]
async fn a_connection_above_the_total_cap_is_refused() {
    let host = Node::with_config(2, TransportConfig { max_inbound: 1, ..limits() });
    let at = host.listen().await;
    let _first = TcpStream::connect(at).await.unwrap();
    assert!(is_refused(at).await);
    assert_eq!(host.transport.stats().refused_total_cap.load(Ordering::Relaxed), 1);
    assert_eq!(host.transport.stats().accepted.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_connection_above_the_cap_of_its_address_is_refused() {
    let host = Node::with_config(2, TransportConfig { max_inbound_per_ip: 1, ..limits() });
    let at = host.listen().await;
    let _first = TcpStream::connect(at).await.unwrap();
    assert!(is_refused(at).await);
    assert_eq!(host.transport.stats().refused_ip_cap.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn the_loopback_address_is_exempt_unless_configured() {
    let config = TransportConfig { max_inbound_per_ip: 1, limit_loopback: false, ..limits() };
    let mut host = Node::with_config(2, config);
    let at = host.listen().await;
    for seed in [1, 3] {
        Node::new(seed).connect(&mut host, at).await;
    }
}

#[tokio::test]
async fn unfinished_handshakes_are_capped_and_established_connections_are_not() {
    let mut host = Node::with_config(2, TransportConfig { max_inbound_handshakes: 1, ..limits() });
    let at = host.listen().await;
    let (mut first, mut second) = (Node::new(1), Node::new(3));
    first.connect(&mut host, at).await;
    second.connect(&mut host, at).await;
    let mut silent = TcpStream::connect(at).await.unwrap();
    // A newer handshake takes the place of the silent one and finishes.
    Node::new(4).connect(&mut host, at).await;
    assert!(matches!(silent.read(&mut [0; 1]).await, Ok(0) | Err(_)));
    assert_eq!(host.transport.stats().refused_handshake_cap.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn the_address_of_a_connection_that_flooded_us_is_not_let_in_at_once() {
    let mut host = Node::with_config(2, limits());
    let at = host.listen().await;
    let (_, conn) = Node::new(1).connect(&mut host, at).await;
    host.transport.disconnect(conn, "for another reason");
    host.disconnected().await;
    let (_, conn) = Node::new(1).connect(&mut host, at).await;
    host.transport.refuse(conn, "enough");
    let reason = DisconnectReason::Flooding("enough".to_owned());
    assert_eq!(host.disconnected().await, (conn, reason));
    assert!(is_refused(at).await);
    assert_eq!(host.transport.stats().refused_back_off.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_flood_over_an_onion_service_does_not_keep_its_other_visitors_out() {
    let mut host = Node::new(2);
    let at = host.listen().await;
    let (_, conn) = Node::new(1).connect(&mut host, at).await;
    host.transport.refuse(conn, "enough");
    host.disconnected().await;
    Node::new(3).connect(&mut host, at).await;
    assert_eq!(host.transport.stats().refused_back_off.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_place_is_free_again_after_a_disconnect() {
    let mut host = Node::with_config(2, TransportConfig { max_inbound_per_ip: 1, ..limits() });
    let at = host.listen().await;
    let mut client = Node::new(1);
    let (conn, _) = client.connect(&mut host, at).await;
    client.transport.disconnect(conn, "done");
    host.disconnected().await;
    // The place is freed right after the event; only then may the next one come.
    while host.transport.connection(host.id(), client.id()).is_some() {
        tokio::task::yield_now().await;
    }
    let other = Node::with_config(3, limits());
    let handle = other.transport.connect(key(3), host.id(), &at.into()).await.unwrap();
    let conn = host.connected().await;
    other.transport.try_send(handle.id(), vec![(TYPE, vec![1])]).unwrap();
    assert_eq!(host.messages(1).await.len(), 1);
    assert!(conn.0 > 1);
}
