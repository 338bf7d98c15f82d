//! Table `htlc_origin`: where each HTLC that we offered comes from, until it has ended.

use steward_engine::row::{HtlcKey, Origin, Row};
use steward_wire::DecodeError;

use super::blob::{VERSION, decode, htlc, put_htlc};
use super::column::{Columns, Value, values};
use super::{LiveId, Table, Write};
use crate::error::StoreError;

/// The table.
pub(crate) struct Origins;

impl Write for Origins {
    const NAME: &'static str = "htlc_origin";
    const PUT: &'static str = "INSERT INTO htlc_origin (peer, htlc_id, origin) VALUES (?1, ?2, ?3)
         ON CONFLICT (peer, htlc_id) DO UPDATE SET origin = excluded.origin";
    const DELETE: &'static str = "DELETE FROM htlc_origin WHERE peer = ?1 AND htlc_id = ?2";
    type Put<'a> = (&'a HtlcKey, &'a Origin);
    type Key = HtlcKey;

    fn values((htlc, origin): Self::Put<'_>) -> Vec<Value<'_>> {
        values![&htlc.peer.0, htlc.id, encode_origin(origin)].into()
    }

    fn key(htlc: Self::Key) -> Vec<Value<'static>> {
        values![htlc.peer.0.to_vec(), htlc.id].into()
    }

    fn name(htlc: Self::Key) -> String {
        format!("{}, {}", htlc.peer, htlc.id)
    }

    fn live_id(htlc: Self::Key) -> Option<LiveId> {
        Some(LiveId::new(2, &htlc.peer.0, htlc.id))
    }

    fn live_content((htlc, origin): Self::Put<'_>) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        put_htlc(&mut bytes, htlc);
        bytes.extend(encode_origin(origin));
        Some(bytes)
    }
}

impl Table for Origins {
    const SELECT: &'static str = "SELECT peer, htlc_id, origin FROM htlc_origin";
    type Read = (HtlcKey, Origin);

    fn read(c: &mut Columns<'_>) -> Result<(HtlcKey, Origin), StoreError> {
        Ok((c.htlc()?, c.blob(decode_origin)?))
    }

    fn whole((htlc, origin): (HtlcKey, Origin)) -> Option<Row> {
        Some(Row::Origin(htlc, origin))
    }
}

/// Writes the blob of an [`Origin`].
pub fn encode_origin(origin: &Origin) -> Vec<u8> {
    let mut out = vec![VERSION];
    match origin {
        Origin::Forward(key) => {
            out.push(1);
            put_htlc(&mut out, key);
        }
        Origin::Payment { payment_hash, part } => {
            out.push(2);
            out.extend(payment_hash.0);
            out.extend(part.to_be_bytes());
        }
    }
    out
}

/// Reads [`encode_origin`]'s blob.
///
/// # Errors
/// If it is not one.
pub fn decode_origin(blob: &[u8]) -> Result<Origin, DecodeError> {
    decode(blob, |reader| match reader.u8()? {
        1 => Ok(Origin::Forward(htlc(reader)?)),
        2 => Ok(Origin::Payment { payment_hash: reader.payment_hash()?, part: reader.u32()? }),
        _ => Err(DecodeError::BadValue),
    })
}
