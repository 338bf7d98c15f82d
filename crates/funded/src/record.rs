//! The durable form of a channel: bytes of our own, with a version. Reading checks everything that
//! the state machine relies on.
//!
//! Layout
//! - [`parts`]: the parts of a record, one function each way
//! - [`stages`]: the HTLCs, whose rest is in rows of their own

mod parts;
mod stages;

use steward_wire::DecodeError;
use steward_wire::codec::Reader;

use crate::bolt3::{HtlcKey, Side};
use crate::channel::{Body, Channel};
use crate::codec::{put_u32, put_u64, read_bool};
use crate::ledger::View;
use crate::limits::MAX_COMMITMENT_NUMBER;
use crate::live::Live;

/// The version that is written.
const VERSION: u8 = 1;

/// The reason why bytes are not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The record is of another version of this program.
    #[error("the record has version {0}, which this program cannot read")]
    UnknownVersion(u8),
    /// The bytes are damaged.
    #[error("the record is damaged: {0}")]
    Damaged(#[from] DecodeError),
    /// The row of an HTLC is missing or is one too many.
    #[error("the rows of HTLCs do not go with the record")]
    WrongRows,
    /// The parts of the record contradict each other.
    #[error("the record contradicts itself: {0}")]
    Contradiction(&'static str),
}

impl Channel {
    /// Returns the durable form; `None` before `funding_signed`, when there is nothing to keep.
    pub fn record(&self) -> Option<Vec<u8>> {
        match &self.body {
            Body::Opening(_) => None,
            Body::Live(live) => Some(write(live)),
        }
    }

    /// Makes a channel, not connected, from its record and the rows of its HTLCs.
    ///
    /// # Errors
    /// If the bytes are not a record this program can read, or contradict themselves or the rows.
    pub fn from_record<'a>(
        bytes: &[u8],
        rows: impl IntoIterator<Item = (HtlcKey, &'a [u8])>,
    ) -> Result<Self, RecordError> {
        let mut reader = Reader::new(bytes);
        let version = reader.u8()?;
        if version != VERSION {
            return Err(RecordError::UnknownVersion(version));
        }
        let mut live = read(&mut reader)?;
        reader.end()?;
        stages::add_rows(&mut live.ledger, rows)?;
        check(&live)?;
        Ok(Self::offline(live))
    }
}

fn write(live: &Live) -> Vec<u8> {
    let mut out = vec![VERSION];
    out.extend_from_slice(&live.peer.0);
    put_u64(&mut out, live.keys_id);
    parts::put_parameters(&mut out, &live.parameters);
    put_flag(&mut out, live.is_announced);
    put_u32(&mut out, live.minimum_depth);
    put_u32(&mut out, live.opened_height);
    stages::put_ledger(&mut out, &live.ledger);
    parts::put_local(&mut out, &live.local);
    parts::put_remote(&mut out, &live.remote);
    parts::put_funding(&mut out, &live.funding);
    parts::put_policy(&mut out, live.peer_policy.as_ref());
    parts::put_shutdown(&mut out, &live.shutdown);
    parts::put_closing(&mut out, live.closing.as_ref());
    put_flag(&mut out, live.is_unproven);
    out
}

fn read(reader: &mut Reader<'_>) -> Result<Live, DecodeError> {
    Ok(Live {
        peer: reader.node_id()?,
        keys_id: reader.u64()?,
        parameters: parts::read_parameters(reader)?,
        is_announced: read_bool(reader)?,
        minimum_depth: reader.u32()?,
        opened_height: reader.u32()?,
        ledger: stages::read_ledger(reader)?,
        local: parts::read_local(reader)?,
        remote: parts::read_remote(reader)?,
        funding: parts::read_funding(reader)?,
        peer_policy: parts::read_policy(reader)?,
        shutdown: parts::read_shutdown(reader)?,
        closing: parts::read_closing(reader)?,
        is_unproven: read_bool(reader)?,
    })
}

/// Checks what the parts of a record say of each other.
fn check(live: &Live) -> Result<(), RecordError> {
    let is = |holds: bool, what: &'static str| {
        if holds { Ok(()) } else { Err(RecordError::Contradiction(what)) }
    };
    let (parameters, remote, ledger) = (&live.parameters, &live.remote, &live.ledger);
    is(ledger.is_balanced(parameters.capacity_msat()), "balances and HTLCs are not the capacity")?;
    let numbers = [live.local.number, remote.number];
    is(numbers.iter().all(|number| *number < MAX_COMMITMENT_NUMBER), "a number is too large")?;
    is(remote.secrets.count() == remote.number, "there are not as many secrets as revocations")?;
    is(remote.number == 0 || remote.next_point.is_some(), "the peer's next point is missing")?;
    let signatures = |owner: Side, view: View| {
        let dust = parameters.terms(owner).dust_limit_sat;
        live.contents(view).outputs(parameters.format, owner, dust)
    };
    let ours = signatures(Side::Local, View::LocalCurrent);
    is(live.local.htlc_signatures.len() == ours, "signatures and HTLCs differ in number")?;
    is(ledger.has_signed() <= remote.pending.is_some(), "an update is signed in no commitment")?;
    if let Some(pending) = &remote.pending {
        is(remote.next_point.is_some(), "a commitment was signed without its point")?;
        let theirs = signatures(Side::Remote, View::RemotePending);
        is(pending.htlc_signatures.len() == theirs, "signatures and HTLCs differ in number")?;
        let sent = pending.updates.iter().all(|key| ledger.was_just_sent(*key));
        is(sent, "an update of the last commitment is not there")?;
    }
    Ok(())
}

fn put_flag(out: &mut Vec<u8>, flag: bool) {
    out.push(u8::from(flag));
}
