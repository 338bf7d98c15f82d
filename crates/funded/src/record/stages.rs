//! The HTLCs of a record: their stages. What else belongs to them is in rows of their own.

use std::collections::BTreeMap;

use steward_htlc::Settlement;
use steward_wire::DecodeError;
use steward_wire::codec::Reader;

use super::RecordError;
use crate::bolt3::{HtlcKey, Side};
use crate::codec::{put_key, put_option, put_u16, put_u32, put_u64, read_key, read_option};
use crate::ledger::{Feerates, Ledger, OurHtlc, OurStage, TheirHtlc, TheirStage};
use crate::limits::MAX_ACCEPTED_HTLCS;
use crate::rows::{HtlcRow, read_row};
use steward_wire::{Onion, PaymentHash, UpdateAddHtlc};

/// Stages that are durable, with their bytes. What the peer has sent and not signed is none.
const OUR_STAGES: [(u8, OurStage); 5] = [
    (0, OurStage::Signed),
    (1, OurStage::Acked),
    (2, OurStage::Committed),
    (3, OurStage::RemoveRevoked),
    (4, OurStage::RemoveSigned),
];
const THEIR_STAGES: [(u8, TheirStage); 5] = [
    (0, TheirStage::Revoked),
    (1, TheirStage::Signed),
    (2, TheirStage::Committed),
    (3, TheirStage::RemoveSigned),
    (4, TheirStage::RemoveAcked),
];
/// HTLCs of the peer's that may be in a record at once: those in flight, and those that were
/// removed and wait for the last signature.
const MAX_HTLCS: usize = 4 * MAX_ACCEPTED_HTLCS as usize;

pub(super) fn put_ledger(out: &mut Vec<u8>, ledger: &Ledger) {
    put_u64(out, ledger.local_msat);
    put_u64(out, ledger.remote_msat);
    put_u32(out, ledger.feerates.committed);
    put_option(out, ledger.feerates.signed, put_u32);
    put_option(out, ledger.feerates.revoked, put_u32);
    put_u64(out, ledger.our_next_id);
    put_u64(out, ledger.signed_by_peer());
    let mut stages = Vec::new();
    for (id, htlc) in &ledger.ours {
        let durable = match htlc.stage {
            OurStage::RemoveReceived => OurStage::Committed,
            stage => stage,
        };
        let byte = OUR_STAGES.iter().find(|(_, stage)| *stage == durable).map(|(byte, _)| *byte);
        stages.extend(byte.map(|byte| (HtlcKey { offered_by: Side::Local, id: *id }, byte)));
    }
    for (id, htlc) in &ledger.theirs {
        let byte = THEIR_STAGES.iter().find(|(_, stage)| *stage == htlc.stage);
        let key = HtlcKey { offered_by: Side::Remote, id: *id };
        stages.extend(byte.map(|(byte, _)| (key, *byte)));
    }
    put_u16(out, u16::try_from(stages.len()).unwrap_or(u16::MAX));
    for (key, stage) in stages {
        put_key(out, key);
        out.push(stage);
    }
}

pub(super) fn read_ledger(reader: &mut Reader<'_>) -> Result<Ledger, DecodeError> {
    let (local_msat, remote_msat) = (reader.msat()?, reader.msat()?);
    let feerates = Feerates {
        committed: reader.u32()?,
        signed: read_option(reader, Reader::u32)?,
        revoked: read_option(reader, Reader::u32)?,
        received: None,
    };
    let mut ledger = Ledger::new(local_msat, remote_msat, feerates.committed);
    ledger.feerates = feerates;
    ledger.our_next_id = reader.u64()?;
    ledger.their_next_id = reader.u64()?;
    let stages = reader.list(10, |reader| Ok((read_key(reader)?, reader.u8()?)))?;
    if stages.len() > MAX_HTLCS || !stages.is_sorted_by(|(a, _), (b, _)| a < b) {
        return Err(DecodeError::BadValue);
    }
    for (key, byte) in stages {
        // The row follows; until then the HTLC is of nothing.
        let add = empty_add(key.id);
        match key.offered_by {
            Side::Local => {
                let stage = find(&OUR_STAGES, byte)?;
                let htlc = OurHtlc { add, stage, preimage: None, removal: None };
                ledger.ours.insert(key.id, htlc);
            }
            Side::Remote => {
                let stage = find(&THEIR_STAGES, byte)?;
                ledger.theirs.insert(key.id, TheirHtlc { add, stage, answer: None });
            }
        }
    }
    let ours_fit = ledger.ours.keys().all(|id| *id < ledger.our_next_id);
    let theirs_fit = ledger.theirs.keys().all(|id| *id < ledger.their_next_id);
    if ours_fit && theirs_fit { Ok(ledger) } else { Err(DecodeError::BadValue) }
}

