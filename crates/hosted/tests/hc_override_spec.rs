//! Override: the eclair plugin's HCOverrideSpec (docs/protocol.md section 8.4), and what we do better.

use steward_hosted::{Command, CommandRefusal, Output, Phase};
use steward_htlc::{DropCause, LinkEvent, LinkInput};
use steward_testkit::hosted::*;
use steward_wire::{Message, Signature, StateUpdate};

const NEW_HOST_BALANCE_MSAT: u64 = 9_999_899_999;

fn propose(pair: &mut Pair) -> Vec<Output> {
    pair.command(Alice, Command::ProposeOverride { local_balance_msat: NEW_HOST_BALANCE_MSAT })
}

fn suspend(pair: &mut Pair) {
    pair.command(Alice, Command::Suspend);
    pair.run();
    pair.clear();
}

fn assert_overridden(pair: &Pair) {
    assert_eq!(pair.phases(), (Phase::Active, Phase::Active));
    pair.assert_in_agreement();
    assert_eq!(pair.balances(Bob), (100_001, NEW_HOST_BALANCE_MSAT));
    assert_eq!(pair.channel(Alice).pending_override(), None);
    assert_eq!(pair.channel(Bob).pending_override(), None);
}

#[test]
fn line_20_proposing_and_accepting_are_refused_in_normal_operation() {
    let mut pair = Pair::open();
    let propose = Command::ProposeOverride { local_balance_msat: NEW_HOST_BALANCE_MSAT };
    assert_eq!(pair.try_command(Alice, propose), Err(CommandRefusal::NotSuspended));
    let accept = pair.try_command(Bob, Command::AcceptOverride);
    assert_eq!(accept, Err(CommandRefusal::NotSuspended));
    assert!(pair.sent.is_empty());
}

#[test]
fn line_33_a_proposal_without_a_signature_is_ignored_a_good_one_accepted() {
    let mut pair = Pair::open();
    suspend(&mut pair);
    propose(&mut pair);
    let Message::StateOverride(mut proposal) = pair.lose(Alice) else { panic!() };
    proposal.local_sig_of_remote = Signature::ZERO;
    pair.give(Bob, LinkInput::Message(Message::StateOverride(proposal)));
    let accept = pair.try_command(Bob, Command::AcceptOverride);
    assert_eq!(accept, Err(CommandRefusal::NoOverride));
    assert!(pair.on_wire(Bob).is_empty());

    propose(&mut pair);
    pair.run();
    let proposed = Output::OverrideProposed { our_balance_msat: 100_001 };
    assert!(pair.events(Bob).contains(&proposed));
    pair.command(Bob, Command::AcceptOverride);
    pair.run();
    assert_overridden(&pair);
    assert_eq!(pair.events(Alice), [Output::Overridden, Output::Link(LinkEvent::Active)]);
    assert_eq!(pair.sent_by(Bob), ["StateUpdate"]);
    pair.pay(Alice, 5_000, 1);
    pair.assert_in_agreement();
}

#[test]
fn an_acceptance_of_another_day_is_refused_and_the_right_one_counts() {
    let mut pair = Pair::open();
    suspend(&mut pair);
    propose(&mut pair);
    pair.run();
    pair.command(Bob, Command::AcceptOverride);
    let Message::StateUpdate(right) = pair.lose(Bob) else { panic!() };
    let other = StateUpdate { block_day: right.block_day + 1, ..right };
    pair.give(Alice, LinkInput::Message(Message::StateUpdate(other)));
    let Message::Error(error) = pair.lose(Alice) else { panic!() };
    assert_eq!(error.data, b"Override blockday is not acceptable");
    assert_eq!(pair.channel(Alice).phase(), Phase::Suspended);
    pair.give(Alice, LinkInput::Message(Message::StateUpdate(right)));
    assert_overridden(&pair);
}

