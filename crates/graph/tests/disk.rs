//! The graph's files: saved data is loaded again, and a spoiled file is set aside.

mod support;

use std::fs;

use bitcoin::Network;
use steward_engine::io::PathResult;
use steward_graph::Graph;
use support::*;

#[test]
fn nothing_saved_is_an_empty_graph() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(Graph::load(dir.path(), Network::Regtest).channel_count(), 0);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn channels_and_scores_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let before = graph();
    publish(&before, 'H', 'X', 1_000);
    publish(&before, 'X', 'R', 1_000);
    publish(&before, 'H', 'Y', 3_000);
    publish(&before, 'Y', 'R', 3_000);
    let path = vec![
        (node('H').id, scid('P', 'H')),
        (node('X').id, scid('H', 'X')),
        (node('R').id, scid('X', 'R')),
    ];
    let failed = Some(Some(scid('X', 'R')));
    before.record(&PathResult { path, amount_msat: 400_000_000, failed }, now_ms());
    before.save(dir.path()).unwrap();

    let after = Graph::load(dir.path(), Network::Regtest);
    assert_eq!(after.channel_count(), 4);
    let mut request = request(400_000_000);
    request.first_hops = vec![first_hop('H', 900_000_000)];
    deliver_msat(&request, &find_one(&after, &request), "HYR");
}

#[test]
fn a_spoiled_file_is_set_aside_and_the_other_one_kept() {
    for (name, channels_left) in [("graph.bin", 0), ("scores.bin", 1)] {
        let dir = tempfile::tempdir().unwrap();
        let before = graph();
        publish(&before, 'H', 'R', 0);
        before.save(dir.path()).unwrap();
        let file = dir.path().join(name);
        let mut bytes = fs::read(&file).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&file, bytes).unwrap();

        let after = Graph::load(dir.path(), Network::Regtest);
        assert_eq!(after.channel_count(), channels_left, "{name}");
        assert!(!file.exists() && dir.path().join(format!("{name}.bad")).exists(), "{name}");
        after.save(dir.path()).unwrap();
        assert!(file.exists());
    }
}

#[test]
fn a_file_cut_or_changed_anywhere_is_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let before = graph();
    publish(&before, 'H', 'R', 0);
    before.save(dir.path()).unwrap();
    let file = dir.path().join("graph.bin");
    let whole = fs::read(&file).unwrap();
    for at in 0..whole.len() {
        let cut = whole[..at].to_vec();
        let mut changed = whole.clone();
        changed[at] ^= 0x10;
        for spoiled in [cut, changed] {
            fs::write(&file, &spoiled).unwrap();
            let after = Graph::load(dir.path(), Network::Regtest);
            assert_eq!(after.channel_count(), 0, "at byte {at}");
            assert!(!file.exists(), "at byte {at}");
        }
    }
}

#[test]
fn a_file_of_another_network_is_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let before = graph();
    publish(&before, 'H', 'R', 0);
    before.save(dir.path()).unwrap();
    assert_eq!(Graph::load(dir.path(), Network::Signet).channel_count(), 0);
    assert!(dir.path().join("graph.bin.bad").exists());
}
