//! One database has one node, also if the lock file is moved or removed, and under each path to it.
#![cfg(unix)]

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use steward_store::{DirLock, InUse, OpenMode, Store, StoreError};
use support::*;

/// Checks that the second node is refused because the first is there.
#[track_caller]
fn assert_locked(dir: &Path) {
    let error = try_open(dir, OpenMode::Existing).unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }), "{error:?}");
    assert_eq!(error.code().name(), "data_dir_locked");
}

#[test]
fn a_second_node_is_refused_after_the_lock_file_was_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    fs::remove_file(dir.path().join("lock")).unwrap();
    assert_locked(dir.path());
    // It is refused once more, beside the lock file that the second one may have made.
    assert_locked(dir.path());
    store.commit(&batch([put_height(1)])).unwrap();
}

#[test]
fn a_second_node_is_refused_after_the_lock_file_was_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let _store = open(dir.path());
    fs::copy(dir.path().join("lock"), dir.path().join("copy")).unwrap();
    fs::rename(dir.path().join("copy"), dir.path().join("lock")).unwrap();
    assert_locked(dir.path());
    fs::write(dir.path().join("lock"), "").unwrap();
    assert_locked(dir.path());
}

#[test]
fn a_second_node_is_refused_behind_a_symbolic_link() {
    let dir = tempfile::tempdir().unwrap();
    let (real, link) = (dir.path().join("real"), dir.path().join("link"));
    fs::create_dir(&real).unwrap();
    symlink(&real, &link).unwrap();
    let store = open(&real);
    assert_locked(&link);
    drop(store);
    let _store = open(&link);
    assert_locked(&real);
}

#[test]
fn a_second_node_is_refused_after_the_directory_was_renamed() {
    let dir = tempfile::tempdir().unwrap();
    let (before, after) = (dir.path().join("before"), dir.path().join("after"));
    fs::create_dir(&before).unwrap();
    let _store = open(&before);
    fs::rename(&before, &after).unwrap();
    assert_locked(&after);
    fs::remove_file(after.join("lock")).unwrap();
    assert_locked(&after);
}

#[test]
fn a_second_node_is_refused_where_another_directory_leads_to_the_same_database() {
    let dir = tempfile::tempdir().unwrap();
    let [one, linked, pointing] = ["one", "linked", "pointing"].map(|name| dir.path().join(name));
    [&one, &linked, &pointing].iter().for_each(|dir| fs::create_dir(dir).unwrap());
    let store = open(&one);
    symlink(one.join("steward.db"), pointing.join("steward.db")).unwrap();
    assert_locked(&pointing);
    fs::hard_link(one.join("steward.db"), linked.join("steward.db")).unwrap();
    assert_locked(&linked);
    drop(store);
    // No node has it now, but under two names it would have two logs.
    for dir in [&one, &linked] {
        let error = try_open(dir, OpenMode::Existing).unwrap_err();
        assert_eq!(error.code().name(), "database_linked");
    }
    fs::remove_file(linked.join("steward.db")).unwrap();
    drop(open(&one));
}

#[test]
fn a_database_that_was_replaced_or_removed_stops_the_node_before_it_writes() {
    for replaced in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let mut store = open(dir.path());
        store.commit(&batch([put_height(1)])).unwrap();
        let path = dir.path().join("steward.db");
        match replaced {
            true => {
                fs::copy(&path, dir.path().join("backup")).unwrap();
                fs::rename(dir.path().join("backup"), &path).unwrap();
            }
            false => fs::remove_file(&path).unwrap(),
        }
        let error = store.commit(&batch([put_height(2)])).unwrap_err();
        assert_eq!(error, StoreError::Replaced { path });
        assert_eq!(store.commit(&batch([put_height(3)])), Err(StoreError::Stopped));
    }
}

#[test]
fn a_look_whether_a_directory_is_in_use_makes_nothing_and_disturbs_no_node() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(DirLock::in_use(&dir.path().join("none")), Ok(InUse::No));
    assert_eq!(DirLock::in_use(dir.path()), Ok(InUse::No));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    let store = open(dir.path());
    let here = InUse::By(Some(std::process::id()));
    assert_eq!(DirLock::in_use(dir.path()), Ok(here));
    fs::remove_file(dir.path().join("lock")).unwrap();
    assert_eq!(DirLock::in_use(dir.path()), Ok(InUse::By(None)));
    drop(store);
    assert_eq!(DirLock::in_use(dir.path()), Ok(InUse::No));
}

#[test]
fn a_node_that_starts_waits_for_who_only_looks() {
    let dir = tempfile::tempdir().unwrap();
    let lock = fs::File::create(dir.path().join("lock")).unwrap();
    lock.try_lock_shared().unwrap();
    std::thread::scope(|scope| {
        let starting = scope.spawn(|| DirLock::acquire(dir.path()).map(drop));
        lock.unlock().unwrap();
        assert_eq!(starting.join().unwrap(), Ok(()));
    });
}
