//! The channels of the node, the indices that find them, and how inputs reach them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use bitcoin::hashes::{Hash, sha256};
use steward_hosted::{Channel, Command, CommandRefusal, Env, Output, Phase, Role};
use steward_htlc::{
    IncomingHtlc, IncomingHtlcId, LinkEvent, LinkInput, OutgoingHtlc, OutgoingHtlcId,
};
use steward_wire::{Identity, LinkId, NodeId, ShortChannelId, impossible, invariant};

use crate::context::Context;
use crate::face::code::Code;
use crate::face::error::Error;
use crate::face::event::EventKind;
use crate::face::io::{ConnId, Level};
use crate::face::limits::COST_OF_REFUSAL;
use crate::face::row::{ChannelRow, LocalIdentity, Row, RowKey};
use crate::htlc::onion::is_readable;
use crate::link::hosted::{Reporter, report};
use crate::link::totals::{Share, Totals};
use crate::step::{Disconnect, NewLink, Step};

/// One channel and what the engine knows about its peer.
pub(crate) struct Link {
    channel: Channel,
    /// Our identity in it, if it is not the node's.
    local: Option<Arc<dyn Identity>>,
    /// The peer's present connection.
    conn: Option<ConnId>,
    /// As registered in [`Links::deadlines`].
    deadline_ms: Option<u64>,
    /// A peer that has never shown a framing did not answer in one: try the other one next.
    try_other_framing: bool,
    /// As added to [`Links::totals`].
    share: Share,
}

impl Link {
    /// The channel itself.
    pub(crate) fn channel(&self) -> &Channel {
        &self.channel
    }

    /// The peer's present connection.
    pub(crate) fn conn(&self) -> Option<ConnId> {
        self.conn
    }

    /// True if a guess how the peer frames its messages must be another one than the last.
    pub(crate) fn tries_other_framing(&self) -> bool {
        self.try_other_framing
    }

    /// True if both sides have signed a first state.
    pub(crate) fn is_open(&self) -> bool {
        self.channel.state().is_some()
    }

    /// True if HTLCs can be offered in it now.
    pub(crate) fn is_active(&self) -> bool {
        self.channel.phase() == Phase::Active
    }

    /// True if nothing new may begin in it until a person acts.
    pub(crate) fn is_suspended(&self) -> bool {
        self.channel.phase() == Phase::Suspended
    }

    /// True if it becomes active by itself once its peer is back.
    pub(crate) fn awaits_peer(&self) -> bool {
        matches!(self.channel.phase(), Phase::Offline | Phase::Syncing)
    }

    /// True for a channel with a client of ours.
    pub(crate) fn is_host(&self) -> bool {
        self.channel.role() == Role::Host
    }

    fn row(&self) -> ChannelRow {
        let channel = &self.channel;
        let balances = channel
            .state()
            .map_or((0, 0), |state| (state.local_balance_msat, state.remote_balance_msat));
        ChannelRow {
            link: channel.channel_id().into(),
            peer: channel.remote(),
            identity: self.identity(),
            role: channel.role(),
            phase: channel.phase(),
            short_channel_id: channel.scid(),
            local_balance_msat: balances.0,
            remote_balance_msat: balances.1,
            record: channel.record(),
        }
    }

