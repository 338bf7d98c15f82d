//! What we are to be paid, and what was paid.

pub(crate) mod invoices;
pub(crate) mod sets;
