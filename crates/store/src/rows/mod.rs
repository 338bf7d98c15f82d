//! The tables, one file each: the columns of its rows, their checks, blobs and SQL.
//!
//! The SQL is what SQLite and PostgreSQL have in common; a backend runs it (`sql`), and knows no
//! table by its name. To add a table: a variant of [`Row`] and [`RowKey`], a file here, and a line in
//! the list below.

mod blob;
pub(crate) mod channel;
pub(crate) mod column;
pub(crate) mod event;
pub(crate) mod evidence;
pub(crate) mod forward;
pub(crate) mod hashed;
pub(crate) mod invoice;
pub(crate) mod origin;
pub(crate) mod outbox;
pub(crate) mod part;
pub(crate) mod payment;
pub(crate) mod peer;
pub(crate) mod preimage;
pub(crate) mod setting;
mod status;

use steward_engine::row::{Row, RowKey};
use steward_wire::limits::MAX_MSAT;

pub use blob::{VERSION, VERSION_WITH_LINK};
pub(crate) use channel::Channels;
pub(crate) use event::Events;
pub(crate) use evidence::Evidence;
pub(crate) use forward::Forwards;
pub(crate) use invoice::{InvoiceFailures, InvoicePayments, Invoices, SELECT_OPEN, read_open};
pub(crate) use origin::Origins;
pub(crate) use outbox::Outbox;
pub(crate) use part::Parts;
pub(crate) use payment::Payments;
pub(crate) use payment::is_open;
pub(crate) use peer::Peers;
pub(crate) use preimage::Preimages;
pub(crate) use setting::Settings;
pub(crate) use status::{invoice_status_code, status_code};

use crate::error::StoreError;
use column::{Columns, Value};
use hashed::ByHash;

/// Columns are signed: numbers that are compared or added, and the engine's own counters, must
/// stay below this.
const MAX_INTEGER: u64 = MAX_MSAT;

/// A kind of row that can be written to a table.
pub(crate) trait Write {
    /// The table's name.
    const NAME: &'static str;
    /// Writes a row, over one with the same key.
    const PUT: &'static str;
    /// Removes the row with a key; `None`: such rows are kept for good.
    const DELETE: Option<&'static str>;
    /// The message if [`Self::PUT`] leaves a row out; `None`: it may change nothing.
    const REFUSAL: Option<&'static str> = None;

    /// A row as a batch holds it.
    type Put<'a>: Copy;
    /// The key of a row.
    type Key: Copy;

    /// Returns the values of [`Self::PUT`], but for the number of [`Self::by_hash`].
    fn values(row: Self::Put<'_>) -> Vec<Value<'_>>;

    /// Returns the values of [`Self::DELETE`], but for that number.
    fn key(key: Self::Key) -> Vec<Value<'static>>;

    /// Returns the numbers in a row that must stay below 2^63.
    fn numbers(_row: Self::Put<'_>) -> Vec<u64> {
        Vec::new()
    }

    /// Returns the key's text, for people.
    fn name(key: Self::Key) -> String;

    /// Returns the row's place among the live rows, if the table has such rows.
    fn live_id(_key: Self::Key) -> Option<LiveId> {
        None
    }

    /// Returns the row whose number is the last value of a write, if it is found by a hash.
    fn by_hash(_key: Self::Key) -> Option<ByHash> {
        None
    }

    /// Returns the row's part of the sum of the live rows; `None`: it is not live.
    fn live_content(_row: Self::Put<'_>) -> Option<Vec<u8>> {
        None
    }
}

/// A table whose rows can be read.
pub(crate) trait Table: Write {
    /// The row as it is read.
    type Read;
    /// Finds the columns of [`Self::read`]; conditions and order may follow.
    const SELECT: &'static str;

    /// Reads a row that [`Self::SELECT`] found.
    fn read(columns: &mut Columns<'_>) -> Result<Self::Read, StoreError>;

    /// Returns the row as a batch would hold it; `None` if it is the store's own.
    fn whole(row: Self::Read) -> Option<Row>;
}

/// A function that runs over all tables.
pub(crate) trait Visitor {
    fn visit<T: Table>(&mut self) -> Result<(), StoreError>;
}

/// A statement, with the values of its `?1`, `?2` and so on.
#[derive(Debug)]
pub(crate) struct Statement<'a> {
    pub(crate) sql: &'static str,
    pub(crate) values: Vec<Value<'a>>,
    /// The message if no row changes.
    pub(crate) refusal: Option<&'static str>,
}

/// A live row by its whole key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LiveId {
    /// The number that stands for the table.
    pub(crate) table: u8,
    /// The name of a channel, a node or a payment, zeros behind it.
    pub(crate) id: [u8; 33],
    /// The number of an HTLC or a part.
    pub(crate) number: u64,
}

impl LiveId {
    pub(crate) fn new(table: u8, id: &[u8], number: u64) -> Self {
        let mut row = Self { table, id: [0; 33], number };
        row.id.iter_mut().zip(id).for_each(|(to, from)| *to = *from);
        row
    }
}

