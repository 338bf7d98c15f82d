//! Opening a channel: the eclair plugin's HCEstablishmentSpec (docs/protocol.md section 8.4), immortan's checks and
//! the restore from a seed.

use steward_hosted::limits::{
    ANSWER_TIMEOUT_MS, FORGOTTEN_RETRY_MS, MAX_FORGOTTEN_RETRY_MS, OPENING_TIMEOUT_MS,
    REPEAT_INVOKE_MS,
};
use steward_hosted::{Channel, Output, Phase};
use steward_htlc::{LinkEvent, LinkInput};
use steward_testkit::hosted::*;
use steward_wire::{ChannelUpdate, InitHostedChannel, Message, Signature, WireError};

fn opening_failed(events: &[Output]) -> bool {
    events.iter().any(|event| matches!(event, Output::OpeningFailed(_)))
}

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
        assert_eq!(pair.events(side), [Output::Opened, Output::Link(LinkEvent::Active)]);
        assert!(pair.node(side).disk.is_some(), "an open channel must be durable");
    }
}

#[test]
fn line_30_a_refund_script_that_is_no_standard_one_is_refused() {
    let mut pair = Pair::default();
    let (alice, bob) = (pair.channel(Alice).local(), pair.channel(Bob).local());
    pair.bob.channel = Channel::client(bob, alice, vec![0; 32], vec![]);
    pair.connect();
    pair.run();
    assert_eq!(pair.sent_by(Alice), ["Error"]);
    assert!(opening_failed(&pair.events(Alice)) && opening_failed(&pair.events(Bob)));
}

#[test]
fn witness_programs_of_every_version_are_accepted_as_refund_scripts() {
    // E refuses P2TR (section 9.2, 37).
    for script in [[&[0x51, 32][..], &[8; 32]].concat(), [&[0, 32][..], &[8; 32]].concat()] {
        let mut pair = Pair::default();
        let (alice, bob) = (pair.channel(Alice).local(), pair.channel(Bob).local());
        pair.bob.channel = Channel::client(bob, alice, script, vec![]);
        pair.connect();
        pair.run();
        assert_eq!(pair.phases(), (Phase::Active, Phase::Active));
    }
}

#[test]
fn line_44_an_opening_cut_off_leaves_nothing_behind() {
    let mut pair = Pair::default();
    pair.connect();
    pair.deliver_named(Bob, "InvokeHostedChannel");
    pair.deliver_named(Alice, "InitHostedChannel");
    pair.lose(Bob);
    pair.disconnect();
    assert!(opening_failed(&pair.events(Alice)), "the engine forgets the host's side");
    assert_eq!(pair.events(Bob), [], "the client tries again by itself");
    assert!(pair.alice.disk.is_none() && pair.bob.disk.is_none());
    pair.connect();
    pair.run();
    assert_eq!(pair.phases(), (Phase::Active, Phase::Active));
}

#[test]
fn a_client_whose_first_state_got_lost_takes_the_hosts() {
    let mut pair = Pair::default();
    pair.connect();
    pair.deliver(Bob);
    pair.deliver(Alice);
    pair.deliver_named(Bob, "StateUpdate");
    pair.lose(Alice);
    assert_eq!(pair.phases(), (Phase::Active, Phase::Opening));
    pair.reconnect();
    pair.run();
    assert_eq!(pair.phases(), (Phase::Active, Phase::Active));
    pair.assert_in_agreement();
}

#[test]
fn a_repeated_invoke_restarts_the_opening() {
    let mut pair = Pair::default();
    pair.connect();
    let invoke = pair.bob.wire[0].clone();
    pair.deliver(Bob);
    pair.give(Alice, LinkInput::Message(invoke));
    assert_eq!(pair.on_wire(Alice), ["InitHostedChannel", "InitHostedChannel"]);
    pair.run();
    assert_eq!(pair.phases(), (Phase::Active, Phase::Active));
}

