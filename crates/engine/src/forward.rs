//! Forwards: an incoming HTLC carried on over another channel, and its answer carried back
//! (design.md section 3, "A forward is two halves joined by durable records").

use steward_hosted::{AddRefusal, Channel, Failure as ChannelFailure, Input, NewHtlc, Phase};
use steward_onion::{
    Blinding, Failure, Forward as Layer, Hop, IncomingHtlc, NextHop, PeelError, peel,
};
use steward_wire::{
    IncomingHtlcId, LinkId, NodeId, Onion, OutgoingHtlcId, UpdateAddHtlc, features, impossible,
};

use crate::attribution::OurHop;
use crate::engine::Engine;
use crate::limits::{FORWARD_WAIT_MS, MAX_EXPIRY_BLOCKS, MIN_OUTGOING_EXPIRY_BLOCKS};
use crate::row::{ForwardRow, Origin, Row, Settlement};

/// A forward that has not ended.
#[derive(Clone, Debug)]
pub(crate) struct Forward {
    /// What answers are built and wrapped with.
    pub(crate) hop: OurHop,
    blinding: Blinding,
    /// The incoming onion, for failures that name it; only inside blinded paths.
    onion: Option<Onion>,
    incoming_peer: NodeId,
    outgoing: LinkId,
    outgoing_peer: NodeId,
    amount_in_msat: u64,
    amount_out_msat: u64,
}

impl Engine {
    /// Offers an incoming HTLC to the channel its onion names.
    pub(crate) fn forward(
        &mut self,
        key: IncomingHtlcId,
        add: &UpdateAddHtlc,
        layer: Layer,
        shared_secret: [u8; 32],
    ) -> Result<(), PeelError> {
        if self.waits_for_next_link(&layer) {
            self.deferred.insert(key, self.next_link_of(&layer));
            return Ok(());
        }
        let outgoing = self
            .check_forward(&key, add, &layer)
            .map_err(|failure| layer.blinding.reject(&add.onion.0, shared_secret, failure))?;
        let hop = OurHop { shared_secret, since_ms: self.now_ms };
        self.begin_forward(key, outgoing, add, &layer, hop);
        let token = self.new_token(Origin::Forward(key));
        let tlvs = layer.next_path_key.as_ref().map(UpdateAddHtlc::path_key_tlv);
        let htlc = NewHtlc {
            token,
            amount_msat: layer.amt_to_forward_msat,
            payment_hash: add.payment_hash,
            cltv_expiry: layer.outgoing_cltv_expiry,
            onion: Onion(layer.onion.into()),
            tlvs: tlvs.unwrap_or_default(),
            give_up_ms: self.now_ms.saturating_add(FORWARD_WAIT_MS),
        };
        self.drive(outgoing, Input::Add(htlc));
        Ok(())
    }

    /// Just after a start peers are still coming back, and the chain may not have spoken yet.
    fn waits_for_next_link(&self, layer: &Layer) -> bool {
        let is_reachable = |link| self.is_active(&link) && !self.tip_is_stale;
        self.now_ms < self.deferred_until_ms
            && self.next_link_of(layer).is_some_and(|link| !is_reachable(link))
    }

