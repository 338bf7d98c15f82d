//! Table `forward`: the forwards from one channel to another, for the books.

use steward_engine::row::{ForwardRow, Row};
use steward_htlc::IncomingHtlcId;

use super::column::{Columns, Value, values};
use super::{Table, Write};
use crate::error::StoreError;

/// The table `forward`. The schema's triggers keep the sums over it, which outlive its rows.
pub(crate) struct Forwards;

impl Write for Forwards {
    const NAME: &'static str = "forward";
    const PUT: &'static str =
        "INSERT INTO forward (incoming_link, incoming_id, incoming_peer, outgoing_link,
             outgoing_peer, amount_in_msat, amount_out_msat, fulfilled, ended_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (incoming_link, incoming_id) DO UPDATE SET
             outgoing_link = excluded.outgoing_link, outgoing_peer = excluded.outgoing_peer,
             amount_in_msat = excluded.amount_in_msat, amount_out_msat = excluded.amount_out_msat,
             fulfilled = excluded.fulfilled, ended_ms = excluded.ended_ms";
    const DELETE: Option<&'static str> =
        Some("DELETE FROM forward WHERE incoming_link = ?1 AND incoming_id = ?2");
    type Put<'a> = &'a ForwardRow;
    type Key = IncomingHtlcId;

    fn values(row: Self::Put<'_>) -> Vec<Value<'_>> {
        values![
            &row.incoming.link.0,
            row.incoming.id,
            &row.incoming_peer.0,
            &row.outgoing.0,
            &row.outgoing_peer.0,
            row.amount_in_msat,
            row.amount_out_msat,
            row.fulfilled,
            row.ended_ms,
        ]
        .into()
    }

    fn key(incoming: Self::Key) -> Vec<Value<'static>> {
        values![incoming.link.0.to_vec(), incoming.id].into()
    }

    fn numbers(row: Self::Put<'_>) -> Vec<u64> {
        vec![row.amount_in_msat, row.amount_out_msat, row.ended_ms]
    }

    fn name(incoming: Self::Key) -> String {
        format!("{}, {}", incoming.link, incoming.id)
    }
}

impl Table for Forwards {
    const SELECT: &'static str = "SELECT incoming_link, incoming_id, incoming_peer, outgoing_link,
        outgoing_peer, amount_in_msat, amount_out_msat, fulfilled, ended_ms, number FROM forward";
    type Read = ForwardRow;

    fn read(c: &mut Columns<'_>) -> Result<ForwardRow, StoreError> {
        Ok(ForwardRow {
            incoming: c.incoming()?,
            incoming_peer: c.node()?,
            outgoing: c.link()?,
            outgoing_peer: c.node()?,
            amount_in_msat: c.number()?,
            amount_out_msat: c.number()?,
            fulfilled: c.flag()?,
            ended_ms: c.number()?,
        })
    }

    fn whole(row: ForwardRow) -> Option<Row> {
        Some(Row::Forward(row))
    }
}
