//! Outgoing HTLCs of one hash and one amount, when a revoked commitment was seen.
//!
//! A revoked commitment's HTLCs have no names, so LDK gives whatever becomes of one of them to the
//! first HTLC of that hash and amount which is in a commitment that is not revoked, as often as it
//! happens. The second time it is meant for a twin.

use std::collections::{BTreeMap, BTreeSet};

use lightning::util::ser::Readable;

use crate::encoding::Bytes;
use crate::limits::MAX_HTLCS;
use crate::record::{ChannelAtDeath, Direction};

/// Groups of at least two HTLCs that LDK may take for each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Twins(Vec<BTreeSet<u64>>);

impl Twins {
    pub(crate) fn new(record: &ChannelAtDeath) -> Self {
        if record.revoked.is_none() {
            return Self::default();
        }
        let mut groups: BTreeMap<_, BTreeSet<u64>> = BTreeMap::new();
        for htlc in record.unrevoked().flat_map(|commitment| &commitment.content.htlcs) {
            if htlc.terms.direction == Direction::Outgoing {
                let looks = (htlc.terms.payment_hash, htlc.terms.amount_msat);
                groups.entry(looks).or_default().insert(htlc.id);
            }
        }
        Self(groups.into_values().filter(|group| group.len() > 1).collect())
    }

    /// Returns the HTLC that a report about `id` is meant for: itself, or the first twin that nothing
    /// was said of.
    pub(crate) fn meant(&self, id: u64, settled: &BTreeMap<u64, bool>) -> u64 {
        if !settled.contains_key(&id) {
            return id;
        }
        let mut twins = self.0.iter().filter(|group| group.contains(&id)).flatten();
        twins.find(|twin| !settled.contains_key(twin)).copied().unwrap_or(id)
    }

    pub(crate) fn write(&self, bytes: &mut Bytes) {
        bytes.put(&(self.0.len() as u16));
        for group in &self.0 {
            bytes.put(&(group.len() as u16));
            group.iter().for_each(|id| {
                bytes.put(id);
            });
        }
    }

    pub(crate) fn read(bytes: &mut &[u8]) -> Option<Self> {
        let count = |bytes: &mut &[u8]| -> Option<u16> {
            let count: u16 = Readable::read(bytes).ok()?;
            (usize::from(count) <= 2 * MAX_HTLCS).then_some(count)
        };
        let mut groups = Vec::new();
        for _ in 0..count(bytes)? {
            let mut group = BTreeSet::new();
            for _ in 0..count(bytes)? {
                group.insert(Readable::read(bytes).ok()?);
            }
            groups.push(group);
        }
        Some(Self(groups))
    }
}
