//! Watching a source: what reaches the node, waits, time-outs and fatal errors.

mod support;

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use steward_chain::limits::{DEFAULT_STALE_AFTER_S, MAX_BACKOFF_MS, MIN_BACKOFF_MS};
use steward_chain::{
    BlockHash, ChainConfig, ChainError, ChainSource, ClockSource, Clocks, Network, SourceHealth,
    SourceKind, Tip, WatchSettings, Watcher, watch,
};
use support::{FakeChain, Reply, bitcoind_reply, serve_http};

const POLL_INTERVAL: Duration = Duration::from_millis(77);

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

/// Makes clocks that stand at the header time of `chain`'s tip, and the handle to move both.
fn clock_at_tip(chain: &FakeChain) -> (Clocks, Arc<AtomicU64>) {
    let time = Arc::new(AtomicU64::new(u64::from(chain.tip().time)));
    let (unix, now) = (Arc::clone(&time), Arc::clone(&time));
    let clocks = Clocks {
        unix_s: Arc::new(move || unix.load(Ordering::SeqCst)),
        now_ms: Arc::new(move || now.load(Ordering::SeqCst) * 1000),
    };
    (clocks, time)
}

fn settings() -> WatchSettings {
    let config = ChainConfig {
        source: Some(SourceKind::Esplora),
        url: Some("http://127.0.0.1:1".into()),
        stale_after_s: Some(DEFAULT_STALE_AFTER_S),
        ..ChainConfig::default()
    };
    let settings = config.watch_settings(Network::Regtest, None).unwrap();
    WatchSettings { poll_interval: POLL_INTERVAL, ..settings }
}

/// Opens bitcoind over real HTTP, which stops answering sensibly while `broken` is true.
fn bitcoind(chain: &FakeChain, broken: &Arc<AtomicBool>) -> Box<dyn ChainSource> {
    let (chain, broken) = (chain.clone(), Arc::clone(broken));
    let url = serve_http(move |request| match broken.load(Ordering::SeqCst) {
        true => Reply::status(503, "Work queue depth exceeded"),
        false => bitcoind_reply(&chain, &request.body),
    });
    let config = ChainConfig {
        source: Some(SourceKind::Bitcoind),
        url: Some(url),
        user: Some("u".into()),
        password: Some("p".to_owned().into()),
        ..ChainConfig::default()
    };
    config.open(Network::Regtest).unwrap()
}

/// A source that behaves as a closure says.
struct Scripted<F>(F);

impl<F: FnMut() -> Result<Tip, ChainError> + Send> ChainSource for Scripted<F> {
    fn describe(&self) -> String {
        "a script".into()
    }
    fn tip(&mut self) -> Result<Tip, ChainError> {
        (self.0)()
    }
    fn block_hash_at(&mut self, _: u32) -> Result<Option<BlockHash>, ChainError> {
        Ok(None)
    }
    fn check_network(&mut self, _: Network) -> Result<(), ChainError> {
        Ok(())
    }
}

#[test]
fn blocks_and_reorgs_reach_the_node_with_proof_from_the_source() {
    let chain = FakeChain::new(Network::Regtest, 10);
    let (clock, _) = clock_at_tip(&chain);
    let mut watcher = Watcher::new(bitcoind(&chain, &Arc::default()), settings(), clock);
    run(async {
        let first = watcher.step().await.unwrap();
        assert_eq!(first.update.unwrap().height, 10);
        assert_eq!(first.wait, POLL_INTERVAL);
        assert_eq!(watcher.step().await.unwrap().update, None);

        chain.mine(2, 0);
        let grown = watcher.step().await.unwrap().update.unwrap();
        assert_eq!((grown.height, grown.reorg), (12, false));

        chain.rewind(4);
        let lower = watcher.step().await.unwrap().update.unwrap();
        assert_eq!((lower.height, lower.health), (12, SourceHealth::Lagging));

        chain.mine(3, 9);
        let replaced = watcher.step().await.unwrap().update.unwrap();
        assert_eq!((replaced.height, replaced.reorg), (11, true));
        assert_eq!(replaced.hash, Some(chain.hash(11)));
    });
}

#[test]
fn three_hours_without_a_block_reach_the_node() {
    let chain = FakeChain::new(Network::Regtest, 10);
    let (clock, time) = clock_at_tip(&chain);
    let mut watcher = Watcher::new(bitcoind(&chain, &Arc::default()), settings(), clock);
    run(async {
        assert!(!watcher.step().await.unwrap().update.unwrap().stale);
        time.fetch_add(DEFAULT_STALE_AFTER_S, Ordering::SeqCst);
        assert!(watcher.step().await.unwrap().update.unwrap().stale);
    });
}

