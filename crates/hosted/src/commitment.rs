//! What both sides have signed and the updates that are not signed yet, as one value. A step
//! either refuses and changes nothing, or leaves a commitment that can be signed.

use std::collections::{BTreeMap, BTreeSet};

use steward_wire::{
    Identity, InitHostedChannel, LastCrossSignedState, Preimage, Signature, UpdateAddHtlc,
    invariant,
};

use crate::next_state::{Ledger, Update, counter_after, next_state};
use crate::signing::sign;

/// The last cross-signed state and what follows it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Commitment {
    /// The last state both signed. Our own signature in it is zero until it is first needed.
    signed: LastCrossSignedState,
    /// Our updates that have an id and are not in `signed`. All of them were sent, and are sent
    /// again after a reconnection, in this order.
    local: Vec<Update>,
    /// The peer's updates that are not in `signed`. Must be durable once we signed them.
    remote: Vec<Update>,
    /// HTLCs of ours whose fate is known and reported before their removal is signed, by id.
    outcomes: BTreeMap<u64, Outcome>,
    /// Incoming HTLCs of `signed` that nobody acts on, by id: that the peer offered them is not
    /// proved.
    held: BTreeSet<u64>,
}

/// What became of an HTLC of ours that is still in the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The peer showed the preimage.
    Fulfilled(Preimage),
    /// The preimage came from elsewhere, such as the chain; the peer may not know it.
    Published(Preimage),
    Expired,
    /// The peer showed a state under both signatures that we do not know, and the HTLC has ended in
    /// it: it was paid or it was not.
    Unknown,
}

impl Outcome {
    pub(crate) fn preimage(self) -> Option<Preimage> {
        match self {
            Self::Fulfilled(preimage) | Self::Published(preimage) => Some(preimage),
            Self::Expired | Self::Unknown => None,
        }
    }
}

/// How far both counters have gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    pub(crate) local: u32,
    pub(crate) remote: u32,
}

impl Counters {
    pub(crate) fn of(state: &LastCrossSignedState) -> Self {
        Self { local: state.local_updates, remote: state.remote_updates }
    }

    /// The higher one, on either side.
    pub(crate) fn max(self, other: Self) -> Self {
        Self { local: self.local.max(other.local), remote: self.remote.max(other.remote) }
    }

    /// True if either side has gone further than in `other`.
    pub(crate) fn exceed(self, other: Self) -> bool {
        self.local > other.local || self.remote > other.remote
    }
}

/// Where an HTLC of ours is when the peer settles it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Unknown,
    /// The peer has settled it already, unsigned yet.
    Settled,
    /// Sent, but not in a signed state.
    Unsigned,
    Signed,
}

/// What a newer state of the peer's brings, compared with what we knew.
pub(crate) struct Difference {
    /// HTLCs of ours that it does not have, and whose fate is not known, by id.
    pub(crate) gone: Vec<u64>,
    /// HTLCs of the peer's that we did not know, and that are not held.
    pub(crate) incoming: Vec<UpdateAddHtlc>,
}

impl Commitment {
    /// A state that both signed, and nothing on top of it.
    pub(crate) fn new(signed: LastCrossSignedState) -> Self {
        invariant!(signed.is_balanced(), "what both signed adds up to the capacity");
        Self::from_record(signed, Vec::new(), Vec::new(), BTreeMap::new(), BTreeSet::new())
    }

    /// What was stored.
    pub(crate) fn from_record(
        signed: LastCrossSignedState,
        local: Vec<Update>,
        remote: Vec<Update>,
        outcomes: BTreeMap<u64, Outcome>,
        held: BTreeSet<u64>,
    ) -> Self {
        Self { signed, local, remote, outcomes, held }
    }

    pub(crate) fn signed(&self) -> &LastCrossSignedState {
        &self.signed
    }

    pub(crate) fn terms(&self) -> &InitHostedChannel {
        &self.signed.init_hosted_channel
    }

    pub(crate) fn capacity_msat(&self) -> u64 {
        self.terms().channel_capacity_msat
    }

    pub(crate) fn local(&self) -> &[Update] {
        &self.local
    }

    pub(crate) fn remote(&self) -> &[Update] {
        &self.remote
    }

