//! Group commit: the order in which effects are released, and the behaviour after a failure.

mod support;

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use steward_engine::WriteBatch;
use steward_engine::row::StoredState;
use steward_store::limits::{MAX_BATCHES_PER_COMMIT, MAX_QUEUED_BATCHES};
use steward_store::{CommitThread, History, MemoryStore, Store, StoreError, StoreStats};
use support::*;

/// A disk that the test controls: each commit waits for a permission, and tells what it wrote.
struct HeldStore {
    inner: MemoryStore,
    /// `Ok`: go on; `Err`: fail with this.
    go: Receiver<Result<(), StoreError>>,
    log: Arc<Mutex<Vec<String>>>,
}

impl Store for HeldStore {
    fn load(&mut self, now_ms: u64) -> Result<StoredState, StoreError> {
        self.inner.load(now_ms)
    }

    fn commit(&mut self, batch: &WriteBatch) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        self.go.recv().unwrap()?;
        self.log.lock().unwrap().push(format!("commit {}", batch.len()));
        self.inner.commit(batch)
    }

    fn maintain(&mut self) -> Result<(), StoreError> {
        self.log.lock().unwrap().push("maintain".to_owned());
        self.inner.maintain()
    }

    fn close(&mut self) -> Result<(), StoreError> {
        self.log.lock().unwrap().push("close".to_owned());
        self.inner.close()
    }

    fn stats(&self) -> StoreStats {
        self.inner.stats()
    }

    fn history(&self) -> Result<Arc<dyn History>, StoreError> {
        self.inner.history()
    }
}

struct Fixture {
    thread: CommitThread<u64>,
    go: Sender<Result<(), StoreError>>,
    released: Receiver<Vec<u64>>,
    failed: Receiver<StoreError>,
    log: Arc<Mutex<Vec<String>>>,
}

fn fixture() -> Fixture {
    let (go, wait) = channel();
    let (release, released) = channel();
    let (fail, failed) = channel();
    let log = Arc::new(Mutex::new(vec![]));
    let store = HeldStore { inner: MemoryStore::new(), go: wait, log: Arc::clone(&log) };
    let notes = Arc::clone(&log);
    let thread = CommitThread::spawn(
        Box::new(store),
        move |released: Vec<u64>| {
            notes.lock().unwrap().push(format!("release {released:?}"));
            release.send(released).unwrap();
        },
        move |error| fail.send(error).unwrap(),
    )
    .unwrap();
    Fixture { thread, go, released, failed, log }
}

fn write(n: u64) -> WriteBatch {
    batch([put_channel(n, n)])
}

/// Submits into a `fixture` whose thread is still busy with its first batch.
fn submit_all(f: &Fixture, batches: impl IntoIterator<Item = (WriteBatch, u64)>) {
    for (batch, then) in batches {
        f.thread.submit(batch, then).unwrap();
    }
}

#[test]
fn nothing_is_released_before_it_is_durable() {
    let f = fixture();
    submit_all(&f, [(write(1), 1)]);
    // The disk has not answered: there cannot be anything.
    assert!(f.released.try_recv().is_err());
    f.go.send(Ok(())).unwrap();
    assert_eq!(f.released.recv().unwrap(), [1]);
    f.thread.close().unwrap();
    let log = f.log.lock().unwrap();
    assert_eq!(*log, ["commit 1", "release [1]", "maintain", "close"]);
}

#[test]
fn batches_that_wait_share_a_commit_and_come_out_in_order() {
    let f = fixture();
    // However the thread finds the first ones grouped, ten batches take at most ten commits.
    submit_all(&f, (1..=10).map(|n| (write(n), n)));
    (0..10).for_each(|_| f.go.send(Ok(())).unwrap());
    let stats = f.thread.close().unwrap();
    assert_eq!(f.released.iter().flatten().collect::<Vec<_>>(), (1..=10).collect::<Vec<_>>());
    assert!(stats.commits < 10, "{} commits", stats.commits);
    assert_eq!(stats.rows, 10);
}

