//! Limits on HTLCs, ids and counters: the eclair plugin's HostedChannelTypesSpec :87 (docs/protocol.md section 8.4)
//! through the channel's own interface. Hashes and signatures are tested in `steward-wire`.

use steward_hosted::Output;
use steward_hosted::limits::{MAX_OWN_HTLCS, MAX_STATE_BYTES, MAX_WAITING_ADDS};
use steward_htlc::{AddRefusal, LinkEvent, LinkInput, NewHtlc};
use steward_testkit::hosted::*;
use steward_wire::{Message, UpdateAddHtlc};

fn refusal(outputs: &[Output]) -> Option<AddRefusal> {
    outputs.iter().find_map(|output| match output {
        Output::Link(LinkEvent::HtlcRefused { reason, .. }) => Some(*reason),
        _ => None,
    })
}

/// What becomes of an HTLC of Alice's with one thing changed.
fn try_add(pair: &mut Pair, change: impl FnOnce(&mut NewHtlc)) -> Option<AddRefusal> {
    let mut htlc = pair.new_htlc(Alice, 100_000, 1);
    change(&mut htlc);
    let outputs = pair.give(Alice, LinkInput::Add(htlc));
    pair.run();
    refusal(&outputs)
}

#[test]
fn line_87_own_htlcs_are_checked_against_the_terms() {
    let mut terms = offer();
    terms.htlc_minimum_msat = 10;
    terms.max_htlc_value_in_flight_msat = 9_000_000_000;
    let mut pair = Pair::open_with(terms);
    let too_small = AddRefusal::BelowMinimum { minimum_msat: 10 };
    assert_eq!(try_add(&mut pair, |htlc| htlc.amount_msat = 9), Some(too_small));
    let height = HEIGHT;
    assert_eq!(
        try_add(&mut pair, |htlc| htlc.cltv_expiry = height + 2),
        Some(AddRefusal::ExpiryTooSoon)
    );
    assert_eq!(
        try_add(&mut pair, |htlc| htlc.cltv_expiry = height + 2_017),
        Some(AddRefusal::ExpiryTooFar)
    );
    let too_high = AddRefusal::TooMuchInFlight { maximum_msat: 9_000_000_000 };
    assert_eq!(try_add(&mut pair, |htlc| htlc.amount_msat = 9_000_000_001), Some(too_high));
    assert_eq!(try_add(&mut pair, |htlc| htlc.amount_msat = 5_000_000_000), None);
    assert_eq!(try_add(&mut pair, |htlc| htlc.amount_msat = 4_000_000_000), None);
    let missing = AddRefusal::InsufficientBalance { missing_msat: 10_000_000 };
    assert_eq!(try_add(&mut pair, |htlc| htlc.amount_msat = 1_010_000_000), Some(missing));
    assert_eq!(try_add(&mut pair, |htlc| htlc.tlvs = vec![1, 5]), Some(AddRefusal::BadTlvs));
    pair.disconnect();
    assert_eq!(try_add(&mut pair, |_| {}), Some(AddRefusal::Unavailable));
}

#[test]
fn line_87_counters_and_ids_count_every_update() {
    let mut pair = Pair::open();
    let id = pair.add_and_run(Alice, 100_000, 1);
    assert_eq!((id, pair.state(Alice).local_updates), (1, 1));
    pair.fulfill(Bob, id, 1);
    pair.run();
    assert_eq!((pair.state(Alice).local_updates, pair.state(Alice).remote_updates), (1, 1));
    assert_eq!(pair.add_and_run(Bob, 50_000, 2), 2);
    assert_eq!(pair.add_and_run(Alice, 50_000, 3), 2);
}

#[test]
fn an_htlc_without_a_free_slot_waits_until_it_gives_up() {
    let mut terms = offer();
    terms.max_accepted_htlcs = 3;
    let mut pair = Pair::open_with(terms);
    let first = pair.add_and_run(Alice, 1_000, 1);
    pair.add_and_run(Alice, 1_000, 2);
    pair.add_and_run(Alice, 1_000, 3);
    assert_eq!(pair.add(Alice, 1_000, 4), None);
    assert_eq!(pair.add(Alice, 1_000, 5), None);
    assert!(pair.flush(Alice).is_empty(), "only a change of the state can help");
    pair.clear();
    pair.fail(Bob, first);
    pair.run();
    let added = |events: &[Output]| {
        events
            .iter()
            .filter(|event| matches!(event, Output::Link(LinkEvent::HtlcAdded { .. })))
            .count()
    };
    assert_eq!(added(&pair.events(Alice)), 1);
    assert_eq!(pair.channel(Alice).deadline_ms(), Some(pair.now_ms + 5_000));
    pair.advance_ms(5_000);
    assert_eq!(refusal(&pair.events(Alice)), Some(AddRefusal::TooManyHtlcs));
    assert_eq!(pair.channel(Alice).deadline_ms(), None);
}

#[test]
fn the_queue_of_waiting_htlcs_is_bounded() {
    let mut pair = Pair::open();
    pair.eager = false;
    for _ in 0..MAX_WAITING_ADDS {
        let htlc = pair.new_htlc(Alice, 1_000, 1);
        assert_eq!(pair.give(Alice, LinkInput::Add(htlc)), []);
    }
    let htlc = pair.new_htlc(Alice, 1_000, 1);
    assert_eq!(refusal(&pair.give(Alice, LinkInput::Add(htlc))), Some(AddRefusal::QueueFull));
}

