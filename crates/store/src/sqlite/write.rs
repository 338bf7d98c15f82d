//! One row of a batch into its table. The row was checked before (`check`): casts lose nothing.

use rusqlite::{Connection, ErrorCode, Params, params};
use steward_engine::row::{
    ChannelRow, EvidenceRow, ForwardRow, InvoiceRow, PartRow, PaymentRow, PaymentStatus, PeerRow,
    Row, RowKey,
};

use crate::check::{key_text, table};
use crate::codec;
use crate::error::StoreError;

/// Writes or removes one row.
pub(crate) fn put(db: &Connection, key: &RowKey, row: Option<&Row>) -> Result<(), StoreError> {
    let Some(row) = row else { return delete(db, key) };
    match row {
        Row::Channel(row) => channel(db, row),
        Row::Origin(htlc, origin) => run(
            db,
            "INSERT INTO htlc_origin (peer, htlc_id, origin) VALUES (?1, ?2, ?3)
             ON CONFLICT (peer, htlc_id) DO UPDATE SET origin = excluded.origin",
            params![htlc.peer.0, htlc.id.cast_signed(), codec::encode_origin(origin)],
        ),
        Row::Outbox(htlc, settlement) => run(
            db,
            "INSERT INTO outbox (peer, htlc_id, settlement) VALUES (?1, ?2, ?3)
             ON CONFLICT (peer, htlc_id) DO UPDATE SET settlement = excluded.settlement",
            params![htlc.peer.0, htlc.id.cast_signed(), codec::encode_settlement(settlement)],
        ),
        // Replaced, not updated: a preimage learned again is among the newest again.
        Row::Preimage { preimage, learned_ms } => run(
            db,
            "INSERT OR REPLACE INTO preimage (payment_hash, preimage, learned_ms)
             VALUES (?1, ?2, ?3)",
            params![preimage.hash().0, preimage.0, learned_ms.cast_signed()],
        ),
        Row::Payment(row) => payment(db, row),
        Row::Part(row) => part(db, row),
        Row::Invoice(row) => invoice(db, row),
        // Not every hash is an invoice's: then no row changes.
        Row::InvoiceFailure { payment_hash, code, message } => run(
            db,
            "UPDATE invoice SET failure_code = ?2, failure_message = ?3 WHERE payment_hash = ?1",
            params![payment_hash.0, code, message],
        ),
        Row::Forward(row) => forward(db, row),
        Row::Evidence(number, row) => numbered(evidence(db, *number, row), key),
        Row::Event(event) => numbered(
            execute(
                db,
                "INSERT INTO event (number, time_ms, kind) VALUES (?1, ?2, ?3)",
                params![
                    event.number.cast_signed(),
                    event.time_ms.cast_signed(),
                    codec::encode_event(&event.kind),
                ],
            ),
            key,
        ),
        Row::Peer(row) => peer(db, row),
        Row::Setting(name, value) => setting(db, name, value),
    }
}

fn delete(db: &Connection, key: &RowKey) -> Result<(), StoreError> {
    match key {
        RowKey::Channel(peer) => run(db, "DELETE FROM channel WHERE peer = ?1", [peer.0]),
        RowKey::Origin(htlc) => run(
            db,
            "DELETE FROM htlc_origin WHERE peer = ?1 AND htlc_id = ?2",
            params![htlc.peer.0, htlc.id.cast_signed()],
        ),
        RowKey::Outbox(htlc) => run(
            db,
            "DELETE FROM outbox WHERE peer = ?1 AND htlc_id = ?2",
            params![htlc.peer.0, htlc.id.cast_signed()],
        ),
        RowKey::Preimage(hash) => run(db, "DELETE FROM preimage WHERE payment_hash = ?1", [hash.0]),
        RowKey::Payment(hash) => run(db, "DELETE FROM payment WHERE payment_hash = ?1", [hash.0]),
        RowKey::Part(hash, part) => run(
            db,
            "DELETE FROM payment_part WHERE payment_hash = ?1 AND part = ?2",
            params![hash.0, part],
        ),
        RowKey::Invoice(hash) => run(db, "DELETE FROM invoice WHERE payment_hash = ?1", [hash.0]),
        RowKey::InvoiceFailure(hash) => run(
            db,
            "UPDATE invoice SET failure_code = NULL, failure_message = NULL
             WHERE payment_hash = ?1",
            [hash.0],
        ),
        RowKey::Forward(htlc) => run(
            db,
            "DELETE FROM forward WHERE incoming_peer = ?1 AND incoming_id = ?2",
            params![htlc.peer.0, htlc.id.cast_signed()],
        ),
        RowKey::Evidence(number) => {
            run(db, "DELETE FROM evidence WHERE number = ?1", [number.cast_signed()])
        }
        RowKey::Event(number) => {
            run(db, "DELETE FROM event WHERE number = ?1", [number.cast_signed()])
        }
        RowKey::Peer(peer) => run(db, "DELETE FROM peer WHERE peer = ?1", [peer.0]),
        RowKey::Setting(name) => run(db, "DELETE FROM setting WHERE name = ?1", [name]),
    }
}

