//! Databases of every released version. A fixture is the dump of a database as its version wrote
//! it; once released it never changes.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::types::ValueRef;
use steward_store::sqlite::SCHEMA_VERSION;
use steward_store::{OpenMode, Store, StoreError};
use support::*;

fn fixture(version: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/v{version}.sql"))
}

/// Makes the database that a fixture describes.
fn restore(version: u32) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let sql = fs::read_to_string(fixture(version)).unwrap();
    Connection::open(dir.path().join("steward.db")).unwrap().execute_batch(&sql).unwrap();
    dir
}

/// Counts the rows of a fixture, with those that today's version keeps of its own.
fn rows_of(version: u32) -> u64 {
    let sql = fs::read_to_string(fixture(version)).unwrap();
    // The totals are not a row of the engine's.
    let is_row = |line: &&str| {
        line.starts_with("INSERT INTO ") && !line.starts_with("INSERT INTO forward_total")
    };
    let rows = sql.lines().filter(is_row).count() as u64;
    rows + u64::from(!sql.contains("'live_rows'"))
}

#[test]
fn a_database_of_every_released_version_opens_with_all_it_held() {
    for version in 1..=SCHEMA_VERSION {
        let dir = restore(version);
        let mut store = try_open(dir.path(), OpenMode::Existing).unwrap();
        let loaded = store.load(NOW_MS).unwrap();
        assert_eq!(loaded.channels, channels([1, 2], |n| 10 * n), "version {version}");
        assert_eq!(loaded.origins.len(), 2);
        assert_eq!(loaded.outbox.len(), every_settlement().len());
        assert_eq!(loaded.height, 840_000);
        let verified = verify(store.path()).unwrap();
        assert_eq!(verified.schema_version, SCHEMA_VERSION);
        assert_eq!(verified.rows, rows_of(version));
        store.commit(&batch([put_channel(3, 1), put_forward(9, true)])).unwrap();
    }
}

/// A database that a copy tore apart is not made to fit by the step to version 5, whose rows are
/// others.
#[test]
fn rows_of_several_moments_are_refused_before_they_are_migrated() {
    for version in [3, 4] {
        for change in [
            "DELETE FROM peer",
            "DELETE FROM htlc_origin WHERE htlc_id = 5",
            "UPDATE outbox SET htlc_id = 77 WHERE htlc_id = 1",
            "UPDATE channel SET local_balance_msat = local_balance_msat + 1",
            "UPDATE payment SET amount_msat = amount_msat + 1 WHERE status = 1",
            "DELETE FROM payment_part WHERE status = 1",
        ] {
            let torn = restore(version);
            with_sql(torn.path(), change);
            let refused = try_open(torn.path(), OpenMode::Existing).err();
            assert_eq!(refused, Some(StoreError::Torn), "version {version}: {change}");
            let db = Connection::open(torn.path().join("steward.db")).unwrap();
            let found: u32 = db.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
            assert_eq!(found, version);
            assert_eq!(files_like(torn.path(), ".schema-"), 0);
        }
    }
}

/// The first commit after a migration stores a sum over the rows as they are now.
#[test]
fn a_migrated_database_keeps_a_sum_again() {
    for version in 1..SCHEMA_VERSION {
        let dir = restore(version);
        let mut store = try_open(dir.path(), OpenMode::Existing).unwrap();
        store.load(NOW_MS).unwrap();
        store.commit(&batch([put_event(1_000)])).unwrap();
        store.close().unwrap();
        drop(store);
        try_open(dir.path(), OpenMode::Existing).unwrap().load(NOW_MS).unwrap();
        with_sql(dir.path(), "DELETE FROM peer");
        let mut store = try_open(dir.path(), OpenMode::Existing).unwrap();
        assert_eq!(store.load(NOW_MS).err(), Some(StoreError::Torn), "version {version}");
    }
}

/// The copy is the only way back.
#[test]
fn a_database_is_copied_before_it_is_migrated() {
    for version in 1..SCHEMA_VERSION {
        let dir = restore(version);
        let copy = dir.path().join(format!("steward.db.schema-{version}"));
        for _ in 0..2 {
            let mut store = try_open(dir.path(), OpenMode::Existing).unwrap();
            store.load(NOW_MS).unwrap();
            store.close().unwrap();
        }
        let all = |path: &Path| dump_of(&Connection::open(path).unwrap(), version);
        assert_eq!(all(&copy), all(&restore(version).path().join("steward.db")));
        assert_eq!(files_like(dir.path(), ".schema-"), 1, "one start migrates it");
    }
}

/// An older program than the one that wrote a database names the copy that it can use.
#[test]
fn a_database_that_is_too_new_is_refused_with_the_name_of_the_copy() {
    let dir = restore(SCHEMA_VERSION);
    with_sql(dir.path(), &format!("PRAGMA user_version = {}", SCHEMA_VERSION + 1));
    let refused = try_open(dir.path(), OpenMode::Existing).unwrap_err().to_string();
    assert!(refused.contains(&format!("steward.db.schema-{SCHEMA_VERSION}")), "{refused}");
}

fn files_like(dir: &Path, part: &str) -> usize {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_str().unwrap().contains(part)).count()
}

/// A schema that changes without a new version shows here.
#[test]
fn a_new_database_has_the_schema_of_the_newest_fixture() {
    let schema = |dir: &Path| -> Vec<String> {
        let connection = Connection::open(dir.join("steward.db")).unwrap();
        let sql = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name";
        let mut statement = connection.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let new = tempfile::tempdir().unwrap();
    open(new.path()).close().unwrap();
    assert_eq!(schema(new.path()), schema(restore(SCHEMA_VERSION).path()));
}

/// Run once for each new version, before it is released: `cargo test -p steward-store --test
/// migration -- --ignored`.
#[test]
#[ignore = "writes the fixture of the newest version, if it is missing"]
fn write_the_fixture_of_the_newest_version() {
    let path = fixture(SCHEMA_VERSION);
    assert!(!path.exists(), "{} was released; it never changes", path.display());
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    store.commit(&every_table()).unwrap();
    store.close().unwrap();
    fs::write(path, dump_of(&Connection::open(store.path()).unwrap(), SCHEMA_VERSION)).unwrap();
}

/// Dumps tables, rows, then indexes and triggers: triggers must not run again.
fn dump_of(db: &Connection, version: u32) -> String {
    let application_id: i32 =
        db.pragma_query_value(None, "application_id", |row| row.get(0)).unwrap();
    let mut out =
        format!("PRAGMA application_id = {application_id};\nPRAGMA user_version = {version};\n");
    let objects = |filter: &str| -> Vec<(String, String)> {
        let sql = format!(
            "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND {filter} ORDER BY name"
        );
        let mut statement = db.prepare(&sql).unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    };
    for (table, sql) in objects("type = 'table'") {
        out += &format!("{sql};\n");
        let mut statement = db.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let values: Vec<String> =
                (0..columns).map(|i| literal(row.get_ref(i).unwrap())).collect();
            out += &format!("INSERT INTO {table} VALUES ({});\n", values.join(", "));
        }
    }
    objects("type <> 'table'").into_iter().for_each(|(_, sql)| out += &format!("{sql};\n"));
    out
}

fn literal(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(_) => panic!("no table holds a float"),
        ValueRef::Text(text) => {
            format!("'{}'", std::str::from_utf8(text).unwrap().replace('\'', "''"))
        }
        ValueRef::Blob(bytes) => {
            format!("X'{}'", bytes.iter().map(|b| format!("{b:02x}")).collect::<String>())
        }
    }
}
