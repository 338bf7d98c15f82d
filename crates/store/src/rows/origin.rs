//! Table `htlc_origin`: the origin of each HTLC that we offered, until it has ended.

use steward_engine::row::{Origin, Row};
use steward_htlc::{IncomingHtlcId, OutgoingHtlcId};
use steward_wire::{DecodeError, PaymentId};

use super::blob::{VERSION_WITH_LINK, decode_version, link};
use super::column::{Columns, Value, values};
use super::{LiveId, Table, Write};
use crate::error::StoreError;

/// The table `htlc_origin`.
pub(crate) struct Origins;

impl Write for Origins {
    const NAME: &'static str = "htlc_origin";
    const PUT: &'static str = "INSERT INTO htlc_origin (link, htlc_id, origin) VALUES (?1, ?2, ?3)
         ON CONFLICT (link, htlc_id) DO UPDATE SET origin = excluded.origin";
    const DELETE: Option<&'static str> =
        Some("DELETE FROM htlc_origin WHERE link = ?1 AND htlc_id = ?2");
    type Put<'a> = (&'a OutgoingHtlcId, &'a Origin);
    type Key = OutgoingHtlcId;

    fn values((htlc, origin): Self::Put<'_>) -> Vec<Value<'_>> {
        values![&htlc.link.0, htlc.id, encode_origin(origin)].into()
    }

    fn key(htlc: Self::Key) -> Vec<Value<'static>> {
        values![htlc.link.0.to_vec(), htlc.id].into()
    }

    fn name(htlc: Self::Key) -> String {
        format!("{}, {}", htlc.link, htlc.id)
    }

    fn live_id(htlc: Self::Key) -> Option<LiveId> {
        Some(LiveId::new(2, &htlc.link.0, htlc.id))
    }

    fn live_content((htlc, origin): Self::Put<'_>) -> Option<Vec<u8>> {
        let mut bytes = htlc.link.0.to_vec();
        bytes.extend(htlc.id.to_be_bytes());
        bytes.extend(encode_origin(origin));
        Some(bytes)
    }
}

impl Table for Origins {
    const SELECT: &'static str = "SELECT link, htlc_id, origin FROM htlc_origin";
    type Read = (OutgoingHtlcId, Origin);

    fn read(c: &mut Columns<'_>) -> Result<(OutgoingHtlcId, Origin), StoreError> {
        let htlc = OutgoingHtlcId { link: c.link()?, id: c.bits()? };
        Ok((htlc, c.blob(decode_origin)?))
    }

    fn whole((htlc, origin): (OutgoingHtlcId, Origin)) -> Option<Row> {
        Some(Row::Origin(htlc, origin))
    }
}

/// Writes the blob of an [`Origin`].
pub fn encode_origin(origin: &Origin) -> Vec<u8> {
    let mut out = vec![VERSION_WITH_LINK];
    match origin {
        Origin::Forward(incoming) => {
            out.push(1);
            out.extend(incoming.link.0);
            out.extend(incoming.id.to_be_bytes());
        }
        Origin::Payment { payment, part } => {
            out.push(2);
            out.extend(payment.0);
            out.extend(part.to_be_bytes());
        }
    }
    out
}

/// Reads [`encode_origin`]'s blob.
///
/// # Errors
/// Fails if it is not one.
pub fn decode_origin(blob: &[u8]) -> Result<Origin, DecodeError> {
    decode_version(VERSION_WITH_LINK, blob, |reader| match reader.u8()? {
        1 => Ok(Origin::Forward(IncomingHtlcId { link: link(reader)?, id: reader.u64()? })),
        2 => Ok(Origin::Payment { payment: PaymentId(reader.array()?), part: reader.u32()? }),
        _ => Err(DecodeError::BadValue),
    })
}
