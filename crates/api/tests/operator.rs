//! The operator's decisions about a channel reach the engine as meant, or not at all.

mod common;

use std::sync::Arc;

use common::{Server, channel, code, link, peer, server};
use serde_json::{Value, json};
use steward_engine::command::ChannelInfo;
use steward_engine::{Code, Command, Error, Event, EventKind, Reply};
use steward_hosted::{Phase, Role, Suspension};
use steward_wire::Preimage;

fn answer_channel(server: &Server, info: ChannelInfo) {
    server.node.answer(Ok(Reply::Channel(Box::new(info))));
}

fn post(server: &Server, what: &str, body: &Value) -> (u16, Value) {
    server.post(&format!("/v1/channels/{}/{what}", peer()), &body.to_string())
}

/// Returns the only command the node got.
fn only_command(server: &Server) -> Command {
    let commands = server.node.commands.lock().unwrap();
    assert_eq!(commands.len(), 1, "{commands:?}");
    commands[0].clone()
}

#[test]
fn a_channel_is_suspended() {
    let server = server();
    answer_channel(&server, ChannelInfo { phase: Phase::Suspended, ..channel(Role::Host) });
    let (status, body) = server.post(&format!("/v1/channels/{}/suspend", peer()), "");
    assert_eq!((status, body["phase"].as_str()), (200, Some("suspended")));
    let command = only_command(&server);
    assert!(
        matches!(command, Command::SuspendChannel { channel: suspended } if suspended == peer().into())
    );
}

#[test]
fn a_proposed_balance_reaches_the_engine() {
    let server = server();
    answer_channel(&server, channel(Role::Host));
    assert_eq!(post(&server, "override", &json!({ "our_balance_msat": 5_001 })).0, 200);
    let Command::ProposeOverride { channel: client, local_balance_msat } = only_command(&server)
    else {
        panic!("another command");
    };
    assert_eq!((client, local_balance_msat), (peer().into(), 5_001));
}

#[test]
fn a_refused_override_says_why() {
    let server = server();
    let refused = Error::new(Code::HtlcsInFlight, "not known yet").hint("wait");
    server.node.answer(Err(refused));
    let (status, body) = post(&server, "override", &json!({ "our_balance_msat": 0 }));
    assert_eq!((status, code(&body)), (503, "htlcs_in_flight"));
}

#[test]
fn the_balance_to_be_accepted_reaches_the_engine() {
    let server = server();
    answer_channel(&server, ChannelInfo { phase: Phase::Active, ..channel(Role::Client) });
    let (status, body) = post(&server, "accept-override", &json!({ "our_balance_msat": 7_000 }));
    assert_eq!((status, body["phase"].as_str()), (200, Some("active")));
    let Command::AcceptOverride { channel: host, our_balance_msat } = only_command(&server) else {
        panic!("another command");
    };
    assert_eq!((host, our_balance_msat), (peer().into(), 7_000));
}

#[test]
fn a_balance_the_host_does_not_propose_is_a_conflict() {
    let server = server();
    server.node.answer(Err(Error::new(Code::OverrideDiffers, "another").hint("look again")));
    let (status, body) = post(&server, "accept-override", &json!({ "our_balance_msat": 7_000 }));
    assert_eq!((status, code(&body)), (409, "override_differs"));
    assert_eq!(body["hint"], "look again");
}

#[test]
fn a_resize_is_answered_when_the_host_has_signed() {
    let server = server();
    answer_channel(&server, ChannelInfo { phase: Phase::Active, ..channel(Role::Client) });
    answer_channel(&server, ChannelInfo { phase: Phase::Syncing, ..channel(Role::Client) });
    let resized = EventKind::ChannelResized {
        peer: peer(),
        link: Some(link()),
        capacity_msat: 2_000_000_000,
    };
    let (status, body) = resize_while(&server, resized);
    assert_eq!((status, body["phase"].as_str()), (200, Some("syncing")), "{body}");
    let commands = server.node.commands.lock().unwrap();
    let Command::ResizeChannel { channel: host, new_capacity_sat } = commands[0] else {
        panic!("{commands:?}");
    };
    assert_eq!((host, new_capacity_sat), (peer().into(), 2_000_000));
}

#[test]
fn a_resize_the_host_answers_with_a_suspension_has_failed() {
    let server = server();
    answer_channel(&server, ChannelInfo { phase: Phase::Active, ..channel(Role::Client) });
    let suspension = Suspension { by_us: false, code: Some(9), text: "too much".to_owned() };
    let suspended = EventKind::ChannelSuspended { peer: peer(), link: Some(link()), suspension };
    let (status, body) = resize_while(&server, suspended);
    assert_eq!((status, code(&body)), (409, "resize_failed"));
    assert!(body["message"].as_str().unwrap().contains("too much"), "{body}");
}

#[test]
fn a_resize_for_a_host_that_is_away_does_not_wait() {
    let server = server();
    answer_channel(&server, channel(Role::Client));
    let (status, body) = post(&server, "resize", &json!({ "capacity_msat": 2_000_000_000 }));
    assert_eq!((status, body["phase"].as_str()), (200, Some("offline")));
}

#[test]
fn a_preimage_is_handed_in() {
    let server = server();
    let preimage = Preimage([7; 32]);
    let body = json!({ "preimage": preimage.to_string() }).to_string();
    let (status, body) = server.post("/v1/preimages", &body);
    assert_eq!((status, body["payment_hash"].clone()), (200, json!(preimage.hash().to_string())));
    let command = only_command(&server);
    assert!(matches!(command, Command::SubmitPreimage { preimage: given } if given == preimage));
}

#[test]
fn a_request_that_makes_no_sense_never_reaches_the_engine() {
    let server = server();
    let cases = [
        ("override", json!({ "our_balance_msat": -1 }), "bad_field"),
        ("override", json!({ "our_balance_msat": 1, "force": true }), "bad_field"),
        ("accept-override", json!({}), "bad_field"),
        ("resize", json!({ "capacity_msat": 1_000, "wait_ms": 600_001 }), "bad_wait"),
    ];
    for (what, body, expected) in cases {
        let (status, answer) = post(&server, what, &body);
        assert_eq!((status, code(&answer)), (400, expected), "{what} {body}");
    }
    let (status, answer) = post(&server, "resize", &json!({ "capacity_msat": 1_500 }));
    assert_eq!((status, code(&answer)), (422, "bad_capacity"));
    for both in [json!({}), json!({ "our_balance_msat": 1, "client_balance_msat": 1 })] {
        let (status, answer) = post(&server, "override", &both);
        assert_eq!((status, code(&answer)), (422, "bad_balance"), "{both}");
    }
    for preimage in ["", "07", &"zz".repeat(32)] {
        let (status, body) =
            server.post("/v1/preimages", &json!({ "preimage": preimage }).to_string());
        assert_eq!((status, code(&body)), (400, "bad_preimage"), "{preimage}");
    }
    assert!(server.node.commands.lock().unwrap().is_empty());
}

/// Asks for a resize; once the engine was asked, `kind` happens.
fn resize_while(server: &Server, kind: EventKind) -> (u16, Value) {
    let node = Arc::clone(&server.node);
    let happening = std::thread::spawn(move || {
        while node.commands().is_empty() {
            std::thread::yield_now();
        }
        node.events.send(Event { number: 1, time_ms: 1, kind }).unwrap();
    });
    let answer = post(server, "resize", &json!({ "capacity_msat": 2_000_000_000_u64 }));
    happening.join().unwrap();
    answer
}
