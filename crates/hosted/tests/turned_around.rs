//! The signed hash does not say in which list an HTLC stands: whoever shows a state may have
//! moved one to the other list, and both signatures hold. On no road does such a copy become ours.

use steward_hosted::{Output, Phase};
use steward_htlc::{LinkEvent, LinkInput};
use steward_testkit::hosted::*;
use steward_wire::{LastCrossSignedState, Message, Signature, UpdateFulfillHtlc};

/// Our copy of a state, as the peer at `from` would show it.
fn show(pair: &mut Pair, from: Side, ours: &LastCrossSignedState) -> Vec<Output> {
    pair.disconnect();
    pair.clear();
    pair.connect();
    pair.deliver_named(Bob, "InvokeHostedChannel");
    pair.give(from.other(), LinkInput::Message(Message::LastCrossSignedState(ours.reverse())))
}

/// Every HTLC of `ours` in the other list. Both sides' signatures stay as they are.
fn turned(ours: &LastCrossSignedState) -> LastCrossSignedState {
    let mut turned = ours.clone();
    std::mem::swap(&mut turned.incoming_htlcs, &mut turned.outgoing_htlcs);
    assert_eq!(turned.sighash(), ours.sighash(), "one hash for both");
    turned
}

fn signed_by_both(
    pair: &mut Pair,
    side: Side,
    ours: &LastCrossSignedState,
) -> LastCrossSignedState {
    let (own, other) = (pair.node(side).key, pair.node(side.other()).key);
    let mut ours = ours.clone();
    ours.local_sig_of_remote = ours.sign_remote(&own);
    ours.remote_sig_of_local = ours.reverse().sign_remote(&other);
    ours
}

/// The side that is shown a turned copy keeps its own state, acts on nothing and asks people.
fn assert_refused(pair: &mut Pair, side: Side, before: &LastCrossSignedState, outputs: &[Output]) {
    assert_eq!(pair.channel(side).phase(), Phase::Suspended);
    let after = pair.state(side);
    assert_eq!(after.incoming_htlcs, before.incoming_htlcs);
    assert_eq!(after.outgoing_htlcs, before.outgoing_htlcs);
    assert_eq!(after.local_updates, before.local_updates);
    assert!(incoming(outputs).is_empty(), "an HTLC is acted upon");
    let kept = outputs.iter().filter(|output| matches!(output, Output::Evidence(_))).count();
    assert_eq!(kept, 2, "both states are kept");
}

#[test]
fn at_equal_counters_a_turned_htlc_is_a_divergence() {
    for (side, offerer) in [(Alice, Alice), (Alice, Bob), (Bob, Alice), (Bob, Bob)] {
        let mut pair = Pair::funded(5_000_000);
        pair.add_and_run(offerer, 1_000_000, 1);
        let ours = pair.state(side).clone();
        let ours = signed_by_both(&mut pair, side, &ours);
        let outputs = show(&mut pair, side.other(), &turned(&ours));
        assert_refused(&mut pair, side, &ours, &outputs);
    }
}

#[test]
fn of_a_later_day_a_turned_htlc_is_a_divergence() {
    for side in [Alice, Bob] {
        let mut pair = Pair::funded(5_000_000);
        pair.add_and_run(Bob, 1_000_000, 1);
        let before = pair.state(side).clone();
        let mut later = turned(&before);
        later.block_day += 1;
        let later = signed_by_both(&mut pair, side, &later);
        let outputs = show(&mut pair, side.other(), &later);
        assert_refused(&mut pair, side, &before, &outputs);
    }
}

#[test]
fn with_a_resize_a_turned_htlc_is_a_divergence() {
    let mut pair = Pair::funded(5_000_000);
    pair.add_and_run(Bob, 1_000_000, 1);
    let before = pair.state(Alice).clone();
    let mut larger = turned(&before);
    larger.init_hosted_channel.channel_capacity_msat += 1_000_000;
    larger.local_balance_msat += 1_000_000;
    let larger = signed_by_both(&mut pair, Alice, &larger);
    let outputs = show(&mut pair, Bob, &larger);
    assert_refused(&mut pair, Alice, &before, &outputs);
}

/// The theft: the host carries the HTLC on, and the client fulfills it as if the host had offered
/// it.
#[test]
fn a_client_cannot_turn_around_an_htlc_that_only_the_host_signed() {
    let mut pair = Pair::funded(5_000_000);
    let first = pair.add_and_run(Bob, 10_000, 1);
    let before = pair.state(Alice).clone();
    // Only the add arrives; then the host fails the first HTLC, and its signature covers the add.
    let id = pair.add(Bob, 4_000_000, 2).unwrap();
    pair.deliver_named(Bob, "UpdateAddHtlc");
    pair.lose(Bob);
    let outputs = pair.fail(Alice, first);
    let update = outputs.iter().rev().find_map(|output| match output {
        Output::Link(LinkEvent::Send(Message::StateUpdate(update))) => Some(*update),
        _ => None,
    });
    let update = update.expect("the host signs");
    let add = pair.sent.iter().find_map(|(_, message)| match message {
        Message::UpdateAddHtlc(add) if add.id == id => Some(add.clone()),
        _ => None,
    });
    let add = add.unwrap();
    let mut reached = before.clone();
    reached.remote_balance_msat = before.remote_balance_msat + 10_000 - 4_000_000;
    reached.local_updates += 1;
    reached.remote_updates += 1;
    reached.block_day = update.block_day;
    reached.incoming_htlcs = vec![add];
    reached.outgoing_htlcs = Vec::new();
    reached.local_sig_of_remote = update.local_sig_of_remote;
    reached.remote_sig_of_local = Signature::ZERO;
    reached.remote_sig_of_local = reached.reverse().sign_remote(&pair.bob.key);

    // As both signed it, it is taken.
    let mut honest = pair.clone();
    let outputs = show(&mut honest, Bob, &reached);
    assert_eq!(honest.channel(Alice).phase(), Phase::Active);
    assert_eq!(incoming(&outputs), [id]);

    let outputs = show(&mut pair, Bob, &turned(&reached));
    assert_refused(&mut pair, Alice, &before, &outputs);
    let channel_id = pair.channel(Alice).channel_id();
    let fulfill = UpdateFulfillHtlc { channel_id, id, preimage: preimage(2), tlvs: Vec::new() };
    pair.give(Alice, LinkInput::Message(Message::UpdateFulfillHtlc(fulfill)));
    assert_eq!(pair.balances(Alice).1, before.remote_balance_msat);
}

