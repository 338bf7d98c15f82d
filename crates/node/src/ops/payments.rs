//! Payments out: the operations that pay an invoice or a node and wait for the end.

use std::pin::pin;
use std::time::Duration;

use steward_engine::row::{PaymentRow, PaymentStatus};
use steward_engine::{Code, Error, EventKind};
use steward_store::PaymentWithParts;
use steward_wire::{PaymentHash, Preimage};
use tokio::time::timeout;

use super::ask;
use super::ask::Ask;
use super::operations::Operations;
use super::requests::{Paid, PayAmount, PayInvoice, PayNode};
use super::wait::Wait;
use crate::random::random_bytes;

impl Operations {
    /// Pays an invoice, unless it is paid already, and waits until that has ended. The payment
    /// returned is complete or failed; or pending, if the time was too short: it goes on.
    ///
    /// # Errors
    /// Fails with the reason why the payment was not begun, or as
    /// [`super::plumbing::Plumbing::command`].
    pub async fn pay(&self, request: PayInvoice, wait: impl Into<Wait>) -> Result<Paid, Error> {
        let PayInvoice { invoice, amount, max_fee_msat } = request;
        let amount_msat = match amount {
            PayAmount::AsInvoiced => None,
            PayAmount::Msat(amount_msat) => Some(amount_msat),
            PayAmount::All => Some(self.ask(ask::most_payable(invoice.clone())).await?),
        };
        let payment_hash = invoice.payment_hash;
        match self.known_of(payment_hash).await? {
            Known::Paid(payment) => {
                payment.check_repeated(&invoice, amount_msat)?;
                return Ok(Paid { payment: *payment, begun_earlier: true });
            }
            Known::Ours => {
                return Err(Error::new(Code::SelfPayment, "the invoice is our own")
                    .hint("give it to its payer"));
            }
            Known::Nothing => {}
        }
        let pay = ask::pay(invoice, amount_msat, max_fee_msat);
        self.start_and_wait(pay, payment_hash, &wait.into()).await
    }

    /// Pays a node without an invoice and waits as [`Self::pay`].
    ///
    /// # Errors
    /// Fails as [`Self::pay`].
    pub async fn keysend(
        &self,
        request: PayNode,
        wait: impl Into<Wait>,
    ) -> Result<PaymentRow, Error> {
        let preimage = Preimage(random_bytes()?);
        let keysend = ask::keysend(request, preimage);
        let paid = self.start_and_wait(keysend, preimage.hash(), &wait.into()).await?;
        Ok(paid.payment)
    }

    /// Returns a payment with everything tried for it, once it has ended or the time is over. One
    /// whose outcome is unknown is not waited for.
    ///
    /// # Errors
    /// `unknown_payment`, or if the store cannot be read.
    pub async fn wait_payment(
        &self,
        hash: PaymentHash,
        wait: impl Into<Wait>,
    ) -> Result<PaymentWithParts, Error> {
        let wait = wait.into();
        let mut events = self.subscribe();
        let stored = self.payment(hash).await?;
        let row = &stored.payment;
        let will_end = row.status == PaymentStatus::Pending;
        if !will_end || wait.is_zero() {
            return Ok(stored);
        }
        let ended = wait.event(&mut events, |kind| match kind {
            EventKind::PaymentSent { payment_hash, .. }
            | EventKind::PaymentFailed { payment_hash, .. } => {
                (*payment_hash == hash).then_some(())
            }
            _ => None,
        });
        // The payment is read as it stands, whether it has ended or not.
        ended.await;
        self.payment(hash).await
    }

    /// Returns a payment with everything tried for it, as stored.
    ///
    /// # Errors
    /// `unknown_payment`, or if the store cannot be read.
    pub async fn payment(&self, hash: PaymentHash) -> Result<PaymentWithParts, Error> {
        let payment = self.read(move |history| history.payment(&hash)).await?;
        payment.ok_or_else(|| Error::new(Code::UnknownPayment, "we made no payment with this hash"))
    }

    async fn start_and_wait(
        &self,
        start: Ask<Paid>,
        payment_hash: PaymentHash,
        wait: &Wait,
    ) -> Result<Paid, Error> {
        let mut asked = pin!(self.ask(start));
        if let Some(answer) = wait.outcome(&mut asked).await {
            return answer;
        }
        // This command is handled after the one that was asked: if that was refused, the refusal is
        // there by now.
        let stands = self.ask(ask::get_payment(payment_hash)).await;
        match timeout(Duration::ZERO, &mut asked).await {
            Ok(answer) => answer,
            Err(_elapsed) => Ok(Paid { payment: stands?, begun_earlier: false }),
        }
    }

    /// Asks the store, which forgets nothing: the engine remembers what it has paid for some
    /// minutes, and an invoice until it is paid.
    async fn known_of(&self, payment_hash: PaymentHash) -> Result<Known, Error> {
        self.read(move |history| match history.paid(&payment_hash)? {
            Some(payment) => Ok(Known::Paid(Box::new(payment))),
            None => Ok(history.invoice(&payment_hash)?.map_or(Known::Nothing, |_| Known::Ours)),
        })
        .await
    }
}

/// The answer of the store about a payment hash.
enum Known {
    Nothing,
    /// We paid it.
    Paid(Box<PaymentRow>),
    /// It is the hash of an invoice of ours.
    Ours,
}
