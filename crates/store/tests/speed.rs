//! The budget of the store. Not run by default, as a loaded machine would fail it:
//! `cargo test --release -p steward-store --test speed -- --ignored --nocapture`.

mod support;

use std::time::{Duration, Instant};

use steward_engine::WriteBatch;
use steward_engine::row::{Origin, Row};
use steward_htlc::Settlement;
use steward_store::{CommitThread, Store};
use support::*;

const CHANNELS: u64 = 100_000;

fn fill(store: &mut dyn Store) {
    let numbers: Vec<u64> = (0..CHANNELS).collect();
    for chunk in numbers.chunks(5_000) {
        store.commit(&batch(chunk.iter().map(|n| put_channel(*n, 0)))).unwrap();
        store.maintain().unwrap();
    }
}

/// The rows of ten forwards: 50 rows, channels spread over the whole file.
fn ten_forwards(n: u64) -> WriteBatch {
    let mut rows = vec![];
    for i in n * 10..(n + 1) * 10 {
        let (from, to) = (i.wrapping_mul(7_919) % CHANNELS, i.wrapping_mul(104_729) % CHANNELS);
        rows.push(put_channel(from, i + 1));
        rows.push(put_channel(to, i + 1));
        rows.push(Row::Origin(outgoing(to, i), Origin::Forward(incoming(from, i))));
        rows.push(Row::Outbox(
            incoming(from, i),
            Settlement::Fulfill { preimage: preimage(i), tlvs: Vec::new() },
        ));
        rows.push(put_preimage(i, NOW_MS));
    }
    batch(rows)
}

#[test]
#[ignore = "measures"]
fn a_hundred_thousand_channels_load_in_a_second() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    fill(&mut store);
    store.close().unwrap();
    drop(store);
    let started = Instant::now();
    let mut store = open(dir.path());
    let opened = started.elapsed();
    let loaded = store.load(NOW_MS).unwrap();
    let total = started.elapsed();
    println!("open {opened:?}, open and load {total:?}");
    assert_eq!(loaded.channels.len() as u64, CHANNELS);
    assert!(total < Duration::from_secs(1));
}

#[test]
#[ignore = "measures"]
fn a_commit_of_fifty_rows_takes_little_more_than_its_fsync() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    fill(&mut store);
    let batches: Vec<WriteBatch> = (0..1_000).map(ten_forwards).collect();
    let before = store.stats();
    let mut times: Vec<Duration> = batches
        .iter()
        .map(|batch| {
            let started = Instant::now();
            store.commit(batch).unwrap();
            let time = started.elapsed();
            store.maintain().unwrap();
            time
        })
        .collect();
    times.sort();
    let after = store.stats();
    println!(
        "commit of 50 rows: p50 {:?}, p99 {:?}; {} log bytes each",
        times[500],
        times[990],
        (after.log_bytes - before.log_bytes) / 1_000
    );
    let probe = tempfile::NamedTempFile::new_in(dir.path()).unwrap();
    let mut syncs: Vec<Duration> = (0..200)
        .map(|_| {
            std::io::Write::write_all(&mut probe.as_file(), &[1; 40 * 4096]).unwrap();
            let started = Instant::now();
            probe.as_file().sync_all().unwrap();
            started.elapsed()
        })
        .collect();
    syncs.sort();
    println!("fsync of 160 kB alone: p50 {:?}", syncs[100]);
}

/// Returns the CPU time of this process, in microseconds.
fn cpu_us() -> u64 {
    // Fields 14 and 15 of `stat` are in ticks of 10 ms; the name before them has no space here.
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let ticks = stat.split(' ').skip(13).take(2).map(|field| field.parse::<u64>().unwrap());
    ticks.sum::<u64>() * 10_000
}

/// Commits and checkpoints of 20 000 payments, 20 at a time, as a payer makes them.
fn pay(store: &mut dyn Store, first: u64) -> f64 {
    let before = store.stats();
    let (started, cpu) = (Instant::now(), cpu_us());
    for first in (first..first + 20_000).step_by(20) {
        payer_commits(first..first + 20).iter().for_each(|batch| store.commit(batch).unwrap());
        store.maintain().unwrap();
    }
    let rate = 20_000.0 / started.elapsed().as_secs_f64();
    let log_bytes = (store.stats().log_bytes - before.log_bytes) / 20_000;
    let cpu_us = (cpu_us() - cpu) / 20_000;
    println!(
        "from payment {first}: {rate:.0} payments/s, {log_bytes} log bytes and {cpu_us} us of CPU each"
    );
    rate
}

#[test]
#[ignore = "measures"]
fn a_payer_with_a_million_payments_is_hardly_slower_than_a_new_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    let fresh = pay(&mut store, 1);
    for first in (20_001..1_000_000).step_by(2_000) {
        payer_commits(first..first + 2_000).iter().for_each(|batch| store.commit(batch).unwrap());
        store.maintain().unwrap();
    }
    let late = pay(&mut store, 1_100_000);
    println!("{:.3} of a new one", late / fresh);
    store.close().unwrap();
    drop(store);
    let started = Instant::now();
    open(dir.path()).load(NOW_MS).unwrap();
    println!("open and load {:?}", started.elapsed());
}

#[test]
#[ignore = "measures"]
fn a_hundred_payments_at_a_time_share_their_fsyncs() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    fill(&mut store);
    let before = store.stats();
    let (done, released) = std::sync::mpsc::channel();
    let thread = CommitThread::spawn(
        Box::new(store),
        move |group: Vec<u64>| group.into_iter().for_each(|n| done.send(n).unwrap()),
        |error| panic!("{error}"),
    )
    .unwrap();
    let started = Instant::now();
    let total = 20_000;
    for n in 0..total {
        // A hundred payments are in flight.
        if n >= 100 {
            released.recv().unwrap();
        }
        let i = n * 13;
        let rows = [put_channel(i % CHANNELS, n + 1), put_preimage(n, NOW_MS)];
        thread.submit(batch(rows), n).unwrap();
    }
    let stats = thread.close().unwrap();
    let took = started.elapsed();
    println!(
        "{total} steps, 100 in flight: {:.0} steps/s, {:.3} fsyncs per step, {} checkpoints",
        total as f64 / took.as_secs_f64(),
        (stats.fsyncs - before.fsyncs) as f64 / total as f64,
        stats.checkpoints - before.checkpoints,
    );
}
