//! The state both sides sign next: the last signed one plus unsigned updates of both
//! (docs/protocol.md sections 2.6 and 3.1). Arithmetic only; no rules about who may do what.

use std::collections::BTreeMap;

use steward_wire::{
    LastCrossSignedState, Message, Signature, UpdateAddHtlc, UpdateFailHtlc,
    UpdateFailMalformedHtlc, UpdateFulfillHtlc,
};

use crate::limits::{ADD_BYTES, MAX_FAIL_REASON_BYTES, MAX_SETTLEMENT_TLV_BYTES, MAX_UPDATES};

/// One counted change of the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Update {
    Add(UpdateAddHtlc),
    Fulfill(UpdateFulfillHtlc),
    Fail(UpdateFailHtlc),
    Malformed(UpdateFailMalformedHtlc),
}

impl Update {
    /// The id of the HTLC this settles.
    pub(crate) fn settled_id(&self) -> Option<u64> {
        match self {
            Self::Add(_) => None,
            Self::Fulfill(fulfill) => Some(fulfill.id),
            Self::Fail(fail) => Some(fail.id),
            Self::Malformed(fail) => Some(fail.id),
        }
    }

    pub(crate) fn as_add(&self) -> Option<&UpdateAddHtlc> {
        match self {
            Self::Add(add) => Some(add),
            _ => None,
        }
    }

    pub(crate) fn is_fulfill(&self) -> bool {
        matches!(self, Self::Fulfill(_))
    }

    pub(crate) fn to_message(&self) -> Message {
        match self.clone() {
            Self::Add(add) => Message::UpdateAddHtlc(add),
            Self::Fulfill(fulfill) => Message::UpdateFulfillHtlc(fulfill),
            Self::Fail(fail) => Message::UpdateFailHtlc(fail),
            Self::Malformed(fail) => Message::UpdateFailMalformedHtlc(fail),
        }
    }

    pub(crate) fn from_message(message: Message) -> Option<Self> {
        match message {
            Message::UpdateAddHtlc(add) => Some(Self::Add(add)),
            Message::UpdateFulfillHtlc(fulfill) => Some(Self::Fulfill(fulfill)),
            Message::UpdateFailHtlc(fail) => Some(Self::Fail(fail)),
            Message::UpdateFailMalformedHtlc(fail) => Some(Self::Malformed(fail)),
            _ => None,
        }
    }
}

/// Balances and HTLCs after some updates, without copying any HTLC.
pub(crate) struct Ledger<'a> {
    /// Negative if our adds spend more than there is.
    pub(crate) local_msat: i128,
    /// Negative if the peer's adds spend more than there is.
    pub(crate) remote_msat: i128,
    /// Offered by the peer, by id.
    pub(crate) incoming: BTreeMap<u64, &'a UpdateAddHtlc>,
    /// Offered by us, by id.
    pub(crate) outgoing: BTreeMap<u64, &'a UpdateAddHtlc>,
}

impl<'a> Ledger<'a> {
    /// Applies the adds of both sides, then their settlements. `None` if an id is used twice or
    /// a settlement names no HTLC.
    pub(crate) fn new(
        signed: &'a LastCrossSignedState,
        local: &'a [Update],
        remote: &'a [Update],
    ) -> Option<Self> {
        let mut ledger = Self {
            local_msat: i128::from(signed.local_balance_msat),
            remote_msat: i128::from(signed.remote_balance_msat),
            incoming: BTreeMap::new(),
            outgoing: BTreeMap::new(),
        };
        for add in &signed.incoming_htlcs {
            insert(&mut ledger.incoming, add)?;
        }
        for add in &signed.outgoing_htlcs {
            insert(&mut ledger.outgoing, add)?;
        }
        for add in local.iter().filter_map(Update::as_add) {
            ledger.local_msat -= i128::from(add.amount_msat);
            insert(&mut ledger.outgoing, add)?;
        }
        for add in remote.iter().filter_map(Update::as_add) {
            ledger.remote_msat -= i128::from(add.amount_msat);
            insert(&mut ledger.incoming, add)?;
        }
        for update in local {
            let Some(id) = update.settled_id() else { continue };
            let amount_msat = i128::from(ledger.incoming.remove(&id)?.amount_msat);
            let to =
                if update.is_fulfill() { &mut ledger.local_msat } else { &mut ledger.remote_msat };
            *to += amount_msat;
        }
        for update in remote {
            let Some(id) = update.settled_id() else { continue };
            let amount_msat = i128::from(ledger.outgoing.remove(&id)?.amount_msat);
            let to =
                if update.is_fulfill() { &mut ledger.remote_msat } else { &mut ledger.local_msat };
            *to += amount_msat;
        }
        Some(ledger)
    }
}

fn insert<'a>(htlcs: &mut BTreeMap<u64, &'a UpdateAddHtlc>, add: &'a UpdateAddHtlc) -> Option<()> {
    htlcs.insert(add.id, add).is_none().then_some(())
}

/// Sum of the HTLCs' amounts, in millisatoshi.
pub(crate) fn in_flight_msat(htlcs: &BTreeMap<u64, &UpdateAddHtlc>) -> i128 {
    htlcs.values().map(|add| i128::from(add.amount_msat)).sum()
}

