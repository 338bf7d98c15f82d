//! How a channel ends: by agreement, at a deadline, by an error, after lost data; and that one which
//! has to end signs and revokes nothing any more.

mod opponent;

use bitcoin::Transaction;
use opponent::world::{DELTA, End, World, built, terms};
use steward_funded::bolt3::Side;
use steward_funded::{Channel, CloseReason, Input, Output, Phase, Resolve, Spend};
use steward_htlc::{AddRefusal, LinkEvent, LinkInput};
use steward_wire::{ChannelMessage, Preimage, ShortChannelId};

fn ldk_closes(world: &mut World) {
    let id = world.ldk.channel().unwrap().channel_id;
    world.ldk.manager.close_channel(&id, &world.ldk.us).unwrap();
    world.collect();
}

fn close_of(world: &World) -> Transaction {
    let closes: Vec<&Transaction> = world
        .outputs
        .iter()
        .filter_map(|output| match output {
            Output::PublishClose(transaction) => Some(transaction),
            _ => None,
        })
        .collect();
    (*closes.last().expect("a close is signed")).clone()
}

fn check_close(world: &mut World) {
    let close = close_of(world);
    let published = world.ldk.published.0.lock().unwrap().clone();
    let theirs = published.iter().find(|tx| tx.compute_txid() == close.compute_txid());
    let theirs = theirs.expect("LDK publishes the same close");
    assert_eq!(theirs.input[0].witness, close.input[0].witness, "both signatures are in place");
    let ours = &terms().shutdown_script;
    assert!(close.output.iter().any(|output| output.script_pubkey.as_bytes() == ours));
    world.block(std::slice::from_ref(&close));
    assert_eq!(world.channel().closes(), std::slice::from_ref(&close), "also after a restart");
    let outputs = world.input(Input::FundingSpent { transaction: close.clone() });
    assert!(outputs.contains(&Output::ClosedByAgreement(close.compute_txid())));
    assert!(world.resolves().is_empty());
}

#[test]
fn ldk_closes_and_both_publish_the_same_transaction() {
    let mut world = World::open(1);
    ldk_closes(&mut world);
    world.pump();
    check_close(&mut world);
}

#[test]
fn we_close_while_htlcs_are_on_their_way_and_they_end_first() {
    let mut world = World::open(2);
    world.ldk_pays(30_000_000);
    world.we_pay(20_000_000, true);
    world.pump();
    world.input(Input::Shutdown);
    world.pump();
    assert_eq!(world.phase(), Phase::ShuttingDown);
    assert!(world.outputs.iter().all(|output| !matches!(output, Output::PublishClose(_))));
    let token = world.we_pay(1_000_000, true);
    assert_eq!(world.ours[&token].1, End::Refused, "nothing is added any more");
    while !world.incoming.is_empty() || !world.claimable.is_empty() {
        world.settle_one();
        world.pump();
    }
    check_close(&mut world);
}

#[test]
fn a_close_that_a_reorganisation_undoes_does_not_hide_a_revoked_commitment() {
    let mut world = World::open(3);
    world.ldk_pays(30_000_000);
    world.finish();
    ldk_closes(&mut world);
    world.pump();
    check_close(&mut world);
    world.reload();
    let transaction = archived(&world, 0);
    world.input(Input::FundingSpent { transaction: transaction.clone() });
    let spend = Spend::Revoked(0);
    assert_eq!(world.resolves(), [&Resolve::Seen { transaction, spend }]);
    assert_eq!(world.channel().closes().len(), 1, "the close can be published again");
}

#[test]
fn a_close_survives_a_kill_after_any_message() {
    for cut in 0..8 {
        let mut world = World::open(10 + cut);
        world.ldk_pays(30_000_000);
        world.pump();
        if cut % 2 == 0 {
            ldk_closes(&mut world)
        } else {
            drop(world.input(Input::Shutdown))
        }
        for _ in 0..cut {
            world.deliver_one();
        }
        world.restart();
        if world.ldk.channel().is_some() {
            world.connect();
            while !world.incoming.is_empty() {
                world.settle_one();
            }
            world.pump();
        }
        check_close(&mut world);
    }
}

fn blocks_until(world: &mut World, height: u32) -> Vec<Output> {
    let mut outputs = Vec::new();
    while world.height < height {
        outputs.extend(world.block(&[]));
    }
    outputs
}

fn is_published(outputs: &[Output]) -> bool {
    outputs.contains(&Output::Resolve(Resolve::Publish))
}

