//! Reconnection and restarts: the eclair plugin's HCNormalRestartSpec and HCRestartCleanupSpec (docs/protocol.md
//! section 8.4).

use steward_hosted::{Channel, Command, Output, Phase};
use steward_htlc::{IncomingSettlement, LinkEvent, LinkInput};
use steward_testkit::hosted::*;

#[test]
fn line_21_unsigned_adds_are_repeated_after_the_states() {
    let mut pair = Pair::open();
    pair.eager = false;
    for seed in 1..=2 {
        let htlc = pair.new_htlc(Alice, 100_000, seed);
        pair.give(Alice, LinkInput::Add(htlc));
    }
    pair.flush(Alice);
    assert_eq!(pair.on_wire(Alice), ["UpdateAddHtlc", "UpdateAddHtlc", "StateUpdate"]);
    pair.eager = true;
    pair.disconnect();
    pair.clear();
    pair.connect();
    pair.run();
    // E puts its channel_update before the state_update; ours comes from the engine.
    assert_eq!(
        pair.sent_by(Alice),
        [
            "LastCrossSignedState",
            "LastCrossSignedState",
            "UpdateAddHtlc",
            "UpdateAddHtlc",
            "StateUpdate"
        ]
    );
    let ids = incoming(&pair.events(Bob));
    assert_eq!(ids.len(), 2);

    pair.handle(Bob, LinkInput::Fulfill { id: ids[0], preimage: preimage(1), tlvs: Vec::new() });
    pair.handle(Bob, LinkInput::Fulfill { id: ids[1], preimage: preimage(2), tlvs: Vec::new() });
    pair.flush(Bob);
    pair.deliver_named(Bob, "UpdateFulfillHtlc");
    pair.reconnect();
    pair.run();
    assert_eq!(fulfilled(&pair.events(Alice)), ids);
    pair.assert_in_agreement();
    assert_eq!(pair.balances(Alice), (9_999_800_000, 200_000));
}

#[test]
fn line_95_the_offerer_catches_up_from_the_state_of_a_peer_whose_signature_was_lost() {
    let mut pair = Pair::open();
    let first = pair.add(Alice, 100_000, 1).unwrap();
    pair.deliver_named(Alice, "UpdateAddHtlc");
    pair.deliver_named(Alice, "StateUpdate");
    pair.lose(Bob);
    assert_eq!(incoming(&pair.events(Bob)), [first]);
    // The second add waits for the first one's signature, and for nothing else.
    assert_eq!(pair.add(Alice, 100_000, 2), None);
    pair.disconnect();
    assert!(matches!(pair.events(Alice).last(), Some(Output::Link(LinkEvent::HtlcRefused { .. }))));
    pair.fulfill(Bob, first, 1); // Obtained while offline.
    pair.clear();
    pair.connect();
    pair.run();
    assert_eq!(
        pair.sent_by(Alice),
        ["LastCrossSignedState", "LastCrossSignedState", "StateUpdate"]
    );
    assert_eq!(fulfilled(&pair.events(Alice)), [first]);
    assert!(incoming(&pair.events(Bob)).is_empty());
    pair.assert_in_agreement();
    assert_eq!(pair.balances(Alice), (9_999_900_000, 100_000));
}

#[test]
fn line_153_a_host_behind_two_unsigned_adds_of_the_client_catches_up() {
    let mut pair = Pair::funded(200_000);
    pair.eager = false;
    let htlc = pair.new_htlc(Alice, 10_000, 1);
    pair.handle(Alice, LinkInput::Add(htlc));
    for seed in 2..=3 {
        let htlc = pair.new_htlc(Bob, 5_000, seed);
        pair.handle(Bob, LinkInput::Add(htlc));
    }
    pair.flush(Bob);
    pair.deliver(Bob);
    pair.deliver(Bob);
    // Alice signs her add and both of Bob's, before she has seen his signature.
    pair.flush(Alice);
    pair.deliver_named(Alice, "UpdateAddHtlc");
    pair.deliver_named(Alice, "StateUpdate");
    assert_eq!(incoming(&pair.events(Bob)).len(), 1, "Bob holds the complete state");
    pair.eager = true;
    pair.restart(Alice); // What she signed must have been durable.
    pair.clear();
    pair.connect();
    pair.run();
    assert_eq!(incoming(&pair.events(Alice)).len(), 2);
    assert!(incoming(&pair.events(Bob)).is_empty());
    pair.assert_in_agreement();
    assert_eq!(pair.state(Alice).outgoing_htlcs.len(), 1);
}

#[test]
fn line_240_repeated_disconnections_never_relay_twice() {
    let mut pair = Pair::open();
    let mut relayed = Vec::new();
    let id = pair.add(Alice, 20_000, 1).unwrap();
    for delivered in 0..8 {
        for _ in 0..delivered {
            pair.deliver(Alice);
            pair.deliver(Bob);
        }
        pair.reconnect();
        relayed.extend(incoming(&pair.events(Bob)));
    }
    pair.run();
    relayed.extend(incoming(&pair.events(Bob)));
    assert_eq!(relayed, [id]);
    let mut settled = Vec::new();
    pair.fulfill(Bob, id, 1);
    for delivered in 0..8 {
        for _ in 0..delivered {
            pair.deliver(Bob);
            pair.deliver(Alice);
        }
        pair.reconnect();
        settled.extend(fulfilled(&pair.events(Alice)));
    }
    pair.run();
    assert_eq!(settled, [id]);
    pair.assert_in_agreement();
    assert_eq!(pair.balances(Alice), (9_999_980_000, 20_000));
    pair.pay(Alice, 5_000, 2);
    assert_eq!(pair.balances(Alice), (9_999_975_000, 25_000));
}

