//! Hostile peers, one lie at a time: it is told, and no rule is broken on the honest side.

use steward_sim::{Lie, Size, Trace, simulate_lies};

/// Simulations of each test.
const SEEDS: u64 = 6;
/// Payments of each simulation.
const PAYMENTS: u64 = 30;

/// Runs a few seeds in which hostile nodes tell only this lie, at least so many times together.
fn survives(lie: Lie, least: u64) {
    let mut told = 0;
    for seed in 0..SEEDS {
        let size = Size { payments: PAYMENTS };
        let outcome = simulate_lies(seed, size, &[lie], None, Trace::silent());
        assert!(outcome.violation.is_none(), "seed {seed}: {:?}", outcome.violation);
        told += outcome.lies.get(&lie).copied().unwrap_or(0);
    }
    assert!(told >= least, "{:?} was told {told} times only", lie.name());
}

#[test]
fn garbage_for_a_signature_is_not_one() {
    survives(Lie::GarbageSignature, 8);
}

#[test]
fn an_old_state_is_answered_with_the_newer_one() {
    survives(Lie::OldState, 4);
}

#[test]
fn an_htlc_moved_to_the_other_list_changes_nothing() {
    survives(Lie::MovedHtlcs, 5);
}

#[test]
fn hundreds_of_invokes_harm_nobody_else() {
    survives(Lie::InvokeFlood, 5);
}

#[test]
fn hundreds_of_questions_for_the_branding_harm_nobody_else() {
    survives(Lie::BrandingFlood, 5);
}

#[test]
fn a_state_with_other_balances_is_kept_as_evidence() {
    survives(Lie::ForgedState, 5);
}

#[test]
fn a_higher_state_without_our_signature_changes_nothing() {
    survives(Lie::InventedState, 5);
}

#[test]
fn two_states_with_equal_counters_are_not_both_believed() {
    survives(Lie::EqualCounters, 10);
}

#[test]
fn another_clients_state_is_worth_nothing_here() {
    survives(Lie::StrangersState, 5);
}

#[test]
fn signed_counters_that_nobody_reached_are_refused() {
    survives(Lie::WrongCounters, 15);
}

#[test]
fn a_wrong_block_day_is_refused() {
    survives(Lie::WrongBlockDay, 15);
}

#[test]
fn a_used_htlc_id_is_refused() {
    survives(Lie::UsedId, 5);
}

#[test]
fn a_skipped_htlc_id_is_refused() {
    survives(Lie::SkippedId, 5);
}

#[test]
fn a_message_that_comes_twice_counts_once() {
    survives(Lie::Duplicate, 8);
}

#[test]
fn an_add_above_the_balance_is_refused() {
    survives(Lie::Overspend, 5);
}

#[test]
fn an_add_below_the_minimum_is_refused() {
    survives(Lie::TooSmall, 5);
}

#[test]
fn more_adds_than_the_terms_allow_are_refused() {
    survives(Lie::TooManyAdds, 5);
}

#[test]
fn a_wrong_preimage_claims_nothing() {
    survives(Lie::WrongPreimage, 10);
}

#[test]
fn a_fail_of_an_unsigned_htlc_fails_nothing() {
    survives(Lie::FailUnsigned, 10);
}

#[test]
fn a_malformed_failure_is_refused() {
    survives(Lie::BadFailure, 5);
}

#[test]
fn an_htlc_is_settled_once() {
    survives(Lie::SettleTwice, 8);
}

#[test]
fn a_bad_resize_is_refused() {
    survives(Lie::BadResize, 15);
}

#[test]
fn an_override_is_not_accepted_by_itself() {
    survives(Lie::GreedyOverride, 15);
}

#[test]
fn a_client_cannot_override() {
    survives(Lie::ClientOverride, 30);
}

#[test]
fn absurd_terms_are_not_agreed_to() {
    survives(Lie::AbsurdTerms, 30);
}

#[test]
fn an_invoke_at_an_odd_moment_changes_no_channel() {
    survives(Lie::OddInvoke, 50);
}

#[test]
fn a_refusal_leaves_the_others_in_peace() {
    survives(Lie::Refusal, 5);
}

#[test]
fn errors_over_errors_suspend_once() {
    survives(Lie::ErrorSpam, 10);
}

#[test]
fn a_flood_drowns_nobody() {
    survives(Lie::Flood, 15);
}

#[test]
fn mangled_messages_end_the_connection_and_nothing_else() {
    survives(Lie::Mangled, 30);
}

#[test]
fn the_framing_may_change_at_any_message() {
    survives(Lie::FramingFlip, 30);
}

#[test]
fn htlcs_end_although_a_peer_holds_everything_back() {
    survives(Lie::Withholding, 15);
}

#[test]
fn onions_that_promise_more_than_they_bring_are_refused() {
    survives(Lie::CheatingRoute, 10);
}

#[test]
fn a_peer_that_restores_an_old_disk_gains_nothing() {
    survives(Lie::RestoredDisk, 1);
}

#[test]
fn all_lies_together_break_no_rule() {
    let mut told = 0;
    for seed in 0..SEEDS {
        let size = Size { payments: PAYMENTS };
        let outcome = simulate_lies(seed, size, Lie::ALL, None, Trace::silent());
        assert!(outcome.violation.is_none(), "seed {seed}: {:?}", outcome.violation);
        told += outcome.lies.values().sum::<u64>();
    }
    assert!(told >= 30, "only {told} lies were told");
}
