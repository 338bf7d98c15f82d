//! What a caller can read of a channel: ids, state, HTLCs, suspension, proposals, summary.

use steward_htlc::{IncomingHtlc, IncomingSettlement, OutgoingHtlc};
use steward_wire::{
    ChannelId, ChannelUpdate, Identity, InitHostedChannel, LastCrossSignedState, NodeId,
    ResizeChannel, ShortChannelId, Signature, StateOverride,
};

use crate::channel::{Body, Channel};
use crate::commitment::Outcome;
use crate::io::{Phase, Role, Summary, Suspension};
use crate::next_state::{Ledger, in_flight_msat};
use crate::open::{Open, Suspended};
use crate::opening::Opening;
use crate::session::Stage;
use crate::signing::sign;

impl Channel {
    /// The side that we are on.
    pub fn role(&self) -> Role {
        self.pair().role
    }

    /// Our node id in this channel.
    pub fn local(&self) -> NodeId {
        self.pair().local
    }

    /// The peer's node id.
    pub fn remote(&self) -> NodeId {
        self.pair().remote
    }

    /// The channel's short id.
    pub fn scid(&self) -> ShortChannelId {
        self.pair().scid
    }

    /// The channel's id.
    pub fn channel_id(&self) -> ChannelId {
        self.pair().channel_id
    }

    /// The last state both sides signed. Our own signature in it may still be zero: see
    /// [`Channel::export`].
    pub fn state(&self) -> Option<&LastCrossSignedState> {
        self.open().map(|open| open.commitment.signed())
    }

    /// The last state both sides signed, with both signatures, to show to anyone.
    pub fn export(&self, local: &dyn Identity) -> Option<LastCrossSignedState> {
        let mut state = self.state()?.clone();
        if state.local_sig_of_remote == Signature::ZERO {
            sign(&mut state, local);
        }
        Some(state)
    }

    /// The error over which the channel is suspended, if it is: our own one comes first.
    pub fn suspension(&self) -> Option<Suspension> {
        self.open()?.suspended.as_ref().map(Suspended::suspension)
    }

    /// The peer's terms for forwarding to us.
    pub fn peer_policy(&self) -> Option<&ChannelUpdate> {
        self.open()?.peer_policy.as_ref()
    }

    /// The client's request for a larger capacity that is not signed yet, if any.
    pub fn pending_resize(&self) -> Option<&ResizeChannel> {
        self.open()?.resize.as_ref()
    }

    /// The host's proposal that is not accepted yet: ours as host, received as client.
    pub fn pending_override(&self) -> Option<&StateOverride> {
        self.open()?.override_proposal.as_ref()
    }

    /// As client: our balance in the state that accepting the host's proposal would sign, in
    /// millisatoshi. `None` without a proposal that could be accepted.
    pub fn override_balance_msat(&self) -> Option<u64> {
        let open = self.open().filter(|_| self.pair().role == Role::Client)?;
        let proposal = open.override_proposal.as_ref()?;
        open.acceptable_state(proposal, self.pair()).map(|state| state.local_balance_msat)
    }

