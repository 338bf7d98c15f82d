//! Override: a fresh state without HTLCs for a suspended channel, proposed by the host's
//! operator and accepted by the client's (protocol.md section 3.10).

use steward_wire::{
    LastCrossSignedState, Message, PaymentHash, Signature, StateOverride, StateUpdate, WireError,
};
use steward_wire::{impossible, invariant};

use crate::channel::{Channel, Link};
use crate::command::CommandRefusal;
use crate::commit::{block_day, state_update};
use crate::io::{DropCause, Env, Output, Phase, Role};
use crate::next_state::{counter_after, same_content};
use crate::view::IncomingSettlement;

impl Channel {
    /// The host's proposal that is not accepted yet: ours as host, received as client.
    pub fn pending_override(&self) -> Option<&StateOverride> {
        self.override_proposal.as_ref()
    }

    /// As client: our balance in the state that accepting the host's proposal would sign, in
    /// millisatoshi. `None` without a proposal that could be accepted.
    pub fn override_balance_msat(&self) -> Option<u64> {
        let proposal = self.override_proposal.filter(|_| self.role == Role::Client)?;
        self.acceptable_state(&proposal).map(|state| state.local_balance_msat)
    }

    /// `local_balance_msat` is ours of the capacity that both have signed, which is all that an
    /// operator sees. The client alone asks for a resize: what it adds to the proposal is ours.
    pub(crate) fn propose_override(
        &mut self,
        local_balance_msat: u64,
        env: &Env<'_>,
        out: &mut Vec<Output>,
    ) -> Result<(), CommandRefusal> {
        let local_balance_msat = local_balance_msat.saturating_add(self.pending_growth_msat());
        let proposal = self.build_override(local_balance_msat, env)?;
        self.offer_override(proposal, out);
        Ok(())
    }

    fn offer_override(&mut self, proposal: StateOverride, out: &mut Vec<Output>) {
        if let Some(earlier) = self.override_proposal.filter(|earlier| *earlier != proposal) {
            self.note_counters(earlier.local_updates, earlier.remote_updates);
        }
        self.changed |= self.override_proposal != Some(proposal);
        self.override_proposal = Some(proposal);
        if self.may_speak() {
            out.push(Output::Send(Message::StateOverride(proposal)));
        }
    }

    fn build_override(
        &self,
        local_balance_msat: u64,
        env: &Env<'_>,
    ) -> Result<StateOverride, CommandRefusal> {
        let base = self.override_base().ok_or(CommandRefusal::NotOpen)?;
        if self.role != Role::Host {
            return Err(CommandRefusal::WrongRole);
        }
        if !self.is_suspended() {
            return Err(CommandRefusal::NotSuspended);
        }
        let mut highest = self.highest;
        if let Some(pending) = self.override_proposal {
            // The client takes only what exceeds the highest state it holds.
            let is_high = pending.local_updates > highest.0 && pending.remote_updates > highest.1;
            if pending.local_balance_msat == local_balance_msat && is_high {
                return Ok(pending);
            }
            // It may hold the earlier one: never two states with the same counters.
            highest = (highest.0.max(pending.local_updates), highest.1.max(pending.remote_updates));
        }
        let next = |highest| counter_after(highest, 1).ok_or(CommandRefusal::CountersExhausted);
        let mut proposal = StateOverride {
            // The client's chain may have been ahead of ours when we both signed last.
            block_day: block_day(env).max(base.block_day),
            local_balance_msat,
            local_updates: next(highest.0)?,
            remote_updates: next(highest.1)?,
            local_sig_of_remote: Signature::ZERO,
        };
        let state = overriding_state(&base, &proposal).ok_or(CommandRefusal::BalanceTooHigh)?;
        invariant!(state.is_balanced(), "what we sign adds up to the capacity");
        proposal.local_sig_of_remote = state.sign_remote(env.key);
        Ok(proposal)
    }

