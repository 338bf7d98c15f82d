//! A payee that is silent, and blocks that show the preimage or hide behind a failing source.

mod common;
#[allow(dead_code, unused_imports, reason = "this file uses a part")]
mod raw;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bitcoin::secp256k1::SecretKey;
use common::{PATIENCE, config, wait_for};
use raw::{Client, Framing};
use steward_chain::{
    BlockHash, BlockSource, ChainError, ChainSource, ClockSource, HeightHandle, Network, Tip,
    system_clock,
};
use steward_engine::row::{PaymentRow, PaymentStatus};
use steward_engine::{AnswerAt, Command, Error, EventKind, Reply};
use steward_hosted::limits::PUBLISHED_GRACE_BLOCKS;
use steward_node::{Node, NodeHandle, NodeParts, Seed};
use steward_runtime::limits::MAX_BLOCKS_PER_SEARCH;
use steward_store::MemoryStore;
use steward_wire::{NodeId, Preimage};
use tokio::sync::watch;
use tokio::task::JoinHandle;

const HEIGHT: u32 = 800_000;
const PREIMAGE: Preimage = Preimage([7; 32]);

/// The published preimages at each height.
type Published = BTreeMap<u32, Vec<Preimage>>;

/// Blocks that publish what a test says. While there are none, the source fails.
#[derive(Clone)]
struct Blocks {
    published: Arc<Mutex<Option<Published>>>,
    /// The number of times that a block was asked for.
    asked: watch::Sender<u32>,
}

impl ChainSource for Blocks {
    fn describe(&self) -> String {
        "a test".to_owned()
    }
    fn tip(&mut self) -> Result<Tip, ChainError> {
        panic!("the tip is the clock's business")
    }
    fn block_hash_at(&mut self, _: u32) -> Result<Option<BlockHash>, ChainError> {
        panic!("no hash is asked for")
    }
    fn check_network(&mut self, _: Network) -> Result<(), ChainError> {
        Ok(())
    }
}

impl BlockSource for Blocks {
    fn preimages_at(&mut self, height: u32) -> Result<Option<Vec<Preimage>>, ChainError> {
        self.asked.send_modify(|asked| *asked += 1);
        let published = self.published.lock().unwrap();
        let published = published.as_ref().ok_or_else(|| ChainError::Unreachable {
            endpoint: self.describe(),
            reason: "on purpose".to_owned(),
        })?;
        Ok(Some(published.get(&height).cloned().unwrap_or_default()))
    }
}

/// A host whose own payment is in flight to a client that does not answer.
struct Scene {
    _dir: tempfile::TempDir,
    host: NodeHandle,
    heights: HeightHandle,
    blocks: Blocks,
    peer: Client,
    cltv_expiry: u32,
    paying: JoinHandle<Result<Reply, Error>>,
}

async fn unanswered_payment() -> Scene {
    let dir = tempfile::tempdir().unwrap();
    let (chain, heights) = ClockSource::manual(HEIGHT, system_clock());
    let blocks = Blocks { published: Arc::default(), asked: watch::Sender::new(0) };
    let parts = NodeParts {
        seed: Seed::generate().unwrap(),
        store: Box::new(MemoryStore::new()),
        chain: Box::new(chain),
        blocks: Some(Box::new(blocks.clone())),
    };
    let host = Node::start_with(config(dir.path(), &[]), parts).await.unwrap();
    let info = host.info();
    let key = SecretKey::from_slice(&[1; 32]).unwrap();
    let address = info.listen[0].to_string();
    let mut peer = Client::new(key, info.node_id.0, &address, Framing::Modern, HEIGHT / 144);
    peer.open().await;
    let pay = Command::Keysend {
        destination: NodeId(peer.id()),
        via: None,
        amount_msat: 1_000_000,
        max_fee_msat: None,
        preimage: PREIMAGE,
        answer: AnswerAt::End,
    };
    let payer = host.clone();
    let paying = tokio::spawn(async move { payer.plumbing().command(pay).await });
    let cltv_expiry = peer.next_htlc().await.cltv_expiry();
    Scene { _dir: dir, host, heights, blocks, peer, cltv_expiry, paying }
}

impl Scene {
    async fn ended(&mut self) -> PaymentRow {
        let answer = tokio::time::timeout(PATIENCE, &mut self.paying).await.unwrap();
        let Reply::Payment(row) = answer.unwrap().unwrap() else { panic!("not a payment") };
        row
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payee_that_claims_on_chain_is_paid_and_a_silent_host_suspended_in_the_end() {
    let mut scene = unanswered_payment().await;
    let mut events = scene.host.subscribe();
    let published = Published::from([(HEIGHT + 2, vec![Preimage([1; 32]), PREIMAGE])]);
    *scene.blocks.published.lock().unwrap() = Some(published);
    scene.heights.set(HEIGHT + 2);
    let row = scene.ended().await;
    assert_eq!((row.status, row.preimage), (PaymentStatus::Complete, Some(PREIMAGE)));
    scene.heights.set(scene.cltv_expiry - PUBLISHED_GRACE_BLOCKS);
    wait_for(&mut events, |kind| match kind {
        EventKind::ChannelSuspended { peer, suspension, .. } => {
            peer.0 == scene.peer.id() && suspension.by_us && suspension.code == Some(6)
        }
        _ => false,
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_htlc_is_held_until_the_blocks_can_be_searched() {
    let mut scene = unanswered_payment().await;
    assert!(scene.cltv_expiry - HEIGHT > MAX_BLOCKS_PER_SEARCH, "one answer is not enough");
    let mut asked = scene.blocks.asked.subscribe();
    scene.heights.set(scene.cltv_expiry + 1);
    // It is asked a second time, because the first was after the failure was known.
    tokio::time::timeout(PATIENCE, asked.wait_for(|asked| *asked >= 2)).await.unwrap().unwrap();
    let status = scene.host.status().await.unwrap();
    assert_eq!((status.height, status.pending_payments), (scene.cltv_expiry + 1, 1));

    *scene.blocks.published.lock().unwrap() = Some(Published::new());
    assert_eq!(scene.ended().await.status, PaymentStatus::Failed);
}
