//! Comparing states, with the mends of docs/protocol.md section 9.1: what is only a race is repaired,
//! what cannot be explained is kept and decided by people.

use steward_hosted::limits::{ANSWER_TIMEOUT_MS, MAX_BAD_SIGNATURES};
use steward_hosted::{Output, Phase};
use steward_htlc::{DropCause, LinkEvent, LinkInput};
use steward_testkit::hosted::*;
use steward_wire::{InitHostedChannel, LastCrossSignedState, Message, Signature, StateUpdate};

fn has_evidence(events: &[Output]) -> bool {
    events.iter().any(|event| matches!(event, Output::Evidence(_)))
}

/// Both sign `state`, given from `holder`'s side; the copy `holder` would send.
fn signed_by_both(
    pair: &mut Pair,
    holder: Side,
    state: &LastCrossSignedState,
) -> LastCrossSignedState {
    let (own, other) = (pair.node(holder).key, pair.node(holder.other()).key);
    let mut state = state.clone();
    state.local_sig_of_remote = state.sign_remote(&own);
    state.remote_sig_of_local = state.reverse().sign_remote(&other);
    state
}

/// Connects, and lets `from` show `state` instead of its own.
fn show(pair: &mut Pair, from: Side, state: LastCrossSignedState) -> Vec<Output> {
    pair.disconnect();
    pair.clear();
    pair.connect();
    pair.deliver_named(Bob, "InvokeHostedChannel");
    pair.give(from.other(), LinkInput::Message(Message::LastCrossSignedState(state)))
}

#[test]
fn catching_up_changes_no_terms() {
    let terms = InitHostedChannel { max_htlc_value_in_flight_msat: 1_000_000_000, ..offer() };
    let mut pair = Pair::open_with(terms.clone());
    pair.add(Alice, 1_000_000, 1);
    pair.deliver_named(Alice, "UpdateAddHtlc");
    pair.deliver_named(Alice, "StateUpdate");
    pair.lose(Bob);
    pair.reconnect();
    pair.run();
    pair.assert_in_agreement();
    for side in [Alice, Bob] {
        assert_eq!(pair.state(side).init_hosted_channel, terms, "{side:?}");
    }
}

#[test]
fn equal_counters_with_another_content_suspend_and_change_nothing() {
    for from in [Alice, Bob] {
        let mut pair = Pair::funded(500_000);
        let before = pair.state(from.other()).clone();
        let mut other = pair.state(from).clone();
        other.local_balance_msat -= 1;
        other.remote_balance_msat += 1;
        let other = signed_by_both(&mut pair, from, &other);
        show(&mut pair, from, other);
        pair.assert_suspended(from.other(), true, Some(10));
        assert!(has_evidence(&pair.events(from.other())));
        assert_eq!(pair.state(from.other()), &before);
    }
}

#[test]
fn counters_ahead_and_behind_at_once_are_a_divergence() {
    let mut pair = Pair::funded(500_000);
    let mut other = pair.state(Alice).clone();
    other.local_updates += 1;
    other.remote_updates -= 1;
    let other = signed_by_both(&mut pair, Alice, &other);
    show(&mut pair, Alice, other);
    pair.assert_suspended(Bob, true, Some(10));
    assert!(has_evidence(&pair.events(Bob)));
}

#[test]
fn a_host_never_takes_over_a_newer_state_it_cannot_reproduce() {
    let mut pair = Pair::funded(500_000);
    let before = pair.state(Alice).clone();
    let mut newer = pair.state(Bob).clone();
    newer.local_updates += 3;
    newer.local_balance_msat += 5;
    newer.remote_balance_msat -= 5;
    let newer = signed_by_both(&mut pair, Bob, &newer);
    show(&mut pair, Bob, newer);
    pair.assert_suspended(Alice, true, Some(10));
    assert!(has_evidence(&pair.events(Alice)));
    assert_eq!(pair.state(Alice), &before);
}

#[test]
fn a_client_with_an_old_backup_takes_the_hosts_newer_state() {
    let mut pair = Pair::funded(500_000);
    let of_bob = pair.add_and_run(Bob, 100_000, 1);
    let still_there = pair.add_and_run(Alice, 7_000, 2);
    let backup = pair.bob.disk.clone();
    pair.fail(Alice, of_bob);
    pair.run();
    let new = pair.add_and_run(Alice, 50_000, 3);
    pair.bob.disk = backup;
    pair.restart(Bob);
    pair.clear();
    pair.connect();
    pair.run();
    let events = pair.events(Bob);
    assert!(events.contains(&Output::Link(LinkEvent::HtlcDropped {
        id: of_bob,
        cause: DropCause::NewerState
    })));
    assert_eq!(incoming(&events), [new], "the other one is in the backup");
    pair.assert_in_agreement();
    for (id, seed) in [(still_there, 2), (new, 3)] {
        pair.fulfill(Bob, id, seed);
    }
    pair.run();
    pair.assert_in_agreement();
    assert_eq!(pair.balances(Bob).0, 557_000);
}