#[test]
fn an_incoming_htlc_that_we_claim_is_taken_to_the_chain_36_blocks_before_its_expiry() {
    let mut world = World::open(3);
    world.ldk_pays(30_000_000);
    world.pump();
    let (id, add) = world.incoming.clone().pop_first().unwrap();
    let preimage = world.preimages[&add.payment_hash];
    world.answer(id, Some(preimage), opponent::world::failure());
    world.to_ldk.clear();
    world.disconnect();
    assert!(!is_published(&blocks_until(&mut world, add.cltv_expiry - 37)));
    let outputs = blocks_until(&mut world, add.cltv_expiry - 36);
    assert!(is_published(&outputs), "{outputs:?}");
    assert!(outputs.contains(&Output::Closing(CloseReason::IncomingAtRisk { id })));
    assert_eq!(world.channel().defence().unwrap().preimages, [preimage]);
    // The decision is durable, and is taken once.
    world.reload();
    assert!(world.channel().ending().unwrap().is_published);
    assert!(!is_published(&blocks_until(&mut world, add.cltv_expiry + 10)));
}

#[test]
fn an_htlc_without_an_answer_is_reported_and_closes_nothing() {
    let mut world = World::open(3);
    world.ldk_pays(30_000_000);
    world.pump();
    let (id, add) = world.incoming.clone().pop_first().unwrap();
    let before = blocks_until(&mut world, add.cltv_expiry - 7);
    assert!(!before.iter().any(|output| matches!(output, Output::Unanswered { .. })));
    let outputs = blocks_until(&mut world, add.cltv_expiry - 4);
    let unanswered = Output::Unanswered { id, cltv_expiry: add.cltv_expiry };
    assert_eq!(outputs.iter().filter(|output| **output == unanswered).count(), 1);
    assert!(world.channel().ending().is_none());
}

#[test]
fn an_outgoing_htlc_is_taken_to_the_chain_3_blocks_after_its_expiry() {
    let mut world = World::open(4);
    world.we_pay(30_000_000, true);
    world.pump();
    let expiry = world.channel().outgoing_htlcs().next().unwrap().htlc.cltv_expiry;
    world.disconnect();
    assert!(!is_published(&blocks_until(&mut world, expiry + 2)));
    let outputs = blocks_until(&mut world, expiry + 3);
    assert!(is_published(&outputs));
    assert!(outputs.contains(&Output::Closing(CloseReason::OutgoingExpired { id: 0 })));
}

#[test]
fn a_peer_that_does_not_close_after_an_error_is_waited_for_six_blocks() {
    let mut world = World::open(5);
    world.input(Input::Message(ChannelMessage::Error(steward_wire::WireError {
        channel_id: world.channel().channel_id(),
        data: b"sync error".to_vec(),
        tlvs: Vec::new(),
    })));
    let at = world.height;
    world.disconnect();
    assert!(!is_published(&blocks_until(&mut world, at + 5)));
    assert!(is_published(&blocks_until(&mut world, at + 6)));
}

/// The database as it was before a payment, and the world after it.
fn with_old_database() -> (World, Channel) {
    let mut world = World::open(6);
    world.ldk_pays(10_000_000);
    world.finish();
    let old = world.database.clone();
    world.ldk_pays(20_000_000);
    world.we_pay(5_000_000, true);
    world.finish();
    let record = old.record.clone().unwrap();
    let rows = old.rows.iter().map(|(key, row)| (*key, row.as_slice()));
    let channel = Channel::from_record(&record, rows).unwrap();
    world.disconnect();
    (world, channel)
}

#[test]
fn an_old_record_is_never_published_and_ldk_closes_instead() {
    let (mut world, old) = with_old_database();
    let rows = world.database.rows.clone();
    assert!(rows.is_empty());
    world.database.record = old.record();
    world.channel = Some(old);
    world.input(Input::Restored);
    world.connect();
    world.pump();
    assert!(world.outputs.contains(&Output::DataLost));
    assert_eq!(world.channel().ending().unwrap().reason, CloseReason::DataLost);
    world.reload();
    // Not after time, not if an operator wants it.
    let later = world.height + 300;
    assert!(!is_published(&blocks_until(&mut world, later)));
    world.input(Input::ForceClose { is_current: true });
    assert!(world.resolves().is_empty());
    // LDK closes at our error.
    assert!(world.ldk_closed());
    // Its commitment is newer than all that the old record knows.
    let newest = *world.database.archive.last_key_value().unwrap().0;
    let transaction = archived(&world, newest);
    world.input(Input::FundingSpent { transaction: transaction.clone() });
    let spend = Spend::Newer(newest);
    assert_eq!(world.resolves(), [&Resolve::Seen { transaction, spend }]);
}

