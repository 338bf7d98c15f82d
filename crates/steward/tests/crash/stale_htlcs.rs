//! HTLCs in a state that a host took from an old copy or from its client: they may have been
//! answered since. To act on them as if they were new gives the host's own money away.

use std::time::Duration;

use steward_api::model::{Invoice, InvoiceState, PaymentState, Phase};

use crate::copies::DatabaseCopy;
use crate::lost_client::await_htlc_of_alice;
use crate::lost_host::{
    agree, assert_suspended, await_phase, by_client, lose_the_hosts_database,
    restart_host_with_adoption,
};
use crate::support::load::{self, assert_pays};
use crate::support::network::{ALICE, BOB, HOST, Network, turn};
use crate::support::program::steward;
use crate::support::{PATIENCE, oracle};

const PAYMENT_MSAT: u64 = 10_000_000;

#[test]
fn a_host_revived_from_a_copy_does_not_pay_for_an_htlc_that_ended_since() {
    let _turn = turn();
    let mut network = Network::start(2);
    let invoice = network.node(BOB).create_invoice(PAYMENT_MSAT).unwrap();
    network.kill(&[BOB, HOST]);
    // Just started, the host waits a while for the payee.
    network.restart(&[HOST]);
    await_phase(network.node(ALICE), network.cluster.host.node_id(), Phase::Active);
    pay_and_await_htlc(&network, &invoice);
    let copy = DatabaseCopy::take(&mut network, HOST);
    let payment = network.node(ALICE).payment(&invoice.payment_hash, PATIENCE).unwrap().payment;
    assert_eq!(payment.status, PaymentState::Failed);

    network.kill(&[ALICE]);
    network.restart(&[BOB]);
    assert!(copy.revive(&mut network, HOST));
    oracle::await_settled(&network, &[BOB]);
    network.restart(&[ALICE]);
    assert_suspended(&network, &[ALICE]);
    let now = network.node(BOB).invoice(&invoice.payment_hash).unwrap();
    assert_eq!(now.status, InvoiceState::Pending, "the payer paid nothing");
}

#[test]
fn a_host_that_took_its_clients_states_does_not_pay_twice_for_an_htlc_in_them() {
    let _turn = turn();
    let mut network = Network::start(2);
    let invoice = network.node(BOB).create_invoice(PAYMENT_MSAT).unwrap();
    let believing = network.believing_all();
    network.signal(BOB, "STOP");
    pay_and_await_htlc(&network, &invoice);
    network.kill(&[ALICE]);
    network.signal(BOB, "CONT");
    oracle::await_settled(&network, &[BOB]);
    let invoice = network.node(BOB).invoice(&invoice.payment_hash).unwrap();
    assert_eq!(invoice.status, InvoiceState::Complete);
    let paid_once_msat = balance_of_bob_msat(&network);

    lose_the_hosts_database(&mut network);
    restart_host_with_adoption(&mut network, &believing);
    network.restart(&[ALICE]);
    let host_id = network.cluster.host.node_id();
    await_phase(network.node(BOB), host_id, Phase::Active);
    assert_suspended(&network, &[ALICE]);
    assert_eq!(balance_of_bob_msat(&network), paid_once_msat);
    // Failed without proof, it would be the host that paid.
    let payment = || network.node(ALICE).payment(&invoice.payment_hash, Duration::ZERO).unwrap();
    assert_eq!(payment().payment.status, PaymentState::Pending);

    // The payee shows that it was paid, and host and client agree that it was.
    let proof = invoice.preimage.as_deref().unwrap();
    steward(network.node(ALICE).data_dir(), &["preimage", proof]).success();
    assert_eq!(payment().payment.status, PaymentState::Complete);
    let kept_msat = by_client(&network, ALICE).channel.balances.unwrap().local_balance_msat;
    agree(&network, ALICE, kept_msat);
    oracle::await_settled(&network, &[ALICE]);
    assert_eq!(oracle::balance_msat(network.node(ALICE).client(), host_id), kept_msat);
    assert_pays(&network, ALICE, BOB);
    assert_pays(&network, BOB, ALICE);
}

fn pay_and_await_htlc(network: &Network, invoice: &Invoice) {
    load::pay(network.node(ALICE).client(), invoice, Duration::ZERO).unwrap();
    await_htlc_of_alice(network);
}

fn balance_of_bob_msat(network: &Network) -> u64 {
    by_client(network, BOB).channel.balances.unwrap().local_balance_msat
}
