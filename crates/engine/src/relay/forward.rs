//! Forwards: an incoming HTLC becomes an outgoing one in another channel, and the answer goes back
//! (docs/design.md section 3, "A forward is two halves joined by durable records").

use std::collections::BTreeMap;

use steward_htlc::{AddRefusal, Failure as ChannelFailure, IncomingHtlcId, OutgoingHtlcId};
use steward_onion::{Blinding, Failure, Forward as Layer, NextHop, PeelError};
use steward_wire::{LinkId, NodeId, Onion, UpdateAddHtlc, features, impossible};

use crate::context::Context;
use crate::face::limits::{FORWARD_WAIT_MS, MAX_EXPIRY_BLOCKS, MIN_OUTGOING_EXPIRY_BLOCKS};
use crate::face::row::{ForwardRow, Origin, Row};
use crate::htlc::onion::{forward_layer, refuse};
use crate::link::connections::Connections;
use crate::link::links::{Link, Links};
use crate::link::policy::PolicyUpdates;
use crate::step::{Answer, Ending, Forward as Asked, Next, Offer, OurHop, Step};

/// A forward that has not ended.
#[derive(Clone, Debug)]
struct Forward {
    /// The data for building and wrapping the answer.
    hop: OurHop,
    blinding: Blinding,
    /// The incoming onion, for failures that name it; only inside blinded paths.
    onion: Option<Onion>,
    incoming_peer: NodeId,
    outgoing: LinkId,
    outgoing_peer: NodeId,
    amount_in_msat: u64,
    amount_out_msat: u64,
}

/// Forwards that have not ended, by their incoming HTLC.
#[derive(Debug, Default)]
pub(crate) struct Forwards {
    open: BTreeMap<IncomingHtlcId, Forward>,
}

/// The values that our policy checks.
pub(crate) struct Views<'a> {
    pub(crate) links: &'a Links,
    pub(crate) connections: &'a Connections,
    pub(crate) policy: &'a PolicyUpdates,
}

impl Forwards {
    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    /// True if this incoming HTLC is being forwarded.
    pub(crate) fn has(&self, htlc: &IncomingHtlcId) -> bool {
        self.open.contains_key(htlc)
    }

