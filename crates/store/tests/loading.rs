//! The rows that a start finds. Each test runs against every store (`each_store`).

mod support;

use steward_engine::row::{InvoiceStatus, OpenInvoice, Origin, PaymentStatus, Row};
use steward_htlc::{IncomingHtlcId, Settlement};
use steward_store::limits::MAX_LOADED_PREIMAGES;
use steward_store::{NumberedEvidence, PageRequest};
use support::*;

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
        assert_eq!(loaded.channels, channels([1, 2], |n| 10 * n));
        assert_eq!(
            loaded.origins,
            [
                (outgoing(1, 5), Origin::Forward(incoming(2, u64::MAX))),
                (outgoing(1, u64::MAX), Origin::Payment { payment: hash(1).into(), part: 3 }),
            ]
        );
        let outbox: Vec<(IncomingHtlcId, Settlement)> =
            (1..).map(|n| incoming(2, n)).zip(every_settlement()).collect();
        assert_eq!(loaded.outbox, outbox);
        assert_eq!(loaded.payments, [payment(1, PaymentStatus::Pending)]);
        assert_eq!(loaded.parts, [part(1, 0), part(1, 1)]);
        let open = OpenInvoice::of(&invoice(1, InvoiceStatus::Open, NOW_MS + DAY_MS));
        assert_eq!(loaded.invoices, open.as_slice());
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
        let paid = invoice(2, InvoiceStatus::Paid, NOW_MS + DAY_MS);
        assert_eq!(history.invoice(&hash(2)).unwrap(), Some(paid));
    });
}

#[test]
fn rows_come_ordered_by_key_whatever_the_order_of_writing() {
    each_store(|mut store| {
        for n in [5, 3, 9, 1] {
            commit(&mut store, [put_channel(n, n), put_peer(n)]);
            let origin = Origin::Forward(incoming(1, 1));
            // Ids from 2^63 on are as good as any: peers choose them.
            let keys = [outgoing(4, n), outgoing(4, u64::MAX - n)];
            commit(&mut store, keys.map(|key| Row::Origin(key, origin)));
        }
        let loaded = store.load(NOW_MS).unwrap();
        assert!(loaded.channels.is_sorted_by_key(|row| row.link));
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

/// A payment of unknown outcome ends only with its preimage, which may come after any start.
#[test]
fn a_payment_whose_end_is_not_known_is_loaded_with_its_parts() {
    each_store(|mut store| {
        commit(&mut store, [put_payment(1, PaymentStatus::Unknown), put_ended_part(1, 0)]);
        let loaded = store.load(NOW_MS).unwrap();
        assert_eq!(loaded.payments, [payment(1, PaymentStatus::Unknown)]);
        assert_eq!(loaded.parts, [ended_part(1, 0)]);
        commit(&mut store, [put_payment(1, PaymentStatus::Complete)]);
        assert!(store.load(NOW_MS).unwrap().payments.is_empty());
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
        let open = InvoiceStatus::Open;
        commit(
            &mut store,
            [
                put_invoice(1, open, NOW_MS - DAY_MS - 1),
                put_invoice(2, open, NOW_MS - DAY_MS),
                put_invoice(3, InvoiceStatus::Paid, NOW_MS + DAY_MS),
                put_invoice(4, open, i64::MAX.cast_unsigned()),
            ],
        );
        let mut loaded: Vec<_> =
            store.load(NOW_MS).unwrap().invoices.iter().map(|row| row.preimage.hash()).collect();
        loaded.sort();
        let mut expected = [hash(2), hash(4)];
        expected.sort();
        assert_eq!(loaded, expected);
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
        // A preimage learned again is among the newest again.
        commit(&mut store, [put_preimage(0, NOW_MS)]);
        let loaded = store.load(NOW_MS).unwrap().preimages;
        assert_eq!(loaded.len() as u64, limit);
        assert_eq!(loaded[..2], [preimage(0), preimage(limit + 5)]);
    });
}
