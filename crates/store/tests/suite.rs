//! What every store must do. Each test runs against all of them; another store joins by one line
//! in `each_store`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot go on must fail"
)]

mod support;

use steward_engine::WriteBatch;
use steward_engine::row::{HtlcKey, InvoiceRow, Origin, PaymentStatus, Row, RowKey, Settlement};
use steward_store::limits::{
    KEEP_FAILED_FORWARDS, MAX_EVENTS, MAX_LOADED_PREIMAGES, MAX_PAGE_ROWS, PREIMAGE_KEEP_MS,
};
use steward_store::{Cursor, MemoryStore, NumberedEvidence, PageRequest, Store, StoreError};
use steward_wire::NodeId;
use support::*;

fn each_store(test: impl Fn(Box<dyn Store>)) {
    test(Box::new(MemoryStore::new()));
    let dir = tempfile::tempdir().unwrap();
    test(Box::new(open(dir.path())));
}

fn commit(store: &mut Box<dyn Store>, rows: impl IntoIterator<Item = Row>) {
    store.commit(&batch(rows)).unwrap();
}

#[test]
fn a_new_store_is_empty() {
    each_store(|mut store| {
        let loaded = store.load(NOW_MS).unwrap();
        assert!(loaded.channels.is_empty() && loaded.origins.is_empty());
        assert!(loaded.outbox.is_empty() && loaded.preimages.is_empty());
        assert!(loaded.payments.is_empty() && loaded.parts.is_empty());
        assert!(loaded.invoices.is_empty() && loaded.peers.is_empty());
        assert_eq!((loaded.height, loaded.last_event, loaded.last_evidence), (0, 0, 0));
    });
}

#[test]
fn every_row_comes_back_as_it_was_written() {
    each_store(|mut store| {
        store.commit(&every_table()).unwrap();
        let loaded = store.load(NOW_MS).unwrap();
        assert_eq!(loaded.channels, [channel(1, 10), channel(2, 20)]);
        assert_eq!(
            loaded.origins,
            [
                (htlc(1, 5), Origin::Forward(htlc(2, u64::MAX))),
                (htlc(1, u64::MAX), Origin::Payment { payment_hash: hash(1), part: 3 }),
            ]
        );
        let outbox: Vec<(HtlcKey, Settlement)> =
            (1..).map(|n| htlc(2, n)).zip(every_settlement()).collect();
        assert_eq!(loaded.outbox, outbox);
        assert_eq!(loaded.payments, [payment(1, PaymentStatus::Pending)]);
        assert_eq!(loaded.parts, [part(1, 0), part(1, 1)]);
        assert_eq!(loaded.invoices, [invoice(1, PaymentStatus::Pending, NOW_MS + DAY_MS)]);
        let peers: Vec<Row> = loaded.peers.into_iter().map(Row::Peer).collect();
        assert_eq!(peers, [put_peer(1), put_peer(2)]);
        assert_eq!(loaded.height, 840_000);
        assert_eq!(loaded.last_event, every_event().len() as u64);
        assert_eq!(loaded.last_evidence, 1);

        let history = store.history().unwrap();
        let events = history.events(0, 100).unwrap();
        let kinds: Vec<_> = events.into_iter().map(|event| event.kind).collect();
        assert_eq!(kinds, every_event());
        let page = PageRequest::newest(100);
        let kept = history.evidence(None, page).unwrap().rows;
        assert_eq!(kept, [NumberedEvidence { number: 1, row: evidence(1, 1) }]);
        assert_eq!(history.evidence_row(1).unwrap().as_ref(), kept.first());
        for number in [0, 2, u64::MAX] {
            assert_eq!(history.evidence_row(number).unwrap(), None);
        }
        assert_eq!(history.forwards(page).unwrap().rows.len(), 2);
        for (n, status) in [(2, PaymentStatus::Complete), (3, PaymentStatus::Failed)] {
            let found = history.payment(&hash(n)).unwrap().unwrap();
            assert_eq!(found.payment, payment(n, status));
        }
        let paid = invoice(2, PaymentStatus::Complete, NOW_MS + DAY_MS);
        assert_eq!(history.invoice(&hash(2)).unwrap(), Some(paid));
    });
}

