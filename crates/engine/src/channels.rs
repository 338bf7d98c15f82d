//! The channels of the node, and how their outputs become effects.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bitcoin::hashes::{Hash, sha256};
use steward_hosted::{Channel, Command, CommandRefusal, Env, Input, Output, Phase, Role};
use steward_onion::{PeelError, peel};
use steward_wire::{
    Identity, IncomingHtlcId, LinkId, NodeId, OutgoingHtlcId, ShortChannelId, UpdateAddHtlc,
    impossible,
};

use crate::engine::Engine;
use crate::forward::incoming_htlc;
use crate::io::{ConnId, EventKind, Level};
use crate::row::{ChannelRow, LocalIdentity, Row};

/// One channel and what the engine knows about its peer.
pub(crate) struct Entry {
    pub(crate) channel: Channel,
    /// Our identity in it, if it is not the node's.
    local: Option<Arc<dyn Identity>>,
    /// The peer's present connection.
    pub(crate) conn: Option<ConnId>,
    /// As registered in [`Channels::deadlines`].
    deadline_ms: Option<u64>,
    /// A peer that has never shown a framing did not answer in one: try the other one next.
    pub(crate) try_other_framing: bool,
}

impl Entry {
    /// Which of our keys we are known by in the channel.
    pub(crate) fn identity(&self) -> LocalIdentity {
        if self.local.is_some() { LocalIdentity::PerHost } else { LocalIdentity::Node }
    }

    /// Of a client's open channel: stands for the refund script, which never changes.
    fn script(&self) -> Option<ScriptMark> {
        let state = self.channel.state().filter(|state| state.is_host);
        state.map(|state| script_mark(&state.last_refund_scriptpubkey))
    }
}

/// All channels, with the indices that keep rare events cheap.
#[derive(Default)]
pub(crate) struct Channels {
    /// Boxed: a tree's nodes are half empty, and an entry is large.
    entries: BTreeMap<LinkId, Box<Entry>>,
    /// The channels with each node.
    by_peer: BTreeSet<(NodeId, LinkId)>,
    by_scid: BTreeMap<ShortChannelId, LinkId>,
    /// Channels that want a tick, by when.
    deadlines: BTreeSet<(u64, LinkId)>,
    /// Channels with HTLCs, or connected: those that care about blocks.
    lively: BTreeSet<LinkId>,
    /// Channels of clients that have not finished opening, and the refund script each would have.
    opening: BTreeMap<LinkId, Option<ScriptMark>>,
    /// The refund scripts of our clients' channels.
    scripts: BTreeSet<ScriptMark>,
}

/// Stands for a refund script: half of its SHA-256. Who finds two scripts with one mark has found
/// two of its own that cannot both be used.
pub(crate) type ScriptMark = [u8; 16];

fn script_mark(script: &[u8]) -> ScriptMark {
    let [mark, _] = *sha256::Hash::hash(script).to_byte_array().as_chunks().0 else {
        return ScriptMark::default();
    };
    mark
}

impl Channels {
    pub(crate) fn insert(&mut self, channel: Channel, local: Option<Arc<dyn Identity>>) {
        let link = LinkId::from(channel.channel_id());
        self.by_peer.insert((channel.remote(), link));
        self.by_scid.insert(channel.scid(), link);
        let entry =
            Entry { channel, local, conn: None, deadline_ms: None, try_other_framing: false };
        self.scripts.extend(entry.script());
        self.entries.insert(link, Box::new(entry));
        self.reindex(link);
    }

    pub(crate) fn remove(&mut self, link: &LinkId) {
        let Some(entry) = self.entries.remove(link) else { return };
        self.by_peer.remove(&(entry.channel.remote(), *link));
        self.by_scid.remove(&entry.channel.scid());
        self.lively.remove(link);
        self.opening.remove(link);
        if let Some(mark) = entry.script() {
            self.scripts.remove(&mark);
        }
        if let Some(deadline_ms) = entry.deadline_ms {
            self.deadlines.remove(&(deadline_ms, *link));
        }
    }

