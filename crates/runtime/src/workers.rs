//! A few threads for short work that waits for a disk, or keeps a processor busy, off the async
//! threads. They take the work in the order it comes, and sleep only when there is none: under
//! load a piece of work costs no hand-over between threads.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

type Work = Box<dyn FnOnce() + Send>;

/// The threads. When this is dropped they end after the work they have begun; what waits is dropped,
/// and its callers get no answer.
#[derive(Debug)]
pub struct Workers(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    filled: Condvar,
}

#[derive(Default)]
struct State {
    /// Bounded by the callers, each of which waits for its work or bounds it otherwise.
    waiting: VecDeque<Work>,
    /// The threads that sleep.
    idle: usize,
    is_closed: bool,
}

impl Workers {
    /// Starts so many threads of this name.
    ///
    /// # Errors
    /// Fails if the system gives no threads.
    pub fn start(name: &str, threads: usize) -> io::Result<Self> {
        let workers = Self(Arc::default());
        for _ in 0..threads {
            let shared = Arc::clone(&workers.0);
            std::thread::Builder::new().name(name.to_owned()).spawn(move || shared.work())?;
        }
        Ok(workers)
    }

    /// Hands over work that answers by itself. The caller bounds how much of it waits.
    pub fn give(&self, work: impl FnOnce() + Send + 'static) {
        let mut state = self.0.lock();
        state.waiting.push_back(Box::new(work));
        let wakes = state.idle > 0;
        drop(state);
        if wakes {
            self.0.filled.notify_one();
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.is_closed = true;
        let dropped = std::mem::take(&mut state.waiting);
        drop(state);
        self.0.filled.notify_all();
        // Without the lock: their callers wake up.
        drop(dropped);
    }
}

impl Shared {
    fn work(&self) {
        while let Some(work) = self.next() {
            // The panic is reported where it happens; its caller sees that no answer comes.
            let _ = catch_unwind(AssertUnwindSafe(work));
        }
    }

    fn next(&self) -> Option<Work> {
        let mut state = self.lock();
        loop {
            if state.is_closed {
                return None;
            }
            if let Some(work) = state.waiting.pop_front() {
                return Some(work);
            }
            state.idle += 1;
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} waiting", self.lock().waiting.len())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn a_panic_ends_its_own_work_and_no_other() {
        let workers = Workers::start("worker", 1).unwrap();
        let (done, is_done) = channel();
        let lost = done.clone();
        workers.give(move || {
            let _lost = lost;
            panic!("on purpose");
        });
        workers.give(move || done.send(2).unwrap());
        assert_eq!(is_done.iter().collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn one_thread_takes_the_work_in_order() {
        let workers = Workers::start("worker", 1).unwrap();
        let (done, is_done) = channel();
        for number in 0..100 {
            let done = done.clone();
            workers.give(move || done.send(number).unwrap());
        }
        assert_eq!(is_done.iter().take(100).collect::<Vec<_>>(), (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn work_that_waits_at_the_end_is_dropped() {
        let workers = Workers::start("worker", 1).unwrap();
        let (begin, is_begun) = channel();
        let (go, may_go) = channel::<()>();
        workers.give(move || {
            begin.send(()).unwrap();
            let _ = may_go.recv();
        });
        is_begun.recv().unwrap();
        let (done, is_done) = channel::<()>();
        workers.give(move || done.send(()).unwrap());
        drop(workers);
        drop(go);
        assert!(is_done.recv().is_err());
    }

    #[test]
    fn all_threads_work_at_the_same_time() {
        const THREADS: usize = 3;
        let workers = Workers::start("worker", THREADS).unwrap();
        let meeting = Arc::new(std::sync::Barrier::new(THREADS + 1));
        for _ in 0..THREADS {
            let meeting = Arc::clone(&meeting);
            workers.give(move || {
                meeting.wait();
            });
        }
        meeting.wait();
    }
}
