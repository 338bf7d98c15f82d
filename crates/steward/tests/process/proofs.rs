//! The proof that exported states give a third party, which has no data directory and asks no
//! daemon.

use std::fs;

use steward_api::model::ChannelDetails;
use steward_wire::codec::Wire;
use steward_wire::{Signature, Snapshot};

use crate::channels::host_id;
use crate::shared;
use crate::support::network::{BOB, HOST};
use crate::support::oracle::snapshot;
use crate::support::program::{Answer, steward, steward_with_input};

#[test]
fn an_exported_state_proves_the_debt_against_the_host() {
    let network = shared();
    let shown = steward(network.node(BOB).data_dir(), &["channel", "show", host_id(&network)]);
    let shown = shown.success();
    let proven = verify(shown["snapshot"].as_str().unwrap()).success();
    assert_eq!(proven["proved"], true);
    assert_eq!(proven["host_id"], host_id(&network));
    assert_eq!(proven["client_id"], shown["local_id"]);
    assert_eq!(proven["client_balance_msat"], shown["balances"]["local_balance_msat"]);
    assert_eq!(proven["host_names_client"], false, "no signature without an HTLC names both");
    // And the host's own copy proves the same.
    let client_id = shown["local_id"].as_str().unwrap();
    let by_host = steward(network.node(HOST).data_dir(), &["channel", "show", client_id]).success();
    assert_eq!(by_host["role"], "host");
    assert_eq!(verify(by_host["snapshot"].as_str().unwrap()).success(), proven);
}

#[test]
fn an_exported_state_comes_with_what_verify_will_say() {
    let shown = shown_to_bob();
    let proven = verify(&shown.snapshot.clone().unwrap()).success();
    assert_eq!(proven["words"], serde_json::to_value(shown.proof.as_ref().unwrap()).unwrap());
    let text = steward::render::channel_details(&shown);
    let words = shown.proof.unwrap();
    for sentence in [words.proved, words.said, words.not_known].concat() {
        assert!(text.contains(&sentence), "{sentence}: {text}");
    }
}

#[test]
fn a_state_with_another_balance_proves_nothing() {
    let mut forged = snapshot(&shown_to_bob());
    // It still adds up to the capacity.
    forged.state.local_balance_msat += 1;
    forged.state.remote_balance_msat -= 1;
    verify(&hex(&forged)).failure("signature_invalid");
}

#[test]
fn a_state_that_its_host_has_not_signed_proves_nothing_against_the_host() {
    let mut claimed = snapshot(&shown_to_bob());
    claimed.state.remote_sig_of_local = Signature::ZERO;
    let answer = verify(&hex(&claimed));
    assert_eq!(answer.code, Some(1), "{answer:?}");
    let said = answer.json();
    assert_eq!((&said["proved"], &said["host_signature_holds"]), (&false.into(), &false.into()));
    assert_eq!(said["client_signature_holds"], true);
}

#[test]
fn something_else_than_an_exported_state_cannot_be_read() {
    for text in ["", "zz", "00ff", "no/such/file", "{", "{}"] {
        verify(text).unreadable("bad_snapshot");
    }
    let directory = tempfile::tempdir().unwrap();
    verify(directory.path().to_str().unwrap()).unreadable("io_error");
}

#[test]
fn a_state_is_read_from_a_file_from_the_whole_answer_and_from_standard_input() {
    let shown = shown_to_bob();
    let dir = tempfile::tempdir().unwrap();
    let digits = shown.snapshot.clone().unwrap();
    let whole = serde_json::to_string_pretty(&shown).unwrap();
    let expected = verify(&digits).success();
    for text in [format!("{digits}\n"), whole] {
        let file = dir.path().join("state");
        fs::write(&file, &text).unwrap();
        assert_eq!(verify(file.to_str().unwrap()).success(), expected);
        let piped = steward_with_input(&dir.path().join("nowhere"), &["verify", "-"], &text);
        assert_eq!(piped.success(), expected);
    }
}

fn shown_to_bob() -> ChannelDetails {
    let network = shared();
    network.node(BOB).channel(host_id(&network)).unwrap()
}

fn hex(snapshot: &Snapshot) -> String {
    hex::DisplayHex::to_lower_hex_string(snapshot.encode().as_slice())
}

/// Runs it without any data directory or daemon.
fn verify(snapshot: &str) -> Answer {
    let nowhere = tempfile::tempdir().unwrap();
    steward(&nowhere.path().join("nowhere"), &["verify", snapshot])
}
