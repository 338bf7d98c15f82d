//! One payment hash has one row. No index keeps it so, and what a bug or a hand leaves is seen.

mod support;

use steward_engine::row::{InvoiceStatus, PaymentStatus};
use steward_store::Store;
use support::*;

#[test]
fn two_rows_of_one_hash_are_seen_and_a_payment_that_was_made_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    let until_ms = NOW_MS + DAY_MS;
    let of_1 =
        [put_payment(1, PaymentStatus::Complete), put_invoice(1, InvoiceStatus::Paid, until_ms)];
    let of_2 =
        [put_payment(2, PaymentStatus::Failed), put_invoice(2, InvoiceStatus::Open, until_ms)];
    store.commit(&batch(of_1)).unwrap();
    store.commit(&batch(of_2)).unwrap();
    store.close().unwrap();
    drop(store);
    // As a bug of the writer would leave it, or a hand: no index refuses it any more.
    with_sql(
        dir.path(),
        "UPDATE payment SET payment_hash = (SELECT payment_hash FROM payment WHERE number = 1)
             WHERE number = 2;
         UPDATE invoice SET payment_hash = (SELECT payment_hash FROM invoice WHERE number = 1)
             WHERE number = 2;",
    );
    let error = verify(&dir.path().join("steward.db")).unwrap_err();
    assert!(error.to_string().contains("its payment hash has another row"), "{error}");
    let mut store = open(dir.path());
    store.load(NOW_MS).unwrap();
    // It would be paid again otherwise.
    assert!(store.history().unwrap().paid(&hash(1)).unwrap().is_some());
}

/// The money would be in no book.
#[test]
fn the_payment_of_an_invoice_that_has_no_open_row_is_refused() {
    each_store(|mut store| {
        let row = steward_engine::row::Row::InvoicePaid {
            payment_hash: hash(1),
            received_msat: 5,
            paid_ms: NOW_MS,
        };
        let result = store.commit(&batch([row]));
        assert!(result.is_err(), "the payment of an invoice that is not there was taken");
    });
}
