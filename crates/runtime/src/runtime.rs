//! Starts an engine with its surroundings, and takes the questions to a running one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use steward_engine::row::StoredState;
use steward_engine::{Action, Code, Command, Config, Engine, Error, Event, Input, Reply};
use steward_store::{CommitThread, History, Store};
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinSet;

use crate::clock::time;
use crate::counters::{Counters, RuntimeMetrics};
use crate::delay::Delay;
use crate::engine_thread::EngineThread;
use crate::error::{commit_error, stopping, store_error};
use crate::inbox::Inbox;
use crate::limits::MAX_BUFFERED_EVENTS;
use crate::log_thread::{LogSender, LogThread};
use crate::perform::Performer;
use crate::queue::{InputReceiver, InputSender, input_queue};
use crate::replies::Replies;
use crate::routes::Routes;
use crate::search::{SearchRequest, search_blocks, search_requests};
use crate::stop::{Stop, StopOnPanic, guarded};
use crate::traits::{Blocks, Held, PeerTransport, Router, Signer};

/// An engine loaded from its store; nothing is started yet.
pub struct Prepared {
    engine: Engine,
    store: Box<dyn Store>,
    history: Arc<dyn History>,
    height: u32,
}

/// The surroundings of the engine, but for the signer, which it has already.
pub struct Surroundings<T, R, B> {
    /// The transport reaches peers.
    pub transport: Arc<T>,
    /// The router finds routes.
    pub router: Arc<R>,
    /// The source of blocks knows the chain.
    pub blocks: Arc<B>,
}

impl Prepared {
    /// Loads the engine. `check` looks at the stored state before anything is made of it. Blocks on
    /// the disk.
    ///
    /// # Errors
    /// Fails if the store cannot be read, if its state is one that this engine cannot go on with,
    /// or as `check`.
    pub fn load(
        config: Config,
        signer: Box<dyn Signer>,
        mut store: Box<dyn Store>,
        check: impl FnOnce(&StoredState) -> Result<(), Error>,
    ) -> Result<Self, Error> {
        let started = time();
        let stored = store.load(started.wall_ms).map_err(|error| store_error(&error))?;
        check(&stored)?;
        let history = store.history().map_err(|error| store_error(&error))?;
        let height = stored.height;
        let engine = Engine::new(config, signer, stored, started)?;
        Ok(Self { engine, store, history, height })
    }

    /// Returns the best height ever stored.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Returns the stored lists, for searches too.
    pub fn history(&self) -> Arc<dyn History> {
        Arc::clone(&self.history)
    }

    /// Starts the threads and tasks. The engine takes the `first` inputs before all others: a
    /// channel opened or resumed at yesterday's height would be refused by its peer. Must run
    /// inside a tokio runtime with time.
    ///
    /// # Errors
    /// Fails with `no_thread`, or if the store has no thread.
    pub async fn start<T: PeerTransport, R: Router, B: Blocks>(
        self,
        surroundings: Surroundings<T, R, B>,
        first: Vec<Input>,
        stop: Stop,
    ) -> Result<Runtime<T::Held>, Error> {
        let (inputs, receiver) = input_queue();
        for input in first {
            // The receiver is alive.
            let _ = inputs.send(input).await;
        }
        let (log, log_thread) = LogThread::start().map_err(|error| no_thread(&error))?;
        let (searches, requests) = search_requests();
        let mut runtime = Runtime {
            inputs,
            replies: Replies::default(),
            counters: Arc::default(),
            events: broadcast::channel(MAX_BUFFERED_EVENTS).0,
            stop,
            log,
            engine_thread: Mutex::default(),
            tasks: Mutex::default(),
        };
        let Surroundings { transport, router, blocks } = surroundings;
        let counters = Arc::clone(&runtime.counters);
        let routes = Routes::start(router, runtime.inputs(), counters);
        let routes = routes.map_err(|error| no_thread(&error))?;
        let around = (transport, Arc::clone(&blocks));
        let commits = runtime.commit_thread(self.store, around, searches, log_thread)?;
        let thread = runtime.engine_thread(self.engine, receiver, routes, commits)?;
        runtime.engine_thread = Mutex::new(Some(thread));
        runtime.spawn_tasks(blocks, requests);
        Ok(runtime)
    }
}

/// The engine's thread, which gives back the commit thread.
type EngineJoin = JoinHandle<CommitThread<Vec<Action>>>;

/// A running engine. When it is dropped without [`Runtime::end`] it ends by itself: the inputs
/// taken in become durable, but there is no way to wait for it.
pub struct Runtime<H: Held> {
    inputs: InputSender<H>,
    replies: Replies,
    counters: Arc<Counters>,
    events: broadcast::Sender<Event>,
    stop: Stop,
    log: LogSender,
    /// Taken by the caller that ends it.
    engine_thread: Mutex<Option<EngineJoin>>,
    tasks: Mutex<JoinSet<()>>,
}

/// The right to end a runtime, of which there is one.
pub struct Ending(EngineJoin);

impl<H: Held> Runtime<H> {
    /// Asks the engine; the answer comes when what it depends on is durable.
    ///
    /// # Errors
    /// The engine's own errors; `node_busy` if too many commands wait, `node_stopped`, or the error
    /// that stopped the node.
    pub async fn command(&self, command: Command) -> Result<Reply, Error> {
        if self.stop.is_set() || lock(&self.engine_thread).is_none() {
            return Err(self.why_stopped());
        }
        let pending = self.replies.register()?;
        let input = Input::Command { reply: pending.id, command };
        if self.inputs.send(input).await.is_err() {
            return Err(self.why_stopped());
        }
        // A node that stopped meanwhile gave up the others, perhaps just before this one came.
        tokio::select! {
            biased;
            answer = pending.answer() => answer.unwrap_or_else(|| Err(self.why_stopped())),
            _ = self.stop.stopped() => Err(self.why_stopped()),
        }
    }

