//! Table `invoice`: our requests to be paid. Kept for good.

use steward_engine::row::{InvoiceRow, InvoiceStatus, OpenInvoice, Row};
use steward_wire::PaymentHash;

use super::column::{Columns, Value, values};
use super::hashed::{ByHash, Hashed};
use super::status::{invoice_status, invoice_status_code, kind, kind_code};
use super::{Table, Write};
use crate::error::StoreError;

/// The table `invoice`.
pub(crate) struct Invoices;

/// The payment of an invoice, in its row.
pub(crate) struct InvoicePayments;

/// The failed claim of an invoice, in its row.
pub(crate) struct InvoiceFailures;

impl Write for Invoices {
    const NAME: &'static str = "invoice";
    /// A row that is paid never changes (open is 1), and no keysend (2) replaces an invoice (1):
    /// the payer of one knows its preimage and may send a keysend with it.
    const PUT: &'static str =
        "INSERT INTO invoice (payment_hash, preimage, payment_secret, amount_msat, description,
             kind, bolt11, created_ms, expires_ms, status, received_msat, paid_ms, failure_code,
             failure_message, number)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
         ON CONFLICT (number) DO UPDATE SET preimage = excluded.preimage,
             payment_secret = excluded.payment_secret, amount_msat = excluded.amount_msat,
             description = excluded.description, kind = excluded.kind, bolt11 = excluded.bolt11,
             created_ms = excluded.created_ms, expires_ms = excluded.expires_ms,
             status = excluded.status, received_msat = excluded.received_msat,
             paid_ms = excluded.paid_ms, failure_code = excluded.failure_code,
             failure_message = excluded.failure_message
         WHERE invoice.status = 1 AND excluded.kind <= invoice.kind";
    const DELETE: Option<&'static str> = Some("DELETE FROM invoice WHERE number = ?1");
    type Put<'a> = &'a InvoiceRow;
    type Key = PaymentHash;

    fn values(row: Self::Put<'_>) -> Vec<Value<'_>> {
        let (code, message) =
            row.failure.as_ref().map(|(code, message)| (code.as_str(), message.as_str())).unzip();
        values![
            &row.payment_hash.0,
            &row.preimage.0,
            &row.payment_secret,
            row.amount_msat,
            row.description.as_str(),
            kind_code(&row.kind),
            row.kind.bolt11().unwrap_or_default(),
            row.created_ms,
            row.expires_ms,
            invoice_status_code(row.status),
            row.received_msat,
            row.paid_ms,
            code,
            message,
        ]
        .into()
    }

    fn key(_hash: Self::Key) -> Vec<Value<'static>> {
        Vec::new()
    }

    fn by_hash(hash: Self::Key) -> Option<ByHash> {
        Some(ByHash { table: Hashed::Invoice, hash, is_made: true })
    }

    fn numbers(row: Self::Put<'_>) -> Vec<u64> {
        let (amount_msat, paid_ms) = (row.amount_msat.unwrap_or(0), row.paid_ms.unwrap_or(0));
        vec![amount_msat, row.received_msat, row.created_ms, row.expires_ms, paid_ms]
    }

    fn name(hash: Self::Key) -> String {
        hash.to_string()
    }
}

impl Table for Invoices {
    const SELECT: &'static str =
        "SELECT payment_hash, preimage, payment_secret, amount_msat, description, kind, bolt11,
            created_ms, expires_ms, status, received_msat, paid_ms, failure_code, failure_message,
            number FROM invoice";
    type Read = InvoiceRow;

    fn read(c: &mut Columns<'_>) -> Result<InvoiceRow, StoreError> {
        Ok(InvoiceRow {
            payment_hash: c.hash()?,
            preimage: c.preimage()?,
            payment_secret: c.array()?,
            amount_msat: c.optional_number()?,
            description: c.text()?,
            kind: kind(c)?,
            created_ms: c.number()?,
            expires_ms: c.number()?,
            status: c.code(invoice_status)?,
            received_msat: c.number()?,
            paid_ms: c.optional_number()?,
            failure: c.failure()?,
        })
    }

    fn whole(row: InvoiceRow) -> Option<Row> {
        Some(Row::Invoice(row))
    }
}

/// Selects the part of a row that the engine needs at a start.
pub(crate) const SELECT_OPEN: &str =
    "SELECT preimage, payment_secret, amount_msat, expires_ms FROM invoice";

/// Reads what [`SELECT_OPEN`] finds.
pub(crate) fn read_open(c: &mut Columns<'_>) -> Result<OpenInvoice, StoreError> {
    Ok(OpenInvoice {
        preimage: c.preimage()?,
        payment_secret: c.array()?,
        amount_msat: c.optional_number()?,
        expires_ms: c.number()?,
    })
}

impl Write for InvoicePayments {
    const NAME: &'static str = "invoice";
    /// A row that is paid keeps what it says. An earlier claim may have failed.
    const PUT: &'static str = "UPDATE invoice SET status = ?1,
             received_msat = CASE status WHEN 1 THEN ?2 ELSE received_msat END,
             paid_ms = CASE status WHEN 1 THEN ?3 ELSE paid_ms END,
             failure_code = CASE status WHEN 1 THEN NULL ELSE failure_code END,
             failure_message = CASE status WHEN 1 THEN NULL ELSE failure_message END
             WHERE number = ?4";
    const DELETE: Option<&'static str> = None;
    const REFUSAL: Option<&'static str> = Some("its invoice is not stored");
    /// The amount received, and the time.
    type Put<'a> = (u64, u64);
    type Key = PaymentHash;

    fn values((received_msat, paid_ms): Self::Put<'_>) -> Vec<Value<'_>> {
        values![invoice_status_code(InvoiceStatus::Paid), received_msat, paid_ms].into()
    }

    fn key(_hash: Self::Key) -> Vec<Value<'static>> {
        Vec::new()
    }

    fn by_hash(hash: Self::Key) -> Option<ByHash> {
        Some(ByHash { table: Hashed::Invoice, hash, is_made: false })
    }

    fn numbers((received_msat, paid_ms): Self::Put<'_>) -> Vec<u64> {
        vec![received_msat, paid_ms]
    }

    fn name(hash: Self::Key) -> String {
        hash.to_string()
    }
}

impl Write for InvoiceFailures {
    const NAME: &'static str = "invoice";
    /// The hash may be no invoice's: then no row changes.
    const PUT: &'static str =
        "UPDATE invoice SET failure_code = ?1, failure_message = ?2 WHERE number = ?3";
    const DELETE: Option<&'static str> =
        Some("UPDATE invoice SET failure_code = NULL, failure_message = NULL WHERE number = ?1");
    type Put<'a> = (&'a str, &'a str);
    type Key = PaymentHash;

    fn values((code, message): Self::Put<'_>) -> Vec<Value<'_>> {
        values![code, message].into()
    }

    fn key(_hash: Self::Key) -> Vec<Value<'static>> {
        Vec::new()
    }

    fn by_hash(hash: Self::Key) -> Option<ByHash> {
        Some(ByHash { table: Hashed::Invoice, hash, is_made: false })
    }

    fn name(hash: Self::Key) -> String {
        hash.to_string()
    }
}