#[test]
fn line_69_a_proposal_made_offline_is_sent_after_the_clients_error() {
    let mut pair = Pair::funded(500_000);
    let of_bob = pair.add_and_run(Bob, 200_000, 1);
    suspend(&mut pair);
    pair.disconnect();
    propose(&mut pair);
    assert!(pair.sent.is_empty());
    pair.restart(Alice);
    pair.connect();
    pair.run();
    assert_eq!(pair.sent_by(Bob), ["Error"]);
    assert_eq!(pair.sent_by(Alice), ["StateOverride"]);
    pair.clear();
    pair.command(Bob, Command::AcceptOverride);
    let events = pair.events(Bob);
    assert_eq!(
        events[0],
        Output::Link(LinkEvent::HtlcDropped { id: of_bob, cause: DropCause::Override })
    );
    assert_eq!(dropped(&events), [of_bob]);
    pair.run();
    assert_overridden(&pair);
}

#[test]
fn line_113_a_fulfill_after_the_time_out_is_refused_and_kept() {
    let mut pair = Pair::open();
    let id = pair.add_and_run(Alice, 100_001, 1);
    suspend(&mut pair);
    pair.set_height_of(Alice, HEIGHT + CLTV_DELTA + 1);
    assert_eq!(dropped(&pair.events(Alice)), [id]);
    pair.fulfill(Bob, id, 1);
    pair.run();
    let events = pair.events(Alice);
    assert!(matches!(&events[..], [Output::Evidence(e), ..] if e.message_type == 63503));
    assert!(fulfilled(&events).is_empty());
    // Alice's days went on; Bob need not agree on the day to accept.
    propose(&mut pair);
    pair.run();
    pair.command(Bob, Command::AcceptOverride);
    pair.run();
    assert_overridden(&pair);
    assert!(dropped(&pair.events(Alice)).is_empty());
}

#[test]
fn line_151_a_fulfill_while_suspended_is_not_settled_again_by_the_override() {
    let mut pair = Pair::open();
    let id = pair.add_and_run(Alice, 100_001, 1);
    suspend(&mut pair);
    pair.fulfill(Bob, id, 1);
    pair.run();
    assert_eq!(fulfilled(&pair.events(Alice)), [id]);
    propose(&mut pair);
    pair.run();
    pair.command(Bob, Command::AcceptOverride);
    pair.run();
    assert_overridden(&pair);
    assert_eq!(pair.events(Alice), [Output::Overridden, Output::Link(LinkEvent::Active)]);
}

#[test]
fn line_184_a_client_that_does_not_know_the_hosts_error_hears_it_after_the_state() {
    let mut pair = Pair::open();
    pair.disconnect();
    pair.command(Alice, Command::Suspend);
    propose(&mut pair);
    pair.clear();
    pair.connect();
    pair.run();
    // We send the proposal along, E only at the next connection (section 9.2, 27).
    assert_eq!(pair.sent_by(Alice), ["LastCrossSignedState", "Error", "StateOverride"]);
    pair.assert_suspended(Bob, false, Some(8));
    pair.command(Bob, Command::AcceptOverride);
    pair.run();
    assert_overridden(&pair);
}

#[test]
fn an_acceptance_that_got_lost_is_made_good_by_reconnecting() {
    let mut pair = Pair::open();
    suspend(&mut pair);
    propose(&mut pair);
    pair.run();
    pair.command(Bob, Command::AcceptOverride);
    pair.lose(Bob);
    assert_eq!(pair.phases(), (Phase::Suspended, Phase::Active));
    pair.reconnect();
    pair.run();
    assert_overridden(&pair);
}

#[test]
fn a_host_takes_the_acceptance_from_the_clients_state() {
    let mut pair = Pair::open();
    suspend(&mut pair);
    propose(&mut pair);
    pair.run();
    pair.command(Bob, Command::AcceptOverride);
    pair.lose(Bob);
    pair.reconnect();
    pair.deliver_named(Bob, "InvokeHostedChannel");
    pair.deliver_named(Alice, "LastCrossSignedState");
    // What is not signed in it must stay as the host knows it.
    let Message::LastCrossSignedState(mut state) = pair.lose(Bob) else { panic!() };
    state.init_hosted_channel.max_accepted_htlcs = 400;
    pair.give(Alice, LinkInput::Message(Message::LastCrossSignedState(state)));
    assert_eq!(pair.phases().0, Phase::Active);
    assert_eq!(pair.state(Alice).init_hosted_channel, offer());
    pair.run();
    assert_overridden(&pair);
}

