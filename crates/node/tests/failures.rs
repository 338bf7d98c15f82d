//! A node whose disk or chain source fails stops, and says why.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::{PATIENCE, TestNode, config, invoke, write_something};
use steward_chain::{ClockSource, system_clock};
use steward_engine::WriteBatch;
use steward_engine::row::StoredState;
use steward_hosted::Phase;
use steward_node::{Node, NodeHandle, NodeParts, Seed};
use steward_store::{History, MemoryStore, Store, StoreError, StoreStats};

/// A store in memory whose disk can be broken.
struct FragileStore {
    inner: MemoryStore,
    broken: Arc<AtomicBool>,
}

impl Store for FragileStore {
    fn load(&mut self, now_ms: u64) -> Result<StoredState, StoreError> {
        self.inner.load(now_ms)
    }

    fn commit(&mut self, batch: &WriteBatch) -> Result<(), StoreError> {
        if self.broken.load(Ordering::SeqCst) && !batch.is_empty() {
            return Err(StoreError::DiskFull);
        }
        self.inner.commit(batch)
    }

    fn maintain(&mut self) -> Result<(), StoreError> {
        self.inner.maintain()
    }

    fn close(&mut self) -> Result<(), StoreError> {
        self.inner.close()
    }

    fn stats(&self) -> StoreStats {
        self.inner.stats()
    }

    fn history(&self) -> Result<Arc<dyn History>, StoreError> {
        self.inner.history()
    }
}

struct Fragile {
    _dir: tempfile::TempDir,
    handle: NodeHandle,
    broken: Arc<AtomicBool>,
}

async fn fragile_node() -> Fragile {
    let dir = tempfile::tempdir().unwrap();
    let broken = Arc::new(AtomicBool::new(false));
    let store = FragileStore { inner: MemoryStore::new(), broken: Arc::clone(&broken) };
    let config = config(dir.path(), &[]);
    let chain = config.chain.open(config.node.network).unwrap();
    let blocks = config.chain.open_blocks(config.node.network).unwrap();
    let parts =
        NodeParts { seed: Seed::generate().unwrap(), store: Box::new(store), chain, blocks };
    let handle = Node::start_with(config, parts).await.unwrap();
    Fragile { _dir: dir, handle, broken }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_commit_stops_the_node_with_its_reason() {
    let node = fragile_node().await;
    write_something(&node.handle).await.unwrap();
    node.broken.store(true, Ordering::SeqCst);
    let answer = write_something(&node.handle).await;
    assert_eq!(answer.err().unwrap().code.name(), "store_failed");
    let stopped = tokio::time::timeout(PATIENCE, node.handle.stopped()).await.unwrap();
    let error = stopped.err().unwrap();
    assert_eq!(error.code.name(), "store_failed");
    assert!(error.message.contains("disk is full"), "{}", error.message);
    assert!(node.handle.status().await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_failed_batch_would_have_sent_never_leaves() {
    let host = fragile_node().await;
    let client = TestNode::start(&[]).await;
    let mut events = client.handle.subscribe();
    host.broken.store(true, Ordering::SeqCst);
    invoke(&client.handle, &host.handle).await;
    let stopped = tokio::time::timeout(PATIENCE, host.handle.stopped()).await.unwrap();
    assert_eq!(stopped.unwrap_err().code.name(), "store_failed");
    host.handle.shutdown().await.unwrap_err();
    let channels = client.handle.channels().await.unwrap();
    // The host's signature was in that batch.
    assert!(channels.iter().all(|channel| channel.phase == Phase::Opening), "{channels:?}");
    assert!(events.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_node_closes_its_port_and_can_be_shut_down() {
    let node = fragile_node().await;
    let address = node.handle.info().listen[0];
    node.broken.store(true, Ordering::SeqCst);
    write_something(&node.handle).await.unwrap_err();
    node.handle.stopped().await.unwrap_err();
    assert_eq!(node.handle.shutdown().await.unwrap_err().code.name(), "store_failed");
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_does_not_start_on_another_networks_chain() {
    let dir = tempfile::tempdir().unwrap();
    let (chain, _) = ClockSource::manual(100, system_clock());
    let parts = NodeParts {
        seed: Seed::generate().unwrap(),
        store: Box::new(MemoryStore::new()),
        chain: Box::new(chain),
        blocks: None,
    };
    // The clock is regtest's.
    let config = config(
        dir.path(),
        &["network=signet", "chain.source=esplora", "chain.url=http://127.0.0.1:1"],
    );
    let started = Node::start_with(config, parts).await;
    assert_eq!(started.err().unwrap().code.name(), "chain_source_unusable");
}
