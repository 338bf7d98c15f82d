//! The decisions of operators: a channel stopped and put right again, a larger one, a preimage.

use serde_json::Value;
use steward_api::model::Phase;

use crate::channels::{PAYMENT_MSAT, await_channel, await_phase, host_id, local_id, pay, settled};
use crate::shared;
use crate::support::network::{ALICE, BOB, HOST, Network, Who};
use crate::support::program::{Answer, steward};

/// The balances that host and client agree on in the end, the host's and the client's, in
/// millisatoshi.
const AGREED_MSAT: (u64, u64) = (876_543_210, 123_456_790);

#[test]
fn a_suspended_channel_goes_on_with_the_balance_host_and_client_agree_on() {
    let mut network = Network::start(2);
    let (host, alice) = (host_id(&network).to_owned(), local_id(&network, ALICE));
    channel(&network, HOST, &["override", &alice, "--our-balance", "1sat"])
        .failure("channel_not_suspended");
    let suspended = channel(&network, HOST, &["suspend", &alice]).success();
    assert_eq!(suspended["phase"], "suspended");
    assert_eq!(suspended["suspension"]["by_us"], true);
    await_phase(network.node(ALICE), &host, Phase::Suspended);
    channel(&network, ALICE, &["accept-override", &host]).failure("no_override");

    channel(&network, HOST, &["override", &alice, "--our-balance", "1000001sat"])
        .failure("balance_too_high");
    propose(&network, &alice, AGREED_MSAT.0 + 1);
    propose(&network, &alice, AGREED_MSAT.0);
    await_channel(network.node(ALICE), &host, |channel| {
        channel.override_balance_msat == Some(AGREED_MSAT.1)
    });
    // To look is not to accept, and neither is a number that is not proposed any more.
    let said = channel(&network, ALICE, &["accept-override", &host]).failure("not_confirmed");
    assert!(said["message"].as_str().unwrap().contains("123 456.79 sat"), "{said}");
    let outdated = accept(&network, &host, AGREED_MSAT.1 - 1);
    outdated.failure("override_differs");
    let accepted = accept(&network, &host, AGREED_MSAT.1).success();
    assert_eq!(accepted["phase"], "active");

    assert_balances(&network, ALICE, AGREED_MSAT.1, AGREED_MSAT.0);
    pay(&network, ALICE, BOB);
    pay(&network, BOB, ALICE);
    // And it is what both remember.
    network.kill(&[HOST, ALICE]);
    network.restart(&[HOST, ALICE]);
    let fee_msat = 1_000 + PAYMENT_MSAT / 1_000;
    assert_balances(&network, ALICE, AGREED_MSAT.1 - fee_msat, AGREED_MSAT.0 + fee_msat);
}

#[test]
fn a_client_gets_a_larger_channel_as_far_as_its_host_allows() {
    let network = Network::start(2);
    let (host, alice) = (host_id(&network).to_owned(), local_id(&network, ALICE));
    let balance_msat = settled(&network, ALICE).channel.balances.unwrap().local_balance_msat;
    let resized = channel(&network, ALICE, &["resize", &host, "3000000sat"]).success();
    assert_eq!(resized["balances"]["capacity_msat"], 3_000_000_000_u64);
    assert_balances(&network, ALICE, balance_msat, 3_000_000_000 - balance_msat);
    pay(&network, ALICE, BOB);
    channel(&network, ALICE, &["resize", &host, "2000000sat"]).failure("bad_capacity");
    channel(&network, HOST, &["resize", &alice, "4000000sat"]).failure("wrong_role");

    // More than `host.max_capacity_sat`: the host says no, and all goes on.
    let refused =
        channel(&network, ALICE, &["resize", &host, "10000001sat"]).failure("resize_refused");
    assert!(refused["message"].as_str().unwrap().contains("10 000 000 sat"), "{refused}");
    await_phase(network.node(HOST), &alice, Phase::Active);
    await_phase(network.node(ALICE), &host, Phase::Active);
    pay(&network, ALICE, BOB);
}

#[test]
fn a_preimage_that_nothing_waits_for_is_refused() {
    let network = shared();
    let dir = network.node(HOST).data_dir();
    steward(dir, &["preimage", &"07".repeat(32)]).failure("no_such_htlc");
    steward(dir, &["preimage", "07"]).failure("bad_preimage");
}

#[test]
fn acts_on_channels_that_do_not_exist_are_refused() {
    let network = shared();
    let stranger = network.node(BOB).node_id();
    for arguments in [
        &["suspend", stranger][..],
        &["override", stranger, "--our-balance", "1sat"],
        &["accept-override", stranger],
        &["accept-override", stranger, "--our-balance", "1sat"],
        &["resize", stranger, "2000000sat"],
    ] {
        channel(&network, HOST, arguments).failure("unknown_channel");
    }
}

fn channel(network: &Network, who: Who, arguments: &[&str]) -> Answer {
    steward(network.node(who).data_dir(), &[&["channel"], arguments].concat())
}

fn propose(network: &Network, client_id: &str, our_balance_msat: u64) -> Value {
    let amount = format!("{our_balance_msat}msat");
    channel(network, HOST, &["override", client_id, "--our-balance", &amount]).success()
}

fn accept(network: &Network, host_id: &str, our_balance_msat: u64) -> Answer {
    let amount = format!("{our_balance_msat}msat");
    channel(network, ALICE, &["accept-override", host_id, "--our-balance", &amount])
}

/// Checks the balances by both sides' books.
#[track_caller]
fn assert_balances(network: &Network, client: Who, client_msat: u64, host_msat: u64) {
    let by_client = settled(network, client).channel;
    let by_host = network.node(HOST).channel(&by_client.local_id).unwrap().channel;
    let (ours, theirs) = (by_client.balances.unwrap(), by_host.balances.unwrap());
    assert_eq!((ours.local_balance_msat, ours.remote_balance_msat), (client_msat, host_msat));
    assert_eq!((theirs.local_balance_msat, theirs.remote_balance_msat), (host_msat, client_msat));
}