    /// Our policy: who is next, with what fee and what distance in time.
    fn check_forward(
        &self,
        key: &IncomingHtlcId,
        add: &UpdateAddHtlc,
        layer: &Layer,
    ) -> Result<LinkId, Failure> {
        if self.tip_is_stale {
            return Err(Failure::temporary_node_failure());
        }
        // Nothing new is risked for a payer's channel that a person must look at first.
        if self.is_suspended(&key.link) {
            return Err(Failure::temporary_channel_failure(&[]));
        }
        let next = self.next_link_of(layer).ok_or_else(Failure::unknown_next_peer)?;
        let entry = self.channels.get(&next).ok_or_else(Failure::unknown_next_peer)?;
        let minimum_msat = entry.channel.summary().terms.htlc_minimum_msat;
        if layer.amt_to_forward_msat < minimum_msat {
            let update = self.own_update_for_failure(&next);
            return Err(Failure::amount_below_minimum(layer.amt_to_forward_msat, &update));
        }
        let fee_msat = self.config.policy.fee_msat(layer.amt_to_forward_msat);
        let needed_msat = fee_msat.and_then(|fee| fee.checked_add(layer.amt_to_forward_msat));
        if needed_msat.is_none_or(|needed| add.amount_msat < needed) {
            let update = self.own_update_for_failure(&next);
            return Err(Failure::fee_insufficient(add.amount_msat, &update));
        }
        let delta = u32::from(self.config.policy.cltv_expiry_delta_blocks);
        let latest_out = add.cltv_expiry.checked_sub(delta);
        if latest_out.is_none_or(|latest| layer.outgoing_cltv_expiry > latest) {
            let update = self.own_update_for_failure(&next);
            return Err(Failure::incorrect_cltv_expiry(layer.outgoing_cltv_expiry, &update));
        }
        if layer.outgoing_cltv_expiry <= self.height.saturating_add(MIN_OUTGOING_EXPIRY_BLOCKS) {
            return Err(Failure::expiry_too_soon(&self.own_update_for_failure(&next)));
        }
        if add.cltv_expiry > self.height.saturating_add(MAX_EXPIRY_BLOCKS) {
            return Err(Failure::expiry_too_far());
        }
        // Last, so that what the payer did wrong is answered alike whoever is online.
        if entry.channel.phase() != Phase::Active {
            return Err(Failure::temporary_channel_failure(&[]));
        }
        if !self.has_in_flight_room(&key.link, 0, |channel| {
            sum(channel.incoming_htlcs().map(|h| h.htlc))
        }) || !self.has_in_flight_room(&next, layer.amt_to_forward_msat, |channel| {
            sum(channel.outgoing_htlcs().map(|h| h.htlc))
        }) {
            return Err(Failure::temporary_channel_failure(&[]));
        }
        // Peers without route blinding do not know the TLV that carries the path key, and refuse
        // what is even and unknown, the state signed with it included.
        if layer.next_path_key.is_some() && !self.offers_feature(&next, features::ROUTE_BLINDING) {
            return Err(Failure::temporary_channel_failure(&[]));
        }
        Ok(next)
    }

    /// As host: true if the value in flight in one direction of a client's channel stays within our
    /// own limit. A resize lifts the limit of the channel to its whole capacity, whoever asks for
    /// it; what we carry grows only in proportion.
    fn has_in_flight_room(
        &self,
        link: &LinkId,
        added_msat: u64,
        in_flight_msat: impl Fn(&Channel) -> u64,
    ) -> bool {
        // The payer's channel, or the next one, may have been forgotten meanwhile.
        let Some(entry) = self.channels.get(link) else { return false };
        let channel = &entry.channel;
        let Some(state) = channel.state().filter(|state| state.is_host) else { return true };
        let offer = &self.config.host.offer;
        let grown = state.init_hosted_channel.channel_capacity_msat;
        let limit_msat = u128::from(offer.max_htlc_value_in_flight_msat)
            * u128::from(grown.max(offer.channel_capacity_msat))
            / u128::from(offer.channel_capacity_msat.max(1));
        u128::from(in_flight_msat(channel)) + u128::from(added_msat) <= limit_msat
    }

    /// After a restart: an HTLC that was offered on before is a forward in progress again.
    pub(crate) fn resume_forward(
        &mut self,
        key: IncomingHtlcId,
        outgoing: OutgoingHtlcId,
        add: &UpdateAddHtlc,
    ) {
        // It peeled before it was offered; the same bytes peel again.
        let peeled = peel(&*self.local_of(&key.link), &incoming_htlc(add));
        let Ok(peeled) = peeled else { return };
        let Hop::Forward(layer) = peeled.hop else { return };
        let hop = OurHop { shared_secret: peeled.shared_secret, since_ms: self.now_ms };
        self.begin_forward(key, outgoing.link, add, &layer, hop);
    }

    /// The channel in which an incoming HTLC is to be forwarded, if it is and we have one.
    pub(crate) fn next_link(&self, key: &IncomingHtlcId, add: &UpdateAddHtlc) -> Option<LinkId> {
        let peeled = peel(&*self.local_of(&key.link), &incoming_htlc(add)).ok()?;
        let Hop::Forward(layer) = peeled.hop else { return None };
        self.next_link_of(&layer)
    }

    /// A sender that names a node leaves the channel to us: of several the first that is active.
    fn next_link_of(&self, layer: &Layer) -> Option<LinkId> {
        match layer.next {
            NextHop::Channel(scid) => self.channels.by_scid(scid),
            NextHop::Node(node) => {
                let mut links = self.channels.with_peer(&node).map(|(link, _)| link);
                let first = links.next()?;
                let mut all = std::iter::once(first).chain(links);
                Some(all.find(|link| self.is_active(link)).unwrap_or(first))
            }
        }
    }

