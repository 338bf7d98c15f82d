//! Table `evidence`: messages that may have to be shown to a person or a court.

use steward_engine::row::{EvidenceRow, EvidenceSummary, Row};
use steward_wire::LinkId;

use super::column::{Columns, Value, values};
use super::{Table, Write};
use crate::error::StoreError;
use crate::store::NumberedEvidence;

/// The table `evidence`.
pub(crate) struct Evidence;

impl Write for Evidence {
    const NAME: &'static str = "evidence";
    const PUT: &'static str =
        "INSERT INTO evidence (number, peer, link, time_ms, what, message_type, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (number) DO NOTHING";
    const DELETE: Option<&'static str> = Some("DELETE FROM evidence WHERE number = ?1");
    const REFUSAL: Option<&'static str> = Some("the number is taken");
    type Put<'a> = (u64, &'a EvidenceRow);
    type Key = u64;

    fn values((number, row): Self::Put<'_>) -> Vec<Value<'_>> {
        values![
            number,
            &row.peer.0,
            row.link.as_ref().map(|link| &link.0),
            row.time_ms,
            row.what.as_str(),
            row.message_type,
            row.body.as_slice(),
        ]
        .into()
    }

    fn key(number: Self::Key) -> Vec<Value<'static>> {
        values![number].into()
    }

    fn numbers((number, row): Self::Put<'_>) -> Vec<u64> {
        vec![number, row.time_ms]
    }

    fn name(number: Self::Key) -> String {
        number.to_string()
    }
}

impl Table for Evidence {
    const SELECT: &'static str =
        "SELECT number, peer, link, time_ms, what, message_type, body, number FROM evidence";
    type Read = NumberedEvidence;

    fn read(c: &mut Columns<'_>) -> Result<NumberedEvidence, StoreError> {
        Ok(NumberedEvidence {
            number: c.number()?,
            row: EvidenceRow {
                peer: c.node()?,
                link: c.optional_array()?.map(LinkId),
                time_ms: c.number()?,
                what: c.text()?,
                message_type: c.small()?,
                body: c.bytes()?.to_vec(),
            },
        })
    }

    fn whole(NumberedEvidence { number, row }: NumberedEvidence) -> Option<Row> {
        Some(Row::Evidence(number, row))
    }
}

/// Finds all rows without their bodies: a database knows the length without reading one.
pub(crate) const SELECT_SUMMARIES: &str =
    "SELECT number, peer, what, message_type, length(body) FROM evidence ORDER BY number";

/// Reads a row of [`SELECT_SUMMARIES`].
pub(crate) fn read_summary(c: &mut Columns<'_>) -> Result<EvidenceSummary, StoreError> {
    Ok(EvidenceSummary {
        number: c.number()?,
        peer: c.node()?,
        what: c.text()?,
        message_type: c.small()?,
        body_bytes: c.number()?,
    })
}
