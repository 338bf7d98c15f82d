//! One sum over all rows that something hangs on: kept up in each commit, taken anew at each
//! start. Files copied while a checkpoint runs may fit together page by page and still hold rows
//! of two moments; these do not add up (docs/state-format.md, "The sum of the live rows").
//!
//! Peers choose much of what is in these rows, their ids above all. So a row is found by its whole
//! key, never by a digest of it, and the marks that are added up have a key that no peer knows.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use bitcoin::hashes::siphash24;
use rusqlite::Connection;
use steward_engine::row::{
    ChannelRow, HtlcKey, Origin, PartRow, PaymentRow, PaymentStatus, PeerRow, Row, RowKey,
    Settlement, StoredState, WriteBatch,
};
use steward_wire::codec::put_var_bigsize;
use steward_wire::{NodeId, PaymentHash};

use super::open;
use crate::check::LIVE_ROWS;
use crate::codec;
use crate::error::StoreError;

/// Which table a mark is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Table {
    Channel = 1,
    Origin = 2,
    Outbox = 3,
    Payment = 4,
    Part = 5,
    Peer = 6,
}

/// What is live: channels, origins, outbox, peers, and payments and parts that are pending.
#[derive(Debug)]
pub(crate) struct LiveRows {
    key: MarkKey,
    /// The mark of each row. The map's own hash has a key made anew by each process.
    marks: HashMap<RowId, u64>,
    sum: u64,
    is_stored: bool,
}

/// A row by its whole key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct RowId {
    table: Table,
    /// A node id or a payment hash, zeros behind it.
    id: [u8; 33],
    /// Of an HTLC or a part.
    number: u64,
}

/// What the marks of one database are made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct MarkKey([u8; 16]);

impl MarkKey {
    /// Of databases of versions that knew no other.
    const NONE: Self = Self([0; 16]);

    fn random() -> Self {
        // What keys the standard library's maps is random and never leaves the process.
        let half = || RandomState::new().hash_one(0u8).to_be_bytes();
        let mut key = [0; 16];
        let (front, back) = key.split_at_mut(8);
        front.copy_from_slice(&half());
        back.copy_from_slice(&half());
        Self(key)
    }

    fn mark(&self, row: &Bytes) -> u64 {
        let [k0, k1] = [0, 8].map(|at| {
            let half = self.0.get(at..at + 8).and_then(|half| half.try_into().ok());
            u64::from_be_bytes(half.unwrap_or_default())
        });
        siphash24::Hash::hash_with_keys(k0, k1, &row.bytes).as_u64()
    }
}

impl LiveRows {
    /// Those of a snapshot, whose rows must be those of the last commit.
    pub(crate) fn of(snapshot: &StoredState, db: &Connection) -> Result<Self, StoreError> {
        let stored = open::setting(db, LIVE_ROWS)?;
        if let Some((key, _)) = stored.split_first_chunk::<16>()
            && stored.len() == SETTING_BYTES
        {
            let live = Self { is_stored: true, ..Self::sum_up(snapshot, MarkKey(*key)) };
            return if stored == live.setting() { Ok(live) } else { Err(StoreError::Torn) };
        }
        // Empty: the last commit was of a version that kept no sum. Otherwise it was of one whose
        // marks had no key; it gets one with the next commit.
        let keyless = || Self::sum_up(snapshot, MarkKey::NONE).count_and_sum();
        if stored.is_empty() || stored == keyless() {
            return Ok(Self::sum_up(snapshot, MarkKey::random()));
        }
        Err(StoreError::Torn)
    }

    fn sum_up(snapshot: &StoredState, key: MarkKey) -> Self {
        let mut live = Self { key, marks: HashMap::new(), sum: 0, is_stored: false };
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
        let before = self.count_and_sum();
        let changes = batch.iter().filter_map(change);
        changes.for_each(|change| self.set(change));
        let was_stored = std::mem::replace(&mut self.is_stored, true);
        !was_stored || self.count_and_sum() != before
    }

    /// What the setting holds: the key, how many rows, and the sum of their marks.
    pub(crate) fn setting(&self) -> [u8; SETTING_BYTES] {
        let mut setting = [0; SETTING_BYTES];
        let (key, rest) = setting.split_at_mut(self.key.0.len());
        key.copy_from_slice(&self.key.0);
        rest.copy_from_slice(&self.count_and_sum());
        setting
    }