macro_rules! tables {
    (
        tables { $($table:ident: $row:pat => $put:expr, $key:pat => $by:expr;)* }
        parts_of_rows { $($part:ident: $part_row:pat => $part_put:expr,
            $part_key:pat => $part_by:expr;)* }
    ) => {
        /// The names of all tables that hold rows of the engine's.
        pub const TABLES: &[&str] = &[$(<$table as Write>::NAME),*];

        /// Lets the visitor see each table.
        pub(crate) fn visit_all(visitor: &mut impl Visitor) -> Result<(), StoreError> {
            $(visitor.visit::<$table>()?;)*
            Ok(())
        }

        /// Returns the statement that writes a row.
        pub(crate) fn put(row: &Row) -> Statement<'_> {
            match row {
                $($row => put_into::<$table>($put),)*
                $($part_row => put_into::<$part>($part_put),)*
            }
        }

        /// Returns the statement that removes a row.
        pub(crate) fn delete(key: &RowKey) -> Option<Statement<'static>> {
            match key {
                $($key => delete_from::<$table>($by),)*
                $($part_key => delete_from::<$part>($part_by),)*
            }
        }

        /// Returns the name of a row's table.
        pub fn table_of(key: &RowKey) -> &'static str {
            #[expect(unused_variables, reason = "the patterns name the keys for other functions")]
            match key {
                $($key => <$table as Write>::NAME,)*
                $($part_key => <$part as Write>::NAME,)*
            }
        }

        /// Returns the message about a row that a store refuses to hold; empty if it takes any.
        pub(crate) fn refusal(key: &RowKey) -> &'static str {
            #[expect(unused_variables, reason = "the patterns name the keys for other functions")]
            match key {
                $($key => <$table as Write>::REFUSAL.unwrap_or_default(),)*
                $($part_key => <$part as Write>::REFUSAL.unwrap_or_default(),)*
            }
        }

        fn key_text(key: &RowKey) -> String {
            match key {
                $($key => <$table as Write>::name($by),)*
                $($part_key => <$part as Write>::name($part_by),)*
            }
        }

        fn numbers(row: &Row) -> Vec<u64> {
            match row {
                $($row => <$table as Write>::numbers($put),)*
                $($part_row => <$part as Write>::numbers($part_put),)*
            }
        }

        /// Returns the row's place among the live rows, if its table has such rows.
        pub(crate) fn live_id(key: &RowKey) -> Option<LiveId> {
            match key {
                $($key => <$table as Write>::live_id($by),)*
                $($part_key => <$part as Write>::live_id($part_by),)*
            }
        }

        /// Returns the row whose number is the last value of a write, if it is found by a hash.
        pub(crate) fn by_hash(key: &RowKey) -> Option<ByHash> {
            match key {
                $($key => <$table as Write>::by_hash($by),)*
                $($part_key => <$part as Write>::by_hash($part_by),)*
            }
        }

        /// Returns the row's part of the sum of the live rows; `None`: it is not live.
        pub(crate) fn live_content(row: &Row) -> Option<Vec<u8>> {
            match row {
                $($row => <$table as Write>::live_content($put),)*
                $($part_row => <$part as Write>::live_content($part_put),)*
            }
        }
    };
}

tables! {
    tables {
        Channels: Row::Channel(row) => row, RowKey::Channel(link) => *link;
        Origins: Row::Origin(htlc, origin) => (htlc, origin), RowKey::Origin(htlc) => *htlc;
        Outbox: Row::Outbox(htlc, settlement) => (htlc, settlement), RowKey::Outbox(htlc) => *htlc;
        Preimages: Row::Preimage { preimage, learned_ms } => (preimage, *learned_ms),
            RowKey::Preimage(hash) => *hash;
        Payments: Row::Payment(row) => row, RowKey::Payment(payment) => *payment;
        Parts: Row::Part(row) => row, RowKey::Part(payment, part) => (*payment, *part);
        Invoices: Row::Invoice(row) => row, RowKey::Invoice(hash) => *hash;
        Forwards: Row::Forward(row) => row, RowKey::Forward(htlc) => *htlc;
        Evidence: Row::Evidence(number, row) => (*number, row), RowKey::Evidence(number) => *number;
        Events: Row::Event(event) => event, RowKey::Event(number) => *number;
        Peers: Row::Peer(row) => row, RowKey::Peer(peer, identity) => (*peer, *identity);
        Settings: Row::Setting(setting) => setting, RowKey::Setting(name) => *name;
    }
    parts_of_rows {
        InvoicePayments: Row::InvoicePaid { received_msat, paid_ms, .. } =>
            (*received_msat, *paid_ms),
            RowKey::InvoicePaid(hash) => *hash;
        InvoiceFailures: Row::InvoiceFailure { code, message, .. } =>
            (code.as_str(), message.as_str()),
            RowKey::InvoiceFailure(hash) => *hash;
    }
}

fn put_into<T: Write>(row: T::Put<'_>) -> Statement<'_> {
    Statement { sql: T::PUT, values: T::values(row), refusal: T::REFUSAL }
}

fn delete_from<T: Write>(key: T::Key) -> Option<Statement<'static>> {
    Some(Statement { sql: T::DELETE?, values: T::key(key), refusal: None })
}

/// Refuses a write that does not fit; `None` deletes the row. The engine has checked its writes
/// before: a refusal is a bug, and better found before it is on disk.
pub(crate) fn check(key: &RowKey, row: Option<&Row>) -> Result<(), StoreError> {
    match row {
        Some(row) if numbers(row).iter().any(|number| *number >= MAX_INTEGER) => {
            Err(bad_row(key, "a number is 2^63 or more"))
        }
        None if delete(key).is_none() => Err(bad_row(key, "such rows are kept for good")),
        _ => Ok(()),
    }
}

/// Returns the error that names the refused row.
pub(crate) fn bad_row(key: &RowKey, reason: &'static str) -> StoreError {
    StoreError::BadRow { table: table_of(key), key: key_text(key), reason }
}
