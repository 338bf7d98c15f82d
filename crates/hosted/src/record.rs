//! The durable form of a channel. States and updates are kept as the wire's own bytes, so that
//! what was signed stays provable byte for byte.
//!
//! `version u8 | role u8 | local 33 | remote 33`, then sections in a fixed order, each a u32
//! length and that many bytes; an empty section is an absent value.

use std::collections::{BTreeMap, BTreeSet};

use steward_wire::codec::{Reader, Wire, put_var_u16};
use steward_wire::{
    ChannelUpdate, DecodeError, ErrorCode, InitHostedChannel, LastCrossSignedState, Message,
    ResizeChannel, StateOverride,
};

use crate::channel::{Body, Channel};
use crate::commitment::{Commitment, Counters, Outcome};
use crate::errors::Fault;
use crate::io::Role;
use crate::next_state::Update;
use crate::open::{Open, SinceStart, Suspended};
use crate::opening::Opening;
use crate::pair::Pair;

/// Raised whenever the layout changes. Version 1 has no section of held HTLCs.
const VERSION: u8 = 2;
const OLDEST_VERSION: u8 = 1;

const ROLE_HOST: u8 = 1;
const ROLE_CLIENT: u8 = 2;
const OUTCOME_FULFILLED: u8 = 1;
const OUTCOME_EXPIRED: u8 = 2;
const OUTCOME_PUBLISHED: u8 = 3;
const OUTCOME_UNKNOWN: u8 = 4;

/// The reason why bytes are not a channel's record: they are damaged, or newer than this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// A newer program wrote the record.
    #[error("the record has version {0}, which this program does not know")]
    UnknownVersion(u8),
    /// The record is damaged.
    #[error("the record is damaged: {0}")]
    Damaged(#[from] DecodeError),
}

impl Channel {
    /// Encodes everything that must survive a restart.
    pub fn record(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        out.push(match self.pair().role {
            Role::Host => ROLE_HOST,
            Role::Client => ROLE_CLIENT,
        });
        out.extend_from_slice(&self.pair().local.0);
        out.extend_from_slice(&self.pair().remote.0);
        put_section(&mut out, |out| {
            if let Body::Opening(opening) = self.body() {
                write_opening(out, opening);
            }
        });
        let open = self.open();
        put_section(&mut out, |out| write_option(out, open.map(|open| open.commitment.signed())));
        write_rest(&mut out, open);
        out
    }

    /// Decodes a channel that was recorded. Its peer is not connected.
    ///
    /// # Errors
    /// If the bytes are not a record this program can read.
    pub fn from_record(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut reader = Reader::new(bytes);
        let version = reader.u8()?;
        if !(OLDEST_VERSION..=VERSION).contains(&version) {
            return Err(RecordError::UnknownVersion(version));
        }
        let role = match reader.u8()? {
            ROLE_HOST => Role::Host,
            ROLE_CLIENT => Role::Client,
            _ => return Err(DecodeError::BadValue.into()),
        };
        let pair = Pair::new(role, reader.node_id()?, reader.node_id()?);
        let opening = read_opening(section(&mut reader)?, role)?;
        let signed: Option<LastCrossSignedState> = read_option(section(&mut reader)?)?;
        let rest = read_rest(&mut reader, version)?;
        reader.end()?;
        let body = match (opening, signed) {
            (Some(opening), None) if rest == Rest::default() => Body::Opening(opening),
            (None, Some(signed)) => Body::Open(Box::new(rest.on_top_of(signed))),
            _ => return Err(DecodeError::BadValue.into()),
        };
        Ok(Self::offline(pair, body))
    }
}

/// What an open channel remembers beside the signed state.
#[derive(Default, PartialEq)]
struct Rest {
    local: Vec<Update>,
    remote: Vec<Update>,
    outcomes: BTreeMap<u64, Outcome>,
    held: BTreeSet<u64>,
    suspended: Option<Suspended>,
    override_proposal: Option<StateOverride>,
    resize: Option<ResizeChannel>,
    peer_policy: Option<ChannelUpdate>,
}

