//! A fixed set of simulations in every test run, cut in parts so that all cores share them.
//! `make sim SEEDS=2000` runs more.

use steward_sim::{FaultKind, Size, Summary, Trace, simulate};

/// Seeds of each part.
const SEEDS: u64 = 34;

fn run_part(part: u64) {
    let mut summary = Summary::default();
    for seed in part * SEEDS..(part + 1) * SEEDS {
        let outcome = simulate(seed, Size { payments: 60 }, None, Trace::silent());
        summary.add(seed, &outcome);
    }
    assert!(summary.failures.is_empty(), "{summary}");
    for kind in FaultKind::ALL.iter().filter(|kind| **kind <= FaultKind::PaidTwice) {
        assert!(summary.faults.contains_key(kind), "no {} in these seeds", kind.name());
    }
}

#[test]
fn no_rule_is_broken_in_the_first_part_of_the_seeds() {
    run_part(0);
}

#[test]
fn no_rule_is_broken_in_the_second_part_of_the_seeds() {
    run_part(1);
}

#[test]
fn no_rule_is_broken_in_the_third_part_of_the_seeds() {
    run_part(2);
}

#[test]
fn no_rule_is_broken_in_the_fourth_part_of_the_seeds() {
    run_part(3);
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = || simulate(7, Size { payments: 60 }, None, Trace::keeping());
    let (first, second) = (run(), run());
    assert_ne!(first.digest, 0);
    assert_eq!(first.digest, second.digest);
    assert_eq!(first.steps, second.steps);
}

#[test]
fn another_seed_gives_another_run() {
    let run = |seed| simulate(seed, Size { payments: 20 }, None, Trace::keeping()).digest;
    assert_ne!(run(7), run(8));
}
