//! From the funding transaction's confirmations to an open channel.

use steward_wire::{ChannelMessage, ChannelReady, ChannelUpdate, ShortChannelId};

use crate::io::Output;
use crate::limits::COINBASE_DEPTH;
use crate::session::Stage;
use crate::step::{Fault, Step};
use steward_htlc::LinkEvent;

/// The longest `channel_update` of the peer's that is kept, beyond its known fields, in bytes.
const MAX_POLICY_EXCESS_BYTES: usize = 128;

impl Step<'_> {
    pub(crate) fn on_funding_depth(
        &mut self,
        depth: u32,
        scid: ShortChannelId,
        is_coinbase: bool,
    ) -> Result<(), Fault> {
        let least = self.live.minimum_depth;
        let least = if is_coinbase { least.max(COINBASE_DEPTH) } else { least };
        let funding = &mut self.live.funding;
        if funding.scid != Some(scid) {
            funding.scid = Some(scid);
            self.changed = true;
        }
        if depth < least || funding.is_ready {
            return Ok(());
        }
        funding.is_ready = true;
        self.changed = true;
        if self.session.stage == Stage::Synced && self.live.closing.is_none() {
            self.send_channel_ready()?;
        }
        if self.live.is_open() {
            self.out.push(Output::Opened);
        }
        Ok(())
    }

    pub(crate) fn send_channel_ready(&mut self) -> Result<(), Fault> {
        let ready = ChannelReady {
            channel_id: self.channel_id(),
            second_per_commitment_point: self.env.signer.point(1)?.into(),
            tlvs: Vec::new(),
        };
        self.out.push(Output::Send(ChannelMessage::ChannelReady(ready)));
        Ok(())
    }

    /// The peer may repeat it, also before its `channel_reestablish`, and give another alias.
    pub(crate) fn on_channel_ready(&mut self, message: &ChannelReady) -> Result<(), Fault> {
        let Some(point) = message.second_per_commitment_point.public_key() else {
            return Err(Fault::Fail("channel_ready has no valid point".to_owned()));
        };
        if let Some(alias) = message.alias()
            && self.live.funding.peer_alias != Some(alias)
        {
            self.live.funding.peer_alias = Some(alias);
            self.changed = true;
        }
        if self.live.remote.number > 0 || self.live.remote.pending.is_some() {
            return Ok(()); // It is a repetition: the point has been used since.
        }
        match self.live.remote.next_point {
            Some(known) if known == point => Ok(()),
            Some(_) => Err(Fault::Fail("channel_ready has another point than before".to_owned())),
            None => {
                self.live.remote.next_point = Some(point);
                self.changed = true;
                if self.live.is_open() {
                    self.out.push(Output::Opened);
                }
                Ok(())
            }
        }
    }

    /// The peer's terms for forwarding to us. What it says last counts.
    pub(crate) fn on_peer_policy(&mut self, policy: ChannelUpdate) {
        let funding = &self.live.funding;
        let scid = Some(policy.short_channel_id);
        let is_ours = (scid == funding.scid || scid == funding.peer_alias)
            && policy.chain_hash == *self.env.chain_hash
            && policy.is_from(&self.live.peer, self.env.local)
            && policy.excess.len() <= MAX_POLICY_EXCESS_BYTES;
        let is_new = self.live.peer_policy.as_ref() != Some(&policy);
        if is_ours && is_new && policy.is_signed_by(&self.live.peer) {
            self.live.peer_policy = Some(policy.clone());
            self.changed = true;
            self.link(LinkEvent::PeerPolicy(policy));
        }
    }
}
