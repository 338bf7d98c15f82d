//! The rows of a [`MemoryStore`](super::MemoryStore), and the rules that SQL keeps elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use steward_engine::row::{
    EvidenceSummary, ForwardRow, InvoiceRow, InvoiceStatus, OpenInvoice, PartRow, PaymentKind,
    PaymentStatus, Row, RowKey, StoredState, WriteBatch,
};
use steward_wire::PaymentHash;

use crate::error::StoreError;
use crate::limits::{
    EXPIRED_INVOICE_LOAD_MS, KEEP_FAILED_FORWARDS, MAX_LOADED_PREIMAGES, MAX_PAGE_ROWS,
    PREIMAGE_KEEP_MS,
};
use crate::rows;
use crate::rows::is_open;
use crate::sql::load::take_setting;
use crate::sql::prune::last_pruned_event;
use crate::store::{Cursor, ForwardTotals, Page, PageRequest};

#[derive(Debug, Default)]
pub(super) struct Tables {
    /// Each row with its place in the order of first insertion.
    pub(super) rows: BTreeMap<RowKey, (u64, Row)>,
    pub(super) last_place: u64,
    /// The place of each preimage in that order.
    preimages: BTreeMap<u64, PaymentHash>,
    pub(super) totals: ForwardTotals,
}

impl Tables {
    pub(super) fn apply(&mut self, batch: &WriteBatch) -> Result<(), StoreError> {
        batch.iter().try_for_each(|(key, row)| self.check(batch, key, row))?;
        for (key, row) in batch.iter() {
            match row {
                Some(row) => self.put(key, row),
                None => self.delete(key),
            }
        }
        self.prune(batch);
        Ok(())
    }

    fn check(&self, batch: &WriteBatch, key: &RowKey, row: Option<&Row>) -> Result<(), StoreError> {
        rows::check(key, row)?;
        let is_refused = match row {
            Some(Row::Event(_) | Row::Evidence(..)) => self.rows.contains_key(key),
            Some(Row::Part(row)) => {
                let payment = RowKey::Payment(row.payment);
                !self.rows.contains_key(&payment) && !batch.puts().any(|row| row.key() == payment)
            }
            Some(Row::InvoicePaid { payment_hash, .. }) => {
                let invoice = RowKey::Invoice(*payment_hash);
                !self.rows.contains_key(&invoice) && !batch.puts().any(|row| row.key() == invoice)
            }
            _ => false,
        };
        if is_refused { Err(rows::bad_row(key, rows::refusal(key))) } else { Ok(()) }
    }

    fn put(&mut self, key: &RowKey, row: &Row) {
        match row {
            Row::InvoicePaid { payment_hash, received_msat, paid_ms } => {
                return self.pay_invoice(payment_hash, *received_msat, *paid_ms);
            }
            Row::InvoiceFailure { payment_hash, code, message } => {
                return self.fail_invoice(payment_hash, Some((code.clone(), message.clone())));
            }
            Row::Invoice(row) if !self.may_write_invoice(row) => return,
            _ => {}
        }
        let old = self.remove(key);
        if let Row::Forward(row) = row {
            self.count_forward(old.as_ref().map(|(_, row)| row), row);
        }
        // A preimage learned again gets a new place; every other row keeps its place.
        let place = match (old, row) {
            (Some((place, _)), row) if !matches!(row, Row::Preimage { .. }) => place,
            _ => {
                self.last_place += 1;
                self.last_place
            }
        };
        if let RowKey::Preimage(hash) = key {
            self.preimages.insert(place, *hash);
        }
        self.rows.insert(key.clone(), (place, row.clone()));
    }

    fn delete(&mut self, key: &RowKey) {
        if let RowKey::InvoiceFailure(hash) = key {
            return self.fail_invoice(hash, None);
        }
        self.remove(key);
    }

    fn remove(&mut self, key: &RowKey) -> Option<(u64, Row)> {
        let old = self.rows.remove(key)?;
        if let RowKey::Preimage(_) = key {
            self.preimages.remove(&old.0);
        }
        Some(old)
    }

