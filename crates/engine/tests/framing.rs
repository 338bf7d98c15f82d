//! In which framing a client speaks to its host: as the host has ever spoken, never by a guess
//! once that is known.

use steward_engine::io::{ConnId, Input};
use steward_hosted::Phase;
use steward_hosted::limits::{ANSWER_TIMEOUT_MS, REPEAT_INVOKE_MS};
use steward_testkit::{Net, hosted_features};
use steward_wire::{Framing, Message, framing};

/// Client 1's host, played by hand: it speaks the legacy framing and advertises both.
fn host_by_hand(net: &mut Net, number: u64) -> ConnId {
    let conn = ConnId(4_000_000 + number);
    net.wiretap(1, conn);
    let connected = Input::PeerConnected {
        conn,
        peer: net.id(0),
        local: net.client_id(1, 0),
        features: hosted_features(),
        inbound: false,
        address: "127.0.0.1:1".to_owned(),
    };
    net.input(1, connected);
    net.settle();
    conn
}

/// The framings in which the client sent its invokes.
fn invokes(net: &mut Net, conn: ConnId) -> Vec<Framing> {
    let sent = net.tapped(conn).into_iter();
    let invokes = sent.filter_map(|(message_type, payload)| {
        let mut shown = None;
        let message = framing::decode(&mut shown, message_type, &payload).ok()??;
        matches!(message, Message::InvokeHostedChannel(_)).then_some(shown?)
    });
    invokes.collect()
}

fn speak_legacy(net: &mut Net, conn: ConnId) {
    let state = net.channel(0, 1).state.unwrap();
    let message = Message::LastCrossSignedState(state);
    let frames = vec![framing::encode(Framing::Legacy, &message).unwrap()];
    net.input(1, Input::Frames { conn, frames });
    net.settle();
}

#[test]
fn the_framing_a_host_has_shown_outlives_silence_connections_and_restarts() {
    let mut net = Net::host_and_clients(1);
    net.disconnect(1, 0);
    let conn = host_by_hand(&mut net, 1);
    speak_legacy(&mut net, conn);
    for number in 2..8 {
        net.tapped(conn);
        if number == 5 {
            net.crash(1);
            net.start(1);
        }
        // The host never answers, and the connection ends: by our timer, or by itself.
        let conn = host_by_hand(&mut net, number);
        if number % 2 == 0 {
            net.tick(ANSWER_TIMEOUT_MS);
        }
        let framings = invokes(&mut net, conn);
        assert!(!framings.is_empty());
        assert!(framings.iter().all(|framing| *framing == Framing::Legacy), "{framings:?}");
        net.input(1, Input::PeerDisconnected { conn });
        net.settle();
    }
}

/// A host that has never spoken may be one that cannot read the guess, and then reads nothing.
#[test]
fn a_host_that_has_never_spoken_is_tried_in_the_other_framing_on_its_next_connection() {
    let mut net = Net::new(vec![steward_testkit::config(), steward_testkit::config()]);
    let (host, address) = (net.id(0), "127.0.0.1:9".to_owned());
    net.invoke_by_address(1, host, address);
    let mut seen = Vec::new();
    for number in 1..5 {
        let conn = host_by_hand(&mut net, number);
        seen.extend(invokes(&mut net, conn).first().copied());
        net.input(1, Input::PeerDisconnected { conn });
        net.settle();
    }
    assert_eq!(seen, [Framing::Modern, Framing::Legacy, Framing::Modern, Framing::Legacy]);
}

/// A host as eclair is: it loses what comes before its plugin listens, and after a message that it
/// cannot frame it reads nothing more on that connection.
#[test]
fn a_host_that_loses_the_first_invoke_and_freezes_on_the_wrong_framing_is_reached_each_time() {
    let mut net = Net::host_and_clients(1);
    net.disconnect(1, 0);
    let conn = host_by_hand(&mut net, 1);
    speak_legacy(&mut net, conn);
    for number in 2..6 {
        net.input(1, Input::PeerDisconnected { conn: ConnId(4_000_000 + number - 1) });
        net.settle();
        let conn = host_by_hand(&mut net, number);
        assert_eq!(invokes(&mut net, conn), [Framing::Legacy], "it is lost");
        net.tick(REPEAT_INVOKE_MS);
        assert_eq!(invokes(&mut net, conn), [Framing::Legacy], "it would freeze on another");
        speak_legacy(&mut net, conn);
        assert_eq!(net.channel(1, 0).phase, Phase::Active);
    }
}