/// A commitment of LDK's, built from its archived row.
fn archived(world: &World, number: u64) -> Transaction {
    let row = &world.database.archive[&number];
    let archived = steward_funded::ArchivedCommitment::decode(row).unwrap();
    let built = steward_funded::bolt3::Commitment {
        parameters: &world.channel().defence().unwrap().parameters,
        owner: Side::Remote,
        number,
        point: archived.point,
        contents: &archived.contents,
    }
    .build();
    let outputs: Vec<Option<u32>> = built.htlcs().iter().map(|(_, output)| *output).collect();
    assert_eq!(outputs, archived.outputs);
    built.transaction()
}

#[test]
fn a_restored_record_is_not_published_before_the_peer_proves_it_current() {
    let mut world = World::open(7);
    world.we_pay(30_000_000, true);
    world.pump();
    let expiry = world.channel().outgoing_htlcs().next().unwrap().htlc.cltv_expiry;
    world.disconnect();
    world.reload();
    world.input(Input::Restored);
    world.reload();
    let outputs = blocks_until(&mut world, expiry + 20);
    assert!(outputs.contains(&Output::Closing(CloseReason::OutgoingExpired { id: 0 })));
    assert!(!is_published(&outputs), "it may be an old copy");
    let outputs = world.input(Input::ForceClose { is_current: false });
    assert!(!is_published(&outputs));
    let outputs = world.input(Input::ForceClose { is_current: true });
    assert!(is_published(&outputs), "the operator has sworn it");
}

#[test]
fn a_restored_record_is_as_good_as_any_once_the_peer_has_proved_it() {
    let mut world = World::open(8);
    world.disconnect();
    world.reload();
    world.input(Input::Restored);
    world.connect();
    world.pump();
    assert_eq!(world.phase(), Phase::Active);
    assert!(is_published(&world.input(Input::ForceClose { is_current: false })));
}

#[test]
fn ldk_closes_when_we_ask_for_it() {
    for is_connected in [true, false] {
        let mut world = World::open(9);
        world.pump();
        if is_connected {
            world.input(Input::ForceClose { is_current: false });
        } else {
            world.disconnect();
            world.input(Input::ForceClose { is_current: false });
            world.connect();
        }
        for _ in 0..4 {
            world.deliver_one();
        }
        assert!(world.ldk_closed(), "{is_connected}");
    }
}

#[test]
fn after_a_force_close_a_fulfill_goes_to_the_resolver_and_adds_are_refused() {
    let mut world = World::open(10);
    world.ldk_pays(30_000_000);
    world.pump();
    world.input(Input::ForceClose { is_current: false });
    let (id, add) = world.incoming.clone().pop_first().unwrap();
    let preimage = world.preimages[&add.payment_hash];
    world.answer(id, Some(preimage), opponent::world::failure());
    assert!(world.outputs.contains(&Output::ResolverPreimage(preimage)));
    assert_eq!(world.channel().defence().unwrap().preimages, [preimage]);
    let token = world.we_pay(1_000_000, true);
    assert_eq!(world.ours[&token].1, End::Refused);
    let sent = world.input(Input::Link(LinkInput::Flush));
    assert!(sent.is_empty(), "{sent:?}");
}

#[test]
fn on_chain_ends_of_our_htlcs_are_reported_and_a_known_preimage_wins() {
    let mut world = World::open(11);
    world.we_pay(30_000_000, true);
    world.we_pay(31_000_000, true);
    world.pump();
    world.input(Input::ForceClose { is_current: false });
    let outputs = world.input(Input::Resolved { id: 0, preimage: None });
    assert_eq!(outputs, [Output::FailedOnChain { id: 0 }]);
    let (_, preimage) = world.claimable[1];
    let preimage = Preimage(preimage.unwrap().0);
    let wrong = world.input(Input::Resolved { id: 1, preimage: Some(Preimage([9; 32])) });
    assert!(wrong.is_empty());
    let outputs = world.input(Input::Resolved { id: 1, preimage: Some(preimage) });
    let fulfilled =
        outputs.iter().any(|o| matches!(o, Output::Link(LinkEvent::HtlcFulfilled { id: 1, .. })));
    assert!(fulfilled);
    assert!(world.input(Input::Resolved { id: 1, preimage: None }).is_empty());
}

