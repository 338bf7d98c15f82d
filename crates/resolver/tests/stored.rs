//! Blobs that releases of LDK wrote are read by this one, and go on where they stopped.
//!
//! `STEWARD_WRITE_BLOBS=1` writes those of the release in use; it is for a new pin of LDK only.

mod common;

use std::path::PathBuf;

use bitcoin::hashes::{Hash, sha256};
use common::chain::Dying;
use common::{Pair, incoming, outgoing, preimage};
use steward_resolver::{
    ChannelAtDeath, ChannelKeys, Input, LDK_VERSION, ReadError, Resolver, RevokedCommitment, limits,
};

/// The releases whose blobs are kept.
const VERSIONS: &[&str] = &["0.3.0-rc3"];

fn record(pair: &Pair) -> ChannelAtDeath {
    let htlcs = [
        outgoing(77, 50_000, 300, 1),
        incoming(5, 40_000, 400, 2),
        outgoing(78, 30_000, 310, 3),
        incoming(6, 20_000, 410, 4),
        outgoing(79, 200, 310, 5),
    ];
    let local = pair.local(7, (270_000, 540_000), &htlcs);
    let mut record = pair.record(local, pair.remote(7, (270_000, 540_000), &htlcs));
    record.preimages = vec![preimage(2)];
    record
}

fn revoked(pair: &Pair) -> (ChannelAtDeath, bitcoin::Transaction) {
    let old = pair.remote(3, (350_000, 560_000), &[outgoing(70, 70_000, 300, 7)]);
    let transaction = pair.published(&old.content, false);
    let mut record = record(pair);
    record.revoked = Some(RevokedCommitment {
        number: 3,
        txid: transaction.compute_txid(),
        htlcs: old.content.htlcs.iter().map(|htlc| htlc.terms.clone()).collect(),
    });
    (record, transaction)
}

/// Brings a channel to the moment at which its blob was stored.
fn until_stored<'a>(pair: &'a Pair, name: &str) -> Dying<'a> {
    let record = record(pair);
    match name {
        "started" => Dying::new(pair, &record),
        "closing" => {
            let mut dying = Dying::new(pair, &record);
            dying.feerates.urgent_per_kw = 20_000;
            dying.give(&Input::Publish);
            dying
        }
        "ours" => {
            let mut dying = Dying::new(pair, &record);
            dying.give(&Input::Publish);
            dying.block(&[&pair.published(&record.local.content, true)]);
            dying.blocks_to(301);
            dying
        }
        "theirs" => {
            let mut dying = Dying::new(pair, &record);
            dying.block(&[&pair.published(&record.remote.content, false)]);
            dying.blocks_to(303);
            dying
        }
        "revoked" => {
            let (record, transaction) = revoked(pair);
            let mut dying = Dying::new(pair, &record);
            dying.block(&[&transaction]);
            dying.blocks_to(104);
            dying
        }
        _ => panic!("{name}"),
    }
}

const NAMES: &[&str] = &["started", "closing", "ours", "theirs", "revoked"];

fn file(version: &str, name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/blobs").join(version);
    folder.join(format!("{name}.blob"))
}

#[test]
fn the_blobs_of_every_release_are_read_and_go_on_where_they_stopped() {
    let pair = Pair::new();
    if std::env::var_os("STEWARD_WRITE_BLOBS").is_some() {
        for name in NAMES {
            let file = file(LDK_VERSION, name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, until_stored(&pair, name).resolver.blob()).unwrap();
        }
    }
    for version in VERSIONS {
        for name in NAMES {
            let blob = std::fs::read(file(version, name)).unwrap();
            let read = Resolver::read(&blob, &pair.keys).unwrap();
            let mut fresh = until_stored(&pair, name);
            let mut old = until_stored(&pair, name);
            (old.read_every, fresh.read_every) = (40, 40);
            old.resolver = read;
            assert_eq!(old.resolver.balances(), fresh.resolver.balances(), "{version} {name}");
            old.published.clear();
            fresh.published.clear();
            for dying in [&mut old, &mut fresh] {
                dying.give(&Input::Preimage(preimage(4)));
                dying.blocks_to(460);
            }
            assert_eq!(old.resolver.balances(), fresh.resolver.balances(), "{version} {name}");
            assert_eq!(old.resolved, fresh.resolved, "{version} {name}");
            assert_eq!(old.sweepable, fresh.sweepable, "{version} {name}");
            let txids = |dying: &mut Dying<'_>| {
                let all = dying.take();
                all.iter().map(bitcoin::Transaction::compute_txid).collect::<Vec<_>>()
            };
            assert_eq!(txids(&mut old), txids(&mut fresh), "{version} {name}");
        }
    }
}

#[test]
fn the_release_in_use_has_blobs_and_its_name_is_that_of_the_lock_file() {
    assert!(VERSIONS.contains(&LDK_VERSION));
    let lock = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.lock");
    let lock = std::fs::read_to_string(lock).unwrap();
    let pinned = format!("name = \"lightning\"\nversion = \"{LDK_VERSION}\"\n");
    assert!(lock.contains(&pinned), "a new release of LDK needs its name and its blobs here");
}

#[test]
fn a_damaged_blob_is_told_and_never_read() {
    let pair = Pair::new();
    let blob = until_stored(&pair, "theirs").resolver.blob();
    for at in (0..blob.len()).step_by(37) {
        let mut damaged = blob.clone();
        damaged[at] ^= 1;
        assert!(Resolver::read(&damaged, &pair.keys).is_err(), "{at}");
        assert!(Resolver::read(&blob[..at], &pair.keys).is_err(), "{at}");
    }
    let large = vec![0; limits::MAX_BLOB_BYTES + 1];
    let error = Resolver::read(&large, &pair.keys).unwrap_err();
    assert_eq!(error, ReadError::TooLarge(large.len()));
}

/// Replaces bytes and makes the checksum right again.
fn forged(blob: &[u8], at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut forged = blob[..blob.len() - 32].to_vec();
    forged[at..at + bytes.len()].copy_from_slice(bytes);
    let checksum = sha256::Hash::hash(&forged);
    forged.extend(checksum.to_byte_array());
    forged
}

#[test]
fn a_blob_of_a_later_format_or_another_release_of_ldk_is_kept_for_those_who_can_read_it() {
    let pair = Pair::new();
    let blob = until_stored(&pair, "started").resolver.blob();
    let error = Resolver::read(&forged(&blob, 4, &[9]), &pair.keys).unwrap_err();
    assert_eq!(error, ReadError::Format(9));
    let error = Resolver::read(&forged(&blob, 6, b"0.9.9-rc9"), &pair.keys).unwrap_err();
    assert_eq!(error, ReadError::Ldk("0.9.9-rc9".to_owned()));
}

#[test]
fn a_blob_of_another_seed_is_not_read() {
    let pair = Pair::new();
    let blob = until_stored(&pair, "started").resolver.blob();
    let error = Resolver::read(&blob, &ChannelKeys::new(&[8; 32])).unwrap_err();
    assert_eq!(error, ReadError::Keys);
}
