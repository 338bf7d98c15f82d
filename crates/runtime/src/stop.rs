//! The reason why the node stopped, told once and to all callers that wait.

use std::sync::Arc;

use steward_engine::{Code, Error};
use tokio::sync::watch;

/// The stop, shared by everything that can stop the node. The first reason stays.
#[derive(Clone)]
pub struct Stop(Arc<watch::Sender<Option<Result<(), Error>>>>);

impl Default for Stop {
    fn default() -> Self {
        Self::new()
    }
}

impl Stop {
    /// Makes a stop that was not used yet.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }

    /// Stops the node, because it cannot go on.
    pub fn fail(&self, error: Error) {
        self.set(Err(error));
    }

    /// Stops the node, because it was asked to.
    pub fn done(&self) {
        self.set(Ok(()));
    }

    /// True once there is a reason.
    pub fn is_set(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Returns the reason why it cannot go on, if it cannot.
    pub fn failure(&self) -> Option<Error> {
        self.0.borrow().clone().and_then(Result::err)
    }

    /// Waits for the reason: `Ok` if it ended because it was asked to.
    ///
    /// # Errors
    /// Fails with the reason why it cannot go on.
    pub async fn stopped(&self) -> Result<(), Error> {
        let mut receiver = self.0.subscribe();
        // The sender lives as long as `self`.
        match receiver.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or(Ok(())),
            Err(_) => Ok(()),
        }
    }

    fn set(&self, reason: Result<(), Error>) {
        self.0.send_if_modified(|stored| {
            let is_first = stored.is_none();
            if is_first {
                *stored = Some(reason);
            }
            is_first
        });
    }
}

/// Runs a task that the node cannot do without: if it panics, the node stops.
pub async fn guarded<T>(stop: Stop, name: &'static str, task: impl Future<Output = T>) -> T {
    let _guard = StopOnPanic { stop, thread: name };
    task.await
}

/// Stops the node if the thread or task that holds it panics: half a node is worse than none. The
/// daemon ends its process even before that.
pub(crate) struct StopOnPanic {
    pub(crate) stop: Stop,
    pub(crate) thread: &'static str,
}

impl Drop for StopOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let text = format!("the thread {} panicked", self.thread);
            self.stop.fail(
                Error::new(Code::Bug, text)
                    .hint("This is a bug: start the node again and report it with the log."),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_reason_stays() {
        let stop = Stop::new();
        stop.fail(Error::new(Code::StoreFailed, ""));
        stop.fail(Error::new(Code::ChainSourceUnusable, ""));
        stop.done();
        assert_eq!(stop.stopped().await.unwrap_err().code, Code::StoreFailed);
    }

    #[tokio::test]
    async fn a_panic_of_a_task_stops_the_node() {
        let stop = Stop::new();
        let task = async {
            tokio::task::yield_now().await;
            panic!("on purpose");
        };
        let task = tokio::spawn(guarded(stop.clone(), "test", task));
        assert!(task.await.unwrap_err().is_panic());
        assert_eq!(stop.stopped().await.unwrap_err().code, Code::Bug);
    }

    #[tokio::test]
    async fn a_panic_of_a_thread_stops_the_node() {
        let stop = Stop::new();
        let guard = StopOnPanic { stop: stop.clone(), thread: "test" };
        let thread = std::thread::spawn(move || {
            let _guard = guard;
            panic!("on purpose");
        });
        assert!(thread.join().is_err());
        assert_eq!(stop.stopped().await.unwrap_err().code, Code::Bug);
    }
}
