//! A host that goes on from an old copy of its database, or has none left, while its clients hold
//! proofs of what happened since. What it cannot match it suspends and keeps; it never goes on
//! from the old state, and clients that did not move notice nothing.

use std::fs;
use std::time::Instant;

use hex::FromHex;
use steward::cluster::NodeProcess;
use steward_api::model::{Channel, ChannelDetails, Invoice, Payment, PaymentState, Phase};
use steward_store::sqlite::SqliteHistory;
use steward_store::{History, PageRequest};
use steward_wire::NodeId;
use steward_wire::proof::judge;

use crate::copies::{DatabaseCopy, remove_database};
use crate::support::load::{self, Load, assert_pays};
use crate::support::network::{ALICE, BOB, HOST, Network, Who, turn};
use crate::support::oracle::{self, snapshot};
use crate::support::program::{Answer, refused_start, steward, steward_with_input};
use crate::support::{PATIENCE, POLL_INTERVAL, binary};

const CAROL: Who = Who::Client(2);
const DAVE: Who = Who::Client(3);
/// The clients that pay and are paid after the copy, and those whose channels rest.
const MOVED: [Who; 2] = [ALICE, BOB];
const AT_REST: [Who; 2] = [CAROL, DAVE];

const COPIES: usize = 4;

#[test]
fn a_host_revived_from_a_copy_made_under_load_suspends_the_clients_ahead_and_serves_the_others() {
    let _turn = turn();
    let mut network = Network::start(4);
    let mut copies = vec![DatabaseCopy::take(&mut network, HOST)];
    let load = Load::start(&network.apis, &[(ALICE, BOB), (BOB, ALICE)], network.rng.next());
    for _ in 0..COPIES {
        network.let_pass();
        copies.push(DatabaseCopy::take(&mut network, HOST));
    }
    network.let_pass();
    let attempts = load.stop();
    // No copy is the newest state.
    assert_pays(&network, ALICE, BOB);
    assert_pays(&network, BOB, ALICE);
    oracle::assert_consistent(&network, &attempts);
    let proofs = MOVED.map(|who| by_client(&network, who));
    let invoice = network.node(CAROL).create_invoice(1_000_000).unwrap();

    let is_revived = copies.iter().rev().any(|copy| copy.revive(&mut network, HOST));
    assert!(is_revived, "the first copy was made at rest");
    assert_suspended(&network, &MOVED);
    oracle::await_settled(&network, &AT_REST);
    let at_host = MOVED.map(|who| by_host(&network, who));
    for who in MOVED {
        assert_evidence(&network, who);
    }
    assert_pays(&network, CAROL, DAVE);
    assert_pays(&network, DAVE, CAROL);
    assert_moves_nothing(&network, ALICE, &invoice);

    // Neither side forgets or gives in by another start.
    network.kill(&[HOST, ALICE]);
    network.restart(&[HOST, ALICE]);
    assert_suspended(&network, &MOVED);
    oracle::await_settled(&network, &AT_REST);
    assert_pays(&network, CAROL, DAVE);
    for (index, who) in MOVED.into_iter().enumerate() {
        assert_eq!(snapshot(&by_client(&network, who)), snapshot(&proofs[index]));
        assert_eq!(by_client(&network, who).signatures_valid, Some(true));
        assert_eq!(snapshot(&by_host(&network, who)), snapshot(&at_host[index]));
    }
}

#[test]
fn a_copy_of_a_host_that_a_checkpoint_tore_apart_is_refused() {
    let _turn = turn();
    let mut network = Network::start(2);
    let load = Load::start(&network.apis, &[(ALICE, BOB), (BOB, ALICE)], network.rng.next());
    let copy = DatabaseCopy::take_across_a_checkpoint(&mut network, HOST);
    load.stop();
    assert!(!copy.revive(&mut network, HOST));
}

#[test]
fn a_host_without_its_database_refuses_its_clients_states_and_they_keep_their_proofs() {
    let _turn = turn();
    let (network, proofs) = forgotten_by_the_host();
    for (who, proof) in MOVED.into_iter().zip(&proofs) {
        // Nothing is wrong with the client's copy: it waits, and is not suspended.
        let after = by_client(&network, who);
        assert_ne!(after.channel.phase, Phase::Suspended);
        assert_eq!(snapshot(&after), snapshot(proof));
        assert_eq!(after.signatures_valid, Some(true));
        // The host has what it was shown, and has not made it its own.
        assert_evidence(&network, who);
        let unknown = network.node(HOST).channel(&proof.channel.local_id).unwrap_err();
        assert_eq!(unknown.code, "unknown_channel");
    }
}

