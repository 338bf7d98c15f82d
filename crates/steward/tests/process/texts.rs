//! Texts for people: dates, tables, whole invoices, and nothing that plays tricks on a terminal.

use std::fs;
use std::path::Path;
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

/// Checks that one function formats all amounts: a number formatted beside its unit is not grouped.
#[test]
fn no_text_for_people_formats_an_amount_by_itself() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files = 0;
    for name in
        ["api", "chain", "hosted", "engine", "graph", "invoice", "node", "p2p", "steward", "store"]
    {
        let mut places = vec![crates.join(name).join("src")];
        while let Some(place) = places.pop() {
            if place.is_dir() {
                places.extend(fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().path()));
                continue;
            }
            files += 1;
            for line in fs::read_to_string(&place).unwrap().lines() {
                let mut parts = line.split('}').skip(1);
                let raw = parts.any(|rest| rest.starts_with(" sat") || rest.starts_with(" msat"));
                assert!(!raw, "{}: {line}", place.display());
            }
        }
    }
    assert!(files > 100, "{files}");
}

#[test]
fn the_network_is_shown_in_one_spelling_and_read_in_both() {
    for name in ["bitcoin", "mainnet"] {
        let dir = tempdir().unwrap();
        let made = steward(dir.path(), &["init", "--network", name]).success();
        assert_eq!(made["network"], "mainnet");
    }
    let help = steward(Path::new("."), &["init", "--help"]);
    assert!(help.stdout.contains("mainnet (`bitcoin` is the same)"), "{help:?}");
    let dir = tempdir().unwrap();
    let said = steward(dir.path(), &["init", "--network", "foo"]).failure("config_invalid");
    assert!(said["hint"].as_str().unwrap().contains("mainnet (`bitcoin` is the same)"), "{said}");
}

/// Returns what people read.
fn text(network: &Network, who: Who, arguments: &[&str]) -> String {
    let mut command = Command::new(binary());
    command.arg("--data-dir").arg(network.node(who).data_dir()).args(arguments);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}