impl Rest {
    fn on_top_of(self, signed: LastCrossSignedState) -> Open {
        let Self { local, remote, outcomes, held, .. } = self;
        Open {
            commitment: Commitment::from_record(signed, local, remote, outcomes, held),
            suspended: self.suspended,
            override_proposal: self.override_proposal,
            resize: self.resize,
            peer_policy: self.peer_policy,
            since_start: SinceStart::default(),
        }
    }
}

fn write_rest(out: &mut Vec<u8>, open: Option<&Open>) {
    let commitment = open.map(|open| &open.commitment);
    let suspended = open.and_then(|open| open.suspended.as_ref());
    put_section(out, |out| write_updates(out, commitment.map_or(&[], Commitment::local)));
    put_section(out, |out| write_updates(out, commitment.map_or(&[], Commitment::remote)));
    put_section(out, |out| {
        if let Some(commitment) = commitment {
            write_outcomes(out, commitment.outcomes());
        }
    });
    put_section(out, |out| write_fault(out, suspended.and_then(|s| s.ours.as_ref())));
    put_section(out, |out| {
        if let Some(data) = suspended.and_then(|suspended| suspended.theirs.as_ref()) {
            put_var_u16(out, data);
        }
    });
    put_section(out, |out| {
        let highest = suspended.map(|suspended| suspended.highest).unwrap_or_default();
        out.extend_from_slice(&highest.local.to_be_bytes());
        out.extend_from_slice(&highest.remote.to_be_bytes());
    });
    put_section(out, |out| write_option(out, open.and_then(|o| o.override_proposal.as_ref())));
    put_section(out, |out| write_option(out, open.and_then(|o| o.resize.as_ref())));
    put_section(out, |out| write_option(out, open.and_then(|o| o.peer_policy.as_ref())));
    put_section(out, |out| {
        if let Some(commitment) = commitment {
            write_ids(out, commitment.held());
        }
    });
}

fn read_rest(reader: &mut Reader<'_>, version: u8) -> Result<Rest, DecodeError> {
    let mut rest = Rest {
        local: read_updates(section(reader)?)?,
        remote: read_updates(section(reader)?)?,
        outcomes: read_outcomes(section(reader)?)?,
        ..Rest::default()
    };
    let ours = read_fault(section(reader)?)?;
    let theirs = read_peer_error(section(reader)?)?;
    let mut counters = Reader::new(section(reader)?);
    let highest = Counters { local: counters.u32()?, remote: counters.u32()? };
    counters.end()?;
    // Without an error the counters are zero: an override ends both.
    if ours.is_some() || theirs.is_some() {
        rest.suspended = Some(Suspended { ours, theirs, highest });
    }
    rest.override_proposal = read_option(section(reader)?)?;
    rest.resize = read_option(section(reader)?)?;
    rest.peer_policy = read_option(section(reader)?)?;
    if version > 1 {
        rest.held = read_ids(section(reader)?)?;
    }
    Ok(rest)
}

fn put_section(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    write(out);
    // Bounded by the limits on HTLCs and their failures, far below u32.
    let len = u32::try_from(out.len() - start - 4).unwrap_or(u32::MAX);
    if let Some(prefix) = out.get_mut(start..start + 4) {
        prefix.copy_from_slice(&len.to_be_bytes());
    }
}

fn section<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], DecodeError> {
    let len = reader.u32()?;
    reader.take(usize::try_from(len).map_err(|_| DecodeError::Truncated)?)
}

fn write_option<T: Wire>(out: &mut Vec<u8>, value: Option<&T>) {
    if let Some(value) = value {
        value.write(out);
    }
}

fn read_option<T: Wire>(bytes: &[u8]) -> Result<Option<T>, DecodeError> {
    if bytes.is_empty() { Ok(None) } else { T::decode(bytes).map(Some) }
}

fn write_opening(out: &mut Vec<u8>, opening: &Opening) {
    match opening {
        Opening::Host { offer, .. } => offer.write(out),
        Opening::Client { refund_scriptpubkey, secret } => {
            put_var_u16(out, refund_scriptpubkey);
            put_var_u16(out, secret);
        }
    }
}

