//! Questions about the past: the answers of [`History`](crate::History), on one connection.

use steward_engine::Event;
use steward_engine::row::{ForwardRow, InvoiceRow, InvoiceStatus, PaymentRow, PaymentStatus};
use steward_wire::{NodeId, PaymentHash};

use super::numbers::Numbers;
use super::{Sql, rows, select};
use crate::error::StoreError;
use crate::limits::MAX_PAGE_ROWS;
use crate::rows::column::{Value, values};
use crate::rows::hashed::Hashed;
use crate::rows::{
    Events, Evidence, Forwards, Invoices, Parts, Payments, Table, invoice_status_code, status_code,
};
use crate::store::{Cursor, ForwardTotals, NumberedEvidence, Page, PageRequest, PaymentWithParts};

/// Reads a page of a table whose query's last column is `number`, restricted to a value of a
/// column.
fn page<T: Table>(
    db: &dyn Sql,
    filter: Option<(&str, Value<'_>)>,
    page: PageRequest,
) -> Result<Page<T::Read>, StoreError> {
    let limit = page.limit.min(MAX_PAGE_ROWS);
    let before = page.before.map_or(i64::MAX.cast_unsigned(), |before| before.0);
    let one_more = limit as u64 + 1;
    let mut values = vec![before.into(), one_more.into()];
    let filtered = filter.map_or(String::new(), |(column, value)| {
        values.push(value);
        format!("AND {column} = ?3")
    });
    let select = T::SELECT;
    let sql = format!("{select} WHERE number < ?1 {filtered} ORDER BY number DESC LIMIT ?2");
    let mut found = rows(db, T::NAME, &sql, &values, |c| Ok((T::read(c)?, c.bits()?)))?;
    let more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().filter(|_| more).map(|(_, number)| *number);
    Ok(Page { rows: found.into_iter().map(|(row, _)| row).collect(), next: last.map(Cursor) })
}

fn of_status<'a>(status: Option<PaymentStatus>) -> Option<(&'a str, Value<'a>)> {
    status.map(|status| ("status", status_code(status).into()))
}

pub(crate) fn payments(
    db: &dyn Sql,
    status: Option<PaymentStatus>,
    request: PageRequest,
) -> Result<Page<PaymentRow>, StoreError> {
    page::<Payments>(db, of_status(status), request)
}

/// Reads a payment with its parts, to be called within one read transaction.
pub(crate) fn payment(
    db: &dyn Sql,
    numbers: &Numbers,
    hash: &PaymentHash,
) -> Result<Option<PaymentWithParts>, StoreError> {
    let Some(number) = numbers.find(db, Hashed::Payment, hash)? else { return Ok(None) };
    let payments = select::<Payments>(db, "WHERE number = ?1", &values![number])?;
    let parts = "WHERE payment_part.payment = ?1 ORDER BY part";
    let parts = select::<Parts>(db, parts, &values![number])?;
    Ok(payments.into_iter().next().map(|payment| PaymentWithParts { payment, parts }))
}

/// Reads a payment that is complete, to be called within one read transaction.
pub(crate) fn paid(
    db: &dyn Sql,
    numbers: &Numbers,
    hash: &PaymentHash,
) -> Result<Option<PaymentRow>, StoreError> {
    // Of several rows, which there must not be, one that is paid counts: it is not paid again.
    for number in numbers.find_all(db, Hashed::Payment, hash)? {
        let found = select::<Payments>(db, "WHERE number = ?1", &values![number])?;
        let paid = found.into_iter().find(|row| row.status == PaymentStatus::Complete);
        if paid.is_some() {
            return Ok(paid);
        }
    }
    Ok(None)
}

pub(crate) fn invoices(
    db: &dyn Sql,
    status: Option<InvoiceStatus>,
    request: PageRequest,
) -> Result<Page<InvoiceRow>, StoreError> {
    let status = status.map(|status| ("status", invoice_status_code(status).into()));
    page::<Invoices>(db, status, request)
}

/// Reads an invoice, to be called within one read transaction.
pub(crate) fn invoice(
    db: &dyn Sql,
    numbers: &Numbers,
    hash: &PaymentHash,
) -> Result<Option<InvoiceRow>, StoreError> {
    let Some(number) = numbers.find(db, Hashed::Invoice, hash)? else { return Ok(None) };
    let found = select::<Invoices>(db, "WHERE number = ?1", &values![number])?;
    Ok(found.into_iter().next())
}

pub(crate) fn forwards(db: &dyn Sql, request: PageRequest) -> Result<Page<ForwardRow>, StoreError> {
    page::<Forwards>(db, None, request)
}

pub(crate) fn forward_totals(db: &dyn Sql) -> Result<ForwardTotals, StoreError> {
    let sql = "SELECT fulfilled, failed, amount_in_msat, amount_out_msat FROM forward_total";
    let found = rows(db, "forward_total", sql, &[], |c| {
        Ok(ForwardTotals {
            fulfilled: c.number()?,
            failed: c.number()?,
            amount_in_msat: c.number()?,
            amount_out_msat: c.number()?,
        })
    })?;
    found.first().copied().ok_or_else(|| StoreError::Decode {
        table: "forward_total",
        key: "the only row".to_owned(),
        reason: "it is missing".to_owned(),
    })
}

pub(crate) fn events(db: &dyn Sql, after: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
    let after = after.min(i64::MAX.cast_unsigned());
    let limit = limit.min(MAX_PAGE_ROWS) as u64;
    select::<Events>(db, "WHERE number > ?1 ORDER BY number LIMIT ?2", &values![after, limit])
}

pub(crate) fn evidence(
    db: &dyn Sql,
    peer: Option<&NodeId>,
    request: PageRequest,
) -> Result<Page<NumberedEvidence>, StoreError> {
    page::<Evidence>(db, peer.map(|peer| ("peer", (&peer.0).into())), request)
}

pub(crate) fn evidence_row(
    db: &dyn Sql,
    number: u64,
) -> Result<Option<NumberedEvidence>, StoreError> {
    // No evidence has a number that no column holds.
    if i64::try_from(number).is_err() {
        return Ok(None);
    }
    let found = select::<Evidence>(db, "WHERE number = ?1", &values![number])?;
    Ok(found.into_iter().next())
}
