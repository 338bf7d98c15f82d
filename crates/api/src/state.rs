//! The state that handlers share.

use std::sync::Arc;
use std::time::Duration;

use steward_node::Operations;
use steward_node::ops::wait::Wait;
use tokio::sync::{Notify, Semaphore, watch};

/// The state that handlers share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) node: Operations,
    /// The permits, one per event stream.
    pub(crate) subscribers: Arc<Semaphore>,
    /// The end of event streams and waits: its sender is dropped once the API stops.
    pub(crate) closing: watch::Receiver<()>,
    /// The signal that a caller asks the node to stop.
    pub(crate) stop: Arc<Notify>,
}

impl Shared {
    /// Returns a wait that also ends when the API stops.
    pub(crate) fn wait(&self, at_most: Duration) -> Wait {
        Wait::from(at_most).or_until(self.closing.clone())
    }
}
