//! A backup in the place of a database: the refusals, and that no database is thrown away.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use steward_store::sqlite::{Over, Restored, restore};
use steward_store::{DirLock, OpenMode, Owner, SqliteStore, Store, StoreError};
use support::*;
use tempfile::TempDir;

/// A data directory, and a backup of it beside it.
struct Setup {
    dir: TempDir,
    backup: PathBuf,
}

/// Makes a data directory with one channel when the backup is made.
fn setup() -> Setup {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("node")).unwrap();
    let setup = Setup { backup: dir.path().join("backup"), dir };
    let mut store = open(&setup.node());
    store.commit(&batch([put_height(1), put_channel(1, 1)])).unwrap();
    backup(store.path(), &setup.backup).unwrap();
    setup
}

impl Setup {
    fn node(&self) -> PathBuf {
        self.dir.path().join("node")
    }

    fn database(&self) -> PathBuf {
        self.node().join("steward.db")
    }

    fn restore(&self, over: Over) -> Result<Restored, StoreError> {
        restore(&DirLock::acquire(&self.node()).unwrap(), &self.backup, &owner(), over)
    }

    fn height(&self) -> u32 {
        open(&self.node()).load(NOW_MS).unwrap().height
    }

    fn lose_database(&self) {
        for name in ["steward.db", "steward.db-wal", "steward.db-shm"] {
            let _ = fs::remove_file(self.node().join(name));
        }
    }
}

#[test]
fn a_backup_takes_the_place_of_a_lost_database() {
    let setup = setup();
    setup.lose_database();
    let restored = setup.restore(Over::Nothing).unwrap();
    assert_eq!((restored.verified.channels, restored.set_aside), (1, None));
    assert_eq!(setup.height(), 1);
}

#[test]
fn a_backup_takes_the_place_of_a_database_that_was_never_used() {
    let setup = setup();
    setup.lose_database();
    drop(try_open(&setup.node(), OpenMode::Create).unwrap());
    assert_eq!(setup.restore(Over::Nothing).unwrap().set_aside, None);
    assert_eq!(setup.height(), 1);
}

#[test]
fn a_database_without_channels_that_was_used_is_kept_aside() {
    let setup = setup();
    setup.lose_database();
    open(&setup.node()).commit(&batch([put_height(9), put_preimage(1, 1)])).unwrap();
    let aside = setup.restore(Over::Nothing).unwrap().set_aside.unwrap();
    assert_eq!(setup.height(), 1);
    assert_eq!(verify(&aside).unwrap().channels, 0);
}

#[test]
fn a_database_with_channels_is_not_replaced_unasked() {
    let setup = setup();
    let before = fs::read(setup.database()).unwrap();
    let error = setup.restore(Over::Nothing).unwrap_err();
    assert_eq!(error.code().name(), "database_in_the_way");
    assert!(error.to_string().contains("has 1 channels"), "{error}");
    assert!(!error.to_string().contains("newer"), "{error}");
    assert!(error.hint().contains("--replace"));
    assert!(fs::read(setup.database()).unwrap() == before);
}

#[test]
fn a_newer_database_is_said_to_be_newer() {
    for row in [put_event(7), put_forward(1, true), put_preimage(1, 1)] {
        let setup = setup();
        open(&setup.node()).commit(&batch([row])).unwrap();
        let error = setup.restore(Over::Nothing).unwrap_err();
        assert!(error.to_string().contains("newer than the backup"), "{error}");
    }
}

#[test]
fn what_is_replaced_on_demand_is_kept_with_all_that_was_in_its_log() {
    let setup = setup();
    let mut store = open(&setup.node());
    store.commit(&batch([put_height(5), put_channel(3, 1)])).unwrap();
    // The log is left, as after a crash.
    drop(store);
    assert!(setup.node().join("steward.db-wal").exists());
    let aside = setup.restore(Over::Anything).unwrap().set_aside.unwrap();
    assert_eq!(setup.height(), 1);
    assert_eq!(verify(&aside).unwrap().channels, 2);
    // Another restore uses another name.
    let again = setup.restore(Over::Anything).unwrap().set_aside.unwrap();
    assert_ne!(again, aside);
    assert_eq!(verify(&aside).unwrap().channels, 2);
}

#[test]
fn a_damaged_database_is_replaced_on_demand_only() {
    let setup = setup();
    setup.lose_database();
    fs::write(setup.database(), b"damaged").unwrap();
    let error = setup.restore(Over::Nothing).unwrap_err();
    assert!(error.to_string().contains("cannot be read"), "{error}");
    let aside = setup.restore(Over::Anything).unwrap().set_aside.unwrap();
    assert_eq!(fs::read(aside).unwrap(), b"damaged");
    assert_eq!(setup.height(), 1);
}

#[test]
fn the_backup_of_another_node_or_network_is_refused() {
    let setup = setup();
    setup.lose_database();
    let lock = DirLock::acquire(&setup.node()).unwrap();
    let others = [
        (Owner { network: "bitcoin".to_owned(), ..owner() }, "wrong_network"),
        (Owner { node_id: node(1), ..owner() }, "wrong_node"),
    ];
    for (other, code) in others {
        let error = restore(&lock, &setup.backup, &other, Over::Anything).unwrap_err();
        assert_eq!(error.code().name(), code);
    }
    assert!(!setup.database().exists());
}

#[test]
fn what_is_no_whole_backup_changes_nothing() {
    let setup = setup();
    let whole = fs::read(&setup.backup).unwrap();
    for (bytes, code) in [
        (&whole[..whole.len() / 2], "database_damaged"),
        (b"something else", "not_our_database"),
        (b"", "not_our_database"),
    ] {
        fs::write(&setup.backup, bytes).unwrap();
        assert_eq!(setup.restore(Over::Anything).unwrap_err().code().name(), code);
    }
    fs::remove_file(&setup.backup).unwrap();
    assert_eq!(setup.restore(Over::Anything).unwrap_err().code().name(), "database_not_found");
    let left = names(&setup.node());
    assert!(!left.iter().any(|name| name.contains("restore")), "{left:?}");
    assert_eq!(setup.height(), 1);
}

#[test]
fn the_database_itself_is_no_backup() {
    let setup = setup();
    let lock = DirLock::acquire(&setup.node()).unwrap();
    let error = restore(&lock, &setup.database(), &owner(), Over::Anything).unwrap_err();
    assert_eq!(error.code().name(), "file_exists");
    drop(lock);
    assert_eq!(setup.height(), 1);
}

#[test]
fn what_a_crash_left_of_a_restore_is_no_obstacle() {
    let setup = setup();
    setup.lose_database();
    fs::write(setup.node().join("steward.db.restored"), b"half a cop").unwrap();
    fs::write(setup.node().join("steward.db-wal"), b"of another database").unwrap();
    setup.restore(Over::Nothing).unwrap();
    assert_eq!(setup.height(), 1);
}

fn names(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> =
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The store may be opened as usual afterwards.
#[test]
fn a_restored_database_is_opened_as_any_other() {
    let setup = setup();
    setup.restore(Over::Anything).unwrap();
    let lock = DirLock::acquire(&setup.node()).unwrap();
    let mut store = SqliteStore::open(lock, OpenMode::Existing, &owner()).unwrap();
    store.commit(&batch([put_height(2)])).unwrap();
    store.close().unwrap();
}
