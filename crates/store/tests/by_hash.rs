//! Each payment hash has one payment and one invoice at most. No index keeps it so: the writer
//! does, by numbers that it finds in segments of 65 536.

mod support;

use std::path::Path;

use rusqlite::Connection;
use steward_engine::row::{InvoiceStatus, PaymentRow, PaymentStatus, Row};
use steward_store::limits::MAX_FILTERED_SEGMENTS;
use steward_store::sqlite::SqliteHistory;
use steward_store::{OpenMode, SqliteStore, Store};
use steward_wire::PaymentHash;
use support::*;

const SEGMENT: u64 = 65_536;

/// Moves the rows that are there to this number and those behind it, as if many had come before.
fn renumber(dir: &Path, to: u64) {
    with_sql(
        dir,
        &format!(
            "UPDATE payment_part SET payment = payment + {to}
                 WHERE payment = (SELECT max(number) FROM payment);
             UPDATE payment SET number = number + {to} WHERE number = (SELECT max(number) FROM payment);
             UPDATE invoice SET number = number + {to} WHERE number = (SELECT max(number) FROM invoice);"
        ),
    );
}

fn numbers(dir: &Path, table: &str) -> Vec<u64> {
    let db = Connection::open(dir.join("steward.db")).unwrap();
    let mut statement = db.prepare(&format!("SELECT number FROM {table} ORDER BY number")).unwrap();
    let rows = statement.query_map([], |row| row.get::<_, i64>(0)).unwrap();
    rows.map(|number| number.unwrap().cast_unsigned()).collect()
}

/// Opens a store that has read what it needs, or one that goes on without.
fn reopen(dir: &Path, loads: bool) -> SqliteStore {
    let mut store = try_open(dir, OpenMode::Existing).unwrap();
    if loads {
        store.load(NOW_MS).unwrap();
    }
    store
}

/// Makes two payments and two invoices; the second of each has the number `2 + apart`.
fn two_far_apart(dir: &Path, apart: u64) {
    let mut store = open(dir);
    let rows = [1, 2].into_iter().flat_map(|n| {
        [
            put_payment(n, PaymentStatus::Failed),
            put_part(n, 0),
            put_invoice(n, InvoiceStatus::Open, NOW_MS + DAY_MS),
        ]
    });
    store.commit(&batch(rows)).unwrap();
    store.close().unwrap();
    drop(store);
    renumber(dir, apart);
}

fn check_second_rows(dir: &Path, store: &mut SqliteStore, apart: u64) {
    let history =
        [store.history().unwrap(), std::sync::Arc::new(SqliteHistory::open(store.path()).unwrap())];
    for n in [2, 1] {
        let rows = [
            put_payment(n, PaymentStatus::Complete),
            put_ended_part(n, 0),
            put_part(n, 1),
            put_invoice_failure(n),
        ];
        store.commit(&batch(rows)).unwrap();
        for history in &history {
            let found = history.invoice(&hash(n)).unwrap().unwrap();
            assert_eq!(found.failure.map(|(code, _)| code).as_deref(), Some("claim_unsigned"));
        }
        let invoice = put_invoice(n, InvoiceStatus::Paid, NOW_MS + DAY_MS);
        store.commit(&batch([invoice])).unwrap();
        for history in &history {
            let found = history.payment(&hash(n)).unwrap().unwrap();
            assert_eq!(found.payment, payment(n, PaymentStatus::Complete));
            assert_eq!(found.parts, [ended_part(n, 0), part(n, 1)]);
            assert_eq!(history.paid(&hash(n)).unwrap(), Some(found.payment));
            let found = history.invoice(&hash(n)).unwrap();
            assert_eq!(found, Some(invoice_row(n)));
            assert_eq!(history.payment(&hash(9)).unwrap(), None);
            assert_eq!(history.invoice(&hash(9)).unwrap(), None);
        }
    }
    for table in ["payment", "invoice"] {
        assert_eq!(numbers(dir, table), [1, 2 + apart]);
    }
}

fn invoice_row(n: u64) -> steward_engine::row::InvoiceRow {
    invoice(n, InvoiceStatus::Paid, NOW_MS + DAY_MS)
}

#[test]
fn a_second_row_with_a_hash_takes_the_place_of_the_first_however_far_back_it_is() {
    let beyond_the_filters = (MAX_FILTERED_SEGMENTS + 3) * SEGMENT;
    for apart in [0, SEGMENT, 5 * SEGMENT, beyond_the_filters] {
        for loads in [true, false] {
            let dir = tempfile::tempdir().unwrap();
            two_far_apart(dir.path(), apart);
            let mut store = reopen(dir.path(), loads);
            check_second_rows(dir.path(), &mut store, apart);
            store.close().unwrap();
            drop(store);
            verify(&dir.path().join("steward.db")).unwrap();
        }
    }
}

#[test]
fn a_row_of_this_run_is_found_again_when_a_segment_has_begun_since() {
    let dir = tempfile::tempdir().unwrap();
    two_far_apart(dir.path(), SEGMENT - 4);
    for loads in [true, false] {
        let mut store = reopen(dir.path(), loads);
        let history = store.history().unwrap();
        for n in 3..8 {
            let invoice = put_invoice(n, InvoiceStatus::Open, NOW_MS + DAY_MS);
            store.commit(&batch([put_payment(n, PaymentStatus::Pending), invoice])).unwrap();
        }
        for n in (1..8).rev() {
            store.commit(&batch([put_payment(n, PaymentStatus::Complete)])).unwrap();
            assert!(history.paid(&hash(n)).unwrap().is_some());
            assert!(history.invoice(&hash(n)).unwrap().is_some());
        }
        let expected = [1].into_iter().chain(SEGMENT - 2..SEGMENT + 4).collect::<Vec<u64>>();
        assert_eq!(numbers(dir.path(), "payment"), expected);
        assert_eq!(numbers(dir.path(), "invoice"), expected);
    }
}

#[test]
fn hashes_that_begin_alike_are_two() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    store.load(NOW_MS).unwrap();
    let alike = |last: u8| {
        let mut hash = hash(1).0;
        hash[31] = last;
        let payment_hash = PaymentHash(hash);
        PaymentRow { payment_hash, ..payment(1, PaymentStatus::Failed) }
    };
    let rows = [alike(1), alike(2)];
    store.commit(&batch(rows.clone().map(Row::Payment))).unwrap();
    store.commit(&batch(rows.clone().map(Row::Payment))).unwrap();
    assert_eq!(numbers(dir.path(), "payment"), [1, 2]);
    let history = store.history().unwrap();
    for row in rows {
        assert_eq!(history.payment(&row.payment_hash).unwrap().unwrap().payment, row);
    }
}

/// An invoice that goes leaves its number to the next.
#[test]
fn a_row_that_went_is_not_found_and_may_come_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    store.load(NOW_MS).unwrap();
    let row = put_invoice(1, InvoiceStatus::Open, NOW_MS + DAY_MS);
    for _ in 0..2 {
        store.commit(&batch([row.clone()])).unwrap();
        assert!(store.history().unwrap().invoice(&hash(1)).unwrap().is_some());
        let mut gone = steward_engine::WriteBatch::default();
        gone.delete(row.key());
        store.commit(&gone).unwrap();
        assert_eq!(store.history().unwrap().invoice(&hash(1)).unwrap(), None);
    }
}
