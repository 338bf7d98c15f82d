//! The ids of HTLCs: by their channel and a number of the side that offers them.

use steward_wire::LinkId;

/// An HTLC that the other side of one of our channels offered us. Each side of a channel counts its
/// own HTLCs, so it is never to be taken for an [`OutgoingHtlcId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IncomingHtlcId {
    /// The channel it came in.
    pub link: LinkId,
    /// The number that the other side gave it.
    pub id: u64,
}

/// An HTLC that we offered in one of our channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutgoingHtlcId {
    /// The channel it went out in.
    pub link: LinkId,
    /// The number that we gave it.
    pub id: u64,
}
