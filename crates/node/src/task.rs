//! Work that may wait for the disk, off the async threads.

use steward_engine::{Code, Error};

/// Runs work that may wait for the disk on a thread where that is allowed.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Error::new(Code::Bug, format!("a task failed: {error}")))
}