    /// The incoming HTLCs that are being forwarded.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &IncomingHtlcId> {
        self.open.keys()
    }

    /// True if an incoming HTLC of this channel is being forwarded.
    pub(crate) fn has_from(&self, link: &LinkId) -> bool {
        self.open.keys().any(|htlc| htlc.link == *link)
    }

    /// Offers an incoming HTLC to the channel its onion names.
    pub(crate) fn forward(&mut self, cx: &mut Context, views: &Views<'_>, asked: Asked) {
        let Asked { htlc, add, layer, shared_secret } = asked;
        let next = next_link(views.links, &layer);
        // Just after a start peers are still coming back, and the chain may not have spoken yet.
        let is_reachable = |link: &LinkId| views.links.is_active(link) && !cx.tip().is_stale();
        if cx.is_starting() && next.is_some_and(|link| !is_reachable(&link)) {
            return cx.push(Step::Defer(htlc, next_of(views.links, &layer)));
        }
        let outgoing = match check(cx, views, &htlc, &add, &layer) {
            Ok(outgoing) => outgoing,
            Err(failure) => {
                let refusal = layer.blinding.reject(&add.onion.0, shared_secret, failure);
                return refuse(cx, htlc, refusal, cx.now_ms());
            }
        };
        let hop = OurHop { shared_secret, since_ms: cx.now_ms() };
        self.begin(views.links, htlc, outgoing, &add, &layer, hop);
        let tlvs = layer.next_path_key.as_ref().map(UpdateAddHtlc::path_key_tlv);
        cx.push(Step::Offer(Box::new(Offer {
            origin: Origin::Forward(htlc),
            link: outgoing,
            amount_msat: layer.amt_to_forward_msat,
            payment_hash: add.payment_hash,
            cltv_expiry: layer.outgoing_cltv_expiry,
            onion: Onion(layer.onion.into()),
            tlvs: tlvs.unwrap_or_default(),
            give_up_ms: cx.now_ms().saturating_add(FORWARD_WAIT_MS),
        })));
    }

    /// Takes up a forward that was in progress before the restart.
    pub(crate) fn resume(
        &mut self,
        cx: &Context,
        links: &Links,
        htlc: IncomingHtlcId,
        outgoing: OutgoingHtlcId,
        add: &UpdateAddHtlc,
    ) {
        let Some((layer, shared_secret)) = forward_layer(links.local_of(cx, &htlc.link), add)
        else {
            return impossible!("what peeled before it was forwarded peels again");
        };
        let hop = OurHop { shared_secret, since_ms: cx.now_ms() };
        self.begin(links, htlc, outgoing.link, add, &layer, hop);
    }

    /// Remembers the data that the answer to a forwarded HTLC will need.
    fn begin(
        &mut self,
        links: &Links,
        htlc: IncomingHtlcId,
        outgoing: LinkId,
        add: &UpdateAddHtlc,
        layer: &Layer,
        hop: OurHop,
    ) {
        let (Some(incoming_peer), Some(outgoing_peer)) =
            (links.peer_of(&htlc.link), links.peer_of(&outgoing))
        else {
            return impossible!("both channels of a forward are there when it begins");
        };
        let forward = Forward {
            hop,
            blinding: layer.blinding,
            onion: layer.blinding.is_blinded().then(|| add.onion.clone()),
            incoming_peer,
            outgoing,
            outgoing_peer,
            amount_in_msat: add.amount_msat,
            amount_out_msat: layer.amt_to_forward_msat,
        };
        self.open.insert(htlc, forward);
    }

    /// The outgoing half has ended: the incoming one ends alike.
    pub(crate) fn ended(&mut self, cx: &mut Context, htlc: IncomingHtlcId, ending: Ending) {
        match ending {
            Ending::Fulfilled(preimage, downstream) => {
                // The claim needs no record of the forward: the outgoing HTLC was paid.
                let hop = self.close(cx, htlc, true).map(|forward| forward.hop);
                cx.push(Step::Settle(htlc, Answer::Fulfill { preimage, hop, downstream }));
            }
            Ending::Failed(failure) => self.pass_failure_back(cx, htlc, failure),
            Ending::Dropped(_) => self.fail(cx, htlc, Failure::permanent_channel_failure()),
        }
    }

    /// The outgoing half was never offered.
    pub(crate) fn refused(
        &mut self,
        cx: &mut Context,
        views: &Views<'_>,
        htlc: IncomingHtlcId,
        link: &LinkId,
        reason: &AddRefusal,
    ) {
        let amount_msat = self.open.get(&htlc).map_or(0, |forward| forward.amount_out_msat);
        let update = || views.policy.for_failure(cx, views.links, link);
        let failure = match reason {
            AddRefusal::BelowMinimum { .. } => {
                Failure::amount_below_minimum(amount_msat, &update())
            }
            AddRefusal::ExpiryTooSoon => Failure::expiry_too_soon(&update()),
            AddRefusal::ExpiryTooFar => Failure::expiry_too_far(),
            // All failures that depend on balances and on connected peers have one answer: probing
            // a client tells nothing (docs/threat-model.md).
            AddRefusal::Unavailable
            | AddRefusal::InsufficientBalance { .. }
            | AddRefusal::TooMuchInFlight { .. }
            | AddRefusal::TooManyHtlcs
            | AddRefusal::QueueFull
            | AddRefusal::CountersExhausted
            | AddRefusal::BadTlvs => Failure::temporary_channel_failure(&[]),
        };
        self.fail(cx, htlc, failure);
    }

    fn fail(&mut self, cx: &mut Context, htlc: IncomingHtlcId, failure: Failure) {
        // It was found at start, and its incoming half was settled, or taken away, before.
        let Some(forward) = self.close(cx, htlc, false) else { return };
        let refusal = match (forward.blinding, &forward.onion) {
            (Blinding::None, _) | (_, None) => {
                PeelError::Failure { shared_secret: forward.hop.shared_secret, failure }
            }
            (blinding, Some(onion)) => {
                blinding.reject(&onion.0, forward.hop.shared_secret, failure)
            }
        };
        refuse(cx, htlc, refusal, forward.hop.since_ms);
    }

    /// Adds our layer to a failure of the outgoing HTLC, or hides it inside a blinded path.
    fn pass_failure_back(
        &mut self,
        cx: &mut Context,
        htlc: IncomingHtlcId,
        failure: ChannelFailure,
    ) {
        let blinded = self.open.get(&htlc).is_some_and(|f| f.blinding.is_blinded());
        match failure {
            ChannelFailure::Reason { reason, tlvs: downstream } if !blinded => {
                // As in `fail`.
                let Some(forward) = self.close(cx, htlc, false) else { return };
                let hop = forward.hop;
                cx.push(Step::Settle(htlc, Answer::PassBack { reason, hop, downstream }));
            }
            ChannelFailure::Malformed { sha256_of_onion, failure_code } => {
                let failure = Failure::from_malformed(failure_code, sha256_of_onion);
                let failure = failure.unwrap_or_else(Failure::temporary_node_failure);
                self.fail(cx, htlc, failure);
            }
            ChannelFailure::Reason { .. } => {
                self.fail(cx, htlc, Failure::temporary_node_failure());
            }
        }
    }

    /// People have settled the forward. The books do not know how, and count it as not fulfilled.
    pub(crate) fn settled(&mut self, cx: &mut Context, htlc: IncomingHtlcId) {
        self.close(cx, htlc, false);
    }

    /// Ends a forward in the books. Returns `None` if it is not in them since the last start.
    fn close(
        &mut self,
        cx: &mut Context,
        htlc: IncomingHtlcId,
        fulfilled: bool,
    ) -> Option<Forward> {
        let forward = self.open.remove(&htlc)?;
        let row = ForwardRow {
            incoming: htlc,
            incoming_peer: forward.incoming_peer,
            outgoing: forward.outgoing,
            outgoing_peer: forward.outgoing_peer,
            amount_in_msat: forward.amount_in_msat,
            amount_out_msat: forward.amount_out_msat,
            fulfilled,
            ended_ms: cx.wall_ms(),
        };
        cx.put(Row::Forward(row));
        Some(forward)
    }
}

