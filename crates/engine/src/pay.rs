//! Our payments.

pub(crate) mod failure;
pub(crate) mod first_hops;
pub(crate) mod payments;
pub(crate) mod send_all;
