//! The versioned blobs inside the tables: origins, settlements, events, paths, addresses.
//!
//! The first byte is the version, the rest is big-endian (docs/state-format.md, "Blobs"). A
//! format never changes: a new one gets the next version, and the old one stays readable.

use steward_engine::io::EventKind;
use steward_engine::row::{HtlcKey, Origin, PaymentStatus, Settlement};
use steward_hosted::{Failure, Role, Suspension};
use steward_wire::codec::{Reader, put_list, put_var_bigsize};
use steward_wire::{DecodeError, Framing, NodeId, ShortChannelId};

/// The first byte of every blob.
pub const VERSION: u8 = 1;

/// Writes the blob of an [`Origin`].
pub fn encode_origin(origin: &Origin) -> Vec<u8> {
    let mut out = vec![VERSION];
    match origin {
        Origin::Forward(key) => {
            out.push(1);
            put_htlc_key(&mut out, key);
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
        1 => Ok(Origin::Forward(htlc_key(reader)?)),
        2 => Ok(Origin::Payment { payment_hash: reader.payment_hash()?, part: reader.u32()? }),
        _ => Err(DecodeError::BadValue),
    })
}

/// Writes the blob of a [`Settlement`].
pub fn encode_settlement(settlement: &Settlement) -> Vec<u8> {
    let mut out = vec![VERSION];
    match settlement {
        Settlement::Fulfill(preimage) => {
            out.push(1);
            out.extend(preimage.0);
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
/// If it is not one.
pub fn decode_settlement(blob: &[u8]) -> Result<Settlement, DecodeError> {
    decode(blob, |reader| match reader.u8()? {
        1 => Ok(Settlement::Fulfill(reader.preimage()?)),
        2 => Ok(Settlement::Fail(Failure::Reason {
            reason: reader.var_bigsize()?.to_vec(),
            tlvs: reader.var_bigsize()?.to_vec(),
        })),
        3 => Ok(Settlement::Fail(Failure::Malformed {
            sha256_of_onion: reader.array()?,
            failure_code: reader.u16()?,
        })),
        _ => Err(DecodeError::BadValue),
    })
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
/// If it is not one.
pub fn decode_path(blob: &[u8]) -> Result<Vec<(NodeId, ShortChannelId)>, DecodeError> {
    decode(blob, |reader| reader.list(33 + 8, |r| Ok((r.node_id()?, r.scid()?))))
}

/// Writes the blob of a list of addresses.
pub fn encode_addresses(addresses: &[String]) -> Vec<u8> {
    let mut out = vec![VERSION];
    put_list(&mut out, addresses, |address, out| put_text(out, address));
    out
}

/// Reads [`encode_addresses`]'s blob.
///
/// # Errors
/// If it is not one.
pub fn decode_addresses(blob: &[u8]) -> Result<Vec<String>, DecodeError> {
    decode(blob, |reader| reader.list(1, text))
}

/// Writes the blob of an event, without its number and time: they are columns.
pub fn encode_event(kind: &EventKind) -> Vec<u8> {
    let mut out = vec![VERSION];
    match kind {
        EventKind::ChannelOpened { peer, role, capacity_msat } => {
            put_tag_and_peer(&mut out, 1, peer);
            out.push(role_code(*role));
            out.extend(capacity_msat.to_be_bytes());
        }
        EventKind::ChannelOpeningFailed { peer, reason } => {
            put_tag_and_peer(&mut out, 2, peer);
            put_text(&mut out, reason);
        }
        EventKind::ChannelSuspended { peer, suspension } => {
            put_tag_and_peer(&mut out, 3, peer);
            put_suspension(&mut out, suspension);
        }
        EventKind::OverrideProposed { peer, our_balance_msat } => {
            put_tag_and_peer(&mut out, 4, peer);
            out.extend(our_balance_msat.to_be_bytes());
        }
        EventKind::ChannelOverridden { peer } => put_tag_and_peer(&mut out, 5, peer),
        EventKind::ChannelResized { peer, capacity_msat } => {
            put_tag_and_peer(&mut out, 6, peer);
            out.extend(capacity_msat.to_be_bytes());
        }
        EventKind::ResizeRefused { peer, reason } => {
            put_tag_and_peer(&mut out, 14, peer);
            put_text(&mut out, reason);
        }
        EventKind::ChannelForgotten { peer, role } => {
            put_tag_and_peer(&mut out, 13, peer);
            out.push(role_code(*role));
        }
        EventKind::InvoicePaid { payment_hash, received_msat } => {
            out.push(7);
            out.extend(payment_hash.0);
            out.extend(received_msat.to_be_bytes());
        }
        EventKind::PaymentSent { payment_hash, preimage, amount_msat, fee_msat } => {
            out.push(8);
            out.extend(payment_hash.0);
            out.extend(preimage.0);
            out.extend(amount_msat.to_be_bytes());
            out.extend(fee_msat.to_be_bytes());
        }
        EventKind::PaymentFailed { payment_hash, code, message } => {
            out.push(9);
            out.extend(payment_hash.0);
            put_text(&mut out, code);
            put_text(&mut out, message);
        }
        EventKind::PreimageAtRisk { peer, preimage, cltv_expiry } => {
            let tag = if preimage.is_some() { 11 } else { 10 };
            put_tag_and_peer(&mut out, tag, peer);
            out.extend(cltv_expiry.to_be_bytes());
            out.extend(preimage.iter().flat_map(|preimage| preimage.0));
        }
        EventKind::ClockJumped { by_ms } => {
            out.push(12);
            out.extend(by_ms.to_be_bytes());
        }
    }
    out
}

/// Reads [`encode_event`]'s blob.
///
/// # Errors
/// If it is not one.
pub fn decode_event(blob: &[u8]) -> Result<EventKind, DecodeError> {
    decode(blob, |reader| match reader.u8()? {
        1 => Ok(EventKind::ChannelOpened {
            peer: reader.node_id()?,
            role: event_role(reader)?,
            capacity_msat: reader.u64()?,
        }),
        2 => Ok(EventKind::ChannelOpeningFailed { peer: reader.node_id()?, reason: text(reader)? }),
        3 => Ok(EventKind::ChannelSuspended {
            peer: reader.node_id()?,
            suspension: suspension(reader)?,
        }),
        4 => Ok(EventKind::OverrideProposed {
            peer: reader.node_id()?,
            our_balance_msat: reader.u64()?,
        }),
        5 => Ok(EventKind::ChannelOverridden { peer: reader.node_id()? }),
        6 => {
            Ok(EventKind::ChannelResized { peer: reader.node_id()?, capacity_msat: reader.u64()? })
        }
        7 => Ok(EventKind::InvoicePaid {
            payment_hash: reader.payment_hash()?,
            received_msat: reader.u64()?,
        }),
        8 => Ok(EventKind::PaymentSent {
            payment_hash: reader.payment_hash()?,
            preimage: reader.preimage()?,
            amount_msat: reader.u64()?,
            fee_msat: reader.u64()?,
        }),
        9 => Ok(EventKind::PaymentFailed {
            payment_hash: reader.payment_hash()?,
            code: text(reader)?,
            message: text(reader)?,
        }),
        10 => Ok(EventKind::PreimageAtRisk {
            peer: reader.node_id()?,
            cltv_expiry: reader.u32()?,
            preimage: None,
        }),
        11 => Ok(EventKind::PreimageAtRisk {
            peer: reader.node_id()?,
            cltv_expiry: reader.u32()?,
            preimage: Some(reader.preimage()?),
        }),
        12 => Ok(EventKind::ClockJumped { by_ms: reader.u64()?.cast_signed() }),
        13 => {
            Ok(EventKind::ChannelForgotten { peer: reader.node_id()?, role: event_role(reader)? })
        }
        14 => Ok(EventKind::ResizeRefused { peer: reader.node_id()?, reason: text(reader)? }),
        _ => Err(DecodeError::BadValue),
    })
}

fn event_role(reader: &mut Reader<'_>) -> Result<Role, DecodeError> {
    role(i64::from(reader.u8()?)).ok_or(DecodeError::BadValue)
}

/// How a [`Role`] is stored.
pub(crate) fn role_code(role: Role) -> u8 {
    match role {
        Role::Host => 1,
        Role::Client => 2,
    }
}

/// Reads [`role_code`].
pub(crate) fn role(code: i64) -> Option<Role> {
    match code {
        1 => Some(Role::Host),
        2 => Some(Role::Client),
        _ => None,
    }
}

/// How a [`Phase`](steward_hosted::Phase) is stored.
pub(crate) fn phase_code(phase: steward_hosted::Phase) -> u8 {
    use steward_hosted::Phase;
    match phase {
        Phase::Opening => 1,
        Phase::Offline => 2,
        Phase::Syncing => 3,
        Phase::Active => 4,
        Phase::Suspended => 5,
    }
}

/// Reads [`phase_code`].
pub(crate) fn phase(code: i64) -> Option<steward_hosted::Phase> {
    use steward_hosted::Phase;
    match code {
        1 => Some(Phase::Opening),
        2 => Some(Phase::Offline),
        3 => Some(Phase::Syncing),
        4 => Some(Phase::Active),
        5 => Some(Phase::Suspended),
        _ => None,
    }
}

/// How a [`PaymentStatus`] is stored. The schema's partial indexes repeat the 1 of a pending one.
pub(crate) fn status_code(status: PaymentStatus) -> u8 {
    match status {
        PaymentStatus::Pending => 1,
        PaymentStatus::Complete => 2,
        PaymentStatus::Failed => 3,
    }
}

/// Reads [`status_code`].
pub(crate) fn status(code: i64) -> Option<PaymentStatus> {
    match code {
        1 => Some(PaymentStatus::Pending),
        2 => Some(PaymentStatus::Complete),
        3 => Some(PaymentStatus::Failed),
        _ => None,
    }
}

pub(crate) fn framing_code(framing: Framing) -> u8 {
    match framing {
        Framing::Modern => 1,
        Framing::Legacy => 2,
    }
}

/// Reads [`framing_code`].
pub(crate) fn framing(code: i64) -> Option<Framing> {
    match code {
        1 => Some(Framing::Modern),
        2 => Some(Framing::Legacy),
        _ => None,
    }
}

/// Checks the version, and that `read` leaves nothing behind.
fn decode<'a, T>(
    blob: &'a [u8],
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, DecodeError>,
) -> Result<T, DecodeError> {
    let mut reader = Reader::new(blob);
    if reader.u8()? != VERSION {
        return Err(DecodeError::BadValue);
    }
    let value = read(&mut reader)?;
    reader.end()?;
    Ok(value)
}

fn put_htlc_key(out: &mut Vec<u8>, key: &HtlcKey) {
    out.extend(key.peer.0);
    out.extend(key.id.to_be_bytes());
}

fn htlc_key(reader: &mut Reader<'_>) -> Result<HtlcKey, DecodeError> {
    Ok(HtlcKey { peer: reader.node_id()?, id: reader.u64()? })
}

fn put_tag_and_peer(out: &mut Vec<u8>, tag: u8, peer: &NodeId) {
    out.push(tag);
    out.extend(peer.0);
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_var_bigsize(out, text.as_bytes());
}

fn text(reader: &mut Reader<'_>) -> Result<String, DecodeError> {
    String::from_utf8(reader.var_bigsize()?.to_vec()).map_err(|_| DecodeError::NotUtf8)
}

fn put_suspension(out: &mut Vec<u8>, suspension: &Suspension) {
    out.push(u8::from(suspension.by_us));
    out.push(u8::from(suspension.code.is_some()));
    out.extend(suspension.code.unwrap_or(0).to_be_bytes());
    put_text(out, &suspension.text);
}

fn suspension(reader: &mut Reader<'_>) -> Result<Suspension, DecodeError> {
    let by_us = flag(reader)?;
    let has_code = flag(reader)?;
    let code = reader.u16()?;
    if !has_code && code != 0 {
        return Err(DecodeError::BadValue);
    }
    Ok(Suspension { by_us, code: has_code.then_some(code), text: text(reader)? })
}

/// One byte, 0 or 1: unlike on the wire, nothing else is ever written.
fn flag(reader: &mut Reader<'_>) -> Result<bool, DecodeError> {
    match reader.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(DecodeError::BadValue),
    }
}