    /// As host: the client has shown a higher state than the pending proposal exceeds.
    pub(crate) fn renew_override(&mut self, env: &Env<'_>, out: &mut Vec<Output>) {
        let Some(pending) = self.override_proposal else { return };
        if let Ok(proposal) = self.build_override(pending.local_balance_msat, env)
            && proposal != pending
        {
            self.offer_override(proposal, out);
        }
    }

    /// As client: the host proposes. Kept in any phase, as it may overtake its error.
    pub(crate) fn on_state_override(
        &mut self,
        proposal: StateOverride,
        env: &Env<'_>,
        out: &mut Vec<Output>,
    ) {
        if self.role != Role::Client {
            return;
        }
        if self.is_in_force(&proposal) {
            return self.repeat_acceptance(env, out);
        }
        if self.override_proposal == Some(proposal) {
            return;
        }
        let Some(state) = self.acceptable_state(&proposal) else { return };
        self.override_proposal = Some(proposal);
        self.changed = true;
        out.push(Output::OverrideProposed { our_balance_msat: state.local_balance_msat });
    }

    pub(crate) fn accept_override(
        &mut self,
        env: &Env<'_>,
        out: &mut Vec<Output>,
    ) -> Result<(), CommandRefusal> {
        let mut state = self.check_acceptance()?;
        invariant!(state.is_balanced(), "what we sign adds up to the capacity");
        state.local_sig_of_remote = state.sign_remote(env.key);
        out.push(Output::Send(state_update(&state)));
        self.enter_override(state, out);
        Ok(())
    }

    fn check_acceptance(&self) -> Result<LastCrossSignedState, CommandRefusal> {
        if self.signed.is_none() {
            return Err(CommandRefusal::NotOpen);
        }
        if self.role != Role::Client {
            return Err(CommandRefusal::WrongRole);
        }
        if !self.is_suspended() {
            return Err(CommandRefusal::NotSuspended);
        }
        if matches!(self.link, Link::Down | Link::Stale) {
            return Err(CommandRefusal::NotConnected);
        }
        self.override_proposal
            .and_then(|proposal| self.acceptable_state(&proposal))
            .ok_or(CommandRefusal::NoOverride)
    }

    /// As client: the state the host proposes, if it may follow ours and the host signed it.
    fn acceptable_state(&self, proposal: &StateOverride) -> Option<LastCrossSignedState> {
        let signed = self.signed.as_ref()?;
        // The host may have signed our resize already, or never heard of it.
        let larger = self.resized_base();
        larger.iter().chain([signed]).find_map(|base| {
            let state = overriding_state(base, proposal)?;
            let is_after = state.local_updates >= signed.local_updates
                && state.remote_updates >= signed.remote_updates
                && (state.local_updates, state.remote_updates)
                    != (signed.local_updates, signed.remote_updates)
                && state.block_day >= signed.block_day;
            (is_after && self.is_signed_by_peer(&state)).then_some(state)
        })
    }

    /// As client: the host did not get our acceptance of this proposal and proposes it again.
    fn is_in_force(&self, proposal: &StateOverride) -> bool {
        self.signed.as_ref().is_some_and(|signed| {
            signed.remote_sig_of_local == proposal.local_sig_of_remote
                && overriding_state(signed, proposal)
                    .is_some_and(|state| same_content(&state, signed))
        })
    }

    /// The host's error and proposal crossed our acceptance, or that got lost. What we have sent
    /// on top of the new state since then may have arrived or not: only comparing states tells.
    fn repeat_acceptance(&mut self, env: &Env<'_>, out: &mut Vec<Output>) {
        if self.phase() != Phase::Suspended {
            return;
        }
        let Some(state) = self.complete_state(env) else {
            return impossible!("an override in force has a state");
        };
        out.push(Output::Send(state_update(&state)));
        self.overridden_here = true;
        if let Some(fault) = &self.own_error {
            // What we found since then stands. The host must know both.
            let error = self.error_message(fault.data());
            out.push(error);
            return;
        }
        self.peer_error = None;
        self.highest = (0, 0);
        self.changed = true;
        if self.own.is_empty() && self.resize_proposal.is_none() {
            self.become_active(out);
        } else {
            self.reconnect("the host may not have our acceptance of its override", out);
        }
    }

