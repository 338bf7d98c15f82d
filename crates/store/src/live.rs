//! One sum over all rows that money depends on: updated in each commit, computed again at each
//! start. Files copied while a checkpoint runs may fit together page by page and still hold rows of
//! two moments; these do not add up (docs/state-format.md, "The sum of the live rows").
//!
//! Peers choose much of what is in these rows, their ids above all. So a row is found by its whole
//! key, never by a digest of it, and the marks that are added up have a key that no peer knows.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use bitcoin::hashes::{Hash, HashEngine, siphash24};
use steward_engine::row::{StoredState, WriteBatch};

use crate::error::StoreError;
use crate::rows::{self, Channels, LiveId, Origins, Outbox, Parts, Payments, Peers, Write};

/// The live rows: channels, origins, outbox, peers, and payments and parts that are pending.
#[derive(Debug)]
pub(crate) struct LiveRows {
    key: MarkKey,
    /// The mark of each row. The map's own hash has a key that each process makes for itself.
    marks: HashMap<LiveId, u64>,
    sum: u64,
    is_stored: bool,
}

/// The key of the marks of one database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct MarkKey([u8; 16]);

impl MarkKey {
    fn random() -> Self {
        // The keys of the standard library's maps are random and never leave the process.
        let half = || RandomState::new().hash_one(0u8).to_be_bytes();
        let mut key = [0; 16];
        let (front, back) = key.split_at_mut(8);
        front.copy_from_slice(&half());
        back.copy_from_slice(&half());
        Self(key)
    }

    fn mark(&self, table: u8, content: &[u8]) -> u64 {
        let key = u128::from_be_bytes(self.0);
        let (k0, k1) = ((key >> 64) as u64, key as u64);
        let mut engine = siphash24::HashEngine::with_keys(k0, k1);
        engine.input(&[table]);
        engine.input(content);
        siphash24::Hash::from_engine(engine).as_u64()
    }
}

impl LiveRows {
    /// Makes the live rows of a start, which must be those of the last commit. `stored` is the
    /// setting's value.
    pub(crate) fn of(state: &StoredState, stored: &[u8]) -> Result<Self, StoreError> {
        if let Some((key, _)) = stored.split_first_chunk::<16>()
            && stored.len() == SETTING_BYTES
        {
            let live = Self { is_stored: true, ..Self::sum_up(state, MarkKey(*key)) };
            return if stored == live.setting() { Ok(live) } else { Err(StoreError::Torn) };
        }
        // A database that is new, or was migrated, has no sum: it gets one with the next commit.
        if stored.is_empty() {
            return Ok(Self::sum_up(state, MarkKey::random()));
        }
        Err(StoreError::Torn)
    }

    fn sum_up(state: &StoredState, key: MarkKey) -> Self {
        let mut live = Self { key, marks: HashMap::new(), sum: 0, is_stored: false };
        state.channels.iter().for_each(|row| live.put::<Channels>(row.link, row));
        state.origins.iter().for_each(|(htlc, row)| live.put::<Origins>(*htlc, (htlc, row)));
        state.outbox.iter().for_each(|(htlc, row)| live.put::<Outbox>(*htlc, (htlc, row)));
        state.payments.iter().for_each(|row| live.put::<Payments>(row.id(), row));
        state.parts.iter().for_each(|row| live.put::<Parts>((row.payment, row.part), row));
        state.peers.iter().for_each(|row| live.put::<Peers>((row.peer, row.identity), row));
        live
    }

    /// Follows a batch. Returns true if the sum must be stored with it.
    pub(crate) fn follow(&mut self, batch: &WriteBatch) -> bool {
        let before = self.count_and_sum();
        for (key, row) in batch.iter() {
            // No money depends on the rows of other tables.
            if let Some(id) = rows::live_id(key) {
                self.set(id, row.and_then(rows::live_content).as_deref());
            }
        }
        let was_stored = std::mem::replace(&mut self.is_stored, true);
        !was_stored || self.count_and_sum() != before
    }

    /// Returns the setting's value: the key, the number of rows, and the sum of their marks.
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

    fn put<T: Write>(&mut self, key: T::Key, row: T::Put<'_>) {
        if let Some(id) = T::live_id(key) {
            self.set(id, T::live_content(row).as_deref());
        }
    }