/// Whoever paid an invoice knows its preimage.
#[test]
fn a_paid_invoice_never_changes_and_no_keysend_replaces_an_invoice() {
    each_store(|mut store| {
        let (pending, complete) = (PaymentStatus::Pending, PaymentStatus::Complete);
        let open = invoice(1, pending, NOW_MS + DAY_MS);
        let paid = invoice(2, complete, NOW_MS + DAY_MS);
        commit(&mut store, [put_invoice(1, pending, NOW_MS + DAY_MS)]);
        commit(&mut store, [put_invoice(2, pending, NOW_MS + DAY_MS)]);
        commit(&mut store, [put_invoice(2, complete, NOW_MS + DAY_MS)]);
        for status in [pending, complete] {
            for n in [1, 2] {
                let mut keysend = invoice(n, status, NOW_MS);
                keysend.bolt11 = String::new();
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
        let complete = PaymentStatus::Complete;
        // In the batch that stores the payment, too.
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
        let of_part = |part| Origin::Payment { payment_hash: hash(1), part };
        let put = |part| Row::Origin(htlc(1, 5), of_part(part));
        commit(&mut store, [put(1)]);
        commit(&mut store, [put(2)]);
        assert_eq!(store.load(NOW_MS).unwrap().origins, [(htlc(1, 5), of_part(2))]);
    });
}

#[test]
fn deleted_rows_are_gone() {
    each_store(|mut store| {
        let all = every_table();
        store.commit(&all).unwrap();
        let mut delete = WriteBatch::default();
        all.iter().for_each(|(key, _)| delete.delete(key.clone()));
        store.commit(&delete).unwrap();
        let loaded = store.load(NOW_MS).unwrap();
        assert!(loaded.channels.is_empty() && loaded.origins.is_empty());
        assert!(loaded.outbox.is_empty() && loaded.preimages.is_empty());
        assert!(loaded.payments.is_empty() && loaded.parts.is_empty());
        assert!(loaded.invoices.is_empty() && loaded.peers.is_empty());
        assert_eq!((loaded.height, loaded.last_event, loaded.last_evidence), (0, 0, 0));
        let history = store.history().unwrap();
        assert!(history.forwards(PageRequest::newest(9)).unwrap().rows.is_empty());
        assert!(history.payment(&hash(2)).unwrap().is_none());
    });
}

#[test]
fn deleting_a_row_that_is_not_there_is_fine() {
    each_store(|mut store| {
        let mut delete = WriteBatch::default();
        delete.delete(RowKey::Outbox(htlc(1, 1)));
        store.commit(&delete).unwrap();
    });
}

#[test]
fn rows_come_ordered_by_key_whatever_the_order_of_writing() {
    each_store(|mut store| {
        for n in [5, 3, 9, 1] {
            commit(&mut store, [put_channel(n, n), put_peer(n)]);
            let origin = Origin::Forward(htlc(1, 1));
            // Ids from 2^63 on are as good as any: peers choose them.
            let keys = [htlc(4, n), htlc(4, u64::MAX - n)];
            commit(&mut store, keys.map(|key| Row::Origin(key, origin)));
        }
        let loaded = store.load(NOW_MS).unwrap();
        assert!(loaded.channels.is_sorted_by_key(|row| row.peer));
        assert!(loaded.peers.is_sorted_by_key(|row| row.peer));
        assert!(loaded.origins.is_sorted_by_key(|(key, _)| *key));
        assert_eq!(loaded.origins.len(), 8);
    });
}

#[test]
fn an_ended_payment_is_history_only() {
    each_store(|mut store| {
        commit(&mut store, [put_payment(1, PaymentStatus::Pending), put_part(1, 0)]);
        assert_eq!(store.load(NOW_MS).unwrap().parts.len(), 1);
        let (complete, ended) = (PaymentStatus::Complete, ended_part(1, 0));
        commit(&mut store, [put_payment(1, complete), put_ended_part(1, 0)]);
        let loaded = store.load(NOW_MS).unwrap();
        assert!(loaded.payments.is_empty() && loaded.parts.is_empty());
        let found = store.history().unwrap().payment(&hash(1)).unwrap().unwrap();
        assert_eq!(found.payment, payment(1, complete));
        assert_eq!(found.parts, [ended]);
    });
}

#[test]
fn a_complete_payment_is_loaded_with_its_parts_while_one_of_them_is_out() {
    each_store(|mut store| {
        let complete = PaymentStatus::Complete;
        commit(&mut store, [put_payment(1, complete), put_ended_part(1, 0), put_part(1, 1)]);
        commit(&mut store, [put_payment(2, complete), put_ended_part(2, 0), put_ended_part(2, 1)]);
        let loaded = store.load(NOW_MS).unwrap();
        assert_eq!(loaded.payments, [payment(1, complete)]);
        assert_eq!(loaded.parts, [ended_part(1, 0), part(1, 1)]);
    });
}

#[test]
fn an_invoice_is_loaded_until_a_day_after_its_expiry() {
    each_store(|mut store| {
        let pending = PaymentStatus::Pending;
        commit(
            &mut store,
            [
                put_invoice(1, pending, NOW_MS - DAY_MS - 1),
                put_invoice(2, pending, NOW_MS - DAY_MS),
                put_invoice(3, PaymentStatus::Complete, NOW_MS + DAY_MS),
                put_invoice(4, pending, i64::MAX.cast_unsigned()),
            ],
        );
        let mut loaded: Vec<_> =
            store.load(NOW_MS).unwrap().invoices.iter().map(|row| row.payment_hash).collect();
        loaded.sort();
        let mut expected = [hash(2), hash(4)];
        expected.sort();
        assert_eq!(loaded, expected);
    });
}

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
            let status = [PaymentStatus::Pending, PaymentStatus::Complete, PaymentStatus::Failed]
                [n as usize % 3];
            commit(&mut store, [put_payment(n, status)]);
            commit(&mut store, [put_invoice(n, status, NOW_MS)]);
        }
        let history = store.history().unwrap();
        let page = history.payments(Some(PaymentStatus::Failed), PageRequest::newest(2)).unwrap();
        let failed = |n| payment(n, PaymentStatus::Failed);
        assert_eq!(page.rows, [failed(8), failed(5)]);
        let rest = PageRequest { before: page.next, limit: 2 };
        let page = history.payments(Some(PaymentStatus::Failed), rest).unwrap();
        assert_eq!((page.rows, page.next), (vec![failed(2)], None));
        let page = history.invoices(Some(PaymentStatus::Complete), PageRequest::newest(9)).unwrap();
        let paid = |n| invoice(n, PaymentStatus::Complete, NOW_MS);
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
        // Written again, a forward counts once, as it is now.
        commit(&mut store, [put_forward(1, true), put_forward(2, true)]);
        let totals = history.forward_totals().unwrap();
        assert_eq!((totals.fulfilled, totals.failed, totals.fees_msat()), (3, 0, 30));
        // Deleted, it stays in the books.
        let mut delete = WriteBatch::default();
        delete.delete(RowKey::Forward(htlc(1, 1)));
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

#[test]
fn only_the_newest_events_are_kept() {
    each_store(|mut store| {
        let last = MAX_EVENTS + 500;
        let numbers: Vec<u64> = (1..=last).collect();
        for chunk in numbers.chunks(1_000) {
            commit(&mut store, chunk.iter().map(|n| put_event(*n)));
        }
        let oldest = store.history().unwrap().events(0, 1).unwrap();
        assert_eq!(oldest, [event(last - MAX_EVENTS + 1)]);
        assert_eq!(store.load(NOW_MS).unwrap().last_event, last);
    });
}

#[test]
fn of_the_failed_forwards_only_the_newest_are_kept_and_all_are_counted() {
    each_store(|mut store| {
        // One in ten is paid.
        let last = KEEP_FAILED_FORWARDS + 3_000;
        let numbers: Vec<u64> = (1..=last).collect();
        let put = |n: &u64| put_forward(*n, n.is_multiple_of(10));
        // In one commit as many as in ten, and one by one.
        let (some, others) = numbers.split_at(numbers.len() - 100);
        for chunk in some.chunks(1_000) {
            commit(&mut store, chunk.iter().map(put));
        }
        others.iter().for_each(|n| commit(&mut store, [put(n)]));
        let history = store.history().unwrap();
        let (mut rows, mut before) = (Vec::new(), None);
        loop {
            let page = history.forwards(PageRequest { before, limit: MAX_PAGE_ROWS }).unwrap();
            rows.extend(page.rows);
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        let paid = rows.iter().filter(|row| row.fulfilled).count() as u64;
        assert_eq!(paid, last / 10);
        assert_eq!(rows.len() as u64 - paid, KEEP_FAILED_FORWARDS / 10 * 9);
        let totals = history.forward_totals().unwrap();
        assert_eq!((totals.fulfilled, totals.failed), (last / 10, last - last / 10));
    });
}

#[test]
fn the_newest_preimages_are_loaded_newest_first() {
    each_store(|mut store| {
        let limit = MAX_LOADED_PREIMAGES;
        commit(&mut store, [put_preimage(0, NOW_MS)]);
        let numbers: Vec<u64> = (1..limit + 5).collect();
        for chunk in numbers.chunks(1_000) {
            commit(&mut store, chunk.iter().map(|n| put_preimage(*n, NOW_MS)));
        }
        commit(&mut store, [put_preimage(limit + 5, NOW_MS)]);
        // Learned again: among the newest again.
        commit(&mut store, [put_preimage(0, NOW_MS)]);
        let loaded = store.load(NOW_MS).unwrap().preimages;
        assert_eq!(loaded.len() as u64, limit);
        assert_eq!(loaded[..2], [preimage(0), preimage(limit + 5)]);
    });
}

#[test]
fn a_preimage_among_the_newest_outlives_any_clock() {
    each_store(|mut store| {
        commit(&mut store, [put_preimage(1, 1)]);
        commit(&mut store, [put_preimage(2, NOW_MS + 10 * PREIMAGE_KEEP_MS)]);
        assert_eq!(store.load(NOW_MS).unwrap().preimages, [preimage(2), preimage(1)]);
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
fn the_owner_of_a_database_cannot_be_overwritten() {
    assert_refused(&Row::Setting("node_id", vec![0; 33]));
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
