//! Hashes, signatures and the ids derived from two node ids (docs/protocol.md sections 1.6 and
//! 2.4).

use bitcoin::hashes::{Hash, sha256};
use bitcoin::secp256k1::ecdsa::Signature;
use bitcoin::secp256k1::{Message, PublicKey, SECP256K1, SecretKey};

/// A compressed public key.
pub(crate) type Id = [u8; 33];

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    sha256::Hash::hash(bytes).to_byte_array()
}

pub(crate) fn id_of(key: &SecretKey) -> Id {
    key.public_key(SECP256K1).serialize()
}

/// Returns `r ‖ s`, deterministic, low s.
pub(crate) fn sign(key: &SecretKey, hash: [u8; 32]) -> [u8; 64] {
    SECP256K1.sign_ecdsa(&Message::from_digest(hash), key).serialize_compact()
}

/// Checks a signature; the library refuses a high s.
pub(crate) fn is_signed_by(signer: &Id, hash: [u8; 32], signature: &[u8; 64]) -> bool {
    let signer = PublicKey::from_slice(signer).unwrap();
    let signature = Signature::from_compact(signature).unwrap();
    SECP256K1.verify_ecdsa(&Message::from_digest(hash), &signature, &signer).is_ok()
}

pub(crate) fn channel_id(a: &Id, b: &Id) -> [u8; 32] {
    sha256(&sorted(a, b))
}

/// Returns the sum of the first eight big-endian words; the last two bytes do not count.
pub(crate) fn short_channel_id(a: &Id, b: &Id) -> u64 {
    let words = sorted(a, b);
    let words = words.chunks_exact(8).map(|word| u64::from_be_bytes(word.try_into().unwrap()));
    words.fold(0, u64::wrapping_add)
}

fn sorted(a: &Id, b: &Id) -> Vec<u8> {
    let (lesser, greater) = if a < b { (a, b) } else { (b, a) };
    [lesser.as_slice(), greater.as_slice()].concat()
}
