//! Two sessions in memory: handshake, messages, limits, refusals.

mod support;

use bitcoin::Network;
use bitcoin::constants::ChainHash;
use proptest::prelude::*;
use steward_p2p::limits::{MAX_PAYLOAD_BYTES, MAX_QUEUED_BYTES, MAX_TEXT_BYTES};
use steward_p2p::{SendError, Session, SessionConfig, SessionError, SessionEvent};
use support::{Pair, TYPE, config, key, messages, node_id, text_message};

#[test]
fn two_sessions_in_memory_learn_each_others_identity_and_features() {
    let mut pair = Pair::new(&config(), &config());
    pair.drive().unwrap();

    let events = pair.client.take_events();
    let [SessionEvent::Established { peer, features }] = events.as_slice() else {
        panic!("unexpected {events:?}");
    };
    assert_eq!(*peer, node_id(&key(2)));
    assert_eq!(features.bits().collect::<Vec<_>>(), [1, 9, 13, 15, 17, 25, 45, 257, 32_973]);
    assert_eq!(pair.host.their_node_id(), Some(node_id(&key(1))));
    assert!(pair.client.is_established() && pair.host.is_established());
}

#[test]
fn hosted_channel_and_attribution_bits_are_announced_only_when_asked_for() {
    let plain = SessionConfig { hosted_channel_bits: false, attribution: true, ..config() };
    let mut pair = Pair::new(&plain, &config());
    pair.drive().unwrap();
    let features = pair.host.their_features().unwrap();
    assert_eq!(features.bits().collect::<Vec<_>>(), [1, 9, 13, 15, 17, 25, 37, 45]);
    assert!(features.has_bit(37) && !features.has_bit(36) && !features.has_bit(257));
}

#[test]
fn messages_arrive_in_order_both_ways() {
    let mut pair = Pair::established();
    for n in 0..1000u32 {
        pair.client.send(TYPE, n.to_be_bytes().to_vec()).unwrap();
        pair.host.send(TYPE + 2, n.to_be_bytes().to_vec()).unwrap();
    }
    pair.drive().unwrap();
    let expected = |message_type: u16| {
        (0..1000u32).map(|n| (message_type, n.to_be_bytes().to_vec())).collect::<Vec<_>>()
    };
    assert_eq!(messages(pair.host.take_events()), expected(TYPE));
    assert_eq!(messages(pair.client.take_events()), expected(TYPE + 2));
}

#[test]
fn outgoing_bytes_may_leave_in_any_portions_while_more_are_queued() {
    let mut pair = Pair::established();
    for n in 0..500u32 {
        pair.client.send(TYPE, n.to_be_bytes().repeat(10)).unwrap();
        let some: Vec<u8> = pair.client.outgoing().iter().take(61).copied().collect();
        pair.client.consume_outgoing(some.len());
        pair.host.receive(&some).unwrap();
    }
    pair.drive().unwrap();
    let expected: Vec<_> = (0..500u32).map(|n| (TYPE, n.to_be_bytes().repeat(10))).collect();
    assert_eq!(messages(pair.host.take_events()), expected);
}

#[test]
fn the_largest_payload_is_delivered_and_one_byte_more_is_refused_locally() {
    let mut pair = Pair::established();
    let largest = vec![7; MAX_PAYLOAD_BYTES];
    let refused = pair.client.send(TYPE, vec![7; MAX_PAYLOAD_BYTES + 1]);
    assert_eq!(refused, Err(SendError::TooLarge { len: MAX_PAYLOAD_BYTES + 1 }));
    pair.client.send(TYPE, largest.clone()).unwrap();
    pair.drive().unwrap();
    assert_eq!(messages(pair.host.take_events()), [(TYPE, largest)]);
}

#[test]
fn custom_messages_of_odd_type_are_passed_up_from_32768_on() {
    let mut pair = Pair::established();
    for message_type in [32_767, 32_769, 65_535] {
        pair.client.send(message_type, vec![1]).unwrap();
    }
    pair.drive().unwrap();
    assert_eq!(messages(pair.host.take_events()), [(32_769, vec![1]), (65_535, vec![1])]);
}

#[test]
fn an_unknown_message_of_even_type_ends_the_session() {
    let mut pair = Pair::established();
    pair.client.send(40_000, vec![1]).unwrap();
    let error = pair.drive().unwrap_err();
    assert!(error.to_string().contains("unknown even message of type 40000"), "{error}");
}

