//! From `invoke_hosted_channel` to the first signed state (protocol.md section 3.2), and taking
//! over a state that only the peer still has (section 3.11).

use std::collections::BTreeSet;

use bitcoin::{Script, WitnessVersion};
use steward_wire::{
    ChannelUpdate, ErrorCode, InitHostedChannel, InvokeHostedChannel, LastCrossSignedState,
    Message, Signature, StateUpdate, UpdateAddHtlc, WireError, invariant,
};

use crate::channel::{Channel, Link};
use crate::commit::{block_day, is_day_acceptable, state_update};
use crate::direction::{Memory, doubts};
use crate::errors::Fault;
use crate::io::{Env, Output, Phase, Role};
use crate::limits::{
    ANSWER_TIMEOUT_MS, MAX_INIT_FEATURES, MAX_OFFERED_HTLC_MINIMUM_MSAT, MAX_POLICY_EXCESS_BYTES,
    MAX_REFUND_SCRIPT_BYTES, MAX_STATE_BYTES, MIN_OFFERED_IN_FLIGHT_MSAT, OPENING_TIMEOUT_MS,
    REPEAT_INVOKE_MS,
};

/// What a channel opens with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    Host { offer: InitHostedChannel },
    Client { refund_scriptpubkey: Vec<u8>, secret: Vec<u8> },
}

/// How far an opening got on this connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Idle,
    /// As client: waits for the terms, or for a state from before we lost ours.
    Invoked,
    /// As host: waits for the client's signature.
    Offered {
        refund_scriptpubkey: Vec<u8>,
    },
    /// As client: waits for the host's signature over this state.
    Accepted {
        state: Box<LastCrossSignedState>,
    },
}

impl Channel {
    /// As client: asks the host for the channel, or to go on with it.
    pub(crate) fn invoke(&mut self, env: &Env<'_>, out: &mut Vec<Output>) {
        self.stage = Stage::Invoked;
        self.expect_answer(env);
        self.send_invoke(env, out);
    }

    /// A host may lose what comes in its first moments: eclair listens before its plugin does.
    pub(crate) fn repeat_invoke(&mut self, env: &Env<'_>, out: &mut Vec<Output>) {
        if self.repeat_invoke_ms.is_some_and(|due_ms| env.now_ms >= due_ms) {
            self.send_invoke(env, out);
        }
    }

    fn send_invoke(&mut self, env: &Env<'_>, out: &mut Vec<Output>) {
        let (refund_scriptpubkey, secret) = match (&self.signed, &self.opening) {
            (Some(signed), _) => (signed.last_refund_scriptpubkey.clone(), Vec::new()),
            (None, Some(Opening::Client { refund_scriptpubkey, secret })) => {
                (refund_scriptpubkey.clone(), secret.clone())
            }
            // Only a client invokes.
            (None, _) => return,
        };
        self.repeat_invoke_ms = Some(env.now_ms.saturating_add(REPEAT_INVOKE_MS));
        let chain_hash = *env.chain_hash;
        let invoke = InvokeHostedChannel { chain_hash, refund_scriptpubkey, secret };
        out.push(Output::Send(Message::InvokeHostedChannel(invoke)));
    }

    /// As host: a client opens or resumes.
    pub(crate) fn on_invoke(
        &mut self,
        invoke: InvokeHostedChannel,
        env: &Env<'_>,
        out: &mut Vec<Output>,
    ) {
        if self.role != Role::Host {
            return;
        }
        match &self.opening {
            None => self.resume_with_client(env, out),
            Some(Opening::Client { .. }) => {}
            Some(Opening::Host { offer }) => {
                if invoke.chain_hash != *env.chain_hash {
                    return self.refuse_opening(Fault::text("invalid chain hash"), out);
                }
                if !is_standard_refund_script(&invoke.refund_scriptpubkey) {
                    return self.refuse_opening(Fault::text("invalid refund script"), out);
                }
                out.push(Output::Send(Message::InitHostedChannel(offer.clone())));
                self.stage = Stage::Offered { refund_scriptpubkey: invoke.refund_scriptpubkey };
                self.answer_due_ms = Some(env.now_ms.saturating_add(OPENING_TIMEOUT_MS));
            }
        }
    }

