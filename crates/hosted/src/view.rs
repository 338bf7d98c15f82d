//! What can be read off a channel.

use bitcoin::secp256k1::SecretKey;
use steward_wire::{
    ChannelId, ChannelUpdate, InitHostedChannel, LastCrossSignedState, NodeId, Preimage,
    ShortChannelId, Signature, UpdateAddHtlc,
};

use crate::channel::{Channel, Outcome};
use crate::io::{Phase, Role, Summary};
use crate::next_state::{Ledger, in_flight_msat};
use crate::opening::Opening;

/// An HTLC the peer offers, signed by both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IncomingHtlc<'a> {
    /// The HTLC.
    pub htlc: &'a UpdateAddHtlc,
    /// How we settle it, if that is decided.
    pub settlement: Option<IncomingSettlement>,
}

/// How an incoming HTLC is settled, not signed yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IncomingSettlement {
    /// Claimed with this preimage.
    Fulfill(Preimage),
    /// Failed.
    Fail,
}

/// An HTLC we offer, signed or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutgoingHtlc<'a> {
    /// The HTLC.
    pub htlc: &'a UpdateAddHtlc,
    /// Its preimage, if it is known: then only its removal is still to be signed.
    pub preimage: Option<Preimage>,
}

impl Channel {
    /// Our side.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Our node id in this channel.
    pub fn local(&self) -> NodeId {
        self.local
    }

    /// The peer's node id.
    pub fn remote(&self) -> NodeId {
        self.remote
    }

    /// The channel's short id.
    pub fn scid(&self) -> ShortChannelId {
        self.scid
    }

    /// The channel's id.
    pub fn channel_id(&self) -> ChannelId {
        self.channel_id
    }

    /// The last state both sides signed. Our own signature in it may still be zero: see
    /// [`Channel::export`].
    pub fn state(&self) -> Option<&LastCrossSignedState> {
        self.signed.as_ref()
    }

    /// The last state both sides signed, with both signatures, to show to anyone.
    pub fn export(&self, key: &SecretKey) -> Option<LastCrossSignedState> {
        let mut state = self.signed.clone()?;
        if state.local_sig_of_remote == Signature::ZERO {
            state.local_sig_of_remote = state.sign_remote(key);
        }
        Some(state)
    }

    /// The peer's terms for forwarding to us.
    pub fn peer_policy(&self) -> Option<&ChannelUpdate> {
        self.peer_policy.as_ref()
    }

    /// Every cross-signed HTLC of the peer's, by ascending id, unless it is held because nothing
    /// proves that the peer offered it. After a restart, those without a settlement are to be
    /// acted upon again.
    pub fn incoming_htlcs(&self) -> impl Iterator<Item = IncomingHtlc<'_>> {
        self.signed
            .iter()
            .flat_map(|signed| &signed.incoming_htlcs)
            .filter(|htlc| !self.held.contains(&htlc.id))
            .map(|htlc| IncomingHtlc { htlc, settlement: self.settlement_of(htlc.id) })
    }

    /// Every own HTLC that was ever sent and has not failed, expired or been removed by a signed
    /// state, ours or one that only the peer has.
    pub fn outgoing_htlcs(&self) -> impl Iterator<Item = OutgoingHtlc<'_>> {
        self.own_htlcs().filter_map(|htlc| {
            let outcome = self.outcomes.get(&htlc.id).copied();
            let preimage = outcome.and_then(Outcome::preimage);
            let has_ended = matches!(outcome, Some(Outcome::Expired | Outcome::Unknown));
            (!has_ended).then_some(OutgoingHtlc { htlc, preimage })
        })
    }

    /// How many updates of ours, and of the peer's, are not in the signed state yet.
    pub fn unsigned_updates(&self) -> (usize, usize) {
        (self.own.len(), self.peer.len())
    }

    /// True if any HTLC, of either side, is in the state or on its way into it.
    pub fn has_htlcs(&self) -> bool {
        let has_incoming = self.signed.as_ref().is_some_and(|s| !s.incoming_htlcs.is_empty());
        has_incoming || self.own_htlcs().next().is_some() || self.has_unsigned_incoming()
    }

    fn has_unsigned_incoming(&self) -> bool {
        self.peer.iter().any(|update| update.as_add().is_some())
    }

    fn settlement_of(&self, id: u64) -> Option<IncomingSettlement> {
        if let Some(preimage) = self.given_preimage(id) {
            return Some(IncomingSettlement::Fulfill(preimage));
        }
        let is_failed = self.waiting_settlements.contains_key(&id)
            || self.own.iter().any(|update| update.settled_id() == Some(id));
        is_failed.then_some(IncomingSettlement::Fail)
    }

    /// Numbers for people and for routing.
    pub fn summary(&self) -> Summary {
        let (Some(signed), Some(next)) = (&self.signed, self.next_ledger()) else {
            return self.summary_before_opening();
        };
        let terms = &signed.init_hosted_channel;
        let is_active = self.phase() == Phase::Active;
        // Slots do not count: an HTLC waits for one. What waits already does.
        let spendable_msat = match self.room() {
            Some(room) if is_active => {
                let waiting = self.waiting_adds.iter().map(|htlc| i128::from(htlc.amount_msat));
                room.spendable_msat.min(room.in_flight_msat) - waiting.sum::<i128>()
            }
            _ => 0,
        };
        let limit_msat = i128::from(terms.max_htlc_value_in_flight_msat);
        let receivable_msat = next.remote_msat.min(limit_msat - in_flight_msat(&next.incoming));
        Summary {
            role: self.role,
            phase: self.phase(),
            capacity_msat: terms.channel_capacity_msat,
            local_balance_msat: signed.local_balance_msat,
            remote_balance_msat: signed.remote_balance_msat,
            spendable_msat: amount(spendable_msat),
            receivable_msat: amount(receivable_msat),
            outgoing_htlcs: count(next.outgoing.len()),
            incoming_htlcs: count(next.incoming.len()),
            terms: terms.clone(),
        }
    }

    fn next_ledger(&self) -> Option<Ledger<'_>> {
        let signed = self.signed.as_ref()?;
        // Suspended, or while the peer has yet to repeat its updates, only ours are certain.
        Ledger::new(signed, &self.own, &self.peer)
            .or_else(|| Ledger::new(signed, &self.own, &[]))
            .or_else(|| Ledger::new(signed, &[], &[]))
    }

    fn summary_before_opening(&self) -> Summary {
        let terms = match &self.opening {
            Some(Opening::Host { offer }) => offer.clone(),
            _ => InitHostedChannel {
                max_htlc_value_in_flight_msat: 0,
                htlc_minimum_msat: 0,
                max_accepted_htlcs: 0,
                channel_capacity_msat: 0,
                initial_client_balance_msat: 0,
                features: Vec::new(),
            },
        };
        Summary {
            role: self.role,
            phase: self.phase(),
            capacity_msat: terms.channel_capacity_msat,
            local_balance_msat: 0,
            remote_balance_msat: 0,
            spendable_msat: 0,
            receivable_msat: 0,
            outgoing_htlcs: 0,
            incoming_htlcs: 0,
            terms,
        }
    }
}

fn amount(msat: i128) -> u64 {
    u64::try_from(msat.max(0)).unwrap_or(u64::MAX)
}

fn count(htlcs: usize) -> u16 {
    u16::try_from(htlcs).unwrap_or(u16::MAX)
}
