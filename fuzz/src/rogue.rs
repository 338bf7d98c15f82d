//! A peer with a key and no scruples: it follows a conversation, knows which message would be right
//! next, and sends that or another one.

use bitcoin::secp256k1::SecretKey;
use steward_hosted::{Channel, Role};
use steward_wire::{
    AskBrandingInfo, InitHostedChannel, InvokeHostedChannel, LastCrossSignedState, Message, Onion,
    ResizeChannel, Signature, StateOverride, StateUpdate, UpdateAddHtlc, UpdateFailHtlc,
    UpdateFailMalformedHtlc, UpdateFulfillHtlc, WireError,
};

use crate::bytes::Bytes;
use steward_testkit::hosted::{CAPACITY_MSAT, offer, preimage, refund_script};

/// The number of preimages of the rogue's HTLCs, and of the victim's if the harness says so: seeds
/// 0 to 3.
pub(crate) const PREIMAGES: u64 = 4;

pub(crate) struct Rogue {
    key: SecretKey,
    chain_hash: [u8; 32],
    /// The updates of the victim and of ours since its last signed state, oldest first.
    own: Vec<Message>,
    theirs: Vec<Message>,
    /// The terms proposed before there is a state.
    terms: InitHostedChannel,
    /// The capacity of the last request, in millisatoshi.
    resize: Option<u64>,
    /// The last proposed override.
    proposal: Option<StateOverride>,
}

impl Rogue {
    pub(crate) fn new(key: SecretKey, chain_hash: [u8; 32], terms: InitHostedChannel) -> Self {
        let (own, theirs) = (Vec::new(), Vec::new());
        Self { key, chain_hash, own, theirs, terms, resize: None, proposal: None }
    }

    /// Takes note of a message of the victim.
    pub(crate) fn heard(&mut self, message: &Message) {
        match message {
            Message::InitHostedChannel(terms) => self.terms = terms.clone(),
            Message::ResizeChannel(resize) => self.resize = resize.new_capacity_msat(),
            Message::StateOverride(proposal) => self.proposal = Some(*proposal),
            message if is_update(message) => self.own.push(message.clone()),
            _ => {}
        }
    }

    /// Takes note of a message to the victim, from us or from the honest peer in whose place we
    /// speak.
    pub(crate) fn said(&mut self, message: &Message) {
        if is_update(message) {
            self.theirs.push(message.clone());
        }
    }

    /// Takes note of the end of a connection: its unsigned updates are sent again or never.
    pub(crate) fn disconnected(&mut self) {
        self.own.clear();
        self.theirs.clear();
    }

    /// Drops the updates that are in the victim's signed state by now.
    pub(crate) fn forget_signed(&mut self, victim: &Channel) {
        let Some(state) = victim.state() else { return };
        let reversed = state.reverse();
        self.own.retain(|message| !is_in(message, state));
        self.theirs.retain(|message| !is_in(message, &reversed));
    }

    /// Makes any message but a signature or a state: an update, or a message that accompanies
    /// updates.
    pub(crate) fn update(&self, victim: &Channel, height: u32, input: &mut Bytes<'_>) -> Message {
        let kind = input.u8();
        if kind < 128 { self.add(victim, height, kind, input) } else { settle(victim, kind, input) }
    }

    fn add(&self, victim: &Channel, height: u32, kind: u8, input: &mut Bytes<'_>) -> Message {
        let signed = victim.state().map_or(0, |state| u64::from(state.remote_updates));
        let next_id = signed + self.theirs.len() as u64 + 1;
        let twist = kind & 15;
        Message::UpdateAddHtlc(UpdateAddHtlc {
            channel_id: victim.channel_id(),
            id: if twist == 1 { input.number() } else { next_id },
            amount_msat: match twist {
                2 => input.number(),
                _ => 1_000 + u64::from(input.u16()) * 61_000,
            },
            payment_hash: preimage(u64::from(input.u8()) % PREIMAGES).hash(),
            cltv_expiry: if twist == 3 { input.u32() } else { height + 1_000 },
            onion: Onion([0; 1366].into()),
            tlvs: if twist == 4 { input.short().to_vec() } else { Vec::new() },
        })
    }

