//! Rows found by their hash at the edge of a segment, and kinds and ends as version 4 wrote them.

mod support;

use std::path::Path;

use rusqlite::Connection;
use steward_engine::row::{InvoiceStatus, PaymentKind, PaymentStatus};
use steward_store::{OpenMode, Store};
use support::*;

/// The newest row is the first of its segment when it is written again.
#[test]
fn the_first_row_of_a_segment_is_found_while_it_is_the_newest() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    let rows = |n| {
        [
            put_payment(n, PaymentStatus::Pending),
            put_invoice(n, InvoiceStatus::Open, NOW_MS + DAY_MS),
        ]
    };
    store.commit(&batch(rows(1))).unwrap();
    store.close().unwrap();
    drop(store);
    with_sql(dir.path(), "UPDATE payment SET number = 65535; UPDATE invoice SET number = 65535;");
    let mut store = open(dir.path());
    store.load(NOW_MS).unwrap();
    store.commit(&batch(rows(2))).unwrap();
    store.commit(&batch([put_payment(2, PaymentStatus::Complete)])).unwrap();
    assert!(store.history().unwrap().paid(&hash(2)).unwrap().is_some());
    let db = Connection::open(dir.path().join("steward.db")).unwrap();
    let count: i64 = db.query_row("SELECT count(*) FROM payment", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 2);
}

/// What version 4 said by an empty text and by a failure's code is a kind and a status from 5 on.
#[test]
fn keysends_and_unknown_ends_of_version_4_stay_what_they_were() {
    let dir = tempfile::tempdir().unwrap();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v4.sql");
    let sql = std::fs::read_to_string(fixture).unwrap();
    let db = Connection::open(dir.path().join("steward.db")).unwrap();
    db.execute_batch(&sql).unwrap();
    db.execute_batch(
        "UPDATE payment SET failure_code = 'outcome_unknown', failure_message = 'x' WHERE number = 3;
         UPDATE payment SET bolt11 = '' WHERE number = 2;
         UPDATE invoice SET bolt11 = '', status = 1 WHERE number = 1;
         UPDATE setting SET value = X'' WHERE name = 'live_rows';",
    )
    .unwrap();
    drop(db);
    let mut store = try_open(dir.path(), OpenMode::Existing).unwrap();
    let loaded = store.load(NOW_MS).unwrap();
    let history = store.history().unwrap();
    let unknown = history.payment(&hash(1)).unwrap().unwrap().payment;
    assert_eq!(unknown.status, PaymentStatus::Unknown);
    let keysend = history.payment(&hash(3)).unwrap().unwrap().payment;
    assert_eq!(keysend.kind, PaymentKind::Keysend);
    assert_eq!(history.invoice(&hash(2)).unwrap().unwrap().kind, PaymentKind::Keysend);
    // A keysend that was not claimed is no open invoice.
    assert!(loaded.invoices.iter().all(|invoice| invoice.preimage.hash() != hash(2)));
}
