//! The tracker: which height is believed, and when it is stale (docs/design.md section 4, rule 10).

use bitcoin::hashes::Hash;
use steward_chain::limits::{DEFAULT_STALE_AFTER_S, REORG_MEMORY_BLOCKS};
use steward_chain::{BlockHash, Moment, SourceHealth, StaleRule, Tip, TipTracker};

const NOW: u64 = 1_700_000_000;
const RULE: StaleRule = StaleRule { stale_after_s: DEFAULT_STALE_AFTER_S, block_age_counts: true };

/// Returns the moment at which both clocks have advanced by the same time since the start.
fn at(unix_s: u64) -> Moment {
    Moment { unix_s, now_ms: (unix_s - NOW) * 1000 }
}

fn hash(n: u8) -> BlockHash {
    BlockHash::from_byte_array([n; 32])
}

fn tip(height: u32, n: u8) -> Tip {
    Tip { height, hash: Some(hash(n)), time_unix: NOW }
}

/// Makes a tracker that believes block 100 with hash 1.
fn at_100() -> TipTracker {
    let mut tracker = TipTracker::new(RULE, None, at(NOW));
    tracker.tip_seen(tip(100, 1), None, 0, at(NOW)).unwrap();
    tracker
}

#[test]
fn the_first_tip_is_reported() {
    let mut tracker = TipTracker::new(RULE, None, at(NOW));
    let update = tracker.tip_seen(tip(100, 1), None, 0, at(NOW + 5)).unwrap();
    assert_eq!((update.height, update.hash, update.tip_age_s), (100, Some(hash(1)), 5));
    assert!(!update.stale && !update.reorg);
    assert_eq!(update.health, SourceHealth::Following);
}

#[test]
fn an_unchanged_tip_is_no_news() {
    let mut tracker = at_100();
    assert_eq!(tracker.probe_height(&tip(100, 1)), None);
    assert_eq!(tracker.tip_seen(tip(100, 1), None, 0, at(NOW + 60)), None);
}

#[test]
fn a_new_block_on_top_raises_the_height() {
    let mut tracker = at_100();
    assert_eq!(tracker.probe_height(&tip(102, 3)), Some(100));
    let update = tracker.tip_seen(tip(102, 3), Some(hash(1)), 0, at(NOW)).unwrap();
    assert_eq!((update.height, update.reorg), (102, false));
}

#[test]
fn a_higher_tip_on_other_blocks_is_a_reorg() {
    let mut tracker = at_100();
    let update = tracker.tip_seen(tip(102, 3), Some(hash(9)), 0, at(NOW)).unwrap();
    assert_eq!((update.height, update.reorg), (102, true));
}

#[test]
fn another_block_at_the_same_height_is_a_reorg() {
    let update = at_100().tip_seen(tip(100, 2), None, 0, at(NOW)).unwrap();
    assert_eq!((update.hash, update.reorg), (Some(hash(2)), true));
}

#[test]
fn a_lower_tip_without_proof_keeps_the_height() {
    let mut tracker = at_100();
    assert_eq!(tracker.probe_height(&tip(99, 7)), None, "nothing is known below 100");
    let update = tracker.tip_seen(tip(99, 7), None, 0, at(NOW)).unwrap();
    assert_eq!((update.height, update.hash), (100, Some(hash(1))));
    assert_eq!((update.reorg, update.health), (false, SourceHealth::Lagging));
}

#[test]
fn a_lower_tip_that_was_our_own_block_is_a_lag() {
    let mut tracker = at_100();
    tracker.tip_seen(tip(101, 2), Some(hash(1)), 0, at(NOW));
    let update = tracker.tip_seen(tip(100, 1), None, 0, at(NOW)).unwrap();
    assert_eq!((update.height, update.health), (101, SourceHealth::Lagging));
}

#[test]
fn a_lower_tip_that_replaced_our_block_is_a_reorg() {
    let mut tracker = at_100();
    tracker.tip_seen(tip(101, 2), Some(hash(1)), 0, at(NOW));
    let update = tracker.tip_seen(tip(100, 9), None, 0, at(NOW)).unwrap();
    assert_eq!((update.height, update.reorg), (100, true));
}

#[test]
fn a_lower_tip_is_judged_by_the_highest_block_both_know() {
    let mut tracker = at_100();
    tracker.tip_seen(tip(105, 5), Some(hash(1)), 0, at(NOW));
    assert_eq!(tracker.probe_height(&tip(103, 8)), Some(100));
    let lagging = tracker.clone().tip_seen(tip(103, 8), Some(hash(1)), 0, at(NOW)).unwrap();
    assert_eq!((lagging.height, lagging.reorg), (105, false));
    let replaced = tracker.tip_seen(tip(103, 8), Some(hash(9)), 0, at(NOW)).unwrap();
    assert_eq!((replaced.height, replaced.reorg), (103, true));
}

#[test]
fn a_source_that_catches_up_is_followed_again() {
    let mut tracker = at_100();
    tracker.tip_seen(tip(98, 7), None, 0, at(NOW));
    let update = tracker.tip_seen(tip(100, 1), None, 0, at(NOW)).unwrap();
    assert_eq!((update.height, update.health), (100, SourceHealth::Following));
}

