//! Every oracle can fire: each case breaks one rule on purpose and must be caught, by that rule
//! and for that reason, within a few seeds. Without the mutation the same seed is clean.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use steward_sim::mutation::{Altered, End, Lost, Mutation, Restart, Runtime, Wire};
use steward_sim::{Rule, Size, Trace, Violation, simulate};

/// Within this many seeds each mutation must be caught.
const SEEDS: u64 = 40;
/// Enough for all that is broken here.
const SIZE: Size = Size { payments: 20 };

/// Breaks a rule and waits for the oracle to say so.
fn assert_caught(mutation: Mutation, rule: Rule, text: &str) {
    let (seed, violation) = (0..SEEDS)
        .find_map(|seed| Some((seed, run(seed, Some(mutation))?)))
        .unwrap_or_else(|| panic!("{mutation:?} breaks {rule:?}, and nobody sees it"));
    assert_eq!(violation.rule, rule, "seed {seed}: {violation}");
    assert!(violation.text.contains(text), "seed {seed}: {violation}");
    if let Some(violation) = clean_run(seed) {
        panic!("seed {seed} is broken by itself: {violation}");
    }
}

fn run(seed: u64, mutation: Option<Mutation>) -> Option<Violation> {
    simulate(seed, SIZE, mutation, Trace::silent()).violation
}

/// Many mutations are caught in the same few seeds: each of them runs clean only once.
fn clean_run(seed: u64) -> Option<Violation> {
    static RUNS: Mutex<BTreeMap<u64, Option<Violation>>> = Mutex::new(BTreeMap::new());
    RUNS.lock().unwrap().entry(seed).or_insert_with(|| run(seed, None)).clone()
}

macro_rules! cases {
    ($($name:ident: $mutation:expr => $rule:ident, $text:literal;)*) => {
        $(
            #[test]
            fn $name() {
                assert_caught($mutation, Rule::$rule, $text);
            }
        )*

        #[test]
        fn every_rule_has_a_case() {
            let shown: BTreeSet<Rule> = [$(Rule::$rule),*].into();
            for rule in Rule::ALL {
                assert!(shown.contains(rule), "nothing shows that {rule:?} can fire");
            }
        }

        #[test]
        #[ignore = "prints a table"]
        fn table() {
            $(
                let t = std::time::Instant::now();
                let mut seen = Vec::new();
                let mut hit = None;
                for seed in 0..SEEDS {
                    let Some(v) = run(seed, Some($mutation)) else { continue };
                    if v.rule == Rule::$rule && v.text.contains($text) { hit = Some(seed); break }
                    if seen.len() < 4 { seen.push(format!("      {seed}: {v}")); }
                }
                println!("{:?} {:?} {}: {hit:?} in {:?}", $mutation, Rule::$rule, $text, t.elapsed());
                for s in seen { println!("{s}"); }
            )*
        }
    };
}

