//! Copies of a database in use, and their verification.

mod support;

use std::fs;
use std::path::Path;

use steward_store::sqlite::SqliteHistory;
use steward_store::{CommitThread, History, Store, StoreError};
use support::*;

#[test]
fn a_backup_holds_what_was_durable_when_it_was_made() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    store.commit(&every_table()).unwrap();
    let copy = tempfile::tempdir().unwrap();
    let made = backup(store.path(), &copy.path().join("steward.db")).unwrap();
    store.commit(&batch([put_height(900_000)])).unwrap();
    assert_eq!(made.owner, owner());
    assert_eq!(made.channels, 2);
    // Two settings more than the batch has: network and node id.
    assert_eq!(made.rows, every_table().len() as u64 + STORES_OWN_SETTINGS);
    assert_eq!(verify(&copy.path().join("steward.db")).unwrap(), made);
    let restored = open(copy.path()).load(NOW_MS).unwrap();
    assert_eq!(restored.height, 840_000);
    assert_eq!(restored.channels, channels([1, 2], |n| 10 * n));
}

#[test]
fn a_restored_backup_commits_as_the_original_did() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    store.commit(&every_table()).unwrap();
    let copy = tempfile::tempdir().unwrap();
    backup(store.path(), &copy.path().join("steward.db")).unwrap();
    let mut restored = open(copy.path());
    restored.commit(&batch([put_height(1)])).unwrap();
    let before = restored.stats().fsyncs;
    restored.commit(&batch([put_height(2)])).unwrap();
    assert_eq!(restored.stats().fsyncs - before, 1);
    assert!(copy.path().join("steward.db-wal").exists());
}

#[test]
fn a_backup_is_one_private_file() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    store.commit(&every_table()).unwrap();
    let copy = tempfile::tempdir().unwrap();
    backup(store.path(), &copy.path().join("b")).unwrap();
    let names: Vec<_> =
        fs::read_dir(copy.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["b"]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(copy.path().join("b")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn a_backup_replaces_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let target = dir.path().join("b");
    fs::write(&target, b"precious").unwrap();
    let error = backup(store.path(), &target).unwrap_err();
    assert_eq!(error, StoreError::AlreadyExists { path: target.clone() });
    assert_eq!(fs::read(&target).unwrap(), b"precious");
}

#[test]
fn backups_can_be_made_while_commits_run() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let path = store.path().to_owned();
    let thread = CommitThread::spawn(Box::new(store), |_| {}, |e| panic!("{e}")).unwrap();
    let copies = tempfile::tempdir().unwrap();
    let mut last = 0;
    for round in 0..5u32 {
        for n in 1..=40 {
            let step = round * 40 + n;
            let rows = (0..20).map(|peer| put_channel(peer, u64::from(step)));
            let mut step_batch = batch(rows);
            step_batch.merge(batch([put_height(step)]));
            thread.submit(step_batch, ()).unwrap();
        }
        let copy = copies.path().join(round.to_string());
        fs::create_dir(&copy).unwrap();
        backup(&path, &copy.join("steward.db")).unwrap();
        let loaded = open(&copy).load(NOW_MS).unwrap();
        // One moment: every channel is as old as the height.
        assert!(loaded.channels.iter().all(|c| c.local_balance_msat == u64::from(loaded.height)));
        assert!(loaded.height >= last);
        last = loaded.height;
    }
    thread.close().unwrap();
}

#[test]
fn a_damaged_database_is_not_backed_up() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    store.commit(&every_table()).unwrap();
    store.close().unwrap();
    let connection = rusqlite::Connection::open(store.path()).unwrap();
    connection.execute_batch("UPDATE channel SET role = 9").unwrap();
    let target = dir.path().join("b");
    let error = backup(store.path(), &target).unwrap_err();
    assert!(matches!(error, StoreError::Decode { table: "channel", .. }), "{error:?}");
    assert!(!target.exists() && !dir.path().join("b.partial").exists());
}

#[test]
fn verification_refuses_what_is_not_a_database() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    assert_eq!(verify(&path), Err(StoreError::NotFound { path: path.clone() }));
    fs::write(&path, b"text").unwrap();
    assert_eq!(verify(&path), Err(StoreError::Foreign { path }));
}

#[test]
fn history_can_be_read_without_a_writer() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    store.commit(&every_table()).unwrap();
    store.close().unwrap();
    drop(store);
    let history = SqliteHistory::open(Path::new(&dir.path().join("steward.db"))).unwrap();
    assert_eq!(history.forward_totals().unwrap().fulfilled, 1);
}

#[test]
fn many_threads_can_ask_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    store.commit(&every_table()).unwrap();
    let history = store.history().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                for _ in 0..20 {
                    assert_eq!(history.forward_totals().unwrap().failed, 1);
                }
            });
        }
        (0..20).for_each(|n| store.commit(&batch([put_height(n)])).unwrap());
    });
}