    pub(crate) fn outcomes(&self) -> &BTreeMap<u64, Outcome> {
        &self.outcomes
    }

    pub(crate) fn held(&self) -> &BTreeSet<u64> {
        &self.held
    }

    /// True if neither side has an update that is not signed.
    pub(crate) fn is_all_signed(&self) -> bool {
        self.local.is_empty() && self.remote.is_empty()
    }

    /// Counters with the updates that are not signed yet. `None` beyond the largest counter.
    pub(crate) fn next_counters(&self) -> Option<Counters> {
        Some(Counters {
            local: counter_after(self.signed.local_updates, self.local.len())?,
            remote: counter_after(self.signed.remote_updates, self.remote.len())?,
        })
    }

    /// Our counter after one more update: the id of the next HTLC we add.
    pub(crate) fn next_local_update(&self) -> Option<u32> {
        counter_after(self.signed.local_updates, self.local.len().saturating_add(1))
    }

    /// The peer's counter after one more update.
    pub(crate) fn next_remote_update(&self) -> Option<u32> {
        counter_after(self.signed.remote_updates, self.remote.len().saturating_add(1))
    }

    /// Every HTLC of ours that was sent and is not removed by a signed state.
    pub(crate) fn local_htlcs(&self) -> impl Iterator<Item = &UpdateAddHtlc> {
        let unsigned = self.local.iter().filter_map(Update::as_add);
        self.signed.outgoing_htlcs.iter().chain(unsigned)
    }

    /// An HTLC of ours that was sent and is not removed by a signed state.
    pub(crate) fn local_htlc(&self, id: u64) -> Option<&UpdateAddHtlc> {
        self.local_htlcs().find(|add| add.id == id)
    }

    /// A cross-signed HTLC of the peer's.
    pub(crate) fn incoming_htlc(&self, id: u64) -> Option<&UpdateAddHtlc> {
        self.signed.incoming_htlcs.iter().find(|add| add.id == id)
    }

    /// True if an unsigned update of ours settles this incoming HTLC.
    pub(crate) fn is_settled_by_us(&self, id: u64) -> bool {
        self.local.iter().any(|update| update.settled_id() == Some(id))
    }

    /// The preimage in an unsigned fulfill of ours.
    pub(crate) fn shown_preimage(&self, id: u64) -> Option<Preimage> {
        self.local.iter().find_map(|update| match update {
            Update::Fulfill(fulfill) if fulfill.id == id => Some(fulfill.preimage),
            _ => None,
        })
    }

    pub(crate) fn place_of(&self, id: u64) -> Place {
        if self.remote.iter().any(|update| update.settled_id() == Some(id)) {
            return Place::Settled;
        }
        if self.local.iter().filter_map(Update::as_add).any(|add| add.id == id) {
            return Place::Unsigned;
        }
        match self.local_htlc(id) {
            Some(_) => Place::Signed,
            None => Place::Unknown,
        }
    }

