//! Histories of one channel with LDK's node on the other side: the order of messages, lost
//! connections, restarts, HTLCs both ways.

mod opponent;

use opponent::world::{End, World};
use steward_funded::Phase;

/// Seeds of each random test; more with `STEWARD_FUNDED_SEEDS=n` when the test is compiled.
fn seeds() -> u64 {
    option_env!("STEWARD_FUNDED_SEEDS").map_or(12, |seeds| seeds.parse().unwrap())
}

#[test]
fn a_channel_is_opened_and_pays_both_ways() {
    let mut world = World::open(1);
    assert!(world.channel().peer_policy().is_some(), "LDK tells its terms");
    assert!(world.ldk_pays(50_000_000));
    world.we_pay(20_000_000, true);
    world.pump();
    assert_eq!(world.incoming.len(), 1);
    world.finish();
    assert_eq!(world.phase(), Phase::Active);
}

/// An amount that is dust, ordinary, or more than there is.
fn amount(world: &mut World) -> u64 {
    match world.rng.below(10) {
        0 => 1 + world.rng.below(2_000),
        1 => 300_000 + world.rng.below(100_000),
        2 => 200_000_000 + world.rng.below(600_000_000),
        _ => 400_000 + world.rng.below(40_000_000),
    }
}

fn act(world: &mut World) {
    match world.rng.below(100) {
        0..25 => {
            let amount = amount(world);
            world.ldk_pays(amount);
        }
        25..50 => {
            let amount = amount(world);
            let is_readable = world.rng.chance(85);
            world.we_pay(amount, is_readable);
        }
        50..80 => world.settle_one(),
        80..84 => {
            let feerate = 253 + u32::try_from(world.rng.below(6_000)).unwrap();
            world.set_feerate(feerate);
        }
        84..90 => world.flush(),
        _ => {}
    }
}

#[test]
fn random_histories_end_with_both_sides_agreeing() {
    for seed in 0..seeds() {
        let mut world = World::open(seed);
        for _ in 0..150 {
            act(&mut world);
            for _ in 0..world.rng.below(4) {
                world.deliver_one();
            }
        }
        world.finish();
    }
}

#[test]
fn random_histories_with_lost_connections_and_restarts_end_with_both_sides_agreeing() {
    for seed in 0..seeds() {
        let mut world = World::open(seed + 1_000);
        for _ in 0..150 {
            if world.is_connected {
                act(&mut world);
            }
            for _ in 0..world.rng.below(4) {
                world.deliver_one();
            }
            match world.rng.below(20) {
                0 => world.disconnect(),
                1 if world.is_connected => world.restart(),
                2..10 if !world.is_connected => world.connect(),
                _ => {}
            }
        }
        world.finish();
    }
}

/// A short history with HTLCs both ways, a fee, a fulfill, a failure and a malformed one.
fn script(world: &mut World, at: u64) {
    match at {
        0 => {
            world.ldk_pays(30_000_000);
            world.we_pay(10_000_000, true);
        }
        8 => {
            world.we_pay(11_000_000, true);
            world.we_pay(250_000, true);
            world.set_feerate(2_000);
        }
        14 => {
            world.ldk_pays(12_000_000);
            world.settle_one();
            world.settle_one();
        }
        20 => {
            world.we_pay(13_000_000, false);
            world.settle_one();
        }
        26 => {
            world.set_feerate(1_500);
            world.settle_one();
            world.settle_one();
        }
        _ => {}
    }
}

/// Plays the script and cuts the connection after `cut` messages, with or without a kill; the next
/// connection is cut again after `again` messages.
fn play_with_cuts(seed: u64, cut: u64, again: u64, is_kill: bool) -> bool {
    let mut world = World::open(seed);
    let start = world.delivered;
    let mut reached = false;
    for at in 0..60 {
        if world.is_connected {
            script(&mut world, at);
        }
        let more = world.deliver_one();
        let delivered = world.delivered - start;
        if delivered == cut || delivered == cut + again {
            reached = true;
            if is_kill {
                world.restart()
            } else {
                world.disconnect()
            }
            world.connect();
        } else if !more && at > 26 {
            break;
        }
    }
    world.finish();
    reached
}

#[test]
fn a_connection_that_breaks_after_any_message_loses_nothing() {
    let mut reached = 0;
    for cut in 0..50 {
        reached += u32::from(play_with_cuts(cut + 1, cut, 3, false));
    }
    assert!(reached > 40, "the script is too short: {reached}");
}

#[test]
fn a_kill_after_any_message_loses_nothing() {
    let mut reached = 0;
    for cut in 0..50 {
        reached += u32::from(play_with_cuts(cut + 1, cut, 2, true));
    }
    assert!(reached > 40, "the script is too short: {reached}");
}

#[test]
fn connections_that_break_during_reestablish_lose_nothing() {
    for again in 1..9 {
        for cut in (2..40).step_by(3) {
            play_with_cuts(cut, cut, again, again % 2 == 0);
        }
    }
}

#[test]
fn a_payment_that_ldk_cannot_read_comes_back_as_malformed() {
    let mut world = World::open(5);
    let token = world.we_pay(10_000_000, false);
    world.pump();
    assert_eq!(world.ours[&token].1, End::Failed);
    let failed = world.outputs.iter().find_map(|output| match output {
        steward_funded::Output::Link(steward_htlc::LinkEvent::HtlcFailed { failure, .. }) => {
            Some(failure.clone())
        }
        _ => None,
    });
    assert!(matches!(failed, Some(steward_htlc::Failure::Malformed { .. })), "{failed:?}");
}

#[test]
fn an_htlc_whose_preimage_is_known_is_never_failed() {
    let mut world = World::open(6);
    let token = world.we_pay(10_000_000, true);
    world.pump();
    let (hash, preimage) = world.claimable.pop().unwrap();
    let preimage = steward_wire::Preimage(preimage.unwrap().0);
    let input = steward_htlc::LinkInput::ExternalFulfill { id: 0, preimage };
    world.input(steward_funded::Input::Link(input));
    assert_eq!(world.ours[&token].1, End::Paid);
    // The peer fails it all the same: its money comes back, and nobody is told of a failure.
    world.ldk.manager.fail_htlc_backwards(&hash);
    world.pump();
    assert_eq!(world.ours[&token].1, End::Paid);
    let summary = world.channel().summary().unwrap();
    assert_eq!(summary.outgoing_htlcs, 0);
    assert_eq!(summary.local_balance_msat, opponent::world::PUSH_MSAT);
}
