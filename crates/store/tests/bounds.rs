//! The tables that stay bounded, and the rows that are never pruned. Each test runs against every
//! store (`each_store`).

mod support;

use steward_store::PageRequest;
use steward_store::limits::{
    EVENTS_PRUNED_AT_ONCE, KEEP_FAILED_FORWARDS, MAX_EVENTS, MAX_PAGE_ROWS, PREIMAGE_KEEP_MS,
};
use support::*;

#[test]
fn only_the_newest_events_are_kept() {
    each_store(|mut store| {
        let last = MAX_EVENTS + 3 * EVENTS_PRUNED_AT_ONCE - 1;
        let numbers: Vec<u64> = (1..=last).collect();
        for chunk in numbers.chunks(1_000) {
            commit(&mut store, chunk.iter().map(|n| put_event(*n)));
        }
        let oldest = store.history().unwrap().events(0, 1).unwrap();
        assert_eq!(oldest, [event(2 * EVENTS_PRUNED_AT_ONCE + 1)]);
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
        // The same number goes in one commit, in ten, and one by one.
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
fn a_preimage_among_the_newest_outlives_any_clock() {
    each_store(|mut store| {
        commit(&mut store, [put_preimage(1, 1)]);
        commit(&mut store, [put_preimage(2, NOW_MS + 10 * PREIMAGE_KEEP_MS)]);
        assert_eq!(store.load(NOW_MS).unwrap().preimages, [preimage(2), preimage(1)]);
    });
}
