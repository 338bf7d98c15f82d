//! Peers with a role, over loopback TCP: what `init` offers them, which messages pass, and what
//! stays as it is for everybody else.

#[path = "../../wire/tests/support/channel_messages.rs"]
mod channel_messages;
mod support;

use std::sync::atomic::Ordering;

use channel_messages::{Seeded, TYPES, message};
use steward_p2p::limits::MAX_UNREAD_BYTES;
use steward_p2p::{
    DisconnectReason, Event, PeerRole, PeerRoles, PeerTextKind, SendError, Session, SessionConfig,
    TransportConfig,
};
use steward_wire::{ChannelId, ChannelMessage, NodeId, Onion, UpdateAddHtlc};
use support::{Node, TYPE, config, key, node_id, text_message};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const BRIDGE: PeerRole = PeerRole { bridge: true, gossip: false };
const GOSSIP: PeerRole = PeerRole { bridge: false, gossip: true };
const BOTH: PeerRole = PeerRole { bridge: true, gossip: true };

/// The bits of everybody, as they were before there were roles.
const PLAIN_BITS: [u32; 9] = [1, 9, 13, 15, 17, 25, 45, 257, 32_973];

fn id(seed: u8) -> NodeId {
    node_id(&key(seed))
}

fn roles_of(seed: u8, peers: &[(u8, PeerRole)]) -> PeerRoles {
    PeerRoles::new(peers.iter().map(|(peer, role)| (id(seed), id(*peer), *role))).unwrap()
}

/// Makes a node with the key of `seed`, to which the peers have these roles.
fn node(seed: u8, peers: &[(u8, PeerRole)]) -> Node {
    let session = SessionConfig { roles: roles_of(seed, peers), ..config() };
    Node::with_config(seed, TransportConfig::new(session))
}

/// Takes a `Connected` event: the bits that the peer announced to us, and its role to us.
async fn announced(node: &mut Node) -> (Vec<u32>, PeerRole) {
    match node.event().await {
        Event::Connected { features, role, .. } => (features.bits().collect(), role),
        other => panic!("expected Connected, got {other:?}"),
    }
}

fn with(bits: &[u32]) -> Vec<u32> {
    let mut all = [&PLAIN_BITS, bits].concat();
    all.sort_unstable();
    all
}

/// One message of every type, in an order of no meaning, with a custom message after each.
fn mixed(seed: u64) -> Vec<(u16, Vec<u8>)> {
    let mut random = Seeded::new(seed);
    let mut messages = Vec::new();
    for number in 0..3 {
        for message_type in TYPES.into_iter().rev().filter(|message_type| *message_type != 17) {
            messages.push(message(message_type, &mut random).encode());
            messages.push((TYPE, vec![number, message_type as u8]));
        }
    }
    messages
}

fn only_custom(messages: &[(u16, Vec<u8>)]) -> Vec<(u16, Vec<u8>)> {
    messages.iter().filter(|(message_type, _)| *message_type == TYPE).cloned().collect()
}

#[tokio::test]
async fn init_offers_each_peer_what_its_role_says_whoever_connects() {
    let mut host = node(2, &[(3, BRIDGE), (4, GOSSIP), (5, BOTH)]);
    let at = host.listen().await;
    let expected: [(u8, PeerRole, &[u32]); 4] = [
        (1, PeerRole::default(), &[]),
        (3, BRIDGE, &[5, 23, 27]),
        (4, GOSSIP, &[7]),
        (5, BOTH, &[5, 7, 23, 27]),
    ];
    for (seed, role, bits) in expected {
        let mut peer = node(seed, &[]);
        let peer_at = peer.listen().await;
        let inbound = peer.transport.connect(peer.key, host.id(), &at.into()).await.unwrap();
        assert_eq!(announced(&mut peer).await, (with(bits), PeerRole::default()), "{seed}");
        assert_eq!(announced(&mut host).await, (with(&[]), role), "{seed}");

        peer.transport.disconnect(inbound.id(), "now the other way");
        assert!(matches!(peer.event().await, Event::Disconnected { .. }));
        assert!(matches!(host.event().await, Event::Disconnected { .. }));
        host.transport.connect(host.key, peer.id(), &peer_at.into()).await.unwrap();
        assert_eq!(announced(&mut peer).await, (with(bits), PeerRole::default()), "{seed}");
        assert_eq!(announced(&mut host).await, (with(&[]), role), "{seed}");
    }
}