#[test]
fn each_commitment_is_known_for_what_it_is() {
    let mut world = World::open(12);
    world.ldk_pays(30_000_000);
    world.pump();
    let defence = world.channel().defence().unwrap();
    let ours = built(&world.signer, &defence).transaction();
    let current = defence.remote[0].number;
    assert!(current > 0);
    let expected = [
        (ours, Spend::Local),
        (archived(&world, current), Spend::Remote(current)),
        (archived(&world, 0), Spend::Revoked(0)),
    ];
    for (transaction, spend) in expected {
        let mut channel = world.channel().clone();
        let input = Input::FundingSpent { transaction: transaction.clone() };
        let outputs = world.with_env(|env| channel.handle(env, input));
        assert!(outputs.contains(&Output::Resolve(Resolve::Seen { transaction, spend })));
        assert!(!channel.ending().unwrap().is_published);
    }
    let mut channel = world.channel().clone();
    let transaction = world.ldk.funding_transaction(bitcoin::ScriptBuf::new(), 1);
    let input = Input::FundingSpent { transaction };
    assert!(world.with_env(|env| channel.handle(env, input)).is_empty(), "it is another output");
}

#[test]
fn a_funding_that_never_confirms_is_forgotten_and_a_wrong_one_is_an_error() {
    let mut world = World::opening(13);
    world.pump();
    assert_eq!(world.phase(), Phase::Funding);
    let mut wrong = world.channel().clone();
    let scid = ShortChannelId(1);
    let input = Input::FundingDepth { depth: 6, scid, is_ours: false, is_coinbase: false };
    let outputs = world.with_env(|env| wrong.handle(env, input));
    assert!(outputs.contains(&Output::Closing(CloseReason::WrongFunding)));
    let deadline = world.height + 2_016;
    world.height = deadline;
    assert!(world.input(Input::Link(LinkInput::Block)).is_empty());
    world.height += 1;
    let outputs = world.input(Input::Link(LinkInput::Block));
    assert!(matches!(outputs[..], [Output::OpeningFailed(_)]));
}

#[test]
fn a_funding_that_was_seen_is_never_forgotten_and_one_that_was_not_has_nothing_to_publish() {
    let mut world = World::opening(13);
    world.pump();
    let mut seen = world.channel().clone();
    let scid = ShortChannelId(1);
    let mut deep = |depth| {
        let input = Input::FundingDepth { depth, scid, is_ours: true, is_coinbase: false };
        let outputs = world.with_env(|env| seen.handle(env, input));
        outputs.iter().any(|o| matches!(o, Output::Send(ChannelMessage::ChannelReady(_))))
    };
    assert!(!deep(1) && !deep(2), "it is not deep enough");
    let mut ready = world.channel().clone();
    let input = Input::FundingDepth { depth: 3, scid, is_ours: true, is_coinbase: false };
    let outputs = world.with_env(|env| ready.handle(env, input));
    assert!(outputs.iter().any(|o| matches!(o, Output::Send(ChannelMessage::ChannelReady(_)))));
    world.height += 5_000;
    assert!(world.with_env(|env| seen.handle(env, Input::Link(LinkInput::Block))).is_empty());
    world.height -= 5_000;
    world.input(Input::Message(ChannelMessage::Error(steward_wire::WireError {
        channel_id: world.channel().channel_id(),
        data: b"unknown channel".to_vec(),
        tlvs: Vec::new(),
    })));
    world.height += 100;
    assert!(!is_published(&world.input(Input::Link(LinkInput::Block))));
}

#[test]
fn an_opening_that_breaks_before_funding_signed_is_forgotten() {
    let mut world = World::opening(14);
    let outputs = {
        let mut channel = world.channel.take().unwrap();
        world.with_env(|env| channel.handle(env, Input::Link(LinkInput::Disconnected)))
    };
    assert!(matches!(outputs[..], [Output::OpeningFailed(_)]));
}

#[test]
fn a_kill_between_funding_signed_and_channel_ready_loses_nothing() {
    for is_early in [true, false] {
        let mut world = World::opening(15);
        world.pump();
        if is_early {
            world.restart();
            world.confirm(6);
            world.connect();
        } else {
            world.confirm(6);
            world.to_ldk.clear();
            world.restart();
            world.connect();
        }
        world.pump();
        assert_eq!(world.phase(), Phase::Active);
        world.ldk_pays(10_000_000);
        world.finish();
    }
}

#[test]
fn a_reorganised_funding_stops_htlcs_until_it_is_back() {
    let mut world = World::open(16);
    world.input(Input::FundingReorged);
    assert!(!world.is_active);
    let token = world.we_pay(1_000_000, true);
    assert_eq!(world.ours[&token].1, End::Refused);
    let scid = ShortChannelId(7 << 40);
    world.input(Input::FundingDepth { depth: 3, scid, is_ours: true, is_coinbase: false });
    assert!(world.is_active);
}

