//! The readers' side of a store in memory.

use std::path::Path;
use std::sync::{Arc, Mutex};

use steward_engine::Event;
use steward_engine::row::{
    ForwardRow, InvoiceRow, InvoiceStatus, PaymentRow, PaymentStatus, Row, RowKey,
};
use steward_hosted::Role;
use steward_wire::{NodeId, PaymentHash, PaymentId};

use super::lock;
use super::tables::Tables;
use crate::error::StoreError;
use crate::limits::MAX_PAGE_ROWS;
use crate::sqlite::SCHEMA_VERSION;
use crate::store::{
    ForwardTotals, History, NumberedEvidence, Owner, Page, PageRequest, PaymentWithParts, Verified,
};

/// Questions to a [`MemoryStore`](super::MemoryStore).
#[derive(Debug)]
pub(super) struct MemoryHistory {
    pub(super) tables: Arc<Mutex<Tables>>,
}

impl History for MemoryHistory {
    fn payments(
        &self,
        status: Option<PaymentStatus>,
        page: PageRequest,
    ) -> Result<Page<PaymentRow>, StoreError> {
        Ok(lock(&self.tables).page(page, |row| match row {
            Row::Payment(row) if status.is_none_or(|s| s == row.status) => Some(row.clone()),
            _ => None,
        }))
    }

    fn payment(&self, hash: &PaymentHash) -> Result<Option<PaymentWithParts>, StoreError> {
        let tables = lock(&self.tables);
        Ok(match tables.rows.get(&RowKey::Payment((*hash).into())) {
            Some((_, Row::Payment(row))) => Some(PaymentWithParts {
                payment: row.clone(),
                parts: tables.parts(|part| part.payment == PaymentId::from(*hash)),
            }),
            _ => None,
        })
    }

    fn paid(&self, hash: &PaymentHash) -> Result<Option<PaymentRow>, StoreError> {
        let found = self.payment(hash)?.map(|found| found.payment);
        Ok(found.filter(|row| row.status == PaymentStatus::Complete))
    }

    fn invoices(
        &self,
        status: Option<InvoiceStatus>,
        page: PageRequest,
    ) -> Result<Page<InvoiceRow>, StoreError> {
        Ok(lock(&self.tables).page(page, |row| match row {
            Row::Invoice(row) if status.is_none_or(|s| s == row.status) => Some(row.clone()),
            _ => None,
        }))
    }

    fn invoice(&self, hash: &PaymentHash) -> Result<Option<InvoiceRow>, StoreError> {
        Ok(match lock(&self.tables).rows.get(&RowKey::Invoice(*hash)) {
            Some((_, Row::Invoice(row))) => Some(row.clone()),
            _ => None,
        })
    }

    fn forwards(&self, page: PageRequest) -> Result<Page<ForwardRow>, StoreError> {
        Ok(lock(&self.tables).page(page, |row| match row {
            Row::Forward(row) => Some(row.clone()),
            _ => None,
        }))
    }

    fn forward_totals(&self) -> Result<ForwardTotals, StoreError> {
        Ok(lock(&self.tables).totals)
    }

    fn events(&self, after: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        let tables = lock(&self.tables);
        let events = tables.range(RowKey::Event).filter_map(|(_, row)| match row {
            Row::Event(event) if event.number > after => Some(event.clone()),
            _ => None,
        });
        Ok(events.take(limit.min(MAX_PAGE_ROWS)).collect())
    }

    fn evidence(
        &self,
        peer: Option<&NodeId>,
        page: PageRequest,
    ) -> Result<Page<NumberedEvidence>, StoreError> {
        Ok(lock(&self.tables).page(page, |row| match row {
            Row::Evidence(number, row) if peer.is_none_or(|peer| *peer == row.peer) => {
                Some(NumberedEvidence { number: *number, row: row.clone() })
            }
            _ => None,
        }))
    }

    fn evidence_row(&self, number: u64) -> Result<Option<NumberedEvidence>, StoreError> {
        let tables = lock(&self.tables);
        Ok(match tables.rows.get(&RowKey::Evidence(number)) {
            Some((_, Row::Evidence(_, row))) => Some(NumberedEvidence { number, row: row.clone() }),
            _ => None,
        })
    }

    fn rows(&self, each: &mut dyn FnMut(Row)) -> Result<(), StoreError> {
        lock(&self.tables).rows.values().for_each(|(_, row)| each(row.clone()));
        Ok(())
    }

    /// Verifies the rows. They have no owner, because they are in memory.
    fn verify(&self) -> Result<Verified, StoreError> {
        let tables = lock(&self.tables);
        let role = |(_, row): &(u64, Row)| match row {
            Row::Channel(row) => Some(row.role),
            _ => None,
        };
        let roles: Vec<Role> = tables.rows.values().filter_map(role).collect();
        Ok(Verified {
            owner: Owner { network: String::new(), node_id: NodeId([0; 33]) },
            schema_version: SCHEMA_VERSION,
            rows: tables.rows.len() as u64,
            channels: roles.len() as u64,
            hosted: roles.iter().filter(|role| **role == Role::Host).count() as u64,
            history: tables.last_place,
        })
    }

    fn backup(&self, _to: &Path) -> Result<Verified, StoreError> {
        let action = "copy a store in memory".to_owned();
        Err(StoreError::Io { action, reason: "it has no files".to_owned() })
    }
}
