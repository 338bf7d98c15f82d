//! Normal operation: the eclair plugin's HCNormalSpec (docs/protocol.md section 8.4). Where our rules differ on
//! purpose, the test asserts ours and says why.

use steward_hosted::limits::PUBLISHED_GRACE_BLOCKS;
use steward_hosted::{Command, Output, Phase};
use steward_htlc::{DropCause, LinkEvent, LinkInput};
use steward_testkit::hosted::*;
use steward_wire::{Message, UpdateFailHtlc};

fn external_fulfill(pair: &mut Pair, side: Side, id: u64, seed: u64) -> Vec<Output> {
    pair.give(side, LinkInput::ExternalFulfill { id, preimage: preimage(seed) })
}

#[test]
fn line_20_a_revealed_preimage_at_risk_is_reported_once() {
    let mut pair = Pair::open();
    let id = pair.add_and_run(Alice, 1_000_000, 1);
    pair.fulfill(Bob, id, 1);
    pair.clear();
    pair.set_height_of(Bob, HEIGHT + 36);
    assert_eq!(pair.events(Bob), []);
    pair.set_height_of(Bob, HEIGHT + 37);
    let cltv_expiry = HEIGHT + CLTV_DELTA;
    let preimage = preimage(1);
    assert_eq!(pair.events(Bob), [Output::PreimageAtRisk { id, preimage, cltv_expiry }]);
    pair.set_height_of(Bob, HEIGHT + 38);
    assert_eq!(pair.events(Bob), []);
}

/// The height at which a peer that has not fulfilled is not waited for any longer.
const LATE: u32 = HEIGHT + CLTV_DELTA - PUBLISHED_GRACE_BLOCKS;

/// E suspends at once; an innocent peer needs a moment to learn the preimage itself.
#[test]
fn line_42_a_preimage_seen_on_chain_settles_once_and_suspends_before_the_expiry() {
    let mut pair = Pair::open();
    let first = pair.add_and_run(Alice, 1_000_000, 1);
    let second = pair.add_and_run(Alice, 2_000_000, 2);
    pair.clear();
    external_fulfill(&mut pair, Alice, first, 1);
    assert_eq!(fulfilled(&pair.events(Alice)), [first]);
    assert_eq!(external_fulfill(&mut pair, Alice, first, 1), []);
    pair.set_height_of(Alice, LATE - 1);
    assert_eq!(pair.phases(), (Phase::Active, Phase::Active));
    pair.restart(Alice);
    pair.clear();
    pair.reconnect();
    pair.run();
    pair.set_height_of(Alice, LATE);
    pair.assert_suspended(Alice, true, Some(6));
    external_fulfill(&mut pair, Alice, second, 2);
    assert_eq!(fulfilled(&pair.events(Alice)), [second]);
    assert_eq!(pair.errors_sent(Alice), ["0006"]);
    assert_eq!(pair.unresolved(Alice), 0);
}

#[test]
fn line_70_an_external_fulfill_suspends_both_if_the_peer_stays_silent() {
    let mut pair = Pair::open();
    let id = pair.add_and_run(Alice, 1_000_000, 1);
    external_fulfill(&mut pair, Alice, id, 1);
    pair.set_height_of(Alice, LATE);
    pair.run();
    pair.assert_suspended(Alice, true, Some(6));
    pair.assert_suspended(Bob, false, Some(6));
}

/// The peer has fulfilled in time; that its signature got lost is not its fault.
#[test]
fn a_fulfill_after_the_preimage_was_published_counts_before_it_is_signed() {
    let mut pair = Pair::open();
    let id = pair.add_and_run(Alice, 1_000_000, 1);
    external_fulfill(&mut pair, Alice, id, 1);
    pair.clear();
    pair.fulfill(Bob, id, 1);
    pair.deliver_named(Bob, "UpdateFulfillHtlc");
    pair.restart(Alice);
    pair.set_height_of(Alice, LATE);
    assert_eq!(pair.channel(Alice).phase(), Phase::Offline);
    assert!(fulfilled(&pair.events(Alice)).is_empty(), "settled once");
}