#[tokio::test]
async fn a_role_holds_for_the_identity_that_it_was_given_only() {
    let mut client = node(1, &[(2, BRIDGE)]);
    let mut host = node(2, &[]);
    let at = host.listen().await;
    client.transport.connect(key(9), host.id(), &at.into()).await.unwrap();
    assert_eq!(announced(&mut host).await.0, with(&[]));
    assert_eq!(announced(&mut client).await.1, PeerRole::default());
}

#[tokio::test]
async fn channel_messages_of_a_bridge_peer_arrive_as_sent_and_in_order_both_ways() {
    let mut host = node(2, &[(1, BOTH)]);
    let mut peer = node(1, &[(2, BOTH)]);
    let at = host.listen().await;
    let (at_peer, at_host) = peer.connect(&mut host, at).await;
    let (there, back) = (mixed(1), mixed(2));
    peer.transport.try_send(at_peer, there.clone()).unwrap();
    host.transport.try_send(at_host, back.clone()).unwrap();
    assert_eq!(host.messages(there.len()).await, there);
    assert_eq!(peer.messages(back.len()).await, back);
    for (message_type, payload) in there.iter().filter(|(message_type, _)| *message_type != TYPE) {
        assert!(matches!(ChannelMessage::decode(*message_type, payload), Ok(Some(_))));
    }
}

#[tokio::test]
async fn channel_messages_of_any_other_peer_are_ignored_and_an_offer_is_refused() {
    let mut host = node(2, &[(3, BOTH)]);
    let mut stranger = node(1, &[(2, BOTH)]);
    let at = host.listen().await;
    let (at_stranger, _) = stranger.connect(&mut host, at).await;
    let sent = mixed(3);
    stranger.transport.try_send(at_stranger, sent.clone()).unwrap();
    let custom = only_custom(&sent);
    assert_eq!(host.messages(custom.len()).await, custom);

    // Each of the three offers is answered as ever.
    for (_, offer) in sent.iter().filter(|(message_type, _)| *message_type == 32) {
        let Ok(Some(offer)) = ChannelMessage::decode(32, offer) else { panic!() };
        let refusal =
            text_message(offer.channel_id().unwrap().0, "this node opens hosted channels only");
        assert_eq!(stranger.messages(1).await, [(17, refusal)]);
        match stranger.event().await {
            Event::PeerText { kind: PeerTextKind::Error, text, .. } => {
                assert_eq!(text, "this node opens hosted channels only");
            }
            other => panic!("expected the error's text, got {other:?}"),
        }
    }
}

#[tokio::test]
async fn gossip_passes_between_peers_of_gossip_and_channel_messages_do_not() {
    let mut host = node(2, &[(1, GOSSIP)]);
    let mut peer = node(1, &[(2, BOTH)]);
    let at = host.listen().await;
    let (at_peer, _) = peer.connect(&mut host, at).await;
    let sent = mixed(4);
    peer.transport.try_send(at_peer, sent.clone()).unwrap();
    let expected: Vec<_> = sent
        .into_iter()
        .filter(|(message_type, _)| [256, 257, 258, TYPE].contains(message_type))
        .collect();
    assert_eq!(host.messages(expected.len()).await, expected);
}

#[tokio::test]
async fn queries_of_gossip_pass_and_a_filter_for_everything_does() {
    let mut host = node(2, &[(1, GOSSIP)]);
    let mut peer = node(1, &[(2, GOSSIP)]);
    let at = host.listen().await;
    let (at_peer, _) = peer.connect(&mut host, at).await;
    let chain = config().chain.as_bytes().to_vec();
    let queries = vec![
        // encoded_short_ids: the encoding, then one id.
        (261, [&chain[..], &[0, 9, 0], &[7; 8]].concat()),
        (262, [&chain[..], &[1]].concat()),
        (263, [&chain[..], &[0, 0, 0, 1, 0, 0, 0, 2]].concat()),
        (264, [&chain[..], &[0, 0, 0, 1, 0, 0, 0, 2, 1, 0, 9, 0], &[7; 8]].concat()),
    ];
    peer.transport.try_send(at_peer, queries.clone()).unwrap();
    assert_eq!(host.messages(4).await, queries);

    // LDK keeps the numbers of the filter to itself.
    let filter = [&chain[..], &[0, 0, 0, 9, 0, 0, 1, 0]].concat();
    peer.transport.try_send(at_peer, vec![(265, filter)]).unwrap();
    let everything = [&chain[..], &[0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]].concat();
    assert_eq!(host.messages(1).await, [(265, everything)]);
}

