//! Invoices: the operations that make, show and list them.

use steward_engine::row::{InvoiceRow, InvoiceStatus};
use steward_engine::{Code, Error};
use steward_store::{Page, PageRequest};
use steward_wire::{PaymentHash, Preimage};

use super::ask;
use super::operations::Operations;
use super::requests::NewInvoice;
use crate::random::random_bytes;

impl Operations {
    /// Makes an invoice.
    ///
    /// # Errors
    /// `cannot_receive` and others, or as [`super::plumbing::Plumbing::command`].
    pub async fn create_invoice(&self, invoice: NewInvoice) -> Result<InvoiceRow, Error> {
        let preimage = Preimage(random_bytes()?);
        self.ask(ask::create_invoice(invoice, preimage, random_bytes()?)).await
    }

    /// Returns one of our invoices.
    ///
    /// # Errors
    /// `unknown_invoice`, or if the store cannot be read.
    pub async fn invoice(&self, payment_hash: PaymentHash) -> Result<InvoiceRow, Error> {
        let row = self.read(move |history| history.invoice(&payment_hash)).await?;
        row.ok_or_else(|| {
            let text = "we made no invoice with this payment hash";
            Error::new(Code::UnknownInvoice, text)
        })
    }

    /// Lists our invoices, newest first, optionally of one status; expired ones are still pending.
    ///
    /// # Errors
    /// Fails if the store cannot be read.
    pub async fn invoices(
        &self,
        status: Option<InvoiceStatus>,
        page: PageRequest,
    ) -> Result<Page<InvoiceRow>, Error> {
        self.read(move |history| history.invoices(status, page)).await
    }
}
