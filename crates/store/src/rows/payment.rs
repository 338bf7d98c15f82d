//! Table `payment`: our payments. Kept for good.

use steward_engine::row::{PaymentRow, PaymentStatus, Row};
use steward_wire::codec::put_var_bigsize;
use steward_wire::{PaymentHash, PaymentId, Preimage};

use super::column::{Columns, Value, values};
use super::hashed::{ByHash, Hashed};
use super::status::{kind, kind_code, status, status_code};
use super::{LiveId, Table, Write};
use crate::error::StoreError;

/// The table `payment`.
pub(crate) struct Payments;

impl Write for Payments {
    const NAME: &'static str = "payment";
    const PUT: &'static str =
        "INSERT INTO payment (payment_hash, destination, amount_msat, fee_msat, max_fee_msat,
             status, preimage, failure_code, failure_message, kind, bolt11, created_ms, ended_ms,
             number)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
         ON CONFLICT (number) DO UPDATE SET destination = excluded.destination,
             amount_msat = excluded.amount_msat, fee_msat = excluded.fee_msat,
             max_fee_msat = excluded.max_fee_msat, status = excluded.status,
             preimage = excluded.preimage, failure_code = excluded.failure_code,
             failure_message = excluded.failure_message, kind = excluded.kind,
             bolt11 = excluded.bolt11,
             created_ms = excluded.created_ms, ended_ms = excluded.ended_ms";
    /// Payments are kept for good: parts are found by them.
    const DELETE: Option<&'static str> = None;
    type Put<'a> = &'a PaymentRow;
    type Key = PaymentId;

    fn values(row: Self::Put<'_>) -> Vec<Value<'_>> {
        let (code, message) =
            row.failure.as_ref().map(|(code, message)| (code.as_str(), message.as_str())).unzip();
        values![
            &row.payment_hash.0,
            &row.destination.0,
            row.amount_msat,
            row.fee_msat,
            row.max_fee_msat,
            status_code(row.status),
            row.preimage.as_ref().map(|preimage| &preimage.0),
            code,
            message,
            kind_code(&row.kind),
            row.kind.bolt11().unwrap_or_default(),
            row.created_ms,
            row.ended_ms,
        ]
        .into()
    }

    fn key(_payment: Self::Key) -> Vec<Value<'static>> {
        Vec::new()
    }

    fn by_hash(payment: Self::Key) -> Option<ByHash> {
        Some(ByHash { table: Hashed::Payment, hash: PaymentHash(payment.0), is_made: true })
    }

    fn numbers(row: Self::Put<'_>) -> Vec<u64> {
        let ended_ms = row.ended_ms.unwrap_or(0);
        vec![row.amount_msat, row.fee_msat, row.max_fee_msat, row.created_ms, ended_ms]
    }

    fn name(payment: Self::Key) -> String {
        payment.to_string()
    }

    fn live_id(payment: Self::Key) -> Option<LiveId> {
        Some(LiveId::new(4, &payment.0, 0))
    }

    /// A payment that has ended changes no more.
    fn live_content(row: Self::Put<'_>) -> Option<Vec<u8>> {
        let mut bytes = [row.payment_hash.0.as_slice(), &row.destination.0].concat();
        for number in [row.amount_msat, row.fee_msat, row.max_fee_msat, row.created_ms] {
            bytes.extend(number.to_be_bytes());
        }
        bytes.extend([status_code(row.status), kind_code(&row.kind)]);
        put_var_bigsize(&mut bytes, row.kind.bolt11().unwrap_or_default().as_bytes());
        is_open(row.status).then_some(bytes)
    }
}

impl Table for Payments {
    const SELECT: &'static str =
        "SELECT payment_hash, destination, amount_msat, fee_msat, max_fee_msat, status, preimage,
            failure_code, failure_message, kind, bolt11, created_ms, ended_ms, number FROM payment";
    type Read = PaymentRow;

    fn read(c: &mut Columns<'_>) -> Result<PaymentRow, StoreError> {
        Ok(PaymentRow {
            payment_hash: c.hash()?,
            destination: c.node()?,
            amount_msat: c.number()?,
            fee_msat: c.number()?,
            max_fee_msat: c.number()?,
            status: c.code(status)?,
            preimage: c.optional_array()?.map(Preimage),
            failure: c.failure()?,
            kind: kind(c)?,
            created_ms: c.number()?,
            ended_ms: c.optional_number()?,
        })
    }

    fn whole(row: PaymentRow) -> Option<Row> {
        Some(Row::Payment(row))
    }
}

/// True if the payment may still change: [`open_payments`](crate::sql::load) are those.
pub(crate) fn is_open(status: PaymentStatus) -> bool {
    matches!(status, PaymentStatus::Pending | PaymentStatus::Unknown)
}
