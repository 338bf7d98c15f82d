//! The open invoices in memory: what it takes to accept their payments, in less than 100 bytes each.
//! All else of an invoice is in its row, which the engine writes and never needs again.

use std::collections::BTreeSet;

use bitcoin::hashes::{Hash, sha256};
use steward_wire::{PaymentHash, Preimage, impossible};

use crate::face::limits::{INVOICES_PER_CHUNK, MAX_OPEN_INVOICES};
use crate::face::row::OpenInvoice;

/// The start of a payment hash. Several invoices may share it.
type HashStart = [u8; 4];

/// Stands for a payment secret. To find another secret with the same mark takes 2^128 tries: a payer
/// without the invoice has no better way in than before.
#[derive(Clone, Copy)]
struct SecretMark([u8; 16]);

impl SecretMark {
    fn of(secret: &[u8; 32]) -> Self {
        let digest = sha256::Hash::hash(secret).to_byte_array();
        let (half, _) = digest.as_chunks::<16>();
        Self(half.first().copied().unwrap_or_default())
    }

    /// True if they are equal, in a time that does not tell where they differ.
    fn is(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).fold(0u8, |acc, (a, b)| acc | (a ^ b)) == 0
    }
}

/// The amount of an invoice that leaves it to the payer: no row holds so much.
const ANY_AMOUNT: u64 = u64::MAX;

/// One open invoice. Its payment hash follows from the preimage.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    preimage: Preimage,
    secret: SecretMark,
    amount_msat: u64,
    expires_ms: u64,
}

// With its place in the index (a set of 8 bytes each, two thirds full) below 100 bytes.
const _: () = assert!(size_of::<Entry>() == 64);
// A place fits the index.
const _: () = assert!(MAX_OPEN_INVOICES < u32::MAX as usize);

impl Entry {
    fn new(invoice: &OpenInvoice) -> Self {
        Self {
            preimage: invoice.preimage,
            secret: SecretMark::of(&invoice.payment_secret),
            amount_msat: invoice.amount_msat.unwrap_or(ANY_AMOUNT),
            expires_ms: invoice.expires_ms,
        }
    }

    pub(crate) fn preimage(&self) -> Preimage {
        self.preimage
    }

    /// The amount asked for, in millisatoshi; `None` if the payer chooses it.
    pub(crate) fn amount_msat(&self) -> Option<u64> {
        Some(self.amount_msat).filter(|msat| *msat != ANY_AMOUNT)
    }

    pub(crate) fn expires_ms(&self) -> u64 {
        self.expires_ms
    }

    /// True if this is the secret that the invoice gives to its payer.
    pub(crate) fn is_secret(&self, secret: &[u8; 32]) -> bool {
        self.secret.is(&SecretMark::of(secret))
    }
}

/// The open invoices, found by payment hash.
#[derive(Default)]
pub(crate) struct OpenInvoices {
    /// The entries without a gap, in chunks that are never moved: a vector that grows is copied, and
    /// half of it may be empty.
    chunks: Vec<Vec<Entry>>,
    /// The place of each entry, by the start of its payment hash. A tree, since it can be filled by
    /// no choice of hashes so that looking up takes long.
    places: BTreeSet<(HashStart, u32)>,
}

impl OpenInvoices {
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    pub(crate) fn get(&self, hash: &PaymentHash) -> Option<Entry> {
        self.find(hash).map(|(_, entry)| entry)
    }

    /// Adds an invoice, or replaces the one of the same payment hash.
    pub(crate) fn insert(&mut self, invoice: &OpenInvoice) {
        let (hash, new) = (invoice.preimage.hash(), Entry::new(invoice));
        if let Some((place, _)) = self.find(&hash) {
            if let Some(entry) = self.entry_mut(place) {
                *entry = new;
            }
            return;
        }
        let Ok(place) = u32::try_from(self.len()) else {
            return impossible!("the number of open invoices is limited");
        };
        match self.chunks.last_mut().filter(|chunk| chunk.len() < INVOICES_PER_CHUNK) {
            Some(chunk) => chunk.push(new),
            None => {
                let mut chunk = Vec::with_capacity(INVOICES_PER_CHUNK);
                chunk.push(new);
                self.chunks.push(chunk);
            }
        }
        self.places.insert((start_of(&hash), place));
    }

    pub(crate) fn remove(&mut self, hash: &PaymentHash) -> Option<Entry> {
        let (place, entry) = self.find(hash)?;
        self.take_out(place, hash);
        Some(entry)
    }

    /// Keeps the invoices of which `keep` says so.
    pub(crate) fn retain(&mut self, keep: impl Fn(&Entry) -> bool) {
        // From the end: the entry that takes a place was asked already.
        for place in (0..u32::try_from(self.len()).unwrap_or(u32::MAX)).rev() {
            if let Some(entry) = self.entry(place).copied()
                && !keep(&entry)
            {
                self.take_out(place, &entry.preimage.hash());
            }
        }
    }

    fn find(&self, hash: &PaymentHash) -> Option<(u32, Entry)> {
        let start = start_of(hash);
        let places = self.places.range((start, 0)..=(start, u32::MAX)).map(|(_, place)| *place);
        let mut found = places.filter_map(|place| Some((place, *self.entry(place)?)));
        found.find(|(_, entry)| entry.preimage.hash() == *hash)
    }

    /// The last entry takes the place of the one that goes.
    fn take_out(&mut self, place: u32, hash: &PaymentHash) {
        self.places.remove(&(start_of(hash), place));
        let last = self.chunks.last_mut().and_then(Vec::pop);
        let Some(last) = last else {
            return impossible!("the entry that goes is there");
        };
        if self.chunks.last().is_some_and(Vec::is_empty) {
            self.chunks.pop();
        }
        // It is itself the last one, and gone.
        let Some(entry) = self.entry_mut(place) else { return };
        *entry = last;
        let start = start_of(&last.preimage.hash());
        let from = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
        self.places.remove(&(start, from));
        self.places.insert((start, place));
    }

    fn entry(&self, place: u32) -> Option<&Entry> {
        let place = place as usize;
        self.chunks.get(place / INVOICES_PER_CHUNK)?.get(place % INVOICES_PER_CHUNK)
    }

    fn entry_mut(&mut self, place: u32) -> Option<&mut Entry> {
        let place = place as usize;
        self.chunks.get_mut(place / INVOICES_PER_CHUNK)?.get_mut(place % INVOICES_PER_CHUNK)
    }
}

fn start_of(hash: &PaymentHash) -> HashStart {
    let [a, b, c, d, ..] = hash.0;
    [a, b, c, d]
}