    /// Makes a `state_update`, well signed, over the right state or over another one.
    pub(crate) fn state_update(
        &self,
        victim: &Channel,
        height: u32,
        input: &mut Bytes<'_>,
    ) -> Option<Message> {
        let twist = input.u8();
        let mut state = self.next_state(victim, twist & 1 == 0)?;
        state.block_day = height / 144;
        if let Some(proposal) = self.proposal.filter(|_| twist & 0x40 != 0) {
            state = overridden(&state, &proposal);
        }
        let twist = twist >> 1 & 15;
        match twist {
            1 => state.block_day = state.block_day.wrapping_add(u32::from(input.u8())),
            2 => state.local_updates = state.local_updates.wrapping_sub(1),
            3 => state.remote_updates = state.remote_updates.wrapping_add(u32::from(input.u8())),
            4 => state.remote_balance_msat = state.remote_balance_msat.wrapping_add(input.number()),
            5 => drop(state.incoming_htlcs.pop()),
            6 => drop(state.outgoing_htlcs.pop()),
            7 => state.is_host = !state.is_host,
            _ => {}
        }
        let mut update = StateUpdate {
            block_day: state.block_day,
            local_updates: state.remote_updates,
            remote_updates: state.local_updates,
            local_sig_of_remote: state.reverse().sign_remote(&self.key),
        };
        match twist {
            8 => update.local_updates = u32::MAX - u32::from(input.u8()),
            9 => update.local_sig_of_remote = Signature([input.u8(); 64]),
            10 => update.block_day = input.u32(),
            _ => {}
        }
        Some(Message::StateUpdate(update))
    }

    /// Makes a state for the reestablishment after a connection, mostly the victim's own.
    pub(crate) fn state(
        &self,
        victim: &Channel,
        victim_key: &SecretKey,
        input: &mut Bytes<'_>,
    ) -> Option<Message> {
        let twist = input.u8();
        let state = match twist & 3 {
            0 => self.next_state(victim, true),
            _ => victim.export(victim_key),
        };
        let mut state = state?.reverse();
        match twist >> 2 & 15 {
            1 => state.local_updates = state.local_updates.wrapping_add(u32::from(input.u8())),
            2 => state.remote_updates = state.remote_updates.wrapping_sub(u32::from(input.u8())),
            3 => state.local_balance_msat = input.number(),
            4 => state.is_host = !state.is_host,
            5 => state.init_hosted_channel.channel_capacity_msat = input.number(),
            6 => state.last_refund_scriptpubkey = input.short().to_vec(),
            7 => state.incoming_htlcs.truncate(1),
            8 => state.outgoing_htlcs.reverse(),
            9 => state.init_hosted_channel.features = vec![1; usize::from(input.u16())],
            10 => state.block_day = input.u32(),
            _ => {}
        }
        if twist & 0x40 != 0 {
            state.local_sig_of_remote = state.sign_remote(&self.key);
        }
        Some(Message::LastCrossSignedState(state))
    }

    /// Makes any message that is neither an update nor a state.
    pub(crate) fn control(
        &mut self,
        victim: &Channel,
        height: u32,
        input: &mut Bytes<'_>,
    ) -> Message {
        match input.below(6) {
            0 => {
                let (channel_id, data) = (victim.channel_id(), input.short().to_vec());
                Message::Error(WireError { channel_id, data, tlvs: Vec::new() })
            }
            1 => {
                let capacity_sat = victim.summary().capacity_msat / 1000;
                let base_sat = if input.flag() { capacity_sat } else { 0 };
                let resize =
                    ResizeChannel::signed(base_sat.wrapping_add(input.number()), &self.key);
                self.resize = resize.new_capacity_msat();
                Message::ResizeChannel(resize)
            }
            2..=3 => Message::StateOverride(self.override_proposal(victim, height, input)),
            4 => {
                self.terms = offer();
                match input.below(6) {
                    0 => self.terms.channel_capacity_msat = input.number(),
                    1 => self.terms.initial_client_balance_msat = input.number(),
                    2 => self.terms.max_htlc_value_in_flight_msat = input.number(),
                    3 => self.terms.htlc_minimum_msat = input.number(),
                    4 => self.terms.max_accepted_htlcs = input.u16(),
                    _ => self.terms.features = vec![input.u16(); input.below(70)],
                }
                Message::InitHostedChannel(self.terms.clone())
            }
            _ => Message::AskBrandingInfo(AskBrandingInfo { chain_hash: self.chain_hash }),
        }
    }

