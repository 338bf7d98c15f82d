//! Transports over loopback TCP: connecting, order, replacement, slow and silent peers.

mod support;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bitcoin::Network;
use bitcoin::constants::ChainHash;
use steward_p2p::limits::{
    INBOUND_HANDSHAKE_TIMEOUT, MAX_PAYLOAD_BYTES, MAX_UNREAD_BYTES, MAX_WAITING_EVENTS,
    TICK_INTERVAL,
};
use steward_p2p::{
    ConnectError, ConnectionId, DisconnectReason, Event, PeerTextKind, SendError, Session,
    SessionConfig, TransportConfig,
};
use support::{Node, TYPE, config, key, node_id, text_message};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The type in BOLT 1.
const WARNING_TYPE: u16 = 1;

#[tokio::test]
async fn both_sides_learn_of_a_connection_and_talk_both_ways() {
    let (mut client, mut host) = (Node::new(1), Node::new(2));
    let at = host.listen().await;
    let handle = client.transport.connect(client.key, host.id(), &at.into()).await.unwrap();
    match client.event().await {
        Event::Connected { conn, local, peer, features, inbound, address, .. } => {
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

#[tokio::test]
async fn a_host_with_another_key_than_expected_is_not_connected_to() {
    let (client, host) = (Node::new(1), Node::new(2));
    let at = host.listen().await;
    let expected = node_id(&key(3));
    let error = client.transport.connect(client.key, expected, &at.into()).await.unwrap_err();
    assert!(matches!(error, ConnectError::Handshake(_)), "{error:?}");
}

#[tokio::test]
async fn a_peer_of_another_chain_is_not_connected_to() {
    let chain = ChainHash::using_genesis_block_const(Network::Bitcoin);
    let mainnet = TransportConfig::new(SessionConfig { chain, ..config() });
    let (client, host) = (Node::with_config(1, mainnet), Node::new(2));
    let at = host.listen().await;
    let error = client.transport.connect(client.key, host.id(), &at.into()).await.unwrap_err();
    assert!(matches!(error, ConnectError::Handshake(_)), "{error:?}");
}

#[tokio::test]
async fn a_node_does_not_connect_to_itself() {
    let node = Node::new(1);
    let at = node.listen().await;
    let error = node.transport.connect(node.key, node.id(), &at.into()).await.unwrap_err();
    assert_eq!(error, ConnectError::InvalidNodeId);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_thousand_messages_of_all_sizes_arrive_in_order_both_ways() {
    const BATCH: usize = 100;
    let (mut client, mut host) = (Node::new(1), Node::new(2));
    let at = host.listen().await;
    let (at_client, at_host) = client.connect(&mut host, at).await;
    let mut sent = 0;
    while sent < 20_000 {
        let batch: Vec<_> = (sent..sent + BATCH).map(numbered).collect();
        client.transport.try_send(at_client, batch.clone()).unwrap();
        host.transport.try_send(at_host, batch.clone()).unwrap();
        assert!(host.messages(BATCH).await == batch, "wrong order before message {sent}");
        assert!(client.messages(BATCH).await == batch, "wrong order before message {sent}");
        sent += BATCH;
    }
}

/// Makes a message that shows its number, of any size up to the largest.
fn numbered(number: usize) -> (u16, Vec<u8>) {
    let len = if number.is_multiple_of(200) { MAX_PAYLOAD_BYTES } else { 8 + number * 7919 % 3000 };
    let mut payload = vec![number as u8; len];
    payload[..8].copy_from_slice(&number.to_be_bytes());
    (TYPE, payload)
}

#[tokio::test]
async fn a_message_reaches_the_peer_without_waiting_for_any_timer() {
    let (mut client, mut host) = (Node::new(1), Node::new(2));
    let at = host.listen().await;
    let (at_client, at_host) = client.connect(&mut host, at).await;
    let mut round_trips = Vec::new();
    for _ in 0..101 {
        let started = Instant::now();
        // There are two sends in a row, the second of which Nagle's algorithm would delay by some
        // 40 ms.
        client.transport.try_send(at_client, vec![(TYPE, vec![1; 100])]).unwrap();
        tokio::task::yield_now().await;
        client.transport.try_send(at_client, vec![(TYPE, vec![2; 100])]).unwrap();
        host.messages(2).await;
        host.transport.try_send(at_host, vec![(TYPE, vec![3; 100])]).unwrap();
        client.messages(1).await;
        round_trips.push(started.elapsed());
    }
    round_trips.sort();
    // The median counts, since a busy machine may well delay a few.
    assert!(round_trips[50] < Duration::from_millis(20), "{:?}", round_trips[50]);
}

#[tokio::test]
async fn a_batch_larger_than_the_sockets_buffers_arrives_whole() {
    let (mut client, mut host) = (Node::new(1), Node::new(2));
    let at = host.listen().await;
    let (conn, _) = client.connect(&mut host, at).await;
    let batch: Vec<_> = (0..65).map(large_numbered).collect();
    client.transport.try_send(conn, batch.clone()).unwrap();
    assert!(host.messages(batch.len()).await == batch);
}

#[tokio::test]
async fn a_payload_too_large_is_refused_with_its_whole_batch() {
    let (mut client, mut host) = (Node::new(1), Node::new(2));
    let at = host.listen().await;
    let (conn, _) = client.connect(&mut host, at).await;
    let too_large = vec![0; MAX_PAYLOAD_BYTES + 1];
    let batch = vec![(TYPE, vec![1]), (TYPE, too_large)];
    let refused = client.transport.try_send(conn, batch);
    assert_eq!(refused, Err(SendError::TooLarge { len: MAX_PAYLOAD_BYTES + 1 }));
    client.transport.try_send(conn, vec![(TYPE, vec![0; MAX_PAYLOAD_BYTES])]).unwrap();
    assert_eq!(host.messages(1).await, [(TYPE, vec![0; MAX_PAYLOAD_BYTES])]);
}

#[tokio::test]
async fn a_new_socket_of_the_same_peer_replaces_the_old_one() {
    let (mut phone_on_wifi, phone_on_mobile) = (Node::new(1), Node::new(1));
    let mut host = Node::new(2);
    let at = host.listen().await;
    let (_, old) = phone_on_wifi.connect(&mut host, at).await;
    phone_on_mobile.transport.connect(key(1), host.id(), &at.into()).await.unwrap();

    assert_eq!(host.disconnected().await, (old, DisconnectReason::Replaced));
    assert!(host.connected().await > old);
    assert_eq!(phone_on_wifi.disconnected().await.1, DisconnectReason::ClosedByPeer);
    assert_eq!(host.transport.stats().replaced.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn of_two_connections_we_open_to_one_peer_the_second_stays() {
    let (mut client, mut host) = (Node::new(1), Node::new(2));
    let at = host.listen().await;
    let (old, _) = client.connect(&mut host, at).await;
    client.transport.connect(client.key, host.id(), &at.into()).await.unwrap();
    assert_eq!(client.disconnected().await.0, old);
    let new = client.connected().await;
    assert_eq!(client.transport.connection(client.id(), host.id()).unwrap().id(), new);
}

#[tokio::test]
async fn identities_of_one_client_do_not_replace_each_other() {
    let (mut client, mut host) = (Node::new(1), Node::new(2));
    let at = host.listen().await;
    client.connect(&mut host, at).await;
    client.transport.connect(key(3), host.id(), &at.into()).await.unwrap();
    let first = client.transport.connection(client.id(), host.id()).unwrap().id();
    let second = client.transport.connection(node_id(&key(3)), host.id()).unwrap().id();
    assert!(second > first);
    host.connected().await;
}

#[tokio::test]
async fn messages_to_a_connection_that_is_gone_are_dropped_and_counted() {
    let client = Node::new(1);
    client.transport.try_send(ConnectionId(7), vec![(TYPE, vec![1]), (TYPE, vec![2])]).unwrap();
    assert_eq!(client.transport.stats().messages_dropped.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn what_was_sent_before_a_disconnect_still_arrives() {
    let (mut client, mut host) = (Node::new(1), Node::new(2));
    let at = host.listen().await;
    let (conn, _) = client.connect(&mut host, at).await;
    client.transport.send(conn, vec![(TYPE, b"bye".to_vec())]);
    client.transport.disconnect(conn, "done");
    assert_eq!(host.messages(1).await, [(TYPE, b"bye".to_vec())]);
    assert_eq!(host.disconnected().await.1, DisconnectReason::ClosedByPeer);
    let requested = DisconnectReason::Requested("done".to_owned());
    assert_eq!(client.disconnected().await, (conn, requested));
}

#[tokio::test]
async fn shutdown_reports_every_connection_and_refuses_new_ones() {
    let (mut client, mut host) = (Node::new(1), Node::new(2));
    let at = host.listen().await;
    let (_, at_host) = client.connect(&mut host, at).await;
    host.transport.shutdown().await;
    assert_eq!(host.disconnected().await, (at_host, DisconnectReason::Shutdown));
    assert_eq!(client.disconnected().await.1, DisconnectReason::ClosedByPeer);
    assert!(TcpStream::connect(at).await.is_err());
    let refused = host.transport.connect(host.key, client.id(), &at.into()).await;
    assert_eq!(refused.unwrap_err(), ConnectError::ShuttingDown);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_never_starts_the_handshake_is_dropped() {
    let host = Node::new(2);
    let at = host.listen().await;
    let started = tokio::time::Instant::now();
    let mut silent = TcpStream::connect(at).await.unwrap();
    assert_eq!(silent.read(&mut [0; 1]).await.unwrap(), 0);
    assert!(
        (INBOUND_HANDSHAKE_TIMEOUT..INBOUND_HANDSHAKE_TIMEOUT * 2).contains(&started.elapsed())
    );
    assert_eq!(host.transport.stats().failed_handshakes.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_peer_that_sends_garbage_is_dropped() {
    let host = Node::new(2);
    let at = host.listen().await;
    let mut socket = TcpStream::connect(at).await.unwrap();
    socket.write_all(&[0xff; 500]).await.unwrap();
    assert!(matches!(socket.read(&mut [0; 1]).await, Ok(0) | Err(_)));
    while host.transport.stats().failed_handshakes.load(Ordering::Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_peer_that_answers_no_ping_is_disconnected() {
    let mut host = Node::new(2);
    let at = host.listen().await;
    let _silent = established_socket(&host, at).await;
    let conn = host.connected().await;
    tokio::time::pause();
    let started = tokio::time::Instant::now();
    assert_eq!(host.disconnected().await, (conn, DisconnectReason::PingTimeout));
    assert!(started.elapsed() <= TICK_INTERVAL * 3);
}

#[tokio::test]
async fn a_peer_that_does_not_read_is_disconnected_before_memory_fills() {
    let mut host = Node::new(2);
    let at = host.listen().await;
    let _not_reading = established_socket(&host, at).await;
    let conn = host.connected().await;
    let mut accepted_bytes = 0usize;
    let refused = loop {
        let batch = vec![(TYPE, vec![0; 1500]); 100];
        match host.transport.try_send(conn, batch) {
            Ok(()) => accepted_bytes += 150_000,
            Err(error) => break error,
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(refused, SendError::QueueFull);
    // Our queue holds 4 MiB, and the kernel's buffers take some more.
    assert!(accepted_bytes < 40_000_000, "{accepted_bytes}");
    assert_eq!(host.disconnected().await, (conn, DisconnectReason::SendQueueFull));
    assert_eq!(host.transport.stats().send_queue_full.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn the_peers_last_words_come_before_its_disconnect() {
    let (mut client, mut host) = (Node::new(1), Node::new(2));
    let at = host.listen().await;
    let (at_client, at_host) = client.connect(&mut host, at).await;
    let error = (17, text_message([0; 32], "go away"));
    client.transport.try_send(at_client, vec![(TYPE, vec![1]), error]).unwrap();
    assert_eq!(host.messages(1).await, [(TYPE, vec![1])]);
    match host.event().await {
        Event::PeerText { conn, kind, channel_id, text } => {
            assert_eq!((conn, kind), (at_host, PeerTextKind::Error));
            assert_eq!((channel_id, text.as_str()), ([0; 32], "go away"));
        }
        other => panic!("unexpected {other:?}"),
    }
    let coded = DisconnectReason::PeerError("0007go away".to_owned());
    assert_eq!(coded.to_string(), "the peer sent an error: 0007 go away");
    let reason = DisconnectReason::PeerError("go away".to_owned());
    assert_eq!(host.disconnected().await, (at_host, reason));
}

#[tokio::test]
async fn a_consumer_that_lags_stops_the_reading_and_loses_nothing() {
    let (mut client, mut host) = (Node::new(1), Node::new(2));
    let at = host.listen().await;
    let (_, conn) = client.connect(&mut host, at).await;
    let mut next = 0;
    // The client takes no event, until its socket and the host's queue are full.
    loop {
        let batch: Vec<_> = (next..next + 10).map(large_numbered).collect();
        if host.transport.try_send(conn, batch).is_err() {
            break;
        }
        next += 10;
        // Both ends get time to continue, until the socket is full.
        for _ in 0..30 {
            tokio::task::yield_now().await;
        }
    }
    let mut expected = 0;
    loop {
        match client.event().await {
            Event::Messages { messages, .. } => {
                for message in messages {
                    assert!(message == large_numbered(expected), "wrong at {expected}");
                    expected += 1;
                }
            }
            Event::Disconnected { reason, .. } => {
                assert_eq!(reason, DisconnectReason::ClosedByPeer);
                break;
            }
            other => panic!("unexpected {other:?}"),
        }
    }
    assert!(expected > 0 && expected < next, "{expected} of {next}");
}

#[tokio::test]
async fn messages_that_are_held_stop_the_reading_of_their_own_connection_only() {
    let mut host = Node::new(2);
    let at = host.listen().await;
    let (mut flooder, mut honest) = (Node::new(1), Node::new(3));
    let (at_flooder, _) = flooder.connect(&mut host, at).await;
    let (at_honest, of_honest) = honest.connect(&mut host, at).await;
    // This is as much as the sockets and the flooder's own queue take.
    let flood = || vec![(TYPE, vec![0; 60_000]); 10];
    while flooder.transport.try_send(at_flooder, flood()).is_ok() {
        for _ in 0..30 {
            tokio::task::yield_now().await;
        }
    }
    honest.transport.try_send(at_honest, vec![(TYPE, vec![7])]).unwrap();
    let (mut held_back, mut bytes) = (Vec::new(), 0);
    loop {
        match host.event().await {
            Event::Messages { conn, messages, .. } if conn == of_honest => {
                break assert_eq!(messages, [(TYPE, vec![7])]);
            }
            // The consumer is slow: it holds what it has taken.
            Event::Messages { messages, held, .. } => {
                bytes += messages.iter().map(|(_, payload)| payload.len()).sum::<usize>();
                held_back.push(held);
            }
            other => panic!("unexpected {other:?}"),
        }
    }
    let most = MAX_UNREAD_BYTES + 2 * MAX_PAYLOAD_BYTES;
    assert!(bytes > 0 && bytes <= most, "{bytes} of the flooder");
    // Once they are handled, the rest is read.
    drop(held_back);
    assert!(matches!(host.event().await, Event::Messages { .. }));
}

#[tokio::test]
async fn what_a_peer_sent_before_we_end_its_connection_is_dropped() {
    let mut host = Node::new(2);
    let at = host.listen().await;
    let mut flooder = Node::new(1);
    let (at_flooder, at_host) = flooder.connect(&mut host, at).await;
    for _ in 0..100 {
        flooder.transport.try_send(at_flooder, vec![(TYPE, vec![0; 1000]); 20]).unwrap();
    }
    let first = host.event().await;
    assert!(matches!(first, Event::Messages { .. }));
    host.transport.refuse(at_host, "enough");
    let mut later = 0;
    let reason = loop {
        match host.event().await {
            Event::Messages { messages, .. } => later += messages.len(),
            Event::Disconnected { reason, .. } => break reason,
            other => panic!("unexpected {other:?}"),
        }
    };
    assert_eq!(reason, DisconnectReason::Flooding("enough".to_owned()));
    // Only what was on its way to us already comes: `first` still holds its share.
    assert!(later * 1000 <= MAX_UNREAD_BYTES + 64 * 1024, "{later}");
    drop(first);
}

#[tokio::test]
async fn of_a_connection_we_end_nothing_more_is_handed_over_than_was_already() {
    let mut host = Node::new(2);
    let at = host.listen().await;
    let mut flooder = Node::new(1);
    let (at_flooder, at_host) = flooder.connect(&mut host, at).await;
    // Each of them is an event of its own: a text in between ends a run of messages.
    let mut flood = Vec::new();
    for _ in 0..2 * MAX_WAITING_EVENTS {
        flood.extend([(TYPE, Vec::new()), (WARNING_TYPE, text_message([0; 32], "!"))]);
    }
    flooder.transport.try_send(at_flooder, flood).unwrap();
    while host.events.len() < MAX_WAITING_EVENTS {
        tokio::task::yield_now().await;
    }
    host.transport.refuse(at_host, "enough");
    // The connection ends before there is room for more.
    for _ in 0..30 {
        tokio::task::yield_now().await;
    }
    let mut handed_over = 0;
    while !matches!(host.event().await, Event::Disconnected { .. }) {
        handed_over += 1;
    }
    assert_eq!(handed_over, MAX_WAITING_EVENTS);
}

fn large_numbered(number: usize) -> (u16, Vec<u8>) {
    let mut payload = vec![0; 60_000];
    payload[..8].copy_from_slice(&number.to_be_bytes());
    (TYPE, payload)
}

/// Opens a socket past the handshake that nothing reads from or writes to.
async fn established_socket(host: &Node, at: std::net::SocketAddr) -> TcpStream {
    let mut socket = TcpStream::connect(at).await.unwrap();
    let mut session = Session::outbound(key(1), host.id(), [9; 32], &config()).unwrap();
    support::drive_socket(&mut session, &mut socket, |session| session.is_established()).await;
    socket.write_all(&session.take_outgoing()).await.unwrap();
    socket
}

/// This listens on all addresses of both kinds, on one port, so it is not on loopback alone.
#[tokio::test]
async fn ipv4_and_ipv6_wildcards_can_share_a_port() {
    let node = Node::new(1);
    let all = SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, 0, 0, 0);
    let bound = match node.transport.listen_ipv6_only(all, key(1)) {
        Ok(bound) => bound,
        // The machine has no IPv6.
        Err(_) => return,
    };
    let ipv4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, bound.port()));
    assert_eq!(node.transport.listen(ipv4, key(1)).await.unwrap(), ipv4);
}