#[test]
fn line_92_an_opening_that_never_ends_is_forgotten() {
    let mut pair = Pair::default();
    pair.connect();
    pair.deliver(Bob);
    assert_eq!(pair.channel(Alice).deadline_ms(), Some(pair.now_ms + OPENING_TIMEOUT_MS));
    pair.advance_ms(OPENING_TIMEOUT_MS);
    assert!(opening_failed(&pair.events(Alice)));
}

#[test]
fn an_unanswered_invoke_ends_in_a_reconnection() {
    let mut pair = Pair::default();
    pair.connect();
    pair.advance_ms(ANSWER_TIMEOUT_MS - 1);
    assert_eq!(pair.events(Bob), []);
    pair.advance_ms(1);
    assert!(matches!(&pair.events(Bob)[..], [Output::Link(LinkEvent::Reconnect(_))]));
}

#[test]
fn line_115_a_reconnection_exchanges_states_and_resumes() {
    let mut pair = Pair::open();
    pair.disconnect();
    assert_eq!(pair.phases(), (Phase::Offline, Phase::Offline));
    assert_eq!(pair.events(Alice), [Output::Link(LinkEvent::Inactive)]);
    assert_eq!(pair.events(Bob), [Output::Link(LinkEvent::Inactive)]);
    pair.connect();
    pair.run();
    // The channel_update of both directions follows Active: it is the engine's.
    assert_eq!(pair.sent_by(Bob), ["InvokeHostedChannel", "LastCrossSignedState"]);
    assert_eq!(pair.sent_by(Alice), ["LastCrossSignedState", "LastCrossSignedState"]);
    assert_eq!(pair.phases(), (Phase::Active, Phase::Active));
    assert!(matches!(&pair.sent[0].1, Message::InvokeHostedChannel(m) if m.secret.is_empty()));
    assert_eq!(pair.events(Alice), [Output::Link(LinkEvent::Active)]);
}

#[test]
fn a_client_refuses_terms_that_make_no_usable_channel() {
    let bad_terms: [fn(&mut InitHostedChannel); 4] = [
        |terms| terms.initial_client_balance_msat = terms.channel_capacity_msat + 1,
        |terms| terms.max_htlc_value_in_flight_msat = 99_999_999,
        |terms| terms.htlc_minimum_msat = 546_001,
        |terms| terms.max_accepted_htlcs = 0,
    ];
    for spoil in bad_terms {
        let mut terms = offer();
        spoil(&mut terms);
        let mut pair = Pair::new(terms);
        pair.connect();
        pair.run();
        assert_eq!(pair.sent_by(Bob), ["InvokeHostedChannel", "Error"]);
        assert!(opening_failed(&pair.events(Bob)) && opening_failed(&pair.events(Alice)));
    }
}

#[test]
fn a_first_signature_of_another_day_or_key_is_refused() {
    for (code, day_off) in [("0001", 2), ("0003", 0)] {
        let mut pair = Pair::default();
        pair.connect();
        pair.deliver(Bob);
        pair.deliver(Alice);
        let Message::StateUpdate(mut update) = pair.lose(Bob) else { panic!() };
        update.block_day += day_off;
        if day_off == 0 {
            update.local_sig_of_remote = Signature([1; 64]);
        }
        pair.give(Alice, LinkInput::Message(Message::StateUpdate(update)));
        let Message::Error(error) = pair.lose(Alice) else { panic!() };
        assert!(error.data.starts_with(code.as_bytes()));
        assert!(opening_failed(&pair.events(Alice)));
    }
}

#[test]
fn a_client_that_lost_everything_restores_its_channel_with_its_htlcs() {
    let mut pair = Pair::funded(500_000);
    let of_alice = pair.add_and_run(Alice, 100_000, 1);
    pair.bob_loses_everything();
    assert_eq!(incoming(&pair.events(Bob)), [of_alice]);
    pair.assert_in_agreement();
    pair.fulfill(Bob, of_alice, 1);
    pair.run();
    assert_eq!(fulfilled(&pair.events(Alice)), [of_alice]);
    assert_eq!(pair.balances(Bob).0, 600_000);
}