    /// What both will sign next. `None` if the updates of the two do not fit each other.
    pub(crate) fn next_ledger(&self) -> Option<Ledger<'_>> {
        Ledger::new(&self.signed, &self.local, &self.remote)
    }

    /// What is certain of it: the peer may forget its own updates, and never repeat them.
    pub(crate) fn certain_ledger(&self) -> Option<Ledger<'_>> {
        Ledger::new(&self.signed, &self.local, &[])
    }

    /// The state that covers every update of both sides, unsigned, on top of `base`: the signed
    /// state, or that with a larger capacity.
    pub(crate) fn next_state(
        &self,
        base: &LastCrossSignedState,
        block_day: u32,
    ) -> Option<LastCrossSignedState> {
        next_state(base, &self.local, &self.remote, block_day)
    }

    /// We sent an update. The caller has checked that it fits.
    pub(crate) fn send(&mut self, update: Update) {
        self.local.push(update);
    }

    /// The peer sent an update. The caller has checked that it may.
    pub(crate) fn receive(&mut self, update: Update) {
        self.remote.push(update);
    }

    /// The peer repeats on each connection what is not signed.
    pub(crate) fn forget_remote(&mut self) {
        self.remote.clear();
    }

    /// Of what the peer sent unsigned only preimages still count once the channel is suspended.
    pub(crate) fn keep_remote_fulfills(&mut self) {
        self.remote.retain(Update::is_fulfill);
    }

    /// What became of an HTLC of ours is known.
    pub(crate) fn note_outcome(&mut self, id: u64, outcome: Outcome) {
        invariant!(self.local_htlc(id).is_some(), "an HTLC that has ended was ours");
        self.outcomes.insert(id, outcome);
    }

    /// Nobody acts on these incoming HTLCs. True if that is new.
    pub(crate) fn hold(&mut self, ids: BTreeSet<u64>) -> bool {
        let is_new = self.held != ids;
        self.held = ids;
        is_new
    }

    /// Puts our own signature into the signed state; true if it was missing.
    pub(crate) fn complete(&mut self, local: &dyn Identity) -> bool {
        let is_missing = self.signed.local_sig_of_remote == Signature::ZERO;
        if is_missing {
            sign(&mut self.signed, local);
        }
        is_missing
    }

    /// `state`, signed by the peer, becomes the last cross-signed one. It covers the first
    /// `local_used` and `remote_used` unsigned updates; the peer repeats the rest of its own.
    /// Returns the updates of the peer's that mean something only now that both signed them: adds,
    /// and fails of HTLCs whose fate was not known.
    pub(crate) fn adopt(
        &mut self,
        state: LastCrossSignedState,
        local_used: usize,
        remote_used: usize,
    ) -> Vec<Update> {
        invariant!(state.is_balanced(), "what both signed adds up to the capacity");
        let reached = |counter, used| counter_after(counter, used);
        invariant!(
            reached(self.signed.local_updates, local_used) == Some(state.local_updates)
                && reached(self.signed.remote_updates, remote_used) == Some(state.remote_updates),
            "counters grow by the updates that were signed"
        );
        self.signed = state;
        self.local.drain(..local_used.min(self.local.len()));
        let mut signed = std::mem::take(&mut self.remote);
        signed.truncate(remote_used);
        signed.retain(|update| match update.settled_id() {
            None => true,
            Some(id) => !update.is_fulfill() && !self.outcomes.contains_key(&id),
        });
        self.forget_settled();
        signed
    }

    /// A state of the peer's, signed by both and newer than ours, replaces ours, which has lost
    /// data. Nothing of ours has its content. Its HTLCs in `doubts` are held.
    pub(crate) fn replace(
        &mut self,
        newer: LastCrossSignedState,
        doubts: BTreeSet<u64>,
    ) -> Difference {
        invariant!(newer.is_balanced(), "what both signed adds up to the capacity");
        invariant!(!Counters::of(&self.signed).exceed(Counters::of(&newer)), "counters only grow");
        let before = std::mem::replace(&mut self.signed, newer);
        let local_used = self.signed.local_updates.saturating_sub(before.local_updates);
        let local_used = usize::try_from(local_used).unwrap_or(usize::MAX);
        let local = std::mem::take(&mut self.local);
        let mut gone: Vec<UpdateAddHtlc> = before.outgoing_htlcs;
        gone.extend(local.iter().filter_map(Update::as_add).cloned());
        self.local = leftover_updates(&self.signed, local, local_used);
        self.remote.clear();
        // The same id may stand for another HTLC, offered after our data was lost.
        gone.retain(|add| {
            !self.local_htlcs().any(|left| left == add) && !self.outcomes.contains_key(&add.id)
        });
        let is_new = |add: &&UpdateAddHtlc| {
            !before.incoming_htlcs.contains(add) && !doubts.contains(&add.id)
        };
        let incoming = self.signed.incoming_htlcs.iter().filter(is_new).cloned().collect();
        self.held = doubts;
        self.forget_settled();
        Difference { gone: gone.into_iter().map(|add| add.id).collect(), incoming }
    }

    /// An override: a fresh state, with nothing on top of it.
    pub(crate) fn override_with(&mut self, state: LastCrossSignedState) {
        invariant!(
            Counters::of(&state).exceed(Counters::of(&self.signed))
                && !Counters::of(&self.signed).exceed(Counters::of(&state)),
            "counters only grow"
        );
        *self = Self::new(state);
    }

    /// Forgets what is known of HTLCs that are in no state any more.
    fn forget_settled(&mut self) {
        let Self { signed, local, outcomes, held, .. } = self;
        held.retain(|id| signed.incoming_htlcs.iter().any(|add| add.id == *id));
        outcomes.retain(|id, _| {
            signed.outgoing_htlcs.iter().any(|add| add.id == *id)
                || local.iter().filter_map(Update::as_add).any(|add| add.id == *id)
        });
    }
}