#[test]
fn a_peer_that_fulfills_after_its_preimage_was_published_is_not_suspended() {
    let mut pair = Pair::open();
    let id = pair.add_and_run(Alice, 1_000_000, 1);
    external_fulfill(&mut pair, Alice, id, 1);
    assert_eq!(fulfilled(&pair.events(Alice)), [id]);
    pair.clear();
    pair.fulfill(Bob, id, 1);
    pair.run();
    assert!(fulfilled(&pair.events(Alice)).is_empty(), "settled once");
    pair.set_height_of(Alice, LATE + 1);
    pair.assert_in_agreement();
    assert_eq!(pair.balances(Bob).0, 1_000_000);
}

/// A stranger who published the preimage of a part that its payee cannot use must not harm the
/// payee.
#[test]
fn a_peer_that_fails_an_htlc_whose_preimage_a_stranger_published_is_not_suspended() {
    let mut pair = Pair::open();
    let id = pair.add_and_run(Alice, 1_000_000, 1);
    external_fulfill(&mut pair, Alice, id, 1);
    pair.clear();
    pair.fail(Bob, id);
    pair.run();
    pair.set_height_of(Alice, LATE + 1);
    pair.assert_in_agreement();
    assert!(
        !pair
            .events(Alice)
            .iter()
            .any(|event| matches!(event, Output::Link(LinkEvent::HtlcFailed { .. })))
    );
    assert!(!pair.channel(Alice).has_htlcs());
}

#[test]
fn line_86_and_118_an_external_fulfill_counts_while_offline() {
    let mut pair = Pair::funded(5_000_000);
    let of_alice = pair.add_and_run(Alice, 1_000_000, 1);
    let of_bob = pair.add_and_run(Bob, 2_000_000, 2);
    pair.disconnect();
    pair.clear();
    external_fulfill(&mut pair, Alice, of_alice, 1);
    external_fulfill(&mut pair, Bob, of_bob, 2);
    assert_eq!(fulfilled(&pair.events(Alice)), [of_alice]);
    assert_eq!(fulfilled(&pair.events(Bob)), [of_bob]);
    assert!(pair.sent.is_empty());
    pair.set_height_of(Alice, LATE);
    pair.set_height_of(Bob, LATE);
    pair.connect();
    pair.run();
    // Each found its own error and heard the other's; our own is the reason given.
    pair.assert_suspended(Alice, true, Some(6));
    pair.assert_suspended(Bob, true, Some(6));
}

#[test]
fn line_138_payments_in_both_directions() {
    let mut pair = Pair::open();
    for seed in 0..3 {
        pair.pay(Alice, 500_000, seed);
        pair.pay(Bob, 100_000, 10 + seed);
    }
    pair.assert_in_agreement();
    assert_eq!(pair.balances(Bob), (1_200_000, CAPACITY_MSAT - 1_200_000));
    assert!(!pair.channel(Alice).has_htlcs() && !pair.channel(Bob).has_htlcs());
}

#[test]
fn line_153_crossing_payments_fulfilled_in_reverse_order() {
    let mut pair = Pair::funded(200_000);
    let of_alice = pair.add(Alice, 100_000, 1).unwrap();
    let of_bob = pair.add(Bob, 150_000, 2).unwrap();
    pair.run();
    pair.fulfill(Alice, of_bob, 2);
    pair.fulfill(Bob, of_alice, 1);
    pair.run();
    pair.assert_in_agreement();
    assert_eq!(pair.balances(Bob).0, 150_000);
    assert!(!pair.channel(Alice).has_htlcs());
}

#[test]
fn line_173_a_state_update_that_misses_our_update_is_answered_not_adopted() {
    let mut pair = Pair::funded(200_000);
    pair.add(Alice, 100_000, 1);
    pair.add(Bob, 150_000, 2);
    pair.deliver_named(Alice, "UpdateAddHtlc");
    pair.deliver_named(Alice, "StateUpdate");
    assert!(incoming(&pair.events(Bob)).is_empty());
    assert_eq!(pair.on_wire(Bob), ["UpdateAddHtlc", "StateUpdate", "StateUpdate"]);
    pair.deliver_named(Bob, "UpdateAddHtlc");
    pair.deliver_named(Bob, "StateUpdate");
    assert!(incoming(&pair.events(Alice)).is_empty(), "Bob had not seen Alice's add");
    assert_eq!(pair.on_wire(Alice), ["StateUpdate"]);
    pair.deliver_named(Bob, "StateUpdate");
    assert_eq!(incoming(&pair.events(Alice)).len(), 1);
    pair.deliver_named(Alice, "StateUpdate");
    assert_eq!(incoming(&pair.events(Bob)).len(), 1);
    // E answers once more each way; a state_update identical to the last one is not sent again.
    assert!(pair.on_wire(Alice).is_empty() && pair.on_wire(Bob).is_empty());
    pair.assert_in_agreement();
}