#[test]
fn line_341_a_settlement_kept_by_the_engine_is_replayed_after_a_restart() {
    let mut pair = Pair::open();
    let id = pair.add_and_run(Alice, 100_000, 1);
    pair.disconnect();
    assert_eq!(pair.fulfill(Bob, id, 1), [], "not recorded while it has no id");
    pair.restart(Bob);
    assert_eq!(pair.channel(Bob).incoming_htlcs().next().unwrap().settlement, None);
    pair.fulfill(Bob, id, 1); // From the outbox.
    pair.clear();
    pair.connect();
    pair.run();
    assert!(pair.events(Bob).contains(&Output::Link(LinkEvent::SettlementRecorded { id })));
    assert_eq!(fulfilled(&pair.events(Alice)), [id]);
    pair.assert_in_agreement();
}

#[test]
fn line_380_a_suspended_client_opens_with_its_error_and_its_fulfills() {
    let mut pair = Pair::open();
    let id = pair.add_and_run(Alice, 100_000, 1);
    pair.disconnect();
    pair.command(Alice, Command::Suspend);
    pair.command(Bob, Command::Suspend);
    pair.fulfill(Bob, id, 1);
    pair.clear();
    pair.connect();
    pair.run();
    assert_eq!(pair.sent_by(Bob), ["Error", "UpdateFulfillHtlc"]);
    assert_eq!(pair.sent_by(Alice), [""; 0]);
    assert_eq!(fulfilled(&pair.events(Alice)), [id]);
}

#[test]
fn line_415_a_host_that_lost_its_data_is_restored_from_the_clients_state() {
    let mut pair = Pair::funded(500_000);
    let of_alice = pair.add_and_run(Alice, 100_000, 1);
    let of_bob = pair.add_and_run(Bob, 200_000, 2);
    pair.disconnect();
    let key = pair.bob.key;
    let snapshot = pair.channel(Bob).export(&key).unwrap();
    let (alice, bob) = (pair.channel(Alice).local(), pair.channel(Bob).local());
    pair.alice.channel = Channel::restored(alice, bob, snapshot.reverse()).unwrap();
    pair.alice.disk = Some(pair.alice.channel.record());
    pair.clear();
    pair.connect();
    pair.run();
    pair.fulfill(Bob, of_alice, 1);
    pair.fulfill(Alice, of_bob, 2);
    pair.run();
    assert_eq!(fulfilled(&pair.events(Alice)), [of_alice]);
    assert_eq!(fulfilled(&pair.events(Bob)), [of_bob]);
    pair.assert_in_agreement();
    assert_eq!(pair.balances(Bob).0, 400_000);
}

#[test]
fn a_forged_snapshot_restores_nothing() {
    let pair = Pair::funded(500_000);
    let (alice, bob) = (pair.channel(Alice).local(), pair.channel(Bob).local());
    let mut state = pair.channel(Alice).export(&pair.alice.key).unwrap();
    assert!(Channel::restored(alice, bob, state.clone()).is_some());
    state.local_balance_msat -= 1;
    state.remote_balance_msat += 1;
    assert!(Channel::restored(alice, bob, state).is_none());
}

#[test]
fn cleanup_line_18_the_incoming_list_holds_cross_signed_htlcs_only() {
    let mut pair = Pair::open();
    let id = pair.add_and_run(Alice, 100_000, 1);
    pair.add(Alice, 100_000, 2);
    pair.deliver_named(Alice, "UpdateAddHtlc");
    let ids = |pair: &Pair| -> Vec<u64> {
        pair.channel(Bob).incoming_htlcs().map(|incoming| incoming.htlc.id).collect()
    };
    assert_eq!(ids(&pair), [id]);
    pair.command(Bob, Command::Suspend);
    assert_eq!(ids(&pair), [id]);
    pair.fulfill(Bob, id, 1);
    let settlement = pair.channel(Bob).incoming_htlcs().next().unwrap().settlement;
    assert_eq!(settlement, Some(IncomingSettlement::Fulfill(preimage(1))));
}

#[test]
fn cleanup_line_59_the_outgoing_list_holds_unsigned_adds_until_their_fate_is_known() {
    let mut pair = Pair::open();
    let signed = pair.add_and_run(Alice, 100_000, 1);
    let unsigned = pair.add(Alice, 100_000, 2).unwrap();
    let ids = |pair: &Pair| -> Vec<u64> {
        pair.channel(Alice).outgoing_htlcs().map(|outgoing| outgoing.htlc.id).collect()
    };
    assert_eq!(ids(&pair), [signed, unsigned]);
    pair.command(Alice, Command::Suspend);
    pair.run();
    pair.fulfill(Bob, signed, 1);
    pair.run();
    let known = |pair: &Pair| pair.channel(Alice).outgoing_htlcs().next().unwrap().preimage;
    assert_eq!(known(&pair), Some(preimage(1)));
    pair.set_height_of(Alice, HEIGHT + CLTV_DELTA + 1);
    assert_eq!(dropped(&pair.events(Alice)), [unsigned]);
    assert_eq!(ids(&pair), [signed], "its preimage is known: it cannot time out");
    assert_eq!(pair.phases().0, Phase::Suspended);
}