fn refusal(world: &World) -> Option<AddRefusal> {
    world.outputs.iter().rev().find_map(|output| match output {
        Output::Link(LinkEvent::HtlcRefused { reason, .. }) => Some(*reason),
        _ => None,
    })
}

#[test]
fn our_adds_keep_the_reserve_and_the_peers_limits() {
    let mut world = World::open(17);
    // LDK makes us keep 1 %, and lets a quarter of the channel be in flight.
    world.we_pay(249_000_000, true);
    world.we_pay(1_500_000, true);
    world.flush();
    let Some(AddRefusal::TooMuchInFlight { maximum_msat }) = refusal(&world) else {
        panic!("{:?}", refusal(&world));
    };
    assert_eq!(maximum_msat, 250_000_000);
    world.finish();
    world.outputs.clear();
    let mut world = World::open(18);
    while world.channel().summary().unwrap().local_balance_msat > 100_000_000 {
        world.we_pay(90_000_000, true);
        world.finish();
    }
    let spendable = world.channel().summary().unwrap().spendable_msat;
    world.we_pay(spendable + 1, true);
    world.flush();
    assert_eq!(refusal(&world), Some(AddRefusal::InsufficientBalance { missing_msat: 1 }));
    world.finish();
}

#[test]
fn dust_is_limited_both_ways() {
    let mut world = World::open(19);
    // 353 sat each: 141 of them are 50 000 sat, more than we have slots for, so they pile up in
    // both directions.
    for _ in 0..50 {
        world.we_pay(353_000, true);
        world.ldk_pays(353_000);
    }
    world.pump();
    let summary = world.channel().summary().unwrap();
    assert!(summary.outgoing_htlcs <= 50 && summary.incoming_htlcs <= 30);
    let dust = u64::from(summary.outgoing_htlcs + summary.incoming_htlcs) * 353_000;
    assert!(dust <= 50_000_000);
    world.finish();
}

#[test]
fn an_htlc_whose_expiry_comes_while_it_waits_is_refused() {
    let mut world = World::open(21);
    for _ in 0..52 {
        world.we_pay(400_000, true);
    }
    world.pump();
    world.height += DELTA;
    while !world.claimable.is_empty() && refusal(&world).is_none() {
        world.settle_one();
        world.pump();
    }
    assert_eq!(refusal(&world), Some(AddRefusal::ExpiryTooSoon));
}

#[test]
fn a_peer_that_does_not_answer_is_connected_again() {
    let hangs_up = |outputs: &[Output]| {
        outputs.iter().any(|o| matches!(o, Output::Link(LinkEvent::Reconnect(_))))
    };
    let tick = |world: &World, channel: &mut Channel, now_ms: u64| {
        world.with_env(|env| {
            let env = steward_funded::Env { now_ms, ..*env };
            channel.handle(&env, Input::Link(LinkInput::Tick))
        })
    };
    let mut world = World::open(22);
    world.we_pay(400_000, true);
    world.flush();
    let mut channel = world.channel().clone();
    assert!(!hangs_up(&tick(&world, &mut channel, 59_999)));
    assert!(hangs_up(&tick(&world, &mut channel, 60_000)), "no revoke_and_ack");
    assert!(!hangs_up(&tick(&world, &mut channel, 200_000)), "once");
    world.pump();
    let mut channel = world.channel().clone();
    assert!(!hangs_up(&tick(&world, &mut channel, 60_000)), "it has answered");
    world.disconnect();
    assert!(!hangs_up(&tick(&world, &mut world.channel().clone(), 60_000)), "it is not there");
    world.connect();
    let mut channel = world.channel().clone();
    assert!(hangs_up(&tick(&world, &mut channel, 60_000)), "no channel_reestablish");
}

#[test]
fn an_htlc_waits_for_a_slot_and_is_refused_when_its_time_is_up() {
    let mut world = World::open(20);
    for _ in 0..52 {
        world.we_pay(400_000, true);
    }
    world.pump();
    let sent = world.channel().summary().unwrap().outgoing_htlcs;
    assert_eq!(sent, 50, "LDK accepts 50");
    assert_eq!(refusal(&world), None);
    world.now_ms += 59_999;
    world.input(Input::Link(LinkInput::Tick));
    assert_eq!(refusal(&world), None);
    world.now_ms += 1;
    world.input(Input::Link(LinkInput::Tick));
    assert_eq!(refusal(&world), Some(AddRefusal::TooManyHtlcs));
}
