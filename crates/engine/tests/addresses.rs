//! Where peers are found: an address is kept once the right key has answered there.

use steward_engine::Command;
use steward_engine::io::{Action, Input};
use steward_engine::limits::MAX_ADDRESSES;
use steward_engine::row::PeerRow;
use steward_store::Store;
use steward_testkit::{Net, config, hosted_features};
use steward_wire::NodeId;

const GOOD: &str = "good.example:9735";
const WRONG: &str = "wrong.example:9735";

/// Gives an address, and what is tried from then on.
fn connect(net: &mut Net, peer: NodeId, address: &str) -> Vec<String> {
    net.issue(0, Command::Connect { peer, addresses: vec![address.to_owned()] });
    tried(net)
}

/// The addresses of the next batch's only peer to be kept connected.
fn tried(net: &mut Net) -> Vec<String> {
    let actions = net.batch(0).unwrap();
    let kept = actions.into_iter().find_map(|action| match action {
        Action::KeepConnected { addresses, .. } => Some(addresses),
        _ => None,
    });
    kept.unwrap()
}

/// The peer answered there, or came from there.
fn answered(net: &mut Net, peer: NodeId, address: &str, inbound: bool) {
    let conn = net.next_conn();
    let local = net.id(0);
    let (features, address) = (hosted_features(), address.to_owned());
    net.input(0, Input::PeerConnected { conn, peer, local, features, inbound, address });
    net.settle();
}

fn stored(net: &mut Net) -> Vec<PeerRow> {
    net.nodes[0].store.load(net.now_ms).unwrap().peers
}

fn net() -> (Net, NodeId) {
    let net = Net::new(vec![config(); 2]);
    let peer = net.id(1);
    (net, peer)
}

#[test]
fn an_address_is_kept_once_the_right_key_answered_there() {
    let (mut net, peer) = net();
    assert_eq!(connect(&mut net, peer, GOOD), [GOOD]);
    assert!(stored(&mut net)[0].addresses.is_empty());
    answered(&mut net, peer, GOOD, false);
    assert_eq!(stored(&mut net)[0].addresses, [GOOD]);
}

#[test]
fn a_wrong_address_takes_the_place_of_no_good_one() {
    let (mut net, peer) = net();
    connect(&mut net, peer, GOOD);
    answered(&mut net, peer, GOOD, false);
    assert_eq!(connect(&mut net, peer, WRONG), [WRONG, GOOD], "both are tried");
    assert_eq!(stored(&mut net)[0].addresses, [GOOD]);
    net.crash(0);
    net.start(0);
    assert_eq!(stored(&mut net)[0].addresses, [GOOD], "after a restart it is the only one");
}

#[test]
fn an_address_a_peer_comes_from_is_not_one_where_it_listens() {
    let (mut net, peer) = net();
    connect(&mut net, peer, WRONG);
    answered(&mut net, peer, "192.0.2.1:54321", true);
    assert!(stored(&mut net)[0].addresses.is_empty());
}

#[test]
fn of_several_addresses_those_that_answered_last_are_kept() {
    let (mut net, peer) = net();
    for n in 0..2 * MAX_ADDRESSES {
        let address = format!("a{n}.example:1");
        connect(&mut net, peer, &address);
        answered(&mut net, peer, &address, false);
    }
    let kept = &stored(&mut net)[0].addresses;
    assert_eq!(kept.len(), MAX_ADDRESSES);
    assert_eq!(kept[0], format!("a{}.example:1", 2 * MAX_ADDRESSES - 1));
}

#[test]
fn nothing_is_kept_of_a_peer_nobody_asked_for() {
    let (mut net, peer) = net();
    answered(&mut net, peer, GOOD, false);
    assert!(stored(&mut net).is_empty());
}

/// An operation that connects first asks the engine afterwards, and the connection may be told of
/// before the question comes.
#[test]
fn an_address_where_the_peer_was_reached_before_it_was_to_be_kept_is_kept() {
    let (mut net, peer) = net();
    answered(&mut net, peer, GOOD, false);
    assert_eq!(connect(&mut net, peer, GOOD), [GOOD]);
    assert_eq!(stored(&mut net)[0].addresses, [GOOD], "after a restart it is the only one");
}
