//! The context of every part of the engine: the configuration, our keys, the clocks, the chain's
//! tip, the preimages we know, the batch that gathers effects, and the queue of steps.

use std::collections::VecDeque;
use std::sync::Arc;

use steward_wire::{Identity, Message, NodeId, PaymentHash, Preimage};

use crate::context::batch::Batch;
use crate::context::clock::{Clock, Passed};
use crate::context::preimages::Preimages;
use crate::context::tip::Tip;
use crate::face::config::Config;
use crate::face::event::{Event, EventKind};
use crate::face::io::{Action, ConnId, Effects, Level, Time};
use crate::face::row::{LocalIdentity, Row, RowKey, Setting, StoredState};
use crate::face::signer::Signer;
use crate::step::Step;

mod batch;
mod clock;
mod preimages;
mod tip;

/// The context of every part of the engine.
pub(crate) struct Context {
    config: Config,
    signer: Box<dyn Signer>,
    /// Our identity as host.
    node: Arc<dyn Identity>,
    node_id: NodeId,
    clock: Clock,
    tip: Tip,
    preimages: Preimages,
    batch: Batch,
    /// Counts batches from 1.
    batch_number: u64,
    last_event: u64,
    /// The steps that the parts ask of each other, first in, first out.
    steps: VecDeque<Step>,
}

