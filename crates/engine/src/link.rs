//! Channels and connections with other nodes.

pub(crate) mod allowance;
pub(crate) mod connections;
pub(crate) mod events;
pub(crate) mod evidence;
pub(crate) mod forgotten;
pub(crate) mod hosted;
pub(crate) mod links;
pub(crate) mod opening;
pub(crate) mod peer_book;
pub(crate) mod policy;
pub(crate) mod quotas;
pub(crate) mod resize;
pub(crate) mod totals;