    /// Makes an override as a host would sign it, or almost.
    fn override_proposal(
        &self,
        victim: &Channel,
        height: u32,
        input: &mut Bytes<'_>,
    ) -> StateOverride {
        let base = self.next_state(victim, true).unwrap_or_else(|| self.opening_state(victim));
        let twist = input.u8();
        let mut proposal = StateOverride {
            block_day: height / 144,
            local_balance_msat: CAPACITY_MSAT / 256 * u64::from(input.u8()),
            local_updates: base.remote_updates.wrapping_add(u32::from(twist & 3)),
            remote_updates: base.local_updates.wrapping_add(u32::from(twist >> 2 & 3)),
            local_sig_of_remote: Signature::ZERO,
        };
        if twist & 0x30 == 0x30 {
            proposal.local_balance_msat = input.number();
        }
        let state = overridden(&base, &proposal);
        proposal.local_sig_of_remote = state.reverse().sign_remote(&self.key);
        proposal
    }

    pub(crate) fn invoke(&self, input: &mut Bytes<'_>) -> Message {
        let is_right = input.u8() < 192;
        Message::InvokeHostedChannel(InvokeHostedChannel {
            chain_hash: if is_right { self.chain_hash } else { [input.u8(); 32] },
            refund_scriptpubkey: if is_right { refund_script() } else { input.short().to_vec() },
            secret: Vec::new(),
        })
    }

    /// Returns the state that the victim would sign next if it believed all our messages, in its
    /// view.
    fn next_state(&self, victim: &Channel, take_resize: bool) -> Option<LastCrossSignedState> {
        let mut state = victim.state().cloned().unwrap_or_else(|| self.opening_state(victim));
        if take_resize && let Some(capacity_msat) = self.resize {
            let terms = &mut state.init_hosted_channel;
            let grown_msat = capacity_msat.checked_sub(terms.channel_capacity_msat)?;
            terms.channel_capacity_msat = capacity_msat;
            let host_msat = match victim.role() {
                Role::Host => &mut state.local_balance_msat,
                Role::Client => &mut state.remote_balance_msat,
            };
            *host_msat = host_msat.checked_add(grown_msat)?;
        }
        apply(&mut state, &self.own)?;
        state = state.reverse();
        apply(&mut state, &self.theirs)?;
        state = state.reverse();
        state.sort_htlcs();
        Some(state)
    }

    fn opening_state(&self, victim: &Channel) -> LastCrossSignedState {
        let terms = self.terms.clone();
        let client_msat = terms.initial_client_balance_msat;
        let host_msat = terms.channel_capacity_msat.saturating_sub(client_msat);
        let state = LastCrossSignedState {
            is_host: true,
            last_refund_scriptpubkey: refund_script(),
            init_hosted_channel: terms,
            block_day: 0,
            local_balance_msat: host_msat,
            remote_balance_msat: client_msat,
            local_updates: 0,
            remote_updates: 0,
            incoming_htlcs: Vec::new(),
            outgoing_htlcs: Vec::new(),
            remote_sig_of_local: Signature::ZERO,
            local_sig_of_remote: Signature::ZERO,
        };
        if victim.role() == Role::Host { state } else { state.reverse() }
    }
}

/// Makes a message from any bytes that are one.
pub(crate) fn raw_message(input: &mut Bytes<'_>) -> Option<Message> {
    let message_type = 65_535 - 2 * u16::from(input.u8());
    Message::decode(message_type, input.long()).ok()
}

