//! The tables and their versions: the steps by which a database of any released version becomes one
//! of today's.

use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use steward_wire::{LinkId, NodeId};

use super::sum_of_v4;
use crate::error::StoreError;

/// `PRAGMA application_id` of our databases: "Stwd".
pub(crate) const APPLICATION_ID: i32 = i32::from_be_bytes(*b"Stwd");

/// A version and the statements that lead to it from the one before.
type Migration = (u32, &'static str);

/// The steps go forward only; an entry never changes once released.
const MIGRATIONS: &[Migration] = &[
    (1, include_str!("v1.sql")),
    (2, include_str!("v2.sql")),
    (3, include_str!("v3.sql")),
    (4, include_str!("v4.sql")),
    (5, include_str!("v5.sql")),
];

/// The version this program writes, in `PRAGMA user_version`.
pub const SCHEMA_VERSION: u32 = MIGRATIONS.len() as u32;

/// Brings the database to [`SCHEMA_VERSION`], in one transaction.
pub(crate) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    apply(connection, MIGRATIONS)
}

/// Returns the database's version.
pub(crate) fn version(connection: &Connection) -> Result<u32, StoreError> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

fn apply(connection: &mut Connection, migrations: &[Migration]) -> Result<(), StoreError> {
    let found = version(connection)?;
    if migrations.iter().all(|(to, _)| *to <= found) {
        return Ok(());
    }
    provide_functions(connection)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for (to, sql) in migrations.iter().filter(|(to, _)| *to > found) {
        before(*to, &transaction)?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "user_version", to)?;
    }
    transaction.commit()?;
    tracing::info!(from = found, "the database was migrated");
    Ok(())
}

/// Checks, before the step to this version, the conditions that cannot be checked after it.
fn before(to: u32, db: &Transaction<'_>) -> Result<(), StoreError> {
    match to {
        5 => sum_of_v4::check(db),
        _ => Ok(()),
    }
}

/// Provides the functions that the steps call and SQLite does not have.
fn provide_functions(connection: &Connection) -> Result<(), StoreError> {
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_DIRECTONLY;
    connection.create_scalar_function("hosted_link", 2, flags, |arguments| {
        let (a, b) = (NodeId(arguments.get(0)?), NodeId(arguments.get(1)?));
        Ok(LinkId::hosted(&a, &b).0)
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_count_up_from_one() {
        let versions: Vec<u32> = MIGRATIONS.iter().map(|(to, _)| *to).collect();
        assert_eq!(versions, (1..=SCHEMA_VERSION).collect::<Vec<_>>());
    }

    #[test]
    fn an_older_database_takes_only_the_steps_it_lacks() {
        let mut connection = Connection::open_in_memory().unwrap();
        let first = (1, "CREATE TABLE one (x INTEGER) STRICT");
        let second = (2, "ALTER TABLE one ADD COLUMN y INTEGER");
        apply(&mut connection, &[first]).unwrap();
        apply(&mut connection, &[first, second]).unwrap();
        apply(&mut connection, &[first, second]).unwrap();
        assert_eq!(version(&connection).unwrap(), 2);
        connection.execute_batch("INSERT INTO one (x, y) VALUES (1, 2)").unwrap();
    }

    #[test]
    fn a_failing_migration_leaves_the_older_version() {
        let mut connection = Connection::open_in_memory().unwrap();
        let first = (1, "CREATE TABLE one (x INTEGER) STRICT");
        apply(&mut connection, &[first]).unwrap();
        let broken = (2, "CREATE TABLE two (x INTEGER) STRICT; CREATE TABLE one (x INTEGER)");
        apply(&mut connection, &[first, broken]).unwrap_err();
        assert_eq!(version(&connection).unwrap(), 1);
        connection.execute_batch("CREATE TABLE two (x INTEGER) STRICT").unwrap();
    }
}