/// What the HTLCs take in an encoded state.
pub(crate) fn htlc_bytes(htlcs: &BTreeMap<u64, &UpdateAddHtlc>) -> usize {
    htlcs.values().map(|add| ADD_BYTES.saturating_add(add.tlvs.len())).sum()
}

/// `signed` plus the updates, unsigned, HTLCs by ascending id. `None` if the updates do not fit
/// it: a balance would go below zero, a counter above its limit, a settlement names no HTLC.
pub(crate) fn next_state(
    signed: &LastCrossSignedState,
    local: &[Update],
    remote: &[Update],
    block_day: u32,
) -> Option<LastCrossSignedState> {
    let ledger = Ledger::new(signed, local, remote)?;
    Some(LastCrossSignedState {
        is_host: signed.is_host,
        last_refund_scriptpubkey: signed.last_refund_scriptpubkey.clone(),
        init_hosted_channel: signed.init_hosted_channel.clone(),
        block_day,
        local_balance_msat: u64::try_from(ledger.local_msat).ok()?,
        remote_balance_msat: u64::try_from(ledger.remote_msat).ok()?,
        local_updates: counter_after(signed.local_updates, local.len())?,
        remote_updates: counter_after(signed.remote_updates, remote.len())?,
        incoming_htlcs: ledger.incoming.into_values().cloned().collect(),
        outgoing_htlcs: ledger.outgoing.into_values().cloned().collect(),
        remote_sig_of_local: Signature::ZERO,
        local_sig_of_remote: Signature::ZERO,
    })
}

/// A counter after `updates` more. `None` beyond [`MAX_UPDATES`].
pub(crate) fn counter_after(counter: u32, updates: usize) -> Option<u32> {
    let after = counter.checked_add(u32::try_from(updates).ok()?)?;
    (after <= MAX_UPDATES).then_some(after)
}

/// The state with a larger capacity: the host's balance grows by the difference
/// (docs/protocol.md section 3.8). `None` if it would shrink.
pub(crate) fn resized(
    mut state: LastCrossSignedState,
    new_capacity_msat: u64,
) -> Option<LastCrossSignedState> {
    let grown = new_capacity_msat.checked_sub(state.init_hosted_channel.channel_capacity_msat)?;
    if grown == 0 {
        return Some(state); // No resize: its limits stay as well.
    }
    state.init_hosted_channel.channel_capacity_msat = new_capacity_msat;
    state.init_hosted_channel.max_htlc_value_in_flight_msat = new_capacity_msat;
    let host_balance_msat =
        if state.is_host { &mut state.local_balance_msat } else { &mut state.remote_balance_msat };
    *host_balance_msat = host_balance_msat.checked_add(grown)?;
    Some(state)
}

/// True if everything that is signed is the same but for the block day. Two honest nodes may sign
/// the same state on either side of a day's end. By content, list by list: the hash does not say
/// in which list an HTLC stands.
pub(crate) fn same_but_day(a: &LastCrossSignedState, b: &LastCrossSignedState) -> bool {
    let (terms, others) = (&a.init_hosted_channel, &b.init_hosted_channel);
    a.is_host == b.is_host
        && a.last_refund_scriptpubkey == b.last_refund_scriptpubkey
        && terms.channel_capacity_msat == others.channel_capacity_msat
        && terms.initial_client_balance_msat == others.initial_client_balance_msat
        && a.local_balance_msat == b.local_balance_msat
        && a.remote_balance_msat == b.remote_balance_msat
        && a.local_updates == b.local_updates
        && a.remote_updates == b.remote_updates
        && a.incoming_htlcs == b.incoming_htlcs
        && a.outgoing_htlcs == b.outgoing_htlcs
}

/// True if everything that is signed is the same.
pub(crate) fn same_content(a: &LastCrossSignedState, b: &LastCrossSignedState) -> bool {
    a.block_day == b.block_day && same_but_day(a, b)
}

/// Our own copy of a state with the signatures of the peer's copy, which has the same content. A
/// peer's copy itself never becomes ours.
pub(crate) fn with_signatures_of(
    mut ours: LastCrossSignedState,
    theirs: &LastCrossSignedState,
) -> LastCrossSignedState {
    debug_assert!(same_content(&ours, theirs));
    ours.remote_sig_of_local = theirs.remote_sig_of_local;
    ours.local_sig_of_remote = theirs.local_sig_of_remote;
    ours
}

/// A failure's content within our limits. It is not part of the signed state, and whoever wrote
/// it is far away: cutting it harms nobody but them.
pub(crate) fn bounded_failure(mut reason: Vec<u8>, tlvs: Vec<u8>) -> (Vec<u8>, Vec<u8>) {
    reason.truncate(MAX_FAIL_REASON_BYTES);
    (reason, bounded_tlvs(tlvs))
}

/// The TLV stream of a settlement, if it is within our limit.
pub(crate) fn bounded_tlvs(tlvs: Vec<u8>) -> Vec<u8> {
    if tlvs.len() > MAX_SETTLEMENT_TLV_BYTES { Vec::new() } else { tlvs }
}