#[test]
fn failures_wait_longer_each_time_up_to_a_limit() {
    let chain = FakeChain::new(Network::Regtest, 10);
    let broken = Arc::new(AtomicBool::new(false));
    let (clock, _) = clock_at_tip(&chain);
    let mut watcher = Watcher::new(bitcoind(&chain, &broken), settings(), clock);
    run(async {
        watcher.step().await.unwrap();
        broken.store(true, Ordering::SeqCst);
        let failing = watcher.step().await.unwrap();
        assert_eq!(failing.update.unwrap().health, SourceHealth::Failing);
        assert_eq!(failing.wait, Duration::from_millis(MIN_BACKOFF_MS));
        assert_eq!(watcher.step().await.unwrap().wait, Duration::from_millis(2 * MIN_BACKOFF_MS));
        for _ in 0..100 {
            let wait = watcher.step().await.unwrap().wait;
            assert!(wait <= Duration::from_millis(MAX_BACKOFF_MS));
        }
        broken.store(false, Ordering::SeqCst);
        let back = watcher.step().await.unwrap();
        assert_eq!(back.update.unwrap().health, SourceHealth::Following);
        assert_eq!(back.wait, POLL_INTERVAL);
    });
}

#[test]
fn a_source_on_another_network_ends_the_watch() {
    let chain = FakeChain::new(Network::Signet, 10);
    let (clock, _) = clock_at_tip(&chain);
    let source = bitcoind(&chain, &Arc::default());
    let (sender, mut updates) = tokio::sync::mpsc::channel(1);
    run(async {
        let error = watch(source, settings(), clock, Arc::default(), sender).await.unwrap_err();
        assert!(matches!(error, ChainError::WrongNetwork { .. }));
        assert_eq!(updates.recv().await, None, "no height of a wrong chain gets out");
    });
}

#[test]
fn a_source_replaced_by_one_of_another_network_while_away_ends_the_watch() {
    let answers = Arc::new(Mutex::new((FakeChain::new(Network::Regtest, 10), true)));
    let (clock, _) = clock_at_tip(&answers.lock().unwrap().0);
    let served = Arc::clone(&answers);
    let url = serve_http(move |request| match &*served.lock().unwrap() {
        (chain, true) => bitcoind_reply(chain, &request.body),
        _ => Reply::status(503, ""),
    });
    let config = ChainConfig {
        source: Some(SourceKind::Bitcoind),
        url: Some(url),
        user: Some("u".into()),
        password: Some("p".to_owned().into()),
        ..ChainConfig::default()
    };
    let mut watcher = Watcher::new(config.open(Network::Regtest).unwrap(), settings(), clock);
    run(async {
        watcher.step().await.unwrap();
        answers.lock().unwrap().1 = false;
        watcher.step().await.unwrap();
        *answers.lock().unwrap() = (FakeChain::new(Network::Testnet4, 20), true);
        let error = watcher.step().await.unwrap_err();
        assert!(matches!(error, ChainError::WrongNetwork { .. }));
    });
}

#[test]
fn a_source_that_hangs_counts_as_failing_and_its_answer_is_taken_when_it_comes() {
    let chain = FakeChain::new(Network::Regtest, 10);
    let (clock, _) = clock_at_tip(&chain);
    let (answer, awaited) = mpsc::channel::<Tip>();
    let tip = Tip { height: 10, hash: None, time_unix: (clock.unix_s)() };
    let resume = Some(Tip { height: 9, ..tip });
    let settings = WatchSettings { poll_timeout: Duration::from_millis(20), resume, ..settings() };
    let source = Scripted(move || Ok(awaited.recv().unwrap()));
    run(async {
        let mut watcher = Watcher::new(Box::new(source), settings, clock);
        let hanging = watcher.step().await.unwrap().update.unwrap();
        assert_eq!((hanging.height, hanging.health), (9, SourceHealth::Failing));
        answer.send(tip).unwrap();
        let mut update = None;
        while update.is_none() {
            update = watcher.step().await.unwrap().update;
        }
        let update = update.unwrap();
        assert_eq!((update.height, update.health), (10, SourceHealth::Following));
        drop(answer);
    });
}

#[test]
fn a_panic_in_a_source_ends_the_watch_with_an_error() {
    let chain = FakeChain::new(Network::Regtest, 1);
    let (clock, _) = clock_at_tip(&chain);
    let mut watcher = Watcher::new(Box::new(Scripted(|| panic!("bug"))), settings(), clock);
    run(async {
        let error = watcher.step().await.unwrap_err();
        assert!(matches!(error, ChainError::Broken { .. }) && error.is_fatal());
        assert!(watcher.step().await.is_err());
    });
}

#[test]
fn the_task_reports_changes_and_ends_with_its_receiver() {
    let chain = FakeChain::new(Network::Regtest, 1);
    let (clock, _) = clock_at_tip(&chain);
    let (source, height) = ClockSource::manual(100, Arc::clone(&clock.unix_s));
    let settings = WatchSettings { poll_interval: Duration::from_millis(1), ..settings() };
    let (sender, mut updates) = tokio::sync::mpsc::channel(4);
    run(async {
        let task = tokio::spawn(watch(Box::new(source), settings, clock, Arc::default(), sender));
        assert_eq!(updates.recv().await.unwrap().height, 100);
        height.set(101);
        while updates.recv().await.unwrap().height != 101 {}
        drop(updates);
        task.await.unwrap().unwrap();
    });
}