#[test]
fn another_balance_is_proposed_with_higher_counters() {
    let mut pair = Pair::open();
    suspend(&mut pair);
    pair.command(Alice, Command::ProposeOverride { local_balance_msat: 1 });
    let first = *pair.channel(Alice).pending_override().unwrap();
    propose(&mut pair);
    let second = *pair.channel(Alice).pending_override().unwrap();
    assert!(second.local_updates > first.local_updates);
    propose(&mut pair);
    assert_eq!(*pair.channel(Alice).pending_override().unwrap(), second);
}

#[test]
fn an_override_exceeds_every_counter_seen() {
    let mut pair = Pair::funded(500_000);
    pair.add(Bob, 100_000, 1);
    pair.deliver_named(Bob, "UpdateAddHtlc");
    suspend(&mut pair);
    propose(&mut pair);
    let proposal = *pair.channel(Alice).pending_override().unwrap();
    let state = pair.state(Alice);
    assert_eq!(proposal.local_updates, state.local_updates + 1);
    assert_eq!(proposal.remote_updates, state.remote_updates + 2);
}

#[test]
fn waiting_settlements_end_with_the_override() {
    let mut pair = Pair::open();
    let id = pair.add_and_run(Alice, 100_001, 1);
    suspend(&mut pair);
    pair.fail(Bob, id);
    propose(&mut pair);
    pair.run();
    pair.clear();
    pair.command(Bob, Command::AcceptOverride);
    assert!(pair.events(Bob).contains(&Output::Link(LinkEvent::SettlementRecorded { id })));
}

#[test]
fn an_htlc_sent_right_after_the_acceptance_survives_the_hosts_late_error() {
    let mut pair = Pair::open();
    suspend(&mut pair);
    propose(&mut pair);
    pair.run();
    pair.command(Bob, Command::AcceptOverride);
    let id = pair.add(Bob, 50_000, 1).unwrap();
    // The host repeats its error and proposal while the acceptance is on its way.
    let proposal = *pair.channel(Alice).pending_override().unwrap();
    let late_error = steward_wire::WireError {
        channel_id: pair.channel(Alice).channel_id(),
        data: b"0008".to_vec(),
        tlvs: vec![],
    };
    pair.give(Bob, LinkInput::Message(Message::Error(late_error)));
    pair.give(Bob, LinkInput::Message(Message::StateOverride(proposal)));
    let events = pair.events(Bob);
    assert!(dropped(&events).is_empty());
    assert!(matches!(events.last(), Some(Output::Link(LinkEvent::Reconnect(_)))));
    pair.reconnect();
    pair.run();
    assert_eq!(incoming(&pair.events(Alice)), [id]);
}

#[test]
fn a_client_that_is_suspended_again_still_tells_that_it_had_accepted() {
    let mut pair = Pair::open();
    suspend(&mut pair);
    propose(&mut pair);
    pair.run();
    pair.command(Bob, Command::AcceptOverride);
    pair.lose(Bob);
    pair.command(Bob, Command::Suspend);
    pair.reconnect();
    pair.run();
    assert_eq!(*pair.state(Alice), pair.state(Bob).reverse());
    assert_eq!(pair.phases(), (Phase::Suspended, Phase::Suspended));
    // The host can go on from there.
    propose(&mut pair);
    pair.run();
    pair.command(Bob, Command::AcceptOverride);
    pair.run();
    assert_overridden(&pair);
}

#[test]
fn what_the_host_repeats_before_it_knows_of_the_acceptance_does_no_harm() {
    let mut pair = Pair::funded(500_000);
    let id = pair.add_and_run(Bob, 100_000, 1);
    suspend(&mut pair);
    pair.fulfill(Alice, id, 1);
    propose(&mut pair);
    pair.run();
    pair.command(Bob, Command::AcceptOverride);
    pair.restart(Bob); // The acceptance is stored and was never sent.
    pair.clear();
    pair.connect();
    pair.run();
    assert!(!pair.events(Bob).iter().any(|event| matches!(event, Output::Evidence(_))));
    assert_overridden(&pair);
}

#[test]
fn a_host_whose_chain_is_behind_proposes_no_earlier_day_than_was_signed() {
    let mut pair = Pair::funded(500_000);
    pair.set_height_of(Bob, HEIGHT + 144);
    pair.add_and_run(Bob, 100_000, 1);
    suspend(&mut pair);
    propose(&mut pair);
    let signed_day = pair.state(Alice).block_day;
    assert!(pair.channel(Alice).pending_override().unwrap().block_day >= signed_day);
}

