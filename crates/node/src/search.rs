//! Looks into blocks for published preimages, for the engine (money-safety rule 3). A task with a
//! chain source of its own: neither the engine nor the watcher of the tip waits for it.

use bitcoin::Network;
use steward_chain::{BlockSource, ChainError, backoff};
use steward_engine::Input;
use steward_wire::Preimage;
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::error::chain_error;
use crate::limits::{MAX_BLOCKS_PER_SEARCH, MAX_QUIET_MISSES};
use crate::queue::InputSender;
use crate::stop::Stop;

/// Blocks of the best chain to look into, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SearchRequest {
    pub(crate) from_height: u32,
    pub(crate) to_height: u32,
}

/// Where the engine's requests go. One that waits is enough: the engine makes no second one before
/// the first is answered.
pub(crate) fn search_requests() -> (mpsc::Sender<SearchRequest>, mpsc::Receiver<SearchRequest>) {
    mpsc::channel(1)
}

/// Answers requests until the engine or the node ends. Without `source` every block counts as
/// searched: that is what an operator who configures such a source has chosen.
pub(crate) async fn search_blocks(
    source: Option<Box<dyn BlockSource>>,
    network: Network,
    mut requests: mpsc::Receiver<SearchRequest>,
    inputs: InputSender,
    stop: Stop,
) {
    let mut searcher = source.map(|source| Searcher::new(source, network));
    if searcher.is_none() {
        tracing::warn!(
            code = "blocks_not_searched",
            hint = CANNOT_SEARCH_HINT,
            "the chain source cannot look into blocks: expired HTLCs are failed back without a look at the chain"
        );
    }
    while let Some(request) = requests.recv().await {
        let answer = match &mut searcher {
            Some(searcher) => searcher.search(request).await,
            None => Ok(Input::Searched { to_height: request.to_height, preimages: Vec::new() }),
        };
        match answer {
            Ok(answer) => {
                if inputs.send(answer).await.is_err() {
                    return;
                }
            }
            Err(error) => return stop.fail(chain_error(&error)),
        }
    }
}

/// What to do about a source that cannot look into blocks.
pub(crate) const CANNOT_SEARCH_HINT: &str = "Set chain.source to bitcoind or esplora. Otherwise a client that published a preimage on \
     chain in time has proof of a payment that this node has failed back, and is owed it.";

/// A source and how it has done.
struct Searcher {
    endpoint: String,
    network: Network,
    /// `None` while a thread has it, and for good if that thread dies.
    source: Option<Box<dyn BlockSource>>,
    /// Whether the source's network was checked since its last failure.
    network_checked: bool,
}

impl Searcher {
    fn new(source: Box<dyn BlockSource>, network: Network) -> Self {
        let endpoint = source.describe();
        Self { endpoint, network, source: Some(source), network_checked: false }
    }

