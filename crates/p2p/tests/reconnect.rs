//! Keeping connections up: back-off, several addresses, removal, SOCKS5.

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use steward_p2p::limits::{BACKOFF_MAX, BACKOFF_MIN, BACKOFF_RESET_AFTER, MAX_ADDRESSES_PER_PEER};
use steward_p2p::{
    AddPeerError, Backoff, ConnectError, DisconnectReason, PeerAddress, ProxyConfig, ProxyScope,
    Reconnector, TransportConfig,
};
use support::{Node, TYPE, config};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::Instant;

const ONION: &str = "vww6ybal4bd7szmgncyruucpgfkqahzddi37ktceo3ah7ngmcopnpyyd.onion";

#[test]
fn back_off_doubles_from_one_second_to_five_minutes() {
    let mut backoff = Backoff::default();
    let delays: Vec<u64> = (0..10).map(|_| backoff.next_delay(0).as_secs()).collect();
    assert_eq!(delays, [1, 2, 4, 8, 16, 32, 64, 128, 150, 150]);
}

#[test]
fn jitter_stays_within_the_limits_even_after_years() {
    let mut backoff = Backoff::default();
    for random in [0, 1 << 63, u64::MAX].repeat(100) {
        let delay = backoff.next_delay(random);
        assert!((BACKOFF_MIN..=BACKOFF_MAX).contains(&delay), "{delay:?}");
    }
    let spread = Backoff::default().next_delay(u64::MAX) - Backoff::default().next_delay(0);
    assert!(spread > BACKOFF_MIN / 2);
}

#[test]
fn only_a_connection_that_lived_a_while_resets_the_back_off() {
    let mut backoff = Backoff::default();
    backoff.next_delay(0);
    backoff.connection_ended(BACKOFF_RESET_AFTER - Duration::from_millis(1));
    assert_eq!(backoff.next_delay(0), BACKOFF_MIN * 2);
    backoff.connection_ended(BACKOFF_RESET_AFTER);
    assert_eq!(backoff.next_delay(0), BACKOFF_MIN);
}

#[tokio::test]
async fn a_kept_peer_is_reached_again_after_its_server_went_away() {
    let (mut client, host) = (Node::new(1), Node::new(2));
    let at = host.listen().await;
    let reconnector = Reconnector::new(client.transport.clone());
    reconnector.add_peer(client.key, host.id(), vec![at.into()]).unwrap();
    let first = client.connected().await;

    stop(host).await;
    assert_eq!(client.disconnected().await, (first, DisconnectReason::ClosedByPeer));

    tokio::time::pause();
    let stopped = Instant::now();
    let host = Node::new(2);
    host.transport.listen(at, host.key).await.unwrap();
    assert!(client.connected().await > first);
    assert!(stopped.elapsed() >= BACKOFF_MIN);
}

#[tokio::test]
async fn the_next_address_is_tried_at_once() {
    let (mut client, mut host) = (Node::new(1), Node::new(2));
    let at = host.listen().await;
    let closed = free_port().await;
    let reconnector = Reconnector::new(client.transport.clone());
    reconnector.add_peer(client.key, host.id(), vec![closed.into(), at.into()]).unwrap();
    client.connected().await;
    host.connected().await;
}

#[tokio::test]
async fn why_a_kept_peer_is_not_reached_is_known_until_it_is() {
    let (mut client, host) = (Node::new(1), Node::new(2));
    let at = free_port().await;
    let reconnector = Reconnector::new(client.transport.clone());
    reconnector.add_peer(client.key, host.id(), vec![at.into()]).unwrap();
    let failed = loop {
        tokio::task::yield_now().await;
        if let Some(failed) = reconnector.failures().pop() {
            break failed;
        }
    };
    assert_eq!((failed.0, failed.1), (client.id(), host.id()));
    let attempt = failed.2;
    assert_eq!(attempt.address, at.into());
    assert!(matches!(attempt.error, ConnectError::Unreachable(_)), "{}", attempt.error);
    assert!(attempt.next_at >= attempt.at + BACKOFF_MIN);
    host.transport.listen(at, host.key).await.unwrap();
    tokio::time::pause();
    client.connected().await;
    assert_eq!(reconnector.failures(), []);
}

#[tokio::test]
async fn a_removed_peer_is_disconnected_and_left_alone() {
    let (mut client, mut host) = (Node::new(1), Node::new(2));
    let at = host.listen().await;
    let reconnector = Reconnector::new(client.transport.clone());
    reconnector.add_peer(client.key, host.id(), vec![at.into()]).unwrap();
    client.connected().await;
    host.connected().await;

    reconnector.remove_peer(client.id(), host.id()).await;
    let (_, reason) = client.disconnected().await;
    assert_eq!(reason, DisconnectReason::Requested("the peer was removed".to_owned()));
    host.disconnected().await;
    tokio::time::pause();
    tokio::time::sleep(BACKOFF_MAX * 2).await;
    assert!(host.events.try_recv().is_err());
}