#[test]
fn the_fullest_state_fits_a_message() {
    let mut terms = offer();
    terms.max_accepted_htlcs = 483;
    terms.initial_client_balance_msat = CAPACITY_MSAT / 2;
    let mut pair = Pair::open_with(terms);
    pair.eager = false;
    let mut tlvs = vec![0xfe, 0xf6, 0x0b, 0x27, 0x77, 64];
    tlvs.extend_from_slice(&[1; 64]);
    for side in [Alice, Bob] {
        for seed in 0..40 {
            let mut htlc = pair.new_htlc(side, 1_000, seed);
            htlc.tlvs = tlvs.clone();
            pair.give(side, LinkInput::Add(htlc));
        }
    }
    pair.flush(Alice);
    pair.flush(Bob);
    pair.eager = true;
    pair.run();
    pair.assert_in_agreement();
    let state = pair.state(Alice);
    assert_eq!(state.outgoing_htlcs.len(), MAX_OWN_HTLCS);
    assert_eq!(state.incoming_htlcs.len(), MAX_OWN_HTLCS);
    assert!(state.encoded_len() <= MAX_STATE_BYTES);
}

#[test]
fn large_htlcs_of_both_sides_leave_each_other_room() {
    let mut terms = offer();
    terms.initial_client_balance_msat = CAPACITY_MSAT / 2;
    let mut pair = Pair::open_with(terms);
    pair.eager = false;
    let mut tlvs = vec![1, 0xfd, 1, 0xf0];
    tlvs.extend_from_slice(&[1; 0x1f0]);
    for side in [Alice, Bob] {
        for seed in 0..21 {
            let mut htlc = pair.new_htlc(side, 1_000, seed);
            htlc.tlvs = tlvs.clone();
            pair.give(side, LinkInput::Add(htlc));
        }
    }
    pair.flush(Alice);
    pair.flush(Bob);
    pair.eager = true;
    pair.run();
    pair.assert_in_agreement();
    let state = pair.state(Alice);
    assert!(state.outgoing_htlcs.len() > 10 && state.incoming_htlcs.len() > 10);
    assert!(state.encoded_len() <= MAX_STATE_BYTES);
}

#[test]
fn balance_the_peer_has_not_signed_for_is_not_spent() {
    // The peer forgets its unsigned fail with the connection, but not our add.
    let mut pair = Pair::open();
    let id = pair.add_and_run(Alice, CAPACITY_MSAT, 1);
    pair.fail(Bob, id);
    pair.deliver_named(Bob, "UpdateFailHtlc");
    pair.clear();
    assert_eq!(pair.add(Alice, 1_000_000, 2), None);
    let missing = AddRefusal::InsufficientBalance { missing_msat: 1_000_000 };
    assert_eq!(refusal(&pair.events(Alice)), Some(missing));
    pair.run();
    assert!(pair.add(Alice, 1_000_000, 3).is_some());
}

/// What Alice makes of an add of Bob's with one thing changed.
fn receive_add(pair: &mut Pair, change: impl FnOnce(&mut UpdateAddHtlc)) -> Option<String> {
    let htlc = pair.new_htlc(Bob, 100_000, 1);
    let mut add = UpdateAddHtlc {
        channel_id: pair.channel(Bob).channel_id(),
        id: u64::from(pair.state(Alice).remote_updates) + 1,
        amount_msat: htlc.amount_msat,
        payment_hash: htlc.payment_hash,
        cltv_expiry: htlc.cltv_expiry,
        onion: htlc.onion,
        tlvs: vec![],
    };
    change(&mut add);
    pair.give(Alice, LinkInput::Message(Message::UpdateAddHtlc(add)));
    pair.channel(Alice).suspension().map(|suspension| suspension.text)
}

#[test]
fn the_peers_htlcs_are_checked_against_the_terms() {
    let funded = || {
        let mut terms = offer();
        terms.initial_client_balance_msat = CAPACITY_MSAT / 2;
        terms.max_htlc_value_in_flight_msat = 4_000_000_000;
        terms.max_accepted_htlcs = 1;
        Pair::open_with(terms)
    };
    assert_eq!(receive_add(&mut funded(), |_| {}), None);
    let refused = |change: fn(&mut UpdateAddHtlc)| receive_add(&mut funded(), change).unwrap();
    assert_eq!(refused(|add| add.id += 1), "unexpected HTLC id");
    assert_eq!(refused(|add| add.amount_msat = 999), "HTLC amount below the minimum");
    assert_eq!(refused(|add| add.amount_msat = 5_000_000_001), "insufficient balance for the HTLC");
    assert_eq!(refused(|add| add.amount_msat = 4_000_000_001), "too much value in flight");
    let mut pair = funded();
    pair.add_and_run(Bob, 1_000, 7);
    assert_eq!(receive_add(&mut pair, |_| {}).unwrap(), "too many HTLCs");
}

#[test]
fn a_refused_add_is_kept_as_evidence() {
    let mut pair = Pair::funded(500_000);
    receive_add(&mut pair, |add| add.id = 77);
    let kept = pair
        .events(Alice)
        .iter()
        .any(|event| matches!(event, Output::Evidence(evidence) if evidence.message_type == 63505));
    assert!(kept);
    pair.run();
    pair.assert_suspended(Bob, false, None);
}