    /// The answer to `request`, perhaps only to its beginning: then the engine asks for the rest,
    /// and what is found so far is used and need not be searched again after a restart.
    async fn search(&mut self, request: SearchRequest) -> Result<Input, ChainError> {
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
    async fn preimages_at(&mut self, height: u32) -> Result<Vec<Preimage>, ChainError> {
        let mut failures: u32 = 0;
        loop {
            match self.look(height).await {
                Ok(Some(preimages)) => {
                    if failures > 0 {
                        tracing::info!(height, source = self.endpoint, "the block was searched");
                    }
                    return Ok(preimages);
                }
                Err(error) if error.is_fatal() => return Err(error),
                Err(error) if failures == 0 => tracing::warn!(
                    code = "block_search_fails", height, %error, hint = error.hint(),
                    "a block cannot be searched: HTLCs that expire are held until it was"
                ),
                Err(error) => tracing::debug!(height, %error, "the block still cannot be searched"),
                Ok(None) if failures == MAX_QUIET_MISSES => tracing::warn!(
                    code = "block_missing",
                    height,
                    source = self.endpoint,
                    "the chain source still does not have a block: HTLCs that expire are held"
                ),
                Ok(None) => {
                    tracing::debug!(height, source = self.endpoint, "there is no such block yet");
                }
            }
            sleep(backoff(failures)).await;
            failures = failures.saturating_add(1);
        }
    }

    /// Asks once, on a thread that may block. Every answer of a source comes in bounded time.
    async fn look(&mut self, height: u32) -> Result<Option<Vec<Preimage>>, ChainError> {
        let lost = || ChainError::Broken { endpoint: self.endpoint.clone() };
        let mut source = self.source.take().ok_or_else(lost)?;
        let network = (!self.network_checked).then_some(self.network);
        let asking = tokio::task::spawn_blocking(move || {
            let checked = network.map_or(Ok(()), |network| source.check_network(network));
            let found = checked.and_then(|()| source.preimages_at(height));
            (source, found)
        });
        let (source, found) = asking.await.map_err(|_panicked| lost())?;
        self.source = Some(source);
        // Whoever answers after a failure may be somebody else.
        self.network_checked = found.is_ok();
        found
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use bitcoin::BlockHash;
    use steward_chain::{ChainSource, Tip};
    use tokio::time::Instant;

    use super::*;
    use crate::queue::{InputReceiver, input_queue};

    type Answer = Result<Option<Vec<Preimage>>, ChainError>;

    /// Gives prepared answers, then empty blocks; writes down what it is asked.
    #[derive(Clone, Default)]
    struct Script {
        answers: Arc<Mutex<VecDeque<Answer>>>,
        asked: Arc<Mutex<Vec<u32>>>,
        network_checks: Arc<Mutex<u32>>,
        wrong_network: bool,
    }

    impl Script {
        fn of(answers: impl IntoIterator<Item = Answer>) -> Self {
            let answers = Arc::new(Mutex::new(answers.into_iter().collect()));
            Self { answers, ..Self::default() }
        }
    }

    impl ChainSource for Script {
        fn describe(&self) -> String {
            "a script".to_owned()
        }
        fn tip(&mut self) -> Result<Tip, ChainError> {
            panic!("the tip is the watcher's business")
        }
        fn block_hash_at(&mut self, _: u32) -> Result<Option<BlockHash>, ChainError> {
            panic!("nobody asks for hashes")
        }
        fn check_network(&mut self, expected: Network) -> Result<(), ChainError> {
            *self.network_checks.lock().unwrap() += 1;
            let found = bitcoin::constants::genesis_block(Network::Signet).block_hash();
            match self.wrong_network {
                true => {
                    Err(ChainError::WrongNetwork { endpoint: self.describe(), expected, found })
                }
                false => Ok(()),
            }
        }
    }

    impl BlockSource for Script {
        fn preimages_at(&mut self, height: u32) -> Answer {
            self.asked.lock().unwrap().push(height);
            self.answers.lock().unwrap().pop_front().unwrap_or(Ok(Some(Vec::new())))
        }
    }

    /// A running search and its ends.
    struct Running {
        requests: mpsc::Sender<SearchRequest>,
        answers: InputReceiver,
        stop: Stop,
        task: tokio::task::JoinHandle<()>,
    }

    impl Running {
        fn start(source: Option<Script>) -> Self {
            let source = source.map(|script| Box::new(script) as Box<dyn BlockSource>);
            let (inputs, answers) = input_queue();
            let (requests, receiver) = search_requests();
            let stop = Stop::new();
            let search = search_blocks(source, Network::Regtest, receiver, inputs, stop.clone());
            Self { requests, answers, stop, task: tokio::spawn(search) }
        }

        async fn ask(&self, from_height: u32, to_height: u32) {
            self.requests.send(SearchRequest { from_height, to_height }).await.unwrap();
        }

        /// Waits until nobody can ask any more; all answers.
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

    fn unreachable() -> Answer {
        let (endpoint, reason) = ("a script".to_owned(), "on purpose".to_owned());
        Err(ChainError::Unreachable { endpoint, reason })
    }

    fn found(n: u8) -> Answer {
        Ok(Some(vec![Preimage([n; 32])]))
    }

    #[tokio::test(start_paused = true)]
    async fn every_block_is_searched_once_and_in_order() {
        let script = Script::of([found(1), Ok(Some(Vec::new())), found(3)]);
        let running = Running::start(Some(script.clone()));
        running.ask(10, 12).await;
        let expected = (12, vec![(10, Preimage([1; 32])), (12, Preimage([3; 32]))]);
        assert_eq!(running.end().await, [expected]);
        assert_eq!(*script.asked.lock().unwrap(), [10, 11, 12]);
        assert_eq!(*script.network_checks.lock().unwrap(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_that_fails_is_asked_again_and_never_counts_as_searched() {
        let script = Script::of((0..20).map(|_| unreachable()).chain([found(1)]));
        let running = Running::start(Some(script.clone()));
        let begun = Instant::now();
        running.ask(10, 11).await;
        assert_eq!(running.end().await, [(11, vec![(10, Preimage([1; 32]))])]);
        assert_eq!(*script.asked.lock().unwrap(), [vec![10; 21], vec![11]].concat());
        // 1 + 2 + 4 + 8 + 16 + 32 s, then a minute each time.
        assert_eq!(begun.elapsed().as_secs(), 63 + 14 * 60);
        assert_eq!(*script.network_checks.lock().unwrap(), 21, "it may be somebody else each time");
    }

    #[tokio::test(start_paused = true)]
    async fn a_block_that_is_not_there_is_waited_for() {
        let script = Script::of([found(1), Ok(None), Ok(None), found(2)]);
        let running = Running::start(Some(script.clone()));
        running.ask(10, 11).await;
        assert_eq!(
            running.end().await,
            [(11, vec![(10, Preimage([1; 32])), (11, Preimage([2; 32]))])]
        );
        assert_eq!(*script.asked.lock().unwrap(), [10, 11, 11, 11]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_range_is_answered_in_part() {
        let script = Script::default();
        let running = Running::start(Some(script.clone()));
        running.ask(10, u32::MAX).await;
        assert_eq!(running.end().await, [(9 + MAX_BLOCKS_PER_SEARCH, Vec::new())]);
        assert_eq!(script.asked.lock().unwrap().len(), MAX_BLOCKS_PER_SEARCH as usize);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_source_that_can_look_every_block_counts_as_searched() {
        let running = Running::start(None);
        running.ask(10, 2_000).await;
        assert_eq!(running.end().await, [(2_000, Vec::new())]);
    }

    #[tokio::test(start_paused = true)]
    async fn another_networks_blocks_are_not_searched_and_stop_the_node() {
        let script = Script { wrong_network: true, ..Script::default() };
        let running = Running::start(Some(script.clone()));
        running.ask(10, 10).await;
        let stop = running.stop.clone();
        assert_eq!(running.end().await, []);
        assert_eq!(stop.failure().unwrap().code.name(), "chain_source_unusable");
        assert!(script.asked.lock().unwrap().is_empty());
    }
}