    /// Every cross-signed HTLC of the peer's, by ascending id, unless it is held because nothing
    /// proves that the peer offered it. After a restart, those without a settlement are to be
    /// acted upon again.
    pub fn incoming_htlcs(&self) -> impl Iterator<Item = IncomingHtlc<'_>> {
        self.open().into_iter().flat_map(|open| {
            let htlcs = open.commitment.signed().incoming_htlcs.iter();
            htlcs.filter(|htlc| !open.commitment.held().contains(&htlc.id)).map(|htlc| {
                IncomingHtlc {
                    htlc,
                    settlement: open.settlement_of(htlc.id),
                    is_recorded: open.commitment.is_settled_by_us(htlc.id),
                }
            })
        })
    }

    /// Every HTLC of ours that was ever sent and has not failed, expired or been removed by a
    /// signed state, ours or one that only the peer has.
    pub fn outgoing_htlcs(&self) -> impl Iterator<Item = OutgoingHtlc<'_>> {
        self.open().into_iter().flat_map(|open| {
            open.commitment.local_htlcs().filter_map(|htlc| {
                let outcome = open.commitment.outcomes().get(&htlc.id).copied();
                let preimage = outcome.and_then(Outcome::preimage);
                let has_ended = matches!(outcome, Some(Outcome::Expired | Outcome::Unknown));
                (!has_ended).then_some(OutgoingHtlc { htlc, preimage })
            })
        })
    }

    /// The number of HTLCs of ours that wait for an id.
    pub fn waiting_adds(&self) -> usize {
        match self.session().map(|session| &session.stage) {
            Some(Stage::Active(signing)) => signing.waiting_adds.len(),
            _ => 0,
        }
    }

    /// The numbers of our updates, and of the peer's, that are not in the signed state yet.
    pub fn unsigned_updates(&self) -> (usize, usize) {
        let count = |open: &Open| (open.commitment.local().len(), open.commitment.remote().len());
        self.open().map_or((0, 0), count)
    }

    /// True if any HTLC, of either side, is in the state or on its way into it.
    pub fn has_htlcs(&self) -> bool {
        self.open().is_some_and(|open| {
            let commitment = &open.commitment;
            !commitment.signed().incoming_htlcs.is_empty()
                || commitment.local_htlcs().next().is_some()
                || commitment.remote().iter().any(|update| update.as_add().is_some())
        })
    }

    /// Balances, limits and counts, for display and routing.
    pub fn summary(&self) -> Summary {
        let (phase, role) = (self.phase(), self.pair().role);
        match self.body() {
            Body::Opening(opening) => summary_before_opening(role, opening),
            Body::Open(open) => {
                let waiting_msat = match self.session().map(|session| &session.stage) {
                    Some(Stage::Active(signing)) => signing.waiting_msat(),
                    _ => 0,
                };
                open.summary(role, phase, waiting_msat)
            }
        }
    }
}

impl Open {
    fn settlement_of(&self, id: u64) -> Option<IncomingSettlement> {
        if let Some(preimage) = self.given_preimage(id) {
            return Some(IncomingSettlement::Fulfill(preimage));
        }
        let is_failed = self.since_start.waiting_settlements.contains_key(&id)
            || self.commitment.is_settled_by_us(id);
        is_failed.then_some(IncomingSettlement::Fail)
    }

    fn summary(&self, role: Role, phase: Phase, waiting_msat: i128) -> Summary {
        let commitment = &self.commitment;
        let (signed, terms) = (commitment.signed(), commitment.terms());
        // Slots do not count: an HTLC waits for one. What waits already does.
        let spendable_msat = match commitment.room() {
            Some(room) if phase == Phase::Active => {
                room.spendable_msat.min(room.in_flight_msat) - waiting_msat
            }
            _ => 0,
        };
        // Suspended, or while the peer has yet to repeat its updates, only ours are certain.
        let next = commitment.next_ledger().or_else(|| commitment.certain_ledger());
        let next = next.or_else(|| Ledger::new(signed, &[], &[]));
        let limit_msat = i128::from(terms.max_htlc_value_in_flight_msat);
        // Only a damaged record has no ledger: its state names one HTLC twice.
        let (receivable_msat, outgoing_htlcs, incoming_htlcs) = next.map_or((0, 0, 0), |next| {
            let room_msat = limit_msat - in_flight_msat(&next.incoming);
            (next.remote_msat.min(room_msat), next.outgoing.len(), next.incoming.len())
        });
        Summary {
            role,
            phase,
            capacity_msat: terms.channel_capacity_msat,
            local_balance_msat: signed.local_balance_msat,
            remote_balance_msat: signed.remote_balance_msat,
            spendable_msat: amount(spendable_msat),
            receivable_msat: amount(receivable_msat),
            outgoing_htlcs: count(outgoing_htlcs),
            incoming_htlcs: count(incoming_htlcs),
            terms: terms.clone(),
        }
    }
}

fn summary_before_opening(role: Role, opening: &Opening) -> Summary {
    let terms = match opening {
        Opening::Host { offer, .. } => offer.clone(),
        Opening::Client { .. } => InitHostedChannel {
            max_htlc_value_in_flight_msat: 0,
            htlc_minimum_msat: 0,
            max_accepted_htlcs: 0,
            channel_capacity_msat: 0,
            initial_client_balance_msat: 0,
            features: Vec::new(),
        },
    };
    Summary {
        role,
        phase: Phase::Opening,
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

fn amount(msat: i128) -> u64 {
    u64::try_from(msat.max(0)).unwrap_or(u64::MAX)
}

fn count(htlcs: usize) -> u16 {
    u16::try_from(htlcs).unwrap_or(u16::MAX)
}
