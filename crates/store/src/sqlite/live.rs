//! One sum over all rows that something hangs on: kept up in each commit, taken anew at each
//! start. Files copied while a checkpoint runs may fit together page by page and still hold rows
//! of two moments; these do not add up (docs/state-format.md, "The sum of the live rows").

use std::collections::HashMap;

use bitcoin::hashes::siphash24;
use rusqlite::Connection;
use steward_engine::row::{
    ChannelRow, HtlcKey, Origin, PartRow, PaymentRow, PaymentStatus, PeerRow, RowKey, Settlement,
    Snapshot, Write, WriteBatch,
};
use steward_wire::codec::put_var_bigsize;
use steward_wire::{NodeId, PaymentHash};

use super::open;
use crate::check::LIVE_ROWS;
use crate::codec;
use crate::error::StoreError;

/// Which table a mark is of.
#[derive(Clone, Copy)]
enum Table {
    Channel = 1,
    Origin = 2,
    Outbox = 3,
    Payment = 4,
    Part = 5,
    Peer = 6,
}

/// What is live: channels, origins, outbox, peers, and payments and parts that are pending.
#[derive(Debug, Default)]
pub(crate) struct LiveRows {
    /// For the mark of each row's key, the mark of the whole row.
    marks: HashMap<u64, u64>,
    sum: u64,
    is_stored: bool,
}

impl LiveRows {
    /// Those of a snapshot, whose rows must be those of the last commit.
    pub(crate) fn of(snapshot: &Snapshot, db: &Connection) -> Result<Self, StoreError> {
        let mut live = Self::sum_up(snapshot);
        let stored = open::setting(db, LIVE_ROWS)?;
        // Empty: the last commit was of a version that kept no sum.
        live.is_stored = !stored.is_empty();
        if live.is_stored && stored != live.setting() {
            return Err(StoreError::Torn);
        }
        Ok(live)
    }

    fn sum_up(snapshot: &Snapshot) -> Self {
        let mut live = Self::default();
        snapshot.channels.iter().for_each(|row| live.set(channel(row)));
        snapshot.origins.iter().for_each(|(key, row)| live.set(origin(key, row)));
        snapshot.outbox.iter().for_each(|(key, row)| live.set(outbox(key, row)));
        snapshot.payments.iter().for_each(|row| live.set(payment(row)));
        snapshot.parts.iter().for_each(|row| live.set(part(row)));
        snapshot.peers.iter().for_each(|row| live.set(peer(row)));
        live
    }

    /// Follows a batch. True if the sum must be stored with it.
    pub(crate) fn follow(&mut self, batch: &WriteBatch) -> bool {
        let before = self.setting();
        let marks = batch.iter().filter_map(|(key, write)| mark(key, write));
        marks.for_each(|mark| self.set(mark));
        let was_stored = std::mem::replace(&mut self.is_stored, true);
        !was_stored || self.setting() != before
    }

    /// What the setting holds: how many rows, and their sum.
    pub(crate) fn setting(&self) -> [u8; 16] {
        (u128::from(self.marks.len() as u64) << 64 | u128::from(self.sum)).to_be_bytes()
    }

    fn set(&mut self, Mark { key, row }: Mark) {
        let before = match row {
            Some(row) => self.marks.insert(key, row),
            None => self.marks.remove(&key),
        };
        self.sum = self.sum.wrapping_sub(before.unwrap_or(0)).wrapping_add(row.unwrap_or(0));
    }
}

/// One row, or that it is not live.
#[derive(Clone, Copy)]
struct Mark {
    key: u64,
    row: Option<u64>,
}

/// A table, a key and, behind them, the rest of the row.
struct Bytes {
    bytes: Vec<u8>,
    key_len: usize,
}

impl Bytes {
    fn new(table: Table, keys: &[&[u8]]) -> Self {
        let mut bytes = vec![table as u8];
        keys.iter().for_each(|key| bytes.extend_from_slice(key));
        Self { key_len: bytes.len(), bytes }
    }

