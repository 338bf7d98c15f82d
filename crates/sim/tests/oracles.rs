//! Every oracle can fire: each case breaks one rule on purpose and must be caught, by that rule
//! and for that reason, within a few seeds. Without the mutation the same seed is clean.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use steward_sim::mutation::{Altered, End, Lost, Mutation, Restart, Runtime, Wire};
use steward_sim::{Attack, Rule, Size, Trace, Violation, simulate, simulate_attacks};

/// Within this many seeds each mutation must be caught.
const SEEDS: u64 = 40;

/// What is simulated.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Network {
    payments: u64,
    /// What hostile nodes tell, if there are any.
    attacks: &'static [Attack],
}

/// Enough for most of what is broken here.
const SMALL: Network = Network { payments: 20, attacks: &[] };
/// For what takes several HTLCs in flight at once.
const BUSY: Network = Network { payments: 120, attacks: &[] };
/// For what is owed to honest nodes by others.
const ATTACKED: Network = Network { payments: 60, attacks: Attack::ALL };

impl Network {
    fn run(self, seed: u64, mutation: Option<Mutation>) -> Option<Violation> {
        let size = Size { payments: self.payments };
        let outcome = if self.attacks.is_empty() {
            simulate(seed, size, mutation, Trace::silent())
        } else {
            simulate_attacks(seed, size, self.attacks, mutation, Trace::silent())
        };
        outcome.violation
    }

    /// Many mutations are caught in the same few seeds: each of them runs clean only once.
    fn run_clean(self, seed: u64) -> Option<Violation> {
        static RUNS: Mutex<BTreeMap<(u64, Network), Option<Violation>>> =
            Mutex::new(BTreeMap::new());
        let mut runs = RUNS.lock().unwrap();
        runs.entry((seed, self)).or_insert_with(|| self.run(seed, None)).clone()
    }
}

/// Breaks a rule and waits for its oracle to say so, with these words. What is broken also has
/// consequences, and in some seeds another oracle sees these first: such seeds do not count.
fn assert_caught(network: Network, mutation: Mutation, rule: Rule, text: &str) {
    let mut others = Vec::new();
    for seed in 0..SEEDS {
        match network.run(seed, Some(mutation)) {
            Some(seen) if seen.rule == rule && seen.text.contains(text) => {
                assert!(network.run_clean(seed).is_none(), "seed {seed} is broken by itself");
                return;
            }
            Some(other) => others.push(format!("seed {seed}: {other}")),
            None => {}
        }
    }
    panic!("{mutation:?} breaks {rule:?}, and its oracle does not see it; others: {others:#?}");
}

macro_rules! cases {
    ($($name:ident: $network:ident, $mutation:expr => $rule:ident, $text:literal;)*) => {
        $(
            #[test]
            fn $name() {
                assert_caught($network, $mutation, Rule::$rule, $text);
            }
        )*

        #[test]
        fn every_rule_has_a_case() {
            let shown: BTreeSet<Rule> = [$(Rule::$rule),*].into();
            for rule in Rule::ALL {
                assert!(shown.contains(rule), "nothing shows that {rule:?} can fire");
            }
        }
    };
}

