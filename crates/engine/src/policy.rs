//! Our terms for forwarding, as `channel_update` (protocol.md section 4.2), and what else an
//! operator changes while the node runs.

use steward_hosted::{Input, Role};
use steward_wire::codec::Wire;
use steward_wire::{
    CHANNEL_FLAG_DIRECTION, ChannelUpdate, LinkId, MESSAGE_FLAG_MUST_BE_ONE, Signature,
};

use crate::code::Code;
use crate::command::Reply;
use crate::config::Config;
use crate::engine::Engine;
use crate::error::Error;
use crate::limits::{MAX_POLICIES_PER_TICK, MAX_POLICY_DATE_AHEAD_S};

impl Engine {
    /// Takes over what may change while the node runs. Signed states keep their terms.
    pub(crate) fn reconfigure(&mut self, config: Config) -> Result<Reply, Error> {
        if config.network != self.config.network || config.chain_hash != self.config.chain_hash {
            let text = "a node belongs to one network for good";
            return Err(Error::new(Code::WrongNetwork, text));
        }
        let is_new_policy = config.policy != self.config.policy;
        self.config = config;
        if is_new_policy {
            self.policy_since_s = self.next_policy_date();
            let clients = self.channels.lively().filter(|(_, c)| c.channel.role() == Role::Host);
            self.policy_untold = clients.map(|(link, _)| *link).collect();
            self.tell_policy();
        }
        Ok(Reply::Done)
    }

    /// Tells some of the clients that are connected a policy that changed. Each is a signature:
    /// the rest hears at the next ticks.
    pub(crate) fn tell_policy(&mut self) {
        for _ in 0..MAX_POLICIES_PER_TICK {
            let Some(link) = self.policy_untold.pop_first() else { return };
            if self.is_active(&link) {
                self.announce_policy(link);
            }
        }
    }

    /// Tells a client what forwarding to it costs, each time its channel becomes active.
    pub(crate) fn announce_policy(&mut self, link: LinkId) {
        let is_host =
            self.channels.get(&link).is_some_and(|entry| entry.channel.role() == Role::Host);
        let Some(entry) = self.channels.get(&link).filter(|_| is_host) else { return };
        let capacity_msat = entry.channel.summary().capacity_msat;
        if let Some(update) = self.own_update(&link, capacity_msat) {
            self.policy_told_s = update.timestamp;
            self.drive(link, Input::OwnPolicy(update));
        }
    }

    /// Later than any update with the policy of before (BOLT7), unless that was dated by a clock
    /// far ahead.
    fn next_policy_date(&self) -> u32 {
        let now_s = self.wall_s();
        let ahead_s = self.policy_told_s.saturating_sub(now_s);
        if ahead_s > MAX_POLICY_DATE_AHEAD_S {
            return now_s;
        }
        now_s.max(self.policy_told_s).saturating_add(1)
    }

    fn wall_s(&self) -> u32 {
        u32::try_from(self.wall_ms / 1000).unwrap_or(u32::MAX)
    }

    /// The update for failures that carry one, with its message type as BOLT4 wants; empty if the
    /// channel is gone.
    pub(crate) fn own_update_for_failure(&self, link: &LinkId) -> Vec<u8> {
        const CHANNEL_UPDATE_TYPE: u16 = 258;
        // The same for all clients: a failure must not tell what a channel can hold.
        let maximum_msat = self.config.host.max_capacity_sat.saturating_mul(1000);
        let Some(update) = self.own_update(link, maximum_msat) else { return Vec::new() };
        let mut bytes = CHANNEL_UPDATE_TYPE.to_be_bytes().to_vec();
        update.write(&mut bytes);
        bytes
    }

    fn own_update(&self, link: &LinkId, htlc_maximum_msat: u64) -> Option<ChannelUpdate> {
        let channel = &self.channels.get(link)?.channel;
        let (local, remote) = (channel.local(), channel.remote());
        let summary = channel.summary();
        let policy = &self.config.policy;
        let mut update = ChannelUpdate {
            signature: Signature::ZERO,
            chain_hash: self.config.chain_hash,
            short_channel_id: channel.scid(),
            timestamp: self.wall_s().max(self.policy_since_s),
            message_flags: MESSAGE_FLAG_MUST_BE_ONE,
            channel_flags: if local > remote { CHANNEL_FLAG_DIRECTION } else { 0 },
            cltv_expiry_delta: policy.cltv_expiry_delta_blocks,
            htlc_minimum_msat: summary.terms.htlc_minimum_msat,
            fee_base_msat: policy.fee_base_msat,
            fee_proportional_millionths: policy.fee_ppm,
            htlc_maximum_msat: Some(htlc_maximum_msat),
            excess: Vec::new(),
        };
        update.sign(&*self.local_of(link));
        Some(update)
    }
}
