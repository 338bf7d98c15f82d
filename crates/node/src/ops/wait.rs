//! The time that an operation waits for its outcome.

use std::time::Duration;

use steward_engine::{Event, EventKind};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::time::timeout;

/// The longest time that an operation waits for its outcome. When it is over, the operation returns
/// the thing it asked about as it stands then.
#[derive(Clone, Debug)]
pub struct Wait {
    at_most: Duration,
    /// The caller has no more time when the sender is dropped.
    closing: Option<watch::Receiver<()>>,
}

impl From<Duration> for Wait {
    fn from(at_most: Duration) -> Self {
        Self { at_most, closing: None }
    }
}

impl Wait {
    /// Returns the same wait, which ends earlier if the sender of `closing` is dropped or sends.
    #[must_use]
    pub fn or_until(self, closing: watch::Receiver<()>) -> Self {
        Self { closing: Some(closing), ..self }
    }

    /// True if the operation does not wait.
    pub(super) fn is_zero(&self) -> bool {
        self.at_most.is_zero()
    }

    /// Waits for `outcome`; `None` if it does not come in time.
    pub(super) async fn outcome<T>(&self, outcome: impl Future<Output = T>) -> Option<T> {
        let in_time = timeout(self.at_most, outcome);
        let Some(mut closing) = self.closing.clone() else { return in_time.await.ok() };
        tokio::select! {
            outcome = in_time => outcome.ok(),
            _ = closing.changed() => None,
        }
    }

    /// Waits for an event of interest. `None` if time is over, or events were missed, or the node
    /// stops: in any case it is time to look again. The caller subscribes before it causes the
    /// event.
    pub(super) async fn event<T>(
        &self,
        events: &mut Receiver<Event>,
        mut interest: impl FnMut(&EventKind) -> Option<T>,
    ) -> Option<T> {
        let found = async {
            loop {
                match events.recv().await {
                    Ok(event) => {
                        if let Some(found) = interest(&event.kind) {
                            return Some(found);
                        }
                    }
                    Err(RecvError::Lagged(_) | RecvError::Closed) => return None,
                }
            }
        };
        self.outcome(found).await.flatten()
    }
}
