//! Databases that are not to be opened, and that must not be changed by the attempt.

mod support;

use std::fs;
use std::path::Path;

use steward_store::{DirLock, OpenMode, Owner, SqliteStore, Store, StoreError};
use support::*;

fn database(dir: &Path) -> std::path::PathBuf {
    dir.join("steward.db")
}

/// Makes a cleanly closed database with a row in every table.
fn closed_database() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    store.commit(&every_table()).unwrap();
    store.close().unwrap();
    dir
}

/// Opens with both modes, checks that the file is as before, and returns the refusal.
fn refusal(dir: &Path) -> StoreError {
    let before = fs::read(database(dir)).unwrap();
    let error = try_open(dir, OpenMode::Existing).unwrap_err();
    assert_eq!(try_open(dir, OpenMode::Create).unwrap_err(), error);
    assert!(fs::read(database(dir)).unwrap() == before, "the file was changed");
    assert!(!error.to_string().is_empty() && !error.hint().is_empty());
    error
}

#[test]
fn a_missing_database_is_made_only_on_request() {
    let dir = tempfile::tempdir().unwrap();
    let path = database(dir.path());
    let error = try_open(dir.path(), OpenMode::Existing).unwrap_err();
    assert_eq!(error, StoreError::NotFound { path: path.clone() });
    assert!(!path.exists());
    drop(try_open(dir.path(), OpenMode::Create).unwrap());
    drop(try_open(dir.path(), OpenMode::Existing).unwrap());
}

#[test]
fn a_database_whose_making_was_interrupted_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("steward.db.new"), b"half of it").unwrap();
    fs::write(dir.path().join("steward.db.new-journal"), b"half of it").unwrap();
    let mut store = open(dir.path());
    assert_eq!(store.load(NOW_MS).unwrap().height, 0);
    assert!(!dir.path().join("steward.db.new").exists());
    assert!(!dir.path().join("steward.db.new-journal").exists());
}

#[test]
fn a_database_of_a_newer_version_is_refused() {
    let dir = closed_database();
    with_sql(dir.path(), "PRAGMA user_version = 99");
    let error = refusal(dir.path());
    assert!(matches!(error, StoreError::Newer { found: 99, .. }), "{error:?}");
    assert!(error.to_string().contains("newer steward"));
    assert!(error.hint().contains("Run the version that wrote it, or a newer one"));
}

#[test]
fn a_newer_version_that_is_still_in_the_log_is_refused() {
    let dir = closed_database();
    let connection = rusqlite::Connection::open(database(dir.path())).unwrap();
    connection.execute_batch("PRAGMA wal_autocheckpoint = 0; PRAGMA user_version = 99").unwrap();
    // The database is left open: the version stays in the log.
    let error = refusal(dir.path());
    assert!(matches!(error, StoreError::Newer { found: 99, .. }), "{error:?}");
    drop(connection);
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(database(dir.path()), vec![b'x'; 9_000]).unwrap();
    assert!(matches!(refusal(dir.path()), StoreError::Foreign { .. }));
}

#[test]
fn an_empty_file_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(database(dir.path()), b"").unwrap();
    assert!(matches!(refusal(dir.path()), StoreError::Foreign { .. }));
}

#[test]
fn the_database_of_another_program_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    with_sql(dir.path(), "CREATE TABLE setting (name, value); PRAGMA user_version = 1");
    assert!(matches!(refusal(dir.path()), StoreError::Foreign { .. }));
}

#[test]
fn the_database_of_another_network_or_node_is_refused() {
    let dir = closed_database();
    let before = fs::read(database(dir.path())).unwrap();
    let open_as = |owner: Owner| {
        let lock = DirLock::acquire(dir.path()).unwrap();
        SqliteStore::open(lock, OpenMode::Existing, &owner).unwrap_err()
    };
    let error = open_as(Owner { network: "bitcoin".to_owned(), ..owner() });
    let (expected, found) = ("bitcoin".to_owned(), "regtest".to_owned());
    assert_eq!(error, StoreError::WrongNetwork { expected, found });
    let error = open_as(Owner { node_id: node(1), ..owner() });
    assert!(matches!(error, StoreError::WrongNode { .. }), "{error:?}");
    assert!(fs::read(database(dir.path())).unwrap() == before);
}

