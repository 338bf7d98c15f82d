//! Every table of the one list, against every store (`each_store`): a table without a sample row, or
//! one whose rows do not come back, fails here.

mod support;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use steward_engine::row::{Row, RowKey, WriteBatch};
use steward_store::{History, StoreError, TABLES};
use support::*;

type Rows = BTreeMap<RowKey, Row>;

/// Returns the rows of a store. A preimage's later row counts: there may be several.
fn stored(history: &dyn History) -> Rows {
    let mut rows = Rows::new();
    let mut insert = |row: Row| {
        let may_repeat = matches!(row, Row::Preimage { .. });
        assert!(rows.insert(row.key(), row).is_none() || may_repeat, "a key twice");
    };
    history.rows(&mut insert).unwrap();
    rows
}

/// Returns the sample rows of each table.
fn samples() -> BTreeMap<&'static str, Vec<Row>> {
    let mut samples = BTreeMap::<_, Vec<Row>>::new();
    for row in every_table().puts() {
        samples.entry(steward_store::table_of(&row.key())).or_default().push(row.clone());
    }
    samples
}

#[test]
fn each_table_has_sample_rows() {
    let tables: BTreeSet<&str> = TABLES.iter().copied().collect();
    assert_eq!(samples().into_keys().collect::<BTreeSet<_>>(), tables);
    assert_eq!(tables.len(), TABLES.len());
}

/// Returns the row without which this one is refused.
fn needed_by(row: &Row) -> Option<Row> {
    let Row::Part(part) = row else { return None };
    every_table().puts().find(|row| row.key() == RowKey::Payment(part.payment)).cloned()
}

#[test]
fn the_rows_of_each_table_come_back_alone_and_go_unless_they_are_kept_for_good() {
    for (table, rows) in samples() {
        for row in &rows {
            each_store(|mut store| {
                let history = store.history().unwrap();
                let needed = needed_by(row);
                commit(&mut store, needed.clone().into_iter().chain([row.clone()]));
                let mut expected: Rows =
                    needed.into_iter().chain([row.clone()]).map(|row| (row.key(), row)).collect();
                assert_eq!(stored(history.as_ref()), expected, "{table}");
                let mut delete = WriteBatch::default();
                delete.delete(row.key());
                match store.commit(&delete) {
                    Ok(()) => drop(expected.remove(&row.key())),
                    Err(error) => {
                        assert_eq!(table, "payment");
                        assert!(matches!(error, StoreError::BadRow { .. }), "{error:?}");
                    }
                }
                assert_eq!(stored(history.as_ref()), expected, "{table}");
            });
        }
    }
}

#[test]
fn a_part_without_its_payment_is_refused() {
    each_store(|mut store| {
        let error = store.commit(&batch([put_height(1), put_part(1, 0)])).unwrap_err();
        assert!(matches!(error, StoreError::BadRow { .. }), "{error:?}");
        assert_eq!(stored(store.history().unwrap().as_ref()), Rows::new());
    });
}

#[test]
fn what_is_stored_is_all_that_another_store_needs() {
    each_store(|mut store| {
        store.commit(&every_table()).unwrap();
        let mut moved = WriteBatch::default();
        store.history().unwrap().rows(&mut |row| moved.put(row)).unwrap();
        assert_eq!(moved, every_table());
        let all = store.load(NOW_MS).unwrap();
        each_store(|mut other| {
            other.commit(&moved).unwrap();
            let taken = other.load(NOW_MS).unwrap();
            assert_eq!(format!("{taken:?}"), format!("{all:?}"));
        });
    });
}

#[test]
fn what_is_verified_is_counted() {
    each_store(|mut store| {
        store.commit(&every_table()).unwrap();
        let verified = store.history().unwrap().verify().unwrap();
        assert_eq!((verified.channels, verified.hosted), (2, 1));
        assert!(verified.rows >= every_table().len() as u64);
        let before = verified.history;
        commit(&mut store, [put_event(1_000)]);
        assert!(store.history().unwrap().verify().unwrap().history > before);
    });
}

/// Makes some of the sample rows, and which of them go.
fn some_rows() -> impl Strategy<Value = Vec<(Row, bool)>> {
    let rows: Vec<Row> = every_table().puts().cloned().collect();
    prop::collection::vec((prop::sample::select(rows), any::<bool>()), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn every_store_holds_what_was_put_and_not_deleted(
        batches in prop::collection::vec(some_rows(), 1..8)
    ) {
        each_store(|mut store| {
            let (mut expected, mut numbered) = (Rows::new(), BTreeSet::new());
            for rows in &batches {
                let mut batch = WriteBatch::default();
                for (row, goes) in rows {
                    let is_numbered = matches!(row, Row::Event(_) | Row::Evidence(..));
                    if *goes && !matches!(row, Row::Payment(_)) {
                        batch.delete(row.key());
                        expected.remove(&row.key());
                    } else if !is_numbered || numbered.insert(row.key()) {
                        for row in needed_by(row).into_iter() {
                            batch.put(row.clone());
                            expected.insert(row.key(), row);
                        }
                        batch.put(row.clone());
                        expected.insert(row.key(), row.clone());
                    }
                }
                store.commit(&batch).unwrap();
            }
            assert_eq!(stored(store.history().unwrap().as_ref()), expected);
        });
    }
}
