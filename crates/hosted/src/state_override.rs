//! Override: a fresh state without HTLCs for a suspended channel, proposed by the host's
//! operator and accepted by the client's (docs/protocol.md section 3.10).

use steward_htlc::{DropCause, LinkEvent};
use steward_wire::{
    LastCrossSignedState, Message, PaymentHash, Signature, StateOverride, StateUpdate, impossible,
};

use crate::command::CommandRefusal;
use crate::commitment::Counters;
use crate::io::{Output, Phase, Role};
use crate::next_state::{counter_after, same_content};
use crate::open::{Open, OpenChannel};
use crate::pair::Pair;
use crate::session::Stage;
use crate::signing::{block_day, sign, state_update};

impl Open {
    /// As client: the state the host proposes, if it may follow ours and the host signed it.
    pub(crate) fn acceptable_state(
        &self,
        proposal: &StateOverride,
        pair: &Pair,
    ) -> Option<LastCrossSignedState> {
        let signed = self.commitment.signed();
        // The host may have signed our resize already, or never heard of it.
        let larger = self.resized_base();
        larger.iter().chain([signed]).find_map(|base| {
            let state = overriding_state(base, proposal)?;
            let is_after = state.local_updates >= signed.local_updates
                && state.remote_updates >= signed.remote_updates
                && Counters::of(&state) != Counters::of(signed)
                && state.block_day >= signed.block_day;
            (is_after && pair.is_signed_by_peer(&state)).then_some(state)
        })
    }

    /// As host: what a proposal builds on. A resize we have heard of counts as agreed, because
    /// the client may hold our signature on it.
    fn override_base(&self) -> LastCrossSignedState {
        self.resized_base().unwrap_or_else(|| self.commitment.signed().clone())
    }
}

