//! The two sides of a store: [`Store`] writes the engine's batches and loads its state at start,
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
    /// Loads the state that the engine needs to go on. `now_ms` decides which invoices have expired
    /// too long ago (unix time in milliseconds).
    ///
    /// Channels, origins, outbox and peers come ordered by key, payments oldest
    /// first, preimages newest first.
    ///
    /// # Errors
    /// [`StoreError::Decode`] names the first row that cannot be read; [`StoreError::Torn`] if the
    /// rows are not those of one moment.
    fn load(&mut self, now_ms: u64) -> Result<StoredState, StoreError>;

    /// Makes a batch durable. An empty batch costs nothing.
    ///
    /// # Errors
    /// Fails with an error that is final: see the trait.
    fn commit(&mut self, batch: &WriteBatch) -> Result<(), StoreError>;

    /// Does work that may take longer than a commit, such as a checkpoint. To be called after the
    /// effects of a commit are released.
    ///
    /// # Errors
    /// Fails with an error that is final: see the trait.
    fn maintain(&mut self) -> Result<(), StoreError>;

    /// Ends the store cleanly, with a last checkpoint; it accepts no writes afterwards. Without
    /// it, nothing is lost, but the next start has a log to read.
    ///
    /// # Errors
    /// Fails as [`Store::maintain`].
    fn close(&mut self) -> Result<(), StoreError>;

    /// Returns the counters since it was opened.
    fn stats(&self) -> StoreStats;

    /// Returns the readers' side, which sees each commit as soon as it is durable.
    ///
    /// # Errors
    /// Fails if the store cannot be opened for reading.
    fn history(&self) -> Result<Arc<dyn History>, StoreError>;
}

/// The counters of a store since it was opened.
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
    /// Lists our payments, optionally of one status.
    ///
    /// # Errors
    /// Fails if the store cannot be read.
    fn payments(
        &self,
        status: Option<PaymentStatus>,
        page: PageRequest,
    ) -> Result<Page<PaymentRow>, StoreError>;

    /// Returns one of our payments with all its parts.
    ///
    /// # Errors
    /// Fails if the store cannot be read.
    fn payment(&self, hash: &PaymentHash) -> Result<Option<PaymentWithParts>, StoreError>;

    /// Returns one of our payments, if it is complete: asked before every payment, so it must be
    /// cheap.
    ///
    /// # Errors
    /// Fails as [`History::payments`].
    fn paid(&self, hash: &PaymentHash) -> Result<Option<PaymentRow>, StoreError>;

    /// Lists our invoices, optionally of one status; expired ones are still pending.
    ///
    /// # Errors
    /// Fails if the store cannot be read.
    fn invoices(
        &self,
        status: Option<InvoiceStatus>,
        page: PageRequest,
    ) -> Result<Page<InvoiceRow>, StoreError>;

    /// Returns one invoice.
    ///
    /// # Errors
    /// Fails if the store cannot be read.
    fn invoice(&self, hash: &PaymentHash) -> Result<Option<InvoiceRow>, StoreError>;

    /// Lists the forwards that ended.
    ///
    /// # Errors
    /// Fails if the store cannot be read.
    fn forwards(&self, page: PageRequest) -> Result<Page<ForwardRow>, StoreError>;

    /// Returns the sums over all forwards ever recorded.
    ///
    /// # Errors
    /// Fails if the store cannot be read.
    fn forward_totals(&self) -> Result<ForwardTotals, StoreError>;

    /// Lists the events with a number above `after`, oldest first, for a subscriber that missed
    /// them.
    ///
    /// # Errors
    /// Fails if the store cannot be read.
    fn events(&self, after: u64, limit: usize) -> Result<Vec<Event>, StoreError>;

    /// Returns one piece of evidence.
    ///
    /// # Errors
    /// Fails if the store cannot be read.
    fn evidence_row(&self, number: u64) -> Result<Option<NumberedEvidence>, StoreError>;

    /// Lists the evidence, optionally about one peer.
    ///
    /// # Errors
    /// Fails if the store cannot be read.
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
    /// Fails with the first fault that is found.
    fn verify(&self) -> Result<Verified, StoreError>;

    /// Copies one moment of the store to the new file `to`: complete, verified, private to its
    /// owner. The writer goes on meanwhile.
    ///
    /// # Errors
    /// Fails with [`StoreError::AlreadyExists`] if `to` exists; [`StoreError::Io`] if the store has
    /// no files; else if the store is unreadable, `to` unwritable or the copy fails
    /// [`History::verify`]. No half copy is left under the name `to`.
    fn backup(&self, to: &Path) -> Result<Verified, StoreError>;
}

/// The owner of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The network's name, such as `mainnet` or `regtest`.
    pub network: String,
    /// The node's id.
    pub node_id: NodeId,
}

/// The result of [`History::verify`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The owner of the database.
    pub owner: Owner,
    /// Its schema version.
    pub schema_version: u32,
    /// Rows read, over all tables.
    pub rows: u64,
    /// Channels among them.
    pub channels: u64,
    /// Channels in which this node is the host.
    pub hosted: u64,
    /// The sum of counts that grow with everything the node does: of two copies of one database the
    /// newer has more.
    pub history: u64,
}

/// A place in a list, from [`Page::next`]; stays valid while rows are added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor(pub u64);

/// A choice of a part of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// Only rows older than this; `None`: from the newest.
    pub before: Option<Cursor>,
    /// Most rows, up to [`MAX_PAGE_ROWS`](crate::limits::MAX_PAGE_ROWS).
    pub limit: usize,
}

impl PageRequest {
    /// Asks for the newest rows.
    pub fn newest(limit: usize) -> Self {
        Self { before: None, limit }
    }
}

/// Part of a list, newest row first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// The start of the next page; `None` at the end of the list.
    pub next: Option<Cursor>,
}

/// A row of `evidence`, with its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberedEvidence {
    /// The number that the engine gave.
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
    /// The sum of the incoming amounts of the paid ones, in millisatoshi.
    pub amount_in_msat: u64,
    /// The sum of the outgoing amounts of the paid ones, in millisatoshi.
    pub amount_out_msat: u64,
}

impl ForwardTotals {
    /// Returns the fees that the node earned, in millisatoshi.
    pub fn fees_msat(&self) -> u64 {
        self.amount_in_msat.saturating_sub(self.amount_out_msat)
    }
}
