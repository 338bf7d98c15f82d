//! Each version as host, as client and as forwarder of the other: a channel is opened, payments go both ways, a
//! channel is resumed after a restart.

use std::path::Path;

use crate::before::with_each;
use crate::support::load::assert_pays;
use crate::support::network::{ALICE, BOB, HOST, Network, Who, turn};
use crate::support::{binary, oracle};

#[test]
fn an_earlier_client_is_served_by_the_present_host() {
    with_each("an_earlier_client_is_served_by_the_present_host", |before| meet(binary(), before));
}

#[test]
fn a_present_client_is_served_by_an_earlier_host() {
    with_each("a_present_client_is_served_by_an_earlier_host", |before| meet(before, binary()));
}

/// A host of one version forwards between a client of its own and one of the other version.
fn meet(host: &Path, other: &Path) {
    let _turn = turn();
    let mut network = Network::start_as(host, 1);
    assert_eq!(network.add_client_as(other), BOB);
    open(&network, BOB);
    // The host's gift is the same for both.
    pay_in_circles(&network);
    network.kill(&[HOST, ALICE, BOB]);
    network.restart(&[HOST, ALICE, BOB]);
    pay_in_circles(&network);
    oracle::await_settled(&network, &[ALICE, BOB]);
}

fn pay_in_circles(network: &Network) {
    assert_pays(network, ALICE, BOB);
    assert_pays(network, BOB, ALICE);
}

fn open(network: &Network, who: Who) {
    network.node(who).open_channel(&network.cluster.host).unwrap();
}
