//! An HTLC that we offer, from the moment its channel takes it to its end: its origin is stored in
//! the commit that assigns its id, and learns how it ended.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use steward_htlc::{
    AddRefusal, AddToken, DropCause, IncomingHtlcId, LinkInput, NewHtlc, OutgoingHtlcId,
};
use steward_wire::{LinkId, PaymentHash, impossible};

use crate::context::Context;
use crate::face::io::Level;
use crate::face::row::{Origin, Row, RowKey};
use crate::link::links::{Link, Links};
use crate::step::{Ending, Offer, Step};

/// The origins of outgoing HTLCs.
pub(crate) struct Outgoing {
    origins: BTreeMap<OutgoingHtlcId, Offered>,
    /// HTLCs handed to a channel that has not given them an id yet.
    unsent: BTreeMap<AddToken, Origin>,
    /// HTLCs of ours in flight that have no origin: they were offered in a time we know nothing of.
    without_origins: BTreeSet<OutgoingHtlcId>,
    last_token: u64,
}

/// The engine's record of an outgoing HTLC.
#[derive(Clone, Copy, Debug)]
struct Offered {
    origin: Origin,
    /// The height at which it was offered, if in this run: blocks up to there claim others of its
    /// hash, whose payment was another one.
    height: Option<u32>,
    /// True if its channel lost it with our data: it was paid or it was not.
    is_lost: bool,
}

impl Outgoing {
    /// As found at start.
    pub(crate) fn resume(links: &Links, origins: &[(OutgoingHtlcId, Origin)]) -> Self {
        let offered = |(htlc, origin): &(OutgoingHtlcId, Origin)| {
            let is_lost = links.outgoing(htlc).is_none();
            (*htlc, Offered { origin: *origin, height: None, is_lost })
        };
        let origins: BTreeMap<OutgoingHtlcId, Offered> = origins.iter().map(offered).collect();
        let without_origins = links
            .connected_or_in_flight()
            .flat_map(|(link, entry)| unpaid_in(*link, entry))
            .filter(|htlc| !origins.contains_key(htlc))
            .collect();
        Self { origins, unsent: BTreeMap::new(), without_origins, last_token: 0 }
    }

    /// We had lost data of a channel, and have taken the peer's state: of what it has in flight we
    /// may know nothing.
    pub(crate) fn data_lost(&mut self, links: &Links, link: LinkId) {
        self.without_origins.retain(|htlc| htlc.link != link);
        let in_flight = links.get(&link).into_iter().flat_map(|entry| unpaid_in(link, entry));
        let unknown = in_flight.filter(|htlc| !self.origins.contains_key(htlc));
        self.without_origins.extend(unknown);
    }

    /// Offers an HTLC to its channel. A token stands for it until the channel gives it an id.
    pub(crate) fn offer(&mut self, cx: &mut Context, offer: Offer) {
        self.last_token += 1;
        let token = AddToken(self.last_token);
        self.unsent.insert(token, offer.origin);
        let htlc = NewHtlc {
            token,
            amount_msat: offer.amount_msat,
            payment_hash: offer.payment_hash,
            cltv_expiry: offer.cltv_expiry,
            onion: offer.onion,
            tlvs: offer.tlvs,
            give_up_ms: offer.give_up_ms,
        };
        cx.push(Step::Drive(offer.link, Box::new(LinkInput::Add(htlc))));
    }

    /// An HTLC is on its way: remembers where it came from, in the same commit.
    pub(crate) fn added(&mut self, cx: &mut Context, token: AddToken, htlc: OutgoingHtlcId) {
        let Some(origin) = self.unsent.remove(&token) else {
            return impossible!("an HTLC that was offered has an origin");
        };
        let offered = Offered { origin, height: Some(cx.height()), is_lost: false };
        let displaced = self.origins.insert(htlc, offered);
        // It may have been seen in a state that was taken over just before its origin came.
        self.without_origins.remove(&htlc);
        cx.put(Row::Origin(htlc, origin));
        // The id belonged to another HTLC, which was lost with our data.
        if let Some(Offered { origin: Origin::Forward(held), .. }) = displaced {
            cx.push(Step::Hold(held));
        }
    }

