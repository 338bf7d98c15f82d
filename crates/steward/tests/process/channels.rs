//! The steps with channels that these tests share: pay over them, wait for them.

use std::thread;
use std::time::Instant;

use steward::cluster::NodeProcess;
use steward_api::model::{Channel, ChannelDetails, PaymentState, Phase};

use crate::support::network::{HOST, Network, Who};
use crate::support::{PATIENCE, POLL_INTERVAL, load};

pub(crate) const PAYMENT_MSAT: u64 = 20_000_000;

#[track_caller]
pub(crate) fn pay(network: &Network, payer: Who, payee: Who) {
    settled(network, payer);
    settled(network, payee);
    let invoice = network.node(payee).create_invoice(PAYMENT_MSAT).unwrap();
    let payment = load::pay(network.node(payer).client(), &invoice, PATIENCE).unwrap();
    assert_eq!(payment.status, PaymentState::Complete, "{payment:?}");
    settled(network, payer);
    settled(network, payee);
}

/// Returns the client's side of its channel, once nothing is in flight at either side.
pub(crate) fn settled(network: &Network, who: Who) -> ChannelDetails {
    let details = network.node(who).settled_channel(host_id(network)).unwrap();
    network.node(HOST).settled_channel(&details.channel.local_id).unwrap();
    network.node(who).settled_channel(host_id(network)).unwrap()
}

pub(crate) fn local_id(network: &Network, who: Who) -> String {
    network.node(who).channel(host_id(network)).unwrap().channel.local_id
}

pub(crate) fn host_id(network: &Network) -> &str {
    network.cluster.host.node_id()
}

pub(crate) fn await_phase(node: &NodeProcess, peer_id: &str, phase: Phase) {
    await_channel(node, peer_id, |channel| channel.phase == phase);
}

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
        thread::sleep(POLL_INTERVAL);
    }
}
