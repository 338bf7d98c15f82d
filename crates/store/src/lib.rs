//! Durable state in SQLite, with group commit, behind one trait.
//!
//! docs/state-format.md describes the tables, the guarantees of a commit and the recovery; this
//! crate carries them out.
//!
//! Layout
//! - [`store`]: [`Store`], the engine's single writer, and [`History`], the readers' side
//! - `rows`: the tables, one file each: columns, checks, blobs and SQL; [`TABLES`] names them
//! - `sql`: the work that every SQL database does alike: writes, loads, prunes, answers
//! - `live`: one sum over the rows that must be of one moment
//! - [`sqlite`]: both sides in one SQLite file; creation, migration, backup and verification
//! - [`memory`]: both in memory, for the simulator and for tests
//! - [`group`]: [`CommitThread`], which makes waiting batches durable together
//! - [`lock`]: [`DirLock`], one node per data directory
//! - [`codec`]: the versioned blobs inside the tables
//! - [`error`]: [`StoreError`], with a code, a sentence and a hint
//! - [`limits`]: every number this crate will not exceed
//!
//! ```
//! use steward_engine::row::{Row, Setting, WriteBatch};
//! use steward_store::{DirLock, OpenMode, Owner, SqliteStore, Store};
//! use steward_wire::NodeId;
//!
//! # fn main() -> Result<(), steward_store::StoreError> {
//! # let dir = tempfile::tempdir().unwrap();
//! let owner = Owner { network: "regtest".into(), node_id: NodeId([2; 33]) };
//! let lock = DirLock::acquire(dir.path())?;
//! let mut store = SqliteStore::open(lock, OpenMode::Create, &owner)?;
//!
//! let mut batch = WriteBatch::default();
//! batch.put(Row::Setting(Setting::Height(840_000)));
//! store.commit(&batch)?;
//! assert_eq!(store.load(0)?.height, 840_000);
//! store.close()?;
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![warn(clippy::print_stdout)]

pub mod codec;
pub mod error;
pub mod group;
pub mod limits;
mod live;
pub mod lock;
pub mod memory;
mod rows;
mod sql;
pub mod sqlite;
pub mod store;

pub use error::StoreError;
pub use group::CommitThread;
pub use lock::{DirLock, InUse};
pub use memory::MemoryStore;
pub use rows::{TABLES, table_of};
pub use sqlite::{OpenMode, SqliteStore};
pub use store::{
    Cursor, ForwardTotals, History, NumberedEvidence, Owner, Page, PageRequest, PaymentWithParts,
    Store, StoreStats, Verified,
};