    /// An HTLC was never sent, so its origin may be told so at once.
    pub(crate) fn refused(
        &mut self,
        cx: &mut Context,
        token: AddToken,
        link: LinkId,
        reason: AddRefusal,
    ) {
        match self.unsent.remove(&token) {
            Some(Origin::Forward(incoming)) => {
                cx.push(Step::ForwardRefused(incoming, link, reason));
            }
            Some(Origin::Payment { payment, part }) => {
                cx.push(Step::PartRefused(payment, part, reason));
            }
            None => impossible!("an HTLC that is refused has an origin"),
        }
    }

    /// An HTLC that we offered has ended: its origin learns how, at once.
    pub(crate) fn ended(
        &mut self,
        cx: &mut Context,
        links: &Links,
        htlc: OutgoingHtlcId,
        ending: Ending,
    ) {
        self.without_origins.remove(&htlc);
        match &ending {
            Ending::Fulfilled(preimage, _) => cx.learn(*preimage),
            Ending::Failed(_) => {}
            Ending::Dropped(DropCause::NewerState) => return self.lost(cx, links, htlc),
            Ending::Dropped(cause) => {
                let text = format!("HTLC {} ended without an answer: {cause:?}", htlc.id);
                cx.log(Level::Warn, "htlc_dropped", links.peer_of(&htlc.link), text);
            }
        }
        match (self.end_origin(cx, &htlc), ending) {
            (Some(Origin::Forward(incoming)), ending) => {
                cx.push(Step::ForwardEnded(incoming, ending));
            }
            (Some(Origin::Payment { payment, part }), ending) => {
                cx.push(Step::PartEnded(payment, part, ending));
            }
            // Told again after a reconnect, when the first time settled it; or offered in a time
            // we know nothing of.
            (None, Ending::Fulfilled(preimage, _)) => cx.push(Step::PaymentProved(preimage)),
            (None, Ending::Failed(_) | Ending::Dropped(_)) => {}
        }
    }

    /// An HTLC ended in the time we know nothing of: it was paid or it was not. Its origin is held,
    /// for a preimage may turn up.
    fn lost(&mut self, cx: &mut Context, links: &Links, htlc: OutgoingHtlcId) {
        let text = format!("HTLC {} ended before our data was restored, nobody knows how", htlc.id);
        cx.log(Level::Error, "htlc_outcome_unknown", links.peer_of(&htlc.link), text);
        let offered = self.origins.get_mut(&htlc);
        let origin = offered.as_ref().map(|offered| offered.origin);
        match origin {
            // Its part stays pending. The id may come to stand for another HTLC.
            Some(Origin::Payment { payment, .. }) => {
                self.end_origin(cx, &htlc);
                cx.push(Step::OutcomeUnknown(payment));
            }
            Some(Origin::Forward(incoming)) if links.outgoing(&htlc).is_some() => {
                // It does already.
                self.end_origin(cx, &htlc);
                cx.push(Step::Hold(incoming));
            }
            // Held, or offered in a time we know nothing of.
            Some(Origin::Forward(_)) | None => {
                if let Some(offered) = offered {
                    offered.is_lost = true;
                }
            }
        }
        // The id stands for another HTLC, of which we know nothing.
        let is_in_flight = links.outgoing(&htlc).is_some_and(|found| found.preimage.is_none());
        if is_in_flight && !self.has_origin(&htlc) {
            self.without_origins.insert(htlc);
        }
    }

    fn end_origin(&mut self, cx: &mut Context, htlc: &OutgoingHtlcId) -> Option<Origin> {
        let Offered { origin, .. } = self.origins.remove(htlc)?;
        cx.delete(RowKey::Origin(*htlc));
        Some(origin)
    }

    /// True if a block at this height may hold the claim of an HTLC.
    pub(crate) fn may_be_claimed_at(&self, htlc: &OutgoingHtlcId, height: u32) -> bool {
        let offered = self.origins.get(htlc).and_then(|offered| offered.height);
        offered.is_none_or(|offered| height > offered)
    }

    /// After a reorganisation other blocks stand where we looked.
    pub(crate) fn tip_moved(&mut self, cx: &Context) {
        let height = cx.height();
        for offered in self.origins.values_mut() {
            offered.height = offered.height.map(|offered| offered.min(height));
        }
    }

    /// The forwards among the HTLCs that we offer, by their incoming HTLC.
    pub(crate) fn forwards(&self) -> BTreeMap<IncomingHtlcId, OutgoingHtlcId> {
        let forward = |(out, offered): (&OutgoingHtlcId, &Offered)| match offered.origin {
            Origin::Forward(incoming) => Some((incoming, *out)),
            Origin::Payment { .. } => None,
        };
        self.origins.iter().filter_map(forward).collect()
    }