    /// As client: the host's terms, or the sign that it has lost our channel.
    pub(crate) fn on_init(
        &mut self,
        init: InitHostedChannel,
        env: &Env<'_>,
        out: &mut Vec<Output>,
    ) {
        if self.role != Role::Client {
            return;
        }
        let Some(Opening::Client { refund_scriptpubkey, .. }) = &self.opening else {
            if self.phase() == Phase::Syncing {
                self.expect_answer(env);
                self.send_signed_state(env, out);
            }
            return;
        };
        if self.stage != Stage::Invoked {
            return;
        }
        if let Err(why) = check_offer(&init) {
            return self.refuse_opening(Fault::text(why), out);
        }
        let mut state = LastCrossSignedState {
            is_host: false,
            last_refund_scriptpubkey: refund_scriptpubkey.clone(),
            block_day: block_day(env),
            local_balance_msat: init.initial_client_balance_msat,
            remote_balance_msat: init
                .channel_capacity_msat
                .saturating_sub(init.initial_client_balance_msat),
            init_hosted_channel: init,
            local_updates: 0,
            remote_updates: 0,
            incoming_htlcs: Vec::new(),
            outgoing_htlcs: Vec::new(),
            remote_sig_of_local: Signature::ZERO,
            local_sig_of_remote: Signature::ZERO,
        };
        invariant!(state.is_balanced(), "what we sign adds up to the capacity");
        state.local_sig_of_remote = state.sign_remote(env.key);
        out.push(Output::Send(state_update(&state)));
        self.expect_answer(env);
        self.stage = Stage::Accepted { state: Box::new(state) };
    }

    /// The peer's signature over the first state.
    pub(crate) fn on_opening_update(
        &mut self,
        update: StateUpdate,
        env: &Env<'_>,
        out: &mut Vec<Output>,
    ) {
        let stage = std::mem::replace(&mut self.stage, Stage::Idle);
        let mut state = match (stage, &self.opening) {
            (Stage::Accepted { state }, _) => *state,
            (Stage::Offered { refund_scriptpubkey }, Some(Opening::Host { offer })) => {
                first_host_state(refund_scriptpubkey, offer.clone())
            }
            (stage, _) => {
                self.stage = stage;
                return;
            }
        };
        if !is_day_acceptable(update.block_day, env) {
            return self
                .refuse_opening(Fault::coded(ErrorCode::WrongBlockDay, "wrong block day"), out);
        }
        if (update.local_updates, update.remote_updates) != (0, 0) {
            return self.refuse_opening(Fault::text("wrong update numbers"), out);
        }
        let same_day = state.block_day == update.block_day;
        state.block_day = update.block_day;
        state.remote_sig_of_local = update.local_sig_of_remote;
        if !self.is_signed_by_peer(&state) {
            let fault = Fault::coded(ErrorCode::WrongRemoteSig, "wrong signature");
            return self.refuse_opening(fault, out);
        }
        if self.role == Role::Host || !same_day {
            invariant!(state.is_balanced(), "what we sign adds up to the capacity");
            state.local_sig_of_remote = state.sign_remote(env.key);
        }
        let reply = (self.role == Role::Host).then(|| Output::Send(state_update(&state)));
        self.open_with(state, out);
        out.extend(reply);
        self.become_active(out);
    }