/// The place to forward an incoming HTLC to, if its onion forwards it and we have a channel there.
pub(crate) fn next_of_htlc(
    cx: &Context,
    links: &Links,
    htlc: &IncomingHtlcId,
    add: &UpdateAddHtlc,
) -> Option<Next> {
    let (layer, _) = forward_layer(links.local_of(cx, &htlc.link), add)?;
    next_of(links, &layer)
}

fn next_of(links: &Links, layer: &Layer) -> Option<Next> {
    let link = next_link(links, layer)?;
    Some(match layer.next {
        NextHop::Channel(_) => Next::Link(link),
        NextHop::Node(node) => Next::Node(node),
    })
}

/// A sender that names a node leaves the channel to us: the first active one is taken.
fn next_link(links: &Links, layer: &Layer) -> Option<LinkId> {
    match layer.next {
        NextHop::Channel(scid) => links.by_scid(scid),
        NextHop::Node(node) => {
            let mut with_node = links.with_peer(&node).map(|(link, _)| link);
            let first = with_node.next()?;
            let mut all = std::iter::once(first).chain(with_node);
            Some(all.find(|link| links.is_active(link)).unwrap_or(first))
        }
    }
}

/// Checks our policy: the next channel, the fee and the distance in time.
fn check(
    cx: &Context,
    views: &Views<'_>,
    htlc: &IncomingHtlcId,
    add: &UpdateAddHtlc,
    layer: &Layer,
) -> Result<LinkId, Failure> {
    let links = views.links;
    if cx.tip().is_stale() {
        return Err(Failure::temporary_node_failure());
    }
    // Nothing new is risked for a payer's channel that a person must look at first.
    if links.is_suspended(&htlc.link) {
        return Err(Failure::temporary_channel_failure(&[]));
    }
    let next = next_link(links, layer).ok_or_else(Failure::unknown_next_peer)?;
    let entry = links.get(&next).ok_or_else(Failure::unknown_next_peer)?;
    let update = || views.policy.for_failure(cx, links, &next);
    let policy = &cx.config().policy;
    let out_msat = layer.amt_to_forward_msat;
    if out_msat < entry.channel().summary().terms.htlc_minimum_msat {
        return Err(Failure::amount_below_minimum(out_msat, &update()));
    }
    let needed_msat = policy.fee_msat(out_msat).and_then(|fee| fee.checked_add(out_msat));
    if needed_msat.is_none_or(|needed| add.amount_msat < needed) {
        return Err(Failure::fee_insufficient(add.amount_msat, &update()));
    }
    let delta = u32::from(policy.cltv_expiry_delta_blocks);
    let latest_out = add.cltv_expiry.checked_sub(delta);
    if latest_out.is_none_or(|latest| layer.outgoing_cltv_expiry > latest) {
        return Err(Failure::incorrect_cltv_expiry(layer.outgoing_cltv_expiry, &update()));
    }
    if layer.outgoing_cltv_expiry <= cx.height().saturating_add(MIN_OUTGOING_EXPIRY_BLOCKS) {
        return Err(Failure::expiry_too_soon(&update()));
    }
    if add.cltv_expiry > cx.height().saturating_add(MAX_EXPIRY_BLOCKS) {
        return Err(Failure::expiry_too_far());
    }
    // This comes after all that a payer can do wrong, which has one answer whichever peers are
    // connected.
    if !entry.is_active() {
        return Err(Failure::temporary_channel_failure(&[]));
    }
    let has_room = has_in_flight_room(cx, links, &htlc.link, 0, |entry| {
        sum(entry.channel().incoming_htlcs().map(|h| h.htlc))
    }) && has_in_flight_room(cx, links, &next, out_msat, |entry| {
        sum(entry.channel().outgoing_htlcs().map(|h| h.htlc))
    });
    // Peers without route blinding do not know the TLV that carries the path key, and refuse what
    // is even and unknown, the state signed with it included.
    let is_understood = layer.next_path_key.is_none()
        || views.connections.offers_feature(links, &next, features::ROUTE_BLINDING);
    if !has_room || !is_understood {
        return Err(Failure::temporary_channel_failure(&[]));
    }
    Ok(next)
}

