//! The pages that a payment costs at its payer, its payee and their host, counted: a node with a
//! million payments writes no more of them than a new one. The large run is not made by default:
//! `cargo test --profile sim -p steward-store --test pages -- --ignored --nocapture`.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

use rusqlite::Connection;
use steward_engine::WriteBatch;
use steward_store::limits::PAGE_BYTES;
use steward_store::{SqliteStore, Store};
use support::*;

/// Payments that share a commit.
const SHARED: u64 = 20;
const FRAME_HEADER_BYTES: usize = 24;

type Commits = fn(Range<u64>) -> Vec<WriteBatch>;

/// The side whose commits are counted, and how it makes them.
const SIDES: [(&str, Commits); 3] = [
    ("payer", |numbers| payer_commits(numbers).into()),
    ("payee", |numbers| payee_commits(numbers).into()),
    ("host", |numbers| host_commits(numbers).into()),
];

/// Reads the pages that each commit appends to the log.
struct Log {
    file: File,
    salt: [u8; 8],
    read_bytes: u64,
}

impl Log {
    fn of(store: &SqliteStore) -> Self {
        let mut name = store.path().as_os_str().to_owned();
        name.push("-wal");
        Self { file: File::open(name).unwrap(), salt: [0; 8], read_bytes: 0 }
    }

    /// Returns the pages of the frames since the last call. Frames behind the last are of a log
    /// before, whose salt was another.
    fn new_pages(&mut self) -> Vec<u32> {
        let mut header = [0; 32];
        self.file.seek(SeekFrom::Start(0)).unwrap();
        self.file.read_exact(&mut header).unwrap();
        if header[16..24] != self.salt {
            self.salt.copy_from_slice(&header[16..24]);
            self.read_bytes = 32;
        }
        self.file.seek(SeekFrom::Start(self.read_bytes)).unwrap();
        let mut pages = Vec::new();
        let mut frame = vec![0; FRAME_HEADER_BYTES + PAGE_BYTES as usize];
        while self.file.read_exact(&mut frame).is_ok() && frame[8..16] == self.salt {
            pages.push(u32::from_be_bytes(frame[..4].try_into().unwrap()));
            self.read_bytes += frame.len() as u64;
        }
        pages
    }
}

/// The pages that one payment costs.
struct Cost {
    /// Pages written to the log.
    frames: f64,
    /// Pages that checkpoints move into the database.
    moved: f64,
    /// Frames and moved pages of each table and index.
    of_trees: BTreeMap<String, (f64, f64)>,
}

fn trees(path: &Path) -> BTreeMap<u32, String> {
    let db = Connection::open(path).unwrap();
    let mut statement = db.prepare("SELECT pageno, name FROM dbstat").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

fn cost(store: &mut SqliteStore, numbers: Range<u64>, commits: Commits) -> Cost {
    let count = (numbers.end - numbers.start) as f64;
    let (mut log, mut first) = (Log::of(store), true);
    let (mut frames, mut moved) = (BTreeMap::<u32, u64>::new(), BTreeMap::<u32, u64>::new());
    let mut waiting = BTreeSet::new();
    for from in numbers.clone().step_by(SHARED as usize) {
        for batch in commits(from..(from + SHARED).min(numbers.end)) {
            store.commit(&batch).unwrap();
            let pages = log.new_pages();
            if std::mem::take(&mut first) {
                // The log holds what was committed before.
                continue;
            }
            pages.iter().for_each(|page| *frames.entry(*page).or_default() += 1);
            waiting.extend(pages);
            let before = store.stats().checkpoints;
            store.maintain().unwrap();
            if store.stats().checkpoints > before {
                let pages = std::mem::take(&mut waiting);
                pages.into_iter().for_each(|page| *moved.entry(page).or_default() += 1);
            }
        }
    }
    // What waits still is moved in the end.
    waiting.into_iter().for_each(|page| *moved.entry(page).or_default() += 1);
    let trees = trees(store.path());
    let mut of_trees = BTreeMap::<String, (f64, f64)>::new();
    for (page, frames) in &frames {
        let name = trees.get(page).map_or("free or gone", String::as_str);
        let tree = of_trees.entry(name.to_owned()).or_default();
        tree.0 += *frames as f64 / count;
        tree.1 += moved.get(page).copied().unwrap_or(0) as f64 / count;
    }
    Cost {
        frames: frames.values().sum::<u64>() as f64 / count,
        moved: moved.values().sum::<u64>() as f64 / count,
        of_trees,
    }
}

/// Makes the commits of many payments, a large commit each.
fn fill(store: &mut SqliteStore, numbers: Range<u64>, commits: Commits) {
    for first in numbers.clone().step_by(2_000) {
        for batch in commits(first..(first + 2_000).min(numbers.end)) {
            store.commit(&batch).unwrap();
            store.maintain().unwrap();
        }
    }
}

fn show(side: &str, stored: u64, cost: &Cost) {
    println!("{side}, {stored} stored: {:.2} frames, {:.3} moved", cost.frames, cost.moved);
    for (tree, (frames, moved)) in &cost.of_trees {
        println!("    {tree}: {frames:.3} frames, {moved:.3} moved");
    }
}

/// Makes many rows at once, behind the back of a store that is closed.
const MANY_ROWS: &str = "
    WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 200000)
        INSERT INTO payment SELECT NULL, randomblob(32), zeroblob(33), 1, 0, 0, 2, NULL, NULL, NULL,
            1, '', 1, 1 FROM n;
    WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 200000)
        INSERT INTO invoice SELECT NULL, randomblob(32), zeroblob(32), zeroblob(32), 1, '', 1, '', 1,
            1, 2, 1, 1, NULL, NULL FROM n;";

#[test]
fn a_payment_costs_less_than_a_page_of_the_database_with_many_stored() {
    for (side, commits) in SIDES {
        let dir = tempfile::tempdir().unwrap();
        let mut store = open(dir.path());
        store.close().unwrap();
        drop(store);
        with_sql(dir.path(), MANY_ROWS);
        let mut store = open(dir.path());
        store.load(NOW_MS).unwrap();
        let late = cost(&mut store, 1..2_001, commits);
        show(side, 200_000, &late);
        assert!(late.moved < 0.5, "{side}: {:.3} pages", late.moved);
    }
}

#[test]
#[ignore = "writes a million payments"]
fn a_million_payments_cost_the_next_ones_hardly_a_page() {
    for (side, commits) in SIDES {
        let dir = tempfile::tempdir().unwrap();
        let mut store = open(dir.path());
        let fresh = cost(&mut store, 1..20_001, commits);
        show(side, 0, &fresh);
        fill(&mut store, 20_001..1_000_001, commits);
        let late = cost(&mut store, 1_000_001..1_020_001, commits);
        show(side, 1_000_000, &late);
        assert!(late.moved < fresh.moved + 0.2, "{side}");
    }
}