fn host_without_data(allow: bool, spoil: impl Fn(&mut InitHostedChannel)) -> Pair {
    let mut pair = Pair::funded(500_000);
    pair.add_and_run(Bob, 100_000, 1);
    pair.disconnect();
    let (alice, bob) = (pair.channel(Alice).local(), pair.channel(Bob).local());
    let mut terms = offer();
    spoil(&mut terms);
    pair.alice.channel = Channel::host(alice, bob, terms);
    pair.alice.channel.allow_adoption(allow);
    pair.clear();
    pair.connect();
    pair.run();
    pair
}

#[test]
fn a_host_that_lost_its_data_adopts_only_by_policy() {
    let mut pair = host_without_data(true, |_| {});
    assert_eq!(incoming(&pair.events(Alice)).len(), 0);
    pair.assert_in_agreement();
    assert_eq!(pair.balances(Bob).0, 400_000);

    let mut pair = host_without_data(false, |_| {});
    assert!(opening_failed(&pair.events(Alice)));
}

/// It may have carried them on before, so it must neither do that again nor fail them.
#[test]
fn a_host_acts_on_no_htlc_of_a_state_that_it_adopted() {
    let mut pair = host_without_data(true, |_| {});
    assert_eq!(pair.phases(), (Phase::Suspended, Phase::Suspended));
    let htlcs: Vec<_> = pair.channel(Alice).incoming_htlcs().collect();
    assert_eq!(htlcs.len(), 1);
    assert_eq!(htlcs[0].settlement, None);
    let events = pair.events(Alice);
    assert!(incoming(&events).is_empty(), "the HTLC must not be forwarded");
    assert_eq!((failed(&events), fulfilled(&events)), (vec![], vec![]));
    let settles = |name: &&str| name.starts_with("UpdateF");
    assert!(!pair.sent_by(Alice).iter().any(settles), "{:?}", pair.sent_by(Alice));
}

#[test]
fn a_host_that_adopts_a_state_without_htlcs_goes_on() {
    let mut pair = Pair::funded(500_000);
    pair.disconnect();
    let (alice, bob) = (pair.channel(Alice).local(), pair.channel(Bob).local());
    pair.alice.channel = Channel::host(alice, bob, offer());
    pair.alice.channel.allow_adoption(true);
    pair.connect();
    pair.run();
    assert_eq!(pair.phases(), (Phase::Active, Phase::Active));
    assert_eq!(pair.balances(Bob).0, 500_000);
}

/// An error would be kept by eclair's clients for good: they never show their state again.
#[test]
fn a_host_answers_no_error_to_a_state_that_it_signed_and_has_lost() {
    let mut pair = host_without_data(false, |_| {});
    assert!(pair.errors_sent(Alice).is_empty());
    let events = pair.events(Alice);
    assert!(opening_failed(&events));
    assert!(events.iter().any(|event| matches!(event, Output::Link(LinkEvent::Reconnect(_)))));
    assert!(events.iter().any(|event| matches!(event, Output::Evidence(_))));
    assert_ne!(pair.phases().1, Phase::Suspended);
    pair.disconnect();
    pair.alice.channel =
        Channel::host(pair.channel(Alice).local(), pair.channel(Bob).local(), offer());
    pair.alice.channel.allow_adoption(true);
    pair.connect();
    pair.run();
    pair.assert_in_agreement();
    assert_eq!(pair.balances(Bob).0, 400_000);
}

