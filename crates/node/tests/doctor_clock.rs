//! The doctor compares the clock with the time that the chain's newest block was made.

#[path = "../../chain/tests/support/mod.rs"]
mod support;

use std::time::{SystemTime, UNIX_EPOCH};

use bitcoin::Network;
use steward_node::Sources;
use steward_node::doctor::{Check, Status, examine};
use support::{FakeChain, esplora_reply, serve_http};

const HOUR_S: i64 = 3600;

/// Returns the doctor's check of the clock if the newest block is this much later than it.
fn clock_beside_a_block(later_s: i64) -> Check {
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let chain = FakeChain::new(Network::Signet, 1);
    let mut tip = chain.block(1).unwrap();
    tip.header.time = u32::try_from(now_s.checked_add_signed(later_s).unwrap()).unwrap();
    chain.replace_tip(tip);
    let url = serve_http(move |request| esplora_reply(&chain, &request.path));

    let dir = tempfile::tempdir().unwrap();
    let overrides = vec![
        format!("data_dir={}", dir.path().display()),
        "network=signet".to_owned(),
        "chain.source=esplora".to_owned(),
        format!("chain.url={url}"),
        "api.address=127.0.0.1:0".to_owned(),
    ];
    let checks = examine(&Sources { overrides, ..Sources::default() });
    checks.into_iter().find(|check| check.name == "clock").unwrap()
}

#[test]
fn a_clock_that_agrees_with_the_newest_block_is_plausible() {
    for later_s in [-600, 0, HOUR_S] {
        let clock = clock_beside_a_block(later_s);
        assert_eq!(clock.status, Status::Ok, "{clock:?}");
    }
}

#[test]
fn a_clock_hours_behind_the_newest_block_fails() {
    let clock = clock_beside_a_block(3 * HOUR_S);
    assert_eq!(clock.status, Status::Fail, "{clock:?}");
    assert!(clock.hint.contains("NTP"), "{clock:?}");
}

#[test]
fn a_clock_far_ahead_of_the_newest_block_is_warned_of() {
    let clock = clock_beside_a_block(-365 * 24 * HOUR_S);
    assert_eq!(clock.status, Status::Warn, "{clock:?}");
    assert!(clock.detail.contains("ahead of the last block"), "{clock:?}");
}
