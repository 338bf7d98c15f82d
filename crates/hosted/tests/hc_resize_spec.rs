//! Resize: the eclair plugin's HCResizeSpec (docs/protocol.md section 8.4), and the attacks of section 9.1, 4.

use steward_hosted::{Command, CommandRefusal, Output, Phase};
use steward_htlc::LinkInput;
use steward_testkit::hosted::*;
use steward_wire::{Message, Onion, ResizeChannel, UpdateAddHtlc};

const NEW_CAPACITY_SAT: u64 = 50_000_000;
const NEW_CAPACITY_MSAT: u64 = NEW_CAPACITY_SAT * 1000;

fn resize(pair: &mut Pair) -> Vec<Output> {
    pair.command(Bob, Command::Resize { new_capacity_sat: NEW_CAPACITY_SAT })
}

fn assert_resized(pair: &Pair) {
    pair.assert_in_agreement();
    for side in [Alice, Bob] {
        let terms = &pair.state(side).init_hosted_channel;
        assert_eq!(terms.channel_capacity_msat, NEW_CAPACITY_MSAT);
        assert_eq!(terms.max_htlc_value_in_flight_msat, NEW_CAPACITY_MSAT);
        assert_eq!(pair.channel(side).pending_resize(), None);
    }
    assert_eq!(pair.phases(), (Phase::Active, Phase::Active));
}

#[test]
fn line_17_a_resize_takes_effect_with_the_next_signatures() {
    let mut pair = Pair::open();
    resize(&mut pair);
    pair.run();
    assert_eq!(pair.sent_by(Bob), ["ResizeChannel", "StateUpdate"]);
    assert_eq!(pair.sent_by(Alice), ["StateUpdate"]);
    let resized = Output::Resized { new_capacity_msat: NEW_CAPACITY_MSAT };
    assert_eq!(pair.events(Alice), std::slice::from_ref(&resized));
    assert_eq!(pair.events(Bob), [resized]);
    assert_resized(&pair);
    pair.pay(Alice, 9_000_000_000, 1);
    pair.pay(Alice, 9_000_000_000, 2);
    assert_eq!(pair.balances(Alice), (32_000_000_000, 18_000_000_000));
}

#[test]
fn line_43_a_resize_among_htlcs_and_crossing_settlements() {
    let mut pair = Pair::funded(5_000_000_000);
    let of_alice = pair.add_and_run(Alice, 3_000_000_000, 1);
    let of_bob = pair.add_and_run(Bob, 2_000_000_000, 2);
    pair.fulfill(Alice, of_bob, 2);
    resize(&mut pair);
    pair.fulfill(Bob, of_alice, 1);
    pair.run();
    assert_resized(&pair);
    assert_eq!(pair.balances(Bob).0, 6_000_000_000);
}

#[test]
fn line_82_a_resize_the_host_never_got_is_repeated_after_the_state() {
    let mut pair = Pair::open();
    resize(&mut pair);
    pair.disconnect();
    pair.restart(Bob);
    pair.clear();
    pair.connect();
    pair.run();
    assert_eq!(
        pair.sent_by(Bob),
        ["InvokeHostedChannel", "LastCrossSignedState", "ResizeChannel", "StateUpdate"]
    );
    assert_resized(&pair);
}

#[test]
fn line_116_if_only_the_host_applied_it_comparing_states_is_enough() {
    let mut pair = Pair::open();
    resize(&mut pair);
    pair.deliver_named(Bob, "ResizeChannel");
    pair.deliver_named(Bob, "StateUpdate");
    pair.lose(Alice);
    assert_eq!(pair.channel(Alice).summary().capacity_msat, NEW_CAPACITY_MSAT);
    pair.disconnect();
    pair.clear();
    pair.connect();
    pair.run();
    assert_eq!(pair.sent_by(Bob), ["InvokeHostedChannel", "LastCrossSignedState"]);
    assert_resized(&pair);
    // The client adopted the state with its signatures: a second reconnection is harmless
    // (section 9.2, 24).
    pair.reconnect();
    pair.run();
    assert_resized(&pair);
}

#[test]
fn line_149_the_host_got_the_resize_only_and_an_add_is_interleaved() {
    let mut pair = Pair::open();
    resize(&mut pair);
    pair.deliver_named(Bob, "ResizeChannel");
    let id = pair.add(Alice, 1_000_000, 1).unwrap();
    pair.disconnect();
    pair.clear();
    pair.connect();
    pair.run();
    // Both repeat the resize; the one who has it ignores it.
    assert!(pair.sent_by(Alice).contains(&"ResizeChannel"));
    assert!(pair.sent_by(Bob).contains(&"ResizeChannel"));
    assert_eq!(incoming(&pair.events(Bob)), [id]);
    assert_resized(&pair);
}