fn find<S: Copy>(stages: &[(u8, S)], byte: u8) -> Result<S, DecodeError> {
    let found = stages.iter().find(|(of, _)| *of == byte);
    found.map(|(_, stage)| *stage).ok_or(DecodeError::BadValue)
}

fn empty_add(id: u64) -> UpdateAddHtlc {
    UpdateAddHtlc {
        channel_id: steward_wire::ChannelId::ZERO,
        id,
        amount_msat: 0,
        payment_hash: PaymentHash([0; 32]),
        cltv_expiry: 0,
        onion: Onion(std::sync::Arc::new([0; steward_wire::limits::ONION_BYTES])),
        tlvs: Vec::new(),
    }
}

/// Puts the rows into the ledger: one for each HTLC, and no other.
pub(super) fn add_rows<'a>(
    ledger: &mut Ledger,
    rows: impl IntoIterator<Item = (HtlcKey, &'a [u8])>,
) -> Result<(), RecordError> {
    let mut by_key = BTreeMap::new();
    for (key, bytes) in rows {
        let row = read_row(bytes)?;
        if row.add.id != key.id || by_key.insert(key, row).is_some() {
            return Err(RecordError::WrongRows);
        }
    }
    for (id, htlc) in &mut ledger.ours {
        let key = HtlcKey { offered_by: Side::Local, id: *id };
        let HtlcRow { add, preimage, settlement } =
            by_key.remove(&key).ok_or(RecordError::WrongRows)?;
        if preimage.is_some_and(|preimage| preimage.hash() != add.payment_hash) {
            return Err(RecordError::Contradiction("a preimage is of another HTLC"));
        }
        let is_removed = htlc.stage > OurStage::RemoveReceived;
        if is_removed != settlement.is_some() {
            return Err(RecordError::Contradiction("a removal and a stage differ"));
        }
        check_settlement(&add, settlement.as_ref())?;
        *htlc = OurHtlc { add, stage: htlc.stage, preimage, removal: settlement };
    }
    for (id, htlc) in &mut ledger.theirs {
        let key = HtlcKey { offered_by: Side::Remote, id: *id };
        let HtlcRow { add, settlement, .. } = by_key.remove(&key).ok_or(RecordError::WrongRows)?;
        let is_removed = htlc.stage > TheirStage::Committed;
        let may_have = htlc.stage >= TheirStage::Committed;
        if (is_removed && settlement.is_none()) || (!may_have && settlement.is_some()) {
            return Err(RecordError::Contradiction("an answer and a stage differ"));
        }
        check_settlement(&add, settlement.as_ref())?;
        *htlc = TheirHtlc { add, stage: htlc.stage, answer: settlement };
    }
    if by_key.is_empty() { Ok(()) } else { Err(RecordError::WrongRows) }
}

fn check_settlement(
    add: &UpdateAddHtlc,
    settlement: Option<&Settlement>,
) -> Result<(), RecordError> {
    match settlement {
        Some(Settlement::Fulfill { preimage, .. }) if preimage.hash() != add.payment_hash => {
            Err(RecordError::Contradiction("a preimage is of another HTLC"))
        }
        _ => Ok(()),
    }
}