    /// True unless the row is paid, which never changes, or a keysend would replace an invoice.
    fn may_write_invoice(&self, row: &InvoiceRow) -> bool {
        match self.rows.get(&RowKey::Invoice(row.payment_hash)) {
            Some((_, Row::Invoice(old))) => {
                old.status == InvoiceStatus::Open
                    && (row.kind != PaymentKind::Keysend || old.kind == PaymentKind::Keysend)
            }
            // There is none yet.
            _ => true,
        }
    }

    /// Writes the payment of an invoice, if it is there and open.
    fn pay_invoice(&mut self, hash: &PaymentHash, received_msat: u64, paid_ms: u64) {
        if let Some((_, Row::Invoice(row))) = self.rows.get_mut(&RowKey::Invoice(*hash))
            && row.status == InvoiceStatus::Open
        {
            row.status = InvoiceStatus::Paid;
            row.received_msat = received_msat;
            row.paid_ms = Some(paid_ms);
            row.failure = None;
        }
    }

    /// Writes the failed claim of an invoice. The hash may be no invoice's: then no row changes.
    fn fail_invoice(&mut self, hash: &PaymentHash, failure: Option<(String, String)>) {
        if let Some((_, Row::Invoice(row))) = self.rows.get_mut(&RowKey::Invoice(*hash)) {
            row.failure = failure;
        }
    }

    fn count_forward(&mut self, old: Option<&Row>, new: &ForwardRow) {
        let count = |totals: &mut ForwardTotals, row: &ForwardRow, step: fn(u64, u64) -> u64| {
            if row.fulfilled {
                totals.fulfilled = step(totals.fulfilled, 1);
                totals.amount_in_msat = step(totals.amount_in_msat, row.amount_in_msat);
                totals.amount_out_msat = step(totals.amount_out_msat, row.amount_out_msat);
            } else {
                totals.failed = step(totals.failed, 1);
            }
        };
        if let Some(Row::Forward(old)) = old {
            count(&mut self.totals, old, u64::saturating_sub);
        }
        count(&mut self.totals, new, |a, b| a.saturating_add(b).min(i64::MAX.cast_unsigned()));
    }

    /// Prunes at once the rows that the database prunes in steps.
    fn prune(&mut self, batch: &WriteBatch) {
        let newest_ms = batch.puts().filter_map(|row| match row {
            Row::Preimage { learned_ms, .. } => Some(*learned_ms),
            _ => None,
        });
        if let Some(newest_ms) = newest_ms.max() {
            self.prune_preimages(newest_ms.saturating_sub(PREIMAGE_KEEP_MS));
        }
        if batch.puts().any(|row| matches!(row, Row::Forward(_))) {
            self.prune_failed_forwards();
        }
        let kept = RowKey::Event(last_pruned_event(self.last_number(RowKey::Event)) + 1);
        let events = self.range(RowKey::Event).map(|(key, _)| key);
        let old: Vec<RowKey> = events.take_while(|key| **key < kept).cloned().collect();
        for key in old {
            self.rows.remove(&key);
        }
    }

    fn prune_failed_forwards(&mut self) {
        if self.totals.fulfilled.saturating_add(self.totals.failed) <= KEEP_FAILED_FORWARDS {
            return;
        }
        let forwards = self.in_order(|row| match row {
            Row::Forward(row) => Some((row.incoming, row.fulfilled)),
            _ => None,
        });
        let old = forwards.len().saturating_sub(KEEP_FAILED_FORWARDS as usize);
        for (_, (incoming, _)) in forwards.iter().take(old).filter(|(_, (_, paid))| !paid) {
            self.rows.remove(&RowKey::Forward(*incoming));
        }
    }

    fn prune_preimages(&mut self, horizon_ms: u64) {
        while self.preimages.len() as u64 > MAX_LOADED_PREIMAGES
            && let Some(oldest) = self.preimages.first_entry()
        {
            let key = RowKey::Preimage(*oldest.get());
            let old = |(_, row): &(u64, Row)| match row {
                Row::Preimage { learned_ms, .. } => *learned_ms < horizon_ms,
                _ => false,
            };
            if !self.rows.get(&key).is_some_and(old) {
                return;
            }
            oldest.remove();
            self.rows.remove(&key);
        }
    }

