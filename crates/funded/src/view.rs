//! What can be read of a channel, for display and routing.

use bitcoin::Transaction;
use steward_htlc::{IncomingHtlc, IncomingSettlement, OutgoingHtlc, Settlement};
use steward_wire::{ChannelId, ChannelUpdate, LinkId, NodeId, ShortChannelId};

use crate::bolt3::Side;
use crate::channel::{Body, Channel};
use crate::dust::is_dust_too_much;
use crate::io::{CloseReason, RefuseReason};
use crate::ledger::{TheirStage, View};
use crate::live::{Live, OwnCommitment, SignedClose};
use crate::session::Stage;

/// The part of its life that a channel is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// The funding output is not known; nothing is durable.
    Opening,
    /// The funding transaction is not deep enough, or the peer does not say so yet.
    Funding,
    /// The channel is open, and the peer is not connected or has not said what it has.
    Offline,
    /// HTLCs may flow.
    Active,
    /// A cooperative close is under way.
    ShuttingDown,
    /// The channel ends on chain.
    Closing,
}

/// Balances, limits and counts, for display and routing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The phase that the channel is in.
    pub phase: Phase,
    /// Capacity, in millisatoshi.
    pub capacity_msat: u64,
    /// Our balance in our current commitment, in millisatoshi.
    pub local_balance_msat: u64,
    /// The peer's balance in our current commitment, in millisatoshi.
    pub remote_balance_msat: u64,
    /// The amount we could still offer now, in millisatoshi. Zero unless active.
    pub spendable_msat: u64,
    /// The amount the peer could offer us by the limits, in millisatoshi, whatever the phase.
    pub receivable_msat: u64,
    /// HTLCs offered by us.
    pub outgoing_htlcs: u16,
    /// HTLCs offered by the peer.
    pub incoming_htlcs: u16,
    /// Fee rate of the commitments, in satoshi per 1000 weight units.
    pub feerate_per_kw: u32,
    /// The funding output's place in the best chain.
    pub scid: Option<ShortChannelId>,
    /// The peer's alias for the channel.
    pub peer_alias: Option<ShortChannelId>,
    /// True if the channel is to be announced.
    pub is_announced: bool,
}

/// A channel's decision to end, as it can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// The reason.
    pub reason: CloseReason,
    /// True if our commitment was given to the resolver to be published.
    pub is_published: bool,
    /// Height of the best block at the decision.
    pub height: u32,
}

impl Channel {
    pub(crate) fn live(&self) -> Option<&Live> {
        match &self.body {
            Body::Opening(_) => None,
            Body::Live(live) => Some(live),
        }
    }

    /// The peer's node id.
    pub fn peer(&self) -> NodeId {
        match &self.body {
            Body::Opening(opening) => opening.peer,
            Body::Live(live) => live.peer,
        }
    }

    /// The channel's id: the temporary one before its funding is known.
    pub fn channel_id(&self) -> ChannelId {
        match &self.body {
            Body::Opening(opening) => opening.temporary_id,
            Body::Live(live) => live.parameters.channel_id(),
        }
    }

    /// The channel's name in the engine, for good; `None` before its funding is known.
    pub fn link(&self) -> Option<LinkId> {
        self.live().map(|live| live.parameters.channel_id().into())
    }

    /// Names our keys to the signer; `None` before the funding is known.
    pub fn keys_id(&self) -> Option<u64> {
        self.live().map(|live| live.keys_id)
    }

    /// The peer's terms for forwarding to us, if it has told them.
    pub fn peer_policy(&self) -> Option<&ChannelUpdate> {
        self.live().and_then(|live| live.peer_policy.as_ref())
    }

    /// The phase that the channel is in.
    pub fn phase(&self) -> Phase {
        let Some(live) = self.live() else { return Phase::Opening };
        let is_closing = live.shutdown.is_ours || live.shutdown.theirs.is_some();
        match self.session.stage {
            _ if live.closing.is_some() => Phase::Closing,
            _ if is_closing => Phase::ShuttingDown,
            _ if !live.is_open() || live.funding.scid.is_none() => Phase::Funding,
            Stage::Synced => Phase::Active,
            _ => Phase::Offline,
        }
    }