#[test]
fn line_227_three_htlcs_each_way_with_interleaved_state_updates() {
    let mut pair = Pair::funded(200_000);
    for seed in 1..=3 {
        pair.add(Alice, 100_000, seed);
        pair.add(Bob, 10_000, 10 + seed);
        pair.deliver(Alice);
        pair.deliver(Bob);
    }
    pair.run();
    // We send the second and third add only after the first is signed (coalescing), E at once.
    let (of_bob, of_alice) = (incoming(&pair.events(Alice)), incoming(&pair.events(Bob)));
    assert_eq!((of_bob.len(), of_alice.len()), (3, 3));
    assert_eq!(pair.state(Alice).incoming_htlcs.len(), 3);
    for (index, seed) in (1..=3).enumerate() {
        pair.fulfill(Bob, of_alice[index], seed);
        if seed > 1 {
            pair.fulfill(Alice, of_bob[index], 10 + seed);
        } else {
            pair.fail(Alice, of_bob[index]);
        }
    }
    pair.run();
    pair.assert_in_agreement();
    assert_eq!(pair.balances(Bob).0, 200_000 + 300_000 - 20_000);
    assert!(!pair.channel(Alice).has_htlcs() && !pair.channel(Bob).has_htlcs());
}

#[test]
fn line_338_of_a_suspended_channel_only_fulfills_and_time_outs_count() {
    let mut pair = Pair::open();
    let ids: Vec<u64> = (1..=4).map(|seed| pair.add_and_run(Alice, 25_000, seed)).collect();
    // A fail without its signature counts in the next state, and is forgotten on the error.
    pair.fail(Bob, ids[0]);
    pair.deliver_named(Bob, "UpdateFailHtlc");
    assert_eq!(pair.channel(Alice).summary().outgoing_htlcs, 3);
    pair.lose(Bob);
    pair.command(Bob, Command::Suspend);
    pair.run();
    pair.assert_suspended(Alice, false, Some(8));
    assert_eq!(pair.channel(Alice).summary().outgoing_htlcs, 4);
    pair.clear();

    let (reason, channel_id) = (vec![1], pair.channel(Alice).channel_id());
    let fail = UpdateFailHtlc { channel_id, id: ids[1], reason, tlvs: vec![] };
    pair.give(Alice, LinkInput::Message(Message::UpdateFailHtlc(fail)));
    assert_eq!(pair.unresolved(Alice), 4);

    pair.fulfill(Bob, ids[2], 3);
    pair.run();
    assert_eq!(fulfilled(&pair.events(Alice)), [ids[2]]);
    assert_eq!(pair.unresolved(Alice), 3);

    pair.set_height_of(Alice, HEIGHT + CLTV_DELTA);
    assert!(dropped(&pair.events(Alice)).is_empty());
    pair.set_height_of(Alice, HEIGHT + CLTV_DELTA + 1);
    assert_eq!(dropped(&pair.events(Alice)), [ids[0], ids[1], ids[3]]);
    assert_eq!(pair.phases().0, Phase::Suspended);
}