    /// Returns all rows of a numbered table.
    pub(super) fn range(
        &self,
        key: fn(u64) -> RowKey,
    ) -> impl DoubleEndedIterator<Item = (&RowKey, &Row)> {
        self.rows.range(key(0)..=key(u64::MAX)).map(|(key, (_, write))| (key, write))
    }

    fn last_number(&self, key: fn(u64) -> RowKey) -> u64 {
        match self.range(key).next_back() {
            Some((RowKey::Event(number) | RowKey::Evidence(number), _)) => *number,
            // The table is empty.
            _ => 0,
        }
    }

    /// Collects the results of `pick`, in the order of first insertion.
    fn in_order<T>(&self, pick: impl Fn(&Row) -> Option<T>) -> Vec<(u64, T)> {
        let mut picked: Vec<(u64, T)> =
            self.rows.values().filter_map(|(place, row)| Some((*place, pick(row)?))).collect();
        picked.sort_by_key(|(place, _)| *place);
        picked
    }

    pub(super) fn page<T>(&self, page: PageRequest, pick: impl Fn(&Row) -> Option<T>) -> Page<T> {
        let limit = page.limit.min(MAX_PAGE_ROWS);
        let mut rows = self.in_order(pick);
        rows.retain(|(place, _)| page.before.is_none_or(|before| *place < before.0));
        rows.reverse();
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(|(place, _)| Cursor(*place));
        Page { rows: rows.into_iter().map(|(_, row)| row).collect(), next }
    }

    pub(super) fn parts(&self, wanted: impl Fn(&PartRow) -> bool) -> Vec<PartRow> {
        let parts = self.rows.values().filter_map(|(_, row)| match row {
            Row::Part(row) if wanted(row) => Some(row.clone()),
            _ => None,
        });
        parts.collect()
    }

    pub(super) fn state(&self, now_ms: u64) -> StoredState {
        let mut state = StoredState {
            last_event: self.last_number(RowKey::Event),
            last_evidence: self.last_number(RowKey::Evidence),
            ..StoredState::default()
        };
        for (_, row) in self.rows.values() {
            match row {
                Row::Channel(row) => state.channels.push(row.clone()),
                Row::Origin(key, origin) => state.origins.push((*key, *origin)),
                Row::Outbox(key, settlement) => state.outbox.push((*key, settlement.clone())),
                Row::Peer(row) => state.peers.push(row.clone()),
                Row::Evidence(number, row) => {
                    state.evidence.push(EvidenceSummary::of(*number, row));
                }
                Row::Setting(setting) => take_setting(&mut state, setting.clone()),
                _ => {}
            }
        }
        // A payment is complete with its first preimage; its other parts may still be in flight.
        let out = self.parts(|part| part.status == PaymentStatus::Pending);
        let mut open: BTreeSet<_> = out.iter().map(|part| part.payment).collect();
        state.payments = in_place(self.in_order(|row| match row {
            Row::Payment(row) => {
                let is_open = is_open(row.status) || open.contains(&row.id());
                is_open.then(|| row.clone())
            }
            _ => None,
        }));
        open.extend(state.payments.iter().map(|row| row.id()));
        state.parts = self.parts(|part| open.contains(&part.payment));
        let since_ms = now_ms.saturating_sub(EXPIRED_INVOICE_LOAD_MS);
        state.invoices = in_place(self.in_order(|row| match row {
            Row::Invoice(row) => OpenInvoice::of(row).filter(|_| row.expires_ms >= since_ms),
            _ => None,
        }));
        state.preimages = in_place(self.in_order(|row| match row {
            Row::Preimage { preimage, .. } => Some(*preimage),
            _ => None,
        }));
        state.preimages.reverse();
        state.preimages.truncate(usize::try_from(MAX_LOADED_PREIMAGES).unwrap_or(usize::MAX));
        state
    }
}

fn in_place<T>(placed: Vec<(u64, T)>) -> Vec<T> {
    placed.into_iter().map(|(_, row)| row).collect()
}