#[test]
fn a_host_that_refused_its_clients_states_takes_them_once_it_is_told_to() {
    let _turn = turn();
    let (mut network, proofs) = forgotten_by_the_host();
    // The operator reads why.
    network.kill(&[HOST]);
    let believing = network.believing_all();
    restart_host_with_adoption(&mut network, &believing);
    MOVED.iter().for_each(|who| await_known_to_host(&network, *who));
    oracle::await_settled(&network, &MOVED);
    for (who, proof) in MOVED.into_iter().zip(&proofs) {
        assert_eq!(snapshot(&by_client(&network, who)), snapshot(proof));
    }
    assert_pays(&network, BOB, ALICE);
}

/// A host that lost its database and has seen that its clients know more; and what those hold.
fn forgotten_by_the_host() -> (Network, [ChannelDetails; 2]) {
    let mut network = Network::start(2);
    assert_pays(&network, ALICE, BOB);
    oracle::await_settled(&network, &MOVED);
    let proofs = MOVED.map(|who| by_client(&network, who));
    lose_the_hosts_database(&mut network);
    network.restart(&[HOST]);
    await_logged(&network, HOST, "evidence_kept", MOVED.len());
    (network, proofs)
}

#[track_caller]
fn await_logged(network: &Network, who: Who, code: &str, times: usize) {
    let log = network.node(who).data_dir().join("log");
    let wanted = format!("code=\"{code}\"");
    let deadline = Instant::now() + PATIENCE;
    while fs::read_to_string(&log).unwrap().matches(&wanted).count() < times {
        assert!(Instant::now() < deadline, "{who:?} does not log {code}");
        std::thread::sleep(POLL_INTERVAL);
    }
}

/// Checks that the host has taken this client's channel over.
#[track_caller]
fn await_known_to_host(network: &Network, who: Who) {
    let local_id = by_client(network, who).channel.local_id;
    let deadline = Instant::now() + PATIENCE;
    while network.cluster.host.channel(&local_id).is_err() {
        assert!(Instant::now() < deadline, "the host does not take over {who:?}'s channel");
        std::thread::sleep(POLL_INTERVAL);
    }
}

/// Makes an empty database, as the operator does who has only the seed, by a command that says so.
pub(crate) fn lose_the_hosts_database(network: &mut Network) {
    let dir = network.node(HOST).data_dir().to_owned();
    let shown = steward(&dir, &["seed", "--yes"]).success();
    network.kill(&[HOST]);
    remove_database(&dir);
    refused_start(&dir, &["network=regtest"]).failure("database_not_found");
    let init = ["--set", "network=regtest", "init", "--restore"];
    steward_with_input(&dir, &init, shown["words"].as_str().unwrap()).success();
}

/// Starts the host told to believe its clients, which come back at once.
pub(crate) fn restart_host_with_adoption(network: &mut Network, believing: &str) {
    let listening = network.node(HOST).address().split_once('@').unwrap().1.to_owned();
    let settings =
        ["host.enabled=true".into(), format!("listen.addresses={listening}"), believing.to_owned()];
    let settings = settings.each_ref().map(String::as_str);
    let dir = network.node(HOST).data_dir().to_owned();
    *network.node_mut(HOST) = NodeProcess::start(binary(), &dir, &settings).unwrap();
    network.reconnect();
}

/// Checks that these channels are suspended on both sides.
#[track_caller]
pub(crate) fn assert_suspended(network: &Network, whose: &[Who]) {
    for who in whose {
        let client_id = by_client(network, *who).channel.local_id;
        await_phase(network.node(HOST), &client_id, Phase::Suspended);
        await_phase(network.node(*who), network.cluster.host.node_id(), Phase::Suspended);
    }
}

/// Ends a suspension with the client's balance that people have found to be right.
pub(crate) fn agree(network: &Network, client: Who, balance_msat: u64) {
    let host_id = network.cluster.host.node_id();
    propose(network, client, balance_msat).success();
    await_channel(network.node(client), host_id, |channel| {
        channel.override_balance_msat == Some(balance_msat)
    });
    let kept = format!("{balance_msat}msat");
    let accept = ["channel", "accept-override", host_id, "--our-balance", &kept];
    steward(network.node(client).data_dir(), &accept).success();
}

