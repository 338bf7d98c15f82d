//! The tables into what the engine needs to go on.

use rusqlite::{Connection, Params, Row};
use steward_engine::row::{ForgottenClient, StoredState};

use super::columns::{self, Columns};
use super::live::LiveRows;
use crate::check::{self, FORGOTTEN_CLIENTS, HEIGHT, SEARCHED_HEIGHT};
use crate::error::StoreError;
use crate::limits::{EXPIRED_INVOICE_LOAD_MS, MAX_LOADED_PREIMAGES};

/// All of it, to be asked within one read transaction: one moment of the database. Refuses rows
/// that are of several.
pub(crate) fn snapshot(
    db: &Connection,
    now_ms: u64,
) -> Result<(StoredState, LiveRows), StoreError> {
    let snapshot = read(db, now_ms)?;
    let live = LiveRows::of(&snapshot, db)?;
    Ok((snapshot, live))
}

/// The live rows alone, refused as in [`snapshot`].
pub(crate) fn live_rows(db: &Connection) -> Result<LiveRows, StoreError> {
    // So late that no invoice is worth reading: they are not live.
    let now_ms = u64::MAX;
    Ok(snapshot(db, now_ms)?.1)
}

fn read(db: &Connection, now_ms: u64) -> Result<StoredState, StoreError> {
    // In the order of the file, sorted here: the key's index would visit the pages at random.
    let mut channels = rows(db, columns::CHANNEL, [], columns::channel)?;
    channels.sort_unstable_by_key(|row| row.peer);
    let mut origins = rows(db, columns::ORIGIN, [], columns::origin)?;
    origins.sort_unstable_by_key(|(key, _)| *key);
    let mut outbox = rows(db, columns::OUTBOX, [], columns::outbox)?;
    outbox.sort_unstable_by_key(|(key, _)| *key);

    let preimages = format!("{} ORDER BY number DESC LIMIT ?1", columns::PREIMAGE);
    let newest = [MAX_LOADED_PREIMAGES.cast_signed()];
    let since_ms = [now_ms.saturating_sub(EXPIRED_INVOICE_LOAD_MS).min(i64::MAX.cast_unsigned())];
    let peers = format!("{} ORDER BY peer", columns::PEER);

    Ok(StoredState {
        channels,
        origins,
        outbox,
        preimages: rows(db, &preimages, newest, columns::preimage)?,
        payments: rows(db, &open_payments(), [], columns::payment)?,
        parts: rows(db, &open_parts(), [], columns::part)?,
        invoices: rows(db, &open_invoices(), since_ms.map(u64::cast_signed), columns::invoice)?,
        peers: rows(db, &peers, [], columns::peer)?,
        height: height(db, HEIGHT)?,
        searched_height: height(db, SEARCHED_HEIGHT)?,
        forgotten_clients: forgotten_clients(db)?,
        last_event: last_number(db, "event")?,
        last_evidence: last_number(db, "evidence")?,
        evidence: rows(db, columns::EVIDENCE_SUMMARY, [], columns::evidence_summary)?,
    })
}

// The status is spelled out in all of these: a parameter would not match a partial index.

/// Which payments a start needs. One is complete with its first preimage; its other parts may
/// still be out.
const IS_OPEN: &str = "payment_hash IN (SELECT payment_hash FROM payment WHERE status = 1
                                        UNION ALL
                                        SELECT payment_hash FROM payment_part WHERE status = 1)";

fn open_payments() -> String {
    format!("{} WHERE {IS_OPEN} ORDER BY number", columns::PAYMENT)
}

fn open_parts() -> String {
    format!("{} WHERE {IS_OPEN} ORDER BY payment_hash, part", columns::PART)
}

/// SQLite would rather take all that are pending, however long expired: it cannot know that most
/// invoices expire unpaid.
fn open_invoices() -> String {
    format!(
        "{} INDEXED BY invoice_open WHERE status = 1 AND expires_ms >= ?1 ORDER BY number",
        columns::INVOICE
    )
}

/// Runs a query and reads each of its rows.
pub(crate) fn rows<T>(
    db: &Connection,
    sql: &str,
    params: impl Params,
    read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = db.prepare_cached(sql)?;
    let mut found = statement.query(params)?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        rows.push(read(row)?);
    }
    Ok(rows)
}

fn height(db: &Connection, setting: &str) -> Result<u32, StoreError> {
    let sql = format!("{} WHERE name = ?1", columns::SETTING);
    let heights = rows(db, &sql, [setting], |row| {
        let (_, value) = columns::setting(row)?;
        let bytes = value.try_into();
        bytes
            .map(u32::from_be_bytes)
            .map_err(|_| Columns::new(row, "setting").error("the height takes four bytes"))
    })?;
    Ok(heights.first().copied().unwrap_or(0))
}

fn forgotten_clients(db: &Connection) -> Result<Vec<ForgottenClient>, StoreError> {
    let sql = format!("{} WHERE name = ?1", columns::SETTING);
    let found = rows(db, &sql, [FORGOTTEN_CLIENTS], |row| {
        let (_, value) = columns::setting(row)?;
        check::forgotten_clients(&value)
            .ok_or_else(|| Columns::new(row, "setting").error("these are no forgotten clients"))
    })?;
    Ok(found.into_iter().next().unwrap_or_default())
}

pub(crate) fn last_number(db: &Connection, table: &'static str) -> Result<u64, StoreError> {
    let sql = format!("SELECT coalesce(max(number), 0) FROM {table}");
    let numbers = rows(db, &sql, [], |row| Columns::new(row, table).number())?;
    Ok(numbers.first().copied().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use steward_engine::row::PaymentStatus;

    use super::*;
    use crate::sqlite::schema;

    /// How SQLite goes about a query: a line for each step.
    fn plan(db: &Connection, sql: &str) -> Vec<String> {
        let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let parameters = vec![0; statement.parameter_count()];
        let steps = statement
            .query_map(rusqlite::params_from_iter(parameters), |row| row.get("detail"))
            .unwrap();
        steps.map(Result::unwrap).collect()
    }

    /// Payments, parts and invoices are kept for good, so a start must not read them all.
    #[test]
    fn what_is_open_is_found_by_index() {
        let mut db = Connection::open_in_memory().unwrap();
        schema::migrate(&mut db).unwrap();
        for (sql, index) in [
            (open_payments(), "payment_status"),
            (open_payments(), "payment_part_open"),
            (open_parts(), "payment_status"),
            (open_parts(), "payment_part_open"),
            (open_invoices(), "invoice_open"),
        ] {
            let plan = plan(&db, &sql);
            assert!(plan.iter().any(|step| step.contains(index)), "{index}: {plan:#?}");
            // A partial index holds nothing but what is asked for.
            let scans = |step: &String| step.starts_with("SCAN") && !step.contains("_open");
            assert!(!plan.iter().any(scans), "{plan:#?}");
        }
    }

    #[test]
    fn the_queries_spell_pending_as_the_rows_do() {
        assert_eq!(columns::status_column(PaymentStatus::Pending), 1);
    }
}
