//! Our terms for forwarding, as `channel_update` (docs/protocol.md section 4.2).

use std::collections::BTreeSet;

use steward_htlc::LinkInput;
use steward_wire::codec::Wire;
use steward_wire::{
    CHANNEL_FLAG_DIRECTION, ChannelUpdate, LinkId, MESSAGE_FLAG_MUST_BE_ONE, Signature,
};

use crate::context::Context;
use crate::face::limits::{MAX_POLICIES_PER_TICK, MAX_POLICY_DATE_AHEAD_S};
use crate::link::links::Links;
use crate::step::Step;

/// The clients that were told our terms for forwarding, and the dates of the updates.
#[derive(Debug, Default)]
pub(crate) struct PolicyUpdates {
    /// Clients that are still to be told a policy that changed.
    untold: BTreeSet<LinkId>,
    /// The date of the last update told, in seconds of Unix time.
    told_s: u32,
    /// The date of the first update with the present policy, in seconds of Unix time.
    since_s: u32,
}

impl PolicyUpdates {
    /// The policy changed: all clients that are connected are to be told.
    pub(crate) fn changed(&mut self, cx: &mut Context, links: &Links) {
        self.since_s = self.next_date(cx);
        let clients = links.connected_or_in_flight().filter(|(_, entry)| entry.is_host());
        self.untold = clients.map(|(link, _)| *link).collect();
        self.tell(cx, links);
    }

    /// True if clients are still to be told.
    pub(crate) fn is_untold(&self) -> bool {
        !self.untold.is_empty()
    }

    /// Tells some of the clients that are connected a policy that changed. Each is a signature:
    /// the rest hears at the next ticks.
    pub(crate) fn tell(&mut self, cx: &mut Context, links: &Links) {
        for _ in 0..MAX_POLICIES_PER_TICK {
            let Some(link) = self.untold.pop_first() else { return };
            if links.is_active(&link) {
                self.announce(cx, links, link);
            }
        }
    }

    /// Tells a client our terms for forwarding to it, each time its channel becomes active.
    pub(crate) fn announce(&mut self, cx: &mut Context, links: &Links, link: LinkId) {
        // Our hosts forward nothing to us that we could charge for.
        let Some(entry) = links.get(&link).filter(|entry| entry.is_host()) else { return };
        let capacity_msat = entry.channel().summary().capacity_msat;
        if let Some(update) = self.update(cx, links, &link, capacity_msat) {
            self.told_s = update.timestamp;
            cx.push(Step::Drive(link, Box::new(LinkInput::OwnPolicy(update))));
        }
    }

    /// Later than any update with the policy of before (BOLT7), unless that was dated by a clock
    /// far ahead.
    fn next_date(&self, cx: &Context) -> u32 {
        let now_s = wall_s(cx);
        let ahead_s = self.told_s.saturating_sub(now_s);
        if ahead_s > MAX_POLICY_DATE_AHEAD_S {
            return now_s;
        }
        now_s.max(self.told_s).saturating_add(1)
    }

    /// The update for failures that carry one, with its message type as BOLT4 wants; empty if the
    /// channel is gone.
    pub(crate) fn for_failure(&self, cx: &Context, links: &Links, link: &LinkId) -> Vec<u8> {
        const CHANNEL_UPDATE_TYPE: u16 = 258;
        // The same for all clients: a failure must not tell what a channel can hold.
        let maximum_msat = cx.config().host.max_capacity_sat.saturating_mul(1000);
        let Some(update) = self.update(cx, links, link, maximum_msat) else { return Vec::new() };
        let mut bytes = CHANNEL_UPDATE_TYPE.to_be_bytes().to_vec();
        update.write(&mut bytes);
        bytes
    }

    fn update(
        &self,
        cx: &Context,
        links: &Links,
        link: &LinkId,
        htlc_maximum_msat: u64,
    ) -> Option<ChannelUpdate> {
        let channel = links.get(link)?.channel();
        let (local, remote) = (channel.local(), channel.remote());
        let summary = channel.summary();
        let policy = &cx.config().policy;
        let mut update = ChannelUpdate {
            signature: Signature::ZERO,
            chain_hash: cx.config().chain_hash,
            short_channel_id: channel.scid(),
            timestamp: wall_s(cx).max(self.since_s),
            message_flags: MESSAGE_FLAG_MUST_BE_ONE,
            channel_flags: if local > remote { CHANNEL_FLAG_DIRECTION } else { 0 },
            cltv_expiry_delta: policy.cltv_expiry_delta_blocks,
            htlc_minimum_msat: summary.terms.htlc_minimum_msat,
            fee_base_msat: policy.fee_base_msat,
            fee_proportional_millionths: policy.fee_ppm,
            htlc_maximum_msat: Some(htlc_maximum_msat),
            excess: Vec::new(),
        };
        update.sign(links.local_of(cx, link));
        Some(update)
    }
}

fn wall_s(cx: &Context) -> u32 {
    u32::try_from(cx.wall_ms() / 1000).unwrap_or(u32::MAX)
}
