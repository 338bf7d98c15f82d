//! The stored form of a resolver.
//!
//! ```text
//! "SRES" | format: u8 | LDK's version: u8 length, text | link: 32 | keys_id: u64 | may_publish: u8
//! funding_key: 33 | destination: script | funding: outpoint | spent_at: option of u32 | settled: u16 × (id: u64, with preimage: u8) | sweeps: u16 × sweep
//! twins: u16 × group (u16 × id: u64)
//! monitor: u32 length, bytes | SHA-256 of all that is before it
//! ```
//! The version names the release of LDK that wrote the monitor. LDK reads what its older releases
//! wrote; each release that Steward ever used has a blob under `tests/blobs/`, which every later one
//! must read.

use std::collections::BTreeMap;

use bitcoin::hashes::{Hash, sha256};
use bitcoin::secp256k1::PublicKey;
use bitcoin::{OutPoint, ScriptBuf};
use lightning::util::ser::Readable;
use steward_wire::LinkId;
use thiserror::Error;

use crate::encoding::Bytes;
use crate::limits::{
    MAX_BLOB_BYTES, MAX_DESTINATION_SCRIPT_BYTES, MAX_PREIMAGES, MAX_SWEEPS, MAX_VERSION_BYTES,
};
use crate::sweep::Sweep;
use crate::twins::Twins;

const MAGIC: &[u8] = b"SRES";
const FORMAT: u8 = 1;
const CHECKSUM_BYTES: usize = 32;
/// The release of LDK that writes monitors here: the one in the workspace's `Cargo.toml`.
pub const LDK_VERSION: &str = "0.3.0-rc3";
/// The releases of LDK whose monitors are read, oldest first.
const READABLE: &[&str] = &[LDK_VERSION];
const _: () = assert!(LDK_VERSION.len() <= MAX_VERSION_BYTES);

/// Why a stored blob is not read. Its bytes are kept: another release may read them.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReadError {
    /// It is larger than any that is written.
    #[error("the blob has {0} bytes, more than any that is written")]
    TooLarge(usize),
    /// It is not what was written.
    #[error("the blob is damaged: {0}")]
    Damaged(&'static str),
    /// A later release of Steward wrote it.
    #[error("the blob has format {0}, which a later release wrote")]
    Format(u8),
    /// Another release of LDK wrote it than those that are read.
    #[error("the blob was written with LDK {0}, which this release does not read")]
    Ldk(String),
    /// LDK does not read the monitor.
    #[error("LDK does not read the monitor: {0}")]
    Monitor(String),
    /// It belongs to another seed.
    #[error("the blob's keys are not those of this seed")]
    Keys,
}

/// A resolver's values beside the monitor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) link: LinkId,
    pub(crate) keys_id: u64,
    pub(crate) may_publish: bool,
    /// Our key of the funding output: it tells whether the seed is the right one.
    pub(crate) funding_key: PublicKey,
    pub(crate) destination: ScriptBuf,
    /// The channel's funding output.
    pub(crate) funding: OutPoint,
    /// The height of the block that spends it.
    pub(crate) spent_at: Option<u32>,
    /// The outgoing HTLCs that were reported, and whether with a preimage.
    pub(crate) settled: BTreeMap<u64, bool>,
    pub(crate) sweeps: Vec<Sweep>,
    pub(crate) twins: Twins,
}

pub(crate) fn write(state: &State, monitor: &[u8]) -> Vec<u8> {
    let mut bytes = Bytes::default();
    bytes.raw(MAGIC).raw(&[FORMAT, LDK_VERSION.len() as u8]).raw(LDK_VERSION.as_bytes());
    bytes.raw(&state.link.0).put(&state.keys_id).put(&state.may_publish);
    bytes.put(&state.funding_key).put(&state.destination);
    bytes.put(&state.funding).put(&state.spent_at);
    bytes.put(&(state.settled.len() as u16));
    for (id, with_preimage) in &state.settled {
        bytes.put(id).put(with_preimage);
    }
    bytes.put(&(state.sweeps.len() as u16));
    state.sweeps.iter().for_each(|sweep| sweep.write(&mut bytes));
    state.twins.write(&mut bytes);
    bytes.put(&(monitor.len() as u32)).raw(monitor);
    let checksum = sha256::Hash::hash(&bytes.0);
    bytes.raw(&checksum.to_byte_array());
    bytes.0
}

/// Splits a blob into the values beside the monitor and the monitor's bytes.
pub(crate) fn read(blob: &[u8]) -> Result<(State, &[u8]), ReadError> {
    if blob.len() > MAX_BLOB_BYTES {
        return Err(ReadError::TooLarge(blob.len()));
    }
    let body = blob.strip_prefix(MAGIC).ok_or(ReadError::Damaged("it does not begin as one"))?;
    let (format, _) = body.split_first().ok_or(ReadError::Damaged("it ends early"))?;
    if *format != FORMAT {
        return Err(ReadError::Format(*format));
    }
    let signed_bytes = blob.len().checked_sub(CHECKSUM_BYTES);
    let (signed, checksum) = signed_bytes
        .and_then(|length| blob.split_at_checked(length))
        .ok_or(ReadError::Damaged("it ends early"))?;
    if sha256::Hash::hash(signed).to_byte_array() != checksum {
        return Err(ReadError::Damaged("its checksum is another"));
    }
    let rest = signed.get(MAGIC.len() + 1..).ok_or(ReadError::Damaged("it ends early"))?;
    fields(rest)
}

fn fields(bytes: &[u8]) -> Result<(State, &[u8]), ReadError> {
    let damaged = || ReadError::Damaged("a field is missing");
    let (length, rest) = bytes.split_first().ok_or_else(damaged)?;
    let (version, mut rest) = rest.split_at_checked(usize::from(*length)).ok_or_else(damaged)?;
    if !READABLE.iter().any(|readable| readable.as_bytes() == version) {
        return Err(ReadError::Ldk(String::from_utf8_lossy(version).into_owned()));
    }
    let state = state(&mut rest).ok_or_else(damaged)?;
    let length: u32 = Readable::read(&mut rest).map_err(|_| damaged())?;
    if usize::try_from(length) != Ok(rest.len()) {
        return Err(ReadError::Damaged("the monitor has another length"));
    }
    Ok((state, rest))
}

fn state(bytes: &mut &[u8]) -> Option<State> {
    let link = LinkId(Readable::read(bytes).ok()?);
    let keys_id = Readable::read(bytes).ok()?;
    let may_publish = Readable::read(bytes).ok()?;
    let funding_key = Readable::read(bytes).ok()?;
    let destination: ScriptBuf = Readable::read(bytes).ok()?;
    if destination.len() > MAX_DESTINATION_SCRIPT_BYTES {
        return None;
    }
    let funding = Readable::read(bytes).ok()?;
    let spent_at = Readable::read(bytes).ok()?;
    let count: u16 = Readable::read(bytes).ok()?;
    if usize::from(count) > MAX_PREIMAGES {
        return None;
    }
    let mut settled = BTreeMap::new();
    for _ in 0..count {
        settled.insert(Readable::read(bytes).ok()?, Readable::read(bytes).ok()?);
    }
    let count: u16 = Readable::read(bytes).ok()?;
    if usize::from(count) > MAX_SWEEPS {
        return None;
    }
    let mut sweeps = Vec::new();
    for _ in 0..count {
        sweeps.push(Sweep::read(bytes)?);
    }
    let twins = Twins::read(bytes)?;
    Some(State {
        link,
        keys_id,
        may_publish,
        funding_key,
        destination,
        funding,
        spent_at,
        settled,
        sweeps,
        twins,
    })
}
