//! The engine itself: its state, the inputs it dispatches and the batch it closes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use steward_hosted::AddToken;
use steward_wire::{Identity, IncomingHtlcId, LinkId, NodeId, OutgoingHtlcId, PaymentHash};

use crate::batch::Batch;
use crate::channels::Channels;
use crate::clock::Clock;
use crate::config::Config;
use crate::evidence::EvidenceIndex;
use crate::forget::Forgotten;
use crate::forward::Forward;
use crate::incoming::Waiting;
use crate::io::{ConnId, Effects, EventKind, Input, Level, Time};
use crate::limits::{SWEEP_INTERVAL_MS, TIMER_INTERVAL_MS};
use crate::lost_data::Confirmation;
use crate::opening::Quotas;
use crate::payments::Payments;
use crate::peers::Connection;
use crate::preimages::Preimages;
use crate::receive::IncomingSet;
use crate::row::{InvoiceRow, LocalIdentity, Origin, PeerRow, Row, Setting};
use crate::search::Search;
use crate::signer::Signer;

/// All channels of one node and what joins them (design.md section 3).
pub struct Engine {
    pub(crate) config: Config,
    pub(crate) signer: Box<dyn Signer>,
    /// Our identity as host.
    pub(crate) node: Arc<dyn Identity>,
    pub(crate) node_id: NodeId,
    /// The last tick on the clock that nobody sets: everything that is waited for.
    pub(crate) now_ms: u64,
    /// Unix time, milliseconds, of the last tick: everything that has a date.
    pub(crate) wall_ms: u64,
    pub(crate) clock: Clock,
    /// When the chain source was last asked and then answered, by `now_ms`.
    pub(crate) chain_asked_ms: Option<u64>,
    pub(crate) height: u32,
    pub(crate) search: Search,
    /// True until the chain source first spoke, and whenever it shows no news.
    pub(crate) tip_is_stale: bool,
    /// False on a new node until the chain source first spoke: without a height, no state can be
    /// dated and no channel opened.
    pub(crate) height_is_known: bool,
    pub(crate) channels: Channels,
    pub(crate) connections: BTreeMap<ConnId, Connection>,
    /// Whom we keep a connection to.
    pub(crate) peers: BTreeMap<(NodeId, LocalIdentity), PeerRow>,
    /// Addresses given since the start at which nobody with the peer's key has answered yet.
    pub(crate) given_addresses: BTreeMap<(NodeId, LocalIdentity), Vec<String>>,
    pub(crate) quotas: Quotas,
    /// Clients whose used channels were forgotten. We signed states for them that would be worth
    /// money again if they were let in.
    pub(crate) forgotten: Forgotten,
    /// Where each HTLC that we offered comes from.
    pub(crate) origins: BTreeMap<OutgoingHtlcId, Origin>,
    /// HTLCs handed to a channel that has not given them an id yet.
    pub(crate) unsent: BTreeMap<AddToken, Origin>,
    /// Forwards that have not ended, by their incoming HTLC.
    pub(crate) forwards: BTreeMap<IncomingHtlcId, Forward>,
    /// Settlements the incoming channel has not recorded yet.
    pub(crate) outbox: BTreeMap<IncomingHtlcId, Waiting>,
    /// Counts changes of channels' records.
    pub(crate) changes: u64,
    /// Counts batches from 1.
    pub(crate) batch_number: u64,
    /// Incoming HTLCs of the first moments after a start, to be acted upon once the height is
    /// known and the channel they are to be forwarded in, if any, is active again.
    pub(crate) deferred: BTreeMap<IncomingHtlcId, Option<LinkId>>,
    /// When that channel is not waited for any longer, by `now_ms`.
    pub(crate) deferred_until_ms: u64,
    pub(crate) confirmation: Confirmation,
    pub(crate) preimages: Preimages,
    /// Invoices that are not paid and not long expired.
    pub(crate) invoices: BTreeMap<PaymentHash, InvoiceRow>,
    /// Parts held until the rest of their payment comes.
    pub(crate) receives: BTreeMap<PaymentHash, IncomingSet>,
    pub(crate) payments: Payments,
    pub(crate) batch: Batch,
    pub(crate) last_token: u64,
    pub(crate) last_event: u64,
    pub(crate) last_evidence: u64,
    /// Clients that are still to be told a policy that changed.
    pub(crate) policy_untold: BTreeSet<LinkId>,
    /// The date of the last update told, and of the first with the present policy, unix seconds.
    pub(crate) policy_told_s: u32,
    pub(crate) policy_since_s: u32,
    pub(crate) evidence: EvidenceIndex,
    /// When held parts must be looked at next, by `now_ms`.
    pub(crate) next_timer_ms: u64,
    /// When memory is swept next, by `now_ms`.
    pub(crate) next_sweep_ms: u64,
}

