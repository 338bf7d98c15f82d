//! What the peer may do with our HTLCs (docs/protocol.md section 3.5).

use steward_hosted::limits::{MAX_FAIL_REASON_BYTES, MAX_SETTLEMENT_TLV_BYTES};
use steward_hosted::{Command, Output};
use steward_htlc::{Failure, LinkEvent, LinkInput};
use steward_testkit::hosted::*;
use steward_wire::{
    Message, Signature, UpdateFailHtlc, UpdateFailMalformedHtlc, UpdateFulfillHtlc,
};

/// Alice has offered one HTLC that both signed; its id.
fn offered() -> (Pair, u64) {
    let mut pair = Pair::open();
    let id = pair.add_and_run(Alice, 1_000_000, 1);
    pair.clear();
    (pair, id)
}

fn fail(pair: &Pair, id: u64, reason: Vec<u8>) -> Message {
    let channel_id = pair.channel(Alice).channel_id();
    Message::UpdateFailHtlc(UpdateFailHtlc { channel_id, id, reason, tlvs: vec![] })
}

fn fulfill(pair: &Pair, id: u64) -> Message {
    let channel_id = pair.channel(Alice).channel_id();
    let preimage = preimage(1);
    Message::UpdateFulfillHtlc(UpdateFulfillHtlc { channel_id, id, preimage, tlvs: vec![] })
}

fn malformed(pair: &Pair, id: u64, failure_code: u16) -> Message {
    Message::UpdateFailMalformedHtlc(UpdateFailMalformedHtlc {
        channel_id: pair.channel(Alice).channel_id(),
        id,
        sha256_of_onion: [5; 32],
        failure_code,
        tlvs: vec![],
    })
}

type Forge = fn(&Pair, u64) -> Message;

#[test]
fn updates_that_break_the_rules_suspend_with_the_reason() {
    let cases: [(Forge, &str); 4] = [
        (|pair, id| fail(pair, id, vec![]), "empty fail reason from remote peer"),
        (|pair, id| fail(pair, id + 9, vec![1]), "fail of an unknown HTLC"),
        (|pair, id| fulfill(pair, id + 9), "fulfill of an unknown HTLC"),
        (|pair, id| malformed(pair, id, 0x4000 | 5), "malformed failure without BADONION"),
    ];
    for (message, why) in cases {
        let (mut pair, id) = offered();
        let message = message(&pair, id);
        pair.give(Alice, LinkInput::Message(message));
        assert_eq!(pair.assert_suspended(Alice, true, None).text, why);
        assert!(pair.events(Alice).iter().any(|event| matches!(event, Output::Evidence(_))));
        assert_eq!(pair.unresolved(Alice), 1);
    }
}

#[test]
fn a_malformed_failure_is_reported_as_one_once_it_is_signed() {
    let (mut pair, id) = offered();
    let failure = Failure::Malformed { sha256_of_onion: [5; 32], failure_code: 0xc005 };
    pair.give(Bob, LinkInput::Fail { id, failure: failure.clone() });
    pair.deliver_named(Bob, "UpdateFailMalformedHtlc");
    assert_eq!(pair.events(Alice), [], "not before both signed its removal");
    pair.run();
    assert_eq!(pair.events(Alice), [Output::Link(LinkEvent::HtlcFailed { id, failure })]);
}

#[test]
fn a_preimage_counts_even_after_a_fail() {
    let (mut pair, id) = offered();
    let (fail, fulfill) = (fail(&pair, id, vec![1]), fulfill(&pair, id));
    pair.give(Alice, LinkInput::Message(fail));
    pair.give(Alice, LinkInput::Message(fulfill));
    assert_eq!(fulfilled(&pair.events(Alice)), [id]);
    pair.assert_suspended(Alice, true, None);
}

#[test]
fn failures_too_long_to_be_honest_are_cut_without_harm() {
    let (mut pair, id) = offered();
    let failure = Failure::Reason {
        reason: vec![1; MAX_FAIL_REASON_BYTES + 1],
        tlvs: vec![0; MAX_SETTLEMENT_TLV_BYTES + 1],
    };
    pair.give(Bob, LinkInput::Fail { id, failure });
    pair.run();
    let failure = Failure::Reason { reason: vec![1; MAX_FAIL_REASON_BYTES], tlvs: vec![] };
    assert_eq!(pair.events(Alice), [Output::Link(LinkEvent::HtlcFailed { id, failure })]);
    pair.assert_in_agreement();
}