    fn fixed(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    fn var(mut self, bytes: &[u8]) -> Self {
        put_var_bigsize(&mut self.bytes, bytes);
        self
    }

    fn numbers(self, numbers: &[u64]) -> Self {
        numbers.iter().fold(self, |bytes, number| bytes.fixed(&number.to_be_bytes()))
    }

    fn live(&self) -> Mark {
        Mark { row: Some(mark_of(&self.bytes)), ..self.gone() }
    }

    fn gone(&self) -> Mark {
        Mark { key: mark_of(self.bytes.get(..self.key_len).unwrap_or_default()), row: None }
    }

    fn live_if(&self, is_live: bool) -> Mark {
        if is_live { self.live() } else { self.gone() }
    }
}

/// It need not withstand anybody: whoever can write the file can write the sum.
fn mark_of(bytes: &[u8]) -> u64 {
    siphash24::Hash::hash_with_keys(0, 0, bytes).as_u64()
}

fn mark(key: &RowKey, write: &Write) -> Option<Mark> {
    Some(match (key, write) {
        (_, Write::Channel(row)) => channel(row),
        (RowKey::Origin(key), Write::Origin(row)) => origin(key, row),
        (RowKey::Outbox(key), Write::Outbox(row)) => outbox(key, row),
        (_, Write::Payment(row)) => payment(row),
        (_, Write::Part(row)) => part(row),
        (_, Write::Peer(row)) => peer(row),
        (RowKey::Channel(peer), _) => by_node(Table::Channel, peer).gone(),
        (RowKey::Origin(key), _) => by_htlc(Table::Origin, key).gone(),
        (RowKey::Outbox(key), _) => by_htlc(Table::Outbox, key).gone(),
        (RowKey::Payment(hash), _) => Bytes::new(Table::Payment, &[&hash.0]).gone(),
        (RowKey::Part(hash, part), _) => by_part(hash, *part).gone(),
        (RowKey::Peer(peer), _) => by_node(Table::Peer, peer).gone(),
        _ => return None,
    })
}

fn by_node(table: Table, node: &NodeId) -> Bytes {
    Bytes::new(table, &[&node.0])
}

fn by_htlc(table: Table, key: &HtlcKey) -> Bytes {
    Bytes::new(table, &[&key.peer.0, &key.id.to_be_bytes()])
}

fn by_part(hash: &PaymentHash, part: u32) -> Bytes {
    Bytes::new(Table::Part, &[&hash.0, &part.to_be_bytes()])
}

fn channel(row: &ChannelRow) -> Mark {
    by_node(Table::Channel, &row.peer)
        .fixed(&[codec::role_code(row.role), codec::phase_code(row.phase)])
        .numbers(&[row.short_channel_id.0, row.local_balance_msat, row.remote_balance_msat])
        .fixed(&row.record)
        .live()
}

fn origin(key: &HtlcKey, origin: &Origin) -> Mark {
    by_htlc(Table::Origin, key).fixed(&codec::encode_origin(origin)).live()
}

fn outbox(key: &HtlcKey, settlement: &Settlement) -> Mark {
    by_htlc(Table::Outbox, key).fixed(&codec::encode_settlement(settlement)).live()
}

/// Pending: it has no preimage and no end yet.
fn payment(row: &PaymentRow) -> Mark {
    Bytes::new(Table::Payment, &[&row.payment_hash.0])
        .fixed(&row.destination.0)
        .numbers(&[row.amount_msat, row.fee_msat, row.max_fee_msat, row.created_ms])
        .var(row.bolt11.as_bytes())
        .var(row.failure.as_ref().map_or("", |(code, _)| code).as_bytes())
        .live_if(row.status == PaymentStatus::Pending)
}

fn part(row: &PartRow) -> Mark {
    by_part(&row.payment_hash, row.part)
        .fixed(&row.peer.0)
        .numbers(&[row.amount_msat, row.fee_msat])
        .fixed(&row.session_key)
        .fixed(&codec::encode_path(&row.path))
        .live_if(row.status == PaymentStatus::Pending)
}

fn peer(row: &PeerRow) -> Mark {
    by_node(Table::Peer, &row.peer)
        .fixed(&[u8::from(row.is_host)])
        .fixed(&codec::encode_addresses(&row.addresses))
        .fixed(&[row.framing.map_or(0, codec::framing_code)])
        .live()
}
