//! The work that every SQL database does alike: a batch into tables, tables into the state that a
//! start needs, and questions about the past. A backend runs the statements.
//!
//! - `write`, `prune`: a batch into tables
//! - `numbers`: rows that are found by a hash
//! - `load`: tables into a [`StoredState`](steward_engine::row::StoredState)
//! - `questions`: the past, for [`History`](crate::History)
//! - `count`: every row of every table, to see that each can be read

pub(crate) mod count;
pub(crate) mod load;
pub(crate) mod numbers;
pub(crate) mod prune;
pub(crate) mod questions;
pub(crate) mod write;

use crate::error::StoreError;
use crate::rows::Table;
use crate::rows::column::{Columns, Fields, Value};

/// A connection to a database. Values are numbered in the SQL from `?1` on.
pub(crate) trait Sql {
    /// Runs a statement that writes, and returns how many rows it changed.
    fn run(&self, sql: &str, values: &[Value<'_>]) -> Result<usize, StoreError>;

    /// Runs a query and shows each row that it finds.
    fn ask(
        &self,
        sql: &str,
        values: &[Value<'_>],
        each: &mut dyn FnMut(&dyn Fields) -> Result<(), StoreError>,
    ) -> Result<(), StoreError>;
}

/// Reads the rows of a table, whose query goes on with `rest`.
fn select<T: Table>(
    db: &dyn Sql,
    rest: &str,
    values: &[Value<'_>],
) -> Result<Vec<T::Read>, StoreError> {
    rows(db, T::NAME, &format!("{} {rest}", T::SELECT), values, T::read)
}

/// Collects the results of `read` over the rows of a query.
fn rows<R>(
    db: &dyn Sql,
    table: &'static str,
    sql: &str,
    values: &[Value<'_>],
    read: impl Fn(&mut Columns<'_>) -> Result<R, StoreError>,
) -> Result<Vec<R>, StoreError> {
    let mut rows = Vec::new();
    db.ask(sql, values, &mut |row| {
        rows.push(read(&mut Columns::new(row, table))?);
        Ok(())
    })?;
    Ok(rows)
}

/// Returns the highest number in a table whose rows are numbered; 0 if it is empty.
fn last_number(db: &dyn Sql, table: &'static str) -> Result<u64, StoreError> {
    let sql = format!("SELECT coalesce(max(number), 0) FROM {table}");
    let numbers = rows(db, table, &sql, &[], |c| c.number())?;
    Ok(numbers.first().copied().unwrap_or(0))
}