/// Lets the host propose this balance for the client.
fn propose(network: &Network, client: Who, balance_msat: u64) -> Answer {
    let channel = by_client(network, client).channel;
    let ours = format!("{}msat", channel.balances.unwrap().capacity_msat - balance_msat);
    let propose = ["channel", "override", &channel.local_id, "--our-balance", &ours];
    steward(network.node(HOST).data_dir(), &propose)
}

/// If a client revived from a copy failed what it had claimed, the host has refused that, and
/// people settle by the host's books. Else all goes on by itself.
pub(crate) fn settle_what_was_failed_after_its_fulfill(network: &Network, client: Who) {
    let deadline = Instant::now() + PATIENCE;
    let suspension = loop {
        let (by_host, by_client) = oracle::both_sides(network, network.node(client));
        match (by_host.channel.phase, by_client.channel.phase) {
            (Phase::Active, Phase::Active) => return,
            (Phase::Suspended, Phase::Suspended) => break by_host.channel.suspension.unwrap(),
            phases => assert!(Instant::now() < deadline, "{phases:?}"),
        }
        std::thread::sleep(POLL_INTERVAL);
    };
    assert!(suspension.reason.contains("whose preimage was shown"), "{suspension:?}");
    // HTLCs that the client offered before settle as always.
    while propose(network, client, 0).code != Some(0) {
        assert!(Instant::now() < deadline, "HTLCs of {client:?} stay in flight");
        std::thread::sleep(POLL_INTERVAL);
    }
    agree(network, client, oracle::balance_by_the_hosts_books_msat(network, client));
    // A payment that others tried to make to the client may be tried again.
    let is_under_way =
        |payment: &Payment| payment.status == PaymentState::Pending && payment.failure.is_none();
    let nodes = || MOVED.map(|who| network.node(who));
    while nodes().iter().any(|node| oracle::payments(node.client()).iter().any(is_under_way)) {
        assert!(Instant::now() < deadline, "payments never end");
        std::thread::sleep(POLL_INTERVAL);
    }
}

/// Checks that the host keeps the newer state it was shown.
#[track_caller]
pub(crate) fn assert_evidence(network: &Network, who: Who) {
    let id = by_client(network, who).channel.local_id;
    let peer = NodeId(<[u8; 33]>::from_hex(&id).unwrap());
    let database = network.node(HOST).data_dir().join("steward.db");
    let history = SqliteHistory::open(&database).unwrap();
    let rows = history.evidence(Some(&peer), PageRequest::newest(10)).unwrap().rows;
    let shown = by_client(network, who);
    let state = steward_wire::codec::Wire::encode(&snapshot(&shown).state);
    assert!(rows.iter().any(|kept| kept.row.body == state), "{rows:?}");
}

/// Checks that the payment is refused or fails, and the payer's balance stays.
#[track_caller]
fn assert_moves_nothing(network: &Network, payer: Who, invoice: &Invoice) {
    let before = judge(&snapshot(&by_client(network, payer))).unwrap();
    let answer = load::pay(network.node(payer).client(), invoice, PATIENCE);
    let is_refused = answer.as_ref().map_or(true, |payment| payment.status == PaymentState::Failed);
    assert!(is_refused, "{answer:?}");
    let after = judge(&snapshot(&by_client(network, payer))).unwrap();
    assert_eq!(after.client_balance_msat, before.client_balance_msat);
}

pub(crate) fn by_client(network: &Network, who: Who) -> ChannelDetails {
    network.node(who).channel(network.cluster.host.node_id()).unwrap()
}

fn by_host(network: &Network, who: Who) -> ChannelDetails {
    network.node(HOST).channel(&by_client(network, who).channel.local_id).unwrap()
}

#[track_caller]
pub(crate) fn await_phase(node: &NodeProcess, peer_id: &str, phase: Phase) {
    await_channel(node, peer_id, |channel| channel.phase == phase);
}

#[track_caller]
pub(crate) fn await_channel(
    node: &NodeProcess,
    peer_id: &str,
    is_as_wanted: impl Fn(&Channel) -> bool,
) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let channel = node.channel(peer_id).unwrap().channel;
        if is_as_wanted(&channel) {
            return;
        }
        assert!(Instant::now() < deadline, "{channel:?}");
        std::thread::sleep(POLL_INTERVAL);
    }
}
