//! The parts of a record, one function each way.

use bitcoin::hashes::Hash;
use bitcoin::{OutPoint, Txid};
use steward_wire::codec::{Reader, Wire, put_list, put_var_u16};
use steward_wire::limits::SIGNATURE_BYTES;
use steward_wire::{ChannelUpdate, DecodeError, Signature};

use crate::bolt3::{Basepoints, Close, Format, Parameters, Shachain, Side, SideTerms};
use crate::codec::{
    put_key, put_option, put_point, put_u16, put_u32, put_u64, read_bool, read_key, read_option,
    read_point,
};
use crate::io::CloseReason;
use crate::limits::{MAX_FUNDING_SAT, MAX_SIGNED_CLOSES};
use crate::live::{
    Closing, Funding, LocalCommitment, OwnCommitment, Pending, RemoteCommitments, Shutdown,
    SignedClose,
};

/// The smallest closing transaction in a record, in bytes.
const CLOSE_BYTES: usize = 16 + 4 + 2 * SIGNATURE_BYTES;

pub(super) fn put_parameters(out: &mut Vec<u8>, parameters: &Parameters) {
    out.push(u8::from(parameters.format == Format::Anchors));
    out.extend_from_slice(&parameters.funding.txid.to_byte_array());
    put_u32(out, parameters.funding.vout);
    put_u64(out, parameters.funding_sat);
    out.push(u8::from(parameters.funder == Side::Remote));
    put_terms(out, &parameters.local);
    put_terms(out, &parameters.remote);
}

pub(super) fn read_parameters(reader: &mut Reader<'_>) -> Result<Parameters, DecodeError> {
    let format = if read_bool(reader)? { Format::Anchors } else { Format::StaticRemotekey };
    let txid = Txid::from_byte_array(reader.array()?);
    let funding = OutPoint { txid, vout: reader.u32()? };
    let funding_sat = reader.u64()?;
    if funding.vout > u32::from(u16::MAX) || funding_sat > MAX_FUNDING_SAT {
        return Err(DecodeError::BadValue);
    }
    let funder = if read_bool(reader)? { Side::Remote } else { Side::Local };
    let (local, remote) = (read_terms(reader)?, read_terms(reader)?);
    Ok(Parameters { format, funding, funding_sat, funder, local, remote })
}

fn put_terms(out: &mut Vec<u8>, terms: &SideTerms) {
    let keys = &terms.basepoints;
    for key in [keys.funding, keys.revocation, keys.payment, keys.delayed_payment, keys.htlc] {
        put_point(out, &key);
    }
    put_u64(out, terms.dust_limit_sat);
    put_u16(out, terms.to_self_delay);
    put_u64(out, terms.max_in_flight_msat);
    put_u16(out, terms.max_accepted_htlcs);
    put_u64(out, terms.htlc_minimum_msat);
    put_u64(out, terms.reserve_sat);
    put_var_u16(out, &terms.shutdown_script);
}

fn read_terms(reader: &mut Reader<'_>) -> Result<SideTerms, DecodeError> {
    Ok(SideTerms {
        basepoints: Basepoints {
            funding: read_point(reader)?,
            revocation: read_point(reader)?,
            payment: read_point(reader)?,
            delayed_payment: read_point(reader)?,
            htlc: read_point(reader)?,
        },
        dust_limit_sat: reader.u64()?,
        to_self_delay: reader.u16()?,
        max_in_flight_msat: reader.u64()?,
        max_accepted_htlcs: reader.u16()?,
        htlc_minimum_msat: reader.u64()?,
        reserve_sat: reader.u64()?,
        shutdown_script: reader.var_u16()?.to_vec(),
    })
}

fn put_signatures(out: &mut Vec<u8>, signature: &Signature, htlc_signatures: &[Signature]) {
    out.extend_from_slice(&signature.0);
    put_list(out, htlc_signatures, |signature, out| out.extend_from_slice(&signature.0));
}

