//! Who offered an HTLC of a state that only the peer remembers (docs/threat-model.md, threat 1).
//!
//! The signed hash covers the HTLCs of both lists as one sequence, without counts: a state and
//! the same state with an HTLC moved to the other list have one hash, and both signatures hold
//! for both. An HTLC's id is its offerer's counter at that time, and that decides most cases.

use std::collections::BTreeSet;

use steward_wire::{LastCrossSignedState, UpdateAddHtlc};

/// HTLCs of the signed state whose offerer nothing proves. They are held: nobody acts on them
/// until people have looked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Doubts {
    /// Shown as offered by the peer, by id.
    pub(crate) incoming: BTreeSet<u64>,
    /// Shown as offered by us, by id.
    pub(crate) outgoing: BTreeSet<u64>,
}

impl Doubts {
    pub(crate) fn is_empty(&self) -> bool {
        self.incoming.is_empty() && self.outgoing.is_empty()
    }

    /// Forgets HTLCs that `state` does not have any more.
    pub(crate) fn retain_in(&mut self, state: &LastCrossSignedState) {
        let has = |htlcs: &[UpdateAddHtlc], id: u64| htlcs.iter().any(|add| add.id == id);
        self.incoming.retain(|id| has(&state.incoming_htlcs, *id));
        self.outgoing.retain(|id| has(&state.outgoing_htlcs, *id));
    }
}

/// What we remember of the channel from before the shown state.
#[derive(Default)]
pub(crate) struct Memory<'a> {
    /// Our counter and the peer's in our last state: an HTLC we do not know has a higher id.
    pub(crate) counters: (u32, u32),
    /// HTLCs that the peer offered.
    pub(crate) incoming: Vec<&'a UpdateAddHtlc>,
    /// HTLCs that we offered.
    pub(crate) outgoing: Vec<&'a UpdateAddHtlc>,
}

/// Which HTLCs of `shown`, our copy of a state that both signed, may in truth stand in the other
/// list. `None` if one of them cannot be where it is shown.
pub(crate) fn doubts(shown: &LastCrossSignedState, memory: &Memory<'_>) -> Option<Doubts> {
    // In the order in which our signature, the only one that binds us, covers them.
    let sequence: Vec<&UpdateAddHtlc> =
        shown.outgoing_htlcs.iter().chain(&shown.incoming_htlcs).collect();
    let is_possible = |split: usize| {
        let (outgoing, incoming) = sequence.split_at_checked(split).unwrap_or_default();
        let ascends = |htlcs: &[&UpdateAddHtlc]| htlcs.is_sorted_by(|a, b| a.id < b.id);
        ascends(outgoing)
            && ascends(incoming)
            && outgoing.iter().all(|add| is_ours(add, shown, memory))
            && incoming.iter().all(|add| is_theirs(add, shown, memory))
    };
    let shown_split = shown.outgoing_htlcs.len();
    if !is_possible(shown_split) {
        return None;
    }
    let mut doubts = Doubts::default();
    for split in (0..=sequence.len()).filter(|split| is_possible(*split)) {
        let moved = split.min(shown_split)..split.max(shown_split);
        let ids = sequence.get(moved).unwrap_or_default().iter().map(|add| add.id);
        if split < shown_split { &mut doubts.outgoing } else { &mut doubts.incoming }.extend(ids);
    }
    Some(doubts)
}

fn is_ours(add: &UpdateAddHtlc, shown: &LastCrossSignedState, memory: &Memory<'_>) -> bool {
    let ids = u64::from(memory.counters.0) + 1..=u64::from(shown.local_updates);
    memory.outgoing.contains(&add) || (!memory.incoming.contains(&add) && ids.contains(&add.id))
}

fn is_theirs(add: &UpdateAddHtlc, shown: &LastCrossSignedState, memory: &Memory<'_>) -> bool {
    let ids = u64::from(memory.counters.1) + 1..=u64::from(shown.remote_updates);
    memory.incoming.contains(&add) || (!memory.outgoing.contains(&add) && ids.contains(&add.id))
}

#[cfg(test)]
mod tests {
    use steward_wire::{
        ChannelId, InitHostedChannel, Onion, PaymentHash, Signature, UpdateAddHtlc,
    };

    use super::*;

    fn add(id: u64) -> UpdateAddHtlc {
        UpdateAddHtlc {
            channel_id: ChannelId([1; 32]),
            id,
            amount_msat: 1_000,
            payment_hash: PaymentHash([3; 32]),
            cltv_expiry: 500,
            onion: Onion(Box::new([0; 1366])),
            tlvs: Vec::new(),
        }
    }

    fn state(outgoing: &[u64], incoming: &[u64], counters: (u32, u32)) -> LastCrossSignedState {
        LastCrossSignedState {
            is_host: false,
            last_refund_scriptpubkey: Vec::new(),
            init_hosted_channel: InitHostedChannel {
                max_htlc_value_in_flight_msat: 0,
                htlc_minimum_msat: 0,
                max_accepted_htlcs: 0,
                channel_capacity_msat: 0,
                initial_client_balance_msat: 0,
                features: Vec::new(),
            },
            block_day: 0,
            local_balance_msat: 0,
            remote_balance_msat: 0,
            local_updates: counters.0,
            remote_updates: counters.1,
            incoming_htlcs: incoming.iter().copied().map(add).collect(),
            outgoing_htlcs: outgoing.iter().copied().map(add).collect(),
            remote_sig_of_local: Signature::ZERO,
            local_sig_of_remote: Signature::ZERO,
        }
    }

    fn ids(doubts: &BTreeSet<u64>) -> Vec<u64> {
        doubts.iter().copied().collect()
    }

    #[test]
    fn an_id_above_the_other_sides_counter_proves_who_offered_it() {
        let nothing = Memory::default();
        assert!(doubts(&state(&[], &[7], (3, 9)), &nothing).unwrap().is_empty());
        assert!(doubts(&state(&[7], &[], (9, 3)), &nothing).unwrap().is_empty());
        assert_eq!(doubts(&state(&[7], &[], (3, 9)), &nothing), None, "it was turned around");
        assert_eq!(doubts(&state(&[], &[10], (9, 9)), &nothing), None, "no side got that far");
    }

    #[test]
    fn an_id_that_both_counters_allow_proves_nothing() {
        let nothing = Memory::default();
        assert_eq!(ids(&doubts(&state(&[], &[7], (8, 9)), &nothing).unwrap().incoming), [7]);
        assert_eq!(ids(&doubts(&state(&[7], &[], (9, 8)), &nothing).unwrap().outgoing), [7]);
    }

    #[test]
    fn two_lists_that_cannot_be_cut_elsewhere_prove_both() {
        let nothing = Memory::default();
        assert!(doubts(&state(&[5, 9], &[2, 7], (9, 9)), &nothing).unwrap().is_empty());
        let open = doubts(&state(&[5], &[7, 9], (9, 9)), &nothing).unwrap();
        assert_eq!((ids(&open.outgoing), ids(&open.incoming)), (vec![5], vec![7, 9]));
    }

    #[test]
    fn what_we_remember_stays_in_its_list() {
        let known = add(7);
        let memory = Memory { counters: (8, 8), incoming: vec![&known], outgoing: Vec::new() };
        assert!(doubts(&state(&[], &[7], (9, 9)), &memory).unwrap().is_empty());
        assert_eq!(doubts(&state(&[7], &[], (9, 9)), &memory), None);
        assert_eq!(doubts(&state(&[], &[6], (9, 9)), &memory), None, "it had ended before");
    }
}
