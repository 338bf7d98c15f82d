//! A bug that a release survives.

use steward_testkit::Net;
use steward_wire::{impossible, invariant};

#[test]
fn an_invariant_that_does_not_hold_in_a_release_is_logged_by_the_engine_and_counted() {
    let mut net = Net::host_and_clients(1);
    let before = invariant::total();
    invariant::as_in_release(|| impossible!("this place is never reached"));
    net.tick(1_000);
    let logs = net.nodes.iter().flat_map(|node| &node.logs);
    let told: Vec<_> = logs.filter(|(code, _)| *code == "bug").collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].1.contains("this place is never reached (crates/engine/tests/bugs.rs:"));
    assert_eq!(invariant::total(), before + 1);
    net.tick(1_000);
    let logs = net.nodes.iter().flat_map(|node| &node.logs);
    assert_eq!(logs.filter(|(code, _)| *code == "bug").count(), 1, "it is told once");
}
