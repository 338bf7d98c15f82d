//! Work that may wait for the disk, off the async threads.

use steward_engine::{Code, Error};

/// Runs what may wait for the disk where that is allowed.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Error::new(Code::Bug, format!("a task failed: {error}")))
}
