//! Table `event`: the numbered events, for subscribers that were away.

use steward_engine::row::Row;
use steward_engine::{Event, EventKind};
use steward_hosted::{Role, Suspension};
use steward_wire::codec::Reader;
use steward_wire::{DecodeError, LinkId, NodeId};

use super::blob::{VERSION, VERSION_WITH_LINK, decode_version, flag, link, put_text, text};
use super::channel::{role, role_code};
use super::column::{Columns, Value, values};
use super::{Table, Write};
use crate::error::StoreError;

/// The table `event`.
pub(crate) struct Events;

impl Write for Events {
    const NAME: &'static str = "event";
    const PUT: &'static str = "INSERT INTO event (number, time_ms, kind) VALUES (?1, ?2, ?3)
         ON CONFLICT (number) DO NOTHING";
    const DELETE: Option<&'static str> = Some("DELETE FROM event WHERE number = ?1");
    const REFUSAL: Option<&'static str> = Some("the number is taken");
    type Put<'a> = &'a Event;
    type Key = u64;

    fn values(event: Self::Put<'_>) -> Vec<Value<'_>> {
        values![event.number, event.time_ms, encode_event(&event.kind)].into()
    }

    fn key(number: Self::Key) -> Vec<Value<'static>> {
        values![number].into()
    }

    fn numbers(event: Self::Put<'_>) -> Vec<u64> {
        vec![event.number, event.time_ms]
    }

    fn name(number: Self::Key) -> String {
        number.to_string()
    }
}

impl Table for Events {
    const SELECT: &'static str = "SELECT number, time_ms, kind FROM event";
    type Read = Event;

    fn read(c: &mut Columns<'_>) -> Result<Event, StoreError> {
        Ok(Event { number: c.number()?, time_ms: c.number()?, kind: c.blob(decode_event)? })
    }

    fn whole(event: Event) -> Option<Row> {
        Some(Row::Event(event))
    }
}

/// Writes the blob of an event, without its number and time: they are columns.
pub fn encode_event(kind: &EventKind) -> Vec<u8> {
    let mut out = Vec::new();
    match kind {
        EventKind::ChannelOpened { peer, link, role, capacity_msat } => {
            put_channel(&mut out, 1, peer, link);
            out.push(role_code(*role));
            out.extend(capacity_msat.to_be_bytes());
        }
        EventKind::ChannelOpeningFailed { peer, link, reason } => {
            put_channel(&mut out, 2, peer, link);
            put_text(&mut out, reason);
        }
        EventKind::ChannelSuspended { peer, link, suspension } => {
            put_channel(&mut out, 3, peer, link);
            put_suspension(&mut out, suspension);
        }
        EventKind::OverrideProposed { peer, link, our_balance_msat } => {
            put_channel(&mut out, 4, peer, link);
            out.extend(our_balance_msat.to_be_bytes());
        }
        EventKind::ChannelOverridden { peer, link } => put_channel(&mut out, 5, peer, link),
        EventKind::ChannelResized { peer, link, capacity_msat } => {
            put_channel(&mut out, 6, peer, link);
            out.extend(capacity_msat.to_be_bytes());
        }
        EventKind::ResizeRefused { peer, link, reason } => {
            put_channel(&mut out, 14, peer, link);
            put_text(&mut out, reason);
        }
        EventKind::ChannelForgotten { peer, link, role } => {
            put_channel(&mut out, 13, peer, link);
            out.push(role_code(*role));
        }
        EventKind::InvoicePaid { payment_hash, received_msat } => {
            out.extend([VERSION, 7]);
            out.extend(payment_hash.0);
            out.extend(received_msat.to_be_bytes());
        }
        EventKind::PaymentSent { payment_hash, preimage, amount_msat, fee_msat } => {
            out.extend([VERSION, 8]);
            out.extend(payment_hash.0);
            out.extend(preimage.0);
            out.extend(amount_msat.to_be_bytes());
            out.extend(fee_msat.to_be_bytes());
        }
        EventKind::PaymentFailed { payment_hash, code, message } => {
            out.extend([VERSION, 9]);
            out.extend(payment_hash.0);
            put_text(&mut out, code);
            put_text(&mut out, message);
        }
        EventKind::PreimageAtRisk { peer, link, preimage, cltv_expiry } => {
            let tag = if preimage.is_some() { 11 } else { 10 };
            put_channel(&mut out, tag, peer, link);
            out.extend(cltv_expiry.to_be_bytes());
            out.extend(preimage.iter().flat_map(|preimage| preimage.0));
        }
        EventKind::ClockJumped { by_ms } => {
            out.extend([VERSION, 12]);
            out.extend(by_ms.to_be_bytes());
        }
    }
    out
}