/// A host from an older copy sees a state that it cannot take, and the client says no more than
/// its error from then on, as eclair does.
#[test]
fn a_host_whose_copy_is_many_updates_old_proposes_what_the_client_can_accept() {
    let mut pair = Pair::funded(5_000_000);
    let old = pair.alice.disk.clone();
    for seed in 10..16 {
        pair.pay(Bob, 10_000, seed);
    }
    let (balance_msat, _) = pair.balances(Bob);
    pair.alice.disk = old;
    pair.restart(Alice);
    pair.clear();
    pair.connect();
    pair.run();
    pair.assert_suspended(Alice, true, Some(10));
    let local_balance_msat = CAPACITY_MSAT - balance_msat;
    pair.command(Alice, Command::ProposeOverride { local_balance_msat });
    pair.run();
    assert_eq!(pair.channel(Bob).override_balance_msat(), Some(balance_msat));
    pair.command(Bob, Command::AcceptOverride);
    pair.run();
    pair.assert_in_agreement();
}

/// The proposal was made before the client, suspended all the time, showed how far it is.
#[test]
fn a_proposal_that_the_client_turns_out_to_be_past_is_made_again() {
    let mut pair = Pair::funded(5_000_000);
    let old = pair.alice.disk.clone();
    for seed in 10..16 {
        pair.pay(Bob, 10_000, seed);
    }
    pair.alice.disk = old;
    pair.restart(Alice);
    pair.command(Alice, Command::Suspend);
    pair.command(Alice, Command::ProposeOverride { local_balance_msat: 1_000 });
    let too_low = pair.channel(Alice).pending_override().unwrap().local_updates;
    pair.clear();
    pair.connect();
    pair.run();
    assert!(pair.channel(Alice).pending_override().unwrap().local_updates > too_low);
    assert_eq!(pair.channel(Bob).override_balance_msat(), Some(CAPACITY_MSAT - 1_000));
}

/// The host has heard of a resize, which its operator does not see. It is the host's, also in a
/// proposal that is made again since the client turns out to be past the first.
#[test]
fn what_a_resize_adds_is_the_hosts_in_a_proposal_that_is_made_again_too() {
    let mut pair = Pair::funded(5_000_000);
    let new_capacity_sat = 2 * CAPACITY_MSAT / 1_000;
    pair.command(Bob, Command::Resize { new_capacity_sat });
    pair.deliver_named(Bob, "ResizeChannel");
    let old = pair.alice.disk.clone();
    pair.run();
    for seed in 10..16 {
        pair.pay(Bob, 10_000, seed);
    }
    pair.alice.disk = old;
    pair.restart(Alice);
    pair.command(Alice, Command::Suspend);
    pair.command(Alice, Command::ProposeOverride { local_balance_msat: CAPACITY_MSAT - 1_000 });
    let first = *pair.channel(Alice).pending_override().unwrap();
    pair.command(Alice, Command::ProposeOverride { local_balance_msat: CAPACITY_MSAT - 1_000 });
    assert_eq!(pair.channel(Alice).pending_override(), Some(&first));
    pair.clear();
    pair.connect();
    pair.run();
    assert!(pair.channel(Alice).pending_override().unwrap().local_updates > first.local_updates);
    assert_eq!(pair.channel(Bob).override_balance_msat(), Some(1_000));
    pair.command(Bob, Command::AcceptOverride);
    pair.run();
    pair.assert_in_agreement();
    assert_eq!(pair.balances(Bob), (1_000, 2 * CAPACITY_MSAT - 1_000));
}

#[test]
fn a_balance_above_the_signed_capacity_is_not_proposed_during_a_resize_either() {
    let mut pair = Pair::funded(5_000_000);
    pair.command(Bob, Command::Resize { new_capacity_sat: 2 * CAPACITY_MSAT / 1_000 });
    pair.deliver_named(Bob, "ResizeChannel");
    pair.command(Alice, Command::Suspend);
    for local_balance_msat in [CAPACITY_MSAT + 1, u64::MAX] {
        let refused = Err(CommandRefusal::BalanceTooHigh);
        assert_eq!(
            pair.try_command(Alice, Command::ProposeOverride { local_balance_msat }),
            refused
        );
    }
}
