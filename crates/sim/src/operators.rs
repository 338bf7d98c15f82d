//! The operators of both sides of a suspended channel: the host's proposes what its own books
//! say, the client's accepts only what is no less than its own books say.

use steward_engine::Command;
use steward_hosted::Channel;

use crate::deployed::Manner;
use crate::fault::FaultKind;
use crate::mutation::{Mutation, Runtime};
use crate::world::World;

impl World {
    /// Both operators of every suspended channel look at it. True if one of them did something.
    pub(crate) fn operators_look(&mut self) -> bool {
        let mut acted = false;
        for edge in 0..self.edges.len() {
            // While faults happen, a channel with a byzantine peer gets an override by honest
            // books; in the end it does not.
            let is_over = self.is_healing && self.is_hostile_edge(edge);
            if !is_over && !self.is_left_alone(edge) {
                acted |= self.propose(edge) | self.accept(edge);
            }
        }
        acted
    }

    /// A mutation: operators leave a channel alone in which nothing is in flight.
    fn is_left_alone(&self, edge: usize) -> bool {
        let plan = self.topology.edges[edge];
        let idle = Mutation::Runtime(Runtime::IdleOperators);
        let is_mutated = self.injector.as_ref().is_some_and(|injector| injector.is(idle));
        let has_htlcs = |node| self.durable(edge, node).is_some_and(Channel::has_htlcs);
        is_mutated && !has_htlcs(plan.client) && !has_htlcs(plan.host)
    }

    fn propose(&mut self, edge: usize) -> bool {
        let plan = self.topology.edges[edge];
        // Who proposes looks at the node as it is, not as its disk will be when it is done.
        let host = &self.nodes[plan.host];
        if !host.is_up() || !host.pending.is_empty() || !host.inbox.is_empty() {
            return false;
        }
        let Some(channel) = self.durable(edge, plan.host) else { return false };
        let Some(capacity_msat) = next_capacity_msat(channel) else { return false };
        let fair_msat = self.oracles.fair_balance_msat(plan.host, plan.link, channel);
        let client_msat = current_capacity_msat(channel).saturating_sub(fair_msat);
        let next_balance_msat = capacity_msat.saturating_sub(client_msat);
        let is_proposed = channel
            .pending_override()
            .is_some_and(|proposal| proposal.local_balance_msat == next_balance_msat);
        if is_proposed {
            return false;
        }
        // An operator knows the capacity that both have signed, and no other.
        let local_balance_msat = current_capacity_msat(channel).saturating_sub(client_msat);
        let channel = plan.link.into();
        self.issue(plan.host, Command::ProposeOverride { channel, local_balance_msat });
        true
    }

    fn accept(&mut self, edge: usize) -> bool {
        let plan = self.topology.edges[edge];
        if !self.nodes[plan.client].is_up() {
            return false;
        }
        let Some(channel) = self.durable(edge, plan.client) else { return false };
        let our_balance_msat = self.oracles.fair_balance_msat(plan.client, plan.link, channel);
        if channel.suspension().is_none() {
            return false;
        }
        let offered_msat = channel.override_balance_msat();
        if offered_msat.is_none_or(|offered_msat| offered_msat < our_balance_msat) {
            self.trace.line(self.now_ms, plan.client, || {
                format!("operator: offered {offered_msat:?} msat, ours are {our_balance_msat}")
            });
            return false;
        }
        let is_deployed = self.nodes[plan.client].manner != Manner::Steward;
        if is_deployed && !is_acceptable_to_deployed(channel) {
            return false;
        }
        let our_balance_msat = offered_msat.unwrap_or(our_balance_msat);
        if is_deployed {
            self.count(FaultKind::CheckedOverride);
        }
        let channel = plan.link.into();
        self.issue(plan.client, Command::AcceptOverride { channel, our_balance_msat });
        self.count(FaultKind::Override);
        true
    }
}

/// Both deployed programs check an override against their own state in this way: numbers no lower,
/// no earlier day, a balance within the capacity.
fn is_acceptable_to_deployed(channel: &Channel) -> bool {
    let (Some(proposal), Some(state)) = (channel.pending_override(), channel.state()) else {
        return false;
    };
    let capacity_msat = next_capacity_msat(channel).unwrap_or(0);
    proposal.local_updates >= state.remote_updates
        && proposal.remote_updates >= state.local_updates
        && proposal.block_day >= state.block_day
        && proposal.local_balance_msat <= capacity_msat
}

/// Of a suspended channel: its capacity after an override, in millisatoshi.
fn next_capacity_msat(channel: &Channel) -> Option<u64> {
    channel.suspension()?;
    let resized = channel.pending_resize().and_then(|resize| resize.new_capacity_msat());
    let current = current_capacity_msat(channel);
    Some(resized.filter(|resized| *resized > current).unwrap_or(current))
}

fn current_capacity_msat(channel: &Channel) -> u64 {
    channel.state().map_or(0, |state| state.init_hosted_channel.channel_capacity_msat)
}
