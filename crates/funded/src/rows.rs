//! Rows beside the record: one for each HTLC, written when it is signed and when its answer is
//! known, and one for each commitment of the peer's, which punishes it once it is revoked.
//!
//! The record has the stages only, so that a change does not write all onions again.

use bitcoin::secp256k1::PublicKey;
use steward_htlc::Settlement;
use steward_wire::codec::{Reader, Wire, put_list, put_var_u16};
use steward_wire::{DecodeError, Preimage, UpdateAddHtlc};

use crate::bolt3::{BuiltCommitment, CommitmentHtlc, Contents};
use crate::codec::{
    put_key, put_option, put_point, put_settlement, put_u32, put_u64, read_key, read_option,
    read_point, read_settlement,
};
use crate::ledger::{OurHtlc, OurStage, TheirHtlc};

const VERSION: u8 = 1;
/// The smallest HTLC of an archived commitment, in bytes.
const ARCHIVED_HTLC_BYTES: usize = 9 + 8 + 32 + 4 + 1;

/// A commitment of the peer's, as it was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchivedCommitment {
    /// Its per-commitment point.
    pub point: PublicKey,
    /// What it holds.
    pub contents: Contents,
    /// The output of each HTLC; `None` if it is too small for one.
    pub outputs: Vec<Option<u32>>,
}

/// An HTLC's row, without its stage, which the record has.
pub(crate) struct HtlcRow {
    pub(crate) add: UpdateAddHtlc,
    pub(crate) preimage: Option<Preimage>,
    pub(crate) settlement: Option<Settlement>,
}

pub(crate) fn our_row(htlc: &OurHtlc) -> Vec<u8> {
    // A removal that the peer has not signed is forgotten with the connection.
    let is_signed = htlc.stage > OurStage::RemoveReceived;
    row(&htlc.add, htlc.preimage, htlc.removal.as_ref().filter(|_| is_signed))
}

pub(crate) fn their_row(htlc: &TheirHtlc) -> Vec<u8> {
    row(&htlc.add, None, htlc.answer.as_ref())
}

fn row(
    add: &UpdateAddHtlc,
    preimage: Option<Preimage>,
    settlement: Option<&Settlement>,
) -> Vec<u8> {
    let mut out = vec![VERSION];
    put_var_u16(&mut out, &add.encode());
    put_option(&mut out, preimage, |out, preimage| out.extend_from_slice(&preimage.0));
    put_option(&mut out, settlement, put_settlement);
    out
}

pub(crate) fn read_row(bytes: &[u8]) -> Result<HtlcRow, DecodeError> {
    let mut reader = Reader::new(bytes);
    if reader.u8()? != VERSION {
        return Err(DecodeError::BadValue);
    }
    let row = HtlcRow {
        add: UpdateAddHtlc::decode(reader.var_u16()?)?,
        preimage: read_option(&mut reader, Reader::preimage)?,
        settlement: read_option(&mut reader, read_settlement)?,
    };
    reader.end()?;
    Ok(row)
}

pub(crate) fn archive_row(
    point: &PublicKey,
    built: &BuiltCommitment,
    contents: &Contents,
) -> Vec<u8> {
    let mut out = vec![VERSION];
    put_point(&mut out, point);
    put_u64(&mut out, contents.local_msat);
    put_u64(&mut out, contents.remote_msat);
    put_u32(&mut out, contents.feerate_per_kw);
    put_list(&mut out, built.htlcs(), |(htlc, output), out| {
        put_key(out, htlc.key);
        put_u64(out, htlc.amount_msat);
        out.extend_from_slice(&htlc.payment_hash.0);
        put_u32(out, htlc.cltv_expiry);
        put_option(out, *output, put_u32);
    });
    out
}

impl ArchivedCommitment {
    /// Reads the row of [`Output::Archive`](crate::Output::Archive).
    ///
    /// # Errors
    /// If the bytes are no such row.
    pub fn decode(row: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(row);
        if reader.u8()? != VERSION {
            return Err(DecodeError::BadValue);
        }
        let point = read_point(&mut reader)?;
        let (local_msat, remote_msat) = (reader.msat()?, reader.msat()?);
        let feerate_per_kw = reader.u32()?;
        let read = |reader: &mut Reader<'_>| {
            let htlc = CommitmentHtlc {
                key: read_key(reader)?,
                amount_msat: reader.msat()?,
                payment_hash: reader.payment_hash()?,
                cltv_expiry: reader.u32()?,
            };
            Ok((htlc, read_option(reader, Reader::u32)?))
        };
        let (htlcs, outputs) = reader.list(ARCHIVED_HTLC_BYTES, read)?.into_iter().unzip();
        reader.end()?;
        let contents = Contents { local_msat, remote_msat, feerate_per_kw, htlcs };
        Ok(Self { point, contents, outputs })
    }
}