/// A host of another kind answers with code 0010. Its operator may take the channel back while
/// the connection lasts, and only a new one shows it.
#[test]
fn a_client_asks_a_host_that_has_forgotten_it_again_and_again() {
    let mut pair = Pair::funded(500_000);
    pair.reconnect();
    pair.clear();
    pair.deliver_named(Bob, "InvokeHostedChannel");
    let mut delay_ms = FORGOTTEN_RETRY_MS;
    for _ in 0..8 {
        let error = WireError {
            channel_id: pair.channel(Bob).channel_id(),
            data: b"0010 no such channel".to_vec(),
            tlvs: Vec::new(),
        };
        pair.give(Bob, LinkInput::Message(Message::Error(error)));
        assert_eq!(pair.phases().1, Phase::Syncing);
        pair.clear();
        pair.now_ms += delay_ms - 1;
        pair.give(Bob, LinkInput::Tick);
        assert_eq!(pair.events(Bob), []);
        pair.now_ms += 1;
        let outputs = pair.give(Bob, LinkInput::Tick);
        assert!(
            outputs.iter().any(|output| matches!(output, Output::Link(LinkEvent::Reconnect(_))))
        );
        delay_ms = (2 * delay_ms).min(MAX_FORGOTTEN_RETRY_MS);
        pair.disconnect();
        pair.connect();
    }
    pair.run();
    pair.assert_in_agreement();
}

/// What comes in the first moments of a connection may be lost: eclair listens before its plugin.
#[test]
fn an_invoke_that_nothing_answers_is_sent_again_before_the_connection_is_given_up() {
    let mut pair = Pair::funded(500_000);
    pair.reconnect();
    pair.lose(Bob);
    pair.clear();
    pair.advance_ms(REPEAT_INVOKE_MS - 1);
    assert_eq!(pair.sent_by(Bob), [""; 0]);
    pair.advance_ms(1);
    assert_eq!(pair.sent_by(Bob), ["InvokeHostedChannel"]);
    pair.run();
    pair.assert_in_agreement();
    pair.clear();
    pair.advance_ms(10 * REPEAT_INVOKE_MS);
    assert_eq!(pair.sent_by(Bob), [""; 0], "it was answered");
}

#[test]
fn a_host_adopts_no_state_beyond_its_offer() {
    let mut pair = host_without_data(true, |terms| terms.max_accepted_htlcs = 5);
    let events = pair.events(Alice);
    assert!(opening_failed(&events));
    assert!(events.iter().any(|event| matches!(event, Output::Evidence(_))));
}

#[test]
fn the_hosts_policy_is_taken_only_with_its_signature() {
    let mut pair = Pair::open();
    let mut policy = ChannelUpdate {
        signature: Signature::ZERO,
        chain_hash: [7; 32],
        short_channel_id: pair.channel(Bob).scid(),
        timestamp: 5,
        message_flags: 1,
        channel_flags: u8::from(pair.channel(Alice).local() > pair.channel(Bob).local()),
        cltv_expiry_delta: 144,
        htlc_minimum_msat: 1_000,
        fee_base_msat: 1_000,
        fee_proportional_millionths: 1_000,
        htlc_maximum_msat: Some(CAPACITY_MSAT),
        excess: vec![],
    };
    policy.sign(&pair.bob.key);
    pair.give(Alice, LinkInput::OwnPolicy(policy.clone()));
    pair.run();
    assert_eq!(pair.events(Bob), []);
    policy.sign(&pair.alice.key);
    pair.give(Alice, LinkInput::OwnPolicy(policy.clone()));
    pair.run();
    assert_eq!(pair.events(Bob), [Output::Link(LinkEvent::PeerPolicy(policy.clone()))]);
    pair.restart(Bob);
    assert_eq!(pair.channel(Bob).peer_policy(), Some(&policy));
}

#[test]
fn an_opening_whose_last_message_was_missed_is_no_lost_data() {
    let mut pair = Pair::open();
    pair.bob_loses_everything();
    assert_eq!(pair.phases(), (Phase::Active, Phase::Active));
    assert!(!pair.events(Bob).contains(&Output::DataLost));
}