impl OpenChannel<'_> {
    /// `local_balance_msat` is ours of the capacity that both have signed, which is all that an
    /// operator sees. The client alone asks for a resize: what it adds to the proposal is ours.
    pub(crate) fn propose_override(
        &mut self,
        local_balance_msat: u64,
    ) -> Result<(), CommandRefusal> {
        let growth_msat = self.open.pending_growth_msat();
        let local_balance_msat = local_balance_msat.saturating_add(growth_msat);
        let proposal = self.build_override(local_balance_msat)?;
        self.offer_override(proposal);
        Ok(())
    }

    fn offer_override(&mut self, proposal: StateOverride) {
        let earlier = self.open.override_proposal.replace(proposal);
        if let Some(earlier) = earlier.filter(|earlier| *earlier != proposal) {
            self.note_counters(counters_of(&earlier));
        }
        self.changed |= earlier != Some(proposal);
        if self.may_speak() {
            self.send(Message::StateOverride(proposal));
        }
    }

    fn build_override(&self, local_balance_msat: u64) -> Result<StateOverride, CommandRefusal> {
        if self.pair.role != Role::Host {
            return Err(CommandRefusal::WrongRole);
        }
        let Some(suspended) = &self.open.suspended else {
            return Err(CommandRefusal::NotSuspended);
        };
        let mut highest = suspended.highest;
        if let Some(pending) = self.open.override_proposal {
            // The client takes only what exceeds the highest state it holds.
            let is_high =
                pending.local_updates > highest.local && pending.remote_updates > highest.remote;
            if pending.local_balance_msat == local_balance_msat && is_high {
                return Ok(pending);
            }
            // It may hold the earlier one: never two states with the same counters.
            highest = highest.max(counters_of(&pending));
        }
        let base = self.open.override_base();
        let next = |highest| counter_after(highest, 1).ok_or(CommandRefusal::CountersExhausted);
        let mut proposal = StateOverride {
            // The client's chain may have been ahead of ours when we both signed last.
            block_day: block_day(self.env).max(base.block_day),
            local_balance_msat,
            local_updates: next(highest.local)?,
            remote_updates: next(highest.remote)?,
            local_sig_of_remote: Signature::ZERO,
        };
        let mut state = overriding_state(&base, &proposal).ok_or(CommandRefusal::BalanceTooHigh)?;
        sign(&mut state, self.env.local);
        proposal.local_sig_of_remote = state.local_sig_of_remote;
        Ok(proposal)
    }

    /// As host: the client has shown a higher state than the pending proposal exceeds.
    pub(crate) fn renew_override(&mut self) {
        let Some(pending) = self.open.override_proposal else {
            return; // The operator has proposed nothing yet.
        };
        // A client makes no proposals, and counters may be exhausted: then the old one stays.
        if let Ok(proposal) = self.build_override(pending.local_balance_msat)
            && proposal != pending
        {
            self.offer_override(proposal);
        }
    }

    /// As client: the host proposes. Kept in any phase, as it may overtake its error.
    pub(crate) fn on_state_override(&mut self, proposal: StateOverride) {
        if self.pair.role != Role::Client {
            return; // Only a host proposes.
        }
        if self.is_in_force(&proposal) {
            return self.repeat_acceptance();
        }
        if self.open.override_proposal == Some(proposal) {
            return; // Repeated on another connection.
        }
        let Some(state) = self.open.acceptable_state(&proposal, self.pair) else {
            return; // Not signed, or older than the state we hold.
        };
        self.open.override_proposal = Some(proposal);
        self.changed = true;
        self.out.push(Output::OverrideProposed { our_balance_msat: state.local_balance_msat });
    }

    pub(crate) fn accept_override(&mut self) -> Result<(), CommandRefusal> {
        let mut state = self.check_acceptance()?;
        sign(&mut state, self.env.local);
        self.send(state_update(&state));
        self.enter_override(state);
        Ok(())
    }

    fn check_acceptance(&self) -> Result<LastCrossSignedState, CommandRefusal> {
        if self.pair.role != Role::Client {
            return Err(CommandRefusal::WrongRole);
        }
        if self.open.suspended.is_none() {
            return Err(CommandRefusal::NotSuspended);
        }
        if self.session.as_ref().is_none_or(|session| session.stage == Stage::Stale) {
            return Err(CommandRefusal::NotConnected);
        }
        self.open
            .override_proposal
            .and_then(|proposal| self.open.acceptable_state(&proposal, self.pair))
            .ok_or(CommandRefusal::NoOverride)
    }

    /// As client: the host did not get our acceptance of this proposal and proposes it again.
    fn is_in_force(&self, proposal: &StateOverride) -> bool {
        let signed = self.open.commitment.signed();
        signed.remote_sig_of_local == proposal.local_sig_of_remote
            && overriding_state(signed, proposal).is_some_and(|state| same_content(&state, signed))
    }

    /// The host's error and proposal crossed our acceptance, or that got lost. What we have sent
    /// on top of the new state since then may have arrived or not: only comparing states tells.
    fn repeat_acceptance(&mut self) {
        if self.phase() != Phase::Suspended {
            return; // The host repeats its proposal before it hears of our acceptance.
        }
        let state = self.complete_state();
        self.send(state_update(&state));
        if let Some(session) = self.session {
            session.override_came = true;
        }
        let Some(suspended) = &self.open.suspended else {
            return impossible!("the phase says that it is suspended");
        };
        if let Some(fault) = &suspended.ours {
            // What we found since then stands. The host must know both.
            let data = fault.data();
            return self.send_error(data);
        }
        self.open.suspended = None;
        self.changed = true;
        if self.open.commitment.local().is_empty() && self.open.resize.is_none() {
            self.become_active(false);
        } else {
            self.reconnect("the host may not have our acceptance of its override");
        }
    }

    /// As host: the client's signature over the state we proposed.
    pub(crate) fn on_override_accepted(&mut self, update: StateUpdate) {
        let Some((proposal, mut state)) = self.proposal_and_state() else {
            return; // Sent before the peer heard of our error.
        };
        state.remote_sig_of_local = update.local_sig_of_remote;
        let refusal = if update.block_day != proposal.block_day {
            "Override blockday is not acceptable"
        } else if update.remote_updates != proposal.local_updates {
            "Override remote update number is wrong"
        } else if update.local_updates != proposal.remote_updates {
            "Override local update number is wrong"
        } else if !self.pair.is_signed_by_peer(&state) {
            "Override signature is wrong"
        } else {
            return self.enter_override(state);
        };
        self.send_error(refusal.as_bytes().to_vec());
    }

    /// As host: the state we proposed, if `theirs` is that.
    pub(crate) fn proposed_override(
        &self,
        theirs: &LastCrossSignedState,
    ) -> Option<LastCrossSignedState> {
        let (_, state) = self.proposal_and_state()?;
        same_content(&state, theirs).then_some(state)
    }

    /// As host: our proposal, and the state that it is about.
    fn proposal_and_state(&self) -> Option<(StateOverride, LastCrossSignedState)> {
        let proposal = self.open.override_proposal.filter(|_| self.pair.role == Role::Host)?;
        let state = overriding_state(&self.open.override_base(), &proposal)?;
        Some((proposal, state))
    }

    /// The fresh state replaces everything; HTLCs it leaves out are dead.
    pub(crate) fn enter_override(&mut self, state: LastCrossSignedState) {
        let commitment = &self.open.commitment;
        let cause = DropCause::Override;
        let dropped = commitment
            .local_htlcs()
            .map(|htlc| htlc.id)
            .filter(|id| !commitment.outcomes().contains_key(id))
            .map(|id| Output::Link(LinkEvent::HtlcDropped { id, cause }));
        self.out.extend(dropped);
        let payment_hashes: Vec<PaymentHash> = commitment
            .signed()
            .incoming_htlcs
            .iter()
            .filter(|htlc| !commitment.held().contains(&htlc.id))
            .filter(|htlc| self.open.given_preimage(htlc.id).is_some())
            .map(|htlc| htlc.payment_hash)
            .collect();
        if !payment_hashes.is_empty() {
            self.out.push(Output::ClaimsDropped { payment_hashes });
        }
        let since_start = &mut self.open.since_start;
        let pointless = std::mem::take(&mut since_start.waiting_settlements);
        self.out.extend(
            pointless.into_keys().map(|id| Output::Link(LinkEvent::SettlementRecorded { id })),
        );
        since_start.at_risk.clear();
        since_start.bad_signatures = 0;

        let was_msat = self.open.commitment.capacity_msat();
        self.open.commitment.override_with(state);
        self.note_capacity(was_msat);
        self.open.resize = None;
        self.open.suspended = None;
        self.open.override_proposal = None;
        if let Some(session) = self.session {
            session.override_came = true;
            session.answered();
        }
        self.changed = true;
        self.out.push(Output::Overridden);
        self.become_active(false);
    }
}

fn counters_of(proposal: &StateOverride) -> Counters {
    Counters { local: proposal.local_updates, remote: proposal.remote_updates }
}

/// The proposed state from the side that holds `base`, with the host's signature where it belongs.
/// `None` if the host's balance exceeds the capacity.
fn overriding_state(
    base: &LastCrossSignedState,
    proposal: &StateOverride,
) -> Option<LastCrossSignedState> {
    let client_balance_msat =
        base.init_hosted_channel.channel_capacity_msat.checked_sub(proposal.local_balance_msat)?;
    let host_state = LastCrossSignedState {
        is_host: true,
        last_refund_scriptpubkey: base.last_refund_scriptpubkey.clone(),
        init_hosted_channel: base.init_hosted_channel.clone(),
        block_day: proposal.block_day,
        local_balance_msat: proposal.local_balance_msat,
        remote_balance_msat: client_balance_msat,
        local_updates: proposal.local_updates,
        remote_updates: proposal.remote_updates,
        incoming_htlcs: Vec::new(),
        outgoing_htlcs: Vec::new(),
        remote_sig_of_local: Signature::ZERO,
        local_sig_of_remote: proposal.local_sig_of_remote,
    };
    Some(if base.is_host { host_state } else { host_state.reverse() })
}
