//! Who offered an HTLC of a state that only the peer remembers (docs/threat-model.md, threat 1).
//!
//! The signed hash covers the HTLCs of both lists as one sequence, without counts: a state and
//! the same state with an HTLC moved to the other list have one hash, and both signatures hold
//! for both. An HTLC's id is its offerer's counter at that time, and that decides most cases.

use std::collections::BTreeSet;

use steward_wire::{LastCrossSignedState, UpdateAddHtlc};

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

/// Ids of HTLCs that `shown`, our copy of a state that both signed, has as the peer's although they
/// may be ours. `None` if one of its HTLCs cannot be where it is shown.
///
/// Where ids and counters allow both, the onion decides: one that we can read was made for us, so
/// the peer offered it. One that we cannot read is ours if it is shown as ours: what a host could
/// gain by having offered us an unreadable one, it could as well gain by showing an older state.
pub(crate) fn doubts(
    shown: &LastCrossSignedState,
    memory: &Memory<'_>,
    is_readable: &dyn Fn(&UpdateAddHtlc) -> bool,
) -> Option<BTreeSet<u64>> {
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
    let mut doubts = BTreeSet::new();
    for split in (0..=sequence.len()).filter(|split| is_possible(*split)) {
        let moved = split.min(shown_split)..split.max(shown_split);
        let moved = sequence.get(moved).unwrap_or_default();
        if split > shown_split {
            doubts.extend(moved.iter().filter(|add| !is_readable(add)).map(|add| add.id));
        } else if moved.iter().any(|add| is_readable(add)) {
            return None;
        }
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
            onion: Onion([0; 1366].into()),
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

    fn unreadable(shown: &LastCrossSignedState) -> Option<Vec<u64>> {
        let found = doubts(shown, &Memory::default(), &|_| false)?;
        Some(found.into_iter().collect())
    }

    fn readable(shown: &LastCrossSignedState) -> Option<Vec<u64>> {
        let found = doubts(shown, &Memory::default(), &|_| true)?;
        Some(found.into_iter().collect())
    }

    #[test]
    fn an_id_above_the_other_sides_counter_proves_who_offered_it() {
        assert_eq!(unreadable(&state(&[], &[7], (3, 9))), Some(vec![]));
        assert_eq!(unreadable(&state(&[7], &[], (9, 3))), Some(vec![]));
        assert_eq!(unreadable(&state(&[7], &[], (3, 9))), None, "it was turned around");
        assert_eq!(unreadable(&state(&[], &[10], (9, 9))), None, "no side got that far");
    }

    #[test]
    fn an_id_that_both_counters_allow_leaves_it_to_the_onion() {
        assert_eq!(unreadable(&state(&[], &[7], (8, 9))), Some(vec![7]));
        assert_eq!(readable(&state(&[], &[7], (8, 9))), Some(vec![]));
        assert_eq!(unreadable(&state(&[7], &[], (9, 8))), Some(vec![]));
        assert_eq!(readable(&state(&[7], &[], (9, 8))), None, "it was turned around");
    }

    #[test]
    fn two_lists_that_cannot_be_cut_elsewhere_prove_both() {
        assert_eq!(unreadable(&state(&[5, 9], &[2, 7], (9, 9))), Some(vec![]));
        assert_eq!(unreadable(&state(&[5], &[7, 9], (9, 9))), Some(vec![7, 9]));
    }

    #[test]
    fn what_we_remember_stays_in_its_list() {
        let known = add(7);
        let memory = || Memory { counters: (8, 8), incoming: vec![&known], outgoing: Vec::new() };
        let found = |outgoing: &[u64], incoming: &[u64]| {
            doubts(&state(outgoing, incoming, (9, 9)), &memory(), &|_| false)
        };
        assert_eq!(found(&[], &[7]), Some(BTreeSet::new()));
        assert_eq!(found(&[7], &[]), None);
        assert_eq!(found(&[], &[6]), None, "it had ended before");
    }
}