#[test]
fn nothing_can_be_sent_before_the_handshake_is_done() {
    let mut pair = Pair::new(&config(), &config());
    assert_eq!(pair.client.send(TYPE, vec![]), Err(SendError::NotEstablished));
}

#[test]
fn a_peer_of_another_chain_is_refused_with_a_reason() {
    let mainnet =
        SessionConfig { chain: ChainHash::using_genesis_block_const(Network::Bitcoin), ..config() };
    let mut pair = Pair::new(&mainnet, &config());
    let error = pair.drive().unwrap_err();
    assert!(error.to_string().contains("does not support any of our supported chains"), "{error}");
    assert!(!pair.host.is_established());
}

#[test]
fn a_host_with_another_key_than_expected_is_refused() {
    let mut client = Session::outbound(key(1), node_id(&key(3)), [11; 32], &config()).unwrap();
    let mut host = Session::inbound(key(2), [12; 32], &config()).unwrap();
    let error = host.receive(&client.take_outgoing()).unwrap_err();
    assert!(matches!(error, SessionError::Protocol(_)), "{error:?}");
    assert!(host.take_outgoing().is_empty());
}

#[test]
fn a_node_id_off_the_curve_is_an_error() {
    let bogus = steward_wire::NodeId([5; 33]);
    let error = Session::outbound(key(1), bogus, [11; 32], &config()).err();
    assert_eq!(error, Some(SessionError::InvalidNodeId));
}

#[test]
fn a_queue_that_is_never_drained_is_bounded_and_ends_the_session() {
    let mut pair = Pair::established();
    let mut accepted = 0;
    let error = loop {
        match pair.client.send(TYPE, vec![0; 1500]) {
            Ok(()) => accepted += 1500,
            Err(error) => break error,
        }
    };
    assert_eq!(error, SendError::QueueFull);
    assert!(accepted <= MAX_QUEUED_BYTES && accepted > MAX_QUEUED_BYTES / 2);
    assert_eq!(pair.client.receive(&[0]), Err(SessionError::SendQueueFull));
    assert_eq!(pair.client.queued_bytes(), 0);
}

#[test]
fn a_peer_that_floods_pings_without_reading_is_ended_before_the_pongs_fill_memory() {
    let mut pair = Pair::established();
    // A BOLT 1 ping, type 18: num_pong_bytes 65000, no padding.
    for _ in 0..200 {
        pair.client.send(18, vec![0xfd, 0xe8, 0, 0]).unwrap();
    }
    let pings = pair.client.take_outgoing();
    assert_eq!(pair.host.receive(&pings), Err(SessionError::SendQueueFull));
}

#[test]
fn a_ping_is_answered() {
    let mut pair = Pair::established();
    pair.client.send(18, vec![0, 9, 0, 0]).unwrap();
    let ping = pair.client.take_outgoing();
    pair.host.receive(&ping).unwrap();
    assert!(pair.host.queued_bytes() > 0);
}

#[test]
fn an_unfinished_handshake_and_a_silent_peer_time_out_after_two_ticks() {
    let mut unfinished = Session::inbound(key(2), [12; 32], &config()).unwrap();
    unfinished.tick().unwrap();
    assert_eq!(unfinished.tick(), Err(SessionError::Timeout));

    let mut pair = Pair::established();
    pair.host.tick().unwrap();
    assert_eq!(pair.host.tick(), Err(SessionError::Timeout));
}

#[test]
fn a_peer_that_answers_pings_stays() {
    let mut pair = Pair::established();
    for _ in 0..10 {
        pair.host.tick().unwrap();
        pair.drive().unwrap();
    }
}

#[test]
fn an_error_for_one_channel_is_passed_up_and_the_session_goes_on() {
    let mut pair = Pair::established();
    pair.client.send(17, text_message([3; 32], "no such channel\n")).unwrap();
    pair.client.send(TYPE, vec![1]).unwrap();
    pair.drive().unwrap();
    let events = pair.host.take_events();
    let text = "no such channel\u{fffd}".to_owned();
    let kind = steward_p2p::PeerTextKind::Error;
    assert_eq!(events.first(), Some(&SessionEvent::PeerText { kind, channel_id: [3; 32], text }));
    assert_eq!(messages(events), [(TYPE, vec![1])]);
}

