//! The two sides of a store: [`Store`] writes what the engine says and loads it at start,
//! [`History`] answers people's questions meanwhile, and copies it. No implementation here.

use std::path::Path;
use std::sync::Arc;

use steward_engine::Event;
use steward_engine::row::{
    EvidenceRow, ForwardRow, InvoiceRow, InvoiceStatus, PartRow, PaymentRow, PaymentStatus, Row,
    StoredState, WriteBatch,
};
use steward_wire::{NodeId, PaymentHash};

use crate::error::StoreError;

/// The engine's single writer.
///
/// A commit is atomic and durable: when it returns, all of the batch survives a crash, and a
/// crash before that leaves all or nothing of it. After an error the store refuses every further
/// write: memory has run ahead of the disk, the node must stop and start from what is stored.
pub trait Store: Send {
    /// What the engine needs to go on. `now_ms` (unix, milliseconds) decides which invoices have
    /// expired too long ago.
    ///
    /// Channels, origins, outbox and peers come ordered by key, payments and invoices oldest
    /// first, preimages newest first.
    ///
    /// # Errors
    /// [`StoreError::Decode`] names the first row that cannot be read; [`StoreError::Torn`] if the
    /// rows are not those of one moment.
    fn load(&mut self, now_ms: u64) -> Result<StoredState, StoreError>;

    /// Makes a batch durable. An empty batch costs nothing.
    ///
    /// # Errors
    /// Any error is final: see the trait.
    fn commit(&mut self, batch: &WriteBatch) -> Result<(), StoreError>;

    /// Work that may take longer than a commit, such as a checkpoint. To be called after the
    /// effects of a commit are released.
    ///
    /// # Errors
    /// Any error is final: see the trait.
    fn maintain(&mut self) -> Result<(), StoreError>;

    /// Ends the store cleanly, with a last checkpoint; it accepts no writes afterwards. Without
    /// it, nothing is lost, but the next start has a log to read.
    ///
    /// # Errors
    /// As for [`Store::maintain`].
    fn close(&mut self) -> Result<(), StoreError>;

    /// What it did since it was opened.
    fn stats(&self) -> StoreStats;

    /// The readers' side; sees each commit as soon as it is durable.
    ///
    /// # Errors
    /// If the store cannot be opened for reading.
    fn history(&self) -> Result<Arc<dyn History>, StoreError>;
}

/// What a store did since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Commits of batches that were not empty.
    pub commits: u64,
    /// Rows written or removed by them.
    pub rows: u64,
    /// Calls that wait for the disk, by commits and checkpoints (docs/state-format.md, "What a
    /// commit costs").
    pub fsyncs: u64,
    /// Bytes written to the log by commits.
    pub log_bytes: u64,
    /// Checkpoints that moved something from the log into the database.
    pub checkpoints: u64,
}