    /// Returns the sender for answers and news from outside, but for those of peers.
    pub fn inputs(&self) -> InputSender<H> {
        self.inputs.clone()
    }

    /// Returns the inbox in which a transport puts what happens on its connections.
    pub fn inbox(&self) -> Inbox<H> {
        Inbox { inputs: self.inputs.clone(), log: self.log.clone() }
    }

    /// Returns a receiver of the events from now on. A subscriber that is too slow is told how many
    /// it has missed.
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Returns the counters and the queue lengths.
    pub fn metrics(&self) -> RuntimeMetrics {
        let counters = &self.counters;
        RuntimeMetrics {
            store: counters.store(),
            batches: Counters::load(&counters.batches),
            inputs: Counters::load(&counters.inputs),
            actions: Counters::load(&counters.actions),
            queued_input_weight: self.inputs.weight() as u64,
            outstanding_commands: self.replies.len() as u64,
            pending_routes: Counters::load(&counters.pending_routes),
        }
    }

    /// Returns the reason why it stopped, once it has.
    pub fn stop(&self) -> &Stop {
        &self.stop
    }

    /// Takes the right to end it, once. From now on no command is taken.
    pub fn begin_to_end(&self) -> Option<Ending> {
        lock(&self.engine_thread).take().map(Ending)
    }

    /// Ends the engine in order: all inputs handled and durable, the store closed. The transport
    /// must have ended its connections before.
    ///
    /// # Errors
    /// Fails with the error that kept the last commits from being made.
    pub async fn end(&self, Ending(engine_thread): Ending) -> Result<(), Error> {
        self.inputs.end();
        let close = move || match engine_thread.join() {
            Ok(commits) => commits.close().map(drop).map_err(|error| commit_error(&error)),
            // The guard has recorded the reason.
            Err(_) => Err(Error::new(Code::Bug, "the engine panicked")),
        };
        let closed = tokio::task::spawn_blocking(close).await;
        closed.unwrap_or_else(|error| Err(Error::new(Code::Bug, format!("a task failed: {error}"))))
    }

    /// Tells all who wait that it has ended.
    pub fn ended(&self, result: Result<(), Error>) {
        self.replies.give_up();
        match result {
            Ok(()) => self.stop.done(),
            Err(error) => self.stop.fail(error),
        }
        lock(&self.tasks).abort_all();
    }

    fn why_stopped(&self) -> Error {
        self.stop.failure().unwrap_or_else(stopping)
    }

    fn commit_thread<T: PeerTransport<Held = H>, B: Blocks>(
        &self,
        store: Box<dyn Store>,
        (transport, blocks): (Arc<T>, Arc<B>),
        searches: mpsc::Sender<SearchRequest>,
        log_thread: LogThread,
    ) -> Result<CommitThread<Vec<Action>>, Error> {
        let performer = Performer {
            transport,
            blocks,
            replies: self.replies.clone(),
            events: self.events.clone(),
            searches,
            counters: Arc::clone(&self.counters),
            log: self.log.clone(),
            _log_thread: log_thread,
        };
        let guard = StopOnPanic { stop: self.stop.clone(), thread: "store" };
        let on_durable = move |batches| {
            let _ = &guard;
            performer.perform(batches);
        };
        let stop = self.stop.clone();
        let on_failure = move |error| stop.fail(commit_error(&error));
        CommitThread::spawn(store, on_durable, on_failure).map_err(|error| store_error(&error))
    }

    fn engine_thread<R: Router>(
        &self,
        engine: Engine,
        inputs: InputReceiver<H>,
        routes: Routes<H, R>,
        commits: CommitThread<Vec<Action>>,
    ) -> Result<EngineJoin, Error> {
        let counters = Arc::clone(&self.counters);
        let engine =
            EngineThread { engine, inputs, routes, commits, counters, delay: Delay::default() };
        let guard = StopOnPanic { stop: self.stop.clone(), thread: "engine" };
        let run = move || {
            let _guard = guard;
            engine.run()
        };
        let thread = std::thread::Builder::new().name("engine".to_owned()).spawn(run);
        thread.map_err(|error| no_thread(&error))
    }

    fn spawn_tasks<B: Blocks>(&self, blocks: Arc<B>, requests: mpsc::Receiver<SearchRequest>) {
        let search = search_blocks(blocks, requests, self.inputs.clone(), self.stop.clone());
        let give_up =
            give_up_on_failure(self.stop.clone(), self.inputs.clone(), self.replies.clone());
        let mut tasks = lock(&self.tasks);
        tasks.spawn(guarded(self.stop.clone(), "block search", search));
        tasks.spawn(give_up);
    }
}

impl<H: Held> Drop for Runtime<H> {
    fn drop(&mut self) {
        self.inputs.end();
    }
}

/// Lets nothing leave after a failed commit: what was not durable is lost with the store's thread.
async fn give_up_on_failure<H: Held>(stop: Stop, inputs: InputSender<H>, replies: Replies) {
    // It ended because it was asked to: the caller that asked does the rest.
    let Err(error) = stop.stopped().await else { return };
    tracing::error!(code = %error.code, hint = error.hint, "{}", error.message);
    inputs.end();
    replies.give_up();
}

fn no_thread(error: &std::io::Error) -> Error {
    Error::new(Code::NoThread, error.to_string())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
