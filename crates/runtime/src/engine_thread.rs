//! The thread that owns the engine: takes all waiting inputs, closes a batch, hands it to the
//! commit thread, and works on while that writes.

use std::sync::Arc;
use std::time::Duration;

use steward_engine::{Action, Engine, Input};
use steward_store::CommitThread;
use steward_wire::NodeId;

use crate::clock::{now_ms, time};
use crate::counters::Counters;
use crate::limits::{MAX_TICK_INTERVAL, MIN_TICK_INTERVAL};
use crate::queue::InputReceiver;
use crate::traits::Held;

/// The engine, its input queue and its commit thread.
pub(crate) struct EngineThread<H: Held> {
    pub(crate) engine: Engine,
    pub(crate) inputs: InputReceiver<H>,
    pub(crate) commits: CommitThread<Vec<Action>>,
    pub(crate) counters: Arc<Counters>,
}

/// The store accepts no more; its thread has reported the reason.
struct StoreStopped;

impl<H: Held> EngineThread<H> {
    /// Runs until the queue ends or a commit fails. Gives back the commit thread, to be closed.
    pub(crate) fn run(mut self) -> CommitThread<Vec<Action>> {
        let mut inputs = Vec::new();
        // The first batch holds the engine's decisions at its making: the peers to keep connected.
        let mut next = self.close_batch();
        while let Ok(wait) = next {
            let is_known = |peer: &NodeId| self.engine.has_channel(peer);
            let ended = self.inputs.take(wait, &mut inputs, is_known).is_err();
            Counters::add(&self.counters.inputs, inputs.len());
            self.engine.handle(Input::Tick(time()));
            inputs.drain(..).for_each(|input| self.engine.handle(input));
            next = self.close_batch();
            if ended {
                break;
            }
        }
        self.commits
    }

    /// Ends the batch. Returns the time that the engine can wait for the next input.
    fn close_batch(&mut self) -> Result<Duration, StoreStopped> {
        let effects = self.engine.finish();
        // This is done at once: the messages of a peer that floods us are not worth any work.
        for action in &effects.actions {
            if let Action::Disconnect { conn, back_off: true, .. } = action {
                self.inputs.discard(*conn);
            }
        }
        // The counters are set before the hand-over: a caller that gets an answer to this batch
        // sees all earlier commits.
        self.counters.set_store(self.commits.stats());
        if !effects.writes.is_empty() || !effects.actions.is_empty() {
            Counters::add(&self.counters.batches, 1);
            let submitted = self.commits.submit(effects.writes, effects.actions);
            submitted.map_err(|_| StoreStopped)?;
        }
        let until_wakeup = effects
            .wakeup_ms
            .map_or(MAX_TICK_INTERVAL, |at| Duration::from_millis(at.saturating_sub(now_ms())));
        Ok(until_wakeup.clamp(MIN_TICK_INTERVAL, MAX_TICK_INTERVAL))
    }
}
