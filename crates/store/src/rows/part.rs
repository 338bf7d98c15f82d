//! Table `payment_part`: the HTLCs of our payments. Kept for good.

use steward_engine::row::{PartRow, PaymentStatus, Row};
use steward_wire::codec::put_list;
use steward_wire::{DecodeError, NodeId, PaymentHash, PaymentId, ShortChannelId};

use super::blob::{VERSION, decode};
use super::column::{Columns, Value, values};
use super::hashed::{ByHash, Hashed};
use super::status::{status, status_code};
use super::{LiveId, Table, Write};
use crate::error::StoreError;

/// The table `payment_part`.
pub(crate) struct Parts;

impl Write for Parts {
    const NAME: &'static str = "payment_part";
    const PUT: &'static str =
        "INSERT INTO payment_part (payment, part, link, amount_msat, fee_msat, session_key, path,
             status)
         SELECT ?8, ?1, ?2, ?3, ?4, ?5, ?6, ?7 WHERE ?8 IS NOT NULL
         ON CONFLICT (payment, part) DO UPDATE SET link = excluded.link,
             amount_msat = excluded.amount_msat, fee_msat = excluded.fee_msat,
             session_key = excluded.session_key, path = excluded.path, status = excluded.status";
    const DELETE: Option<&'static str> =
        Some("DELETE FROM payment_part WHERE payment = ?2 AND part = ?1");
    const REFUSAL: Option<&'static str> = Some("its payment is not stored");
    type Put<'a> = &'a PartRow;
    type Key = (PaymentId, u32);

    fn values(row: Self::Put<'_>) -> Vec<Value<'_>> {
        values![
            row.part,
            &row.link.0,
            row.amount_msat,
            row.fee_msat,
            &row.session_key,
            encode_path(&row.path),
            status_code(row.status),
        ]
        .into()
    }

    fn key((_, part): Self::Key) -> Vec<Value<'static>> {
        values![part].into()
    }

    /// The payment: a part lies with it.
    fn by_hash((payment, _): Self::Key) -> Option<ByHash> {
        Some(ByHash { table: Hashed::Payment, hash: PaymentHash(payment.0), is_made: false })
    }

    fn numbers(row: Self::Put<'_>) -> Vec<u64> {
        vec![row.amount_msat, row.fee_msat]
    }

    fn name((payment, part): Self::Key) -> String {
        format!("{payment}, {part}")
    }

    fn live_id((payment, part): Self::Key) -> Option<LiveId> {
        Some(LiveId::new(5, &payment.0, u64::from(part)))
    }

    fn live_content(row: Self::Put<'_>) -> Option<Vec<u8>> {
        let mut bytes = row.payment.0.to_vec();
        bytes.extend(row.part.to_be_bytes());
        bytes.extend(row.link.0);
        bytes.extend(row.amount_msat.to_be_bytes());
        bytes.extend(row.fee_msat.to_be_bytes());
        bytes.extend(row.session_key);
        bytes.extend(encode_path(&row.path));
        (row.status == PaymentStatus::Pending).then_some(bytes)
    }
}

impl Table for Parts {
    const SELECT: &'static str =
        "SELECT payment_hash, part, link, payment_part.amount_msat, payment_part.fee_msat,
            session_key, path, payment_part.status
         FROM payment_part JOIN payment ON payment.number = payment_part.payment";
    type Read = PartRow;

    fn read(c: &mut Columns<'_>) -> Result<PartRow, StoreError> {
        Ok(PartRow {
            payment: c.hash()?.into(),
            part: c.small()?,
            link: c.link()?,
            amount_msat: c.number()?,
            fee_msat: c.number()?,
            session_key: c.array()?,
            path: c.blob(decode_path)?,
            status: c.code(status)?,
        })
    }

    fn whole(row: PartRow) -> Option<Row> {
        Some(Row::Part(row))
    }
}

/// Writes the blob of a path.
pub fn encode_path(path: &[(NodeId, ShortChannelId)]) -> Vec<u8> {
    let mut out = vec![VERSION];
    put_list(&mut out, path, |(node, channel), out| {
        out.extend(node.0);
        out.extend(channel.0.to_be_bytes());
    });
    out
}

/// Reads [`encode_path`]'s blob.
///
/// # Errors
/// Fails if it is not one.
pub fn decode_path(blob: &[u8]) -> Result<Vec<(NodeId, ShortChannelId)>, DecodeError> {
    decode(blob, |reader| reader.list(33 + 8, |r| Ok((r.node_id()?, r.scid()?))))
}
