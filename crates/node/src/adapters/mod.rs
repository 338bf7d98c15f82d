//! The surroundings of the runtime in a node of its own: the four traits of
//! [`steward_runtime::traits`] over `p2p`, `graph`, `chain` and the seed's keys ([`crate::keys`]).
//!
//! - `transport`: peers, by `p2p`
//! - `reach`: reaching a peer once, and the failures of the wanted ones
//! - `router`: routes, by `graph`
//! - `blocks`: heights and blocks, by `chain`

pub(crate) mod blocks;
pub(crate) mod reach;
pub(crate) mod router;
pub(crate) mod transport;