    /// True if no client's open channel has this refund script. Those that are being opened have
    /// none yet: to begin an opening and never to finish it must keep nobody out.
    pub(crate) fn is_script_free(&self, script: &[u8]) -> bool {
        !self.scripts.contains(&script_mark(script))
    }

    /// The refund script that a channel which is being opened would have.
    pub(crate) fn wants_script(&mut self, link: LinkId, script: &[u8]) {
        self.opening.insert(link, Some(script_mark(script)));
    }

    /// Stands for the refund script that a channel which is being opened would have.
    pub(crate) fn wanted_script(&self, link: &LinkId) -> Option<ScriptMark> {
        self.opening.get(link).copied().flatten()
    }

    /// True if a client's open channel has the refund script of this mark.
    pub(crate) fn has_script(&self, mark: &ScriptMark) -> bool {
        self.scripts.contains(mark)
    }

    pub(crate) fn get(&self, link: &LinkId) -> Option<&Entry> {
        self.entries.get(link).map(Box::as_ref)
    }

    pub(crate) fn get_mut(&mut self, link: &LinkId) -> Option<&mut Entry> {
        self.entries.get_mut(link).map(Box::as_mut)
    }

    pub(crate) fn by_scid(&self, scid: ShortChannelId) -> Option<LinkId> {
        self.by_scid.get(&scid).copied()
    }

    /// All channels with one node.
    pub(crate) fn with_peer(&self, peer: &NodeId) -> impl Iterator<Item = (LinkId, &Entry)> {
        let all = (*peer, LinkId([0; 32]))..=(*peer, LinkId([0xff; 32]));
        self.by_peer
            .range(all)
            .filter_map(|(_, link)| Some((*link, self.entries.get(link)?.as_ref())))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&LinkId, &Entry)> {
        self.entries.iter().map(|(link, entry)| (link, entry.as_ref()))
    }

    /// Channels that are connected or have HTLCs; all active ones are among them.
    pub(crate) fn lively(&self) -> impl Iterator<Item = (&LinkId, &Entry)> {
        self.lively.iter().filter_map(|link| Some((link, self.entries.get(link)?.as_ref())))
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn wanting_blocks(&self) -> Vec<LinkId> {
        self.lively.iter().copied().collect()
    }

    /// Channels whose deadline has come.
    pub(crate) fn due(&self, now_ms: u64) -> Vec<LinkId> {
        let due = self.deadlines.iter().take_while(|(at_ms, _)| *at_ms <= now_ms);
        due.map(|(_, link)| *link).collect()
    }

    pub(crate) fn next_deadline_ms(&self) -> Option<u64> {
        self.deadlines.first().map(|(at_ms, _)| *at_ms)
    }

    /// Brings the indices in line with the channel after it changed.
    fn reindex(&mut self, link: LinkId) {
        let Some(entry) = self.entries.get_mut(&link) else { return };
        if entry.conn.is_some() || entry.channel.has_htlcs() {
            self.lively.insert(link);
        } else {
            self.lively.remove(&link);
        }
        if entry.channel.role() == Role::Host && entry.channel.state().is_none() {
            self.opening.entry(link).or_default();
        } else if self.opening.remove(&link).is_some() {
            self.scripts.extend(entry.script());
        }
        let deadline_ms = entry.channel.deadline_ms();
        if deadline_ms == entry.deadline_ms {
            return;
        }
        if let Some(old) = entry.deadline_ms {
            self.deadlines.remove(&(old, link));
        }
        if let Some(new) = deadline_ms {
            self.deadlines.insert((new, link));
        }
        entry.deadline_ms = deadline_ms;
    }
}

impl Engine {
    /// Gives one input to one channel and acts on what comes out.
    pub(crate) fn drive(&mut self, link: LinkId, input: Input) {
        self.with_channel(link, |channel, env, out| channel.handle(input, env, out));
        self.batch.touched.insert(link);
    }

    /// Gives an operator's command to one channel, and acts on what comes out. `None` if there is
    /// no such channel.
    pub(crate) fn drive_command(
        &mut self,
        link: LinkId,
        command: Command,
    ) -> Option<Result<(), CommandRefusal>> {
        let result =
            self.with_channel(link, |channel, env, out| channel.operate(command, env, out));
        self.batch.touched.insert(link);
        result
    }

