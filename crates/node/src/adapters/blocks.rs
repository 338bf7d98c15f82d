//! Heights and blocks, by `chain`: a watcher of the tip, and a source of blocks to search.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bitcoin::Network;
use steward_chain::{
    BlockSource, ChainError, ChainSource, ChainUpdate, Clocks, WatchSettings, backoff,
};
use steward_engine::{Error, Input};
use steward_runtime::clock::now_ms;
use steward_runtime::error::stopping;
use steward_runtime::traits::{Blocks, BlocksError, Held};
use steward_runtime::{InputSender, Stop};
use steward_wire::Preimage;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::error::chain_error;
use crate::limits::{FIRST_TIP_TIMEOUT, MAX_QUEUED_CHAIN_UPDATES};

/// A source of blocks to search, beside the watcher's own.
pub(crate) struct ChainBlocks {
    network: Network,
    /// Wakes the watcher before its turn.
    hurry: Arc<Notify>,
    /// The source's name, kept apart: a thread may hold the source for long.
    description: Option<String>,
    source: Option<Mutex<Source>>,
}

struct Source {
    source: Box<dyn BlockSource>,
    /// True if the source's network was checked since its last failure.
    is_network_checked: bool,
}

impl ChainBlocks {
    pub(crate) fn new(
        source: Option<Box<dyn BlockSource>>,
        network: Network,
        hurry: Arc<Notify>,
    ) -> Self {
        let description = source.as_ref().map(|source| source.describe());
        let source = source.map(|source| Mutex::new(Source { source, is_network_checked: false }));
        Self { network, hurry, description, source }
    }
}

impl Blocks for ChainBlocks {
    fn ask_height(&self) {
        self.hurry.notify_one();
    }

    fn describe(&self) -> Option<String> {
        self.description.clone()
    }

    fn preimages_at(&self, height: u32) -> Result<Option<Vec<Preimage>>, BlocksError> {
        // Without a source none is described, and no block is asked for.
        let Some(source) = &self.source else { return Ok(Some(Vec::new())) };
        let Ok(mut source) = source.lock() else {
            let endpoint = self.description.clone().unwrap_or_default();
            return Err(blocks_error(&ChainError::Broken { endpoint }));
        };
        source.look(self.network, height).map_err(|error| blocks_error(&error))
    }

    fn pause(&self, failures: u32) -> Duration {
        backoff(failures)
    }
}

impl Source {
    fn look(&mut self, network: Network, height: u32) -> Result<Option<Vec<Preimage>>, ChainError> {
        let checked = match self.is_network_checked {
            true => Ok(()),
            false => self.source.check_network(network),
        };
        let found = checked.and_then(|()| self.source.preimages_at(height));
        // After a failure another server may answer.
        self.is_network_checked = found.is_ok();
        found
    }
}

fn blocks_error(error: &ChainError) -> BlocksError {
    BlocksError { error: chain_error(error), is_final: error.is_fatal() }
}

/// Starts to watch the chain and waits for its first answer, which becomes the engine's first
/// input: a channel opened or resumed at yesterday's height would be refused by its peer. A source
/// that does not answer in time does not keep the node from starting: fulfills are urgent.
pub(crate) async fn follow_chain(
    source: Box<dyn ChainSource>,
    settings: WatchSettings,
    (hurry, stop): (Arc<Notify>, Stop),
    tasks: &mut JoinSet<()>,
) -> Result<(Option<Input>, mpsc::Receiver<ChainUpdate>), Error> {
    let (sender, mut updates) = mpsc::channel(MAX_QUEUED_CHAIN_UPDATES);
    tasks.spawn(watch_chain(source, settings, hurry, sender, stop.clone()));
    match timeout(FIRST_TIP_TIMEOUT, updates.recv()).await {
        Ok(Some(update)) => Ok((Some(chain_input(&update)), updates)),
        Ok(None) => Err(stop.failure().unwrap_or_else(stopping)),
        Err(_elapsed) => {
            tracing::warn!("the chain source does not answer: no forwards until it does");
            Ok((None, updates))
        }
    }
}

/// Passes updates from the chain's watcher to the engine, until either ends.
pub(crate) async fn pump_chain<H: Held>(
    mut updates: mpsc::Receiver<ChainUpdate>,
    inputs: InputSender<H>,
) {
    while let Some(update) = updates.recv().await {
        if inputs.send(chain_input(&update)).await.is_err() {
            return;
        }
    }
}

fn chain_input(update: &ChainUpdate) -> Input {
    let ChainUpdate { height, stale, reorg, health, asked_ms, .. } = *update;
    tracing::trace!(height, stale, reorg, ?health, "chain");
    Input::Chain { height, stale, asked_ms }
}

async fn watch_chain(
    source: Box<dyn ChainSource>,
    settings: WatchSettings,
    hurry: Arc<Notify>,
    updates: mpsc::Sender<ChainUpdate>,
    stop: Stop,
) {
    // The reason is recorded first: it is looked for when the updates end.
    let clocks = Clocks { unix_s: steward_chain::system_clock(), now_ms: Arc::new(now_ms) };
    let ended = steward_chain::watch(source, settings, clocks, hurry, updates.clone()).await;
    if let Err(error) = ended {
        stop.fail(chain_error(&error));
    }
    drop(updates);
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use bitcoin::BlockHash;
    use steward_chain::Tip;

    use super::*;

    type Answer = Result<Option<Vec<Preimage>>, ChainError>;

    /// Gives prepared answers, then empty blocks; counts how often its network is checked.
    #[derive(Clone, Default)]
    struct Script {
        answers: Arc<Mutex<VecDeque<Answer>>>,
        asked: Arc<Mutex<Vec<u32>>>,
        network_checks: Arc<Mutex<u32>>,
        wrong_network: bool,
    }

    impl Script {
        fn blocks(&self) -> ChainBlocks {
            ChainBlocks::new(Some(Box::new(self.clone())), Network::Regtest, Arc::default())
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
            panic!("no hash is asked for")
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

    #[test]
    fn the_network_is_checked_once_and_again_after_each_failure() {
        let (endpoint, reason) = ("a script".to_owned(), "on purpose".to_owned());
        let script = Script::default();
        script.answers.lock().unwrap().extend([
            Ok(Some(Vec::new())),
            Err(ChainError::Unreachable { endpoint, reason }),
            Ok(Some(vec![Preimage([1; 32])])),
        ]);
        let blocks = script.blocks();
        assert_eq!(blocks.preimages_at(10).unwrap(), Some(Vec::new()));
        assert!(!blocks.preimages_at(11).unwrap_err().is_final);
        // Another server may answer now.
        assert_eq!(blocks.preimages_at(11).unwrap(), Some(vec![Preimage([1; 32])]));
        assert_eq!(blocks.preimages_at(12).unwrap(), Some(Vec::new()));
        assert_eq!(*script.network_checks.lock().unwrap(), 2);
    }

    #[test]
    fn another_networks_blocks_are_not_searched_and_that_is_final() {
        let script = Script { wrong_network: true, ..Script::default() };
        let error = script.blocks().preimages_at(10).unwrap_err();
        assert!(error.is_final);
        assert_eq!(error.error.code.name(), "chain_source_unusable");
        assert!(script.asked.lock().unwrap().is_empty());
    }

    #[test]
    fn a_source_that_fails_is_asked_again_after_ever_longer_pauses() {
        let blocks = Script::default().blocks();
        let seconds: Vec<_> = (0..8).map(|failures| blocks.pause(failures).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60]);
    }
}
