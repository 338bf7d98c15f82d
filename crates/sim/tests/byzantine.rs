//! Hostile peers, one attack at a time: it is made, and no rule is broken on the honest side.

use steward_sim::{Attack, Size, Trace, simulate_attacks};

/// Simulations of each test.
const SEEDS: u64 = 6;
/// Payments of each simulation.
const PAYMENTS: u64 = 30;

/// Runs a few seeds in which byzantine nodes make only this attack, at least so many times together.
fn survives(attack: Attack, least: u64) {
    let mut told = 0;
    for seed in 0..SEEDS {
        let size = Size { payments: PAYMENTS };
        let outcome = simulate_attacks(seed, size, &[attack], None, Trace::silent());
        assert!(outcome.violation.is_none(), "seed {seed}: {:?}", outcome.violation);
        told += outcome.attacks.get(&attack).copied().unwrap_or(0);
    }
    assert!(told >= least, "{:?} was made {told} times only", attack.name());
}

#[test]
fn garbage_for_a_signature_is_not_one() {
    survives(Attack::GarbageSignature, 8);
}

#[test]
fn an_old_state_is_answered_with_the_newer_one() {
    survives(Attack::OldState, 4);
}

#[test]
fn an_htlc_moved_to_the_other_list_changes_nothing() {
    survives(Attack::MovedHtlcs, 5);
}

#[test]
fn hundreds_of_invokes_harm_no_other_client() {
    survives(Attack::InvokeFlood, 5);
}

#[test]
fn hundreds_of_questions_for_the_branding_harm_nobody_else() {
    survives(Attack::BrandingFlood, 5);
}

#[test]
fn a_state_with_other_balances_is_kept_as_evidence() {
    survives(Attack::ForgedState, 5);
}

#[test]
fn a_higher_state_without_our_signature_changes_nothing() {
    survives(Attack::InventedState, 5);
}

#[test]
fn two_states_with_equal_counters_are_not_both_believed() {
    survives(Attack::EqualCounters, 10);
}

#[test]
fn another_clients_state_is_worth_nothing_here() {
    survives(Attack::StrangersState, 5);
}

#[test]
fn signed_counters_that_nobody_reached_are_refused() {
    survives(Attack::WrongCounters, 15);
}

#[test]
fn a_wrong_block_day_is_refused() {
    survives(Attack::WrongBlockDay, 15);
}

#[test]
fn a_used_htlc_id_is_refused() {
    survives(Attack::UsedId, 5);
}

#[test]
fn a_skipped_htlc_id_is_refused() {
    survives(Attack::SkippedId, 5);
}

#[test]
fn a_message_that_comes_twice_counts_once() {
    survives(Attack::Duplicate, 8);
}

#[test]
fn an_add_above_the_balance_is_refused() {
    survives(Attack::Overspend, 5);
}

#[test]
fn an_add_below_the_minimum_is_refused() {
    survives(Attack::TooSmall, 5);
}

#[test]
fn more_adds_than_the_terms_allow_are_refused() {
    survives(Attack::TooManyAdds, 5);
}

#[test]
fn a_wrong_preimage_claims_nothing() {
    survives(Attack::WrongPreimage, 10);
}

#[test]
fn a_fail_of_an_unsigned_htlc_fails_nothing() {
    survives(Attack::FailUnsigned, 10);
}

#[test]
fn a_malformed_failure_is_refused() {
    survives(Attack::BadFailure, 5);
}

#[test]
fn an_htlc_is_settled_once() {
    survives(Attack::SettleTwice, 8);
}

#[test]
fn a_bad_resize_is_refused() {
    survives(Attack::BadResize, 15);
}

#[test]
fn an_override_is_not_accepted_by_itself() {
    survives(Attack::GreedyOverride, 15);
}

#[test]
fn a_client_cannot_override() {
    survives(Attack::ClientOverride, 30);
}

#[test]
fn absurd_terms_are_not_agreed_to() {
    survives(Attack::AbsurdTerms, 30);
}

#[test]
fn an_invoke_at_an_odd_moment_changes_no_channel() {
    survives(Attack::OddInvoke, 50);
}

#[test]
fn a_refusal_leaves_the_others_in_peace() {
    survives(Attack::Refusal, 5);
}

#[test]
fn errors_over_errors_suspend_once() {
    survives(Attack::ErrorSpam, 10);
}

#[test]
fn a_flood_drowns_nobody() {
    survives(Attack::Flood, 15);
}

#[test]
fn mangled_messages_end_the_connection_and_nothing_else() {
    survives(Attack::Mangled, 30);
}

#[test]
fn the_framing_may_change_at_any_message() {
    survives(Attack::FramingFlip, 30);
}

#[test]
fn htlcs_end_although_a_peer_holds_everything_back() {
    survives(Attack::Withholding, 15);
}

#[test]
fn onions_that_promise_more_than_they_bring_are_refused() {
    survives(Attack::CheatingRoute, 10);
}

#[test]
fn a_peer_that_restores_an_old_disk_gains_nothing() {
    survives(Attack::RestoredDisk, 1);
}

#[test]
fn all_lies_together_break_no_rule() {
    let mut told = 0;
    for seed in 0..SEEDS {
        let size = Size { payments: PAYMENTS };
        let outcome = simulate_attacks(seed, size, Attack::ALL, None, Trace::silent());
        assert!(outcome.violation.is_none(), "seed {seed}: {:?}", outcome.violation);
        told += outcome.attacks.values().sum::<u64>();
    }
    assert!(told >= 30, "only {told} attacks were made");
}