/// As host: true if the value in flight in one direction of a client's channel stays within our own
/// limit. A resize lifts the limit of the channel to its whole capacity, whichever side asks for
/// it; the value that we forward grows only in proportion.
fn has_in_flight_room(
    cx: &Context,
    links: &Links,
    link: &LinkId,
    added_msat: u64,
    in_flight_msat: impl Fn(&Link) -> u64,
) -> bool {
    // The payer's channel, or the next one, may have been forgotten meanwhile.
    let Some(entry) = links.get(link) else { return false };
    // No limit of ours binds our hosts.
    let Some(state) = entry.channel().state().filter(|state| state.is_host) else { return true };
    let offer = &cx.config().host.offer;
    let grown = state.init_hosted_channel.channel_capacity_msat;
    let limit_msat = u128::from(offer.max_htlc_value_in_flight_msat)
        * u128::from(grown.max(offer.channel_capacity_msat))
        / u128::from(offer.channel_capacity_msat.max(1));
    u128::from(in_flight_msat(entry)) + u128::from(added_msat) <= limit_msat
}

fn sum<'a>(htlcs: impl Iterator<Item = &'a UpdateAddHtlc>) -> u64 {
    htlcs.fold(0, |sum, htlc| sum.saturating_add(htlc.amount_msat))
}