    /// The origins of outgoing HTLCs with an id.
    pub(crate) fn sent(&self) -> BTreeSet<Origin> {
        self.origins.values().map(|offered| offered.origin).collect()
    }

    /// The origins of outgoing HTLCs with or without an id.
    pub(crate) fn out(&self) -> BTreeSet<Origin> {
        self.sent().into_iter().chain(self.unsent.values().copied()).collect()
    }

    /// True if we offer HTLCs in this channel.
    pub(crate) fn offers_in(&self, link: &LinkId) -> bool {
        self.offered_in(link).next().is_some()
    }

    /// The outgoing HTLCs of this channel that have an origin, and whether each was lost with our
    /// data.
    pub(crate) fn offered_in(&self, link: &LinkId) -> impl Iterator<Item = (OutgoingHtlcId, bool)> {
        self.origins.range(all_of(link)).map(|(htlc, offered)| (*htlc, offered.is_lost))
    }

    /// True if the origin of an outgoing HTLC is remembered.
    pub(crate) fn has_origin(&self, htlc: &OutgoingHtlcId) -> bool {
        self.origins.contains_key(htlc)
    }

    /// The HTLCs of this channel that were offered in a time we know nothing of.
    pub(crate) fn without_origin_in(&self, link: &LinkId) -> impl Iterator<Item = OutgoingHtlcId> {
        self.without_origins.range(all_of(link)).copied()
    }

    /// The number of HTLCs handed to a channel that has not given them an id yet.
    pub(crate) fn unsent_count(&self) -> usize {
        self.unsent.len()
    }

    /// True if an incoming HTLC of this channel was forwarded, and its outgoing half has not ended.
    pub(crate) fn forwards_from(&self, links: &Links, link: &LinkId) -> bool {
        let is_of_link =
            |origin: &Origin| matches!(origin, Origin::Forward(htlc) if htlc.link == *link);
        // Of HTLCs lost with our data nothing more will be heard: people decide.
        let mut sent = self.origins.iter().filter(|(htlc, _)| links.outgoing(htlc).is_some());
        sent.any(|(_, offered)| is_of_link(&offered.origin)) || self.unsent.values().any(is_of_link)
    }

    /// The held forwards with this hash, by their outgoing HTLC: we missed how it ended.
    pub(crate) fn held_forwards(&self, links: &Links, hash: &PaymentHash) -> Vec<OutgoingHtlcId> {
        let has_hash = |htlc: &IncomingHtlcId| {
            links.incoming(htlc).is_some_and(|found| found.htlc.payment_hash == *hash)
        };
        let is_held = |(out, offered): &(&OutgoingHtlcId, &Offered)| match &offered.origin {
            Origin::Forward(incoming) => has_hash(incoming) && links.outgoing(out).is_none(),
            Origin::Payment { .. } => false,
        };
        self.origins.iter().filter(is_held).map(|(htlc, _)| *htlc).collect()
    }

    /// People have agreed on the outcome of this channel's HTLCs.
    pub(crate) fn settle_held_forwards(&mut self, cx: &mut Context, links: &Links, link: &LinkId) {
        let is_held = |(out, offered): &(&OutgoingHtlcId, &Offered)| {
            matches!(offered.origin, Origin::Forward(incoming) if incoming.link == *link)
                && links.outgoing(out).is_none()
        };
        let held: Vec<OutgoingHtlcId> =
            self.origins.iter().filter(is_held).map(|(htlc, _)| *htlc).collect();
        for htlc in held {
            if let Some(Origin::Forward(incoming)) = self.end_origin(cx, &htlc) {
                cx.push(Step::ForwardSettled(incoming));
            }
        }
    }
}

/// The HTLCs in flight of which no preimage is known.
fn unpaid_in(link: LinkId, entry: &Link) -> impl Iterator<Item = OutgoingHtlcId> {
    let unpaid = entry.channel().outgoing_htlcs().filter(|found| found.preimage.is_none());
    unpaid.map(move |found| OutgoingHtlcId { link, id: found.htlc.id })
}

/// The ids of all HTLCs that a channel may have.
fn all_of(link: &LinkId) -> RangeInclusive<OutgoingHtlcId> {
    OutgoingHtlcId { link: *link, id: 0 }..=OutgoingHtlcId { link: *link, id: u64::MAX }
}
