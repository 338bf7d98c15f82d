//! A payment between the engine's thread, the router's threads and the store.

use std::sync::mpsc::{Sender, channel};

use steward_engine::row::{LocalIdentity, PaymentStatus};
use steward_engine::{AnswerAt, Command, ConnId, EventKind, Reply};
use steward_wire::Preimage;

use crate::common::{ADDRESS, PANICS_AT_MSAT, PATIENCE, TestNode, wait_for};

const PREIMAGE: Preimage = Preimage([3; 32]);

/// Starts a host and its client, with an open channel.
async fn host_and_client() -> (TestNode, TestNode) {
    let (host, client) = (TestNode::start(1).await, TestNode::start(2).await);
    let mut at_client = client.runtime.subscribe();
    client.connect(&host, ConnId(1));
    let invoke = Command::InvokeChannel {
        host: host.id(),
        addresses: vec![ADDRESS.to_owned()],
        identity: LocalIdentity::PerHost,
        secret: Vec::new(),
    };
    client.runtime.command(invoke).await.unwrap();
    wait_for(&mut at_client, |kind| matches!(kind, EventKind::ChannelOpened { .. })).await;
    (host, client)
}

fn keysend(payee: &TestNode, amount_msat: u64) -> Command {
    Command::Keysend {
        destination: payee.id(),
        via: None,
        amount_msat,
        max_fee_msat: None,
        preimage: PREIMAGE,
        answer: AnswerAt::End,
    }
}

/// Finds no route until the sender is dropped.
fn close_gate(node: &TestNode) -> Sender<()> {
    let (gate, is_open) = channel();
    *node.router.gate.lock().unwrap() = Some(is_open);
    gate
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_ends_though_its_router_panics() {
    let (host, client) = host_and_client().await;
    let pay = client.runtime.command(keysend(&host, PANICS_AT_MSAT));
    let Reply::Payment(row) = tokio::time::timeout(PATIENCE, pay).await.unwrap().unwrap() else {
        panic!("not a payment");
    };
    assert_eq!(row.status, PaymentStatus::Failed);
    assert_eq!(row.failure.unwrap().1, "path-finding failed");
    assert_eq!(client.runtime.metrics().pending_routes, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_no_action_depends_on_become_durable_by_themselves() {
    let (host, client) = host_and_client().await;
    let gate = close_gate(&client);
    let stored = async {
        while client.history.payment(&PREIMAGE.hash()).unwrap().is_none() {
            tokio::task::yield_now().await;
        }
    };
    // Without a route nothing is sent, and nobody is told anything.
    tokio::select! {
        _ = client.runtime.command(keysend(&host, 1_000_000)) => panic!("it cannot end"),
        stored = tokio::time::timeout(PATIENCE, stored) => stored.unwrap(),
    }
    drop(gate);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_wait_for_company_are_stored_at_the_end() {
    let (host, client) = host_and_client().await;
    let gate = close_gate(&client);
    let pay = client.runtime.command(keysend(&host, 1_000_000));
    let ended = async {
        while client.runtime.metrics().pending_routes == 0 {
            tokio::task::yield_now().await;
        }
        client.end().await;
    };
    let (unanswered, ()) = tokio::join!(pay, ended);
    assert!(unanswered.is_err());
    assert!(client.history.payment(&PREIMAGE.hash()).unwrap().is_some());
    drop(gate);
}
