//! Paying and being paid in one call: randomness added, the end of a payment awaited.

use std::time::Duration;

use steward_engine::row::{InvoiceRow, PaymentRow, PaymentStatus};
use steward_engine::{Command, Error, Event, EventKind, Reply};
use steward_invoice::Invoice;
use steward_wire::{NodeId, PaymentHash};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;

use crate::error::stopping;
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

    /// Pays an invoice and waits until that has ended, for `wait` at most. The payment returned is
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
        let invoice = Box::new(invoice);
        self.start_and_wait(Command::Pay { invoice, amount_msat, max_fee_msat }, wait).await
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
        let command = Command::Keysend { destination, via, amount_msat, max_fee_msat, preimage };
        self.start_and_wait(command, wait).await
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

    async fn start_and_wait(&self, command: Command, wait: Duration) -> Result<PaymentRow, Error> {
        // First, so that an end between the answer and the wait is not missed.
        let mut events = self.subscribe();
        let row = match self.command(command).await? {
            Reply::Payment(row) => row,
            other => return Err(unexpected(&other)),
        };
        if row.status != PaymentStatus::Pending {
            return Ok(row);
        }
        match timeout(wait, self.wait_for_end(row.payment_hash, &mut events)).await {
            Ok(ended) => ended,
            Err(_elapsed) => self.payment(row.payment_hash).await,
        }
    }

    async fn wait_for_end(
        &self,
        payment_hash: PaymentHash,
        events: &mut Receiver<Event>,
    ) -> Result<PaymentRow, Error> {
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Ok(event) if !ends(&event, &payment_hash) => continue,
                    // The end may be among the events missed.
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return Err(stopping()),
                },
                stopped = self.stopped() => return Err(stopped.err().unwrap_or_else(stopping)),
            }
            let row = self.payment(payment_hash).await?;
            if row.status != PaymentStatus::Pending {
                return Ok(row);
            }
        }
    }
}

fn ends(event: &Event, hash: &PaymentHash) -> bool {
    match &event.kind {
        EventKind::PaymentSent { payment_hash, .. }
        | EventKind::PaymentFailed { payment_hash, .. } => payment_hash == hash,
        _ => false,
    }
}

fn unexpected(reply: &Reply) -> Error {
    Error::ours("bug", format!("the engine answered something else: {reply:?}"))
}