fn settle(victim: &Channel, kind: u8, input: &mut Bytes<'_>) -> Message {
    let channel_id = victim.channel_id();
    let owed = victim.outgoing_htlcs().nth(usize::from(kind & 3)).map(|own| own.htlc.clone());
    let known = owed.filter(|_| kind & 0x40 == 0);
    let id = known.as_ref().map_or_else(|| input.number(), |htlc| htlc.id);
    let tlvs = if kind & 0x20 != 0 { input.short().to_vec() } else { Vec::new() };
    match kind >> 2 & 7 {
        0..=3 => {
            let guess = u64::from(input.u8()) % (PREIMAGES + 1);
            let is_right = |seed: &u64| {
                known.as_ref().is_some_and(|h| h.payment_hash == preimage(*seed).hash())
            };
            let right = (0..PREIMAGES).find(is_right).filter(|_| guess < PREIMAGES);
            let preimage = preimage(right.unwrap_or(guess));
            Message::UpdateFulfillHtlc(UpdateFulfillHtlc { channel_id, id, preimage, tlvs })
        }
        4..=5 => {
            let reason = vec![0; usize::from(input.u16())];
            Message::UpdateFailHtlc(UpdateFailHtlc { channel_id, id, reason, tlvs })
        }
        _ => Message::UpdateFailMalformedHtlc(UpdateFailMalformedHtlc {
            channel_id,
            id,
            sha256_of_onion: [0; 32],
            failure_code: input.u16(),
            tlvs,
        }),
    }
}

fn is_update(message: &Message) -> bool {
    matches!(message, Message::UpdateAddHtlc(_)) || settled_id(message).is_some()
}

fn settled_id(message: &Message) -> Option<u64> {
    match message {
        Message::UpdateFulfillHtlc(fulfill) => Some(fulfill.id),
        Message::UpdateFailHtlc(fail) => Some(fail.id),
        Message::UpdateFailMalformedHtlc(fail) => Some(fail.id),
        _ => None,
    }
}

/// Returns true if the update, of the state's holder, is part of the state already.
fn is_in(message: &Message, state: &LastCrossSignedState) -> bool {
    match message {
        Message::UpdateAddHtlc(add) => add.id <= u64::from(state.local_updates),
        message => settled_id(message)
            .is_some_and(|id| !state.incoming_htlcs.iter().any(|htlc| htlc.id == id)),
    }
}

/// Applies updates of the state's holder to it, adds first. Returns `None` if they do not fit.
fn apply(state: &mut LastCrossSignedState, updates: &[Message]) -> Option<()> {
    for message in updates {
        state.local_updates = state.local_updates.checked_add(1)?;
        if let Message::UpdateAddHtlc(add) = message {
            state.local_balance_msat = state.local_balance_msat.checked_sub(add.amount_msat)?;
            state.outgoing_htlcs.push(add.clone());
        }
    }
    for message in updates {
        let Some(id) = settled_id(message) else { continue };
        let at = state.incoming_htlcs.iter().position(|htlc| htlc.id == id)?;
        let amount_msat = state.incoming_htlcs.remove(at).amount_msat;
        let balance_msat = match message {
            Message::UpdateFulfillHtlc(_) => &mut state.local_balance_msat,
            _ => &mut state.remote_balance_msat,
        };
        *balance_msat = balance_msat.checked_add(amount_msat)?;
    }
    Some(())
}

/// Returns the state that `proposal`, of a host, describes, in the view of `base`'s holder.
fn overridden(base: &LastCrossSignedState, proposal: &StateOverride) -> LastCrossSignedState {
    let capacity_msat = base.init_hosted_channel.channel_capacity_msat;
    let mut state = if base.is_host { base.clone() } else { base.reverse() };
    state.block_day = proposal.block_day;
    state.local_balance_msat = proposal.local_balance_msat;
    state.remote_balance_msat = capacity_msat.saturating_sub(proposal.local_balance_msat);
    state.local_updates = proposal.local_updates;
    state.remote_updates = proposal.remote_updates;
    state.incoming_htlcs.clear();
    state.outgoing_htlcs.clear();
    if base.is_host { state } else { state.reverse() }
}
