//! Paying and being paid in one call: randomness added, the end of a payment awaited.

use std::pin::pin;
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
    ) -> Result<Paid, Error> {
        let payment_hash = invoice.payment_hash;
        match self.known_of(payment_hash).await? {
            Known::Paid(payment) => {
                payment.check_repeated(&invoice, amount_msat)?;
                return Ok(Paid { payment: *payment, begun_earlier: true });
            }
            Known::Ours => {
                return Err(Error::refused("self_payment", "the invoice is our own")
                    .hint("give it to whoever shall pay it"));
            }
            Known::Nothing => {}
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
        Ok(self.start_and_wait(command, preimage.hash(), wait).await?.payment)
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
    ) -> Result<Paid, Error> {
        let mut asked = pin!(self.command(command));
        let answer = match timeout(wait, &mut asked).await {
            Ok(answer) => answer,
            Err(_elapsed) => {
                // Handled after what was asked: if that was refused, the refusal is there by now.
                let stands = self.payment(payment_hash).await;
                match timeout(Duration::ZERO, &mut asked).await {
                    Ok(answer) => answer,
                    Err(_elapsed) => {
                        return Ok(Paid { payment: stands?, begun_earlier: false });
                    }
                }
            }
        };
        match answer? {
            Reply::Payment(payment) => Ok(Paid { payment, begun_earlier: false }),
            Reply::EarlierPayment(payment) => Ok(Paid { payment, begun_earlier: true }),
            other => Err(unexpected(&other)),
        }
    }

    /// The engine remembers for some minutes what it has paid, and until then what it is to be paid;
    /// the store for ever.
    async fn known_of(&self, payment_hash: PaymentHash) -> Result<Known, Error> {
        let history = self.history();
        let ask = move || match history.paid(&payment_hash)? {
            Some(payment) => Ok(Known::Paid(Box::new(payment))),
            None => Ok(history.invoice(&payment_hash)?.map_or(Known::Nothing, |_| Known::Ours)),
        };
        let found = tokio::task::spawn_blocking(ask).await;
        let found = found.map_err(|error| Error::ours("bug", error.to_string()))?;
        found.map_err(|error| store_error(&error))
    }
}

/// A payment, and who began it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paid {
    /// The payment as it stands, or how it ended.
    pub payment: PaymentRow,
    /// True if an earlier request began it: this one has paid nothing.
    pub begun_earlier: bool,
}

/// What the store knows of a payment hash.
enum Known {
    Nothing,
    /// We paid it.
    Paid(Box<PaymentRow>),
    /// We are, or were, to be paid.
    Ours,
}

fn unexpected(reply: &Reply) -> Error {
    Error::ours("bug", format!("the engine answered something else: {reply:?}"))
}
