//! The way back of a failure (BOLT 4 "Returning Errors"): the node that fails builds it, every node
//! before it wraps it, and the sender reads it. Attribution data is in [`crate::attribution`].

use bitcoin::secp256k1::SecretKey;
use steward_wire::codec::{Reader, put_var_u16};
use steward_wire::{Identity, NodeId};

use crate::failure::Failure;
use crate::keys::{self, KeyType};
use crate::limits::{FAILURE_PADDED_BYTES, MAX_ROUTE_HOPS, MIN_FAILURE_BYTES};

/// A failure, as the sender reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodedFailure {
    /// The place in the route of the node that failed the payment; 0 is the first hop.
    pub hop_index: usize,
    /// The failure that this node named. A node that signs an unreadable failure counts as a
    /// permanent failure of that node.
    pub failure: Failure,
}

/// Builds the `reason` of an `update_fail_htlc` that starts with us.
pub fn build_failure(shared_secret: &[u8; 32], failure: &Failure) -> Vec<u8> {
    wrap_failure(shared_secret, &plain_packet(shared_secret, failure))
}

/// Wraps a `reason` that came from downstream, to be passed on.
pub fn wrap_failure(shared_secret: &[u8; 32], reason: &[u8]) -> Vec<u8> {
    let mut wrapped = reason.to_vec();
    keys::xor_stream(&keys::derive(KeyType::Ammag, shared_secret), &mut wrapped);
    wrapped
}

/// Reads a failure of a payment that we sent along `hops` (without the blinded tail, if any) with
/// an onion made from `session_key`. Returns `None` if no hop has signed it: some node spoiled it.
pub fn decode_failure(
    session_key: &[u8; 32],
    hops: &[NodeId],
    reason: &[u8],
) -> Option<DecodedFailure> {
    let secrets = route_secrets(session_key, hops)?;
    if reason.len() < MIN_FAILURE_BYTES {
        return None;
    }
    let mut packet = reason.to_vec();
    let mut found = None;
    // The number of rounds is always the same, so that the time of a retry does not tell the
    // failing node how far away it is.
    for hop_index in 0..MAX_ROUTE_HOPS {
        let secret = secrets.get(hop_index).unwrap_or(&[0; 32]);
        keys::xor_stream(&keys::derive(KeyType::Ammag, secret), &mut packet);
        let failure = authentic_failure(secret, &packet);
        if found.is_none() && hop_index < secrets.len() {
            found = failure.map(|failure| DecodedFailure { hop_index, failure });
        }
    }
    found
}

/// Builds the return packet before obfuscation.
pub(crate) fn plain_packet(shared_secret: &[u8; 32], failure: &Failure) -> Vec<u8> {
    let mut message = failure.code.to_be_bytes().to_vec();
    message.extend_from_slice(&failure.data);
    let padding = FAILURE_PADDED_BYTES.saturating_sub(message.len());
    let mut body = Vec::new();
    put_var_u16(&mut body, &message);
    put_var_u16(&mut body, &vec![0; padding]);
    let um = keys::derive(KeyType::Um, shared_secret);
    let mut packet = keys::hmac(&um, &[&body]).to_vec();
    packet.append(&mut body);
    packet
}

/// Reads the failure in a deobfuscated packet, if this hop signed it.
fn authentic_failure(shared_secret: &[u8; 32], packet: &[u8]) -> Option<Failure> {
    let (hmac, body) = packet.split_first_chunk::<32>()?;
    let um = keys::derive(KeyType::Um, shared_secret);
    if !keys::constant_time_eq(&keys::hmac(&um, &[body]), hmac) {
        return None;
    }
    Some(parse_message(body).unwrap_or_else(Failure::permanent_node_failure))
}

fn parse_message(body: &[u8]) -> Option<Failure> {
    let mut message = Reader::new(Reader::new(body).var_u16().ok()?);
    Some(Failure { code: message.u16().ok()?, data: message.rest().to_vec() })
}

/// Computes the secrets that the sender of an onion shares with its hops. Returns `None` if a key
/// is not valid.
pub(crate) fn route_secrets(session_key: &[u8; 32], hops: &[NodeId]) -> Option<Vec<[u8; 32]>> {
    let mut ephemeral = SecretKey::from_slice(session_key).ok()?;
    let mut secrets = Vec::with_capacity(hops.len());
    for hop in hops {
        let shared_secret = ephemeral.ecdh(&hop.public_key()?);
        ephemeral = keys::next_secret(&ephemeral, &shared_secret)?;
        secrets.push(shared_secret);
    }
    Some(secrets)
}