    fn count_and_sum(&self) -> [u8; 16] {
        (u128::from(self.marks.len() as u64) << 64 | u128::from(self.sum)).to_be_bytes()
    }

    fn set(&mut self, Change { row, content }: Change) {
        let mark = content.map(|bytes| self.key.mark(&bytes));
        let before = match mark {
            Some(mark) => self.marks.insert(row, mark),
            None => self.marks.remove(&row),
        };
        self.sum = self.sum.wrapping_sub(before.unwrap_or(0)).wrapping_add(mark.unwrap_or(0));
    }
}

/// Size of the setting, in bytes.
const SETTING_BYTES: usize = 32;

/// One row as it is now; without content it is not live.
struct Change {
    row: RowId,
    content: Option<Bytes>,
}

/// A table, a key and, behind them, the rest of the row.
struct Bytes {
    row: RowId,
    bytes: Vec<u8>,
}

impl Bytes {
    fn new(table: Table, id: &[u8], number: Option<&[u8]>) -> Self {
        let mut row = RowId { table, id: [0; 33], number: 0 };
        row.id.iter_mut().zip(id).for_each(|(to, from)| *to = *from);
        for byte in number.unwrap_or_default() {
            row.number = row.number << 8 | u64::from(*byte);
        }
        let bytes = [&[table as u8], id, number.unwrap_or_default()].concat();
        Self { row, bytes }
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

    fn live(self) -> Change {
        Change { row: self.row, content: Some(self) }
    }

    fn gone(self) -> Change {
        Change { row: self.row, content: None }
    }

    fn live_if(self, is_live: bool) -> Change {
        if is_live { self.live() } else { self.gone() }
    }
}

/// `None` for rows that nothing hangs on.
fn change((key, row): (&RowKey, Option<&Row>)) -> Option<Change> {
    match row {
        Some(row) => put(row),
        None => deleted(key),
    }
}

fn put(row: &Row) -> Option<Change> {
    match row {
        Row::Channel(row) => Some(channel(row)),
        Row::Origin(htlc, row) => Some(origin(htlc, row)),
        Row::Outbox(htlc, row) => Some(outbox(htlc, row)),
        Row::Payment(row) => Some(payment(row)),
        Row::Part(row) => Some(part(row)),
        Row::Peer(row) => Some(peer(row)),
        _ => None,
    }
}

fn deleted(key: &RowKey) -> Option<Change> {
    let row = match key {
        RowKey::Channel(peer) => by_node(Table::Channel, peer),
        RowKey::Origin(htlc) => by_htlc(Table::Origin, htlc),
        RowKey::Outbox(htlc) => by_htlc(Table::Outbox, htlc),
        RowKey::Payment(hash) => by_hash(hash),
        RowKey::Part(hash, part) => by_part(hash, *part),
        RowKey::Peer(peer) => by_node(Table::Peer, peer),
        _ => return None,
    };
    Some(row.gone())
}

fn by_node(table: Table, node: &NodeId) -> Bytes {
    Bytes::new(table, &node.0, None)
}

fn by_htlc(table: Table, key: &HtlcKey) -> Bytes {
    Bytes::new(table, &key.peer.0, Some(&key.id.to_be_bytes()))
}

fn by_hash(hash: &PaymentHash) -> Bytes {
    Bytes::new(Table::Payment, &hash.0, None)
}

fn by_part(hash: &PaymentHash, part: u32) -> Bytes {
    Bytes::new(Table::Part, &hash.0, Some(&part.to_be_bytes()))
}

fn channel(row: &ChannelRow) -> Change {
    by_node(Table::Channel, &row.peer)
        .fixed(&[codec::role_code(row.role), codec::phase_code(row.phase)])
        .numbers(&[row.short_channel_id.0, row.local_balance_msat, row.remote_balance_msat])
        .fixed(&row.record)
        .live()
}

fn origin(key: &HtlcKey, origin: &Origin) -> Change {
    by_htlc(Table::Origin, key).fixed(&codec::encode_origin(origin)).live()
}

fn outbox(key: &HtlcKey, settlement: &Settlement) -> Change {
    by_htlc(Table::Outbox, key).fixed(&codec::encode_settlement(settlement)).live()
}

/// Pending: it has no preimage and no end yet.
fn payment(row: &PaymentRow) -> Change {
    by_hash(&row.payment_hash)
        .fixed(&row.destination.0)
        .numbers(&[row.amount_msat, row.fee_msat, row.max_fee_msat, row.created_ms])
        .var(row.bolt11.as_bytes())
        .var(row.failure.as_ref().map_or("", |(code, _)| code).as_bytes())
        .live_if(row.status == PaymentStatus::Pending)
}

fn part(row: &PartRow) -> Change {
    by_part(&row.payment_hash, row.part)
        .fixed(&row.peer.0)
        .numbers(&[row.amount_msat, row.fee_msat])
        .fixed(&row.session_key)
        .fixed(&codec::encode_path(&row.path))
        .live_if(row.status == PaymentStatus::Pending)
}

fn peer(row: &PeerRow) -> Change {
    // Without a framing the bytes are those of version 3, whose sum must still add up.
    let framing: Vec<u8> = row.framing.map(codec::framing_code).into_iter().collect();
    by_node(Table::Peer, &row.peer)
        .fixed(&[u8::from(row.is_host)])
        .fixed(&codec::encode_addresses(&row.addresses))
        .fixed(framing.as_slice())
        .live()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer_row(byte: u8, port: u16) -> Change {
        let addresses = vec![format!("127.0.0.1:{port}")];
        peer(&PeerRow { peer: NodeId([byte; 33]), is_host: false, addresses, framing: None })
    }

    fn none(key: MarkKey) -> LiveRows {
        LiveRows::sum_up(&StoredState::default(), key)
    }

    /// Peers choose keys whose digests are equal: marks of keys were once all that was kept. Nobody
    /// can search for such a pair in a test, so this looks at what rows are found by.
    #[test]
    fn a_row_is_found_by_its_whole_key_and_by_no_digest_of_it() {
        let id = std::array::from_fn(|at| at as u8 + 1);
        let number = u64::MAX - 7;
        let mut live = none(MarkKey::NONE);
        let settlement = Settlement::Fulfill(steward_wire::Preimage([1; 32]));
        live.set(outbox(&HtlcKey { peer: NodeId(id), id: number }, &settlement));
        let found: Vec<RowId> = live.marks.into_keys().collect();
        assert_eq!(found, [RowId { table: Table::Outbox, id, number }]);
    }

    #[test]
    fn the_sum_is_right_whatever_order_any_two_rows_are_written_in() {
        for (first, second) in [(1, 2), (2, 1)] {
            let mut live = none(MarkKey::NONE);
            live.set(peer_row(first, 1));
            live.set(peer_row(second, 1));
            live.set(peer_row(1, 2));
            let mut anew = none(MarkKey::NONE);
            anew.set(peer_row(1, 2));
            anew.set(peer_row(2, 1));
            assert_eq!(live.count_and_sum(), anew.count_and_sum());
        }
    }

    #[test]
    fn rows_that_differ_in_one_part_of_their_key_are_two() {
        let htlc = |byte, id| HtlcKey { peer: NodeId([byte; 33]), id };
        let settlement = Settlement::Fulfill(steward_wire::Preimage([1; 32]));
        let mut live = none(MarkKey::NONE);
        live.set(outbox(&htlc(1, 1), &settlement));
        live.set(outbox(&htlc(1, 2), &settlement));
        live.set(outbox(&htlc(2, 1), &settlement));
        live.set(origin(&htlc(1, 1), &Origin::Forward(htlc(3, 3))));
        live.set(peer_row(1, 1));
        assert_eq!(live.marks.len(), 5);
    }

    /// Who knows what a row says, a peer for one, does not know its mark.
    #[test]
    fn two_databases_mark_the_same_row_differently() {
        let marks = [MarkKey::random(), MarkKey::random()].map(|key| {
            let mut live = none(key);
            live.set(peer_row(1, 1));
            live.sum
        });
        assert_ne!(marks[0], marks[1]);
    }
}