fn read_signatures(reader: &mut Reader<'_>) -> Result<(Signature, Vec<Signature>), DecodeError> {
    Ok((reader.signature()?, reader.list(SIGNATURE_BYTES, Reader::signature)?))
}

pub(super) fn put_local(out: &mut Vec<u8>, local: &LocalCommitment) {
    put_u64(out, local.number);
    put_signatures(out, &local.signature, &local.htlc_signatures);
}

pub(super) fn read_local(reader: &mut Reader<'_>) -> Result<LocalCommitment, DecodeError> {
    let number = reader.u64()?;
    let (signature, htlc_signatures) = read_signatures(reader)?;
    Ok(LocalCommitment { number, signature, htlc_signatures })
}

pub(super) fn put_remote(out: &mut Vec<u8>, remote: &RemoteCommitments) {
    put_u64(out, remote.number);
    put_point(out, &remote.point);
    put_option(out, remote.next_point.as_ref(), put_point);
    put_option(out, remote.pending.as_ref(), |out, pending| {
        put_signatures(out, &pending.signature, &pending.htlc_signatures);
        put_list(out, &pending.updates, |key, out| put_key(out, *key));
        out.push(u8::from(pending.is_before_revocation));
    });
    put_u64(out, remote.secrets.count());
    let secrets: Vec<[u8; 32]> = remote.secrets.stored().collect();
    put_list(out, &secrets, |secret, out| out.extend_from_slice(secret));
}

pub(super) fn read_remote(reader: &mut Reader<'_>) -> Result<RemoteCommitments, DecodeError> {
    let (number, point) = (reader.u64()?, read_point(reader)?);
    let next_point = read_option(reader, read_point)?;
    let pending = read_option(reader, |reader| {
        let (signature, htlc_signatures) = read_signatures(reader)?;
        let updates = reader.list(9, read_key)?;
        let is_before_revocation = read_bool(reader)?;
        Ok(Pending { signature, htlc_signatures, updates, is_before_revocation })
    })?;
    let count = reader.u64()?;
    let secrets = reader.list(32, Reader::array)?;
    let secrets = Shachain::from_stored(count, &secrets).map_err(|_| DecodeError::BadValue)?;
    Ok(RemoteCommitments { number, point, next_point, pending, secrets })
}

pub(super) fn put_funding(out: &mut Vec<u8>, funding: &Funding) {
    put_option(out, funding.scid, |out, scid| put_u64(out, scid.0));
    out.push(u8::from(funding.is_ready));
    put_option(out, funding.peer_alias, |out, scid| put_u64(out, scid.0));
}

pub(super) fn read_funding(reader: &mut Reader<'_>) -> Result<Funding, DecodeError> {
    Ok(Funding {
        scid: read_option(reader, Reader::scid)?,
        is_ready: read_bool(reader)?,
        peer_alias: read_option(reader, Reader::scid)?,
    })
}

pub(super) fn put_policy(out: &mut Vec<u8>, policy: Option<&ChannelUpdate>) {
    put_option(out, policy, |out, policy| put_var_u16(out, &policy.encode()));
}

pub(super) fn read_policy(reader: &mut Reader<'_>) -> Result<Option<ChannelUpdate>, DecodeError> {
    read_option(reader, |reader| ChannelUpdate::decode(reader.var_u16()?))
}

pub(super) fn put_shutdown(out: &mut Vec<u8>, shutdown: &Shutdown) {
    out.push(u8::from(shutdown.is_ours));
    put_option(out, shutdown.theirs.as_ref(), |out, script| put_var_u16(out, script));
    put_list(out, &shutdown.signed, |signed, out| {
        let close = &signed.close;
        put_u64(out, close.to_local_sat);
        put_u64(out, close.to_remote_sat);
        put_var_u16(out, &close.local_script);
        put_var_u16(out, &close.remote_script);
        out.extend_from_slice(&signed.ours.0);
        out.extend_from_slice(&signed.theirs.0);
    });
}