    /// The key of ours by which we are known in the channel.
    fn identity(&self) -> LocalIdentity {
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
pub(crate) struct Links {
    /// Boxed: a tree's nodes are half empty, and an entry is large.
    entries: BTreeMap<LinkId, Box<Link>>,
    /// The channels with each node.
    by_peer: BTreeSet<(NodeId, LinkId)>,
    by_scid: BTreeMap<ShortChannelId, LinkId>,
    /// The channels with hosts of ours.
    with_hosts: BTreeSet<LinkId>,
    /// Sums over all channels.
    totals: Totals,
    /// The channels that have changed since their shares were added.
    with_old_share: BTreeSet<LinkId>,
    /// Channels that want a tick, by when.
    deadlines: BTreeSet<(u64, LinkId)>,
    /// Channels with HTLCs, or connected: those that care about blocks.
    connected_or_in_flight: BTreeSet<LinkId>,
    /// Channels of clients that have not finished opening, and the refund script each would have.
    opening: BTreeMap<LinkId, Option<ScriptMark>>,
    /// The refund scripts of our clients' channels.
    scripts: BTreeSet<ScriptMark>,
    /// Channels that got an input and must be flushed.
    touched: BTreeSet<LinkId>,
    /// Channels whose record must be written.
    changed: BTreeSet<LinkId>,
    /// Counts changes of channels' records.
    changes: u64,
}

/// Stands for a refund script: half of its SHA-256. A client that finds two scripts with one mark
/// has found two of its own that cannot both be used.
pub(crate) type ScriptMark = [u8; 16];

fn script_mark(script: &[u8]) -> ScriptMark {
    let [mark, _] = *sha256::Hash::hash(script).to_byte_array().as_chunks().0 else {
        return ScriptMark::default();
    };
    mark
}

impl Links {
    /// As found at start.
    pub(crate) fn restore(&mut self, cx: &Context, row: &ChannelRow) -> Result<(), Error> {
        let channel = Channel::from_record(&row.record).map_err(|error| {
            let text =
                format!("the record of the channel with {} is unreadable: {error}", row.peer);
            Error::new(Code::ChannelRecordUnreadable, text)
                .hint("the database is damaged: restore a backup, and only a recent one")
        })?;
        let local = cx.towards_host(&row.peer, row.identity);
        if local.as_ref().map_or(cx.node_id(), |local| local.node_id()) != channel.local() {
            let text = format!("the seed does not fit the channel with {}", row.peer);
            return Err(Error::new(Code::SeedMismatch, text));
        }
        self.insert(channel, local);
        Ok(())
    }

    /// Adds a channel of which nothing is stored yet.
    pub(crate) fn open(&mut self, new: NewLink) {
        let link = LinkId::from(new.channel.channel_id());
        let is_client = new.channel.role() == Role::Client;
        self.insert(new.channel, new.local);
        if is_client {
            self.changed.insert(link);
        }
        if let Some(script) = new.wanted_script {
            self.want_script(link, &script);
        }
    }

    fn insert(&mut self, channel: Channel, local: Option<Arc<dyn Identity>>) {
        let link = LinkId::from(channel.channel_id());
        self.by_peer.insert((channel.remote(), link));
        self.by_scid.insert(channel.scid(), link);
        if channel.role() == Role::Client {
            self.with_hosts.insert(link);
        }
        let share = Share::of(&channel);
        self.totals.add(&share);
        let (conn, deadline_ms, try_other_framing) = (None, None, false);
        let entry = Link { channel, local, conn, deadline_ms, try_other_framing, share };
        self.scripts.extend(entry.script());
        self.entries.insert(link, Box::new(entry));
        self.reindex(link);
    }

    /// Forgets a channel, and everything of it that was still to be written or sent.
    pub(crate) fn remove(&mut self, link: &LinkId) {
        let Some(entry) = self.entries.remove(link) else {
            return impossible!("a channel that is forgotten was there");
        };
        self.by_peer.remove(&(entry.channel.remote(), *link));
        self.by_scid.remove(&entry.channel.scid());
        self.with_hosts.remove(link);
        self.totals.subtract(&entry.share);
        self.connected_or_in_flight.remove(link);
        self.opening.remove(link);
        self.touched.remove(link);
        self.changed.remove(link);
        if let Some(mark) = entry.script() {
            self.scripts.remove(&mark);
        }
        if let Some(deadline_ms) = entry.deadline_ms {
            self.deadlines.remove(&(deadline_ms, *link));
        }
    }

    /// True if no client's open channel has this refund script. Those that are being opened have
    /// none yet: an opening that is begun and never finished must keep no client out.
    pub(crate) fn is_script_free(&self, script: &[u8]) -> bool {
        !self.scripts.contains(&script_mark(script))
    }

    /// The refund script that a channel which is being opened would have.
    pub(crate) fn want_script(&mut self, link: LinkId, script: &[u8]) {
        if let Some(wanted) = self.opening.get_mut(&link) {
            *wanted = Some(script_mark(script));
        }
    }

    /// Stands for the refund script that a channel which is being opened would have.
    pub(crate) fn wanted_script(&self, link: &LinkId) -> Option<ScriptMark> {
        self.opening.get(link).copied().flatten()
    }

    /// True if a client's open channel has the refund script of this mark.
    pub(crate) fn has_script(&self, mark: &ScriptMark) -> bool {
        self.scripts.contains(mark)
    }

    pub(crate) fn get(&self, link: &LinkId) -> Option<&Link> {
        self.entries.get(link).map(Box::as_ref)
    }

    pub(crate) fn by_scid(&self, scid: ShortChannelId) -> Option<LinkId> {
        self.by_scid.get(&scid).copied()
    }

    /// All channels with one node.
    pub(crate) fn with_peer(&self, peer: &NodeId) -> impl Iterator<Item = (LinkId, &Link)> {
        let all = (*peer, LinkId([0; 32]))..=(*peer, LinkId([0xff; 32]));
        self.by_peer
            .range(all)
            .filter_map(|(_, link)| Some((*link, self.entries.get(link)?.as_ref())))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&LinkId, &Link)> {
        self.entries.iter().map(|(link, entry)| (link, entry.as_ref()))
    }

    /// The channels after this one, or all, in the order of their ids.
    pub(crate) fn after(&self, after: Option<LinkId>) -> impl Iterator<Item = &Link> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.entries.range((start, Bound::Unbounded)).map(|(_, entry)| entry.as_ref())
    }

    /// The channels with hosts of ours.
    pub(crate) fn with_hosts(&self) -> impl Iterator<Item = &Link> {
        self.with_hosts.iter().filter_map(|link| self.get(link))
    }

    /// Sums over all channels, as they were when [`Self::refresh_totals`] was called.
    pub(crate) fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Adds the new shares of the channels that have changed: once a batch and before an operator's
    /// command, since a share costs more than most changes.
    pub(crate) fn refresh_totals(&mut self) {
        while let Some(link) = self.with_old_share.pop_first() {
            // One that is removed takes its share along.
            let Some(entry) = self.entries.get_mut(&link) else { continue };
            let share = Share::of(&entry.channel);
            if share != entry.share {
                self.totals.subtract(&entry.share);
                self.totals.add(&share);
                entry.share = share;
            }
        }
    }

    /// Checks that the sums kept are those of all channels as they are.
    pub(crate) fn check_totals(&self) {
        let mut walked = Totals::default();
        self.entries.values().for_each(|entry| walked.add(&Share::of(&entry.channel)));
        invariant!(self.totals == walked, "totals {:?} are the sums {walked:?}", self.totals);
    }

    /// Channels that are connected or have HTLCs; all active ones are among them.
    pub(crate) fn connected_or_in_flight(&self) -> impl Iterator<Item = (&LinkId, &Link)> {
        self.connected_or_in_flight
            .iter()
            .filter_map(|link| Some((link, self.entries.get(link)?.as_ref())))
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// True if HTLCs can be offered in this channel now.
    pub(crate) fn is_active(&self, link: &LinkId) -> bool {
        self.get(link).is_some_and(Link::is_active)
    }

    /// True if nothing new may begin in this channel until a person acts.
    pub(crate) fn is_suspended(&self, link: &LinkId) -> bool {
        self.get(link).is_some_and(Link::is_suspended)
    }

    /// True if a signed channel joins us with this peer.
    pub(crate) fn has_open(&self, peer: &NodeId) -> bool {
        self.with_peer(peer).any(|(_, entry)| entry.is_open())
    }

    /// The peer's present connection.
    pub(crate) fn conn_of(&self, link: &LinkId) -> Option<ConnId> {
        self.get(link)?.conn
    }

    /// The peer of this channel; `None` if the channel is gone.
    pub(crate) fn peer_of(&self, link: &LinkId) -> Option<NodeId> {
        self.get(link).map(|entry| entry.channel.remote())
    }

    /// Our identity in this channel.
    pub(crate) fn local_of<'a>(&'a self, cx: &'a Context, link: &LinkId) -> &'a dyn Identity {
        let local = self.get(link).and_then(|entry| entry.local.as_ref());
        &**local.unwrap_or(cx.node())
    }

    /// An incoming HTLC, if it is in its channel.
    pub(crate) fn incoming(&self, htlc: &IncomingHtlcId) -> Option<IncomingHtlc<'_>> {
        self.get(&htlc.link)?.channel.incoming_htlcs().find(|found| found.htlc.id == htlc.id)
    }

    /// An HTLC that we offered, if it is in its channel.
    pub(crate) fn outgoing(&self, htlc: &OutgoingHtlcId) -> Option<OutgoingHtlc<'_>> {
        self.get(&htlc.link)?.channel.outgoing_htlcs().find(|found| found.htlc.id == htlc.id)
    }

