//! Searches blocks for published preimages, for the engine (docs/design.md section 4, rule 3). A
//! task of its own: neither the engine nor the task that follows the tip waits for it.

use std::sync::Arc;

use steward_engine::{Code, Error, Input};
use steward_wire::Preimage;
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::limits::{MAX_BLOCKS_PER_SEARCH, MAX_QUIET_MISSES};
use crate::queue::InputSender;
use crate::stop::Stop;
use crate::traits::{Blocks, BlocksError, Held};

/// A range of blocks of the best chain to search, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SearchRequest {
    pub(crate) from_height: u32,
    pub(crate) to_height: u32,
}

/// Makes the queue of the engine's requests. One that waits is enough: the engine makes no second
/// one before the first is answered.
pub(crate) fn search_requests() -> (mpsc::Sender<SearchRequest>, mpsc::Receiver<SearchRequest>) {
    mpsc::channel(1)
}

/// Answers requests until the engine or the node ends. If the source cannot look into blocks every
/// block counts as searched: that is what an operator who configures such a source has chosen.
pub(crate) async fn search_blocks<B: Blocks, H: Held>(
    blocks: Arc<B>,
    mut requests: mpsc::Receiver<SearchRequest>,
    inputs: InputSender<H>,
    stop: Stop,
) {
    let searcher = blocks.describe().map(|source| Searcher { source, blocks });
    if searcher.is_none() {
        tracing::warn!(
            code = "blocks_not_searched",
            hint = CANNOT_SEARCH_HINT,
            "the chain source cannot look into blocks: expired HTLCs are failed back without a look at the chain"
        );
    }
    while let Some(request) = requests.recv().await {
        let answer = match &searcher {
            Some(searcher) => searcher.search(request).await,
            None => Ok(Input::Searched { to_height: request.to_height, preimages: Vec::new() }),
        };
        match answer {
            Ok(answer) => {
                if inputs.send(answer).await.is_err() {
                    return;
                }
            }
            Err(error) => return stop.fail(error),
        }
    }
}

/// The hint about a source that cannot look into blocks.
pub const CANNOT_SEARCH_HINT: &str = "Set chain.source to bitcoind or esplora. Otherwise a client that published a preimage on \
     chain in time has proof of a payment that this node has failed back, and is owed it.";

/// A search of blocks by a source that can look into them.
struct Searcher<B> {
    source: String,
    blocks: Arc<B>,
}

impl<B: Blocks> Searcher<B> {
    /// Answers `request`, perhaps only its beginning: then the engine asks for the rest, and the
    /// preimages found so far are used and need not be searched again after a restart.
    async fn search(&self, request: SearchRequest) -> Result<Input, Error> {
        let SearchRequest { from_height, to_height } = request;
        let to_height = to_height.min(from_height.saturating_add(MAX_BLOCKS_PER_SEARCH - 1));
        tracing::debug!(from_height, to_height, "searching blocks");
        let mut preimages = Vec::new();
        for height in from_height..=to_height {
            let found = self.preimages_at(height).await?;
            preimages.extend(found.into_iter().map(|preimage| (height, preimage)));
        }
        Ok(Input::Searched { to_height, preimages })
    }

    /// Asks until the block was searched. A block that is missing, because the source lags behind
    /// or a reorganisation took it, is waited for: it was not searched.
    async fn preimages_at(&self, height: u32) -> Result<Vec<Preimage>, Error> {
        let mut failures: u32 = 0;
        loop {
            match self.look(height).await {
                Ok(Some(preimages)) => {
                    if failures > 0 {
                        tracing::info!(height, source = self.source, "the block was searched");
                    }
                    return Ok(preimages);
                }
                Err(BlocksError { error, is_final: true }) => return Err(error),
                Err(BlocksError { error, .. }) if failures == 0 => tracing::warn!(
                    code = "block_search_fails",
                    height,
                    error = error.message,
                    hint = error.hint,
                    "a block cannot be searched: HTLCs that expire are held until it was"
                ),
                Err(error) => tracing::debug!(height, %error, "the block still cannot be searched"),
                Ok(None) if failures == MAX_QUIET_MISSES => tracing::warn!(
                    code = "block_missing",
                    height,
                    source = self.source,
                    "the chain source still does not have a block: HTLCs that expire are held"
                ),
                Ok(None) => {
                    tracing::debug!(height, source = self.source, "there is no such block yet");
                }
            }
            sleep(self.blocks.pause(failures)).await;
            failures = failures.saturating_add(1);
        }
    }

