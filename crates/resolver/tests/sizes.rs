//! The largest channel: as many HTLCs both ways as BOLT 2 allows, in every commitment.

mod common;

use common::chain::Dying;
use common::{Pair, incoming, outgoing, preimage};
use steward_resolver::{ChannelAtDeath, Resolver, dry_run, limits};

/// A record with so many HTLCs of each side in all commitments.
fn record(pair: &Pair, per_side: u64) -> ChannelAtDeath {
    let htlcs: Vec<_> = (0..per_side)
        .flat_map(|id| [outgoing(id, 400, 300, 1), incoming(id, 410, 400, 2)])
        .collect();
    let local = pair.local(1, (100_000, 300_000), &htlcs);
    let mut record = pair.record(local, pair.remote(2, (100_000, 300_000), &htlcs));
    record.remote_previous = Some(pair.remote(1, (100_000, 300_000), &htlcs));
    record.secrets = pair.secrets(1);
    record.preimages = vec![preimage(2)];
    record
}

#[test]
fn the_largest_channel_fits_a_blob_many_times_and_one_htlc_more_is_refused() {
    let pair = Pair::new();
    let mut record = record(&pair, limits::MAX_HTLCS_PER_SIDE as u64);
    let blob = Resolver::start(&record, &pair.keys).unwrap().blob();
    assert!(blob.len() * 5 < limits::MAX_BLOB_BYTES, "{}", blob.len());
    Resolver::read(&blob, &pair.keys).unwrap();

    record.remote.content.htlcs.push(outgoing(9_999, 100, 300, 1));
    assert!(dry_run(&record, &pair.keys).is_err());
}

#[test]
fn the_claims_of_the_largest_channel_fit_too() {
    let pair = Pair::new();
    let per_side = 40;
    let record = record(&pair, per_side);
    let mut dying = Dying::new(&pair, &record);
    dying.block(&[&pair.published(&record.local.content, true)]);
    let all = dying.resolver.blob().len() * limits::MAX_HTLCS_PER_SIDE / per_side as usize;
    assert!(all * 5 < limits::MAX_BLOB_BYTES, "{all}");
}
