//! The statuses of payments, parts and invoices, and the kinds of payments, as their tables store
//! them.

use steward_engine::row::{InvoiceStatus, PaymentKind, PaymentStatus};

use super::column::Columns;
use crate::error::StoreError;

/// Returns the number under which a [`PaymentStatus`] is stored. The schema's partial indexes
/// repeat the 1 of a pending one.
pub(crate) fn status_code(status: PaymentStatus) -> u8 {
    match status {
        PaymentStatus::Pending => 1,
        PaymentStatus::Complete => 2,
        PaymentStatus::Failed => 3,
        PaymentStatus::Unknown => 4,
    }
}

/// Reads [`status_code`].
pub(super) fn status(code: i64) -> Option<PaymentStatus> {
    match code {
        1 => Some(PaymentStatus::Pending),
        2 => Some(PaymentStatus::Complete),
        3 => Some(PaymentStatus::Failed),
        4 => Some(PaymentStatus::Unknown),
        _ => None,
    }
}

/// Returns the number under which an [`InvoiceStatus`] is stored. The schema's partial index
/// repeats the 1 of an open one.
pub(crate) fn invoice_status_code(status: InvoiceStatus) -> u8 {
    match status {
        InvoiceStatus::Open => 1,
        InvoiceStatus::Paid => 2,
    }
}

/// Reads [`invoice_status_code`].
pub(super) fn invoice_status(code: i64) -> Option<InvoiceStatus> {
    match code {
        1 => Some(InvoiceStatus::Open),
        2 => Some(InvoiceStatus::Paid),
        _ => None,
    }
}

/// Returns the number under which a [`PaymentKind`] is stored, beside the invoice's text.
pub(super) fn kind_code(kind: &PaymentKind) -> u8 {
    match kind {
        PaymentKind::Bolt11(_) => 1,
        PaymentKind::Keysend => 2,
    }
}

/// Reads [`kind_code`] and, behind it, the invoice's text, which is empty if there is none.
pub(super) fn kind(c: &mut Columns<'_>) -> Result<PaymentKind, StoreError> {
    match (c.integer()?, c.text()?) {
        (1, text) if !text.is_empty() => Ok(PaymentKind::Bolt11(text)),
        (2, text) if text.is_empty() => Ok(PaymentKind::Keysend),
        _ => Err(c.error("its kind and its invoice do not fit")),
    }
}
