//! The task that polls a source and tells the node what changed. `tracker` judges the answers; here
//! are waiting, time-outs and back-off.

use std::sync::Arc;
use std::time::Duration;

use bitcoin::{BlockHash, Network};
use tokio::sync::{Notify, mpsc};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{sleep, timeout};

use crate::clock::Clocks;
use crate::error::ChainError;
use crate::limits::{MAX_BACKOFF_MS, MIN_BACKOFF_MS, MIN_HURRIED_POLL_INTERVAL_MS};
use crate::source::{ChainSource, Tip};
use crate::tracker::{ChainUpdate, StaleRule, TipTracker};

/// The settings of a watch. [`crate::ChainConfig::watch_settings`] makes them.
#[derive(Debug, Clone)]
pub struct WatchSettings {
    /// The chain that the source must follow; checked before its first tip and after each failure.
    pub network: Network,
    /// The time between two polls that succeed.
    pub poll_interval: Duration,
    /// The time for one poll before it counts as failed.
    pub poll_timeout: Duration,
    /// The rule that says when the tip is too old.
    pub stale: StaleRule,
    /// The tip that the node believed before it restarted, if it knows.
    pub resume: Option<Tip>,
}

/// Watches `source` until the receiver of `updates` is gone. Each answer is sent, news or not,
/// because it shows how fresh the height is. `hurry` wakes it before the next poll is due, at most
/// once a second.
///
/// # Errors
/// Only a fatal one ([`ChainError::is_fatal`]): the source follows another chain, or its code
/// failed. Anything else is retried with growing waits.
pub async fn watch(
    source: Box<dyn ChainSource>,
    settings: WatchSettings,
    clocks: Clocks,
    hurry: Arc<Notify>,
    updates: mpsc::Sender<ChainUpdate>,
) -> Result<(), ChainError> {
    let mut watcher = Watcher::new(source, settings, clocks);
    loop {
        let step = watcher.step().await?;
        if let Some(update) = step.update.or(step.confirmed)
            && updates.send(update).await.is_err()
        {
            return Ok(());
        }
        tokio::select! {
            () = sleep(step.wait) => {}
            () = hurried(&hurry, step.wait) => {}
            () = updates.closed() => return Ok(()),
        }
    }
}

/// Ends when it is woken, but not before a moment that spares the source.
pub(crate) async fn hurried(hurry: &Notify, wait: Duration) {
    sleep(wait.min(Duration::from_millis(MIN_HURRIED_POLL_INTERVAL_MS))).await;
    hurry.notified().await;
}

/// Does what [`watch`] does in single steps, for callers with their own loop.
pub struct Watcher {
    endpoint: String,
    settings: WatchSettings,
    clocks: Clocks,
    tracker: TipTracker,
    poll: Poll,
    /// True if the source's network was checked since its last failure.
    network_checked: bool,
    /// The number of polls that failed in a row.
    failures: u32,
    /// The time at which the last request was made, answered or not.
    asked_ms: u64,
}

/// The result of one poll.
#[derive(Debug)]
pub struct Step {
    /// The update that the node has to hear, if any.
    pub update: Option<ChainUpdate>,
    /// The update that the node knows already, if the source has just confirmed it.
    pub confirmed: Option<ChainUpdate>,
    /// The time to wait before the next step.
    pub wait: Duration,
}

enum Poll {
    Idle(Box<dyn ChainSource>),
    /// A thread has the source. If need be it is waited for over several steps, and a second one is
    /// never started.
    Running(JoinHandle<(Box<dyn ChainSource>, Result<Sighting, ChainError>)>),
    /// The thread died, and the source with it.
    Lost,
}

/// The answers of a source in one poll.
struct Sighting {
    tip: Tip,
    probe: Option<BlockHash>,
}

impl Watcher {
    /// Makes a watcher of `source` that has not asked it yet.
    pub fn new(source: Box<dyn ChainSource>, settings: WatchSettings, clocks: Clocks) -> Self {
        let now = clocks.now();
        let tracker = TipTracker::new(settings.stale, settings.resume, now);
        Self {
            endpoint: source.describe(),
            settings,
            clocks,
            tracker,
            poll: Poll::Idle(source),
            network_checked: false,
            failures: 0,
            asked_ms: now.now_ms,
        }
    }

    /// Asks the source once and judges the answer. Must run inside a tokio runtime with time.
    ///
    /// # Errors
    /// As [`watch`].
    pub async fn step(&mut self) -> Result<Step, ChainError> {
        match self.ask().await {
            Ok(sighting) => Ok(self.succeeded(sighting)),
            Err(error) if error.is_fatal() => Err(error),
            Err(error) => Ok(self.failed(&error)),
        }
    }

    async fn ask(&mut self) -> Result<Sighting, ChainError> {
        let lost = || ChainError::Broken { endpoint: self.endpoint.clone() };
        let mut running = match std::mem::replace(&mut self.poll, Poll::Lost) {
            Poll::Idle(mut source) => {
                let network = (!self.network_checked).then_some(self.settings.network);
                let tracker = self.tracker.clone();
                self.asked_ms = self.clocks.now().now_ms;
                spawn_blocking(move || {
                    let sighting = look(source.as_mut(), network, &tracker);
                    (source, sighting)
                })
            }
            Poll::Running(running) => running,
            Poll::Lost => return Err(lost()),
        };
        match timeout(self.settings.poll_timeout, &mut running).await {
            Ok(Ok((source, sighting))) => {
                self.poll = Poll::Idle(source);
                sighting
            }
            Ok(Err(_panicked)) => Err(lost()),
            Err(_elapsed) => {
                self.poll = Poll::Running(running);
                Err(ChainError::unreachable(&self.endpoint, "no answer in time"))
            }
        }
    }

    fn succeeded(&mut self, sighting: Sighting) -> Step {
        if self.failures > 0 {
            tracing::info!(source = self.endpoint, "chain source answers again");
        }
        self.failures = 0;
        self.network_checked = true;
        let Sighting { tip, probe } = sighting;
        let update = self.tracker.tip_seen(tip, probe, self.asked_ms, self.clocks.now());
        let confirmed = self.tracker.confirmed();
        Step { update, confirmed, wait: self.settings.poll_interval }
    }

    fn failed(&mut self, error: &ChainError) -> Step {
        if self.failures == 0 {
            tracing::warn!(%error, hint = error.hint(), "chain source fails");
        }
        let wait = backoff(self.failures);
        self.failures = self.failures.saturating_add(1);
        // The next answer may come from another server at the same address.
        self.network_checked = false;
        let update = self.tracker.source_failed(self.clocks.now());
        Step { update, confirmed: None, wait }
    }
}

/// Returns how long to wait before a source that failed is asked again, after `failures` failed
/// polls in a row before this one: doubling from [`MIN_BACKOFF_MS`] to [`MAX_BACKOFF_MS`].
pub fn backoff(failures: u32) -> Duration {
    let wait_ms = MIN_BACKOFF_MS.saturating_mul(1 << failures.min(16)).min(MAX_BACKOFF_MS);
    Duration::from_millis(wait_ms)
}

/// Makes one poll, on a thread that may block.
fn look(
    source: &mut dyn ChainSource,
    check_network: Option<Network>,
    tracker: &TipTracker,
) -> Result<Sighting, ChainError> {
    if let Some(network) = check_network {
        source.check_network(network)?;
    }
    let tip = source.tip()?;
    let probe = match tracker.probe_height(&tip) {
        Some(height) => source.block_hash_at(height)?,
        None => None,
    };
    Ok(Sighting { tip, probe })
}