cases! {
    a_message_before_the_commit:
        SMALL, Mutation::Runtime(Runtime::SendBeforeCommit) => DurableBeforeVisible, "";
    a_channel_that_is_not_stored:
        SMALL, Mutation::Lost(Lost::Channels) => DurableBeforeVisible, "without a stored channel";
    an_htlc_without_its_origin:
        SMALL, Mutation::Lost(Lost::Origins) => DurableBeforeVisible, "is offered and not stored";
    a_fulfill_that_is_not_stored:
        SMALL, Mutation::Lost(Lost::Fulfills) => DurableBeforeVisible, "the fulfill of HTLC";
    a_fail_that_is_not_stored:
        SMALL, Mutation::Lost(Lost::Fails) => DurableBeforeVisible, "the fail of HTLC";
    a_signature_on_updates_that_are_not_stored:
        SMALL, Mutation::Lost(Lost::PeerUpdates) => DurableBeforeVisible, "but knows only up to";
    a_state_that_is_shown_and_not_stored:
        SMALL, Mutation::Lost(Lost::States)
            => DurableBeforeVisible, "shows a state that is not stored";
    an_override_that_is_not_stored:
        SMALL, Mutation::Lost(Lost::Overrides) => DurableBeforeVisible, "proposes an override";
    a_resize_that_is_not_stored:
        SMALL, Mutation::Lost(Lost::Resizes) => DurableBeforeVisible, "asks for a resize";
    a_payment_that_is_not_stored:
        SMALL, Mutation::Lost(Lost::Payments) => DurableBeforeVisible, "a payment is confirmed";
    an_invoice_that_is_not_stored:
        SMALL, Mutation::Lost(Lost::Invoices) => DurableBeforeVisible, "an invoice is handed out";
    an_event_that_is_not_stored:
        SMALL, Mutation::Lost(Lost::Events) => DurableBeforeVisible, "is told and not stored";

    a_preimage_given_and_not_stored:
        SMALL, Mutation::Lost(Lost::OwnPreimages) => PreimageKept, "is given and not stored";
    a_preimage_learned_and_not_stored:
        SMALL, Mutation::Lost(Lost::LearnedPreimages) => PreimageKept, "was learned and not stored";
    a_fail_although_the_preimage_is_known:
        SMALL, Mutation::Restart(Restart::FulfillTurnedFail)
            => PreimageKept, "although its preimage was given";

    a_fail_while_the_htlc_is_out:
        SMALL, Mutation::Restart(Restart::FailsForwards) => FailedOnProof, "while it is still out";
    a_fail_without_a_suspension:
        SMALL, Mutation::Altered(Altered::GivesUpAndGoesOn) => FailedOnProof, "its channel goes on";
    a_fail_before_the_expiry:
        SMALL, Mutation::Runtime(Runtime::HeightRunsAhead) => FailedOnProof, "before its expiry";
    a_fail_although_the_chain_shows_the_preimage:
        SMALL, Mutation::Runtime(Runtime::FindsNothing)
            => FailedOnProof, "claimed on chain in time";

    an_htlc_offered_twice:
        SMALL, Mutation::Restart(Restart::NoForwards) => ForwardedByPolicy, "was offered on twice";
    an_htlc_offered_before_both_signed_it:
        SMALL, Mutation::Lost(Lost::Incoming) => ForwardedByPolicy, "before both signed it";
    a_forward_for_nothing:
        SMALL, Mutation::Runtime(Runtime::NoFee) => ForwardedByPolicy, "the fee is";
    a_forward_with_too_little_time:
        SMALL, Mutation::Runtime(Runtime::ShortDelta) => ForwardedByPolicy, "with a delta of";
    a_forward_of_another_hash:
        SMALL, Mutation::Altered(Altered::PaymentHash) => ForwardedByPolicy, "another payment hash";

    a_part_paid_by_the_htlc_of_another:
        BUSY, Mutation::Restart(Restart::SwappedPayments)
            => OwnOrigin, "paid, but its HTLC was not";
    a_forward_answered_by_the_preimage_of_another:
        SMALL, Mutation::Altered(Altered::OtherPreimage)
            => OwnOrigin, "gets the preimage of another";
    a_part_failed_while_its_htlc_is_out:
        SMALL, Mutation::Restart(Restart::NoPayments) => OwnOrigin, "but its HTLC is still out";

    an_htlc_in_the_list_of_the_other_side:
        SMALL, Mutation::Altered(Altered::TurnedHtlcs) => OwnOrigin, "a state lists HTLC";

    more_htlcs_than_the_terms_allow:
        SMALL, Mutation::Altered(Altered::LowTerms) => Balanced, "are allowed";
    balances_that_do_not_add_up:
        SMALL, Mutation::Altered(Altered::Unbalanced) => Balanced, "do not add up";

    a_state_without_the_peers_signature:
        SMALL, Mutation::Altered(Altered::PeerSignature)
            => StatesOnlyGrow, "without the signatures";
    a_state_without_our_signature:
        SMALL, Mutation::Altered(Altered::OwnSignature) => StatesOnlyGrow, "without the signatures";
    a_state_that_counts_less:
        SMALL, Mutation::Altered(Altered::LowerCounters) => StatesOnlyGrow, "went back from";
    another_state_with_equal_counters:
        SMALL, Mutation::Altered(Altered::SameCounters) => StatesOnlyGrow, "with the same counters";
    an_open_channel_that_is_forgotten:
        SMALL, Mutation::Altered(Altered::ForgetsChannel)
            => StatesOnlyGrow, "forgot an open channel";
    an_attackers_message_that_is_not_kept:
        ATTACKED, Mutation::Lost(Lost::Evidence) => StatesOnlyGrow, "kept no evidence";
    an_attackers_state_without_its_signature:
        ATTACKED, Mutation::End(End::HostSignature) => StatesOnlyGrow, "proves nothing";

    a_host_that_believes_a_client:
        SMALL, Mutation::Restart(Restart::BelievesClients)
            => HostBelievesItself, "took over a client's state";

    a_suspended_channel_that_takes_an_htlc:
        SMALL, Mutation::Altered(Altered::TakesSuspended) => SuspendedIsFrozen, "took a new HTLC";
    a_suspended_channel_that_offers_an_htlc:
        SMALL, Mutation::Altered(Altered::OffersSuspended)
            => SuspendedIsFrozen, "offered a new HTLC";
    a_suspension_that_is_forgotten:
        SMALL, Mutation::Altered(Altered::ForgetsSuspension)
            => SuspendedIsFrozen, "without an override";

    a_height_that_goes_back:
        SMALL, Mutation::Runtime(Runtime::HeightGoesBack) => HeightIsTrue, "its height went back";
    a_forward_on_a_stale_tip:
        SMALL, Mutation::Runtime(Runtime::NeverStale) => HeightIsTrue, "forwarded on a stale tip";

    a_write_of_an_earlier_life:
        SMALL, Mutation::Runtime(Runtime::WritesAfterDeath)
            => OneWriter, "still writes its old batches";

    a_part_that_never_ends:
        SMALL, Mutation::Lost(Lost::PartEnds) => PaymentsEnd, "has not ended";
    a_payment_that_never_ends:
        SMALL, Mutation::Lost(Lost::PaymentEnds) => PaymentsEnd, "has not ended";
    a_payment_without_its_proof:
        SMALL, Mutation::Altered(Altered::NoProof) => PaymentsEnd, "complete without its preimage";
    a_failed_payment_with_a_paid_part:
        SMALL, Mutation::Altered(Altered::PaidCalledFailed)
            => PaymentsEnd, "but a part of it was paid";

    a_payer_that_pays_more_than_it_was_allowed:
        SMALL, Mutation::Runtime(Runtime::DoubledRoute) => PaymentsEnd, "are out or paid for";
    a_paid_invoice_that_is_changed:
        SMALL, Mutation::Altered(Altered::UnpaidInvoice) => PaymentsEnd, "was changed";

    a_channel_that_never_opens:
        SMALL, Mutation::Wire(Wire::HostNeverHeard) => SidesAgree, "it is not open";
    an_honest_peer_that_is_suspended:
        SMALL, Mutation::Wire(Wire::BadSignatures)
            => SidesAgree, "suspends the channel of an honest peer";
    sides_with_different_states:
        SMALL, Mutation::End(End::OneSide) => SidesAgree, "hold different states";
    an_htlc_that_stays:
        SMALL, Mutation::End(End::StuckHtlc) => SidesAgree, "it still has HTLCs";
    a_suspension_that_is_never_ended:
        SMALL, Mutation::Runtime(Runtime::IdleOperators) => SidesAgree, "it is still suspended";

    a_balance_that_does_not_follow_from_its_htlcs:
        SMALL, Mutation::Altered(Altered::Balance) => MoneyIsConserved, "its HTLCs make it";
    a_forwarder_that_pays_and_is_not_paid:
        SMALL, Mutation::Wire(Wire::ForwarderFallsSilent)
            => MoneyIsConserved, "and was not paid HTLC";
    a_payee_that_is_not_paid:
        SMALL, Mutation::Wire(Wire::PayeeFallsSilent) => MoneyIsConserved, "for nothing";
    a_payer_that_forgets_what_it_paid:
        SMALL, Mutation::Altered(Altered::PaidForgotten) => MoneyIsConserved, "its payment was not";
    less_money_than_there_was:
        SMALL, Mutation::End(End::LessMoney) => MoneyIsConserved, "its books say";
    more_money_than_there_was:
        SMALL, Mutation::End(End::MoreMoney) => MoneyIsConserved, "all hold";
    a_channel_that_opens_with_another_balance:
        SMALL, Mutation::Altered(Altered::OpeningBalance)
            => MoneyIsConserved, "opened with another balance";
    a_preimage_sold_for_another_amount:
        SMALL, Mutation::Altered(Altered::LessReceived)
            => MoneyIsConserved, "it sold a preimage for";
    an_expired_htlc_that_is_owed_after_all:
        ATTACKED, Mutation::End(End::ExpiredTurnedFulfilled)
            => MoneyIsConserved, "can claim nothing for it";

    an_invariant_of_the_core_that_does_not_hold:
        BUSY, Mutation::Restart(Restart::SwappedForwards) => InvariantsHold, "has 0 owners";
    a_network_that_never_rests:
        SMALL, Mutation::Runtime(Runtime::NeverSleeps) => Rest, "does not come to rest";
    a_message_that_cannot_be_read:
        SMALL, Mutation::Wire(Wire::Garbage) => Rest, "cannot be read";
    a_node_that_does_not_start:
        SMALL, Mutation::Restart(Restart::DamagedRecords) => Rest, "it does not start";
    a_store_that_refuses_a_batch:
        SMALL, Mutation::Restart(Restart::OldEventNumber) => Rest, "the number is taken";
    an_origin_that_is_left_over:
        SMALL, Mutation::Lost(Lost::OriginEnds) => Rest, "the origin of HTLC";
    a_settlement_that_is_left_over:
        SMALL, Mutation::Lost(Lost::OutboxEnds) => Rest, "a settlement of HTLC";
    evidence_without_bounds:
        SMALL, Mutation::End(End::TooMuchEvidence) => Rest, "it keeps";
    a_payee_that_makes_no_invoice:
        SMALL, Mutation::Runtime(Runtime::OverpricedInTheEnd) => Rest, "makes no invoice";
    an_invoice_that_cannot_be_read:
        SMALL, Mutation::Altered(Altered::CutInvoices) => Rest, "its invoice is unreadable";
    a_healed_network_that_carries_no_payment:
        SMALL, Mutation::Wire(Wire::AddsUnheardInTheEnd) => Rest, "did not arrive";
}