fn read_opening(bytes: &[u8], role: Role) -> Result<Option<Opening>, DecodeError> {
    if bytes.is_empty() {
        return Ok(None);
    }
    if role == Role::Host {
        let offer = InitHostedChannel::decode(bytes)?;
        return Ok(Some(Opening::Host { offer, allow_adoption: false }));
    }
    let mut reader = Reader::new(bytes);
    let refund_scriptpubkey = reader.var_u16()?.to_vec();
    let secret = reader.var_u16()?.to_vec();
    reader.end()?;
    Ok(Some(Opening::Client { refund_scriptpubkey, secret }))
}

/// Each update: type u16, length u32, the message's body.
fn write_updates(out: &mut Vec<u8>, updates: &[Update]) {
    for update in updates {
        let (message_type, body) = update.to_message().encode();
        out.extend_from_slice(&message_type.to_be_bytes());
        put_section(out, |out| out.extend_from_slice(&body));
    }
}

fn read_updates(bytes: &[u8]) -> Result<Vec<Update>, DecodeError> {
    let mut updates = Vec::new();
    let mut left = Reader::new(bytes);
    while left.end().is_err() {
        let message_type = left.u16()?;
        let message = Message::decode(message_type, section(&mut left)?)?;
        updates.push(Update::from_message(message).ok_or(DecodeError::BadValue)?);
    }
    Ok(updates)
}

fn write_ids(out: &mut Vec<u8>, ids: &BTreeSet<u64>) {
    ids.iter().for_each(|id| out.extend_from_slice(&id.to_be_bytes()));
}

fn read_ids(bytes: &[u8]) -> Result<BTreeSet<u64>, DecodeError> {
    let mut ids = BTreeSet::new();
    let mut left = Reader::new(bytes);
    while left.end().is_err() {
        ids.insert(left.u64()?);
    }
    Ok(ids)
}

/// Each outcome: id u64, kind u8, the preimage if there is one.
fn write_outcomes(out: &mut Vec<u8>, outcomes: &BTreeMap<u64, Outcome>) {
    for (id, outcome) in outcomes {
        out.extend_from_slice(&id.to_be_bytes());
        match outcome {
            Outcome::Fulfilled(preimage) => {
                out.push(OUTCOME_FULFILLED);
                out.extend_from_slice(&preimage.0);
            }
            Outcome::Published(preimage) => {
                out.push(OUTCOME_PUBLISHED);
                out.extend_from_slice(&preimage.0);
            }
            Outcome::Expired => out.push(OUTCOME_EXPIRED),
            Outcome::Unknown => out.push(OUTCOME_UNKNOWN),
        }
    }
}

fn read_outcomes(bytes: &[u8]) -> Result<BTreeMap<u64, Outcome>, DecodeError> {
    let mut outcomes = BTreeMap::new();
    let mut left = Reader::new(bytes);
    while left.end().is_err() {
        let id = left.u64()?;
        let outcome = match left.u8()? {
            OUTCOME_FULFILLED => Outcome::Fulfilled(left.preimage()?),
            OUTCOME_PUBLISHED => Outcome::Published(left.preimage()?),
            OUTCOME_EXPIRED => Outcome::Expired,
            OUTCOME_UNKNOWN => Outcome::Unknown,
            _ => return Err(DecodeError::BadValue),
        };
        outcomes.insert(id, outcome);
    }
    Ok(outcomes)
}

/// Code u16 (0: none), then the text.
fn write_fault(out: &mut Vec<u8>, fault: Option<&Fault>) {
    if let Some(fault) = fault {
        out.extend_from_slice(&fault.code.map_or(0, ErrorCode::number).to_be_bytes());
        put_var_u16(out, fault.text.as_bytes());
    }
}

fn read_fault(bytes: &[u8]) -> Result<Option<Fault>, DecodeError> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let mut reader = Reader::new(bytes);
    let code = match reader.u16()? {
        0 => None,
        number => Some(ErrorCode::from_number(number).ok_or(DecodeError::BadValue)?),
    };
    let text = std::str::from_utf8(reader.var_u16()?).map_err(|_| DecodeError::NotUtf8)?.to_owned();
    reader.end()?;
    Ok(Some(Fault { code, text }))
}

fn read_peer_error(bytes: &[u8]) -> Result<Option<Vec<u8>>, DecodeError> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let mut reader = Reader::new(bytes);
    let data = reader.var_u16()?.to_vec();
    reader.end()?;
    Ok(Some(data))
}
