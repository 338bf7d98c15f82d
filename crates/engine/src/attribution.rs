//! Attribution data (BOLT 4): made where an HTLC ends, passed on with our own hold time where it was
//! forwarded, and read by the payer. It is sent to peers that offer it, and never inside a blinded
//! path, where it would tell the payer about nodes that it must not know.

use std::fmt;

use steward_hosted::Failure as ChannelFailure;
use steward_onion::{
    AttributedFailure, Attribution, DecodedFailure, Failure, HoldTimes, PeelError,
    attribute_fulfill, build_attributed_failure, build_failure, read_failure_attribution,
    read_fulfill_attribution, wrap_attributed_failure, wrap_failure,
};
use steward_wire::{
    IncomingHtlcId, Message, NodeId, PaymentId, Preimage, UpdateFailHtlc, UpdateFulfillHtlc,
    attribution_in, attribution_tlv, features,
};

use crate::engine::Engine;
use crate::row::{PartRow, Settlement};

/// What a node on the way of an HTLC adds to its answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OurHop {
    /// Shared with the payer.
    pub(crate) shared_secret: [u8; 32],
    /// When we took the HTLC, by `now_ms`; after a restart, when we found it again.
    pub(crate) since_ms: u64,
}

/// What the hops of a part that ended say of the time they held it. It is read by whoever wants to
/// know: reading costs a multiplication on the curve for each hop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldReport {
    /// The payment.
    pub payment: PaymentId,
    /// The part.
    pub part: u32,
    /// The hops, up to the one that answered.
    pub hops: Vec<NodeId>,
    session_key: [u8; 32],
    /// The reason of a failure; none of a fulfill.
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

impl Engine {
    /// The answer to an HTLC whose preimage is known. `downstream` is the TLV stream that came with
    /// the preimage from where we forwarded it.
    pub(crate) fn fulfill_of(
        &self,
        key: &IncomingHtlcId,
        preimage: Preimage,
        hop: Option<OurHop>,
        downstream: &[u8],
    ) -> Settlement {
        let hop = hop.filter(|_| self.may_attribute(key));
        let tlvs = hop.map(|OurHop { shared_secret, since_ms }| {
            let downstream = received(downstream);
            let held_ms = self.now_ms.saturating_sub(since_ms);
            tlv(&attribute_fulfill(&shared_secret, downstream.as_ref(), held_ms))
        });
        Settlement::Fulfill { preimage, tlvs: tlvs.unwrap_or_default() }
    }

    /// A failure from where we forwarded an HTLC, with our layer.
    pub(crate) fn failure_passed_back(
        &self,
        key: &IncomingHtlcId,
        reason: &[u8],
        hop: OurHop,
        downstream: &[u8],
    ) -> ChannelFailure {
        let OurHop { shared_secret, since_ms } = hop;
        if !self.may_attribute(key) {
            let reason = wrap_failure(&shared_secret, reason);
            return ChannelFailure::Reason { reason, tlvs: Vec::new() };
        }
        let downstream = received(downstream);
        let held_ms = self.now_ms.saturating_sub(since_ms);
        let attributed =
            wrap_attributed_failure(&shared_secret, reason, downstream.as_ref(), held_ms);
        with_tlv(attributed)
    }

    /// A failure of our own, of an HTLC that we took at `since_ms`.
    pub(crate) fn failure_made(
        &self,
        key: &IncomingHtlcId,
        refusal: PeelError,
        since_ms: u64,
    ) -> ChannelFailure {
        match refusal {
            PeelError::Malformed { code, sha256_of_onion } => {
                ChannelFailure::Malformed { sha256_of_onion, failure_code: code }
            }
            PeelError::Failure { shared_secret, failure } if self.may_attribute(key) => {
                let held_ms = self.now_ms.saturating_sub(since_ms);
                with_tlv(build_attributed_failure(&shared_secret, &failure, held_ms))
            }
            PeelError::Failure { shared_secret, failure } => plain(&shared_secret, &failure),
        }
    }

    /// True unless the HTLC came inside a blinded path, or its peer is here and does not offer
    /// attribution data. A peer that is away may be back with it: [`Engine::fit_for`] looks again.
    fn may_attribute(&self, key: &IncomingHtlcId) -> bool {
        let Some(entry) = self.channels.get(&key.link) else { return false };
        let is_wanted =
            entry.conn.is_none() || self.offers_feature(&key.link, features::ATTRIBUTION_DATA);
        let htlc = entry.channel.incoming_htlcs().find(|htlc| htlc.htlc.id == key.id);
        is_wanted && htlc.is_some_and(|htlc| htlc.htlc.path_key().is_none())
    }

    /// A settlement without what its receiver does not offer to read; `None` if it can go as it is.
    pub(crate) fn fit_for(&self, peer_features: &[u8], message: &Message) -> Option<Message> {
        let is_offered = features::has_pair(peer_features, features::ATTRIBUTION_DATA);
        match message {
            Message::UpdateFulfillHtlc(fulfill) if !is_offered && !fulfill.tlvs.is_empty() => {
                let bare = UpdateFulfillHtlc { tlvs: Vec::new(), ..fulfill.clone() };
                Some(Message::UpdateFulfillHtlc(bare))
            }
            Message::UpdateFailHtlc(fail) if !is_offered && !fail.tlvs.is_empty() => {
                let bare = UpdateFailHtlc { tlvs: Vec::new(), ..fail.clone() };
                Some(Message::UpdateFailHtlc(bare))
            }
            _ => None,
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

fn tlv(attribution: &Attribution) -> Vec<u8> {
    attribution_tlv(&attribution.0)
}

fn with_tlv(attributed: AttributedFailure) -> ChannelFailure {
    let AttributedFailure { reason, attribution } = attributed;
    ChannelFailure::Reason { reason, tlvs: tlv(&attribution) }
}

fn plain(shared_secret: &[u8; 32], failure: &Failure) -> ChannelFailure {
    ChannelFailure::Reason { reason: build_failure(shared_secret, failure), tlvs: Vec::new() }
}
