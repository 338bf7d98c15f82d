//! The regtest clock: its height by time, by file and by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use steward_chain::limits::MAX_HEIGHT;
use steward_chain::{ChainError, ChainSource, ClockSource, Network, UnixClock};

/// Makes a clock at `start_unix`, and the handle to set it.
fn settable(start_unix: u64) -> (UnixClock, Arc<AtomicU64>) {
    let time = Arc::new(AtomicU64::new(start_unix));
    let read = Arc::clone(&time);
    (Arc::new(move || read.load(Ordering::SeqCst)), time)
}

#[test]
fn the_height_rises_with_time() {
    let (clock, time) = settable(1_000);
    let mut source = ClockSource::steady(100, 1_000, 30, clock);
    assert_eq!(source.tip().unwrap().height, 100);
    time.store(1_029, Ordering::SeqCst);
    assert_eq!(source.tip().unwrap().height, 100);
    time.store(1_030, Ordering::SeqCst);
    let tip = source.tip().unwrap();
    assert_eq!((tip.height, tip.hash, tip.time_unix), (101, None, 1_030));
}

#[test]
fn the_height_stays_possible_at_any_time() {
    let (clock, time) = settable(0);
    let mut source = ClockSource::steady(7, 1_000, 1, clock);
    assert_eq!(source.tip().unwrap().height, 7, "before its start");
    time.store(u64::MAX, Ordering::SeqCst);
    assert_eq!(source.tip().unwrap().height, MAX_HEIGHT);
}

#[test]
fn a_file_sets_the_height_once_it_exists() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("height");
    let mut source = ClockSource::by_file(path.clone(), 100, settable(0).0);
    assert_eq!(source.tip().unwrap().height, 100);
    std::fs::write(&path, "144\n").unwrap();
    assert_eq!(source.tip().unwrap().height, 144);
}

#[test]
fn a_file_that_holds_no_height_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("height");
    for text in ["", "abc", "-1", "500000000", "1 2", &"1".repeat(1_000)] {
        std::fs::write(&path, text).unwrap();
        let error = ClockSource::by_file(path.clone(), 0, settable(0).0).tip().unwrap_err();
        assert!(matches!(error, ChainError::File { .. }), "{text:?}: {error:?}");
    }
}

#[test]
fn a_handle_sets_the_height() {
    let (mut source, handle) = ClockSource::manual(100, settable(0).0);
    handle.set(150);
    assert_eq!(source.tip().unwrap().height, 150);
}

#[test]
fn a_clock_serves_no_network_but_regtest() {
    let (mut source, _) = ClockSource::manual(100, settable(0).0);
    source.check_network(Network::Regtest).unwrap();
    assert!(source.check_network(Network::Bitcoin).unwrap_err().is_fatal());
}