#[test]
fn an_error_for_the_connection_is_passed_up_and_ends_the_session() {
    let mut pair = Pair::established();
    pair.client.send(17, text_message([0; 32], "0007go away")).unwrap();
    let ended = pair.drive().unwrap_err();
    assert_eq!(ended.to_string(), "the peer sent an error: 0007 go away");
    assert_eq!(ended, SessionError::PeerError("0007go away".to_owned()));
    assert!(matches!(pair.host.take_events().as_slice(), [SessionEvent::PeerText { .. }]));
}

#[test]
fn a_warning_is_passed_up_with_its_text_bounded() {
    let mut pair = Pair::established();
    pair.client.send(1, text_message([3; 32], &"w".repeat(20_000))).unwrap();
    pair.drive().unwrap();
    let events = pair.host.take_events();
    let [SessionEvent::PeerText { kind, text, .. }] = events.as_slice() else {
        panic!("unexpected {events:?}");
    };
    assert_eq!(*kind, steward_p2p::PeerTextKind::Warning);
    assert!(text.starts_with("www") && text.len() <= MAX_TEXT_BYTES);
}

#[test]
fn on_chain_channel_messages_do_not_disturb_the_session() {
    let mut pair = Pair::established();
    // An update_fee: channel_id and feerate_per_kw.
    pair.client.send(134, vec![0; 36]).unwrap();
    pair.client.send(TYPE, vec![1]).unwrap();
    pair.drive().unwrap();
    assert_eq!(messages(pair.host.take_events()), [(TYPE, vec![1])]);
}

proptest! {
    #[test]
    fn garbage_never_panics(before_handshake in any::<bool>(), bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut pair = if before_handshake {
            Pair::new(&config(), &config())
        } else {
            Pair::established()
        };
        let _ = pair.host.receive(&bytes);
        let _ = pair.client.receive(&bytes);
        let _ = pair.host.tick();
        pair.host.take_events();
        pair.client.take_outgoing();
    }

    #[test]
    fn an_authentic_peer_sending_any_message_never_panics(
        message_type in prop_oneof![any::<u16>(), 0..600u16],
        payload in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut pair = Pair::established();
        pair.client.send(message_type, payload).unwrap();
        let _ = pair.drive();
        pair.host.take_events();
        let _ = pair.host.tick();
    }

    #[test]
    fn bytes_may_come_in_any_portions(portions in prop::collection::vec(1usize..200, 1..200)) {
        let mut pair = Pair::established();
        let payload: Vec<u8> = (0..5000u32).map(|n| n as u8).collect();
        pair.client.send(TYPE, payload.clone()).unwrap();
        let bytes = pair.client.take_outgoing();
        let mut rest = bytes.as_slice();
        for len in portions {
            let (now, later) = rest.split_at(len.min(rest.len()));
            pair.host.receive(now).unwrap();
            rest = later;
        }
        pair.host.receive(rest).unwrap();
        prop_assert_eq!(messages(pair.host.take_events()), [(TYPE, payload)]);
    }
}

#[test]
fn an_unknown_even_message_ends_the_connection_with_a_warning() {
    for message_type in [20_000, 40_000] {
        let mut pair = Pair::established();
        pair.client.send(TYPE, vec![1]).unwrap();
        pair.client.send(message_type, vec![2; 60_000]).unwrap();
        pair.client.send(TYPE, vec![3]).unwrap();
        let bytes = pair.client.take_outgoing();
        let reason = pair.host.receive(&bytes).unwrap_err();
        let text = format!("unknown even message of type {message_type}");
        assert_eq!(reason, SessionError::Protocol(text.clone()));
        // Messages before it count, messages after it do not.
        assert_eq!(messages(pair.host.take_events()), [(TYPE, vec![1])]);
        let last_words = pair.host.take_outgoing();
        pair.client.receive(&last_words).unwrap();
        let events = pair.client.take_events();
        let [SessionEvent::PeerText { text: warning, .. }] = events.as_slice() else {
            panic!("unexpected {events:?}");
        };
        assert!(warning.contains(&text), "{warning}");
        assert!(pair.host.receive(&bytes).is_err(), "it has ended");
    }
}