/// Of our unsigned updates, those that still make sense on top of `state`: every settlement of
/// an HTLC it has, and adds as long as their ids stay right.
fn leftover_updates(state: &LastCrossSignedState, local: Vec<Update>, used: usize) -> Vec<Update> {
    let mut left: Vec<Update> = Vec::new();
    for (position, update) in local.into_iter().enumerate() {
        let fits = match &update {
            Update::Add(add) => {
                let next_id = u64::from(state.local_updates).saturating_add(left.len() as u64 + 1);
                position >= used && add.id == next_id
            }
            settlement => settlement
                .settled_id()
                .is_some_and(|id| state.incoming_htlcs.iter().any(|add| add.id == id)),
        };
        if fits {
            left.push(update);
        }
    }
    if next_state(state, &left, &[], state.block_day).is_none() {
        left.retain(|update| update.as_add().is_none());
    }
    left
}

#[cfg(test)]
mod tests {
    use steward_wire::{ChannelId, Onion, PaymentHash};

    use super::*;

    const CAPACITY_MSAT: u64 = 1_000_000;

    fn state(local_balance_msat: u64, local_updates: u32) -> LastCrossSignedState {
        LastCrossSignedState {
            is_host: true,
            last_refund_scriptpubkey: Vec::new(),
            init_hosted_channel: InitHostedChannel {
                max_htlc_value_in_flight_msat: CAPACITY_MSAT,
                htlc_minimum_msat: 1,
                max_accepted_htlcs: 21,
                channel_capacity_msat: CAPACITY_MSAT,
                initial_client_balance_msat: 0,
                features: Vec::new(),
            },
            block_day: 0,
            local_balance_msat,
            remote_balance_msat: 0,
            local_updates,
            remote_updates: 0,
            incoming_htlcs: Vec::new(),
            outgoing_htlcs: Vec::new(),
            remote_sig_of_local: Signature::ZERO,
            local_sig_of_remote: Signature::ZERO,
        }
    }

    fn add(id: u64) -> UpdateAddHtlc {
        UpdateAddHtlc {
            channel_id: ChannelId([1; 32]),
            id,
            amount_msat: 1_000,
            payment_hash: PaymentHash([3; 32]),
            cltv_expiry: 500,
            onion: Onion([0; 1366].into()),
            tlvs: Vec::new(),
        }
    }

    #[test]
    fn a_signed_state_takes_the_updates_that_it_covers_and_leaves_the_others() {
        let mut commitment = Commitment::new(state(CAPACITY_MSAT, 7));
        commitment.send(Update::Add(add(8)));
        let next = commitment.next_state(&commitment.signed().clone(), 0).unwrap();
        commitment.send(Update::Add(add(9)));
        assert_eq!(commitment.adopt(next.clone(), 1, 0), []);
        assert_eq!(*commitment.signed(), next);
        assert_eq!(commitment.local(), [Update::Add(add(9))]);
        assert_eq!(commitment.next_counters(), Some(Counters { local: 9, remote: 0 }));
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "adds up to the capacity")]
    fn a_state_that_does_not_add_up_is_never_adopted() {
        Commitment::new(state(CAPACITY_MSAT, 7)).adopt(state(CAPACITY_MSAT - 1, 7), 0, 0);
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "counters grow by the updates")]
    fn counters_never_grow_without_an_update() {
        Commitment::new(state(CAPACITY_MSAT, 7)).adopt(state(CAPACITY_MSAT, 8), 0, 0);
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "counters only grow")]
    fn an_override_never_goes_back() {
        Commitment::new(state(CAPACITY_MSAT, 7)).override_with(state(CAPACITY_MSAT, 6));
    }
}
