//! After a crash an acknowledged batch is there, and any other is there whole or not at all.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use steward_engine::WriteBatch;
use steward_engine::row::StoredState;
use steward_store::limits::MAX_LOADED_PREIMAGES;
use steward_store::{CommitThread, OpenMode, Store, StoreError};
use support::*;

/// Returns the rows of batch `n`: four channels, always the same, a new preimage, the height.
fn step(n: u64) -> WriteBatch {
    let mut rows: Vec<_> = (0..4).map(|peer| put_channel(peer, n)).collect();
    rows.extend([put_preimage(n, NOW_MS + n), put_height(n as u32)]);
    batch(rows)
}

/// Returns the number of the last batch in a snapshot, after checking that it is there as a whole,
/// and all before it.
fn whole_steps(loaded: &StoredState) -> u64 {
    let last = u64::from(loaded.height);
    if last == 0 {
        assert!(loaded.channels.is_empty() && loaded.preimages.is_empty());
        return 0;
    }
    assert_eq!(loaded.channels, channels(0..4, |_| last));
    // The batches of one group come in the order of their keys.
    let preimages: BTreeSet<_> = loaded.preimages.iter().copied().collect();
    assert_eq!(preimages.len() as u64, last.min(MAX_LOADED_PREIMAGES));
    assert!(preimages.is_subset(&(1..=last).map(preimage).collect()));
    last
}

fn reopen(dir: &Path) -> u64 {
    let mut store = try_open(dir, OpenMode::Existing).unwrap();
    let last = whole_steps(&store.load(NOW_MS).unwrap());
    // The store goes on from there.
    store.commit(&step(last + 1)).unwrap();
    assert_eq!(whole_steps(&store.load(NOW_MS).unwrap()), last + 1);
    last
}

/// Copies what a crash leaves: the database and its log as they are, without the index of the log.
fn copy_after_crash(from: &Path, log: &[u8]) -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    fs::copy(from.join("steward.db"), to.path().join("steward.db")).unwrap();
    fs::write(to.path().join("steward.db-wal"), log).unwrap();
    to
}

#[test]
fn a_log_cut_at_any_byte_holds_exactly_the_commits_before_the_cut() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    let wal = dir.path().join("steward.db-wal");
    let mut ends = vec![0];
    for n in 1..=12 {
        store.commit(&step(n)).unwrap();
        ends.push(fs::metadata(&wal).unwrap().len() as usize);
    }
    let log = fs::read(&wal).unwrap();
    let near = ends.iter().flat_map(|end| [end.saturating_sub(1), *end, end + 1]);
    let inside = (0..log.len()).step_by(3_001);
    for cut in near.chain(inside).filter(|cut| *cut <= log.len()) {
        let copy = copy_after_crash(dir.path(), &log[..cut]);
        let durable = ends.iter().skip(1).filter(|end| **end <= cut).count() as u64;
        assert_eq!(reopen(copy.path()), durable, "cut at {cut}");
    }
}

#[test]
fn a_torn_end_of_the_log_is_ignored() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    let wal = dir.path().join("steward.db-wal");
    (1..=5).for_each(|n| store.commit(&step(n)).unwrap());
    let end = fs::metadata(&wal).unwrap().len() as usize;
    store.commit(&step(6)).unwrap();
    let log = fs::read(&wal).unwrap();
    // Any sector of the last commit may be missing after a power cut, whatever came after it.
    for sector in (end..log.len()).step_by(512) {
        let mut torn = log.clone();
        let until = (sector + 512).min(torn.len());
        torn[sector..until].fill(0x5a);
        let copy = copy_after_crash(dir.path(), &torn);
        assert_eq!(reopen(copy.path()), 5, "sector at {sector}");
    }
}

#[test]
fn a_log_that_starts_over_after_a_checkpoint_is_read_right() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    let before = store.stats().checkpoints;
    let mut n = 0;
    while store.stats().checkpoints == before {
        n += 1;
        store.commit(&step(n)).unwrap();
        store.maintain().unwrap();
    }
    // The new beginning overwrites the start of the log; the old end is still behind it.
    for more in 1..=3 {
        store.commit(&step(n + more)).unwrap();
        let log = fs::read(dir.path().join("steward.db-wal")).unwrap();
        let copy = copy_after_crash(dir.path(), &log);
        assert_eq!(reopen(copy.path()), n + more);
    }
}

#[test]
fn copies_taken_while_commits_run_hold_all_that_was_acknowledged() {
    const STEPS: u64 = 100;
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    // One acknowledgement waits while the next commits run: they go on during each copy.
    let (acks, acked) = std::sync::mpsc::sync_channel(1);
    let thread = CommitThread::spawn(
        Box::new(store),
        move |released: Vec<u64>| acks.send(*released.last().unwrap()).unwrap(),
        |error| panic!("{error}"),
    )
    .unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| (1..=STEPS).for_each(|n| thread.submit(step(n), n).unwrap()));
        let mut last_ack = 0;
        while last_ack < STEPS {
            last_ack = acked.recv().unwrap();
            // The log stays below a checkpoint's size, so the database does not change: whatever
            // the moment of the copy, a crash could have left it.
            let log = fs::read(dir.path().join("steward.db-wal")).unwrap();
            assert!(reopen(copy_after_crash(dir.path(), &log).path()) >= last_ack);
        }
    });
    thread.close().unwrap();
    assert_eq!(reopen(dir.path()), STEPS);
}