#[tokio::test]
async fn a_type_that_the_peer_was_not_offered_is_not_sent() {
    let mut host = node(2, &[(1, BRIDGE)]);
    let mut peer = node(1, &[]);
    let at = host.listen().await;
    let (at_peer, at_host) = peer.connect(&mut host, at).await;
    let shutdown = message(38, &mut Seeded::new(1)).encode();
    let refused = peer.transport.try_send(at_peer, vec![(TYPE, vec![1]), shutdown.clone()]);
    assert_eq!(refused, Err(SendError::NotOffered { message_type: 38 }));
    let refused = host.transport.try_send(at_host, vec![(265, vec![0; 40])]);
    assert_eq!(refused, Err(SendError::NotOffered { message_type: 265 }));
    // Nothing of the refused batches was sent, and the connection lives.
    peer.transport.try_send(at_peer, vec![(TYPE, vec![2])]).unwrap();
    host.transport.try_send(at_host, vec![shutdown, (TYPE, vec![3])]).unwrap();
    assert_eq!(host.messages(1).await, [(TYPE, vec![2])]);
    assert_eq!(peer.messages(1).await, [(TYPE, vec![3])]);
}

#[tokio::test]
async fn errors_of_a_bridge_peer_come_as_messages_and_as_text() {
    let mut host = node(2, &[(1, BRIDGE)]);
    let mut peer = node(1, &[]);
    let at = host.listen().await;
    let (at_peer, _) = peer.connect(&mut host, at).await;
    for channel_id in [[3; 32], [0; 32]] {
        let error = (17, text_message(channel_id, "internal error"));
        peer.transport.try_send(at_peer, vec![error.clone()]).unwrap();
        assert_eq!(host.messages(1).await, [error]);
        match host.event().await {
            Event::PeerText { kind: PeerTextKind::Error, channel_id: of, .. } => {
                assert_eq!(of, channel_id);
            }
            other => panic!("expected the error's text, got {other:?}"),
        }
    }
    // The second one concerned the whole connection.
    assert!(matches!(host.event().await, Event::Disconnected { .. }));
}

#[tokio::test]
async fn a_change_of_roles_ends_the_connections_that_it_concerns() {
    let mut host = node(2, &[(3, BRIDGE)]);
    let at = host.listen().await;
    let (mut first, mut second, mut third) = (node(1, &[]), node(3, &[]), node(4, &[]));
    for peer in [&mut first, &mut second, &mut third] {
        peer.connect(&mut host, at).await;
    }
    let first_conn = host.transport.connection(host.id(), first.id()).unwrap().id();
    let second_conn = host.transport.connection(host.id(), second.id()).unwrap().id();
    host.transport.set_peer_roles(roles_of(2, &[(1, BRIDGE)]));
    let mut ended = [host.disconnected().await, host.disconnected().await];
    ended.sort_by_key(|(conn, _)| *conn);
    let because = DisconnectReason::RoleChanged;
    assert_eq!(ended, [(first_conn, because.clone()), (second_conn, because)]);

    for (peer, bits) in [(&mut first, &[5, 23, 27][..]), (&mut second, &[])] {
        assert!(matches!(peer.event().await, Event::Disconnected { .. }));
        peer.transport.connect(peer.key, host.id(), &at.into()).await.unwrap();
        assert_eq!(announced(peer).await.0, with(bits));
    }
    // The third had no role and has none.
    assert!(host.transport.connection(host.id(), third.id()).is_some());
    assert!(third.events.try_recv().is_err());
}

#[tokio::test]
async fn a_bridge_peer_that_floods_waits_until_its_messages_are_handled() {
    let mut host = node(2, &[(1, BRIDGE)]);
    let mut peer = node(1, &[(2, BRIDGE)]);
    let at = host.listen().await;
    let (at_peer, _) = peer.connect(&mut host, at).await;
    let add = message(128, &mut Seeded::new(1)).encode();
    let flood = 40 * MAX_UNREAD_BYTES / add.1.len();
    peer.transport.try_send(at_peer, vec![add.clone(); flood]).unwrap();
    let mut held_back = Vec::new();
    let mut count = 0;
    let Event::Messages { messages, held, .. } = host.event().await else { panic!() };
    count += messages.len();
    held_back.push(held);
    // What is held fills the share of the connection, so no more than one read follows.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let in_line = |host: &Node| host.transport.stats().messages_received.load(Ordering::Relaxed);
    let before = in_line(&host);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(in_line(&host), before, "reading has paused");
    assert!((before as usize) < flood);
    held_back.clear();
    while count < flood {
        let Event::Messages { messages, .. } = host.event().await else { panic!() };
        assert!(messages.iter().all(|message| *message == add));
        count += messages.len();
    }
    assert_eq!(count, flood);
}