#[test]
fn blocks_replaced_once_prove_nothing_later() {
    let mut tracker = at_100();
    tracker.tip_seen(tip(101, 2), Some(hash(1)), 0, at(NOW));
    tracker.tip_seen(tip(102, 8), Some(hash(9)), 0, at(NOW)).unwrap();
    // Block 100 may have been replaced as well, unseen: hash 7 there does not show another reorg.
    let update = tracker.tip_seen(tip(100, 7), None, 0, at(NOW)).unwrap();
    assert_eq!((update.height, update.reorg), (102, false));
}

#[test]
fn a_reorg_deeper_than_the_memory_is_not_believed_downwards() {
    let mut tracker = at_100();
    let memory = u32::try_from(REORG_MEMORY_BLOCKS).unwrap();
    for height in 101..=100 + memory {
        tracker.tip_seen(tip(height, 2), None, 0, at(NOW));
    }
    let update = tracker.tip_seen(tip(100, 9), None, 0, at(NOW)).unwrap();
    assert_eq!((update.height, update.reorg), (100 + memory, false));
}

#[test]
fn three_hours_without_a_block_make_the_tip_stale() {
    let mut tracker = at_100();
    assert_eq!(tracker.tip_seen(tip(100, 1), None, 0, at(NOW + DEFAULT_STALE_AFTER_S - 1)), None);
    let update = tracker.tip_seen(tip(100, 1), None, 0, at(NOW + DEFAULT_STALE_AFTER_S)).unwrap();
    assert!(update.stale);
    assert_eq!(update.tip_age_s, DEFAULT_STALE_AFTER_S);
}

#[test]
fn a_source_still_syncing_is_stale_from_its_first_tip() {
    let mut tracker = TipTracker::new(RULE, None, at(NOW));
    let old = Tip { time_unix: NOW - 86_400, ..tip(100, 1) };
    assert!(tracker.tip_seen(old, None, 0, at(NOW)).unwrap().stale);
}

#[test]
fn a_header_time_in_the_future_does_not_delay_staleness() {
    let mut tracker = TipTracker::new(RULE, None, at(NOW));
    let ahead = Tip { time_unix: NOW + 7_200, ..tip(100, 1) };
    tracker.tip_seen(ahead, None, 0, at(NOW)).unwrap();
    assert!(tracker.tip_seen(ahead, None, 0, at(NOW + DEFAULT_STALE_AFTER_S)).unwrap().stale);
}

#[test]
fn a_fresh_block_ends_staleness() {
    let mut tracker = at_100();
    let later = NOW + DEFAULT_STALE_AFTER_S;
    tracker.tip_seen(tip(100, 1), None, 0, at(later)).unwrap();
    let fresh = Tip { time_unix: later, ..tip(101, 2) };
    assert!(!tracker.tip_seen(fresh, Some(hash(1)), 0, at(later)).unwrap().stale);
}

#[test]
fn a_lagging_source_becomes_stale() {
    let mut tracker = at_100();
    tracker.tip_seen(tip(98, 7), None, 0, at(NOW));
    assert!(tracker.tip_seen(tip(98, 7), None, 0, at(NOW + DEFAULT_STALE_AFTER_S)).unwrap().stale);
}

#[test]
fn a_silent_source_is_reported_and_becomes_stale() {
    let mut tracker = at_100();
    let failing = tracker.source_failed(at(NOW + 60)).unwrap();
    assert_eq!((failing.height, failing.health), (100, SourceHealth::Failing));
    assert!(!failing.stale);
    assert_eq!(tracker.source_failed(at(NOW + 120)), None, "still failing is no news");
    assert!(tracker.source_failed(at(NOW + DEFAULT_STALE_AFTER_S)).unwrap().stale);
}

#[test]
fn where_blocks_are_not_due_only_silence_makes_stale() {
    let rule = StaleRule { block_age_counts: false, ..RULE };
    let mut tracker = TipTracker::new(rule, None, at(NOW));
    tracker.tip_seen(tip(100, 1), None, 0, at(NOW)).unwrap();
    let later = NOW + 10 * DEFAULT_STALE_AFTER_S;
    assert_eq!(tracker.tip_seen(tip(100, 1), None, 0, at(later)), None);
    assert!(tracker.source_failed(at(later + DEFAULT_STALE_AFTER_S)).unwrap().stale);
}

#[test]
fn the_height_does_not_go_back_over_a_restart() {
    let mut tracker = TipTracker::new(RULE, Some(tip(100, 1)), at(NOW));
    let update = tracker.tip_seen(tip(90, 5), None, 0, at(NOW)).unwrap();
    assert_eq!((update.height, update.health), (100, SourceHealth::Lagging));
}

#[test]
fn a_reorg_during_a_restart_is_noticed() {
    let mut tracker = TipTracker::new(RULE, Some(tip(100, 1)), at(NOW));
    assert_eq!(tracker.probe_height(&tip(101, 2)), Some(100));
    assert!(tracker.tip_seen(tip(101, 2), Some(hash(9)), 0, at(NOW)).unwrap().reorg);
}

#[test]
fn a_source_without_hashes_never_goes_back() {
    let mut tracker = TipTracker::new(RULE, None, at(NOW));
    let clock = |height| Tip { height, hash: None, time_unix: NOW };
    tracker.tip_seen(clock(100), None, 0, at(NOW)).unwrap();
    assert_eq!(tracker.probe_height(&clock(99)), None);
    assert_eq!(tracker.tip_seen(clock(99), None, 0, at(NOW)).unwrap().height, 100);
    assert_eq!(tracker.tip_seen(clock(101), None, 0, at(NOW)).unwrap().height, 101);
}
