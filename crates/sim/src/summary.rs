//! Many simulations added up, and the table that is printed of them.

use std::fmt;

use crate::byzantine::{Attack, AttackCounts};
use crate::fault::{FaultCounts, FaultKind};
use crate::simulation::Outcome;

/// Sums over many seeds.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Simulations.
    pub seeds: u64,
    /// Steps of all.
    pub steps: u64,
    /// HTLCs added, settled, signed and removed.
    pub htlc_steps: u64,
    /// Payments started.
    pub payments: u64,
    /// Payments that arrived.
    pub paid: u64,
    /// The same two, of calm simulations alone, and how many those are.
    pub calm: [u64; 3],
    /// Batches made durable.
    pub commits: u64,
    /// The injected faults, counted.
    pub faults: FaultCounts,
    /// The attacks of byzantine nodes, counted.
    pub attacks: AttackCounts,
    /// Seeds that broke a rule, and how.
    pub failures: Vec<(u64, String)>,
}

impl Summary {
    /// Adds one simulation.
    pub fn add(&mut self, seed: u64, outcome: &Outcome) {
        self.seeds += 1;
        self.steps += outcome.steps;
        self.htlc_steps += outcome.htlc_steps;
        self.payments += outcome.payments;
        self.paid += outcome.paid;
        if outcome.is_calm {
            self.calm[0] += 1;
            self.calm[1] += outcome.payments;
            self.calm[2] += outcome.paid;
        }
        self.commits += outcome.commits;
        for (kind, count) in &outcome.faults {
            *self.faults.entry(*kind).or_default() += count;
        }
        for (attack, count) in &outcome.attacks {
            *self.attacks.entry(*attack).or_default() += count;
        }
        if let Some(violation) = &outcome.violation {
            self.failures.push((seed, violation.to_string()));
        }
    }

    /// Adds the sums of other seeds.
    pub fn merge(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.steps += other.steps;
        self.htlc_steps += other.htlc_steps;
        self.payments += other.payments;
        self.paid += other.paid;
        for (sum, part) in self.calm.iter_mut().zip(other.calm) {
            *sum += part;
        }
        self.commits += other.commits;
        for (kind, count) in other.faults {
            *self.faults.entry(kind).or_default() += count;
        }
        for (attack, count) in other.attacks {
            *self.attacks.entry(attack).or_default() += count;
        }
        self.failures.extend(other.failures);
        self.failures.sort();
    }

    fn count(&self, kind: FaultKind) -> u64 {
        self.faults.get(&kind).copied().unwrap_or(0)
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>10}  seeds", self.seeds)?;
        writeln!(f, "{:>10}  steps", self.steps)?;
        writeln!(f, "{:>10}  HTLC steps (added, settled, signed, removed)", self.htlc_steps)?;
        writeln!(f, "{:>10}  payments, of which {} arrived", self.payments, self.paid)?;
        let [calm, payments, paid] = self.calm;
        let share = (paid * 100).checked_div(payments).unwrap_or(0);
        writeln!(f, "{calm:>10}  calm seeds, in which {share} % of {payments} payments arrived")?;
        writeln!(f, "{:>10}  commits", self.commits)?;
        writeln!(f, "faults")?;
        for kind in FaultKind::ALL {
            writeln!(f, "{:>10}  {}", self.count(*kind), kind.name())?;
        }
        writeln!(f, "attacks of hostile nodes")?;
        for attack in Attack::ALL {
            writeln!(
                f,
                "{:>10}  {}",
                self.attacks.get(attack).copied().unwrap_or(0),
                attack.name()
            )?;
        }
        for (seed, violation) in &self.failures {
            writeln!(f, "FAILED seed {seed}: {violation}")?;
        }
        write!(f, "{} of {} seeds broke a rule", self.failures.len(), self.seeds)
    }
}
