//! A host that goes on from an old copy: what it offered and the client's newer state has no more
//! (docs/recovery.md).

use steward_hosted::{Command, Output};
use steward_htlc::{DropCause, LinkEvent, LinkInput};
use steward_testkit::hosted::*;
use steward_wire::{LastCrossSignedState, Message, UpdateFulfillHtlc};

fn dropped(events: &[Output]) -> Vec<(u64, DropCause)> {
    let dropped = events.iter().filter_map(|event| match event {
        Output::Link(LinkEvent::HtlcDropped { id, cause }) => Some((*id, *cause)),
        _ => None,
    });
    dropped.collect()
}

/// The host goes on from a copy in which its HTLC is open, the client shows that it has ended. How,
/// nothing but its preimage tells: not its expiry, and not the balance that people agree on.
#[test]
fn an_htlc_that_ended_in_a_state_only_the_peer_has_is_not_called_dead() {
    for suspended_before in [false, true] {
        let mut pair = Pair::funded(5_000_000);
        let ended = pair.add_and_run(Alice, 1_000_000, 1);
        let open = pair.add_and_run(Alice, 2_000_000, 2);
        let old = pair.alice.disk.clone();
        pair.fulfill(Bob, ended, 1);
        pair.run();
        pair.alice.disk = old;
        pair.restart(Alice);
        if suspended_before {
            pair.command(Alice, Command::Suspend);
        }
        pair.clear();
        pair.connect();
        pair.run();
        assert_eq!(dropped(&pair.events(Alice)), [(ended, DropCause::NewerState)]);

        pair.restart(Alice);
        assert_eq!(pair.unresolved(Alice), 1);
        pair.connect();
        pair.run();
        pair.clear();
        let expired = pair.alice.height + 3_000;
        pair.set_height_of(Alice, expired);
        assert_eq!(dropped(&pair.events(Alice)), [(open, DropCause::Expired)]);
        if suspended_before {
            let fulfill = UpdateFulfillHtlc {
                channel_id: pair.channel(Alice).channel_id(),
                id: ended,
                preimage: preimage(1),
                tlvs: Vec::new(),
            };
            pair.give(Alice, LinkInput::Message(Message::UpdateFulfillHtlc(fulfill)));
            assert_eq!(fulfilled(&pair.events(Alice)), [ended]);
        }
        pair.set_height_of(Bob, expired);
        pair.clear();
        pair.command(Alice, Command::ProposeOverride { local_balance_msat: 1_000 });
        pair.run();
        pair.command(Bob, Command::AcceptOverride);
        pair.run();
        assert!(dropped(&pair.events(Alice)).is_empty());
        pair.assert_in_agreement();
    }
}

/// What the client shows the host, under both signatures, instead of its own state.
fn show(pair: &mut Pair, change: impl Fn(&mut LastCrossSignedState)) -> Vec<(u64, DropCause)> {
    let mut state = pair.state(Bob).clone();
    change(&mut state);
    state.local_sig_of_remote = state.sign_remote(&pair.node(Bob).key);
    let host_key = pair.node(Alice).key;
    state.remote_sig_of_local = state.reverse().sign_remote(&host_key);
    pair.reconnect();
    pair.clear();
    pair.deliver_named(Bob, "InvokeHostedChannel");
    pair.give(Alice, LinkInput::Message(Message::LastCrossSignedState(state)));
    pair.assert_suspended(Alice, true, Some(10));
    dropped(&pair.events(Alice))
}

/// A client may have our signature over its fail, not repeat the fail after a reconnection, and
/// show that state later: no reason to hold what others have offered us until people look at it.
#[test]
fn a_state_in_which_the_htlc_has_failed_holds_nothing() {
    const AMOUNT_MSAT: u64 = 1_000_000;
    let offered = || {
        let mut pair = Pair::funded(5_000_000);
        let id = pair.add_and_run(Alice, AMOUNT_MSAT, 1);
        (pair, id)
    };
    let fail = |state: &mut LastCrossSignedState| {
        state.incoming_htlcs.clear();
        state.remote_balance_msat += AMOUNT_MSAT;
        state.local_updates += 1;
    };
    let (mut pair, id) = offered();
    assert_eq!(show(&mut pair, fail), []);
    let expired = pair.alice.height + 3_000;
    pair.set_height_of(Alice, expired);
    assert_eq!(dropped(&pair.events(Alice)), [(id, DropCause::Expired)]);

    // Nor does one that is not ours of before and some updates more.
    let (mut pair, id) = offered();
    let other = pair.add_and_run(Alice, AMOUNT_MSAT / 2, 2);
    let before = pair.state(Bob).incoming_htlcs.clone();
    pair.fail(Bob, other);
    pair.run();
    let gone_otherwise = |state: &mut LastCrossSignedState| {
        state.incoming_htlcs = before.iter().filter(|add| add.id != id).cloned().collect();
        state.remote_balance_msat += AMOUNT_MSAT - AMOUNT_MSAT / 2;
        state.local_updates += 1;
    };
    assert_eq!(show(&mut pair, gone_otherwise), []);

    // Nor one of the same content, with the HTLC in the other list.
    let (mut pair, _) = offered();
    let turned_around =
        |state: &mut LastCrossSignedState| state.outgoing_htlcs.append(&mut state.incoming_htlcs);
    assert_eq!(show(&mut pair, turned_around), []);

    // One with an update of ours that we know nothing of shows a loss, whatever the balances are.
    let (mut pair, id) = offered();
    let lost = |state: &mut LastCrossSignedState| {
        fail(state);
        state.remote_updates += 1;
    };
    assert_eq!(show(&mut pair, lost), [(id, DropCause::NewerState)]);
}