    /// Lets a channel send what waits in it.
    pub(crate) fn flush(&mut self, link: LinkId) {
        self.with_channel(link, |channel, env, out| channel.flush(env, out));
    }

    /// `None` if there is no such channel.
    fn with_channel<T>(
        &mut self,
        link: LinkId,
        act: impl FnOnce(&mut Channel, &Env<'_>, &mut Vec<Output>) -> T,
    ) -> Option<T> {
        let entry = self.channels.entries.get_mut(&link)?;
        let peer = entry.channel.remote();
        let local = &**entry.local.as_ref().unwrap_or(&self.node);
        let signer = &self.signer;
        let reads = |payee: &dyn Identity, add: &UpdateAddHtlc| {
            !matches!(peel(payee, &incoming_htlc(add)), Err(PeelError::Malformed { .. }))
        };
        let is_readable = |add: &UpdateAddHtlc| {
            reads(local, add) || reads(&*signer.invoice(&add.payment_hash), add)
        };
        let env = Env {
            local,
            is_readable: &is_readable,
            chain_hash: &self.config.chain_hash,
            height: self.height,
            searched_height: self.search.height(),
            now_ms: self.now_ms,
            max_capacity_sat: self.config.host.max_capacity_sat,
        };
        let mut outputs = Vec::new();
        let result = act(&mut entry.channel, &env, &mut outputs);
        self.channels.reindex(link);
        for output in outputs {
            self.output(link, peer, output);
        }
        Some(result)
    }

    fn output(&mut self, link: LinkId, peer: NodeId, output: Output) {
        let outgoing = |id| OutgoingHtlcId { link, id };
        match output {
            Output::Send(message) => self.send(&link, &message),
            Output::Changed => {
                self.changes += 1;
                self.batch.changed.insert(link);
            }
            Output::HtlcIncoming { add, taken_over } => self.incoming(link, &add, taken_over),
            Output::HtlcAdded { token, id } => self.htlc_added(token, outgoing(id)),
            Output::HtlcRefused { token, reason } => self.htlc_refused(token, link, reason),
            Output::HtlcFulfilled { id, preimage, tlvs } => {
                self.htlc_fulfilled(outgoing(id), preimage, &tlvs);
            }
            Output::HtlcFailed { id, failure } => self.htlc_failed(outgoing(id), failure),
            Output::HtlcDropped { id, cause } => self.htlc_dropped(outgoing(id), cause),
            Output::DataLost => self.data_lost(link, peer),
            Output::SettlementRecorded { id } => {
                self.settlement_recorded(IncomingHtlcId { link, id });
            }
            Output::Reconnect(reason) => self.reconnect(link, peer, reason),
            other => self.channel_news(link, peer, other),
        }
    }

    /// Outputs that change nothing about money: news for people, indices, policies.
    fn channel_news(&mut self, link: LinkId, peer: NodeId, output: Output) {
        let named = Some(link);
        match output {
            Output::Opened => self.channel_opened(link, peer),
            Output::OpeningFailed(reason) => self.opening_failed(link, reason),
            Output::Active => {
                self.batch.log(Level::Info, "channel_active", peer, "the channel is active");
                self.announce_policy(link);
                self.state_confirmed(link);
                self.act_on_deferred();
            }
            Output::Inactive => {
                self.batch.log(Level::Info, "channel_inactive", peer, "the channel is inactive");
            }
            Output::Suspended(suspension) => {
                self.claims_unsigned(link);
                self.suspended_at_start(link, suspension.code);
                let text = suspension.text.clone();
                self.batch.log(Level::Error, "channel_suspended", peer, text);
                self.notice(EventKind::ChannelSuspended { peer, link: named, suspension });
            }
            Output::PeerError(text) => self.batch.log(Level::Warn, "peer_error", peer, text),
            Output::ResizeRefused { reason } => {
                self.batch.log(Level::Warn, "resize_refused", peer, reason.clone());
                self.notice(EventKind::ResizeRefused { peer, link: named, reason });
            }
            Output::Resized { new_capacity_msat: capacity_msat } => {
                self.notice(EventKind::ChannelResized { peer, link: named, capacity_msat });
            }
            Output::OverrideProposed { our_balance_msat } => {
                self.notice(EventKind::OverrideProposed { peer, link: named, our_balance_msat });
            }
            Output::Overridden => {
                self.forget_held_forwards(&link);
                self.notice(EventKind::ChannelOverridden { peer, link: named });
            }
            Output::Evidence(evidence) => self.keep_evidence(link, peer, evidence),
            Output::HtlcsHeld { ids } => {
                let text = format!(
                    "nothing proves who offered the HTLCs {ids:?} of the state that was taken \
                     over: they are held, and end by an override"
                );
                self.batch.log(Level::Error, "htlcs_held", peer, text);
            }
            Output::ClaimsDropped { payment_hashes } => {
                let text = "the channel was overridden before the claim was signed: the agreed \
                            balance says whether it was paid";
                self.note_claims(payment_hashes, "claim_overridden", text);
            }
            Output::PreimageAtRisk { preimage, cltv_expiry, .. } => {
                let text = "an HTLC we claimed expires soon and the peer has not signed: publish \
                            its preimage (event preimage_at_risk)";
                self.batch.log(Level::Error, "preimage_at_risk", peer, text);
                let preimage = Some(preimage);
                self.notice(EventKind::PreimageAtRisk { peer, link: named, preimage, cltv_expiry });
            }
            // Kept in the channel's record; invoices read it from there.
            Output::PeerPolicy(_) => {}
            // Handled by `output`.
            _ => {}
        }
    }

    fn channel_opened(&mut self, link: LinkId, peer: NodeId) {
        let Some(entry) = self.channels.get(&link) else {
            return impossible!("a channel that was opened is there");
        };
        let role = entry.channel.role();
        let capacity_msat = entry.channel.summary().capacity_msat;
        self.quotas.end(&link, true);
        self.notice(EventKind::ChannelOpened { peer, link: Some(link), role, capacity_msat });
    }

    fn reconnect(&mut self, link: LinkId, peer: NodeId, reason: String) {
        self.batch.log(Level::Warn, "out_of_step", peer, reason.clone());
        let Some(entry) = self.channels.get(&link) else { return };
        let Some(conn) = entry.conn else { return };
        self.hang_up(conn, reason, false);
    }

    /// One row for each channel that changed in this batch, whatever it went through.
    pub(crate) fn write_changed_channels(&mut self) {
        for link in std::mem::take(&mut self.batch.changed) {
            let Some(entry) = self.channels.get(&link) else { continue };
            let channel = &entry.channel;
            // A host remembers nobody before both have signed: openings cost the client.
            if channel.state().is_none() && channel.role() == Role::Host {
                continue;
            }
            let balances = channel
                .state()
                .map_or((0, 0), |state| (state.local_balance_msat, state.remote_balance_msat));
            let row = ChannelRow {
                link,
                peer: channel.remote(),
                identity: entry.identity(),
                role: channel.role(),
                phase: channel.phase(),
                short_channel_id: channel.scid(),
                local_balance_msat: balances.0,
                remote_balance_msat: balances.1,
                record: channel.record(),
            };
            self.batch.writes.put(Row::Channel(row));
        }
    }

    /// True if HTLCs can be offered in this channel now.
    pub(crate) fn is_active(&self, link: &LinkId) -> bool {
        self.channels.get(link).is_some_and(|entry| entry.channel.phase() == Phase::Active)
    }

    /// True if nothing new may begin in this channel until a person acts.
    pub(crate) fn is_suspended(&self, link: &LinkId) -> bool {
        self.channels.get(link).is_some_and(|entry| entry.channel.phase() == Phase::Suspended)
    }

    /// Our identity in this channel.
    pub(crate) fn local_of(&self, link: &LinkId) -> Arc<dyn Identity> {
        let local = self.channels.get(link).and_then(|entry| entry.local.as_ref());
        Arc::clone(local.unwrap_or(&self.node))
    }

    /// The other side of this channel, for the log; `None` if the channel is gone.
    pub(crate) fn peer_of(&self, link: &LinkId) -> Option<NodeId> {
        self.channels.get(link).map(|entry| entry.channel.remote())
    }
}
