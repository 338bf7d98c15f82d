//! The engine runs over any transport, router, blocks and signer that a program brings: here none
//! of them is Steward's own.

mod common;
mod payments;

use common::{ADDRESS, HEIGHT, INITIAL_MSAT, PATIENCE, TestNode, height, wait_for};
use steward_engine::row::PaymentStatus;
use steward_engine::{AnswerAt, Code, Command, ConnId, EventKind, Reply};
use steward_hosted::Summary;
use steward_wire::{NodeId, Preimage};

const CONN: ConnId = ConnId(1);
const AMOUNT_MSAT: u64 = 25_000_000;
const PREIMAGE: Preimage = Preimage([3; 32]);

/// Starts a host and its client, with an open channel.
async fn host_and_client() -> (TestNode, TestNode) {
    let (host, client) = (TestNode::start(1).await, TestNode::start(2).await);
    let (mut at_host, mut at_client) = (host.runtime.subscribe(), client.runtime.subscribe());
    client.connect(&host, CONN);
    let invoke = Command::InvokeChannel {
        host: host.id(),
        addresses: vec![ADDRESS.to_owned()],
        identity: steward_engine::row::LocalIdentity::PerHost,
        secret: Vec::new(),
    };
    client.runtime.command(invoke).await.unwrap();
    let is_opened = |kind: &EventKind| matches!(kind, EventKind::ChannelOpened { .. });
    wait_for(&mut at_host, is_opened).await;
    wait_for(&mut at_client, is_opened).await;
    (host, client)
}

fn keysend(payee: &TestNode) -> Command {
    Command::Keysend {
        destination: payee.id(),
        via: None,
        amount_msat: AMOUNT_MSAT,
        max_fee_msat: None,
        preimage: PREIMAGE,
        answer: AnswerAt::End,
    }
}

async fn summary(node: &TestNode, peer: NodeId) -> Summary {
    let Reply::Channel(info) =
        node.runtime.command(Command::ShowChannel { channel: peer.into() }).await.unwrap()
    else {
        panic!("not a channel");
    };
    info.summary.unwrap()
}

async fn our_balance_msat(node: &TestNode, peer: NodeId) -> u64 {
    summary(node, peer).await.local_balance_msat
}

async fn incoming_htlcs(node: &TestNode, peer: NodeId) -> u16 {
    summary(node, peer).await.incoming_htlcs
}

async fn outgoing_htlcs(node: &TestNode, peer: NodeId) -> u16 {
    summary(node, peer).await.outgoing_htlcs
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_opens_and_a_payment_arrives_over_a_foreign_transport_router_and_signer() {
    let (host, client) = host_and_client().await;
    let wish = "keep [\"somewhere:9735\"], a host: true";
    assert_eq!(*client.wire.wishes.lock().unwrap(), [wish]);

    let Reply::Payment(paid) = client.runtime.command(keysend(&host)).await.unwrap() else {
        panic!("not a payment");
    };
    assert_eq!((paid.status, paid.preimage), (PaymentStatus::Complete, Some(PREIMAGE)));
    // The payer is told with the preimage; the state without the HTLC is signed after that.
    let client_id = client.id_towards(&host);
    let settled = async {
        while outgoing_htlcs(&client, host.id()).await > 0
            || incoming_htlcs(&host, client_id).await > 0
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, settled).await.unwrap();
    let left_msat = INITIAL_MSAT - AMOUNT_MSAT;
    assert_eq!(our_balance_msat(&client, host.id()).await, left_msat);
    let here = our_balance_msat(&host, client_id).await;
    assert_eq!(here, 1_000_000_000 - left_msat);
    // The signer never showed a key, and was asked for nothing else.
    assert_eq!((host.uses(), client.uses()), (vec!["ecdh", "state", "update"], vec!["state"]));
    // The router is told how the path did.
    let learned = client.router.learned.lock().unwrap();
    assert_eq!((learned.len(), learned[0].failed), (1, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_router_that_finds_nothing_says_why() {
    let (host, client) = host_and_client().await;
    let stranger = TestNode::start(3).await;
    let Reply::Payment(row) = client.runtime.command(keysend(&stranger)).await.unwrap() else {
        panic!("not a payment");
    };
    assert_eq!(row.status, PaymentStatus::Failed);
    assert_eq!(row.failure.unwrap().1, "the payee is no neighbour");
    drop(host);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preimage_in_a_foreign_block_pays_for_an_htlc_that_a_silent_peer_leaves() {
    let (host, client) = host_and_client().await;
    let mut events = client.runtime.subscribe();
    // The host is gone before it learns of the payment.
    host.end().await;
    let runtime = &client.runtime;
    let publish = async {
        while outgoing_htlcs(&client, host.id()).await == 0 {
            tokio::task::yield_now().await;
        }
        client.blocks.published.lock().unwrap().insert(HEIGHT + 2, vec![PREIMAGE]);
        runtime.inputs().send(height(HEIGHT + 2)).await.unwrap();
    };
    let both = async { tokio::join!(runtime.command(keysend(&host)), publish) };
    let (paid, ()) = tokio::time::timeout(PATIENCE, both).await.unwrap();
    let Reply::Payment(row) = paid.unwrap() else { panic!("not a payment") };
    assert_eq!((row.status, row.preimage), (PaymentStatus::Complete, Some(PREIMAGE)));
    assert!(client.blocks.looked_into.lock().unwrap().contains(&(HEIGHT + 2)));
    wait_for(&mut events, |kind| matches!(kind, EventKind::PaymentSent { .. })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_ended_takes_no_command_and_ends_once() {
    let node = TestNode::start(1).await;
    node.end().await;
    assert!(node.runtime.begin_to_end().is_none());
    let refused = node.runtime.command(Command::Status).await;
    assert_eq!(refused.unwrap_err().code, Code::NodeStopped);
}