    /// As host: the client's signature over the state we proposed.
    pub(crate) fn on_override_accepted(&mut self, update: StateUpdate, out: &mut Vec<Output>) {
        let Some(proposal) = self.override_proposal.filter(|_| self.role == Role::Host) else {
            return;
        };
        let base = self.override_base();
        let Some(mut state) = base.and_then(|base| overriding_state(&base, &proposal)) else {
            return;
        };
        state.remote_sig_of_local = update.local_sig_of_remote;
        let refusal = if update.block_day != proposal.block_day {
            "Override blockday is not acceptable"
        } else if update.remote_updates != proposal.local_updates {
            "Override remote update number is wrong"
        } else if update.local_updates != proposal.remote_updates {
            "Override local update number is wrong"
        } else if !self.is_signed_by_peer(&state) {
            "Override signature is wrong"
        } else {
            return self.enter_override(state, out);
        };
        let data = refusal.as_bytes().to_vec();
        let error = WireError { channel_id: self.channel_id, data, tlvs: Vec::new() };
        out.push(Output::Send(Message::Error(error)));
    }

    /// As host: the state we proposed, if `theirs` is that.
    pub(crate) fn proposed_override(
        &self,
        theirs: &LastCrossSignedState,
    ) -> Option<LastCrossSignedState> {
        let proposal = self.override_proposal.filter(|_| self.role == Role::Host)?;
        let state = overriding_state(&self.override_base()?, &proposal)?;
        same_content(&state, theirs).then_some(state)
    }

    /// As host: what a proposal builds on. A resize we have heard of counts as agreed, because
    /// the client may hold our signature on it.
    fn override_base(&self) -> Option<LastCrossSignedState> {
        self.resized_base().or_else(|| self.signed.clone())
    }

    /// The fresh state replaces everything; HTLCs it leaves out are dead.
    pub(crate) fn enter_override(&mut self, state: LastCrossSignedState, out: &mut Vec<Output>) {
        let cause = DropCause::Override;
        let dropped = self
            .own_htlcs()
            .map(|htlc| htlc.id)
            .filter(|id| !self.outcomes.contains_key(id))
            .map(|id| Output::HtlcDropped { id, cause });
        out.extend(dropped);
        let payment_hashes: Vec<PaymentHash> = self
            .incoming_htlcs()
            .filter(|htlc| matches!(htlc.settlement, Some(IncomingSettlement::Fulfill(_))))
            .map(|htlc| htlc.htlc.payment_hash)
            .collect();
        if !payment_hashes.is_empty() {
            out.push(Output::ClaimsDropped { payment_hashes });
        }
        let pointless = std::mem::take(&mut self.waiting_settlements);
        out.extend(pointless.into_keys().map(|id| Output::SettlementRecorded { id }));

        let new_capacity_msat = state.init_hosted_channel.channel_capacity_msat;
        let before = self.signed.replace(state);
        if before.is_some_and(|b| b.init_hosted_channel.channel_capacity_msat != new_capacity_msat)
        {
            out.push(Output::Resized { new_capacity_msat });
        }
        self.own.clear();
        self.peer.clear();
        self.outcomes.clear();
        self.held.clear();
        self.own_error = None;
        self.peer_error = None;
        self.highest = (0, 0);
        self.override_proposal = None;
        self.overridden_here = true;
        self.resize_proposal = None;
        self.at_risk.clear();
        self.bad_signatures = 0;
        self.answer_due_ms = None;
        self.last_sent = None;
        self.sign_owed = false;
        self.changed = true;
        out.push(Output::Overridden);
        self.become_active(out);
    }
}

/// The proposed state from the side that holds `base`, with the host's signature where it belongs.
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