impl Engine {
    /// Takes one input. Its effects gather until [`Engine::finish`].
    pub fn handle(&mut self, input: Input) {
        match input {
            Input::PeerConnected { conn, peer, local, features, inbound, address } => {
                let connection =
                    Connection::new(peer, local, features, inbound, address, self.now_ms);
                self.peer_connected(conn, connection);
            }
            Input::PeerDisconnected { conn } => self.peer_disconnected(conn),
            Input::Frames { conn, frames } => {
                for (message_type, payload) in frames {
                    self.frame(conn, message_type, &payload);
                }
            }
            Input::Command { reply, command } => self.answer(reply, command),
            Input::Chain { height, stale, asked_ms } => {
                self.chain_answered(asked_ms);
                self.chain(height, stale);
            }
            Input::PeerWarning { conn, text } => self.warned(conn, text),
            Input::Tick(time) => self.tick(time),
            Input::Route { payment, attempt, result } => {
                self.route_found(payment, attempt, result);
            }
            Input::Searched { to_height, preimages } => self.searched(to_height, &preimages),
        }
    }

    /// Ends the batch: every channel sends what it has under one signature, and everything the
    /// batch decided is handed over, writes first.
    pub fn finish(&mut self) -> Effects {
        while let Some(link) = self.batch.touched.pop_first() {
            self.flush(link);
        }
        self.write_changed_channels();
        for bug in steward_wire::invariant::take() {
            self.batch.log(Level::Error, "bug", None, bug.to_string());
        }
        let mut effects = self.batch.take();
        effects.wakeup_ms = self.next_wakeup_ms();
        self.batch_number += 1;
        effects
    }

    /// Our identity as host.
    pub fn node_id(&self) -> NodeId {
        self.node_id
    }

    fn chain(&mut self, height: u32, stale: bool) {
        self.tip_is_stale = stale;
        self.height_is_known = true;
        if height != self.height {
            self.height = height;
            self.batch.writes.put(Row::Setting(Setting::Height(height)));
            self.search_to_tip();
            self.drive_blocks();
        }
        self.act_on_deferred();
        self.claim_held();
    }

    /// The height, or the height searched up to, changed.
    pub(crate) fn drive_blocks(&mut self) {
        for link in self.channels.wanting_blocks() {
            self.drive(link, steward_hosted::Input::Block);
        }
    }

    /// Timers run only when one is due, so that a tick may precede every batch.
    fn tick(&mut self, time: Time) {
        self.set_time(time);
        for link in self.channels.due(self.now_ms) {
            self.drive(link, steward_hosted::Input::Tick);
        }
        self.tell_policy();
        if self.now_ms >= self.next_timer_ms {
            self.time_out_incoming_sets();
            self.act_on_deferred();
            self.next_timer_ms = self.now_ms.saturating_add(TIMER_INTERVAL_MS);
        }
        if self.now_ms >= self.next_sweep_ms {
            self.drop_expired_invoices();
            self.payments.forget_ended(self.now_ms);
            self.next_sweep_ms = self.now_ms.saturating_add(SWEEP_INTERVAL_MS);
        }
    }

    fn next_wakeup_ms(&self) -> Option<u64> {
        let is_starting = self.now_ms < self.deferred_until_ms;
        let is_waiting = !self.receives.is_empty() || (is_starting && !self.deferred.is_empty());
        let timers = is_waiting.then_some(self.next_timer_ms);
        let policy = (!self.policy_untold.is_empty()).then_some(self.now_ms);
        [self.channels.next_deadline_ms(), timers, policy].into_iter().flatten().min()
    }

    pub(crate) fn notice(&mut self, kind: EventKind) {
        self.last_event += 1;
        self.batch.notice(self.last_event, self.wall_ms, kind);
    }
}
