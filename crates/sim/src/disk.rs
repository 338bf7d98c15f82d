//! A node's disk: what is durable, what is not yet, and what a crash leaves of it.

use std::collections::BTreeMap;

use steward_engine::row::{InvoiceStatus, Row, RowKey, StoredState, WriteBatch};
use steward_hosted::Channel;
use steward_store::{MemoryStore, Store};
use steward_wire::LinkId;

/// The durable rows, as the store keeps them and as the oracles read them.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    store: MemoryStore,
    rows: BTreeMap<RowKey, Row>,
    channels: BTreeMap<LinkId, Channel>,
    /// Commits so far.
    pub commits: u64,
}

impl Disk {
    /// Makes one batch durable. Returns the channels it changed, as they were.
    ///
    /// # Errors
    /// The store's objection to the batch.
    pub(crate) fn commit(
        &mut self,
        writes: &WriteBatch,
    ) -> Result<Vec<(LinkId, Option<Channel>)>, String> {
        self.store.commit(writes).map_err(|error| error.to_string())?;
        self.commits += 1;
        let mut changed = Vec::new();
        for (key, row) in writes.iter() {
            if let RowKey::Channel(link) = key {
                changed.push((*link, self.put_channel(*link, row)?));
            }
            match row {
                Some(Row::InvoicePaid { payment_hash, received_msat, paid_ms }) => {
                    let found = self.rows.get_mut(&RowKey::Invoice(*payment_hash));
                    let Some(Row::Invoice(row)) = found else { continue };
                    row.status = InvoiceStatus::Paid;
                    row.received_msat = *received_msat;
                    row.paid_ms = Some(*paid_ms);
                    None
                }
                Some(row) => self.rows.insert(key.clone(), row.clone()),
                None => self.rows.remove(key),
            };
        }
        Ok(changed)
    }

    fn put_channel(&mut self, link: LinkId, row: Option<&Row>) -> Result<Option<Channel>, String> {
        let Some(Row::Channel(row)) = row else { return Ok(self.channels.remove(&link)) };
        let channel = Channel::from_record(&row.record).map_err(|error| error.to_string())?;
        Ok(self.channels.insert(link, channel))
    }

    /// Returns the rows from which an engine starts.
    ///
    /// # Errors
    /// The store's message.
    pub(crate) fn load(&mut self, now_ms: u64) -> Result<StoredState, String> {
        self.store.load(now_ms).map_err(|error| error.to_string())
    }

    /// One row.
    pub(crate) fn row(&self, key: &RowKey) -> Option<&Row> {
        self.rows.get(key)
    }

    /// All rows.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.values()
    }

    /// A channel as it would be after a restart.
    pub(crate) fn channel(&self, link: &LinkId) -> Option<&Channel> {
        self.channels.get(link)
    }

    /// All channels.
    pub(crate) fn channels(&self) -> impl Iterator<Item = (&LinkId, &Channel)> {
        self.channels.iter()
    }

    /// A copy, as somebody makes it who copies the files.
    pub(crate) fn copy(&self) -> Self {
        let mut copy = Self::default();
        let mut batch = WriteBatch::default();
        self.rows.values().for_each(|row| batch.put(row.clone()));
        copy.commit(&batch).expect("what was stored once can be stored again");
        copy
    }
}