    /// The channels whose record must be written.
    pub(crate) fn changed(&self) -> impl Iterator<Item = &LinkId> {
        self.changed.iter()
    }

    /// The number of times that a channel's record has changed.
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// The height, or the height searched up to, changed.
    pub(crate) fn push_blocks(&self, cx: &mut Context) {
        self.connected_or_in_flight
            .iter()
            .for_each(|link| cx.push(Step::Drive(*link, Box::new(LinkInput::Block))));
    }

    /// Tells the time to the channels whose deadline has come.
    pub(crate) fn push_ticks(&self, cx: &mut Context) {
        let now_ms = cx.now_ms();
        let due = self.deadlines.iter().take_while(|(at_ms, _)| *at_ms <= now_ms);
        due.for_each(|(_, link)| cx.push(Step::Drive(*link, Box::new(LinkInput::Tick))));
    }

    pub(crate) fn next_deadline_ms(&self) -> Option<u64> {
        self.deadlines.first().map(|(at_ms, _)| *at_ms)
    }

    /// Brings the indices in line with the channel after it changed.
    fn reindex(&mut self, link: LinkId) {
        let Some(entry) = self.entries.get_mut(&link) else {
            return impossible!("a channel whose indices are set is there");
        };
        if entry.conn.is_some() || entry.channel.has_htlcs() {
            self.connected_or_in_flight.insert(link);
        } else {
            self.connected_or_in_flight.remove(&link);
        }
        if entry.channel.role() == Role::Host && entry.channel.state().is_none() {
            self.opening.entry(link).or_default();
        } else if self.opening.remove(&link).is_some() {
            self.scripts.extend(entry.script());
        }
        self.with_old_share.insert(link);
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

impl Links {
    /// The peer of a channel is connected.
    pub(crate) fn connect(&mut self, cx: &mut Context, link: LinkId, conn: ConnId) {
        // An opening that ended with the last connection is gone.
        let Some(entry) = self.entries.get_mut(&link) else { return };
        entry.conn = Some(conn);
        self.drive(cx, link, LinkInput::Connected);
    }

    /// A connection of the channel's peer is gone. If the peer never showed a framing, on this
    /// connection or an earlier one, and left us without an answer, our guess may be why: an eclair
    /// node stops reading after a message that it cannot frame.
    pub(crate) fn disconnect(&mut self, cx: &mut Context, gone: &Disconnect) {
        // A channel may have been forgotten before its connection ended.
        let Some(entry) = self.entries.get_mut(&gone.link) else { return };
        // A late report of an old connection's end must not touch the new one.
        if entry.conn != Some(gone.conn) {
            return;
        }
        entry.try_other_framing ^= gone.is_unanswered;
        entry.conn = None;
        self.drive(cx, gone.link, LinkInput::Disconnected);
        if !gone.is_replaced {
            cx.push(Step::ForgetOpening(gone.link));
        }
    }

    /// Gives one input to one channel and reports the outputs.
    pub(crate) fn drive(&mut self, cx: &mut Context, link: LinkId, input: LinkInput) {
        self.act_on(cx, link, |channel, env, out| channel.handle(input, env, out));
    }

    /// As client: the host does not give the capacity we asked for.
    pub(crate) fn resize_refused(&mut self, cx: &mut Context, link: LinkId, reason: String) {
        self.act_on(cx, link, |channel, env, out| channel.resize_refused(reason, env, out));
    }

    /// Gives an operator's command to one channel, and reports the outputs. Returns `None` if there
    /// is no such channel.
    pub(crate) fn operate(
        &mut self,
        cx: &mut Context,
        link: LinkId,
        command: Command,
    ) -> Option<Result<(), CommandRefusal>> {
        self.act_on(cx, link, |channel, env, out| channel.operate(command, env, out))
    }

    /// Lets one of the channels that got an input send its waiting updates. Returns false if there
    /// is none.
    pub(crate) fn flush_next(&mut self, cx: &mut Context) -> bool {
        let Some(link) = self.touched.pop_first() else { return false };
        self.act_on(cx, link, |channel, env, out| channel.handle(LinkInput::Flush, env, out));
        self.touched.remove(&link);
        true
    }

    /// Returns `None` if there is no such channel: it may have been forgotten since.
    fn act_on<T>(
        &mut self,
        cx: &mut Context,
        link: LinkId,
        act: impl FnOnce(&mut Channel, &Env<'_>, &mut Vec<Output>) -> T,
    ) -> Option<T> {
        let entry = self.entries.get_mut(&link)?;
        let local = &**entry.local.as_ref().unwrap_or(cx.node());
        let env = Env {
            local,
            is_readable: &|add| is_readable(cx.signer(), local, add),
            chain_hash: &cx.config().chain_hash,
            height: cx.height(),
            searched_height: cx.tip().searched_height(),
            now_ms: cx.now_ms(),
            max_capacity_sat: cx.config().host.max_capacity_sat,
        };
        let mut outputs = Vec::new();
        let result = act(&mut entry.channel, &env, &mut outputs);
        let reporter = Reporter { link, channel: &entry.channel, conn: entry.conn };
        for output in outputs {
            if matches!(output, Output::Link(LinkEvent::Changed)) {
                self.changes += 1;
                self.changed.insert(link);
            } else {
                report(cx, &reporter, output);
            }
        }
        self.touched.insert(link);
        self.reindex(link);
        Some(result)
    }

    /// People have to find out whether an HTLC was forwarded, and with what success.
    pub(crate) fn hold(&mut self, cx: &mut Context, htlc: IncomingHtlcId) {
        // The incoming channel may have been overridden, and forgotten, since.
        if self.incoming(&htlc).is_none() {
            return;
        }
        let text = format!("HTLC {} may have been forwarded before our data was lost", htlc.id);
        cx.log(Level::Error, "forward_unknown", self.peer_of(&htlc.link), text);
        if let Some(Err(refusal)) = self.operate(cx, htlc.link, Command::Suspend) {
            impossible!("a channel with an HTLC is open: {refusal}");
        }
    }

    /// As host we keep nothing of an opening that ended with its connection.
    pub(crate) fn forget_opening(&mut self, cx: &mut Context, link: LinkId) {
        let is_unfinished =
            self.get(&link).is_some_and(|entry| !entry.is_open() && entry.is_host());
        if is_unfinished {
            cx.push(Step::OpeningEnded { link, is_open: false });
            self.remove(&link);
        }
    }

    /// An opening ended without a channel.
    pub(crate) fn opening_failed(&mut self, cx: &mut Context, link: LinkId, reason: String) {
        let Some(entry) = self.get(&link) else {
            return impossible!("an opening that failed is there");
        };
        let (peer, local) = (entry.channel.remote(), entry.channel.local());
        cx.log(Level::Warn, "opening_failed", peer, reason.clone());
        if entry.is_host() {
            if let Some(conn) = entry.conn {
                cx.push(Step::Bear(conn, COST_OF_REFUSAL));
            }
        } else {
            cx.notice(EventKind::ChannelOpeningFailed { peer, link: Some(link), reason });
            cx.delete(RowKey::Channel(link));
            // We do not keep a host connected that refused: the operator names it again to ask
            // again.
            cx.push(Step::DropPeer { peer, local });
        }
        cx.push(Step::OpeningEnded { link, is_open: false });
        self.remove(&link);
    }

    /// Writes one row for each channel that changed in this batch, however often it changed.
    pub(crate) fn write_changed(&mut self, cx: &mut Context) {
        for link in std::mem::take(&mut self.changed) {
            let Some(entry) = self.get(&link) else {
                impossible!("a channel that is forgotten is not written");
                continue;
            };
            // A host stores no channel before both have signed: openings cost the client.
            if entry.is_open() || !entry.is_host() {
                cx.put(Row::Channel(entry.row()));
            }
        }
    }
}
