//! Sums over all channels, kept as each channel changes: a question about the node as a whole costs
//! the same with one channel and with very many.

use std::collections::BTreeMap;

use steward_hosted::{Channel, Phase, Role};
use steward_wire::invariant;

/// What one channel adds to the totals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Share {
    /// The channel's place in [`Totals::phases`].
    phase: usize,
    owed_to_client_msat: u64,
    owed_by_host_msat: u64,
    spendable_msat: u64,
    receivable_msat: u64,
    /// With a client of ours: what one payment from it can be.
    payable: Option<Payable>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Payable {
    capacity_msat: u64,
    htlc_minimum_msat: u64,
}

impl Share {
    /// Returns what a channel adds as it is now.
    pub(crate) fn of(channel: &Channel) -> Self {
        let summary = channel.summary();
        let phase = match summary.phase {
            Phase::Opening => 0,
            Phase::Offline => 1,
            Phase::Syncing => 2,
            Phase::Active => 3,
            Phase::Suspended => 4,
        };
        let share = Self { phase, spendable_msat: summary.spendable_msat, ..Self::default() };
        match summary.role {
            Role::Host => Self {
                owed_to_client_msat: summary.remote_balance_msat,
                payable: Some(Payable {
                    capacity_msat: summary.capacity_msat,
                    htlc_minimum_msat: summary.terms.htlc_minimum_msat,
                }),
                ..share
            },
            Role::Client => {
                let is_active = summary.phase == Phase::Active;
                let receivable_msat = if is_active { summary.receivable_msat } else { 0 };
                Self { owed_by_host_msat: summary.local_balance_msat, receivable_msat, ..share }
            }
        }
    }
}

/// The sums of all shares. They are wider than any amount, so that no share is lost in one.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// The number of channels in each phase: opening, offline, syncing, active, suspended.
    phases: [u32; 5],
    owed_to_clients_msat: u128,
    owed_by_hosts_msat: u128,
    spendable_msat: u128,
    receivable_msat: u128,
    /// How many channels with clients have each capacity, in millisatoshi.
    capacities: BTreeMap<u64, u32>,
    /// How many channels with clients carry HTLCs from each amount on, in millisatoshi.
    minimums: BTreeMap<u64, u32>,
}

impl Totals {
    pub(crate) fn add(&mut self, share: &Share) {
        if let Some(phase_count) = self.phases.get_mut(share.phase) {
            *phase_count += 1;
        }
        for (sum, msat) in self.sums(share) {
            *sum += u128::from(msat);
        }
        if let Some(payable) = &share.payable {
            *self.capacities.entry(payable.capacity_msat).or_default() += 1;
            *self.minimums.entry(payable.htlc_minimum_msat).or_default() += 1;
        }
    }

    /// Takes away a share that was added.
    pub(crate) fn subtract(&mut self, share: &Share) {
        if let Some(phase_count) = self.phases.get_mut(share.phase) {
            invariant!(*phase_count > 0, "a channel was counted in the phase that it leaves");
            *phase_count = phase_count.saturating_sub(1);
        }
        for (sum, msat) in self.sums(share) {
            invariant!(*sum >= u128::from(msat), "what a channel takes from a total was added");
            *sum = sum.saturating_sub(u128::from(msat));
        }
        if let Some(payable) = &share.payable {
            forget_one(&mut self.capacities, payable.capacity_msat);
            forget_one(&mut self.minimums, payable.htlc_minimum_msat);
        }
    }

    pub(crate) fn phases(&self) -> [u32; 5] {
        self.phases
    }

    pub(crate) fn owed_to_clients_msat(&self) -> u64 {
        amount(self.owed_to_clients_msat)
    }

    pub(crate) fn owed_by_hosts_msat(&self) -> u64 {
        amount(self.owed_by_hosts_msat)
    }

    pub(crate) fn spendable_msat(&self) -> u64 {
        amount(self.spendable_msat)
    }

    pub(crate) fn receivable_msat(&self) -> u64 {
        amount(self.receivable_msat)
    }

    /// The largest capacity of a channel with a client, and the least that an HTLC in one carries,
    /// in millisatoshi; `None` without clients.
    pub(crate) fn payable_by_clients_msat(&self) -> Option<(u64, u64)> {
        Some((*self.capacities.last_key_value()?.0, *self.minimums.first_key_value()?.0))
    }

    fn sums(&mut self, share: &Share) -> [(&mut u128, u64); 4] {
        [
            (&mut self.owed_to_clients_msat, share.owed_to_client_msat),
            (&mut self.owed_by_hosts_msat, share.owed_by_host_msat),
            (&mut self.spendable_msat, share.spendable_msat),
            (&mut self.receivable_msat, share.receivable_msat),
        ]
    }
}

fn forget_one(counts: &mut BTreeMap<u64, u32>, msat: u64) {
    let count = counts.get(&msat).copied().unwrap_or(0);
    invariant!(count > 0, "an amount that a channel takes back was counted");
    if count > 1 {
        counts.insert(msat, count - 1);
    } else {
        counts.remove(&msat);
    }
}

fn amount(msat: u128) -> u64 {
    u64::try_from(msat).unwrap_or(u64::MAX)
}