#[tokio::test]
async fn new_addresses_of_a_kept_peer_leave_its_connection_alone() {
    let (mut client, mut host) = (Node::new(1), Node::new(2));
    let at = host.listen().await;
    let reconnector = Reconnector::new(client.transport.clone());
    reconnector.add_peer(client.key, host.id(), vec![at.into()]).unwrap();
    let conn = client.connected().await;
    host.connected().await;
    let closed = free_port().await;
    reconnector.add_peer(client.key, host.id(), vec![closed.into(), at.into()]).unwrap();
    // This is long enough for a new connection, had one been attempted.
    tokio::time::pause();
    tokio::time::sleep(BACKOFF_MIN * 5).await;
    client.transport.try_send(conn, vec![(TYPE, vec![1])]).unwrap();
    assert_eq!(host.messages(1).await, [(TYPE, vec![1])]);
}

#[tokio::test]
async fn peers_that_cannot_be_kept_are_refused() {
    let (client, host) = (Node::new(1), Node::new(2));
    let address: PeerAddress = "127.0.0.1:1".parse().unwrap();
    let reconnector = Reconnector::new(client.transport.clone());
    let add = |peer, addresses| reconnector.add_peer(client.key, peer, addresses);
    assert_eq!(add(host.id(), vec![]), Err(AddPeerError::AddressCount));
    let many = vec![address.clone(); MAX_ADDRESSES_PER_PEER + 1];
    assert_eq!(add(host.id(), many), Err(AddPeerError::AddressCount));
    assert_eq!(add(client.id(), vec![address]), Err(AddPeerError::InvalidNodeId));
}

#[tokio::test]
async fn an_onion_address_is_reached_through_the_proxy_by_name() {
    let mut host = Node::new(2);
    let host_at = host.listen().await;
    let (proxy, asked_for) = socks5_server(host_at).await;
    let mut client = proxied_client(proxy, ProxyScope::OnionOnly);

    let address = format!("{ONION}:9735").parse().unwrap();
    client.transport.connect(client.key, host.id(), &address).await.unwrap();
    let conn = client.connected().await;
    host.connected().await;
    assert_eq!(asked_for.await.unwrap(), format!("{ONION}:9735"));
    client.transport.try_send(conn, vec![(TYPE, vec![1])]).unwrap();
    assert_eq!(host.messages(1).await, [(TYPE, vec![1])]);
}

#[tokio::test]
async fn a_name_is_not_resolved_past_a_proxy_for_all() {
    let mut host = Node::new(2);
    let host_at = host.listen().await;
    let (proxy, asked_for) = socks5_server(host_at).await;
    let client = proxied_client(proxy, ProxyScope::All);
    let address = "host.invalid:9735".parse().unwrap();
    client.transport.connect(client.key, host.id(), &address).await.unwrap();
    host.connected().await;
    assert_eq!(asked_for.await.unwrap(), "host.invalid:9735");
}

#[tokio::test]
async fn a_proxy_for_onions_is_not_used_for_other_addresses() {
    let mut host = Node::new(2);
    let host_at = host.listen().await;
    let client = proxied_client(free_port().await, ProxyScope::OnionOnly);
    client.transport.connect(client.key, host.id(), &host_at.into()).await.unwrap();
    host.connected().await;
}

#[tokio::test]
async fn an_onion_address_without_a_proxy_is_an_error() {
    let (client, host) = (Node::new(1), Node::new(2));
    let address = format!("{ONION}:9735").parse().unwrap();
    let error = client.transport.connect(client.key, host.id(), &address).await.unwrap_err();
    assert_eq!(error, ConnectError::OnionNeedsProxy);
}

/// Ends a node's transport; its events are dropped.
async fn stop(node: Node) {
    let Node { transport, events, .. } = node;
    drop(events);
    transport.shutdown().await;
}

/// Returns an address on which no one listens.
async fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

fn proxied_client(proxy: SocketAddr, scope: ProxyScope) -> Node {
    let proxy = Some(ProxyConfig { address: proxy, scope });
    Node::with_config(1, TransportConfig { proxy, ..TransportConfig::new(config()) })
}

/// Serves one SOCKS5 connection (RFC 1928), which always leads to `to`. Returns the name and port
/// that was asked for through the channel.
async fn socks5_server(to: SocketAddr) -> (SocketAddr, oneshot::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let (tell, asked_for) = oneshot::channel();
    tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let mut greeting = [0; 2];
        client.read_exact(&mut greeting).await.unwrap();
        let mut methods = vec![0; greeting[1].into()];
        client.read_exact(&mut methods).await.unwrap();
        client.write_all(&[5, 0]).await.unwrap();

        let mut request = [0; 5];
        client.read_exact(&mut request).await.unwrap();
        assert_eq!(request[..4], [5, 1, 0, 3], "CONNECT to a name");
        let mut name = vec![0; request[4].into()];
        client.read_exact(&mut name).await.unwrap();
        let port = client.read_u16().await.unwrap();
        tell.send(format!("{}:{port}", String::from_utf8(name).unwrap())).unwrap();

        let mut host = TcpStream::connect(to).await.unwrap();
        client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap();
        // The copying ends when either side disconnects, in whatever way.
        let _ = tokio::io::copy_bidirectional(&mut client, &mut host).await;
    });
    (at, asked_for)
}
