//! The task that follows a chain.

mod support;

use std::sync::Arc;
use std::time::Duration;

use bitcoin::Network;
use bitcoin::constants::genesis_block;
use steward_chain::{ChainError, ChainEvent, FeedReport, Scanner, feed, first_position};
use support::Reply;
use support::ledger::{Dialect, Ledger};
use tokio::sync::mpsc::{Receiver, channel};
use tokio::task::JoinHandle;

type Task = JoinHandle<Result<(), ChainError>>;

fn start(ledger: &Ledger, height: u32) -> (Task, Receiver<FeedReport>) {
    let mut source = ledger.open(Dialect::Bitcoind);
    let position = first_position(source.as_mut(), Network::Regtest, Some(height)).unwrap();
    let (sender, reports) = channel(1);
    let scanner = Scanner::new(source, position);
    (tokio::spawn(feed(scanner, Duration::from_millis(1), Arc::default(), sender)), reports)
}

/// The heights that are reported until the feed has caught up.
async fn heights(reports: &mut Receiver<FeedReport>) -> Vec<u32> {
    let mut heights = Vec::new();
    loop {
        match reports.recv().await.unwrap() {
            FeedReport::Event(scanned) => match scanned.event {
                ChainEvent::Connected { height, .. } => heights.push(height),
                ChainEvent::Disconnected { fork, .. } => heights.push(fork.height),
            },
            FeedReport::CaughtUp if heights.is_empty() => {}
            FeedReport::CaughtUp => return heights,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn blocks_are_reported_as_they_come_and_a_reorg_as_it_comes() {
    let ledger = Ledger::new(5);
    let (task, mut reports) = start(&ledger, 2);
    assert_eq!(heights(&mut reports).await, [3, 4, 5]);
    ledger.mine(2);
    let mut seen = heights(&mut reports).await;
    if seen == [6] {
        seen.extend(heights(&mut reports).await);
    }
    assert_eq!(seen, [6, 7]);
    {
        let mut state = ledger.state();
        state.rewind(1);
        state.mine_with(&[]);
        state.mine_with(&[]);
    }
    assert_eq!(heights(&mut reports).await, [6, 7, 8]);
    drop(reports);
    task.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_failure_is_reported_and_the_feed_goes_on_where_it_was() {
    let ledger = Ledger::new(5);
    let mut failures = 1;
    ledger.state().instead = Some(Box::new(move |_, asked| {
        let is_due = asked == "getblock" && failures > 0;
        failures -= i32::from(is_due);
        is_due.then(|| Reply::status(503, "busy"))
    }));
    let (_task, mut reports) = start(&ledger, 2);
    let FeedReport::Failing { error } = reports.recv().await.unwrap() else { panic!("no failure") };
    assert!(matches!(error, ChainError::Refused { code: 503, .. }), "{error:?}");
    assert_eq!(heights(&mut reports).await, [3, 4, 5]);
}

#[tokio::test]
async fn a_source_on_a_shorter_chain_is_reported() {
    let ledger = Ledger::new(5);
    let (_task, mut reports) = start(&ledger, 4);
    assert_eq!(heights(&mut reports).await, [5]);
    ledger.rewind(2);
    let height = loop {
        match reports.recv().await.unwrap() {
            FeedReport::CaughtUp => {}
            FeedReport::Behind { source_height } => break source_height,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(height, 3);
}

#[tokio::test]
async fn another_network_ends_the_feed() {
    let ledger = Ledger::new(5);
    let (task, reports) = start(&ledger, 2);
    ledger.state().blocks = vec![genesis_block(Network::Signet)];
    ledger.state().instead = Some(Box::new(|state, _| {
        let failed_before = state.asked.iter().filter(|asked| *asked == "getblockhash").count();
        (failed_before == 0).then(|| Reply::status(503, ""))
    }));
    let mut reports = reports;
    while reports.recv().await.is_some() {}
    assert!(task.await.unwrap().unwrap_err().is_fatal());
}