impl Context {
    pub(crate) fn new(
        config: Config,
        signer: Box<dyn Signer>,
        stored: &StoredState,
        time: Time,
    ) -> Self {
        let node = signer.node();
        Self {
            config,
            node_id: node.node_id(),
            node,
            signer,
            clock: Clock::new(time),
            tip: Tip::resume(stored.height, stored.searched_height),
            preimages: Preimages::resume(&stored.preimages),
            batch: Batch::default(),
            batch_number: 1,
            last_event: stored.last_event,
            steps: VecDeque::new(),
        }
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn set_config(&mut self, config: Config) {
        self.config = config;
    }

    pub(crate) fn signer(&self) -> &dyn Signer {
        self.signer.as_ref()
    }

    /// Our identity as host.
    pub(crate) fn node(&self) -> &Arc<dyn Identity> {
        &self.node
    }

    /// Our identity towards this host, if it is not the node's.
    pub(crate) fn towards_host(
        &self,
        host: &NodeId,
        identity: LocalIdentity,
    ) -> Option<Arc<dyn Identity>> {
        match identity {
            LocalIdentity::Node => None,
            LocalIdentity::PerHost => Some(self.signer.towards_host(host)),
        }
    }

    /// Our id towards this peer.
    pub(crate) fn local_towards(&self, peer: &NodeId, identity: LocalIdentity) -> NodeId {
        let local = self.towards_host(peer, identity);
        local.map_or(self.node_id, |local| local.node_id())
    }

    /// The key of ours to which this id of ours belongs.
    pub(crate) fn identity_of(&self, local: &NodeId) -> LocalIdentity {
        match *local == self.node_id {
            true => LocalIdentity::Node,
            false => LocalIdentity::PerHost,
        }
    }

    /// Our id as host.
    pub(crate) fn node_id(&self) -> NodeId {
        self.node_id
    }

    /// The last tick on the clock that no person sets, in milliseconds: all waiting goes by it.
    pub(crate) fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    /// The Unix time of the last tick, in milliseconds: everything that has a date goes by it.
    pub(crate) fn wall_ms(&self) -> u64 {
        self.clock.wall_ms()
    }

    /// The Unix time to forget by, in milliseconds: a jump ahead counts only when it has lasted.
    pub(crate) fn believed_wall_ms(&self) -> u64 {
        self.clock.believed_wall_ms()
    }

    /// True just after a start: peers are still coming back.
    pub(crate) fn is_starting(&self) -> bool {
        self.clock.is_starting()
    }

    /// Takes the time over; tells if the wall clock jumped or the machine was asleep. Either way
    /// what is known of the chain may be old.
    pub(crate) fn set_time(&mut self, time: Time) {
        match self.clock.set(time) {
            Passed::Nothing => {}
            Passed::Sleep => self.act(Action::AskChain),
            Passed::Jump { by_ms, is_told } => self.clock_jumped(by_ms, is_told),
        }
    }

    fn clock_jumped(&mut self, by_ms: i64, is_told: bool) {
        self.tip.forget_answers(self.clock.now_ms());
        self.act(Action::AskChain);
        let direction = if by_ms < 0 { "back" } else { "ahead" };
        let text = format!(
            "the wall clock jumped {direction} by {} s: dates follow it, whatever waits does not",
            by_ms.unsigned_abs() / 1000
        );
        self.log(Level::Warn, "clock_jumped", None, text);
        if is_told {
            self.notice(EventKind::ClockJumped { by_ms });
        }
    }

    /// The chain as far as we know it.
    pub(crate) fn tip(&self) -> &Tip {
        &self.tip
    }

    /// The best height.
    pub(crate) fn height(&self) -> u32 {
        self.tip.height()
    }

    pub(crate) fn chain_age_ms(&self) -> Option<u64> {
        self.tip.age_ms(self.clock.now_ms())
    }

    /// True if the chain source was asked a moment ago, the machine's sleep included.
    pub(crate) fn is_chain_fresh(&self) -> bool {
        self.tip.is_fresh(self.clock.now_ms())
    }

    /// Takes an answer of the chain source over. True if the height is another one.
    pub(crate) fn chain_answered(
        &mut self,
        height: u32,
        is_stale: bool,
        asked_ms: Option<u64>,
    ) -> bool {
        let has_moved = self.tip.answered(height, is_stale, asked_ms);
        if has_moved {
            self.put(Row::Setting(Setting::Height(height)));
        }
        has_moved
    }

    /// Blocks up to this height hold no preimage that we miss.
    pub(crate) fn set_searched_height(&mut self, height: u32) {
        if self.tip.searched(height) {
            self.put(Row::Setting(Setting::SearchedHeight(height)));
        }
    }

    /// The preimage with this hash, if it is known.
    pub(crate) fn preimage(&self, hash: &PaymentHash) -> Option<Preimage> {
        self.preimages.get(hash)
    }

    /// Stores a preimage before anything is done with it.
    pub(crate) fn learn(&mut self, preimage: Preimage) {
        if self.preimages.insert(preimage) {
            // The store forgets old preimages by it: a date of next year, had for a moment, would
            // make all others old.
            let learned_ms = self.believed_wall_ms();
            self.put(Row::Preimage { preimage, learned_ms });
        }
    }

    /// Asks the owner of a step for it. Steps are taken in the order in which they were asked for.
    pub(crate) fn push(&mut self, step: Step) {
        self.steps.push_back(step);
    }

    pub(crate) fn next_step(&mut self) -> Option<Step> {
        self.steps.pop_front()
    }

    /// The number of the batch that is being gathered, counted from 1.
    pub(crate) fn batch_number(&self) -> u64 {
        self.batch_number
    }

    /// Sets a row in the commit of this batch.
    pub(crate) fn put(&mut self, row: Row) {
        self.batch.put(row);
    }

    /// Removes a row in the commit of this batch.
    pub(crate) fn delete(&mut self, key: RowKey) {
        self.batch.delete(key);
    }

    /// The writes of this batch so far.
    pub(crate) fn writes(&self) -> impl Iterator<Item = (&RowKey, Option<&Row>)> {
        self.batch.writes()
    }

    /// Takes back a write of this batch, to a row that is in no earlier one.
    pub(crate) fn take_back(&mut self, key: &RowKey) {
        self.batch.forget(key);
    }

    /// Notes a request. True if this batch has its answer already.
    pub(crate) fn is_repeat(&mut self, conn: ConnId, message: &Message, payload: &[u8]) -> bool {
        self.batch.is_repeat(conn, message, payload)
    }

    /// Sends a frame on a connection, after those that this batch sends on it already.
    pub(crate) fn send(&mut self, conn: ConnId, frame: (u16, Vec<u8>)) {
        self.batch.send(conn, frame);
    }

    /// Takes back what this batch would have sent on a connection.
    pub(crate) fn discard(&mut self, conn: ConnId) {
        self.batch.discard(conn);
    }

    /// Has something done once the batch is durable.
    pub(crate) fn act(&mut self, action: Action) {
        self.batch.act(action);
    }

    pub(crate) fn log(
        &mut self,
        level: Level,
        code: &'static str,
        peer: impl Into<Option<NodeId>>,
        text: impl Into<String>,
    ) {
        self.act(Action::Log { level, code, peer: peer.into(), text: text.into() });
    }

    /// Keeps an event and tells it.
    pub(crate) fn notice(&mut self, kind: EventKind) {
        self.last_event += 1;
        let event = Event { number: self.last_event, time_ms: self.wall_ms(), kind };
        self.put(Row::Event(event.clone()));
        self.act(Action::Notice(event));
    }

    /// Hands the batch over, and begins the next one.
    pub(crate) fn take_batch(&mut self) -> Effects {
        for bug in steward_wire::invariant::take() {
            self.log(Level::Error, "bug", None, bug.to_string());
        }
        self.batch_number += 1;
        self.batch.take()
    }
}