#[test]
fn line_371_htlcs_time_out_one_by_one_online_and_offline() {
    let mut pair = Pair::open();
    let mut ids = Vec::new();
    for (seed, expiry) in [(1, 50), (2, 60), (3, 70)] {
        let mut htlc = pair.new_htlc(Alice, 10_000, seed);
        htlc.cltv_expiry = HEIGHT + expiry;
        pair.give(Alice, LinkInput::Add(htlc));
        pair.run();
        ids.push(pair.state(Alice).outgoing_htlcs.last().unwrap().id);
    }
    pair.clear();
    pair.set_height_of(Alice, HEIGHT + 51);
    assert_eq!(dropped(&pair.events(Alice)), [ids[0]]);
    pair.assert_suspended(Alice, true, Some(5));
    pair.disconnect();
    pair.set_height_of(Alice, HEIGHT + 61);
    assert_eq!(dropped(&pair.events(Alice)), [ids[1]]);
    pair.restart(Alice);
    pair.set_height_of(Alice, HEIGHT + 61);
    assert_eq!(pair.events(Alice), [], "a time-out survives a restart");
    pair.connect();
    pair.run();
    pair.assert_suspended(Bob, false, Some(5));
    pair.set_height_of(Alice, HEIGHT + 71);
    let cause = DropCause::Expired;
    assert_eq!(
        pair.events(Alice).last(),
        Some(&Output::Link(LinkEvent::HtlcDropped { id: ids[2], cause }))
    );
    assert_eq!(pair.unresolved(Alice), 0);
}

#[test]
fn line_400_a_fulfill_before_cross_signing_settles_at_once() {
    let mut pair = Pair::open();
    let id = pair.add(Alice, 1_000_000, 1).unwrap();
    pair.deliver_named(Alice, "UpdateAddHtlc");
    pair.deliver_named(Alice, "StateUpdate");
    // Bob has signed; his signature is overtaken by a fulfill.
    let signature = pair.lose(Bob);
    pair.fulfill(Bob, id, 1);
    pair.deliver_named(Bob, "UpdateFulfillHtlc");
    assert_eq!(fulfilled(&pair.events(Alice)), [id]);
    // E suspends over the outdated state_update; we compare states first (section 9.1, 11).
    let outputs = pair.give(Alice, LinkInput::Message(signature));
    assert!(matches!(
        outputs[..],
        [Output::Link(LinkEvent::Inactive), Output::Link(LinkEvent::Reconnect(_))]
    ));
    pair.reconnect();
    pair.run();
    pair.assert_in_agreement();
    assert!(!pair.channel(Alice).has_htlcs());
    assert!(fulfilled(&pair.events(Alice)).is_empty(), "settled once");
}

#[test]
fn line_427_a_wrong_preimage_suspends_and_the_htlc_stays() {
    let mut pair = Pair::open();
    let id = pair.add_and_run(Alice, 1_000_000, 1);
    assert_eq!(pair.fulfill(Bob, id, 2), [], "we never send a wrong one ourselves");
    let wrong = steward_wire::UpdateFulfillHtlc {
        channel_id: pair.channel(Alice).channel_id(),
        id,
        preimage: preimage(2),
        tlvs: vec![],
    };
    pair.give(Alice, LinkInput::Message(Message::UpdateFulfillHtlc(wrong)));
    pair.assert_suspended(Alice, true, None);
    assert_eq!(pair.unresolved(Alice), 1);
}

#[test]
fn line_438_after_a_manual_suspend_fulfills_work_both_ways_and_fails_do_not() {
    let mut pair = Pair::funded(5_000_000);
    let of_alice = pair.add_and_run(Alice, 1_000_000, 1);
    let of_bob = [2, 3].map(|seed| pair.add_and_run(Bob, 1_000_000, seed));
    pair.command(Alice, Command::Suspend);
    pair.run();
    pair.assert_suspended(Alice, true, Some(8));
    pair.assert_suspended(Bob, false, Some(8));
    pair.clear();
    pair.fulfill(Bob, of_alice, 1);
    pair.fulfill(Alice, of_bob[0], 2);
    // E records and sends the fail, which the peer ignores; we keep it back.
    pair.fail(Alice, of_bob[1]);
    pair.run();
    assert_eq!(pair.sent_by(Alice), ["UpdateFulfillHtlc"]);
    assert_eq!(fulfilled(&pair.events(Alice)), [of_alice]);
    assert_eq!(fulfilled(&pair.events(Bob)), [of_bob[0]]);
    pair.set_height_of(Bob, HEIGHT + CLTV_DELTA + 1);
    assert_eq!(dropped(&pair.events(Bob)), [of_bob[1]]);
    assert_eq!(pair.errors_sent(Bob), ["0005"]);
}
