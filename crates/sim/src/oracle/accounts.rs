//! What each channel must be worth to its honest side, honest peer or not: what it opened
//! with, what it claimed, what it was shown to have paid. Nothing of it is read off a balance.

use steward_hosted::{Channel, Role};
use steward_htlc::IncomingHtlcId;
use steward_wire::{LastCrossSignedState, LinkId};

use super::{Oracles, Rule, Violation};
use crate::world::World;

/// The first balances of a channel, and its growth since.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Opening {
    own_msat: i128,
    capacity_msat: i128,
}

impl Oracles {
    /// The first state of a channel: each side has what the terms say.
    pub(super) fn account_opens(
        &mut self,
        node: usize,
        link: LinkId,
        channel: &Channel,
        state: &LastCrossSignedState,
    ) -> Result<(), Violation> {
        let terms = &state.init_hosted_channel;
        let client_msat = i128::from(terms.initial_client_balance_msat);
        let capacity_msat = i128::from(terms.channel_capacity_msat);
        let own_msat = match channel.role() {
            Role::Client => client_msat,
            Role::Host => capacity_msat - client_msat,
        };
        self.books[node].openings.insert(link, Opening { own_msat, capacity_msat });
        let is_fresh = state.local_updates == 0 && state.remote_updates == 0;
        if is_fresh && i128::from(state.local_balance_msat) != own_msat {
            let text = "a channel opened with another balance than its terms say";
            return Err(Violation::new(Rule::MoneyIsConserved, node, text));
        }
        Ok(())
    }

    /// Returns the balance of the channel by the books, in millisatoshi.
    fn worth_msat(&self, node: usize, link: LinkId, channel: &Channel) -> i128 {
        let books = &self.books[node];
        let opening = books.openings.get(&link).copied().unwrap_or_default();
        let capacity_msat = channel
            .state()
            .map_or(0, |state| i128::from(state.init_hosted_channel.channel_capacity_msat));
        let growth_msat = match channel.role() {
            Role::Host => capacity_msat - opening.capacity_msat,
            Role::Client => 0,
        };
        let is_here = |key: &&IncomingHtlcId| key.link == link;
        let claimed = books.given.iter().filter(is_here);
        let claimed_msat: i128 = claimed
            .filter_map(|key| books.htlcs.signed_in.get(key))
            .map(|add| i128::from(add.amount_msat))
            .sum();
        let own = books.htlcs.offered.iter().filter(|(key, _)| key.link == link);
        let paid = own.filter(|(key, add)| {
            let ended = books.ended_out.get(key);
            ended.copied().unwrap_or_else(|| self.was_paid(node, link, channel, add))
        });
        let paid_msat: i128 = paid.map(|(_, add)| i128::from(add.amount_msat)).sum();
        opening.own_msat + growth_msat + claimed_msat - paid_msat
    }
}

/// At rest: no honest side of any channel has less than its books say.
pub(super) fn nobody_lost(world: &World, node: usize) -> Result<(), Violation> {
    for (link, channel) in world.nodes[node].disk.channels() {
        if channel.state().is_none() {
            continue;
        }
        let worth_msat = world.oracles.worth_msat(node, *link, channel);
        let has_msat = i128::from(world.oracles.fair_balance_msat(node, *link, channel));
        if has_msat < worth_msat {
            let text = format!("it has {has_msat} msat in a channel, its books say {worth_msat}");
            return Err(Violation::new(Rule::MoneyIsConserved, node, text));
        }
    }
    Ok(())
}