#[test]
fn a_client_with_an_old_backup_does_not_take_a_state_with_an_htlc_of_its_own_turned_around() {
    let mut pair = Pair::funded(5_000_000);
    pair.add_and_run(Bob, 1_000_000, 1);
    let before = pair.state(Bob).clone();
    let mut newer = turned(&before);
    newer.local_updates += 3;
    newer.remote_updates += 3;
    let newer = signed_by_both(&mut pair, Bob, &newer);
    let outputs = show(&mut pair, Alice, &newer);
    assert_refused(&mut pair, Bob, &before, &outputs);
}

/// Nothing of ours has the HTLC, and its id fits both counters.
fn client_with_a_doubtful_htlc(is_outgoing: bool, is_readable: bool) -> (Pair, u64, Vec<Output>) {
    let mut pair = Pair::funded(5_000_000);
    for seed in 10..14 {
        pair.pay(Bob, 1_000, seed);
    }
    let before = pair.state(Bob).clone();
    let offerer = if is_outgoing { Bob } else { Alice };
    let id = pair.add_and_run(offerer, 1_000_000, 1);
    let mut newer = pair.state(Bob).clone();
    // Both sides have sent updates since, so that either could have given this id.
    newer.local_updates = before.local_updates + 20;
    newer.remote_updates = before.remote_updates + 20;
    let newer = signed_by_both(&mut pair, Bob, &newer);
    pair.onions_are_readable = is_readable;
    pair.bob_loses_everything_but_is_shown(&newer);
    let outputs = pair.events(Bob);
    (pair, id, outputs)
}

#[test]
fn an_incoming_htlc_that_nothing_proves_is_held_and_told() {
    let (mut pair, id, outputs) = client_with_a_doubtful_htlc(false, false);
    assert!(outputs.contains(&Output::HtlcsHeld { ids: vec![id] }));
    assert!(incoming(&outputs).is_empty());
    assert_eq!(pair.channel(Bob).incoming_htlcs().count(), 0);
    pair.restart(Bob);
    assert_eq!(pair.channel(Bob).incoming_htlcs().count(), 0, "a restart does not forget it");
    assert!(pair.channel(Bob).has_htlcs());
}

#[test]
fn an_onion_made_for_us_proves_that_the_peer_offered_its_htlc() {
    let (pair, id, outputs) = client_with_a_doubtful_htlc(false, true);
    assert_eq!(incoming(&outputs), [id]);
    assert_eq!(pair.channel(Bob).incoming_htlcs().count(), 1);
    let (pair, _, outputs) = client_with_a_doubtful_htlc(true, true);
    assert!(pair.channel(Bob).state().is_none(), "it was turned around: not taken");
    assert!(outputs.iter().any(|output| matches!(output, Output::Evidence(_))));
}

#[test]
fn an_htlc_of_ours_whose_offer_we_forgot_is_settled_as_ever() {
    let (mut pair, id, outputs) = client_with_a_doubtful_htlc(true, false);
    assert!(!outputs.iter().any(|output| matches!(output, Output::HtlcsHeld { .. })));
    let channel_id = pair.channel(Bob).channel_id();
    let preimage = preimage(1);
    let fulfill = UpdateFulfillHtlc { channel_id, id, preimage, tlvs: Vec::new() };
    let outputs = pair.give(Bob, LinkInput::Message(Message::UpdateFulfillHtlc(fulfill)));
    assert!(outputs.contains(&Output::Link(LinkEvent::HtlcFulfilled {
        id,
        preimage,
        tlvs: Vec::new()
    })));
    assert_eq!(pair.channel(Bob).phase(), Phase::Active);
}

#[test]
fn an_add_that_names_another_channel_is_refused() {
    let mut pair = Pair::funded(5_000_000);
    pair.add(Bob, 1_000_000, 1).unwrap();
    let add = pair.bob.wire.iter().find_map(|message| match message {
        Message::UpdateAddHtlc(add) => Some(add.clone()),
        _ => None,
    });
    let mut add = add.unwrap();
    add.channel_id.0[0] ^= 1;
    pair.give(Alice, LinkInput::Message(Message::UpdateAddHtlc(add)));
    assert_eq!(pair.channel(Alice).phase(), Phase::Suspended);
    assert_eq!(pair.channel(Alice).unsigned_updates().1, 0);
}

/// Records of the version before had no section of held HTLCs; they are read, and written in the present version.
#[test]
fn a_record_of_the_version_before_is_read() {
    let mut pair = Pair::funded(5_000_000);
    pair.add_and_run(Bob, 1_000_000, 1);
    let record = pair.channel(Alice).record();
    let (body, held) = record.split_at(record.len() - 4);
    assert_eq!((record[0], held), (2, &[0; 4][..]));
    let old = [&[1], &body[1..]].concat();
    let read = steward_hosted::Channel::from_record(&old).unwrap();
    assert_eq!(read.record(), record);
    assert_eq!(read.state(), pair.channel(Alice).state());
}
