//! The stored lists, and the events that subscribers have missed. A question blocks on the disk, so
//! it is asked on a thread that may block.

use steward_engine::row::{ForwardRow, PaymentRow, PaymentStatus};
use steward_engine::{Code, Error, Event};
use steward_store::{ForwardTotals, History, Page, PageRequest, StoreError};
use tokio::sync::oneshot;

use super::operations::Operations;
use crate::error::store_error;

impl Operations {
    /// Lists our payments, newest first, optionally of one status.
    ///
    /// # Errors
    /// Fails if the store cannot be read.
    pub async fn payments(
        &self,
        status: Option<PaymentStatus>,
        page: PageRequest,
    ) -> Result<Page<PaymentRow>, Error> {
        self.read(move |history| history.payments(status, page)).await
    }

    /// Lists the forwards between channels, newest first, with the sums over all of them.
    ///
    /// # Errors
    /// Fails if the store cannot be read.
    pub async fn forwards(
        &self,
        page: PageRequest,
    ) -> Result<(Page<ForwardRow>, ForwardTotals), Error> {
        self.read(move |history| Ok((history.forwards(page)?, history.forward_totals()?))).await
    }

    /// Lists the events with a number above `after`, oldest first, `limit` at most.
    ///
    /// # Errors
    /// Fails if the store cannot be read.
    pub async fn events_after(&self, after: u64, limit: usize) -> Result<Vec<Event>, Error> {
        self.read(move |history| history.events(after, limit)).await
    }

    /// Asks the store on a thread that may block.
    pub(super) async fn read<T, F>(&self, question: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&dyn History) -> Result<T, StoreError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        // Without a receiver the caller is gone, and needs no answer.
        let ask = move |history: &dyn History| drop(answer.send(question(history)));
        self.node.ask_history(Box::new(ask));
        let answer = answered.await.map_err(|_| Error::new(Code::Bug, "a question failed"))?;
        answer.map_err(|error| store_error(&error))
    }
}
