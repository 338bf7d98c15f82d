//! Table `outbox`: the settlement of each incoming HTLC, until its channel repeats it.

use steward_engine::row::Row;
use steward_htlc::{Failure, IncomingHtlcId, Settlement};
use steward_wire::DecodeError;
use steward_wire::codec::put_var_bigsize;

use super::blob::{VERSION, decode};
use super::column::{Columns, Value, values};
use super::{LiveId, Table, Write};
use crate::error::StoreError;

/// The table `outbox`.
pub(crate) struct Outbox;

impl Write for Outbox {
    const NAME: &'static str = "outbox";
    const PUT: &'static str = "INSERT INTO outbox (link, htlc_id, settlement) VALUES (?1, ?2, ?3)
         ON CONFLICT (link, htlc_id) DO UPDATE SET settlement = excluded.settlement";
    const DELETE: Option<&'static str> =
        Some("DELETE FROM outbox WHERE link = ?1 AND htlc_id = ?2");
    type Put<'a> = (&'a IncomingHtlcId, &'a Settlement);
    type Key = IncomingHtlcId;

    fn values((htlc, settlement): Self::Put<'_>) -> Vec<Value<'_>> {
        values![&htlc.link.0, htlc.id, encode_settlement(settlement)].into()
    }

    fn key(htlc: Self::Key) -> Vec<Value<'static>> {
        values![htlc.link.0.to_vec(), htlc.id].into()
    }

    fn name(htlc: Self::Key) -> String {
        format!("{}, {}", htlc.link, htlc.id)
    }

    fn live_id(htlc: Self::Key) -> Option<LiveId> {
        Some(LiveId::new(3, &htlc.link.0, htlc.id))
    }

    fn live_content((htlc, settlement): Self::Put<'_>) -> Option<Vec<u8>> {
        let mut bytes = htlc.link.0.to_vec();
        bytes.extend(htlc.id.to_be_bytes());
        bytes.extend(encode_settlement(settlement));
        Some(bytes)
    }
}

impl Table for Outbox {
    const SELECT: &'static str = "SELECT link, htlc_id, settlement FROM outbox";
    type Read = (IncomingHtlcId, Settlement);

    fn read(c: &mut Columns<'_>) -> Result<(IncomingHtlcId, Settlement), StoreError> {
        Ok((c.incoming()?, c.blob(decode_settlement)?))
    }

    fn whole((htlc, settlement): (IncomingHtlcId, Settlement)) -> Option<Row> {
        Some(Row::Outbox(htlc, settlement))
    }
}

/// Writes the blob of a [`Settlement`].
pub fn encode_settlement(settlement: &Settlement) -> Vec<u8> {
    let mut out = vec![VERSION];
    match settlement {
        Settlement::Fulfill { preimage, tlvs } if tlvs.is_empty() => {
            out.push(1);
            out.extend(preimage.0);
        }
        Settlement::Fulfill { preimage, tlvs } => {
            out.push(4);
            out.extend(preimage.0);
            put_var_bigsize(&mut out, tlvs);
        }
        Settlement::Fail(Failure::Reason { reason, tlvs }) => {
            out.push(2);
            put_var_bigsize(&mut out, reason);
            put_var_bigsize(&mut out, tlvs);
        }
        Settlement::Fail(Failure::Malformed { sha256_of_onion, failure_code }) => {
            out.push(3);
            out.extend(sha256_of_onion);
            out.extend(failure_code.to_be_bytes());
        }
    }
    out
}

/// Reads [`encode_settlement`]'s blob.
///
/// # Errors
/// Fails if it is not one.
pub fn decode_settlement(blob: &[u8]) -> Result<Settlement, DecodeError> {
    decode(blob, |reader| match reader.u8()? {
        1 => Ok(Settlement::Fulfill { preimage: reader.preimage()?, tlvs: Vec::new() }),
        2 => Ok(Settlement::Fail(Failure::Reason {
            reason: reader.var_bigsize()?.to_vec(),
            tlvs: reader.var_bigsize()?.to_vec(),
        })),
        3 => Ok(Settlement::Fail(Failure::Malformed {
            sha256_of_onion: reader.array()?,
            failure_code: reader.u16()?,
        })),
        4 => match (reader.preimage()?, reader.var_bigsize()?) {
            (_, []) => Err(DecodeError::BadValue),
            (preimage, tlvs) => Ok(Settlement::Fulfill { preimage, tlvs: tlvs.to_vec() }),
        },
        _ => Err(DecodeError::BadValue),
    })
}
