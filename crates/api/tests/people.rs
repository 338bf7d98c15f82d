//! Cases that people meet: hosts out of reach, channels that are forgotten, hints that name the
//! cause.

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use common::{channel, code, invoice, link, payment, peer, server};
use serde_json::json;
use steward_engine::command::{ChannelInfo, PeerInfo};
use steward_engine::row::PaymentStatus;
use steward_engine::{Command, Event, EventKind, Reply};
use steward_hosted::{Phase, Role};
use steward_node::ConnectionFailure;

#[test]
fn why_a_peer_cannot_be_reached_is_told_with_its_channel_and_among_the_peers() {
    let server = server();
    let failure = ConnectionFailure {
        peer: peer(),
        local: peer(),
        address: "127.0.0.1:1".to_owned(),
        reason: "connection refused".to_owned(),
        failed_ms: 1,
        next_attempt_ms: 2,
    };
    server.node.failures.lock().unwrap().push(failure);
    server.node.answer(Ok(Reply::Channels(vec![channel(Role::Client)])));
    let (_, body) = server.get("/v1/channels");
    assert_eq!(body["channels"][0]["connection_failure"]["reason"], "connection refused");
    let wanted = PeerInfo {
        peer: peer(),
        local: peer(),
        connected: false,
        inbound: false,
        addresses: vec!["127.0.0.1:1".to_owned()],
        framing: None,
        supports_hosted_channels: false,
    };
    server.node.answer(Ok(Reply::Peers(vec![wanted])));
    let (_, body) = server.get("/v1/peers");
    assert_eq!(body["peers"][0]["connection_failure"]["next_attempt_ms"], 2);
}

#[test]
fn a_channel_and_a_peer_are_forgotten_by_the_engine() {
    let server = server();
    server.node.answer(Ok(Reply::Done));
    server.node.answer(Ok(Reply::Channels(Vec::new())));
    let (status, body) = server.delete(&format!("/v1/channels/{}", peer()));
    assert_eq!((status, body), (200, json!({ "channels": [] })));
    server.node.answer(Ok(Reply::Done));
    server.node.answer(Ok(Reply::Peers(Vec::new())));
    let (status, body) = server.delete(&format!("/v1/peers/{}", peer()));
    assert_eq!((status, body), (200, json!({ "peers": [] })));
    let commands = server.node.commands();
    assert!(
        matches!(commands[0], Command::ForgetChannel { channel: forgotten } if forgotten == peer().into())
    );
    assert!(matches!(commands[2], Command::ForgetPeer { peer: forgotten } if forgotten == peer()));
}

/// Returns what the client is told if its host refuses it with these words.
fn refused_opening(reason: &str, secret: Option<&str>) -> (String, String) {
    let server = server();
    let opening = ChannelInfo { phase: Phase::Opening, ..channel(Role::Client) };
    server.node.answer(Ok(Reply::Channel(Box::new(opening))));
    let node = Arc::clone(&server.node);
    let reason = reason.to_owned();
    let happening = std::thread::spawn(move || {
        while node.commands().is_empty() {
            std::thread::yield_now();
        }
        let kind = EventKind::ChannelOpeningFailed { peer: peer(), link: Some(link()), reason };
        node.events.send(Event { number: 1, time_ms: 1, kind }).unwrap();
    });
    let body = json!({ "host": format!("{}@127.0.0.1", peer()), "secret": secret }).to_string();
    let (status, body) = server.post("/v1/channels", &body);
    happening.join().unwrap();
    assert_eq!((status, code(&body)), (409, "opening_failed"));
    let text = |key: &str| body[key].as_str().unwrap().to_owned();
    (text("message"), text("hint"))
}

#[test]
fn an_opening_on_another_block_day_names_clock_and_chain_source() {
    let (_, hint) = refused_opening("0001 wrong block day", None);
    assert!(hint.contains("clock and chain source"), "{hint}");
}

#[test]
fn a_wrong_secret_and_none_are_told_apart_with_what_to_do() {
    for reason in ["0007", "0007 ERR_HOSTED_CHANNEL_DENIED", "0007 a valid secret is needed"] {
        for (secret, says) in
            [(None, "no secret was sent"), (Some("guess"), "the secret sent was not accepted")]
        {
            let (message, hint) = refused_opening(reason, secret);
            assert!(message.contains("0007"), "{message}");
            for part in [says, "--secret-file", "--secret"] {
                assert!(hint.contains(part), "{reason}, {secret:?}: {hint}");
            }
        }
    }
    // Nothing to do with the secret.
    let (_, hint) = refused_opening("0007 this host has no room for more channels", Some("right"));
    assert!(!hint.contains("not accepted"), "{hint}");
    let forgotten = "0007 this host has forgotten a channel with this id or refund script";
    let (_, hint) = refused_opening(forgotten, None);
    assert!(hint.contains("never lets a client in again"), "{hint}");
}

#[test]
fn what_an_earlier_request_paid_is_told_as_such() {
    let server = server();
    *server.node.payment.lock().unwrap() = Ok(payment(PaymentStatus::Complete));
    let body = json!({ "invoice": invoice(), "amount_msat": 1000 }).to_string();
    assert_eq!(server.post("/v1/payments", &body).1["already_paid"], false);
    server.node.begun_earlier.store(true, Ordering::Relaxed);
    assert_eq!(server.post("/v1/payments", &body).1["already_paid"], true);
    *server.node.payment.lock().unwrap() = Ok(payment(PaymentStatus::Pending));
    assert_eq!(server.post("/v1/payments", &body).1["already_paid"], false, "not paid yet");
}

#[test]
fn everything_is_what_the_engine_says_can_be_sent() {
    let server = server();
    server.node.answer(Ok(Reply::Amount(4_321)));
    let body = json!({ "invoice": invoice(), "all": true }).to_string();
    assert_eq!(server.post("/v1/payments", &body).0, 200);
    assert_eq!(server.node.paid()[0].0, Some(4_321));
    let body = json!({ "invoice": invoice(), "all": true, "amount_msat": 5 }).to_string();
    let (status, body) = server.post("/v1/payments", &body);
    assert_eq!((status, code(&body)), (422, "bad_amount"));
}
