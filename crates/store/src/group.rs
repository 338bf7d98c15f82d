//! Group commit: one thread owns the store and makes all batches that wait durable together.
//!
//! The effects that a batch allows come out only after the batch is durable, in the order the
//! batches went in.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use steward_engine::WriteBatch;

use crate::error::StoreError;
use crate::limits::{MAX_BATCHES_PER_COMMIT, MAX_QUEUED_BATCHES};
use crate::store::{Store, StoreStats};

/// A batch, and the effects that its durability allows.
type Entry<T> = (WriteBatch, T);

/// Makes batches durable on a thread of its own.
///
/// Dropping it, as [`CommitThread::close`], ends the thread after all that waits is durable; only
/// `close` waits for that.
#[derive(Debug)]
pub struct CommitThread<T> {
    sender: SyncSender<Entry<T>>,
    thread: JoinHandle<Result<(), StoreError>>,
    stats: Arc<Mutex<StoreStats>>,
}

impl<T: Send + 'static> CommitThread<T> {
    /// Starts the thread.
    ///
    /// `on_durable` gets what each commit allows, in the order of submission; it should be quick,
    /// the next commit waits for it. `on_failure` is told the first error; the thread ends then,
    /// and nothing that was not durable is ever released.
    ///
    /// # Errors
    /// [`StoreError::Io`] if the system gives no thread.
    pub fn spawn(
        store: Box<dyn Store>,
        on_durable: impl FnMut(Vec<T>) + Send + 'static,
        on_failure: impl FnOnce(StoreError) + Send + 'static,
    ) -> Result<Self, StoreError> {
        let (sender, receiver) = sync_channel(MAX_QUEUED_BATCHES);
        let stats = Arc::new(Mutex::new(store.stats()));
        let mut worker = Worker { store, receiver, on_durable, stats: Arc::clone(&stats) };
        let run = move || {
            let result = worker.run();
            worker.publish_stats();
            if let Err(error) = &result {
                tracing::error!(code = %error.code(), "the store failed: {error}");
                on_failure(error.clone());
            }
            result
        };
        let thread =
            std::thread::Builder::new().name("store".to_owned()).spawn(run).map_err(|error| {
                StoreError::Io { action: "start a thread".to_owned(), reason: error.to_string() }
            })?;
        Ok(Self { sender, thread, stats })
    }

    /// Hands over a batch, and waits while [`MAX_QUEUED_BATCHES`] wait already.
    ///
    /// # Errors
    /// [`StoreError::Stopped`] after a failure, which `on_failure` was told.
    pub fn submit(&self, batch: WriteBatch, then: T) -> Result<(), StoreError> {
        self.sender.send((batch, then)).map_err(|_| StoreError::Stopped)
    }

    /// Returns the store's counters up to its last commit.
    pub fn stats(&self) -> StoreStats {
        *self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until all that was submitted is durable, closes the store with a last checkpoint and
    /// returns its counters.
    ///
    /// # Errors
    /// Fails with the error that `on_failure` was told; [`StoreError::Stopped`] if `on_durable`
    /// panicked.
    pub fn close(self) -> Result<StoreStats, StoreError> {
        drop(self.sender);
        self.thread.join().map_err(|_| StoreError::Stopped)??;
        Ok(*self.stats.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct Worker<T, D> {
    store: Box<dyn Store>,
    receiver: Receiver<Entry<T>>,
    on_durable: D,
    stats: Arc<Mutex<StoreStats>>,
}

impl<T, D: FnMut(Vec<T>)> Worker<T, D> {
    fn run(&mut self) -> Result<(), StoreError> {
        while let Ok(first) = self.receiver.recv() {
            let (batch, released) = self.gather(first);
            self.store.commit(&batch)?;
            self.publish_stats();
            (self.on_durable)(released);
            if !batch.is_empty() {
                self.store.maintain()?;
            }
        }
        self.store.close()
    }

    /// Takes the batches that wait behind `first`, up to the limit. Entries without writes at the
    /// front wait for nothing and are released at once.
    fn gather(&mut self, first: Entry<T>) -> Entry<Vec<T>> {
        let (mut batch, then) = first;
        let mut waiting = vec![then];
        for (next, then) in self.receiver.try_iter().take(MAX_BATCHES_PER_COMMIT - 1) {
            if batch.is_empty() && !next.is_empty() {
                (self.on_durable)(std::mem::take(&mut waiting));
            }
            batch.merge(next);
            waiting.push(then);
        }
        (batch, waiting)
    }

    fn publish_stats(&self) {
        *self.stats.lock().unwrap_or_else(PoisonError::into_inner) = self.store.stats();
    }
}
