//! What people read: dates, tables, whole invoices, and nothing that plays tricks on a terminal.

use std::process::Command;

use tempfile::tempdir;

use crate::shared;
use crate::support::binary;
use crate::support::network::{ALICE, BOB, Network, Who};
use crate::support::program::steward;

#[test]
fn lists_are_tables_with_dates_and_an_invoice_is_shown_whole() {
    let network = shared();
    let any = steward(network.node(BOB).data_dir(), &["invoice", "any", "-d", "tea"]).success();
    let (bolt11, hash) = (any["bolt11"].as_str().unwrap(), any["payment_hash"].as_str().unwrap());
    let paid = &["pay", bolt11, "--amount", "10sat"];
    steward(network.node(ALICE).data_dir(), paid).success();

    let list = text(&network, BOB, &["invoice", "list"]);
    let header: Vec<&str> = list.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(header[..3], ["STATUS", "MADE", "AMOUNT"], "{list}");
    let row = list.lines().find(|line| line.contains(hash)).unwrap();
    for part in ["complete", " UTC ", "any", "10 sat", "tea"] {
        assert!(row.contains(part), "{part}: {row}");
    }
    let shown = text(&network, BOB, &["invoice", "show", hash]);
    for part in ["tea", "made ", "paid ", "s ago)", "preimage ", "10 sat", bolt11] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let payments = text(&network, ALICE, &["payments"]);
    assert!(payments.starts_with("STATUS") && payments.contains(" UTC "), "{payments}");
    let decoded = text(&network, ALICE, &["decode", bolt11]);
    assert!(decoded.contains("(in 59 min)") || decoded.contains("(in 1 h)"), "{decoded}");
    assert!(!decoded.contains("1970"), "{decoded}");
    // Paid again, it says so.
    let again = text(&network, ALICE, paid);
    assert!(again.starts_with("already paid before, nothing was paid now: 10 sat"), "{again}");
}

#[test]
fn others_words_cannot_control_the_terminal() {
    let network = shared();
    let words = "tea\u{1b}[2J\u{202e}sdrawkcab\n\u{200b}x";
    let made = steward(network.node(BOB).data_dir(), &["invoice", "5sat", "-d", words]).success();
    for question in [&["decode", made["bolt11"].as_str().unwrap()][..], &["invoice", "list"]] {
        let shown = text(&network, BOB, question);
        assert!(shown.contains("tea\\u{1b}[2J\\u{202e}sdrawkcab\\u{a}\\u{200b}x"), "{shown}");
        assert!(!shown.contains(['\u{1b}', '\u{202e}', '\u{200b}']), "{shown}");
    }
}

#[test]
fn a_usage_error_in_json_names_the_argument_that_is_missing() {
    let dir = tempdir().unwrap();
    for (arguments, names) in [(&["pay"][..], "<INVOICE>"), (&["keysend", "02ab"], "<AMOUNT>")] {
        let answer = steward(dir.path(), arguments);
        assert_eq!(answer.code, Some(2), "{answer:?}");
        let message = answer.json()["message"].as_str().unwrap().to_owned();
        assert!(message.contains(names), "{message}");
    }
}

/// What people read.
fn text(network: &Network, who: Who, arguments: &[&str]) -> String {
    let mut command = Command::new(binary());
    command.arg("--data-dir").arg(network.node(who).data_dir()).args(arguments);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}
