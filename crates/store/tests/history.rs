//! Questions about the past. Each test runs against every store (`each_store`).

mod support;

use steward_engine::row::{InvoiceStatus, PaymentStatus, Row, RowKey, WriteBatch};
use steward_store::limits::MAX_PAGE_ROWS;
use steward_store::{Cursor, PageRequest};
use steward_wire::NodeId;
use support::*;

#[test]
fn pages_go_from_the_newest_to_the_oldest_and_skip_nothing() {
    each_store(|mut store| {
        for n in 1..=25 {
            commit(&mut store, [put_payment(n, PaymentStatus::Pending)]);
        }
        // Ending a payment does not move it.
        commit(&mut store, [put_payment(3, PaymentStatus::Complete)]);
        let history = store.history().unwrap();
        let (mut seen, mut before) = (vec![], None);
        loop {
            let page = history.payments(None, PageRequest { before, limit: 10 }).unwrap();
            seen.extend(page.rows.iter().map(|row| row.created_ms - NOW_MS));
            before = page.next;
            // New rows do not disturb the pages that follow.
            commit(&mut store, [put_payment(100 + seen.len() as u64, PaymentStatus::Pending)]);
            if before.is_none() {
                break;
            }
        }
        assert_eq!(seen, (1..=25).rev().collect::<Vec<_>>());
    });
}

#[test]
fn a_page_that_ends_with_the_list_says_so() {
    each_store(|mut store| {
        commit(&mut store, (1..=10).map(|n| put_forward(n, true)));
        let history = store.history().unwrap();
        assert_eq!(history.forwards(PageRequest::newest(10)).unwrap().next, None);
        assert!(history.forwards(PageRequest::newest(9)).unwrap().next.is_some());
        let beyond = PageRequest { before: Some(Cursor(0)), limit: 10 };
        assert_eq!(history.forwards(beyond).unwrap().rows, []);
    });
}

#[test]
fn a_page_has_at_most_the_limit_whatever_is_asked() {
    each_store(|mut store| {
        commit(&mut store, (1..=1_500).map(|n| put_forward(n, true)));
        let history = store.history().unwrap();
        let page = history.forwards(PageRequest::newest(usize::MAX)).unwrap();
        assert_eq!(page.rows.len(), MAX_PAGE_ROWS);
        assert!(page.next.is_some());
    });
}

#[test]
fn payments_and_invoices_are_found_by_status() {
    each_store(|mut store| {
        for n in 1..=9 {
            let of_payment =
                [PaymentStatus::Pending, PaymentStatus::Complete, PaymentStatus::Failed];
            let of_invoice = [InvoiceStatus::Open, InvoiceStatus::Paid, InvoiceStatus::Open];
            let nth = n as usize % 3;
            commit(&mut store, [put_payment(n, of_payment[nth])]);
            commit(&mut store, [put_invoice(n, of_invoice[nth], NOW_MS)]);
        }
        let history = store.history().unwrap();
        let page = history.payments(Some(PaymentStatus::Failed), PageRequest::newest(2)).unwrap();
        let failed = |n| payment(n, PaymentStatus::Failed);
        assert_eq!(page.rows, [failed(8), failed(5)]);
        let rest = PageRequest { before: page.next, limit: 2 };
        let page = history.payments(Some(PaymentStatus::Failed), rest).unwrap();
        assert_eq!((page.rows, page.next), (vec![failed(2)], None));
        let page = history.invoices(Some(InvoiceStatus::Paid), PageRequest::newest(9)).unwrap();
        let paid = |n| invoice(n, InvoiceStatus::Paid, NOW_MS);
        assert_eq!(page.rows, [paid(7), paid(4), paid(1)]);
    });
}

#[test]
fn a_subscriber_gets_the_events_it_missed_in_order() {
    each_store(|mut store| {
        commit(&mut store, (1..=20).map(put_event));
        let history = store.history().unwrap();
        assert_eq!(history.events(17, 100).unwrap(), [event(18), event(19), event(20)]);
        assert_eq!(history.events(3, 2).unwrap(), [event(4), event(5)]);
        assert_eq!(history.events(u64::MAX, 100).unwrap(), []);
    });
}

#[test]
fn evidence_is_found_by_peer() {
    each_store(|mut store| {
        commit(&mut store, (1..=6).map(|n| put_evidence(n, n % 2)));
        let history = store.history().unwrap();
        let about = |peer: Option<NodeId>, limit| {
            let page = PageRequest::newest(limit);
            let kept = history.evidence(peer.as_ref(), page).unwrap().rows;
            kept.into_iter().map(|kept| kept.row).collect::<Vec<_>>()
        };
        assert_eq!(about(Some(node(1)), 2), [evidence(5, 1), evidence(3, 1)]);
        assert_eq!(about(Some(node(7)), 2), []);
        assert_eq!(about(None, 9).len(), 6);
    });
}

#[test]
fn totals_follow_the_forwards() {
    each_store(|mut store| {
        commit(&mut store, [put_forward(1, true), put_forward(2, false), put_forward(3, true)]);
        let history = store.history().unwrap();
        let totals = history.forward_totals().unwrap();
        assert_eq!((totals.fulfilled, totals.failed, totals.fees_msat()), (2, 1, 20));
        assert_eq!((totals.amount_in_msat, totals.amount_out_msat), (2_020, 2_000));
        // A forward that is written again counts once, as it is now.
        commit(&mut store, [put_forward(1, true), put_forward(2, true)]);
        let totals = history.forward_totals().unwrap();
        assert_eq!((totals.fulfilled, totals.failed, totals.fees_msat()), (3, 0, 30));
        // A forward that is deleted stays in the books.
        let mut delete = WriteBatch::default();
        delete.delete(RowKey::Forward(incoming(1, 1)));
        store.commit(&delete).unwrap();
        assert_eq!(history.forward_totals().unwrap(), totals);
    });
}

#[test]
fn totals_stop_at_the_largest_number_instead_of_failing() {
    each_store(|mut store| {
        let mut row = forward(1, true);
        row.amount_in_msat = i64::MAX.cast_unsigned();
        commit(&mut store, [Row::Forward(row)]);
        commit(&mut store, [put_forward(2, true)]);
        let totals = store.history().unwrap().forward_totals().unwrap();
        assert_eq!(totals.amount_in_msat, i64::MAX.cast_unsigned());
        assert_eq!(totals.amount_out_msat, 2_000);
    });
}