fn channel(db: &Connection, row: &ChannelRow) -> Result<(), StoreError> {
    run(
        db,
        "INSERT INTO channel (peer, role, phase, short_channel_id, local_balance_msat,
             remote_balance_msat, record)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (peer) DO UPDATE SET role = excluded.role, phase = excluded.phase,
             short_channel_id = excluded.short_channel_id,
             local_balance_msat = excluded.local_balance_msat,
             remote_balance_msat = excluded.remote_balance_msat, record = excluded.record",
        params![
            row.peer.0,
            codec::role_code(row.role),
            codec::phase_code(row.phase),
            row.short_channel_id.0.cast_signed(),
            row.local_balance_msat.cast_signed(),
            row.remote_balance_msat.cast_signed(),
            row.record,
        ],
    )
}

fn payment(db: &Connection, row: &PaymentRow) -> Result<(), StoreError> {
    let (code, message) = row.failure.as_ref().map(|(code, message)| (code, message)).unzip();
    run(
        db,
        "INSERT INTO payment (payment_hash, destination, amount_msat, fee_msat, max_fee_msat,
             status, preimage, failure_code, failure_message, bolt11, created_ms, ended_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
         ON CONFLICT (payment_hash) DO UPDATE SET destination = excluded.destination,
             amount_msat = excluded.amount_msat, fee_msat = excluded.fee_msat,
             max_fee_msat = excluded.max_fee_msat, status = excluded.status,
             preimage = excluded.preimage, failure_code = excluded.failure_code,
             failure_message = excluded.failure_message, bolt11 = excluded.bolt11,
             created_ms = excluded.created_ms, ended_ms = excluded.ended_ms",
        params![
            row.payment_hash.0,
            row.destination.0,
            row.amount_msat.cast_signed(),
            row.fee_msat.cast_signed(),
            row.max_fee_msat.cast_signed(),
            codec::status_code(row.status),
            row.preimage.map(|preimage| preimage.0),
            code,
            message,
            row.bolt11,
            row.created_ms.cast_signed(),
            row.ended_ms.map(u64::cast_signed),
        ],
    )
}

fn part(db: &Connection, row: &PartRow) -> Result<(), StoreError> {
    run(
        db,
        "INSERT INTO payment_part (payment_hash, part, peer, amount_msat, fee_msat, session_key,
             path, status)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (payment_hash, part) DO UPDATE SET peer = excluded.peer,
             amount_msat = excluded.amount_msat, fee_msat = excluded.fee_msat,
             session_key = excluded.session_key, path = excluded.path, status = excluded.status",
        params![
            row.payment_hash.0,
            row.part,
            row.peer.0,
            row.amount_msat.cast_signed(),
            row.fee_msat.cast_signed(),
            row.session_key,
            codec::encode_path(&row.path),
            codec::status_code(row.status),
        ],
    )
}

