//! Every row of every table, read to see that it can be.

use steward_engine::row::Row;
use steward_hosted::Role;

use super::{Sql, last_number, rows};
use crate::error::StoreError;
use crate::rows::column::Columns;
use crate::rows::hashed::Hashed;
use crate::rows::{
    Events, Evidence, Forwards, Invoices, Payments, Preimages, Table, Visitor, Write, visit_all,
};

/// The counts of a database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Rows of all tables.
    pub(crate) rows: u64,
    /// Channels among them.
    pub(crate) channels: u64,
    /// Channels in which this node is the host.
    pub(crate) hosted: u64,
    /// The sum of counts that grow with everything the node does.
    pub(crate) history: u64,
}

/// Reads and counts every row.
///
/// # Errors
/// [`StoreError::Decode`] names a row that cannot be read, or a payment hash of two rows.
pub(crate) fn count(db: &dyn Sql) -> Result<Counts, StoreError> {
    for table in [Hashed::Payment, Hashed::Invoice] {
        let twice = rows(db, table.name(), table.twice(), &[], |c| c.hash())?;
        if let Some(hash) = twice.first() {
            let (table, key) = (table.name(), hash.to_string());
            let reason = "its payment hash has another row".to_owned();
            return Err(StoreError::Decode { table, key, reason });
        }
    }
    let mut counts = Counts::default();
    each_row(db, &mut |row| {
        counts.rows += 1;
        if let Some(Row::Channel(row)) = row {
            counts.channels += 1;
            counts.hosted += u64::from(row.role == Role::Host);
        }
    })?;
    let numbered = [
        Events::NAME,
        Evidence::NAME,
        Forwards::NAME,
        Invoices::NAME,
        Payments::NAME,
        Preimages::NAME,
    ];
    for table in numbered {
        counts.history = counts.history.saturating_add(last_number(db, table)?);
    }
    Ok(counts)
}

/// Reads every row, table by table; `None` for one that is the store's own.
pub(crate) fn each_row(db: &dyn Sql, each: &mut dyn FnMut(Option<Row>)) -> Result<(), StoreError> {
    visit_all(&mut Reader { db, each })
}

struct Reader<'a> {
    db: &'a dyn Sql,
    each: &'a mut dyn FnMut(Option<Row>),
}

impl Visitor for Reader<'_> {
    fn visit<T: Table>(&mut self) -> Result<(), StoreError> {
        self.db.ask(T::SELECT, &[], &mut |row| {
            (self.each)(T::whole(T::read(&mut Columns::new(row, T::NAME))?));
            Ok(())
        })
    }
}