#[test]
fn a_database_cut_short_is_refused() {
    let dir = closed_database();
    let whole = fs::read(database(dir.path())).unwrap();
    fs::write(database(dir.path()), &whole[..whole.len() / 2]).unwrap();
    let error = refusal(dir.path());
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
}

#[test]
fn a_database_with_any_page_overwritten_is_refused() {
    let dir = closed_database();
    let whole = fs::read(database(dir.path())).unwrap();
    for page in 1..whole.len() / 4096 {
        let mut damaged = whole.clone();
        damaged[page * 4096..(page + 1) * 4096].fill(0xa5);
        fs::write(database(dir.path()), damaged).unwrap();
        let error = refusal(dir.path());
        assert_eq!(error.code().name(), "database_damaged", "page {page}: {error:?}");
    }
}

#[test]
fn a_row_that_cannot_be_read_is_named() {
    let dir = closed_database();
    let row = format!("X'{}'", node(2));
    with_sql(dir.path(), &format!("UPDATE channel SET phase = 77 WHERE peer = {row}"));
    let error = open(dir.path()).load(NOW_MS).unwrap_err();
    let key = link(2).to_string();
    let reason = "a code is unknown".to_owned();
    assert_eq!(error, StoreError::Decode { table: "channel", key, reason });
}

#[test]
fn a_blob_of_an_unknown_version_is_named() {
    let dir = closed_database();
    with_sql(dir.path(), "UPDATE peer SET addresses = CAST(X'02' || substr(addresses, 2) AS BLOB)");
    let error = open(dir.path()).load(NOW_MS).unwrap_err();
    assert!(matches!(error, StoreError::Decode { table: "peer", .. }), "{error:?}");
}

#[test]
fn a_preimage_that_does_not_fit_its_hash_is_named() {
    let dir = closed_database();
    with_sql(dir.path(), "UPDATE preimage SET preimage = zeroblob(32)");
    let error = open(dir.path()).load(NOW_MS).unwrap_err();
    assert!(matches!(error, StoreError::Decode { table: "preimage", .. }), "{error:?}");
}

#[test]
fn a_data_directory_has_one_node() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let error = try_open(dir.path(), OpenMode::Existing).unwrap_err();
    let pid = Some(std::process::id());
    assert_eq!(error, StoreError::Locked { dir: dir.path().to_owned(), pid });
    drop(store);
    drop(try_open(dir.path(), OpenMode::Existing).unwrap());
}

#[test]
fn a_lock_file_left_behind_keeps_no_node_out() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("lock"), "4194304\n").unwrap();
    let _lock = DirLock::acquire(dir.path()).unwrap();
    let written = fs::read_to_string(dir.path().join("lock")).unwrap();
    assert_eq!(written, format!("{}\n", std::process::id()));
}

#[test]
fn a_second_writer_stops_the_node() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    store.commit(&batch([put_height(1)])).unwrap();
    with_sql(dir.path(), "UPDATE setting SET value = X'00000007' WHERE name = 'height'");
    assert_eq!(store.commit(&batch([put_height(2)])), Err(StoreError::SecondWriter));
    assert_eq!(store.commit(&batch([put_height(3)])), Err(StoreError::Stopped));
    drop(store);
    assert_eq!(open(dir.path()).load(NOW_MS).unwrap().height, 7);
}

#[test]
fn readers_are_no_second_writer() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    let other = rusqlite::Connection::open(database(dir.path())).unwrap();
    for n in 0..50 {
        store.commit(&batch([put_forward(n, true)])).unwrap();
        let read: u64 = other
            .query_row("SELECT count(*) FROM forward", [], |row| row.get::<_, i64>(0))
            .unwrap() as u64;
        assert_eq!(read, n + 1);
        assert_eq!(store.history().unwrap().forward_totals().unwrap().fulfilled, n + 1);
        store.maintain().unwrap();
    }
}

#[cfg(unix)]
#[test]
fn no_other_user_can_read_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("data");
    fs::create_dir(&dir).unwrap();
    let mut store = open(&dir);
    store.commit(&batch([put_height(1)])).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let mut files = 0;
    for entry in fs::read_dir(&dir).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
        files += 1;
    }
    assert_eq!(files, 4, "lock, database, log and its index");
}

#[test]
fn a_clean_end_leaves_one_file() {
    let dir = closed_database();
    let mut names: Vec<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["lock", "steward.db"]);
}