    /// The peer shows a state where we have none: we lost our data, or this is an attack with an
    /// old state. As client we trust the host anyway; as host it takes the operator's leave.
    pub(crate) fn on_state_while_opening(
        &mut self,
        received: LastCrossSignedState,
        env: &Env<'_>,
        out: &mut Vec<Output>,
    ) {
        let allowed = match (&self.stage, &self.opening) {
            (Stage::Invoked, Some(Opening::Client { .. })) => {
                check_offer(&received.init_hosted_channel).is_ok()
            }
            (Stage::Offered { refund_scriptpubkey }, Some(Opening::Host { offer })) => {
                self.allow_adoption
                    && received.last_refund_scriptpubkey == *refund_scriptpubkey
                    && is_within_offer(&received.init_hosted_channel, offer, env)
            }
            _ => return,
        };
        let doubts = self.adoptable(&received, env.is_readable).filter(|_| allowed);
        let Some(doubts) = doubts else { return self.refuse_adoption(received, out) };
        let state = received.reverse();
        let is_held = |add: &UpdateAddHtlc| doubts.contains(&add.id);
        let incoming: Vec<UpdateAddHtlc> =
            state.incoming_htlcs.iter().filter(|add| !is_held(add)).cloned().collect();
        let has_htlcs = !incoming.is_empty() || !state.outgoing_htlcs.is_empty();
        // A first state is only an opening whose last message we missed.
        let is_used = (state.local_updates, state.remote_updates) != (0, 0);
        self.open_with(state, out);
        out.extend(is_used.then_some(Output::DataLost));
        self.hold_doubtful(doubts, out);
        if self.role == Role::Host && has_htlcs {
            // We may have carried them on, and been paid or not: only people can find out.
            let text = "the channel was taken over with HTLCs in flight";
            return self.suspend(Fault::text(text), out);
        }
        let taken_over = is_used;
        let incoming = incoming.into_iter();
        out.extend(incoming.map(|add| Output::HtlcIncoming { add, taken_over }));
        self.resume(env, out);
    }

    /// A state of a channel that we have no record of, not to be taken over.
    fn refuse_adoption(&mut self, received: LastCrossSignedState, out: &mut Vec<Output>) {
        let is_signed_by_us = self.is_signed_by_us(&received.reverse());
        self.keep(
            "the peer shows a state of a channel we have no record of",
            &Message::LastCrossSignedState(received),
            out,
        );
        if self.role == Role::Host && is_signed_by_us {
            // We lost data. An error would be kept by the client for good: some never show their
            // state again after one, and then nobody could ever take the channel up.
            let why = "we signed the state it shows, and have no record of the channel";
            self.reconnect(why, out);
            return self.fail_opening(why.to_owned(), out);
        }
        let fault = Fault::coded(ErrorCode::MissingChannel, "no such channel");
        self.refuse_opening(fault, out);
    }

    /// If the content of the peer's copy of a state may become ours, the HTLCs in it whose
    /// offerer is not proved. It must be ours to hold, with both signatures good, balanced, and
    /// in the form every later state will have.
    pub(crate) fn adoptable(
        &self,
        received: &LastCrossSignedState,
        is_readable: &dyn Fn(&UpdateAddHtlc) -> bool,
    ) -> Option<BTreeSet<u64>> {
        let ours = received.reverse();
        let is_good = ours.is_host == (self.role == Role::Host)
            && ours.is_balanced()
            && ours.encoded_len() <= MAX_STATE_BYTES
            && self.is_signed_by_peer(&ours)
            && self.is_signed_by_us(&ours);
        doubts(&ours, &Memory::default(), is_readable).filter(|_| is_good)
    }

    fn open_with(&mut self, state: LastCrossSignedState, out: &mut Vec<Output>) {
        self.signed = Some(state);
        self.opening = None;
        self.stage = Stage::Idle;
        self.answer_due_ms = None;
        self.changed = true;
        out.push(Output::Opened);
    }

    /// HTLCs can flow.
    pub(crate) fn become_active(&mut self, out: &mut Vec<Output>) {
        self.link = Link::Active;
        self.times_forgotten = 0;
        self.greeted = true;
        out.push(Output::Active);
    }

    pub(crate) fn expect_answer(&mut self, env: &Env<'_>) {
        self.answer_due_ms = Some(env.now_ms.saturating_add(ANSWER_TIMEOUT_MS));
    }

    /// Ends an opening, telling the peer why.
    pub(crate) fn refuse_opening(&mut self, fault: Fault, out: &mut Vec<Output>) {
        let data = fault.data();
        let error = WireError { channel_id: self.channel_id, data, tlvs: Vec::new() };
        out.push(Output::Send(Message::Error(error)));
        self.fail_opening(fault.text, out);
    }