#[test]
fn a_copy_with_its_files_on_either_side_of_a_checkpoint_is_refused_or_whole() {
    const EARLY: u64 = 200;
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    let files = || ["steward.db", "steward.db-wal"].map(|name| fs::read(dir.path().join(name)));
    (1..=EARLY).for_each(|n| store.commit(&step(n)).unwrap());
    let [early_database, early_log] = files().map(Result::unwrap);
    let mut n = EARLY;
    while store.stats().checkpoints == 0 {
        n += 1;
        store.commit(&step(n)).unwrap();
        store.maintain().unwrap();
    }
    store.commit(&step(n + 1)).unwrap();
    let [late_database, late_log] = files().map(Result::unwrap);

    let copy = |database: &[u8], log| {
        let copy = copy_after_crash(dir.path(), log);
        fs::write(copy.path().join("steward.db"), database).unwrap();
        copy
    };
    // The rows that the checkpoint moved are in neither file. It shows because every commit adds
    // rows.
    let torn = copy(&early_database, &late_log);
    let error = try_open(torn.path(), OpenMode::Existing).unwrap_err();
    assert_eq!(error.code().name(), "database_damaged", "{error:?}");
    assert!(fs::read(torn.path().join("steward.db")).unwrap() == early_database);
    assert!(fs::read(torn.path().join("steward.db-wal")).unwrap() == late_log);
    // The early log overrides the pages that the checkpoint moved.
    assert_eq!(reopen(copy(&late_database, &early_log).path()), EARLY);
    assert_eq!(reopen(copy(&late_database, &late_log).path()), n + 1);
}

#[test]
fn the_log_makes_up_for_a_checkpoint_of_which_any_sectors_are_missing() {
    const SECTOR: usize = 512;
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    let file = |name| fs::read(dir.path().join(name)).unwrap();
    let (mut n, mut before) = (0, Vec::new());
    while store.stats().checkpoints == 0 {
        n += 1;
        store.commit(&step(n)).unwrap();
        before = file("steward.db");
        store.maintain().unwrap();
    }
    let (after, log) = (file("steward.db"), file("steward.db-wal"));
    assert!(before != after, "the checkpoint moved nothing");
    // After a power cut each sector that was being written is there or not, whatever the order.
    for pattern in [0x0000, 0x0001, 0x5555, 0x1f2e, 0xfffe, 0xffff_u16] {
        let mut torn = after.clone();
        for (sector, bytes) in torn.chunks_mut(SECTOR).enumerate() {
            let is_missing = pattern.rotate_left((sector * 7 % 16) as u32) & 1 == 0;
            if is_missing {
                let old = before.iter().skip(sector * SECTOR).chain(std::iter::repeat(&0));
                bytes.iter_mut().zip(old).for_each(|(byte, old)| *byte = *old);
            }
        }
        let copy = copy_after_crash(dir.path(), &log);
        fs::write(copy.path().join("steward.db"), torn).unwrap();
        assert_eq!(reopen(copy.path()), n, "pattern {pattern:04x}");
    }
}

#[test]
fn a_copy_torn_by_a_checkpoint_between_changes_of_the_same_rows_is_refused() {
    const CHANNELS: u64 = 40;
    let dir = tempfile::tempdir().unwrap();
    let all = |version| batch((0..CHANNELS).map(|peer| put_channel(peer, version)));
    let mut store = open(dir.path());
    store.commit(&all(0)).unwrap();
    store.close().unwrap();
    drop(store);
    let early_database = fs::read(dir.path().join("steward.db")).unwrap();

    let mut store = open(dir.path());
    let mut version = 0;
    while store.stats().checkpoints == 0 {
        version += 1;
        store.commit(&all(version)).unwrap();
        store.maintain().unwrap();
    }
    store.commit(&batch([put_channel(0, version + 1)])).unwrap();
    let late_log = fs::read(dir.path().join("steward.db-wal")).unwrap();
    let torn = copy_after_crash(dir.path(), &late_log);
    fs::write(torn.path().join("steward.db"), early_database).unwrap();
    // Its pages fit together.
    let mut store = try_open(torn.path(), OpenMode::Existing).unwrap();
    assert_eq!(store.load(NOW_MS).unwrap_err(), StoreError::Torn);
    assert_eq!(verify(store.path()).unwrap_err(), StoreError::Torn);
    // Nor does it take a commit.
    assert_eq!(store.commit(&batch([put_channel(1, 1)])).unwrap_err(), StoreError::Torn);
}

/// The variable that tells the child of the next test where it works; without it, this is no child.
const CHILD_DIR: &str = "STEWARD_STORE_CRASH_DIR";

#[test]
#[ignore = "the child of a_killed_process_loses_nothing_it_acknowledged"]
fn child_that_is_killed() {
    let Ok(dir) = std::env::var(CHILD_DIR) else { return };
    let mut store = try_open(Path::new(&dir), OpenMode::Create).unwrap();
    let first = u64::from(store.load(NOW_MS).unwrap().height) + 1;
    let thread = CommitThread::spawn(
        Box::new(store),
        |released: Vec<u64>| println!("ack {}", released.last().unwrap()),
        |error| panic!("{error}"),
    )
    .unwrap();
    for n in first.. {
        thread.submit(step(n), n).unwrap();
    }
}

#[test]
fn a_killed_process_loses_nothing_it_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    for kill_after in [1, 7, 60, 500] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["child_that_is_killed", "--exact", "--ignored", "--nocapture"])
            .env(CHILD_DIR, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let acks = lines.filter_map(|line| line.unwrap().strip_prefix("ack ")?.parse::<u64>().ok());
        let mut last_ack = 0;
        for (count, ack) in acks.enumerate() {
            last_ack = ack;
            if count == kill_after {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(last_ack > 0, "the child wrote nothing");
        assert!(reopen(dir.path()) >= last_ack);
    }
}
