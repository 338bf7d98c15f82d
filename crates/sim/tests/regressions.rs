//! Seeds that once broke a rule. A seed means the same only as long as the simulator draws the
//! same: what each one found also has a test of its own in the crate that was mended.

use steward_sim::{Size, Trace, simulate};

/// Seed, payments, and what it found (CHANGELOG.md).
const SEEDS: &[(u64, u64, &str)] = &[
    (0, 60, "parts still out at a restart stayed pending without end"),
    (9, 60, "parts still out at a restart stayed pending without end"),
    (18, 120, "an override in force was proposed without end"),
    (31, 120, "an override in force was proposed without end"),
    (1, 120, "a repeated fulfill made an honest side suspend the other"),
    (329, 120, "an override with a day of the past was proposed without end"),
    (344, 120, "a preimage published earlier counted as the claim of a later HTLC"),
    (1248, 120, "a missed last message of an opening was taken for lost data"),
];

#[test]
fn seeds_that_broke_a_rule_once_break_none_now() {
    for (seed, payments, found) in SEEDS {
        let outcome = simulate(*seed, Size { payments: *payments }, None, Trace::silent());
        assert!(outcome.violation.is_none(), "seed {seed} ({found}): {:?}", outcome.violation);
    }
}
