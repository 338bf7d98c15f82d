//! Evidence of a peer's newer state can be seen, checked, and gone on with.

use std::fs;

use serde_json::Value;
use steward_api::model::Phase;
use steward_wire::amount::in_sat;

use crate::channels::{await_channel, await_phase, host_id, local_id, pay, settled};
use crate::shared;
use crate::support::network::{ALICE, BOB, HOST, Network};
use crate::support::program::{Answer, steward, steward_with_input};

#[test]
fn a_host_on_an_old_copy_goes_on_with_the_state_that_its_client_has_proved() {
    let mut network = Network::start(2);
    let (host, alice) = (host_id(&network).to_owned(), local_id(&network, ALICE));
    let copy = network.node(HOST).data_dir().join("copy");
    on_host(&network, &["backup", copy.to_str().unwrap()]).success();
    pay(&network, ALICE, BOB);
    let newest = settled(&network, ALICE).channel.balances.unwrap();
    network.kill(&[HOST]);
    restore(&network, &copy);
    network.restart(&[HOST]);
    await_phase(network.node(HOST), &alice, Phase::Suspended);

    let list = on_host(&network, &["evidence", "list", &alice]).success();
    let numbers: Vec<u64> = list["evidence"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["number"].as_u64().unwrap())
        .collect();
    let show = |number: u64| on_host(&network, &["evidence", "show", &number.to_string()]);
    let (proved, ours): (Vec<u64>, Vec<u64>) = numbers
        .iter()
        .partition(|number| show(**number).success()["state"]["newer_than_ours"] == true);
    let (proved, ours) = (proved[0], ours[0]);
    let shown = show(proved).success();
    let state = &shown["state"];
    assert_eq!(state["peer_balance_msat"], newest.local_balance_msat, "{shown}");
    assert_eq!(state["our_balance_msat"], newest.remote_balance_msat, "{shown}");
    assert_eq!(
        (&state["our_signature_holds"], &state["peer_signature_holds"]),
        (&true.into(), &true.into())
    );
    // Anyone can check it.
    let offline = tempfile::tempdir().unwrap();
    let verified =
        steward_with_input(offline.path(), &["verify", "-"], &shown.to_string()).success();
    assert_eq!(verified["client_balance_msat"], newest.local_balance_msat);

    let over = |arguments: &[&str]| {
        on_host(&network, &[&["channel", "override", &alice], arguments].concat())
    };
    let (proved, ours) = (proved.to_string(), ours.to_string());
    let said: Value = over(&["--as-proved", &proved]).failure("not_confirmed");
    assert!(
        said["message"].as_str().unwrap().contains(&in_sat(newest.local_balance_msat)),
        "{said}"
    );
    over(&["--as-proved", &ours, "--yes"]).failure("evidence_unusable");
    over(&["--as-proved", "999", "--yes"]).failure("unknown_evidence");
    over(&["--client-balance", "1000001sat"]).failure("balance_too_high");
    over(&["--as-proved", &proved, "--yes"]).success();
    await_channel(network.node(ALICE), &host, |channel| {
        channel.override_balance_msat == Some(newest.local_balance_msat)
    });
    let accept = format!("{}msat", newest.local_balance_msat);
    steward(
        network.node(ALICE).data_dir(),
        &["channel", "accept-override", &host, "--our-balance", &accept],
    )
    .success();
    let balances = settled(&network, ALICE).channel.balances.unwrap();
    assert_eq!(balances.local_balance_msat, newest.local_balance_msat);
}

#[test]
fn an_override_can_name_the_clients_balance() {
    let network = Network::start(1);
    let (host, alice) = (host_id(&network).to_owned(), local_id(&network, ALICE));
    on_host(&network, &["channel", "suspend", &alice]).success();
    on_host(&network, &["channel", "override", &alice, "--client-balance", "12sat"]).success();
    await_channel(network.node(ALICE), &host, |channel| {
        channel.override_balance_msat == Some(12_000)
    });
}

#[test]
fn where_nothing_was_kept_nothing_is_shown() {
    let network = shared();
    let list = on_host(&network, &["evidence", "list"]).success();
    assert_eq!(list["evidence"], Value::Array(Vec::new()));
    on_host(&network, &["evidence", "show", "1"]).failure("unknown_evidence");
    on_host(&network, &["evidence", "list", "zz"]).failure("bad_id");
}

/// Restores as docs/operations.md says: the copy in the place of the database, and nothing of the
/// old one.
fn restore(network: &Network, copy: &std::path::Path) {
    let database = network.node(HOST).data_dir().join("steward.db");
    for old in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{old}", database.display()));
    }
    fs::copy(copy, database).unwrap();
}

fn on_host(network: &Network, arguments: &[&str]) -> Answer {
    steward(network.node(HOST).data_dir(), arguments)
}