#[test]
fn a_state_that_does_not_add_up_is_not_taken_even_by_a_client() {
    let mut pair = Pair::funded(500_000);
    let mut newer = pair.state(Alice).clone();
    newer.local_updates += 1;
    newer.remote_balance_msat -= 1;
    let newer = signed_by_both(&mut pair, Alice, &newer);
    show(&mut pair, Alice, newer);
    pair.assert_suspended(Bob, true, Some(10));
}

#[test]
fn wrong_signatures_in_a_state_are_told_apart() {
    for (code, spoil) in [
        (
            3,
            (|state| state.local_sig_of_remote = Signature([1; 64]))
                as fn(&mut LastCrossSignedState),
        ),
        (2, |state| state.remote_sig_of_local = Signature([1; 64])),
    ] {
        let mut pair = Pair::funded(500_000);
        let key = pair.alice.key;
        let mut state = pair.channel(Alice).export(&key).unwrap();
        spoil(&mut state);
        show(&mut pair, Alice, state);
        pair.assert_suspended(Bob, true, Some(code));
    }
}

#[test]
fn the_same_state_of_two_days_is_no_divergence() {
    for from in [Alice, Bob] {
        let mut pair = Pair::funded(500_000);
        let mut later = pair.state(from).clone();
        later.block_day += 1;
        let later = signed_by_both(&mut pair, from, &later);
        show(&mut pair, from, later.clone());
        assert_eq!(pair.state(from.other()), &later.reverse(), "the later day wins");
        assert_eq!(pair.channel(from.other()).phase(), Phase::Active);
    }
}

#[test]
fn updates_signed_on_either_side_of_a_days_end_settle() {
    let mut pair = Pair::funded(500_000);
    pair.set_height(HEIGHT / 144 * 144 + 143);
    pair.add(Alice, 1_000, 1);
    pair.set_height_of(Bob, HEIGHT / 144 * 144 + 144);
    pair.add(Bob, 2_000, 2);
    pair.run();
    pair.assert_in_agreement();
    assert_eq!(pair.state(Alice).incoming_htlcs.len(), 1);
    assert_eq!(pair.state(Bob).incoming_htlcs.len(), 1);
}

#[test]
fn a_signature_of_a_distant_day_never_suspends() {
    let mut pair = Pair::open();
    pair.set_height_of(Bob, HEIGHT + 300);
    pair.add(Alice, 1_000, 1);
    pair.run();
    assert!(matches!(pair.events(Bob).last(), Some(Output::Link(LinkEvent::Reconnect(_)))));
    assert_eq!(pair.phases().1, Phase::Syncing);
    // Alice sees the blocks she missed.
    pair.set_height_of(Alice, HEIGHT + 300);
    pair.reconnect();
    pair.run();
    pair.assert_in_agreement();
}

#[test]
fn an_unanswered_signature_is_renewed_after_the_days_end() {
    let mut pair = Pair::open();
    pair.set_height(HEIGHT / 144 * 144 + 143);
    pair.add(Alice, 1_000, 1);
    pair.clear();
    pair.set_height_of(Alice, HEIGHT / 144 * 144 + 144);
    assert_eq!(pair.sent_by(Alice), ["StateUpdate"]);
    pair.set_height_of(Alice, HEIGHT / 144 * 144 + 145);
    assert_eq!(pair.sent_by(Alice), ["StateUpdate"], "once a day is enough");
    pair.run();
    pair.assert_in_agreement();
}

#[test]
fn an_unanswered_signature_or_state_ends_in_a_reconnection() {
    let mut pair = Pair::open();
    pair.add(Alice, 1_000, 1);
    assert_eq!(pair.channel(Alice).deadline_ms(), Some(pair.now_ms + ANSWER_TIMEOUT_MS));
    pair.advance_ms(ANSWER_TIMEOUT_MS);
    assert!(matches!(pair.events(Alice).last(), Some(Output::Link(LinkEvent::Reconnect(_)))));

    pair.reconnect();
    pair.deliver_named(Bob, "InvokeHostedChannel");
    pair.advance_ms(ANSWER_TIMEOUT_MS);
    assert!(matches!(pair.events(Alice).last(), Some(Output::Link(LinkEvent::Reconnect(_)))));
}

#[test]
fn an_idle_channel_has_no_deadline() {
    let mut pair = Pair::funded(500_000);
    pair.add_and_run(Alice, 1_000, 1);
    assert_eq!(pair.channel(Alice).deadline_ms(), None);
    assert_eq!(pair.channel(Bob).deadline_ms(), None);
    assert!(pair.flush(Alice).is_empty() && pair.flush(Bob).is_empty());
}

fn bad_update(pair: &Pair) -> Message {
    let state = pair.state(Alice);
    Message::StateUpdate(StateUpdate {
        block_day: state.block_day + 1,
        local_updates: state.remote_updates,
        remote_updates: state.local_updates,
        local_sig_of_remote: Signature([1; 64]),
    })
}