cases! {
    a_message_before_the_commit:
        Mutation::Runtime(Runtime::SendBeforeCommit) => DurableBeforeVisible, "";
    a_channel_that_is_not_stored:
        Mutation::Lost(Lost::Channels) => DurableBeforeVisible, "without a stored channel";
    an_htlc_without_its_origin:
        Mutation::Lost(Lost::Origins) => DurableBeforeVisible, "is offered and not stored";
    a_fulfil_that_is_not_stored:
        Mutation::Lost(Lost::Fulfils) => DurableBeforeVisible, "the fulfil of HTLC";
    a_fail_that_is_not_stored:
        Mutation::Lost(Lost::Fails) => DurableBeforeVisible, "the fail of HTLC";
    a_signature_on_updates_that_are_not_stored:
        Mutation::Lost(Lost::PeerUpdates) => DurableBeforeVisible, "but knows only up to";
    a_state_that_is_shown_and_not_stored:
        Mutation::Lost(Lost::States) => DurableBeforeVisible, "shows a state that is not stored";
    an_override_that_is_not_stored:
        Mutation::Lost(Lost::Overrides) => DurableBeforeVisible, "proposes an override";
    a_resize_that_is_not_stored:
        Mutation::Lost(Lost::Resizes) => DurableBeforeVisible, "asks for a resize";
    a_payment_that_is_not_stored:
        Mutation::Lost(Lost::Payments) => DurableBeforeVisible, "a payment is confirmed";
    an_invoice_that_is_not_stored:
        Mutation::Lost(Lost::Invoices) => DurableBeforeVisible, "an invoice is handed out";
    an_event_that_is_not_stored:
        Mutation::Lost(Lost::Events) => DurableBeforeVisible, "is told and not stored";

    a_preimage_given_and_not_stored:
        Mutation::Lost(Lost::OwnPreimages) => PreimageKept, "is given and not stored";
    a_preimage_learned_and_not_stored:
        Mutation::Lost(Lost::LearnedPreimages) => PreimageKept, "was learned and not stored";
    a_fail_although_the_preimage_is_known:
        Mutation::Restart(Restart::FulfilTurnedFail) => PreimageKept, "although its preimage was given";

    a_fail_while_the_htlc_is_out:
        Mutation::Restart(Restart::FailsForwards) => FailedOnProof, "while it is still out";
    a_fail_without_a_suspension:
        Mutation::Altered(Altered::GivesUpAndGoesOn) => FailedOnProof, "its channel goes on";
    a_fail_before_the_expiry:
        Mutation::Runtime(Runtime::HeightRunsAhead) => FailedOnProof, "before its expiry";
    a_fail_although_the_chain_shows_the_preimage:
        Mutation::Runtime(Runtime::FindsNothing) => FailedOnProof, "claimed on chain in time";

    an_htlc_offered_twice:
        Mutation::Restart(Restart::NoForwards) => ForwardedByPolicy, "was offered on twice";
    an_htlc_offered_before_both_signed_it:
        Mutation::Lost(Lost::Incoming) => ForwardedByPolicy, "before both signed it";
    a_forward_for_nothing:
        Mutation::Runtime(Runtime::NoFee) => ForwardedByPolicy, "the fee is";
    a_forward_with_too_little_time:
        Mutation::Runtime(Runtime::ShortDelta) => ForwardedByPolicy, "with a delta of";
    a_forward_of_another_hash:
        Mutation::Altered(Altered::PaymentHash) => ForwardedByPolicy, "another payment hash";

    a_part_paid_by_the_htlc_of_another:
        Mutation::Restart(Restart::SwappedPayments) => OwnOrigin, "paid, but its HTLC was not";
    a_forward_answered_by_the_htlc_of_another:
        Mutation::Restart(Restart::SwappedForwards) => OwnOrigin, "gets the preimage of another";
    a_part_failed_while_its_htlc_is_out:
        Mutation::Restart(Restart::NoPayments) => OwnOrigin, "but its HTLC is still out";

    balances_that_do_not_add_up:
        Mutation::Altered(Altered::Unbalanced) => Balanced, "do not add up";

    a_state_without_the_peers_signature:
        Mutation::Altered(Altered::PeerSignature) => StatesOnlyGrow, "without the signatures";
    a_state_without_our_signature:
        Mutation::Altered(Altered::OwnSignature) => StatesOnlyGrow, "without the signatures";
    a_state_that_counts_less:
        Mutation::Altered(Altered::LowerCounters) => StatesOnlyGrow, "went back from";
    another_state_with_equal_counters:
        Mutation::Altered(Altered::SameCounters) => StatesOnlyGrow, "with the same counters";

    a_host_that_believes_a_client:
        Mutation::Restart(Restart::BelievesClients) => HostBelievesItself, "took over a client's state";

    a_suspended_channel_that_takes_an_htlc:
        Mutation::Altered(Altered::TakesSuspended) => SuspendedIsFrozen, "took a new HTLC";
    a_suspended_channel_that_offers_an_htlc:
        Mutation::Altered(Altered::OffersSuspended) => SuspendedIsFrozen, "offered a new HTLC";
    a_suspension_that_is_forgotten:
        Mutation::Altered(Altered::ForgetsSuspension) => SuspendedIsFrozen, "without an override";

    a_height_that_goes_back:
        Mutation::Runtime(Runtime::HeightGoesBack) => HeightIsTrue, "its height went back";
    a_forward_on_a_stale_tip:
        Mutation::Runtime(Runtime::NeverStale) => HeightIsTrue, "forwarded on a stale tip";

    a_write_of_an_earlier_life:
        Mutation::Runtime(Runtime::WritesAfterDeath) => OneWriter, "still writes its old batches";

    a_part_that_never_ends:
        Mutation::Lost(Lost::PartEnds) => PaymentsEnd, "has not ended";
    a_payment_that_never_ends:
        Mutation::Lost(Lost::PaymentEnds) => PaymentsEnd, "has not ended";
    a_payment_without_its_proof:
        Mutation::Altered(Altered::NoProof) => PaymentsEnd, "complete without its preimage";
    a_failed_payment_with_a_paid_part:
        Mutation::Altered(Altered::PaidCalledFailed) => PaymentsEnd, "but a part of it was paid";

    a_channel_that_never_opens:
        Mutation::Wire(Wire::HostNeverHeard) => SidesAgree, "it is not open";
    sides_with_different_states:
        Mutation::End(End::OneSide) => SidesAgree, "hold different states";
    an_htlc_that_stays:
        Mutation::End(End::StuckHtlc) => SidesAgree, "it still has HTLCs";
    a_suspension_that_nobody_ends:
        Mutation::Runtime(Runtime::IdleOperators) => SidesAgree, "it is still suspended";

    a_balance_that_does_not_follow_from_its_htlcs:
        Mutation::Altered(Altered::Balance) => MoneyIsConserved, "its HTLCs make it";
    a_forwarder_that_pays_and_is_not_paid:
        Mutation::Wire(Wire::ForwarderFallsSilent) => MoneyIsConserved, "and was not paid HTLC";
    a_payee_that_is_not_paid:
        Mutation::Wire(Wire::PayeeFallsSilent) => MoneyIsConserved, "for nothing";
    a_payer_that_forgets_what_it_paid:
        Mutation::Altered(Altered::PaidForgotten) => MoneyIsConserved, "its payment was not";
    less_money_than_there_was:
        Mutation::End(End::LessMoney) => MoneyIsConserved, "all hold";

    a_network_that_never_rests:
        Mutation::Runtime(Runtime::NeverSleeps) => Rest, "does not come to rest";
    a_message_that_nobody_can_read:
        Mutation::Wire(Wire::Garbage) => Rest, "nobody can read";
    a_node_that_does_not_start:
        Mutation::Restart(Restart::DamagedRecords) => Rest, "it does not start";
    a_store_that_refuses_a_batch:
        Mutation::Restart(Restart::OldEventNumber) => Rest, "the number is taken";
    an_origin_that_is_left_over:
        Mutation::Lost(Lost::OriginEnds) => Rest, "the origin of HTLC";
    a_settlement_that_is_left_over:
        Mutation::Lost(Lost::OutboxEnds) => Rest, "a settlement of HTLC";
}
