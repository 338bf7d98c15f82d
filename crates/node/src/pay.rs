//! Paying and being paid in one call: randomness added, the end of a payment awaited.

use std::time::Duration;

use steward_engine::row::{InvoiceRow, PaymentRow};
use steward_engine::{AnswerAt, Command, Error, Reply};
use steward_invoice::Invoice;
use steward_wire::{NodeId, PaymentHash};
use tokio::time::timeout;

use crate::error::store_error;
use crate::handle::{NodeHandle, new_preimage};
use crate::random::random_bytes;

impl NodeHandle {
    /// Makes an invoice over `amount_msat`, or any amount, that expires after `expiry_s` seconds.
    ///
    /// # Errors
    /// As [`NodeHandle::command`].
    pub async fn create_invoice(
        &self,
        amount_msat: Option<u64>,
        description: String,
        expiry_s: u32,
    ) -> Result<InvoiceRow, Error> {
        let command = Command::CreateInvoice {
            amount_msat,
            description,
            expiry_s,
            preimage: new_preimage()?,
            payment_secret: random_bytes()?,
        };
        match self.command(command).await? {
            Reply::Invoice(row) => Ok(row),
            other => Err(unexpected(&other)),
        }
    }

    /// Pays an invoice, unless it is paid already, and waits until that has ended, for `wait` at most. The payment returned is
    /// complete or failed; or pending, if the time was too short: it goes on.
    ///
    /// # Errors
    /// As [`NodeHandle::command`]: the payment was not begun.
    pub async fn pay_and_wait(
        &self,
        invoice: Invoice,
        amount_msat: Option<u64>,
        max_fee_msat: Option<u64>,
        wait: Duration,
    ) -> Result<PaymentRow, Error> {
        let payment_hash = invoice.payment_hash;
        if let Some(paid) = self.paid_long_ago(payment_hash).await? {
            return Ok(paid);
        }
        let invoice = Box::new(invoice);
        let answer = AnswerAt::End;
        let command = Command::Pay { invoice, amount_msat, max_fee_msat, answer };
        self.start_and_wait(command, payment_hash, wait).await
    }

    /// Pays a node without an invoice and waits as [`NodeHandle::pay_and_wait`]. `via` is the host
    /// through which it is reached, if it is not a direct peer.
    ///
    /// # Errors
    /// As [`NodeHandle::command`]: the payment was not begun.
    pub async fn keysend_and_wait(
        &self,
        destination: NodeId,
        via: Option<NodeId>,
        amount_msat: u64,
        max_fee_msat: Option<u64>,
        wait: Duration,
    ) -> Result<PaymentRow, Error> {
        let preimage = new_preimage()?;
        let answer = AnswerAt::End;
        let command =
            Command::Keysend { destination, via, amount_msat, max_fee_msat, preimage, answer };
        self.start_and_wait(command, preimage.hash(), wait).await
    }

    /// The payment as it stands: from the engine, or from the store if it ended long ago.
    ///
    /// # Errors
    /// As [`NodeHandle::command`]; `unknown_payment` if there never was one.
    pub async fn payment(&self, payment_hash: PaymentHash) -> Result<PaymentRow, Error> {
        match self.command(Command::GetPayment { payment_hash }).await? {
            Reply::Payment(row) => Ok(row),
            other => Err(unexpected(&other)),
        }
    }

    async fn start_and_wait(
        &self,
        command: Command,
        payment_hash: PaymentHash,
        wait: Duration,
    ) -> Result<PaymentRow, Error> {
        match timeout(wait, self.command(command)).await {
            Ok(Ok(Reply::Payment(row))) => Ok(row),
            Ok(Ok(other)) => Err(unexpected(&other)),
            Ok(Err(error)) => Err(error),
            Err(_elapsed) => self.payment(payment_hash).await,
        }
    }

    /// The engine remembers for some minutes what it has paid, the store for ever.
    async fn paid_long_ago(&self, payment_hash: PaymentHash) -> Result<Option<PaymentRow>, Error> {
        let history = self.history();
        let found = tokio::task::spawn_blocking(move || history.paid(&payment_hash)).await;
        let found = found.map_err(|error| Error::ours("bug", error.to_string()))?;
        found.map_err(|error| store_error(&error))
    }
}

fn unexpected(reply: &Reply) -> Error {
    Error::ours("bug", format!("the engine answered something else: {reply:?}"))
}
