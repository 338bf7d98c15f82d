//! The thread that owns the engine: takes all waiting inputs, closes a batch, hands it to the
//! commit thread, and works on while that writes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use steward_engine::{Action, Effects, Engine, Input, WriteBatch};
use steward_store::CommitThread;
use steward_wire::NodeId;

use crate::clock::{now_ms, time};
use crate::counters::Counters;
use crate::delay::{Delay, Verdict};
use crate::limits::{MAX_TICK_INTERVAL, MIN_TICK_INTERVAL};
use crate::queue::InputReceiver;
use crate::routes::Routes;
use crate::traits::{Held, Router};

/// The engine, its input queue and its commit thread.
pub(crate) struct EngineThread<H: Held, R> {
    pub(crate) engine: Engine,
    pub(crate) inputs: InputReceiver<H>,
    pub(crate) routes: Routes<H, R>,
    pub(crate) commits: CommitThread<Vec<Action>>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) delay: Delay,
}

/// The store accepts no more; its thread has reported the reason.
struct StoreStopped;

impl<H: Held, R: Router> EngineThread<H, R> {
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
        let writes = self.delay.take();
        if !writes.is_empty() {
            // If the store has stopped, its thread has reported the reason.
            let _ = self.submit(writes, Vec::new());
        }
        self.commits
    }

    /// Ends the batch. Returns the time that the engine can wait for the next input.
    fn close_batch(&mut self) -> Result<Duration, StoreStopped> {
        let Effects { writes, actions, wakeup_ms } = self.engine.finish();
        // This is done at once: the messages of a peer that floods us are not worth any work.
        for action in &actions {
            if let Action::Disconnect { conn, back_off: true, .. } = action {
                self.inputs.discard(*conn);
            }
        }
        let actions = self.routes.take(actions);
        let until_wakeup = wakeup_ms
            .map_or(MAX_TICK_INTERVAL, |at| Duration::from_millis(at.saturating_sub(now_ms())));
        let wait = match self.delay.add(writes, actions, Instant::now()) {
            Verdict::Nothing => until_wakeup,
            Verdict::Wait(left) => left.min(until_wakeup),
            Verdict::Commit(writes, actions) => {
                self.submit(writes, actions)?;
                until_wakeup
            }
        };
        Ok(wait.clamp(MIN_TICK_INTERVAL, MAX_TICK_INTERVAL))
    }

    fn submit(&self, writes: WriteBatch, actions: Vec<Action>) -> Result<(), StoreStopped> {
        // The counters are set before the hand-over: a caller that gets an answer to this batch
        // sees all earlier commits.
        self.counters.set_store(self.commits.stats());
        Counters::add(&self.counters.batches, 1);
        self.commits.submit(writes, actions).map_err(|_| StoreStopped)
    }
}
