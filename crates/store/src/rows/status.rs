//! How far a payment has come, as payments, parts and invoices store it.

use steward_engine::row::PaymentStatus;

/// How a [`PaymentStatus`] is stored. The schema's partial indexes repeat the 1 of a pending one.
pub(crate) fn status_code(status: PaymentStatus) -> u8 {
    match status {
        PaymentStatus::Pending => 1,
        PaymentStatus::Complete => 2,
        PaymentStatus::Failed => 3,
    }
}

/// Reads [`status_code`].
pub(super) fn status(code: i64) -> Option<PaymentStatus> {
    match code {
        1 => Some(PaymentStatus::Pending),
        2 => Some(PaymentStatus::Complete),
        3 => Some(PaymentStatus::Failed),
        _ => None,
    }
}
