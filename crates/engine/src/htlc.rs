//! HTLCs: those offered to us and those that we offer.

pub(crate) mod attribution;
pub(crate) mod chain_search;
pub(crate) mod incoming;
pub(crate) mod onion;
pub(crate) mod outgoing;