    pub(crate) fn fail_opening(&mut self, why: String, out: &mut Vec<Output>) {
        self.stage = Stage::Idle;
        self.answer_due_ms = None;
        out.push(Output::OpeningFailed(why));
    }

    /// As client: the host's terms for forwarding to us.
    pub(crate) fn on_peer_policy(
        &mut self,
        policy: ChannelUpdate,
        env: &Env<'_>,
        out: &mut Vec<Output>,
    ) {
        // What the host says last counts, whatever its clock says: nobody else can bring us an
        // older one over its connection, and one dated by a clock that was ahead must not stay.
        let is_new =
            self.peer_policy.as_ref().is_none_or(|known| known.timestamp != policy.timestamp);
        let is_ours = self.role == Role::Client
            && self.signed.is_some()
            && policy.short_channel_id == self.scid
            && policy.chain_hash == *env.chain_hash
            && policy.is_from(&self.remote, &self.local)
            && policy.excess.len() <= MAX_POLICY_EXCESS_BYTES;
        if is_new && is_ours && policy.is_signed_by(&self.remote) {
            self.peer_policy = Some(policy.clone());
            self.changed = true;
            out.push(Output::PeerPolicy(policy));
        }
    }
}

fn first_host_state(
    last_refund_scriptpubkey: Vec<u8>,
    offer: InitHostedChannel,
) -> LastCrossSignedState {
    LastCrossSignedState {
        is_host: true,
        last_refund_scriptpubkey,
        block_day: 0,
        local_balance_msat: offer
            .channel_capacity_msat
            .saturating_sub(offer.initial_client_balance_msat),
        remote_balance_msat: offer.initial_client_balance_msat,
        init_hosted_channel: offer,
        local_updates: 0,
        remote_updates: 0,
        incoming_htlcs: Vec::new(),
        outgoing_htlcs: Vec::new(),
        remote_sig_of_local: Signature::ZERO,
        local_sig_of_remote: Signature::ZERO,
    }
}

/// As client: whether the terms make a usable channel, by immortan's measure (section 3.2).
fn check_offer(init: &InitHostedChannel) -> Result<(), &'static str> {
    if init.initial_client_balance_msat > init.channel_capacity_msat {
        return Err("the initial balance exceeds the capacity");
    }
    if init.max_htlc_value_in_flight_msat < MIN_OFFERED_IN_FLIGHT_MSAT {
        return Err("the in-flight limit is too low");
    }
    if init.htlc_minimum_msat > MAX_OFFERED_HTLC_MINIMUM_MSAT {
        return Err("the HTLC minimum is too high");
    }
    if init.max_accepted_htlcs == 0 {
        return Err("no HTLCs are allowed");
    }
    if init.features.len() > MAX_INIT_FEATURES {
        return Err("too many features");
    }
    Ok(())
}

/// As host: whether a state's terms, most of them unsigned, ask for no more than we would offer.
fn is_within_offer(terms: &InitHostedChannel, offer: &InitHostedChannel, env: &Env<'_>) -> bool {
    let max_capacity_msat =
        offer.channel_capacity_msat.max(env.max_capacity_sat.saturating_mul(1000));
    terms.channel_capacity_msat <= max_capacity_msat
        && terms.max_htlc_value_in_flight_msat <= max_capacity_msat
        && terms.htlc_minimum_msat >= offer.htlc_minimum_msat
        && terms.max_accepted_htlcs <= offer.max_accepted_htlcs
        && terms.features.iter().all(|feature| offer.features.contains(feature))
        && terms.features.len() <= MAX_INIT_FEATURES
}

/// P2PKH, P2SH or any witness program (protocol.md section 9.2, 37).
fn is_standard_refund_script(script: &[u8]) -> bool {
    if script.len() > MAX_REFUND_SCRIPT_BYTES {
        return false;
    }
    let script = Script::from_bytes(script);
    match script.witness_version() {
        Some(WitnessVersion::V0) => script.is_p2wpkh() || script.is_p2wsh(),
        Some(_) => script.is_witness_program(),
        None => script.is_p2pkh() || script.is_p2sh(),
    }
}