pub(super) fn read_shutdown(reader: &mut Reader<'_>) -> Result<Shutdown, DecodeError> {
    let is_ours = read_bool(reader)?;
    let theirs = read_option(reader, |reader| Ok(reader.var_u16()?.to_vec()))?;
    let signed = reader.list(CLOSE_BYTES, |reader| {
        let (to_local_sat, to_remote_sat) = (reader.u64()?, reader.u64()?);
        if to_local_sat > MAX_FUNDING_SAT || to_remote_sat > MAX_FUNDING_SAT {
            return Err(DecodeError::BadValue);
        }
        let (local, remote) = (reader.var_u16()?, reader.var_u16()?);
        let (local_script, remote_script) = (local.to_vec(), remote.to_vec());
        let close = Close { to_local_sat, to_remote_sat, local_script, remote_script };
        Ok(SignedClose { close, ours: reader.signature()?, theirs: reader.signature()? })
    })?;
    if signed.len() > MAX_SIGNED_CLOSES {
        return Err(DecodeError::BadValue);
    }
    Ok(Shutdown { is_ours, theirs, signed })
}

pub(super) fn put_closing(out: &mut Vec<u8>, closing: Option<&Closing>) {
    put_option(out, closing, |out, closing| {
        put_reason(out, &closing.reason);
        out.push(match closing.own {
            OwnCommitment::Held => 0,
            OwnCommitment::Published => 1,
            OwnCommitment::Never => 2,
        });
        put_u32(out, closing.height);
    });
}

pub(super) fn read_closing(reader: &mut Reader<'_>) -> Result<Option<Closing>, DecodeError> {
    read_option(reader, |reader| {
        let reason = read_reason(reader)?;
        let own = match reader.u8()? {
            0 => OwnCommitment::Held,
            1 => OwnCommitment::Published,
            2 => OwnCommitment::Never,
            _ => return Err(DecodeError::BadValue),
        };
        Ok(Closing { reason, own, height: reader.u32()? })
    })
}

fn put_reason(out: &mut Vec<u8>, reason: &CloseReason) {
    let (kind, id, text) = match reason {
        CloseReason::Operator => (0, 0, ""),
        CloseReason::PeerFault(text) => (1, 0, text.as_str()),
        CloseReason::PeerError(text) => (2, 0, text.as_str()),
        CloseReason::OutgoingExpired { id } => (3, *id, ""),
        CloseReason::IncomingAtRisk { id } => (4, *id, ""),
        CloseReason::DataLost => (5, 0, ""),
        CloseReason::PeerBehind => (6, 0, ""),
        CloseReason::Spent => (7, 0, ""),
        CloseReason::WrongFunding => (8, 0, ""),
    };
    out.push(kind);
    put_u64(out, id);
    put_var_u16(out, text.as_bytes());
}

fn read_reason(reader: &mut Reader<'_>) -> Result<CloseReason, DecodeError> {
    let (kind, id) = (reader.u8()?, reader.u64()?);
    let text = std::str::from_utf8(reader.var_u16()?).map_err(|_| DecodeError::NotUtf8)?.to_owned();
    let takes_id = matches!(kind, 3 | 4);
    let takes_text = matches!(kind, 1 | 2);
    if (!takes_id && id != 0) || (!takes_text && !text.is_empty()) {
        return Err(DecodeError::BadValue);
    }
    Ok(match kind {
        0 => CloseReason::Operator,
        1 => CloseReason::PeerFault(text),
        2 => CloseReason::PeerError(text),
        3 => CloseReason::OutgoingExpired { id },
        4 => CloseReason::IncomingAtRisk { id },
        5 => CloseReason::DataLost,
        6 => CloseReason::PeerBehind,
        7 => CloseReason::Spent,
        8 => CloseReason::WrongFunding,
        _ => return Err(DecodeError::BadValue),
    })
}