#[tokio::test]
async fn an_add_whose_onion_key_is_no_point_comes_with_zeros_and_can_be_answered() {
    let mut host = node(2, &[(1, BRIDGE)]);
    let mut peer = node(1, &[(2, BRIDGE)]);
    let at = host.listen().await;
    let (at_peer, _) = peer.connect(&mut host, at).await;
    let ChannelMessage::UpdateAddHtlc(mut add) = message(128, &mut Seeded::new(5)) else {
        panic!()
    };
    let mut onion = *add.onion.0;
    onion[1..34].fill(0x7f);
    add.onion = Onion(onion.into());
    peer.transport
        .try_send(at_peer, vec![ChannelMessage::UpdateAddHtlc(add.clone()).encode()])
        .unwrap();
    let came = host.messages(1).await;
    let Ok(Some(ChannelMessage::UpdateAddHtlc(came))) = ChannelMessage::decode(128, &came[0].1)
    else {
        panic!("the add cannot be read");
    };
    assert_eq!(came.onion.0[1..34], [0; 33]);
    assert_eq!(came.onion.malformed_hash(), [0; 32]);
    assert_eq!(UpdateAddHtlc { onion: add.onion.clone(), ..came }, add);
}

#[tokio::test]
async fn a_batch_of_signatures_that_nobody_negotiated_comes_one_by_one() {
    let mut host = node(2, &[(1, BRIDGE)]);
    let at = host.listen().await;
    // A session of its own can send start_batch, type 127.
    let mut session = Session::outbound(key(1), host.id(), [9; 32], &config()).unwrap();
    let mut socket = TcpStream::connect(at).await.unwrap();
    support::drive_socket(&mut session, &mut socket, |session| session.is_established()).await;
    assert_eq!(announced(&mut host).await.1, BRIDGE);
    let mut random = Seeded::new(6);
    let mut signed = Vec::new();
    while signed.len() < 2 {
        let ChannelMessage::CommitmentSigned(mut m) = message(132, &mut random) else { panic!() };
        m.channel_id = ChannelId([7; 32]);
        signed.push(ChannelMessage::CommitmentSigned(m).encode());
    }
    // batch_size 2, TLV 1: message_type 132.
    session.send(127, [&[7; 32][..], &[0, 2, 1, 2, 0, 132]].concat()).unwrap();
    for (message_type, payload) in signed.clone() {
        session.send(message_type, payload).unwrap();
    }
    support::drive_socket(&mut session, &mut socket, |session| session.queued_bytes() == 0).await;
    assert_eq!(host.messages(2).await, signed);
}

#[tokio::test]
async fn a_role_that_changes_during_the_handshake_ends_the_connection_before_it_is_reported() {
    let mut host = node(2, &[]);
    let at = host.listen().await;
    let mut session = Session::outbound(key(1), host.id(), [9; 32], &config()).unwrap();
    let mut socket = TcpStream::connect(at).await.unwrap();
    socket.write_all(&session.take_outgoing()).await.unwrap();
    // The answer shows that the other session has begun, with the roles of then.
    let mut act_two = [0; 50];
    socket.read_exact(&mut act_two).await.unwrap();
    session.receive(&act_two).unwrap();
    host.transport.set_peer_roles(roles_of(2, &[(1, BRIDGE)]));
    socket.write_all(&session.take_outgoing()).await.unwrap();
    let mut rest = Vec::new();
    socket.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, [], "the wrong init was not even sent");

    let mut peer = node(1, &[]);
    peer.transport.connect(peer.key, host.id(), &at.into()).await.unwrap();
    assert_eq!(announced(&mut peer).await.0, with(&[5, 23, 27]));
    assert_eq!(announced(&mut host).await.1, BRIDGE, "the first connection was never reported");
}
