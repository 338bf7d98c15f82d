//! Full and failing disks, and the cost of a commit on a good one.

mod support;

use std::fs;

use steward_store::limits::CHECKPOINT_LOG_BYTES;
use steward_store::{OpenMode, Store, StoreError, StoreStats};
use support::*;

#[test]
fn a_full_disk_stops_the_store_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    store.limit_size(400_000).unwrap();
    let full = (1..).find_map(|n| store.commit(&batch([put_channel(n, n)])).err().map(|e| (n, e)));
    let (n, error) = full.unwrap();
    assert_eq!(error, StoreError::DiskFull);
    assert_eq!(store.commit(&batch([put_height(1)])), Err(StoreError::Stopped));
    assert_eq!(store.maintain(), Err(StoreError::Stopped));
    assert_eq!(store.close(), Err(StoreError::Stopped));
    drop(store);
    let mut store = try_open(dir.path(), OpenMode::Existing).unwrap();
    assert_eq!(store.load(NOW_MS).unwrap().channels.len() as u64, n - 1);
}

/// A commit writes a page for each row that is found by a hash, and few for all others: rows in the
/// order of the commits share their pages.
#[test]
fn however_many_payments_are_stored_one_more_writes_few_pages() {
    const PAGE_IN_LOG: u64 = 4096 + 24;
    const PAYMENTS: u64 = 20;
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    for first in (1..20_000).step_by(500) {
        payer_commits(first..first + 500).iter().for_each(|batch| store.commit(batch).unwrap());
        store.maintain().unwrap();
    }
    let before = store.stats().log_bytes;
    let commits = 50;
    for first in (30_000..).step_by(PAYMENTS as usize).take(commits) {
        payer_commits(first..first + PAYMENTS)
            .iter()
            .for_each(|batch| store.commit(batch).unwrap());
    }
    let pages = (store.stats().log_bytes - before) as f64 / PAGE_IN_LOG as f64;
    let per_payment = pages / (commits as f64 * PAYMENTS as f64);
    assert!(per_payment < 3.5, "{per_payment} pages for each payment");
}

/// No test can pull the plug: SQLite says how it would commit.
#[test]
fn a_commit_reaches_the_disk_before_it_is_done() {
    const FULL: i64 = 2;
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    assert_eq!(store.commits_as().unwrap(), ("wal".to_owned(), FULL));
}

#[test]
fn a_commit_that_fails_halfway_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    store.commit(&batch([put_height(1)])).unwrap();
    store.limit_size(400_000).unwrap();
    let mut large = batch((1..=2_000).map(|n| put_channel(n, n)));
    large.merge(batch([put_height(2)]));
    assert_eq!(store.commit(&large), Err(StoreError::DiskFull));
    drop(store);
    let loaded = open(dir.path()).load(NOW_MS).unwrap();
    assert_eq!((loaded.height, loaded.channels.len()), (1, 0));
}

#[test]
fn a_data_directory_that_cannot_be_made_is_an_error_not_a_panic() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), b"in the way").unwrap();
    let error = try_open(&dir.path().join("file/data"), OpenMode::Create).unwrap_err();
    assert!(matches!(error, StoreError::Io { .. }), "{error:?}");
}

fn fsyncs_of(store: &mut impl Store, run: impl FnOnce(&mut dyn Store)) -> StoreStats {
    let before = store.stats();
    run(store);
    let after = store.stats();
    StoreStats {
        commits: after.commits - before.commits,
        rows: after.rows - before.rows,
        fsyncs: after.fsyncs - before.fsyncs,
        log_bytes: after.log_bytes - before.log_bytes,
        checkpoints: after.checkpoints - before.checkpoints,
    }
}

#[test]
fn a_commit_costs_one_fsync_whatever_its_size() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    // The first one begins the log, which costs one more for its header.
    let cost = fsyncs_of(&mut store, |s| s.commit(&batch([put_height(1)])).unwrap());
    assert_eq!(cost.fsyncs, 2);
    let cost = fsyncs_of(&mut store, |s| s.commit(&batch([put_height(2)])).unwrap());
    assert_eq!((cost.fsyncs, cost.log_bytes), (1, 4096 + 24));
    let rows = (0..500).map(|n| put_channel(n, n));
    let cost = fsyncs_of(&mut store, |s| s.commit(&batch(rows)).unwrap());
    assert_eq!((cost.commits, cost.rows, cost.fsyncs), (1, 500, 1));
}

#[test]
fn a_commit_that_changes_nothing_costs_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    store.commit(&batch([put_height(1)])).unwrap();
    let cost = fsyncs_of(&mut store, |s| {
        let mut gone = steward_engine::WriteBatch::default();
        gone.delete(steward_engine::row::RowKey::Outbox(incoming(1, 1)));
        s.commit(&gone).unwrap();
    });
    assert_eq!((cost.commits, cost.fsyncs, cost.log_bytes), (1, 0, 0));
}

#[test]
fn the_log_goes_into_the_database_before_it_grows_beyond_its_limit() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    let wal = dir.path().join("steward.db-wal");
    for n in 0..600 {
        let rows = (0..100).map(|peer| put_channel(peer * 50 + n % 50, n));
        store.commit(&batch(rows)).unwrap();
        let before = store.stats();
        store.maintain().unwrap();
        let after = store.stats();
        // The log and the database cost one each.
        assert_eq!(after.fsyncs - before.fsyncs, 2 * (after.checkpoints - before.checkpoints));
        let size = fs::metadata(&wal).unwrap().len();
        assert!(size < CHECKPOINT_LOG_BYTES + 1_000_000, "the log has {size} bytes");
    }
    assert!(store.stats().checkpoints >= 2);
}

#[test]
fn a_reader_in_the_middle_of_a_question_stops_neither_commits_nor_checkpoints() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    store.commit(&batch([put_height(1)])).unwrap();
    let reader = rusqlite::Connection::open(dir.path().join("steward.db")).unwrap();
    reader.execute_batch("BEGIN; SELECT * FROM setting").unwrap();
    for n in 0..600 {
        store.commit(&batch((0..20).map(|peer| put_channel(peer, n)))).unwrap();
        store.maintain().unwrap();
    }
    reader.execute_batch("COMMIT").unwrap();
    store.close().unwrap();
    drop(store);
    assert_eq!(open(dir.path()).load(NOW_MS).unwrap().channels.len(), 20);
}
