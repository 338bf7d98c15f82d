//! Payments to us: asked for, and received.

pub(crate) mod invoices;
pub(crate) mod open_invoices;
pub(crate) mod sets;
