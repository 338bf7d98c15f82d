//! Own updates share signatures: at most one own `state_update` unacknowledged, and none that
//! says nothing new (docs/design.md sections 3 and 11).

use steward_hosted::Output;
use steward_htlc::{Failure, LinkEvent, LinkInput};
use steward_testkit::hosted::*;
use steward_wire::Message;

fn count(names: &[&str], name: &str) -> usize {
    names.iter().filter(|sent| **sent == name).count()
}

#[test]
fn a_batch_goes_out_under_one_signature_settlements_first() {
    let mut pair = Pair::funded(500_000);
    let ids = [1, 2].map(|seed| pair.add_and_run(Alice, 10_000, seed));
    pair.clear();
    pair.eager = false;
    let htlc = pair.new_htlc(Bob, 5_000, 3);
    pair.give(Bob, LinkInput::Add(htlc));
    pair.fulfill(Bob, ids[0], 1);
    pair.fail(Bob, ids[1]);
    assert!(pair.sent.is_empty(), "nothing leaves before the flush");
    pair.flush(Bob);
    assert_eq!(
        pair.sent_by(Bob),
        ["UpdateFulfillHtlc", "UpdateFailHtlc", "UpdateAddHtlc", "StateUpdate"]
    );
    pair.run();
    pair.assert_in_agreement();
}

#[test]
fn updates_wait_while_a_signature_is_unanswered_and_go_together() {
    let mut pair = Pair::open();
    assert!(pair.add(Alice, 1_000, 1).is_some());
    for seed in 2..=10 {
        assert_eq!(pair.add(Alice, 1_000, seed), None);
    }
    pair.run();
    assert_eq!(count(&pair.sent_by(Alice), "UpdateAddHtlc"), 10);
    // The first SU; the second, which also answers Bob's; nothing more.
    assert_eq!(count(&pair.sent_by(Alice), "StateUpdate"), 2);
    assert_eq!(count(&pair.sent_by(Bob), "StateUpdate"), 2);
    assert_eq!(incoming(&pair.events(Bob)).len(), 10);
}

#[test]
fn a_reply_and_own_updates_share_one_signature() {
    let mut pair = Pair::funded(500_000);
    pair.eager = false;
    let htlc = pair.new_htlc(Alice, 1_000, 1);
    pair.handle(Alice, LinkInput::Add(htlc));
    pair.flush(Alice);
    pair.deliver_named(Alice, "UpdateAddHtlc");
    pair.deliver_named(Alice, "StateUpdate");
    let id = incoming(&pair.events(Bob))[0];
    pair.fulfill(Bob, id, 1);
    pair.flush(Bob);
    assert_eq!(pair.sent_by(Bob), ["UpdateFulfillHtlc", "StateUpdate"]);
    pair.eager = true;
    pair.run();
    // One round trip and a half for the whole payment: Alice's add and signature, Bob's fulfill
    // and signature, Alice's signature.
    assert_eq!(count(&pair.sent_by(Alice), "StateUpdate"), 2);
    assert_eq!(count(&pair.sent_by(Bob), "StateUpdate"), 1);
    pair.assert_in_agreement();
}

#[test]
fn a_state_whose_reply_was_skipped_can_still_be_shown() {
    let mut pair = Pair::funded(500_000);
    pair.eager = false;
    let htlc = pair.new_htlc(Alice, 1_000, 1);
    pair.handle(Alice, LinkInput::Add(htlc));
    pair.flush(Alice);
    pair.deliver(Alice);
    pair.deliver(Alice);
    let id = incoming(&pair.events(Bob))[0];
    pair.fulfill(Bob, id, 1);
    pair.flush(Bob); // Bob's signature covers his fulfill only.
    pair.eager = true;
    pair.restart(Bob);
    pair.connect();
    pair.run();
    assert_eq!(fulfilled(&pair.events(Alice)), [id]);
    pair.assert_in_agreement();
}

#[test]
fn handle_alone_never_signs_in_normal_operation() {
    let mut pair = Pair::open();
    pair.add(Alice, 1_000, 1);
    pair.eager = false;
    pair.deliver(Alice);
    pair.deliver(Alice);
    assert!(pair.sent_by(Bob).is_empty());
    pair.flush(Bob);
    assert_eq!(pair.sent_by(Bob), ["StateUpdate"]);
}

#[test]
fn settlements_are_idempotent_and_a_fail_never_overtakes_a_fulfill() {
    let mut pair = Pair::open();
    let id = pair.add_and_run(Alice, 1_000, 1);
    pair.clear();
    pair.eager = false;
    let failure = Failure::Reason { reason: vec![1], tlvs: vec![] };
    pair.give(Bob, LinkInput::Fail { id, failure: failure.clone() });
    pair.fulfill(Bob, id, 1);
    pair.give(Bob, LinkInput::Fail { id, failure });
    pair.flush(Bob);
    assert_eq!(pair.sent_by(Bob), ["UpdateFulfillHtlc", "StateUpdate"]);
    let recorded = Output::Link(LinkEvent::SettlementRecorded { id });
    assert_eq!(pair.fulfill(Bob, id, 1), std::slice::from_ref(&recorded));
    pair.eager = true;
    pair.run();
    assert_eq!(pair.fulfill(Bob, id, 1), [recorded], "an HTLC that is gone needs no settlement");
}

#[test]
fn what_we_sign_of_the_peers_is_durable_before_the_signature_leaves() {
    let mut pair = Pair::open();
    pair.eager = false;
    let htlc = pair.new_htlc(Alice, 1_000, 1);
    pair.handle(Alice, LinkInput::Add(htlc));
    pair.flush(Alice);
    let Message::UpdateAddHtlc(mut second) = pair.alice.wire[0].clone() else { panic!() };
    second.id += 1;
    pair.deliver_named(Alice, "UpdateAddHtlc");
    pair.deliver_named(Alice, "StateUpdate");
    // E does not wait for the answer with its next add, and ours covers that one as well.
    let outputs = pair.give(Bob, LinkInput::Message(Message::UpdateAddHtlc(second)));
    assert_eq!(outputs, [], "an unsigned add alone need not be durable");
    let outputs = pair.flush(Bob);
    assert!(matches!(
        outputs[..],
        [Output::Link(LinkEvent::Send(Message::StateUpdate(_))), Output::Link(LinkEvent::Changed)]
    ));
}