/// Questions about the past, newest first unless said otherwise, and copies of it all. Safe to call from many threads;
/// a call blocks on the disk, so not from an async task.
pub trait History: Send + Sync {
    /// Payments out, optionally of one status.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn payments(
        &self,
        status: Option<PaymentStatus>,
        page: PageRequest,
    ) -> Result<Page<PaymentRow>, StoreError>;

    /// One payment out with all its parts.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn payment(&self, hash: &PaymentHash) -> Result<Option<PaymentWithParts>, StoreError>;

    /// A payment out, if it is complete: asked before every payment, so it must be cheap.
    ///
    /// # Errors
    /// As for [`History::payments`].
    fn paid(&self, hash: &PaymentHash) -> Result<Option<PaymentRow>, StoreError>;

    /// Invoices, optionally of one status; expired ones are still pending.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn invoices(
        &self,
        status: Option<InvoiceStatus>,
        page: PageRequest,
    ) -> Result<Page<InvoiceRow>, StoreError>;

    /// One invoice.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn invoice(&self, hash: &PaymentHash) -> Result<Option<InvoiceRow>, StoreError>;

    /// Forwards that ended.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn forwards(&self, page: PageRequest) -> Result<Page<ForwardRow>, StoreError>;

    /// Sums over all forwards ever recorded.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn forward_totals(&self) -> Result<ForwardTotals, StoreError>;

    /// Events with a number above `after`, oldest first: what a subscriber has missed.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn events(&self, after: u64, limit: usize) -> Result<Vec<Event>, StoreError>;

    /// One piece of evidence.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn evidence_row(&self, number: u64) -> Result<Option<NumberedEvidence>, StoreError>;

    /// Evidence, optionally about one peer.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn evidence(
        &self,
        peer: Option<&NodeId>,
        page: PageRequest,
    ) -> Result<Page<NumberedEvidence>, StoreError>;

    /// Shows every row of the engine's, table by table: all that another store needs to take over.
    ///
    /// # Errors
    /// [`StoreError::Decode`] names the first row that cannot be read.
    fn rows(&self, each: &mut dyn FnMut(Row)) -> Result<(), StoreError>;

    /// Checks that all is whole: the pages, every row of every table, and that the live rows are
    /// of one moment. Changes nothing; works while the store is in use.
    ///
    /// # Errors
    /// The first thing that is wrong.
    fn verify(&self) -> Result<Verified, StoreError>;

    /// Copies one moment of the store to the new file `to`: complete, verified, private to its
    /// owner. The writer goes on meanwhile.
    ///
    /// # Errors
    /// [`StoreError::AlreadyExists`] if `to` exists; [`StoreError::Io`] if the store has no files;
    /// else what makes the store unreadable, `to` unwritable or the copy fail [`History::verify`].
    /// No half copy is left under the name `to`.
    fn backup(&self, to: &Path) -> Result<Verified, StoreError>;
}

/// To whom a database belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The network's name, such as `mainnet` or `regtest`.
    pub network: String,
    /// The node's id.
    pub node_id: NodeId,
}

/// What [`History::verify`] read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Whose database it is.
    pub owner: Owner,
    /// Its schema version.
    pub schema_version: u32,
    /// Rows read, over all tables.
    pub rows: u64,
    /// Channels among them.
    pub channels: u64,
    /// Channels in which this node is the host.
    pub hosted: u64,
    /// Grows with everything the node does: of two copies of one database the newer has more.
    pub history: u64,
}

/// A place in a list, from [`Page::next`]; stays valid while rows are added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor(pub u64);

/// Which part of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// Only rows older than this; `None`: from the newest.
    pub before: Option<Cursor>,
    /// Most rows, up to [`MAX_PAGE_ROWS`](crate::limits::MAX_PAGE_ROWS).
    pub limit: usize,
}

impl PageRequest {
    /// The newest rows.
    pub fn newest(limit: usize) -> Self {
        Self { before: None, limit }
    }
}

/// Part of a list, newest row first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Where the next page starts; `None` at the end of the list.
    pub next: Option<Cursor>,
}

/// A row of `evidence`, with its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberedEvidence {
    /// Given by the engine.
    pub number: u64,
    /// The row.
    pub row: EvidenceRow,
}

/// A payment out with all its parts, by part number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentWithParts {
    /// The payment.
    pub payment: PaymentRow,
    /// Every HTLC tried for it.
    pub parts: Vec<PartRow>,
}

/// Sums over all forwards ever recorded; they stay when old forwards are deleted. Amounts stop
/// counting at 2^63 - 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ForwardTotals {
    /// Forwards that were paid.
    pub fulfilled: u64,
    /// Forwards that failed.
    pub failed: u64,
    /// What came in with the paid ones, in millisatoshi.
    pub amount_in_msat: u64,
    /// What went out with the paid ones, in millisatoshi.
    pub amount_out_msat: u64,
}

impl ForwardTotals {
    /// What the node earned, in millisatoshi.
    pub fn fees_msat(&self) -> u64 {
        self.amount_in_msat.saturating_sub(self.amount_out_msat)
    }
}