/// A row that is paid never changes, and no keysend replaces an invoice: whoever paid one knows
/// its preimage and may send a keysend with it.
fn invoice(db: &Connection, row: &InvoiceRow) -> Result<(), StoreError> {
    let (code, message) = row.failure.as_ref().map(|(code, message)| (code, message)).unzip();
    run(
        db,
        "INSERT INTO invoice (payment_hash, preimage, payment_secret, amount_msat, description,
             bolt11, created_ms, expires_ms, status, received_msat, paid_ms, failure_code,
             failure_message)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
         ON CONFLICT (payment_hash) DO UPDATE SET preimage = excluded.preimage,
             payment_secret = excluded.payment_secret, amount_msat = excluded.amount_msat,
             description = excluded.description, bolt11 = excluded.bolt11,
             created_ms = excluded.created_ms, expires_ms = excluded.expires_ms,
             status = excluded.status, received_msat = excluded.received_msat,
             paid_ms = excluded.paid_ms, failure_code = excluded.failure_code,
             failure_message = excluded.failure_message
         WHERE invoice.status = ?14 AND (excluded.bolt11 <> '' OR invoice.bolt11 = '')",
        params![
            row.payment_hash.0,
            row.preimage.0,
            row.payment_secret,
            row.amount_msat.map(u64::cast_signed),
            row.description,
            row.bolt11,
            row.created_ms.cast_signed(),
            row.expires_ms.cast_signed(),
            codec::status_code(row.status),
            row.received_msat.cast_signed(),
            row.paid_ms.map(u64::cast_signed),
            code,
            message,
            codec::status_code(PaymentStatus::Pending),
        ],
    )
}

fn forward(db: &Connection, row: &ForwardRow) -> Result<(), StoreError> {
    run(
        db,
        "INSERT INTO forward (incoming_peer, incoming_id, outgoing_peer, amount_in_msat,
             amount_out_msat, fulfilled, ended_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (incoming_peer, incoming_id) DO UPDATE SET
             outgoing_peer = excluded.outgoing_peer, amount_in_msat = excluded.amount_in_msat,
             amount_out_msat = excluded.amount_out_msat, fulfilled = excluded.fulfilled,
             ended_ms = excluded.ended_ms",
        params![
            row.incoming.peer.0,
            row.incoming.id.cast_signed(),
            row.outgoing_peer.0,
            row.amount_in_msat.cast_signed(),
            row.amount_out_msat.cast_signed(),
            row.fulfilled,
            row.ended_ms.cast_signed(),
        ],
    )
}

fn evidence(db: &Connection, number: u64, row: &EvidenceRow) -> rusqlite::Result<()> {
    execute(
        db,
        "INSERT INTO evidence (number, peer, time_ms, what, message_type, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            number.cast_signed(),
            row.peer.0,
            row.time_ms.cast_signed(),
            row.what,
            row.message_type,
            row.body,
        ],
    )
}

fn peer(db: &Connection, row: &PeerRow) -> Result<(), StoreError> {
    run(
        db,
        "INSERT INTO peer (peer, is_host, addresses, framing) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (peer) DO UPDATE SET is_host = excluded.is_host,
             addresses = excluded.addresses, framing = excluded.framing",
        params![
            row.peer.0,
            row.is_host,
            codec::encode_addresses(&row.addresses),
            row.framing.map(codec::framing_code),
        ],
    )
}

/// Writes a setting, the engine's or the store's own.
pub(crate) fn setting(db: &Connection, name: &str, value: &[u8]) -> Result<(), StoreError> {
    run(
        db,
        "INSERT INTO setting (name, value) VALUES (?1, ?2)
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        params![name, value],
    )
}

/// The engine numbers these rows and never writes one twice.
fn numbered(result: rusqlite::Result<()>, key: &RowKey) -> Result<(), StoreError> {
    match result {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
            let reason = "the number is taken";
            Err(StoreError::BadRow { table: table(key), key: key_text(key), reason })
        }
        result => Ok(result?),
    }
}

fn run(db: &Connection, sql: &str, params: impl Params) -> Result<(), StoreError> {
    Ok(execute(db, sql, params)?)
}

fn execute(db: &Connection, sql: &str, params: impl Params) -> rusqlite::Result<()> {
    db.prepare_cached(sql)?.execute(params).map(|_| ())
}