/// Reads [`encode_event`]'s blob.
///
/// # Errors
/// Fails if it is not one.
pub fn decode_event(blob: &[u8]) -> Result<EventKind, DecodeError> {
    let names_link = blob.first() == Some(&VERSION_WITH_LINK);
    let version = if names_link { VERSION_WITH_LINK } else { VERSION };
    decode_version(version, blob, |reader| {
        let tag = reader.u8()?;
        match tag {
            7 | 8 | 9 | 12 if names_link => Err(DecodeError::BadValue),
            7 | 8 | 9 | 12 => node_event(tag, reader),
            _ => {
                let peer = reader.node_id()?;
                let link = if names_link { Some(link(reader)?) } else { None };
                channel_event(tag, peer, link, reader)
            }
        }
    })
}

/// Reads an event that is about no channel.
fn node_event(tag: u8, reader: &mut Reader<'_>) -> Result<EventKind, DecodeError> {
    match tag {
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
        12 => Ok(EventKind::ClockJumped { by_ms: reader.u64()?.cast_signed() }),
        _ => Err(DecodeError::BadValue),
    }
}

fn channel_event(
    tag: u8,
    peer: NodeId,
    link: Option<LinkId>,
    reader: &mut Reader<'_>,
) -> Result<EventKind, DecodeError> {
    match tag {
        1 => {
            let (role, capacity_msat) = (event_role(reader)?, reader.u64()?);
            Ok(EventKind::ChannelOpened { peer, link, role, capacity_msat })
        }
        2 => Ok(EventKind::ChannelOpeningFailed { peer, link, reason: text(reader)? }),
        3 => Ok(EventKind::ChannelSuspended { peer, link, suspension: suspension(reader)? }),
        4 => Ok(EventKind::OverrideProposed { peer, link, our_balance_msat: reader.u64()? }),
        5 => Ok(EventKind::ChannelOverridden { peer, link }),
        6 => Ok(EventKind::ChannelResized { peer, link, capacity_msat: reader.u64()? }),
        10 | 11 => {
            let cltv_expiry = reader.u32()?;
            let preimage = if tag == 11 { Some(reader.preimage()?) } else { None };
            Ok(EventKind::PreimageAtRisk { peer, link, preimage, cltv_expiry })
        }
        13 => Ok(EventKind::ChannelForgotten { peer, link, role: event_role(reader)? }),
        14 => Ok(EventKind::ResizeRefused { peer, link, reason: text(reader)? }),
        _ => Err(DecodeError::BadValue),
    }
}

/// Writes the version, tag and names of an event of a channel.
fn put_channel(out: &mut Vec<u8>, tag: u8, peer: &NodeId, link: &Option<LinkId>) {
    let version = if link.is_some() { VERSION_WITH_LINK } else { VERSION };
    out.extend([version, tag]);
    out.extend(peer.0);
    out.extend(link.iter().flat_map(|link| link.0));
}

fn event_role(reader: &mut Reader<'_>) -> Result<Role, DecodeError> {
    role(i64::from(reader.u8()?)).ok_or(DecodeError::BadValue)
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