#[test]
fn line_197_like_149_with_an_htlc_in_flight_and_a_fulfill() {
    let mut pair = Pair::open();
    let first = pair.add_and_run(Alice, 2_000_000, 1);
    resize(&mut pair);
    pair.deliver_named(Bob, "ResizeChannel");
    pair.add(Alice, 1_000_000, 2);
    pair.fulfill(Bob, first, 1);
    pair.disconnect();
    pair.connect();
    pair.run();
    assert_eq!(fulfilled(&pair.events(Alice)), [first]);
    assert_resized(&pair);
    assert_eq!(pair.balances(Bob).0, 2_000_000);
    assert_eq!(pair.state(Bob).incoming_htlcs.len(), 1);
}

#[test]
fn a_client_cannot_spend_what_a_resize_gives_its_host() {
    let mut pair = Pair::funded(1_000_000);
    resize(&mut pair);
    pair.deliver_named(Bob, "ResizeChannel");
    let add = UpdateAddHtlc {
        channel_id: pair.channel(Alice).channel_id(),
        id: u64::from(pair.state(Alice).remote_updates) + 1,
        amount_msat: 1_000_001,
        payment_hash: preimage(1).hash(),
        cltv_expiry: HEIGHT + CLTV_DELTA,
        onion: Onion([3; 1366].into()),
        tlvs: vec![],
    };
    pair.give(Alice, LinkInput::Message(Message::UpdateAddHtlc(add)));
    let suspension = pair.assert_suspended(Alice, true, None);
    assert_eq!(suspension.text, "insufficient balance for the HTLC");
}

#[test]
fn a_replayed_resize_is_ignored() {
    let mut pair = Pair::open();
    resize(&mut pair);
    pair.run();
    pair.clear();
    let replay = ResizeChannel::signed(NEW_CAPACITY_SAT, &pair.bob.key);
    assert_eq!(pair.give(Alice, LinkInput::Message(Message::ResizeChannel(replay))), []);
    let smaller = ResizeChannel::signed(NEW_CAPACITY_SAT - 1, &pair.bob.key);
    assert_eq!(pair.give(Alice, LinkInput::Message(Message::ResizeChannel(smaller))), []);
}

#[test]
fn an_excessive_or_forged_resize_suspends() {
    for (capacity_sat, by) in [(MAX_CAPACITY_SAT + 1, Bob), (NEW_CAPACITY_SAT, Alice)] {
        let mut pair = Pair::open();
        let key = pair.node(by).key;
        let resize = ResizeChannel::signed(capacity_sat, &key);
        pair.give(Alice, LinkInput::Message(Message::ResizeChannel(resize)));
        pair.assert_suspended(Alice, true, Some(9));
        assert!(pair.events(Alice).iter().any(|event| matches!(event, Output::Evidence(_))));
    }
}

#[test]
fn resize_commands_are_checked() {
    let mut pair = Pair::open();
    let same = Command::Resize { new_capacity_sat: CAPACITY_MSAT / 1000 };
    let larger = Command::Resize { new_capacity_sat: NEW_CAPACITY_SAT };
    assert_eq!(pair.try_command(Bob, same), Err(CommandRefusal::BadCapacity));
    assert_eq!(pair.try_command(Alice, same), Err(CommandRefusal::WrongRole));
    resize(&mut pair);
    assert_eq!(pair.try_command(Bob, larger), Err(CommandRefusal::ResizePending));
    pair.run();
    pair.command(Bob, Command::Suspend);
    assert_eq!(pair.try_command(Bob, larger), Err(CommandRefusal::Suspended));

    let mut terms = offer();
    terms.features.clear();
    let mut pair = Pair::open_with(terms);
    assert_eq!(pair.try_command(Bob, larger), Err(CommandRefusal::NotResizable));
    assert_eq!(Pair::default().try_command(Bob, same), Err(CommandRefusal::NotOpen));
}

#[test]
fn the_host_may_spend_a_resize_the_client_does_not_hold_yet() {
    let mut pair = Pair::open();
    pair.eager = false;
    let everything = pair.new_htlc(Alice, CAPACITY_MSAT, 1);
    pair.handle(Alice, LinkInput::Add(everything));
    pair.flush(Alice);
    pair.deliver(Alice);
    pair.command(Bob, Command::Resize { new_capacity_sat: NEW_CAPACITY_SAT });
    pair.flush(Bob);
    pair.deliver_named(Bob, "ResizeChannel");
    pair.deliver_named(Bob, "StateUpdate");
    // Alice holds the resized state; Bob still only her signature on the plain one.
    let more = pair.new_htlc(Alice, CAPACITY_MSAT, 2);
    pair.handle(Alice, LinkInput::Add(more));
    pair.flush(Alice);
    pair.eager = true;
    pair.run();
    assert_resized(&pair);
    assert_eq!(pair.state(Bob).incoming_htlcs.len(), 2);
}
