//! Cases that people meet when they pay: twice, themselves, everything, and what is no invoice.

use tempfile::tempdir;

use crate::shared;
use crate::support::network::{ALICE, BOB, HOST, Network, Who};
use crate::support::program::{Answer, steward};

#[test]
fn paying_what_is_paid_says_so_and_another_amount_is_refused() {
    let network = shared();
    let any = invoice(&network, BOB, "any");
    pay(&network, ALICE, &[&any]).failure("amount_needed");
    let first = pay(&network, ALICE, &[&any, "--amount", "100sat"]).success();
    assert_eq!(first["already_paid"], false);
    let again = pay(&network, ALICE, &[&any, "--amount", "100sat"]).success();
    assert_eq!((&again["already_paid"], &again["amount_msat"]), (&true.into(), &100_000.into()));
    let said = pay(&network, ALICE, &[&any, "--amount", "777sat"]).failure("wrong_amount");
    assert!(
        said["message"].as_str().unwrap().contains("with 100 sat and not with 777 sat"),
        "{said}"
    );

    let fixed = invoice(&network, BOB, "1000sat");
    pay(&network, ALICE, &[&fixed]).success();
    pay(&network, ALICE, &[&fixed, "--amount", "500sat"]).failure("wrong_amount");
    assert_eq!(pay(&network, ALICE, &[&fixed]).success()["already_paid"], true);
    // The payee cannot pay its own invoice, before and after.
    pay(&network, BOB, &[&fixed]).failure("self_payment");
    pay(&network, BOB, &[&invoice(&network, BOB, "5sat")]).failure("self_payment");
}

#[test]
fn everything_that_can_be_sent_is_sent_to_the_last_millisatoshi() {
    let network = Network::start(2);
    let all = invoice(&network, BOB, "any");
    let fixed = invoice(&network, BOB, "5sat");
    pay(&network, ALICE, &["--all", &fixed]).failure("amount_fixed");
    pay(&network, ALICE, &["--all", &all]).success();
    let left = network.node(ALICE).channel(network.node(HOST).node_id()).unwrap();
    assert_eq!(left.channel.balances.unwrap().local_balance_msat, 0);
    pay(&network, ALICE, &["--all", &invoice(&network, BOB, "any")])
        .failure("insufficient_balance");
    // What is empty may go.
    let host = network.node(HOST).node_id();
    crate::channels::settled(&network, ALICE);
    let left = steward(network.node(ALICE).data_dir(), &["channel", "forget", host]).success();
    assert_eq!(left["channels"].as_array().unwrap().len(), 0);
}

#[test]
fn more_than_what_is_left_after_the_fee_is_an_insufficient_balance_in_satoshi() {
    let network = shared();
    let spendable_msat = network.node(ALICE).channel(network.node(HOST).node_id()).unwrap();
    let spendable_msat = spendable_msat.channel.balances.unwrap().spendable_msat;
    let amount = format!("{spendable_msat}msat");
    let said = pay(&network, ALICE, &[&invoice(&network, BOB, &amount)]).json();
    let said = said["failure"].as_object().unwrap();
    assert_eq!(said["code"], "insufficient_balance");
    let message = said["message"].as_str().unwrap();
    assert!(message.contains(" sat") && !message.contains("msat"), "{message}");
}

#[test]
fn an_invoice_that_cannot_be_paid_is_not_made() {
    let network = shared();
    for who in [ALICE, HOST] {
        let dir = network.node(who).data_dir();
        steward(dir, &["invoice", "1msat"]).failure("amount_below_minimum");
        steward(dir, &["invoice", "2000000sat"]).failure("cannot_receive");
    }
}

#[test]
fn decode_needs_no_daemon_and_calls_by_its_name_what_is_no_invoice() {
    let network = shared();
    let dir = tempdir().unwrap();
    let bolt11 = invoice(&network, BOB, "5sat");
    for text in [
        bolt11.clone(),
        format!("bitcoin:bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080?lightning={bolt11}"),
        format!("\u{feff}lightning: {bolt11}\n"),
    ] {
        assert_eq!(steward(dir.path(), &["decode", &text]).success()["bolt11"], *bolt11);
    }
    let said = steward(dir.path(), &["decode", "lno1pg9"]).failure("bad_invoice");
    assert!(said["message"].as_str().unwrap().contains("BOLT12 offer"), "{said}");
    // Paid as it is read.
    let uri = format!("\"bitcoin:?lightning={}\"", bolt11.to_ascii_uppercase());
    pay(&network, ALICE, &[&uri]).success();
    for (text, fits) in [
        ("satoshi@example.com", "Lightning addresses"),
        ("bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080", "on the chain"),
        (network.node(HOST).node_id(), "keysend"),
        ("lno1pg9", "BOLT12"),
        (&bolt11[..bolt11.len() - 3], "whole invoice"),
    ] {
        for said in [pay(&network, ALICE, &[text]), steward(dir.path(), &["decode", text])] {
            let said = said.failure("bad_invoice");
            assert!(said["hint"].as_str().unwrap().contains(fits), "{said}");
        }
    }
}

fn invoice(network: &Network, payee: Who, amount: &str) -> String {
    let made = steward(network.node(payee).data_dir(), &["invoice", amount]).success();
    made["bolt11"].as_str().unwrap().to_owned()
}

fn pay(network: &Network, payer: Who, arguments: &[&str]) -> Answer {
    steward(network.node(payer).data_dir(), &[&["pay"], arguments].concat())
}
