//! The rows that a commit takes and refuses, and which row wins. Each test runs against every store
//! (`each_store`).

mod support;

use steward_engine::row::{
    InvoiceRow, InvoiceStatus, Origin, PaymentKind, PaymentStatus, Row, RowKey, WriteBatch,
};
use steward_store::StoreError;
use support::*;

/// The payer of an invoice knows its preimage.
#[test]
fn a_paid_invoice_never_changes_and_no_keysend_replaces_an_invoice() {
    each_store(|mut store| {
        let (pending, complete) = (InvoiceStatus::Open, InvoiceStatus::Paid);
        let open = invoice(1, pending, NOW_MS + DAY_MS);
        let paid = invoice(2, complete, NOW_MS + DAY_MS);
        commit(&mut store, [put_invoice(1, pending, NOW_MS + DAY_MS)]);
        commit(&mut store, [put_invoice(2, pending, NOW_MS + DAY_MS)]);
        commit(&mut store, [put_invoice(2, complete, NOW_MS + DAY_MS)]);
        for status in [pending, complete] {
            for n in [1, 2] {
                let mut keysend = invoice(n, status, NOW_MS);
                keysend.kind = PaymentKind::Keysend;
                keysend.received_msat = 1;
                commit(&mut store, [Row::Invoice(keysend)]);
            }
            commit(&mut store, [put_invoice(2, status, NOW_MS)]);
        }
        let history = store.history().unwrap();
        assert_eq!(history.invoice(&hash(1)).unwrap(), Some(open));
        assert_eq!(history.invoice(&hash(2)).unwrap(), Some(paid));
    });
}

#[test]
fn what_became_of_a_claim_is_added_to_a_paid_invoice_and_to_nothing_else() {
    each_store(|mut store| {
        let complete = InvoiceStatus::Paid;
        // The same holds in the batch that stores the payment.
        let paid = put_invoice(2, complete, NOW_MS);
        commit(&mut store, [paid, put_invoice_failure(2), put_invoice_failure(3)]);
        let history = store.history().unwrap();
        let failure = Some(("claim_unsigned".to_owned(), "The claim was not signed.".to_owned()));
        let expected = InvoiceRow { failure, ..invoice(2, complete, NOW_MS) };
        assert_eq!(history.invoice(&hash(2)).unwrap(), Some(expected));
        assert_eq!(history.invoice(&hash(3)).unwrap(), None);
    });
}

#[test]
fn an_invoice_is_paid_once_and_its_text_stays() {
    each_store(|mut store| {
        let pay = |n, received_msat| Row::InvoicePaid {
            payment_hash: hash(n),
            received_msat,
            paid_ms: NOW_MS,
        };
        let open = InvoiceStatus::Open;
        commit(&mut store, [put_invoice(2, open, NOW_MS), put_invoice(5, open, NOW_MS)]);
        // An earlier payment came too late.
        commit(&mut store, [put_invoice_failure(2)]);
        commit(&mut store, [pay(2, 2_000)]);
        commit(&mut store, [pay(2, 1)]);
        // Made and paid in one batch, and the claim failed in the same.
        commit(&mut store, [pay(4, 4_000), put_invoice_failure(4), put_invoice(4, open, NOW_MS)]);
        let history = store.history().unwrap();
        let paid = |n| invoice(n, InvoiceStatus::Paid, NOW_MS);
        assert_eq!(history.invoice(&hash(2)).unwrap(), Some(paid(2)));
        let failed = history.invoice(&hash(4)).unwrap().unwrap();
        assert_eq!(failed.failure.as_ref().unwrap().0, "claim_unsigned");
        assert_eq!(InvoiceRow { failure: None, ..failed }, paid(4));
        drop(history);
        let left: Vec<_> =
            store.load(NOW_MS).unwrap().invoices.iter().map(|row| row.preimage.hash()).collect();
        assert_eq!(left, [hash(5)]);
    });
}

#[test]
fn a_later_write_replaces_the_row() {
    each_store(|mut store| {
        commit(&mut store, [put_channel(1, 1), put_height(5)]);
        commit(&mut store, [put_channel(1, 2), put_height(6)]);
        let loaded = store.load(NOW_MS).unwrap();
        assert_eq!(loaded.channels, [channel(1, 2)]);
        assert_eq!(loaded.height, 6);
    });
}

/// An id that the peer never saw may come again, for another HTLC.
#[test]
fn the_later_origin_of_an_id_is_its_origin() {
    each_store(|mut store| {
        let of_part = |part| Origin::Payment { payment: hash(1).into(), part };
        let put = |part| Row::Origin(outgoing(1, 5), of_part(part));
        commit(&mut store, [put(1)]);
        commit(&mut store, [put(2)]);
        assert_eq!(store.load(NOW_MS).unwrap().origins, [(outgoing(1, 5), of_part(2))]);
    });
}

#[test]
fn deleting_a_row_that_is_not_there_is_fine() {
    each_store(|mut store| {
        let mut delete = WriteBatch::default();
        delete.delete(RowKey::Outbox(incoming(1, 1)));
        store.commit(&delete).unwrap();
    });
}

#[test]
fn an_empty_batch_is_not_a_commit() {
    each_store(|mut store| {
        store.commit(&WriteBatch::default()).unwrap();
        assert_eq!(store.stats().commits, 0);
        commit(&mut store, [put_height(1), put_channel(1, 1)]);
        assert_eq!((store.stats().commits, store.stats().rows), (1, 2));
    });
}

/// Commits `bad` beside a good row; the store must refuse both and everything after.
fn assert_refused(bad: &Row) {
    each_store(|mut store| {
        let error = store.commit(&batch([put_height(9), bad.clone()])).unwrap_err();
        assert!(matches!(error, StoreError::BadRow { .. }), "{error:?}");
        assert_eq!(store.load(NOW_MS).unwrap().height, 0);
        assert_eq!(store.commit(&batch([put_height(1)])), Err(StoreError::Stopped));
        assert_eq!(store.maintain(), Err(StoreError::Stopped));
    });
}

#[test]
fn an_amount_that_does_not_fit_is_refused() {
    let mut row = payment(1, PaymentStatus::Pending);
    row.amount_msat = 1 << 63;
    assert_refused(&Row::Payment(row));
}

#[test]
fn an_event_or_evidence_is_never_overwritten() {
    for row in [put_event(1), put_evidence(1, 1)] {
        each_store(|mut store| {
            commit(&mut store, [row.clone()]);
            let error = store.commit(&batch([row.clone()])).unwrap_err();
            assert!(matches!(error, StoreError::BadRow { .. }), "{error:?}");
        });
    }
}

#[test]
fn a_closed_store_takes_no_writes() {
    each_store(|mut store| {
        commit(&mut store, [put_height(1)]);
        store.close().unwrap();
        assert_eq!(store.commit(&batch([put_height(2)])), Err(StoreError::Stopped));
        assert_eq!(store.load(NOW_MS).unwrap().height, 1);
    });
}
