//! The largest channel: as many HTLCs both ways as BOLT 2 allows, in every commitment.

mod common;

use common::chain::Dying;
use common::{Pair, incoming, outgoing, preimage};
use steward_resolver::{dry_run, limits};

#[test]
fn the_largest_channel_fits_a_blob_many_times_and_one_htlc_more_is_refused() {
    let pair = Pair::new();
    let side = limits::MAX_HTLCS_PER_SIDE as u64;
    let htlcs: Vec<_> =
        (0..side).flat_map(|id| [outgoing(id, 400, 300, 1), incoming(id, 410, 400, 2)]).collect();
    let local = pair.local(1, (100_000, 300_000), &htlcs);
    let mut record = pair.record(local, pair.remote(2, (100_000, 300_000), &htlcs));
    record.remote_previous = Some(pair.remote(1, (100_000, 300_000), &htlcs));
    record.secrets = pair.secrets(1);
    record.preimages = vec![preimage(2)];
    let now = std::time::Instant::now();
    let defence = dry_run(&record, &pair.keys).unwrap();
    println!("dry run {:?}", now.elapsed());
    assert!(defence.blob_bytes * 5 < limits::MAX_BLOB_BYTES, "{}", defence.blob_bytes);
    let mut dying = Dying::new(&pair, &record);
    dying.block(&[&pair.published(&record.local.content, true)]);
    println!("own {:?}", now.elapsed());
    let dead = dying.resolver.blob().len();
    assert!(dead * 5 < limits::MAX_BLOB_BYTES, "{dead}");
    println!("{} bytes before, {dead} after", defence.blob_bytes);

    record.remote.content.htlcs.push(outgoing(9_999, 100, 300, 1));
    assert!(dry_run(&record, &pair.keys).is_err());
}