#[test]
fn a_batch_without_writes_keeps_its_place_behind_one_that_is_not_durable() {
    let f = fixture();
    submit_all(&f, [(write(1), 1), (WriteBatch::default(), 2)]);
    assert!(f.released.try_recv().is_err());
    f.go.send(Ok(())).unwrap();
    f.thread.close().unwrap();
    assert_eq!(f.released.iter().flatten().collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn batches_without_writes_cost_nothing() {
    let f = fixture();
    submit_all(&f, (1..=50).map(|n| (WriteBatch::default(), n)));
    // The disk never gets a permission; all come out nevertheless.
    let stats = f.thread.close().unwrap();
    assert_eq!(f.released.iter().flatten().count(), 50);
    assert_eq!(stats, StoreStats::default());
}

#[test]
fn a_batch_without_writes_does_not_wait_for_one_behind_it() {
    let f = fixture();
    submit_all(&f, [(WriteBatch::default(), 1), (write(2), 2)]);
    // Batch 2 is not durable yet, and may even be taken together with batch 1.
    assert_eq!(f.released.recv().unwrap(), [1]);
    f.go.send(Ok(())).unwrap();
    assert_eq!(f.released.recv().unwrap(), [2]);
    f.thread.close().unwrap();
}

#[test]
fn a_failed_commit_releases_nothing_and_is_told_once() {
    let f = fixture();
    submit_all(&f, [(write(1), 1)]);
    f.go.send(Ok(())).unwrap();
    assert_eq!(f.released.recv().unwrap(), [1]);
    submit_all(&f, [(write(2), 2), (WriteBatch::default(), 3), (write(4), 4)]);
    f.go.send(Err(StoreError::DiskFull)).unwrap();
    assert_eq!(f.failed.recv().unwrap(), StoreError::DiskFull);
    assert_eq!(f.thread.close(), Err(StoreError::DiskFull));
    assert_eq!(f.released.iter().count(), 0);
    assert_eq!(f.failed.iter().count(), 0);
    assert!(!f.log.lock().unwrap().contains(&"close".to_owned()));
}

#[test]
fn after_a_failure_no_batch_is_taken() {
    let f = fixture();
    submit_all(&f, [(write(1), 1)]);
    f.go.send(Err(StoreError::DiskFull)).unwrap();
    f.failed.recv().unwrap();
    // The failure is told before the queue is gone; a batch may still be queued, and is never
    // taken.
    let refused = (0..).find_map(|n| f.thread.submit(write(n), n).err()).unwrap();
    assert_eq!(refused, StoreError::Stopped);
    assert_eq!(f.released.iter().count(), 0);
}

#[test]
fn no_commit_makes_more_than_its_share_of_batches_wait() {
    let f = fixture();
    let total = 2 * MAX_BATCHES_PER_COMMIT as u64 + 10;
    submit_all(&f, (0..total).map(|n| (write(n), n)));
    (0..total).for_each(|_| f.go.send(Ok(())).unwrap());
    f.thread.close().unwrap();
    let groups: Vec<_> = f.released.iter().collect();
    assert!(groups.iter().all(|group| group.len() <= MAX_BATCHES_PER_COMMIT));
    assert_eq!(groups.concat(), (0..total).collect::<Vec<_>>());
}

/// A batch that does not fit in the queue waits, and is taken in its turn.
#[test]
fn a_full_queue_loses_nothing() {
    let f = fixture();
    let total = (MAX_QUEUED_BATCHES + 2 * MAX_BATCHES_PER_COMMIT) as u64;
    let Fixture { thread, go, released, .. } = f;
    std::thread::scope(|scope| {
        let submits = scope.spawn(move || {
            for n in 0..total {
                thread.submit(write(n), n).unwrap();
            }
            thread.close().unwrap();
        });
        (0..total).for_each(|_| go.send(Ok(())).unwrap());
        submits.join().unwrap();
    });
    let groups: Vec<_> = released.iter().collect();
    assert_eq!(groups.concat(), (0..total).collect::<Vec<_>>());
}

#[test]
fn the_later_write_of_a_group_wins() {
    let dir = tempfile::tempdir().unwrap();
    let thread =
        CommitThread::spawn(Box::new(open(dir.path())), |_| {}, |e| panic!("{e}")).unwrap();
    for n in 1..=500 {
        thread.submit(batch([put_height(n), put_channel(1, u64::from(n))]), ()).unwrap();
    }
    thread.close().unwrap();
    let loaded = open(dir.path()).load(NOW_MS).unwrap();
    assert_eq!((loaded.height, loaded.channels), (500, vec![support::channel(1, 500)]));
}
