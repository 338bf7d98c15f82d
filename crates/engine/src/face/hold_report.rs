//! The times for which the hops held a payment's part, as they say (BOLT 4, attribution data).

use std::fmt;

use steward_htlc::Failure as ChannelFailure;
use steward_onion::{
    Attribution, DecodedFailure, HoldTimes, read_failure_attribution, read_fulfill_attribution,
};
use steward_wire::{NodeId, PaymentId, attribution_in};

use crate::face::row::PartRow;

/// The times for which the hops held a part that ended, as they say. They are read only when a
/// program asks: reading costs a multiplication on the curve for each hop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldReport {
    /// The payment.
    pub payment: PaymentId,
    /// The part.
    pub part: u32,
    /// The hops, up to the one that answered.
    pub hops: Vec<NodeId>,
    session_key: [u8; 32],
    /// The reason of a failure; `None` for a fulfill.
    reason: Option<Vec<u8>>,
    attribution: Attribution,
}

impl HoldReport {
    /// The times, as far as the hops signed them.
    pub fn read(&self) -> Option<HoldTimes> {
        let Self { session_key, hops, attribution, .. } = self;
        match &self.reason {
            Some(reason) => read_failure_attribution(session_key, hops, reason, attribution),
            None => read_fulfill_attribution(session_key, hops, attribution),
        }
    }

    pub(crate) fn of_fulfill(row: &PartRow, tlvs: &[u8]) -> Option<Self> {
        let attribution = received(tlvs)?;
        Some(Self {
            payment: row.payment,
            part: row.part,
            hops: hops(row),
            session_key: row.session_key,
            reason: None,
            attribution,
        })
    }

    pub(crate) fn of_failure(
        row: &PartRow,
        failure: Option<&ChannelFailure>,
        decoded: Option<&DecodedFailure>,
    ) -> Option<Self> {
        let Some(ChannelFailure::Reason { reason, tlvs }) = failure else { return None };
        let attribution = received(tlvs)?;
        let mut hops = hops(row);
        hops.truncate(decoded.map_or(hops.len(), |decoded| decoded.hop_index.saturating_add(1)));
        Some(Self {
            payment: row.payment,
            part: row.part,
            hops,
            session_key: row.session_key,
            reason: Some(reason.clone()),
            attribution,
        })
    }
}

impl fmt::Display for HoldReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let times = self.read();
        let held_ms = times.as_ref().map_or(&[][..], |times| &times.held_ms);
        for (hop, held_ms) in self.hops.iter().zip(held_ms) {
            write!(f, "{hop} held it for {held_ms} ms; ")?;
        }
        match self.hops.get(held_ms.len()) {
            Some(hop) => write!(f, "nothing is signed from {hop} on"),
            None => f.write_str("all hops signed"),
        }
    }
}

/// The attribution data in a TLV stream of a peer.
pub(crate) fn received(tlvs: &[u8]) -> Option<Attribution> {
    attribution_in(tlvs)?.try_into().ok().map(Attribution)
}

fn hops(row: &PartRow) -> Vec<NodeId> {
    row.path.iter().map(|(node, _)| *node).collect()
}
