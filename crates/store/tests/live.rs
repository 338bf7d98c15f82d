//! The sum of the live rows: it follows every commit, and shows any other change to them.

mod support;

use std::path::Path;

use proptest::prelude::*;
use steward_engine::WriteBatch;
use steward_engine::row::{Origin, PaymentStatus, Row};
use steward_htlc::Settlement;
use steward_store::{OpenMode, Store, StoreError};
use support::*;

fn closed_with(rows: &WriteBatch) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    store.commit(rows).unwrap();
    store.close().unwrap();
    dir
}

fn loads(dir: &Path) -> Result<(), StoreError> {
    try_open(dir, OpenMode::Existing).unwrap().load(NOW_MS).map(|_| ())
}

#[test]
fn a_row_of_another_moment_is_noticed_in_every_table_a_start_depends_on() {
    for sql in [
        "DELETE FROM channel WHERE number = 1",
        "UPDATE channel SET record = CAST(record || X'00' AS BLOB) WHERE number = 1",
        "UPDATE channel SET phase = 5 WHERE number = 1",
        "UPDATE channel SET local_balance_msat = local_balance_msat + 1 WHERE number = 1",
        "DELETE FROM htlc_origin WHERE htlc_id = 5",
        "UPDATE htlc_origin SET htlc_id = 6 WHERE htlc_id = 5",
        "DELETE FROM outbox",
        "DELETE FROM payment WHERE status = 1",
        "UPDATE payment SET status = 1 WHERE status = 3",
        "UPDATE payment SET status = 3 WHERE status = 1",
        "DELETE FROM payment_part WHERE part = 1",
        "UPDATE payment_part SET status = 2 WHERE part = 1",
        "DELETE FROM peer",
        "UPDATE setting SET value = zeroblob(16) WHERE name = 'live_rows'",
    ] {
        let dir = closed_with(&every_table());
        loads(dir.path()).unwrap();
        with_sql(dir.path(), sql);
        assert_eq!(loads(dir.path()), Err(StoreError::Torn), "{sql}");
    }
}

#[test]
fn a_database_of_a_version_without_the_sum_gets_it_with_the_next_commit() {
    let dir = closed_with(&every_table());
    with_sql(dir.path(), "UPDATE setting SET value = X'' WHERE name = 'live_rows'");
    let mut store = try_open(dir.path(), OpenMode::Existing).unwrap();
    store.load(NOW_MS).unwrap();
    store.commit(&batch([put_event(1_000)])).unwrap();
    store.close().unwrap();
    drop(store);
    with_sql(dir.path(), "DELETE FROM peer");
    assert_eq!(loads(dir.path()), Err(StoreError::Torn));
}

/// A peer may know what a row says, and must not know its mark: each database has a key of its own,
/// all of it, from its first commit.
#[test]
fn two_new_databases_with_the_same_rows_have_another_key_and_another_sum() {
    let setting = || {
        let dir = closed_with(&batch([put_peer(1)]));
        let db = rusqlite::Connection::open(dir.path().join("steward.db")).unwrap();
        let sql = "SELECT value FROM setting WHERE name = 'live_rows'";
        db.query_row(sql, [], |row| row.get::<_, Vec<u8>>(0)).unwrap()
    };
    let (one, other) = (setting(), setting());
    assert_eq!((one.len(), other.len()), (32, 32));
    // The two halves of the key, and the sum; between them is the number of rows.
    for (at, differs) in [(0, true), (8, true), (16, false), (24, true)] {
        assert_eq!(one[at..at + 8] != other[at..at + 8], differs, "at {at}");
    }
}

/// Makes one of a few rows, and whether it goes: so rows come, change, end and go.
fn some_write() -> impl Strategy<Value = (Row, bool)> {
    (0..7_u8, 0..3_u64, 0..4_u64).prop_map(|(table, row, version)| {
        let status = [PaymentStatus::Pending, PaymentStatus::Complete, PaymentStatus::Failed];
        let row = match table {
            0 => put_channel(row, version),
            1 => Row::Origin(outgoing(1, row), Origin::Forward(incoming(2, version))),
            2 => {
                let settlement =
                    Settlement::Fulfill { preimage: preimage(version), tlvs: Vec::new() };
                Row::Outbox(incoming(1, row), settlement)
            }
            3 => put_payment(row, status[version as usize % 3]),
            4 if version == 1 => put_ended_part(row, 0),
            4 => put_part(row, 0),
            5 => put_peer(row),
            _ => put_preimage(row, NOW_MS),
        };
        // Payments are kept for good.
        (row, version == 3 && table != 3)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn whatever_was_committed_a_start_finds_the_sum_it_left(
        lives in prop::collection::vec(
            prop::collection::vec(prop::collection::vec(some_write(), 1..8), 1..4),
            1..4,
        ),
        is_loaded in any::<bool>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let payments = (0..3).map(|n| put_payment(n, PaymentStatus::Pending));
        open(dir.path()).commit(&batch(payments)).unwrap();
        for batches in lives {
            let mut store = open(dir.path());
            if is_loaded {
                store.load(NOW_MS).unwrap();
            }
            for rows in batches {
                let mut batch = WriteBatch::default();
                for (row, goes) in rows {
                    if goes { batch.delete(row.key()) } else { batch.put(row) }
                }
                store.commit(&batch).unwrap();
            }
            store.load(NOW_MS).unwrap();
        }
        prop_assert_eq!(loads(dir.path()), Ok(()));
    }
}