    /// Asks once, on a thread that may block.
    async fn look(&self, height: u32) -> Result<Option<Vec<Preimage>>, BlocksError> {
        let blocks = Arc::clone(&self.blocks);
        let asked = tokio::task::spawn_blocking(move || blocks.preimages_at(height)).await;
        asked.unwrap_or_else(|panicked| {
            let text = format!("the thread that looked into a block is gone: {panicked}");
            Err(BlocksError { error: Error::new(Code::Bug, text), is_final: true })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex;
    use std::time::Duration;

    use tokio::time::Instant;

    use super::*;
    use crate::queue::{InputReceiver, input_queue};

    type Answer = Result<Option<Vec<Preimage>>, BlocksError>;

    const PAUSE: Duration = Duration::from_secs(2);

    /// The source gives prepared answers, then empty blocks, and writes down its calls.
    #[derive(Default)]
    struct Script {
        answers: Mutex<VecDeque<Answer>>,
        asked: Mutex<Vec<u32>>,
        cannot_look: bool,
    }

    impl Script {
        fn of(answers: impl IntoIterator<Item = Answer>) -> Arc<Self> {
            Arc::new(Self { answers: Mutex::new(answers.into_iter().collect()), ..Self::default() })
        }
    }

    impl Blocks for Script {
        fn ask_height(&self) {
            panic!("the height is not the search's business")
        }

        fn describe(&self) -> Option<String> {
            (!self.cannot_look).then(|| "a script".to_owned())
        }

        fn preimages_at(&self, height: u32) -> Answer {
            self.asked.lock().unwrap().push(height);
            self.answers.lock().unwrap().pop_front().unwrap_or(Ok(Some(Vec::new())))
        }

        fn pause(&self, failures: u32) -> Duration {
            PAUSE * (failures + 1)
        }
    }

    /// A running search, its requests and its answers.
    struct Running {
        requests: mpsc::Sender<SearchRequest>,
        answers: InputReceiver<()>,
        stop: Stop,
        task: tokio::task::JoinHandle<()>,
    }

    impl Running {
        fn start(script: &Arc<Script>) -> Self {
            let (inputs, answers) = input_queue();
            let (requests, receiver) = search_requests();
            let stop = Stop::new();
            let search = search_blocks(Arc::clone(script), receiver, inputs, stop.clone());
            Self { requests, answers, stop, task: tokio::spawn(search) }
        }

        async fn ask(&self, from_height: u32, to_height: u32) {
            self.requests.send(SearchRequest { from_height, to_height }).await.unwrap();
        }

        /// Ends the requests and returns all answers.
        async fn end(self) -> Vec<(u32, Vec<(u32, Preimage)>)> {
            drop(self.requests);
            self.task.await.unwrap();
            let mut inputs = Vec::new();
            let _ = self.answers.take(Duration::ZERO, &mut inputs, |_| true);
            inputs
                .into_iter()
                .map(|input| match input {
                    Input::Searched { to_height, preimages } => (to_height, preimages),
                    other => panic!("not an answer: {other:?}"),
                })
                .collect()
        }
    }

    fn fails(is_final: bool) -> Answer {
        Err(BlocksError { error: Error::new(Code::ChainSourceUnusable, "on purpose"), is_final })
    }

    fn found(n: u8) -> Answer {
        Ok(Some(vec![Preimage([n; 32])]))
    }

    #[tokio::test(start_paused = true)]
    async fn every_block_is_searched_once_and_in_order() {
        let script = Script::of([found(1), Ok(Some(Vec::new())), found(3)]);
        let running = Running::start(&script);
        running.ask(10, 12).await;
        let expected = (12, vec![(10, Preimage([1; 32])), (12, Preimage([3; 32]))]);
        assert_eq!(running.end().await, [expected]);
        assert_eq!(*script.asked.lock().unwrap(), [10, 11, 12]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_that_fails_is_asked_again_and_never_counts_as_searched() {
        let script = Script::of((0..20).map(|_| fails(false)).chain([found(1)]));
        let running = Running::start(&script);
        let begun = Instant::now();
        running.ask(10, 11).await;
        assert_eq!(running.end().await, [(11, vec![(10, Preimage([1; 32]))])]);
        assert_eq!(*script.asked.lock().unwrap(), [vec![10; 21], vec![11]].concat());
        // The pauses are those that the source asks for: 2, 4, .. 40 s.
        assert_eq!(begun.elapsed(), PAUSE * (1..=20).sum::<u32>());
    }

    #[tokio::test(start_paused = true)]
    async fn a_block_that_is_not_there_is_waited_for() {
        let script = Script::of([found(1), Ok(None), Ok(None), found(2)]);
        let running = Running::start(&script);
        running.ask(10, 11).await;
        assert_eq!(
            running.end().await,
            [(11, vec![(10, Preimage([1; 32])), (11, Preimage([2; 32]))])]
        );
        assert_eq!(*script.asked.lock().unwrap(), [10, 11, 11, 11]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_range_is_answered_in_part() {
        let script = Script::of([]);
        let running = Running::start(&script);
        running.ask(10, u32::MAX).await;
        assert_eq!(running.end().await, [(9 + MAX_BLOCKS_PER_SEARCH, Vec::new())]);
        assert_eq!(script.asked.lock().unwrap().len(), MAX_BLOCKS_PER_SEARCH as usize);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_source_that_can_look_every_block_counts_as_searched() {
        let script = Arc::new(Script { cannot_look: true, ..Script::default() });
        let running = Running::start(&script);
        running.ask(10, 2_000).await;
        assert_eq!(running.end().await, [(2_000, Vec::new())]);
        assert!(script.asked.lock().unwrap().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_that_is_final_stops_the_node_and_counts_as_no_search() {
        let script = Script::of([fails(true)]);
        let running = Running::start(&script);
        running.ask(10, 10).await;
        let stop = running.stop.clone();
        assert_eq!(running.end().await, []);
        assert_eq!(stop.failure().unwrap().code, Code::ChainSourceUnusable);
    }
}