#[test]
fn a_wrong_signature_suspends_only_after_reconnecting_did_not_help() {
    let mut pair = Pair::open();
    for _ in 0..MAX_BAD_SIGNATURES {
        let bad = bad_update(&pair);
        pair.give(Alice, LinkInput::Message(bad));
        assert!(matches!(pair.events(Alice).last(), Some(Output::Link(LinkEvent::Reconnect(_)))));
        pair.reconnect();
        pair.run();
        assert_eq!(pair.phases().0, Phase::Active);
    }
    let bad = bad_update(&pair);
    pair.give(Alice, LinkInput::Message(bad));
    pair.assert_suspended(Alice, true, Some(3));
    assert!(has_evidence(&pair.events(Alice)));
}

#[test]
fn a_good_signature_forgives_the_bad_ones() {
    let mut pair = Pair::open();
    for seed in 0..2 * u64::from(MAX_BAD_SIGNATURES) {
        let bad = bad_update(&pair);
        pair.give(Alice, LinkInput::Message(bad));
        pair.reconnect();
        pair.run();
        pair.pay(Alice, 1_000, seed);
    }
    pair.assert_in_agreement();
}

#[test]
fn a_signature_over_updates_we_never_saw_reconnects() {
    let mut pair = Pair::open();
    pair.add(Alice, 1_000, 1);
    pair.lose(Alice); // Cannot happen on an ordered transport; a peer may still do it.
    pair.deliver_named(Alice, "StateUpdate");
    assert!(matches!(pair.events(Bob).last(), Some(Output::Link(LinkEvent::Reconnect(_)))));
    pair.reconnect();
    pair.run();
    pair.assert_in_agreement();
    assert_eq!(pair.state(Bob).incoming_htlcs.len(), 1);
}

#[test]
fn a_fail_of_an_unsigned_add_reconnects_instead_of_suspending() {
    let mut pair = Pair::open();
    let id = pair.add(Alice, 1_000, 1).unwrap();
    pair.deliver(Alice);
    pair.deliver(Alice);
    pair.lose(Bob);
    pair.fail(Bob, id);
    pair.deliver_named(Bob, "UpdateFailHtlc");
    assert!(matches!(pair.events(Alice).last(), Some(Output::Link(LinkEvent::Reconnect(_)))));
    pair.reconnect();
    pair.run();
    assert_eq!(failed(&pair.events(Alice)), [id]);
    pair.assert_in_agreement();
}

#[test]
fn a_fail_after_a_fulfill_is_refused_and_kept() {
    let mut pair = Pair::open();
    let id = pair.add_and_run(Alice, 1_000, 1);
    let backup = pair.bob.disk.clone();
    pair.fulfill(Bob, id, 1);
    pair.deliver_named(Bob, "UpdateFulfillHtlc");
    assert_eq!(fulfilled(&pair.events(Alice)), [id]);
    pair.bob.disk = backup; // Bob forgets what he has shown.
    pair.restart(Bob);
    pair.connect();
    pair.run();
    pair.clear();
    pair.fail(Bob, id);
    pair.run();
    let events = pair.events(Alice);
    assert!(failed(&events).is_empty());
    assert!(has_evidence(&events));
    assert_eq!(pair.phases(), (Phase::Suspended, Phase::Suspended));
}

#[test]
fn a_signature_on_a_lower_state_is_kept_and_changes_nothing() {
    let mut pair = Pair::open();
    let first = pair.add(Alice, 1_000, 1).unwrap();
    let old = pair.alice.wire[1].clone();
    pair.run();
    pair.fulfill(Bob, first, 1);
    pair.run();
    pair.add_and_run(Alice, 1_000, 2);
    let before = pair.state(Bob).clone();
    pair.clear();
    pair.give(Bob, LinkInput::Message(old));
    let events = pair.events(Bob);
    assert!(has_evidence(&events));
    assert!(matches!(events.last(), Some(Output::Link(LinkEvent::Reconnect(_)))));
    assert_eq!(pair.state(Bob), &before);
}

#[test]
fn an_htlc_that_took_the_id_of_a_lost_one_is_another() {
    let mut pair = Pair::funded(500_000);
    pair.add(Bob, 1_000, 1);
    let copy = pair.bob.disk.clone(); // With an HTLC that is stored and never sent.
    pair.bob.disk = Some({
        let mut older = Pair::funded(500_000);
        older.bob.disk.take().unwrap()
    });
    pair.restart(Bob);
    pair.connect();
    pair.run();
    let id = pair.add_and_run(Bob, 2_000, 2);
    pair.bob.disk = copy;
    pair.restart(Bob);
    pair.clear();
    pair.connect();
    pair.run();
    let cause = DropCause::NewerState;
    assert!(pair.events(Bob).contains(&Output::Link(LinkEvent::HtlcDropped { id, cause })));
}
