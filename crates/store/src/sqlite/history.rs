//! Questions about the past, on read-only connections of their own: they never wait for the
//! writer, nor it for them.

use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, PoisonError};

use rusqlite::{Connection, Row, params};
use steward_engine::io::Event;
use steward_engine::row::{ForwardRow, InvoiceRow, PaymentRow, PaymentStatus};
use steward_wire::{NodeId, PaymentHash};

use super::columns::{self, Columns};
use super::load::rows;
use super::open;
use crate::error::StoreError;
use crate::limits::{MAX_PAGE_ROWS, MAX_READER_CONNECTIONS};
use crate::store::{
    Cursor, ForwardTotals, History, NumberedEvidence, Page, PageRequest, PaymentWithParts,
};

/// The readers' side of a [`SqliteStore`](super::SqliteStore): a few connections, each used by
/// one question at a time.
#[derive(Debug)]
pub struct SqliteHistory {
    path: PathBuf,
    pool: Mutex<Pool>,
    returned: Condvar,
}

#[derive(Debug)]
struct Pool {
    idle: Vec<Connection>,
    open: usize,
}

impl SqliteHistory {
    /// Reads the database at `path`, in this process or another one than its writer's.
    ///
    /// # Errors
    /// As for [`verify`](super::verify), without its checks of pages and rows.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let connection = open::reader(path)?;
        open::identify(&connection, path)?;
        let pool = Pool { idle: vec![connection], open: 1 };
        Ok(Self { path: path.to_owned(), pool: Mutex::new(pool), returned: Condvar::new() })
    }

    /// Lends a connection to `ask`. One that failed is not used again.
    fn ask<T>(
        &self,
        ask: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let connection = self.take()?;
        let answer = ask(&connection);
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        match answer {
            Ok(_) => pool.idle.push(connection),
            Err(_) => pool.open -= 1,
        }
        self.returned.notify_one();
        answer
    }

    fn take(&self) -> Result<Connection, StoreError> {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(connection) = pool.idle.pop() {
                return Ok(connection);
            }
            if pool.open < MAX_READER_CONNECTIONS {
                let connection = open::reader(&self.path)?;
                pool.open += 1;
                return Ok(connection);
            }
            pool = self.returned.wait(pool).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A page of `select`, whose last column is `number`, restricted by `filter` on `?3`.
    fn page<T>(
        &self,
        (select, number_column): (&str, usize),
        filter: Option<(&str, &dyn rusqlite::ToSql)>,
        page: PageRequest,
        read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Page<T>, StoreError> {
        let limit = page.limit.min(MAX_PAGE_ROWS);
        let before = page.before.map_or(i64::MAX, |before| before.0.cast_signed());
        let one_more = limit as i64 + 1;
        let filtered = filter.map_or(String::new(), |(column, _)| format!("AND {column} = ?3"));
        let sql = format!("{select} WHERE number < ?1 {filtered} ORDER BY number DESC LIMIT ?2");
        let read = |row: &Row<'_>| Ok((read(row)?, row.get::<_, i64>(number_column)?));
        let mut found = self.ask(|db| match filter {
            Some((_, value)) => rows(db, &sql, params![before, one_more, value], read),
            None => rows(db, &sql, params![before, one_more], read),
        })?;
        let more = found.len() > limit;
        found.truncate(limit);
        let last = found.last().filter(|_| more).map(|(_, number)| number.cast_unsigned());
        Ok(Page { rows: found.into_iter().map(|(row, _)| row).collect(), next: last.map(Cursor) })
    }
}

impl History for SqliteHistory {
    fn payments(
        &self,
        status: Option<PaymentStatus>,
        page: PageRequest,
    ) -> Result<Page<PaymentRow>, StoreError> {
        let status = status.map(columns::status_column);
        let filter = status.as_ref().map(|status| ("status", status as &dyn rusqlite::ToSql));
        self.page((columns::PAYMENT, 12), filter, page, columns::payment)
    }

    fn payment(&self, hash: &PaymentHash) -> Result<Option<PaymentWithParts>, StoreError> {
        let payment = format!("{} WHERE payment_hash = ?1", columns::PAYMENT);
        let parts = format!("{} WHERE payment_hash = ?1 ORDER BY part", columns::PART);
        self.ask(|db| {
            let moment = db.unchecked_transaction()?;
            let payments = rows(&moment, &payment, [hash.0], columns::payment)?;
            let parts = rows(&moment, &parts, [hash.0], columns::part)?;
            Ok(payments.into_iter().next().map(|payment| PaymentWithParts { payment, parts }))
        })
    }

    fn paid(&self, hash: &PaymentHash) -> Result<Option<PaymentRow>, StoreError> {
        let sql = format!("{} WHERE payment_hash = ?1", columns::PAYMENT);
        let found = self.ask(|db| rows(db, &sql, [hash.0], columns::payment))?;
        Ok(found.into_iter().find(|row| row.status == PaymentStatus::Complete))
    }

    fn invoices(
        &self,
        status: Option<PaymentStatus>,
        page: PageRequest,
    ) -> Result<Page<InvoiceRow>, StoreError> {
        let status = status.map(columns::status_column);
        let filter = status.as_ref().map(|status| ("status", status as &dyn rusqlite::ToSql));
        self.page((columns::INVOICE, 13), filter, page, columns::invoice)
    }

    fn invoice(&self, hash: &PaymentHash) -> Result<Option<InvoiceRow>, StoreError> {
        let sql = format!("{} WHERE payment_hash = ?1", columns::INVOICE);
        let found = self.ask(|db| rows(db, &sql, [hash.0], columns::invoice))?;
        Ok(found.into_iter().next())
    }

    fn forwards(&self, page: PageRequest) -> Result<Page<ForwardRow>, StoreError> {
        self.page((columns::FORWARD, 7), None, page, columns::forward)
    }

    fn forward_totals(&self) -> Result<ForwardTotals, StoreError> {
        let sql = "SELECT fulfilled, failed, amount_in_msat, amount_out_msat FROM forward_total";
        let read = |row: &Row<'_>| {
            let mut c = Columns::new(row, "forward_total");
            Ok(ForwardTotals {
                fulfilled: c.number()?,
                failed: c.number()?,
                amount_in_msat: c.number()?,
                amount_out_msat: c.number()?,
            })
        };
        let found = self.ask(|db| rows(db, sql, [], read))?;
        Ok(found.first().copied().unwrap_or_default())
    }

    fn events(&self, after: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        let sql = format!("{} WHERE number > ?1 ORDER BY number LIMIT ?2", columns::EVENT);
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        let limit = limit.min(MAX_PAGE_ROWS) as i64;
        self.ask(|db| rows(db, &sql, params![after, limit], columns::event))
    }

    fn evidence(
        &self,
        peer: Option<&NodeId>,
        page: PageRequest,
    ) -> Result<Page<NumberedEvidence>, StoreError> {
        let filter = peer.map(|peer| ("peer", &peer.0 as &dyn rusqlite::ToSql));
        self.page((columns::EVIDENCE, 6), filter, page, numbered_evidence)
    }

    fn evidence_row(&self, number: u64) -> Result<Option<NumberedEvidence>, StoreError> {
        let Ok(number) = i64::try_from(number) else { return Ok(None) };
        let sql = format!("{} WHERE number = ?1", columns::EVIDENCE);
        let found = self.ask(|db| rows(db, &sql, [number], numbered_evidence))?;
        Ok(found.into_iter().next())
    }
}

fn numbered_evidence(row: &Row<'_>) -> Result<NumberedEvidence, StoreError> {
    let number = Columns::new(row, "evidence").number()?;
    Ok(NumberedEvidence { number, row: columns::evidence(row)? })
}
