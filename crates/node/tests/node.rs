//! Whole nodes in one process, over loopback TCP and on real stores.

mod common;

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use common::{
    PATIENCE, TestNode, config, invoke, keysend_to, make_node, new_invoice, pay_invoice,
    write_something,
};
use steward_engine::row::PaymentStatus;
use steward_hosted::Phase;
use steward_node::{Node, Seed, initialize};
use steward_store::History;
use steward_store::sqlite::{FILE_NAME, SqliteHistory};
use steward_wire::{impossible, invariant};

/// The settings of a host that gives its first clients an amount to pay with.
const GENEROUS: &[&str] = &["host.initial_client_balance_sat=100000"];

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_open_a_channel() {
    let host = TestNode::start(&[]).await;
    let client = TestNode::start(&[]).await;
    client.open_channel(&host).await;
    client.channels_active().await;
    let channels = client.handle.channels().await.unwrap();
    assert_eq!(channels.len(), 1);
    assert_eq!(channels[0].peer, host.handle.info().node_id);
    assert_eq!(channels[0].phase, Phase::Active);
    // The host sees an identity made for it alone.
    assert_ne!(channels[0].local, client.handle.info().node_id);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_client_pays_another_through_their_host() {
    let host = TestNode::start(GENEROUS).await;
    let (payer, payee) = (TestNode::start(&[]).await, TestNode::start(&[]).await);
    for client in [&payer, &payee] {
        client.open_channel(&host).await;
        client.channels_active().await;
    }
    host.channels_active().await;
    let invoice = payee.handle.create_invoice(new_invoice(Some(1_000_000), 3600)).await.unwrap();
    let parsed = steward_invoice::parse(invoice.kind.bolt11().unwrap()).unwrap();
    let paid = payer.handle.pay(pay_invoice(parsed, None), PATIENCE).await.unwrap();
    assert!(!paid.begun_earlier);
    let paid = paid.payment;
    assert_eq!(paid.status, PaymentStatus::Complete, "{:?}", paid.failure);
    assert_eq!(paid.preimage, Some(invoice.preimage));
    assert!(paid.fee_msat > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invoice_paid_before_a_restart_is_not_paid_again() {
    let host = TestNode::start(GENEROUS).await;
    let client = TestNode::start(&[]).await;
    client.open_channel(&host).await;
    client.channels_active().await;
    let invoice = host.handle.create_invoice(new_invoice(Some(1000), 60)).await.unwrap();
    let invoice = steward_invoice::parse(invoice.kind.bolt11().unwrap()).unwrap();
    let first = client.handle.pay(pay_invoice(invoice.clone(), None), PATIENCE).await.unwrap();
    assert_eq!(first.payment.status, PaymentStatus::Complete);
    client.handle.shutdown().await.unwrap();

    // The engine has forgotten it; and there is no way to the host yet, so nothing could be paid.
    let TestNode { dir, config, .. } = client;
    let handle = Node::start(config.clone()).await.unwrap();
    let client = TestNode { dir, config, handle };
    let again = client.handle.pay(pay_invoice(invoice, None), PATIENCE).await.unwrap();
    assert_eq!(again.payment, first.payment);
    assert!(again.begun_earlier && !first.begun_earlier);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_paid_long_ago_is_not_taken_for_another_amount_or_for_an_invoice_of_others() {
    let host = TestNode::start(GENEROUS).await;
    let client = TestNode::start(&[]).await;
    client.open_channel(&host).await;
    client.channels_active().await;
    let any = host.handle.create_invoice(new_invoice(None, 60)).await.unwrap();
    let any = steward_invoice::parse(any.kind.bolt11().unwrap()).unwrap();
    let pay = |amount_msat| client.handle.pay(pay_invoice(any.clone(), amount_msat), PATIENCE);
    assert_eq!(pay(Some(5_000)).await.unwrap().payment.status, PaymentStatus::Complete);
    client.handle.shutdown().await.unwrap();

    let TestNode { dir, config, .. } = client;
    let handle = Node::start(config.clone()).await.unwrap();
    let client = TestNode { dir, config, handle };
    let pay = |amount_msat| client.handle.pay(pay_invoice(any.clone(), amount_msat), PATIENCE);
    assert!(pay(Some(5_000)).await.unwrap().begun_earlier);
    assert!(pay(None).await.unwrap().begun_earlier);
    assert_eq!(pay(Some(6_000)).await.unwrap_err().code.name(), "wrong_amount");
    // The payee has forgotten it as well.
    let own = host.handle.pay(pay_invoice(any.clone(), Some(5_000)), PATIENCE).await;
    assert_eq!(own.unwrap_err().code.name(), "self_payment");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_client_finds_its_channel_and_its_invoices() {
    let host = TestNode::start(&[]).await;
    let client = TestNode::start(&[]).await;
    client.open_channel(&host).await;
    client.channels_active().await;
    let invoice = client.handle.create_invoice(new_invoice(Some(1000), 60)).await.unwrap();
    let id = client.handle.info().node_id;
    client.handle.shutdown().await.unwrap();

    let TestNode { dir, config, .. } = client;
    let handle = Node::start(config.clone()).await.unwrap();
    let client = TestNode { dir, config, handle };
    assert_eq!(client.handle.info().node_id, id);
    client.channels_active().await;
    assert_eq!(client.handle.invoice(invoice.payment_hash).await.unwrap(), invoice);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_host_gets_its_client_back() {
    let host = TestNode::start(&[]).await;
    let client = TestNode::start(&[]).await;
    client.open_channel(&host).await;
    client.channels_active().await;
    let address = format!("listen.addresses={}", host.address());
    host.handle.shutdown().await.unwrap();

    let config = config(host.dir.path(), &[&address]);
    let handle = Node::start(config.clone()).await.unwrap();
    let host = TestNode { dir: host.dir, config, handle };
    host.channels_active().await;
    client.channels_active().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_started_node_knows_the_height() {
    let node =
        TestNode::start(&["chain.start_height=7", "chain.seconds_per_block=1000000000"]).await;
    let status = node.handle.status().await.unwrap();
    assert!(status.height >= 7 && !status.tip_is_stale, "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn twelve_words_bring_a_client_back_to_its_channel() {
    let host = TestNode::start(GENEROUS).await;
    let lost = TestNode::start(&[]).await;
    lost.open_channel(&host).await;
    lost.channels_active().await;
    let words = lost.handle.seed_words().unwrap();
    lost.handle.shutdown().await.unwrap();

    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path(), &[]);
    initialize(&config, Some(&words)).unwrap();
    let handle = Node::start(config.clone()).await.unwrap();
    let restored = TestNode { dir, config, handle };
    invoke(&restored.handle, &host.handle).await;
    restored.channels_active().await;
    let status = restored.handle.status().await.unwrap();
    assert_eq!(status.owed_by_hosts_msat, 100_000_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_node_on_the_same_directory_is_refused() {
    let node = TestNode::start(&[]).await;
    let second = Node::start(config(node.dir.path(), &[])).await;
    assert_eq!(second.err().unwrap().code.name(), "data_dir_locked");
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_unlocks_the_directory_and_may_be_repeated() {
    let node = TestNode::start(&[]).await;
    let (first, second) = tokio::join!(node.handle.shutdown(), node.handle.shutdown());
    assert!(first.is_ok() && second.is_ok());
    assert!(node.handle.stopped().await.is_ok());
    Node::start(node.config).await.unwrap().shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_goes_on_if_its_caller_does_not_wait() {
    let node = TestNode::start(&[]).await;
    // The payment is begun by one poll, and its future dropped.
    tokio::select! {
        biased;
        _ = node.handle.shutdown() => {}
        () = std::future::ready(()) => {}
    }
    tokio::time::timeout(PATIENCE, node.handle.stopped()).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_cannot_be_delivered_ends_with_its_reason() {
    let host = TestNode::start(GENEROUS).await;
    let (payer, stranger) = (TestNode::start(&[]).await, TestNode::start(&[]).await);
    payer.open_channel(&host).await;
    payer.channels_active().await;
    let payee = stranger.handle.info().node_id;
    let paid = payer.handle.keysend(keysend_to(payee, 1_000_000), PATIENCE).await;
    let paid = paid.unwrap();
    assert_eq!(paid.status, PaymentStatus::Failed);
    assert!(paid.failure.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_is_refused_says_why_to_those_who_do_not_wait_too() {
    let host = TestNode::start(GENEROUS).await;
    let (payer, stranger) = (TestNode::start(&[]).await, TestNode::start(&[]).await);
    payer.open_channel(&host).await;
    payer.channels_active().await;
    let payee = stranger.handle.info().node_id;
    let too_much_msat = 1_000_000_000_000;
    for _ in 0..40 {
        // Answers wait for the disk while a row is written.
        let busy = payer.handle.create_invoice(new_invoice(None, 60));
        let keysend = payer.handle.keysend(keysend_to(payee, too_much_msat), Duration::ZERO);
        let (made, paid) = tokio::join!(busy, keysend);
        made.unwrap();
        assert_eq!(paid.unwrap_err().code.name(), "insufficient_balance");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_shut_down_answers_no_commands() {
    let node = TestNode::start(&[]).await;
    node.handle.shutdown().await.unwrap();
    let answer = node.handle.status().await;
    assert_eq!(answer.err().unwrap().code.name(), "node_stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_named() {
    let node = TestNode::start(&[]).await;
    let dir = tempfile::tempdir().unwrap();
    let taken = format!("listen.addresses={}", node.address());
    let config = config(dir.path(), &[&taken]);
    make_node(&config);
    let error = Node::start(config).await.err().unwrap();
    assert_eq!(error.code.name(), "listen_failed");
    assert!(error.message.contains(&node.address()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_database_is_not_replaced_by_an_empty_one() {
    let node = TestNode::start(&[]).await;
    node.handle.shutdown().await.unwrap();
    std::fs::remove_file(node.dir.path().join(FILE_NAME)).unwrap();
    let error = Node::start(node.config.clone()).await.err().unwrap();
    assert_eq!(error.code.name(), "database_not_found");
    // It is made if the operator says that the old one is lost for good.
    assert_eq!(initialize(&node.config, None).err().unwrap().code.name(), "seed_exists");
    let words = node.handle.seed_words().unwrap();
    initialize(&node.config, Some(&words)).unwrap();
    Node::start(node.config).await.unwrap().shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_seed_is_not_replaced_by_a_new_one() {
    let node = TestNode::start(&[]).await;
    node.handle.shutdown().await.unwrap();
    std::fs::remove_file(node.dir.path().join("seed")).unwrap();
    let error = Node::start(node.config).await.err().unwrap();
    assert_eq!(error.code.name(), "seed_missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_of_another_network_is_refused() {
    let node = TestNode::start(&[]).await;
    node.handle.shutdown().await.unwrap();
    let other = config(
        node.dir.path(),
        &["network=signet", "chain.source=esplora", "chain.url=http://127.0.0.1:1"],
    );
    assert_eq!(Node::start(other).await.err().unwrap().code.name(), "wrong_network");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_a_database_of_the_same_node() {
    let node = TestNode::start(&[]).await;
    write_something(&node.handle).await.unwrap();
    let copy = node.dir.path().join("copy.db");
    node.handle.backup(copy.clone()).await.unwrap();
    let found = SqliteHistory::open(&copy).unwrap().verify().unwrap();
    assert_eq!(found.owner.node_id, node.handle.info().node_id);
    let again = node.handle.backup(copy).await;
    assert_eq!(again.err().unwrap().code.name(), "file_exists");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_node_does_is_counted() {
    let node = TestNode::start(&[]).await;
    let before = node.handle.metrics();
    write_something(&node.handle).await.unwrap();
    node.handle.status().await.unwrap();
    let after = node.handle.metrics();
    assert!(after.runtime.store.commits > before.runtime.store.commits);
    assert!(after.runtime.inputs >= before.runtime.inputs + 2);
    assert_eq!(after.runtime.outstanding_commands, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bug_that_the_node_survives_is_counted() {
    let node = TestNode::start(&[]).await;
    let before = node.handle.metrics().bugs;
    invariant::as_in_release(|| impossible!("this place is never reached"));
    assert_eq!(node.handle.metrics().bugs, before + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_where_no_node_is_makes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    for place in [dir.path().to_owned(), dir.path().join("mistyped"), dir.path().join("a/b")] {
        let error = Node::start(config(&place, &[])).await.err().unwrap();
        assert_eq!(error.code.name(), "no_node");
        assert!(error.hint.contains("steward init"), "{}", error.hint);
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_directory_in_a_place_that_is_not_there_is_not_made() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("not-mounted/steward");
    let error = initialize(&config(&place, &[]), None).err().unwrap();
    assert_eq!(error.code.name(), "data_dir_unusable");
    assert!(error.message.contains("not-mounted does not exist"), "{}", error.message);
    assert!(!dir.path().join("not-mounted").exists());
}

#[test]
fn words_that_are_wrong_make_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("new");
    let error = initialize(&config(&place, &[]), Some("not a seed")).err().unwrap();
    assert_eq!(error.code.name(), "seed_invalid");
    assert!(!place.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seed_whose_words_were_not_shown_does_not_start() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path(), &[]);
    initialize(&config, None).unwrap();
    let error = Node::start(config.clone()).await.err().unwrap();
    assert_eq!(error.code.name(), "seed_not_shown");
    assert!(error.hint.contains("`steward seed`"), "{}", error.hint);
    Seed::words_were_shown(dir.path()).unwrap();
    Node::start(config).await.unwrap().shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seed_that_others_can_read_does_not_start() {
    let node = TestNode::start(&[]).await;
    node.handle.shutdown().await.unwrap();
    let seed = node.dir.path().join("seed");
    for mode in [0o644, 0o640, 0o602] {
        std::fs::set_permissions(&seed, PermissionsExt::from_mode(mode)).unwrap();
        let error = Node::start(node.config.clone()).await.err().unwrap();
        assert_eq!(error.code.name(), "seed_readable");
        assert!(error.hint.contains("chmod 600"), "{}", error.hint);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_does_not_become_a_wallet_unasked() {
    let host = TestNode::start(GENEROUS).await;
    let client = TestNode::start(&["host.enabled=false", "listen.addresses="]).await;
    assert!(client.handle.info().listen.is_empty());
    client.open_channel(&host).await;
    host.handle.shutdown().await.unwrap();
    let as_before = config(host.dir.path(), &["host.enabled=false", "listen.addresses="]);
    let error = Node::start(as_before).await.err().unwrap();
    assert_eq!(error.code.name(), "host_not_enabled");
    assert!(error.message.contains("hosts 1 channels"), "{}", error.message);
    assert!(error.hint.ends_with("enabled = true"), "{}", error.hint);
    Node::start(host.config).await.unwrap().shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_hosts_no_client() {
    // As host a node opens channels, as wallet with the same settings it would not.
    let config = config(std::path::Path::new("x"), GENEROUS);
    assert!(config.engine_config().unwrap().host.accept_new_channels);
    let wallet = common::config(
        std::path::Path::new("x"),
        &[GENEROUS, &["host.enabled=false", "listen.addresses="]].concat(),
    );
    assert!(!wallet.engine_config().unwrap().host.accept_new_channels);
}