    /// The decision that the channel ends, if it is taken.
    pub fn ending(&self) -> Option<Ending> {
        let closing = self.live()?.closing.as_ref()?;
        Some(Ending {
            reason: closing.reason.clone(),
            is_published: closing.own == OwnCommitment::Published,
            height: closing.height,
        })
    }

    /// The closing transactions that both sides have signed, to be published again until one of
    /// them is buried.
    pub fn closes(&self) -> Vec<Transaction> {
        let live = self.live();
        let all = live.into_iter().flat_map(|live| {
            let signed = |signed: &SignedClose| {
                signed.close.signed(&live.parameters, &signed.ours, &signed.theirs).ok()
            };
            live.shutdown.signed.iter().filter_map(signed)
        });
        all.collect()
    }

    /// Balances, limits and counts; `None` before the funding is known.
    pub fn summary(&self) -> Option<Summary> {
        let live = self.live()?;
        let contents = live.contents(View::LocalCurrent);
        let phase = self.phase();
        let worst = live.contents(View::Worst);
        let room = |side: Side, terms_of: Side| {
            let terms = live.parameters.terms(terms_of);
            let in_flight = worst.htlcs.iter().filter(|htlc| htlc.key.offered_by == side);
            let in_flight = in_flight.fold(0u64, |sum, htlc| sum.saturating_add(htlc.amount_msat));
            let kept = terms.reserve_sat.saturating_mul(1_000);
            let balance = worst.balance_msat(side).saturating_sub(kept);
            balance.min(terms.max_in_flight_msat.saturating_sub(in_flight))
        };
        let spendable = if phase == Phase::Active { room(Side::Local, Side::Remote) } else { 0 };
        Some(Summary {
            phase,
            capacity_msat: live.parameters.capacity_msat(),
            local_balance_msat: contents.local_msat,
            remote_balance_msat: contents.remote_msat,
            spendable_msat: spendable,
            receivable_msat: room(Side::Remote, Side::Local),
            outgoing_htlcs: u16::try_from(live.ledger.ours.len()).unwrap_or(u16::MAX),
            incoming_htlcs: u16::try_from(live.ledger.theirs.len()).unwrap_or(u16::MAX),
            feerate_per_kw: contents.feerate_per_kw,
            scid: live.funding.scid,
            peer_alias: live.funding.peer_alias,
            is_announced: live.is_announced,
        })
    }

    /// The HTLCs of the peer's that are irrevocable, with our answers.
    pub fn incoming_htlcs(&self) -> impl Iterator<Item = IncomingHtlc<'_>> {
        let theirs = self.live().into_iter().flat_map(|live| live.ledger.theirs.values());
        theirs.filter(|htlc| htlc.stage >= TheirStage::Committed).map(|htlc| IncomingHtlc {
            htlc: &htlc.add,
            settlement: htlc.answer.as_ref().map(|answer| match answer {
                Settlement::Fulfill { preimage, .. } => IncomingSettlement::Fulfill(*preimage),
                Settlement::Fail(_) => IncomingSettlement::Fail,
            }),
            is_recorded: htlc.answer.is_some(),
        })
    }

    /// The reason why an HTLC of the peer's is to be failed at once, as things stand: after a restart
    /// [`Output::Refuse`](crate::Output::Refuse) is not repeated.
    pub fn refusal_of(&self, id: u64) -> Option<RefuseReason> {
        let live = self.live().filter(|live| live.ledger.theirs.contains_key(&id))?;
        is_dust_too_much(live, id).then_some(RefuseReason::DustExposure)
    }

    /// The HTLCs of ours that are not gone.
    pub fn outgoing_htlcs(&self) -> impl Iterator<Item = OutgoingHtlc<'_>> {
        let ours = self.live().into_iter().flat_map(|live| live.ledger.ours.values());
        ours.map(|htlc| OutgoingHtlc { htlc: &htlc.add, preimage: htlc.preimage })
    }
}