#[test]
fn the_peers_failure_tlvs_come_through() {
    let (mut pair, id) = offered();
    let failure = Failure::Reason { reason: vec![1; 292], tlvs: vec![1, 2, 7, 7] };
    pair.give(Bob, LinkInput::Fail { id, failure: failure.clone() });
    pair.run();
    assert_eq!(pair.events(Alice), [Output::Link(LinkEvent::HtlcFailed { id, failure })]);
}

#[test]
fn a_settlement_repeated_after_a_reconnection_counts_once() {
    let (mut pair, id) = offered();
    pair.fulfill(Bob, id, 1);
    pair.deliver_named(Bob, "UpdateFulfillHtlc");
    for _ in 0..3 {
        pair.reconnect();
        for _ in 0..3 {
            pair.deliver(Bob);
            pair.deliver(Alice);
        }
    }
    pair.run();
    assert_eq!(fulfilled(&pair.events(Alice)), [id]);
    pair.assert_in_agreement();
    assert_eq!(pair.balances(Bob).0, 1_000_000);
}

#[test]
fn a_suspended_host_stays_silent_until_the_client_speaks() {
    let mut pair = Pair::funded(5_000_000);
    let id = pair.add_and_run(Bob, 1_000_000, 2);
    pair.disconnect();
    pair.command(Alice, Command::Suspend);
    pair.clear();
    pair.connected = true;
    pair.give(Alice, LinkInput::Connected);
    pair.fulfill(Alice, id, 2);
    pair.command(Alice, Command::ProposeOverride { local_balance_msat: 5 });
    assert!(pair.sent.is_empty(), "the client's framing is not known yet");
    pair.give(Bob, LinkInput::Connected);
    pair.run();
    assert_eq!(fulfilled(&pair.events(Bob)), [id]);
    assert!(pair.channel(Bob).pending_override().is_some());
}

#[test]
fn a_fulfill_is_repeated_even_if_comparing_states_suspends() {
    let (mut pair, id) = offered();
    pair.fulfill(Bob, id, 1);
    pair.reconnect();
    pair.deliver_named(Bob, "InvokeHostedChannel");
    let Message::LastCrossSignedState(mut shown) = pair.lose(Alice) else { panic!() };
    shown.local_sig_of_remote = Signature([7; 64]);
    pair.clear();
    pair.give(Bob, LinkInput::Message(Message::LastCrossSignedState(shown)));
    pair.assert_suspended(Bob, true, Some(3));
    assert_eq!(pair.sent_by(Bob), ["Error", "UpdateFulfillHtlc"]);
}

#[test]
fn a_fulfill_is_repeated_even_if_an_operator_suspends_before_states_are_compared() {
    let (mut pair, id) = offered();
    pair.fulfill(Bob, id, 1);
    pair.reconnect();
    pair.deliver_named(Bob, "InvokeHostedChannel");
    pair.deliver_named(Alice, "LastCrossSignedState");
    pair.reconnect();
    pair.deliver_named(Bob, "InvokeHostedChannel");
    pair.clear();
    pair.command(Bob, Command::Suspend);
    assert_eq!(pair.sent_by(Bob), ["Error", "UpdateFulfillHtlc"]);
}

#[test]
fn of_a_peers_unsigned_updates_only_fulfills_outlive_a_suspension() {
    let mut pair = Pair::funded(5_000_000);
    let of_bob = pair.add_and_run(Bob, 1_000_000, 1);
    pair.eager = false;
    pair.fulfill(Alice, of_bob, 1);
    pair.add(Alice, 1_100_000, 2);
    pair.flush(Alice);
    pair.deliver_named(Alice, "UpdateFulfillHtlc");
    pair.deliver_named(Alice, "UpdateAddHtlc");
    assert_eq!(pair.channel(Bob).unsigned_updates(), (0, 2));
    pair.command(Bob, Command::Suspend);
    assert_eq!(pair.channel(Bob).unsigned_updates(), (0, 1));
    assert_eq!(pair.channel(Bob).summary().incoming_htlcs, 0);
    assert_eq!(fulfilled(&pair.events(Bob)), [of_bob]);
}
