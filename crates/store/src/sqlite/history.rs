//! Questions about the past, on read-only connections of their own: they never wait for the
//! writer, nor it for them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use rusqlite::Connection;
use steward_engine::Event;
use steward_engine::row::{ForwardRow, InvoiceRow, InvoiceStatus, PaymentRow, PaymentStatus, Row};
use steward_wire::{NodeId, PaymentHash};

use super::backup::{backup, verify};
use super::open;
use crate::error::StoreError;
use crate::limits::MAX_READER_CONNECTIONS;
use crate::sql::count::each_row;
use crate::sql::numbers::Numbers;
use crate::sql::questions;
use crate::store::{
    ForwardTotals, History, NumberedEvidence, Page, PageRequest, PaymentWithParts, Verified,
};

/// The readers' side of a [`SqliteStore`](super::SqliteStore): a few connections, each used by
/// one question at a time.
#[derive(Debug)]
pub struct SqliteHistory {
    path: PathBuf,
    pool: Mutex<Pool>,
    returned: Condvar,
    numbers: Arc<Numbers>,
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
    /// Fails as [`History::verify`], without its checks of pages and rows.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::beside(path, Arc::default())
    }

    /// Reads the database at `path` beside its writer, which shares what it knows of hashes.
    pub(crate) fn beside(path: &Path, numbers: Arc<Numbers>) -> Result<Self, StoreError> {
        let connection = open::reader(path)?;
        open::identify(&connection, path)?;
        let pool = Pool { idle: vec![connection], open: 1 };
        let (path, pool) = (path.to_owned(), Mutex::new(pool));
        Ok(Self { path, pool, returned: Condvar::new(), numbers })
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
}

impl History for SqliteHistory {
    fn payments(
        &self,
        status: Option<PaymentStatus>,
        page: PageRequest,
    ) -> Result<Page<PaymentRow>, StoreError> {
        self.ask(|db| questions::payments(db, status, page))
    }

    fn payment(&self, hash: &PaymentHash) -> Result<Option<PaymentWithParts>, StoreError> {
        self.ask(|db| questions::payment(&*db.unchecked_transaction()?, &self.numbers, hash))
    }

    fn paid(&self, hash: &PaymentHash) -> Result<Option<PaymentRow>, StoreError> {
        self.ask(|db| questions::paid(&*db.unchecked_transaction()?, &self.numbers, hash))
    }

    fn invoices(
        &self,
        status: Option<InvoiceStatus>,
        page: PageRequest,
    ) -> Result<Page<InvoiceRow>, StoreError> {
        self.ask(|db| questions::invoices(db, status, page))
    }

    fn invoice(&self, hash: &PaymentHash) -> Result<Option<InvoiceRow>, StoreError> {
        self.ask(|db| questions::invoice(&*db.unchecked_transaction()?, &self.numbers, hash))
    }

    fn forwards(&self, page: PageRequest) -> Result<Page<ForwardRow>, StoreError> {
        self.ask(|db| questions::forwards(db, page))
    }

    fn forward_totals(&self) -> Result<ForwardTotals, StoreError> {
        self.ask(|db| questions::forward_totals(db))
    }

    fn events(&self, after: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        self.ask(|db| questions::events(db, after, limit))
    }

    fn evidence(
        &self,
        peer: Option<&NodeId>,
        page: PageRequest,
    ) -> Result<Page<NumberedEvidence>, StoreError> {
        self.ask(|db| questions::evidence(db, peer, page))
    }

    fn evidence_row(&self, number: u64) -> Result<Option<NumberedEvidence>, StoreError> {
        self.ask(|db| questions::evidence_row(db, number))
    }

    fn rows(&self, each: &mut dyn FnMut(Row)) -> Result<(), StoreError> {
        self.ask(|db| {
            let moment = db.unchecked_transaction()?;
            each_row(&*moment, &mut |row| row.into_iter().for_each(&mut *each))
        })
    }

    fn verify(&self) -> Result<Verified, StoreError> {
        verify(&self.path)
    }

    fn backup(&self, to: &Path) -> Result<Verified, StoreError> {
        backup(&self.path, to)
    }
}