    /// Sets a row as it is now; without content it is not live.
    fn set(&mut self, id: LiveId, content: Option<&[u8]>) {
        let mark = content.map(|content| self.key.mark(id.table, content));
        let before = match mark {
            Some(mark) => self.marks.insert(id, mark),
            None => self.marks.remove(&id),
        };
        self.sum = self.sum.wrapping_sub(before.unwrap_or(0)).wrapping_add(mark.unwrap_or(0));
    }
}

/// Size of the setting, in bytes.
const SETTING_BYTES: usize = 32;

#[cfg(test)]
mod tests {
    use steward_engine::row::{LocalIdentity, Origin, PeerRow, Row};
    use steward_htlc::{IncomingHtlcId, OutgoingHtlcId, Settlement};
    use steward_wire::{LinkId, NodeId, Preimage};

    use super::*;

    const NO_KEY: MarkKey = MarkKey([0; 16]);

    fn peer_row(byte: u8, port: u16) -> Row {
        let addresses = vec![format!("127.0.0.1:{port}")];
        Row::Peer(PeerRow {
            peer: NodeId([byte; 33]),
            identity: LocalIdentity::Node,
            addresses,
            framing: None,
        })
    }

    fn put(live: &mut LiveRows, row: Row) {
        let mut batch = WriteBatch::default();
        batch.put(row);
        live.follow(&batch);
    }

    fn none(key: MarkKey) -> LiveRows {
        LiveRows::sum_up(&StoredState::default(), key)
    }

    /// Peers choose keys whose digests are equal: marks of keys were once all that was kept. No
    /// test can search for such a pair, so this looks at what rows are found by.
    #[test]
    fn a_row_is_found_by_its_whole_key_and_by_no_digest_of_it() {
        let link: [u8; 32] = std::array::from_fn(|at| at as u8 + 1);
        let number = u64::MAX - 7;
        let mut live = none(NO_KEY);
        let settlement = Settlement::Fulfill { preimage: Preimage([1; 32]), tlvs: Vec::new() };
        let htlc = IncomingHtlcId { link: LinkId(link), id: number };
        put(&mut live, Row::Outbox(htlc, settlement.clone()));
        let found: Vec<LiveId> = live.marks.into_keys().collect();
        let id = std::array::from_fn(|at| link.get(at).copied().unwrap_or(0));
        assert_eq!(found, [LiveId { table: 3, id, number }]);
    }

    #[test]
    fn the_sum_is_right_whatever_order_any_two_rows_are_written_in() {
        for (first, second) in [(1, 2), (2, 1)] {
            let mut live = none(NO_KEY);
            put(&mut live, peer_row(first, 1));
            put(&mut live, peer_row(second, 1));
            put(&mut live, peer_row(1, 2));
            let mut again = none(NO_KEY);
            put(&mut again, peer_row(1, 2));
            put(&mut again, peer_row(2, 1));
            assert_eq!(live.count_and_sum(), again.count_and_sum());
        }
    }

    #[test]
    fn rows_that_differ_in_one_part_of_their_key_are_two() {
        let htlc = |byte, id| IncomingHtlcId { link: LinkId([byte; 32]), id };
        let settlement = Settlement::Fulfill { preimage: Preimage([1; 32]), tlvs: Vec::new() };
        let mut live = none(NO_KEY);
        put(&mut live, Row::Outbox(htlc(1, 1), settlement.clone()));
        put(&mut live, Row::Outbox(htlc(1, 2), settlement.clone()));
        put(&mut live, Row::Outbox(htlc(2, 1), settlement.clone()));
        let offered = OutgoingHtlcId { link: LinkId([1; 32]), id: 1 };
        put(&mut live, Row::Origin(offered, Origin::Forward(htlc(3, 3))));
        put(&mut live, peer_row(1, 1));
        assert_eq!(live.marks.len(), 5);
    }

    /// A peer for one knows what a row says, and still does not know its mark.
    #[test]
    fn two_databases_mark_the_same_row_differently() {
        let marks = [MarkKey::random(), MarkKey::random()].map(|key| {
            let mut live = none(key);
            put(&mut live, peer_row(1, 1));
            live.sum
        });
        assert_ne!(marks[0], marks[1]);
    }
}