    /// Remembers what the answer to a forwarded HTLC will need.
    fn begin_forward(
        &mut self,
        key: IncomingHtlcId,
        outgoing: LinkId,
        add: &UpdateAddHtlc,
        layer: &Layer,
        hop: OurHop,
    ) {
        let (Some(incoming_peer), Some(outgoing_peer)) =
            (self.peer_of(&key.link), self.peer_of(&outgoing))
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
        self.forwards.insert(key, forward);
    }

    pub(crate) fn fail_forward(&mut self, key: IncomingHtlcId, failure: Failure) {
        let Some(forward) = self.close_forward(key, false) else { return };
        let refusal = match (forward.blinding, &forward.onion) {
            (Blinding::None, _) | (_, None) => {
                PeelError::Failure { shared_secret: forward.hop.shared_secret, failure }
            }
            (blinding, Some(onion)) => {
                blinding.reject(&onion.0, forward.hop.shared_secret, failure)
            }
        };
        self.refuse(key, refusal, forward.hop.since_ms);
    }

    /// Adds our layer to a failure from downstream, or hides it inside a blinded path.
    pub(crate) fn pass_failure_back(&mut self, key: IncomingHtlcId, failure: ChannelFailure) {
        let blinded = self.forwards.get(&key).is_some_and(|f| f.blinding.is_blinded());
        match failure {
            ChannelFailure::Reason { reason, tlvs } if !blinded => {
                let Some(forward) = self.close_forward(key, false) else { return };
                let failure = self.failure_passed_back(&key, &reason, forward.hop, &tlvs);
                self.settle(key, Settlement::Fail(failure));
            }
            ChannelFailure::Malformed { sha256_of_onion, failure_code } => {
                let failure = Failure::from_malformed(failure_code, sha256_of_onion);
                self.fail_forward(key, failure.unwrap_or_else(Failure::temporary_node_failure));
            }
            ChannelFailure::Reason { .. } => {
                self.fail_forward(key, Failure::temporary_node_failure());
            }
        }
    }

    /// Ends a forward in the books.
    pub(crate) fn close_forward(
        &mut self,
        key: IncomingHtlcId,
        fulfilled: bool,
    ) -> Option<Forward> {
        let forward = self.forwards.remove(&key)?;
        let row = ForwardRow {
            incoming: key,
            incoming_peer: forward.incoming_peer,
            outgoing: forward.outgoing,
            outgoing_peer: forward.outgoing_peer,
            amount_in_msat: forward.amount_in_msat,
            amount_out_msat: forward.amount_out_msat,
            fulfilled,
            ended_ms: self.wall_ms,
        };
        self.batch.writes.put(Row::Forward(row));
        Some(forward)
    }

    pub(crate) fn failure_of_refusal(
        &self,
        link: &LinkId,
        reason: &AddRefusal,
        key: &IncomingHtlcId,
    ) -> Failure {
        let amount_msat = self.forwards.get(key).map_or(0, |forward| forward.amount_out_msat);
        match reason {
            AddRefusal::BelowMinimum { .. } => {
                Failure::amount_below_minimum(amount_msat, &self.own_update_for_failure(link))
            }
            AddRefusal::ExpiryTooSoon => {
                Failure::expiry_too_soon(&self.own_update_for_failure(link))
            }
            AddRefusal::ExpiryTooFar => Failure::expiry_too_far(),
            // One answer for all that depends on balances and on who is online: probing a
            // client tells nothing (users.md section 6.3, 11).
            AddRefusal::Unavailable
            | AddRefusal::InsufficientBalance { .. }
            | AddRefusal::TooMuchInFlight { .. }
            | AddRefusal::TooManyHtlcs
            | AddRefusal::QueueFull
            | AddRefusal::CountersExhausted
            | AddRefusal::BadTlvs => Failure::temporary_channel_failure(&[]),
        }
    }
}

/// What the onion is peeled with.
pub(crate) fn incoming_htlc(add: &UpdateAddHtlc) -> IncomingHtlc<'_> {
    IncomingHtlc {
        onion: &add.onion.0,
        payment_hash: add.payment_hash,
        amount_msat: add.amount_msat,
        cltv_expiry: add.cltv_expiry,
        path_key: add.path_key(),
    }
}

fn sum<'a>(htlcs: impl Iterator<Item = &'a UpdateAddHtlc>) -> u64 {
    htlcs.fold(0, |sum, htlc| sum.saturating_add(htlc.amount_msat))
}
