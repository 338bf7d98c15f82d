//! Opening a channel: E's HCEstablishmentSpec (protocol.md section 8.4), and our own rules.

mod common;

use common::*;
use steward_channel::{Input, Output, Phase};
use steward_wire::Message;

#[test]
fn line_17_both_sides_reach_the_same_first_state() {
    let mut pair = Pair::default();
    pair.connect();
    pair.run();
    assert_eq!(pair.phases(), (Phase::Active, Phase::Active));
    assert_eq!(pair.sent_by(Bob), ["InvokeHostedChannel", "StateUpdate"]);
    assert_eq!(pair.sent_by(Alice), ["InitHostedChannel", "StateUpdate"]);
    assert!(pair.state(Alice).is_host && !pair.state(Bob).is_host);
    pair.assert_in_agreement();
    for side in [Alice, Bob] {
        assert_eq!(pair.events(side), [Output::Opened, Output::Active]);
    }
}

#[test]
fn line_115_a_reconnection_exchanges_states_and_resumes() {
    let mut pair = Pair::open();
    pair.disconnect();
    assert_eq!(pair.phases(), (Phase::Offline, Phase::Offline));
    assert_eq!(pair.events(Alice), [Output::Inactive]);
    assert_eq!(pair.events(Bob), [Output::Inactive]);
    pair.connect();
    pair.run();
    assert_eq!(pair.sent_by(Bob), ["InvokeHostedChannel", "LastCrossSignedState"]);
    assert_eq!(pair.sent_by(Alice), ["LastCrossSignedState", "LastCrossSignedState"]);
    assert_eq!(pair.phases(), (Phase::Active, Phase::Active));
    assert!(matches!(&pair.sent[0].1, Message::InvokeHostedChannel(m) if m.secret.is_empty()));
    assert_eq!(pair.events(Alice), [Output::Active]);
    let _ = Input::Tick;
}

#[test]
fn smoke_payment_both_ways() {
    let mut pair = Pair::open();
    let id = pair.add_and_run(Alice, 1_000_000, 1);
    assert_eq!(pair.sent_by(Alice), ["UpdateAddHtlc", "StateUpdate"]);
    assert_eq!(pair.sent_by(Bob), ["StateUpdate"]);
    assert_eq!(incoming(&pair.events(Bob)), [id]);
    pair.fulfil(Bob, id, 1);
    pair.run();
    assert_eq!(fulfilled(&pair.events(Alice)), [id]);
    pair.assert_in_agreement();
    assert_eq!(pair.balances(Bob).0, 1_000_000);
    pair.restart(Bob);
    pair.connect();
    pair.run();
    pair.assert_in_agreement();
    let id = pair.add_and_run(Bob, 600_000, 2);
    pair.fail(Alice, id);
    pair.run();
    assert_eq!(failed(&pair.events(Bob)), [id]);
    pair.assert_in_agreement();
}
