//! Reads from the tables the state that the engine needs to go on.

use steward_engine::row::{Setting, StoredState};

use super::{Sql, last_number, rows, select};
use crate::error::StoreError;
use crate::limits::{EXPIRED_INVOICE_LOAD_MS, MAX_LOADED_PREIMAGES};
use crate::rows::column::values;
use crate::rows::{
    Channels, Events, Evidence, Invoices, Origins, Outbox, Parts, Payments, Peers, Preimages,
    SELECT_OPEN, Settings, Table, Write, evidence, read_open,
};

/// Reads all of it, to be called within one read transaction: one moment of the database.
pub(crate) fn stored_state(db: &dyn Sql, now_ms: u64) -> Result<StoredState, StoreError> {
    // In the order of the file, sorted here: the key's index would visit the pages at random.
    let mut channels = select::<Channels>(db, "", &[])?;
    channels.sort_unstable_by_key(|row| row.link);
    let mut origins = select::<Origins>(db, "", &[])?;
    origins.sort_unstable_by_key(|(key, _)| *key);
    let mut outbox = select::<Outbox>(db, "", &[])?;
    outbox.sort_unstable_by_key(|(key, _)| *key);

    let newest = values![MAX_LOADED_PREIMAGES];
    let preimages = select::<Preimages>(db, "ORDER BY number DESC LIMIT ?1", &newest)?;
    let since_ms = now_ms.saturating_sub(EXPIRED_INVOICE_LOAD_MS).min(i64::MAX.cast_unsigned());
    let invoices = rows(db, Invoices::NAME, &open_invoices(), &values![since_ms], read_open)?;
    let summaries = evidence::SELECT_SUMMARIES;

    let mut state = StoredState {
        channels,
        origins,
        outbox,
        preimages: preimages.into_iter().map(|(preimage, _)| preimage).collect(),
        payments: rows(db, Payments::NAME, &open_payments(), &[], Payments::read)?,
        parts: rows(db, Parts::NAME, &open_parts(), &[], Parts::read)?,
        invoices,
        peers: select::<Peers>(db, "ORDER BY peer, identity", &[])?,
        last_event: last_number(db, Events::NAME)?,
        last_evidence: last_number(db, Evidence::NAME)?,
        evidence: rows(db, Evidence::NAME, summaries, &[], evidence::read_summary)?,
        ..StoredState::default()
    };
    for setting in select::<Settings>(db, "", &[])?.into_iter().flatten() {
        take_setting(&mut state, setting);
    }
    Ok(state)
}

/// Puts a setting in its place.
pub(crate) fn take_setting(state: &mut StoredState, setting: Setting) {
    match setting {
        Setting::Height(height) => state.height = height,
        Setting::SearchedHeight(height) => state.searched_height = height,
        Setting::ForgottenClients(clients) => state.forgotten_clients = clients,
    }
}

// The status is spelled out in all of these: a parameter would not match a partial index.

/// The payments that a start needs. One is complete with its first preimage; its other parts may
/// still be in flight.
const OPEN: &str = "SELECT number FROM payment WHERE status IN (1, 4)
                    UNION ALL
                    SELECT payment FROM payment_part WHERE status = 1";

pub(crate) fn open_payments() -> String {
    format!("{} WHERE number IN ({OPEN}) ORDER BY number", Payments::SELECT)
}

pub(crate) fn open_parts() -> String {
    format!("{} WHERE payment_part.payment IN ({OPEN}) ORDER BY payment_hash, part", Parts::SELECT)
}

/// Finds the open invoices. SQLite would rather take all that are pending, however long expired: it
/// cannot know that most invoices expire unpaid. `INDEXED BY` are words that no other database knows.
pub(crate) fn open_invoices() -> String {
    format!(
        "{SELECT_OPEN} INDEXED BY invoice_open
         WHERE status = 1 AND expires_ms >= ?1 AND kind = 1"
    )
}

#[cfg(test)]
mod tests {
    use steward_engine::row::{InvoiceStatus, PaymentStatus};

    use crate::rows::{invoice_status_code, status_code};

    #[test]
    fn the_queries_spell_what_is_open_as_the_rows_do() {
        assert_eq!(status_code(PaymentStatus::Pending), 1);
        assert_eq!(status_code(PaymentStatus::Unknown), 4);
        assert_eq!(invoice_status_code(InvoiceStatus::Open), 1);
    }
}
