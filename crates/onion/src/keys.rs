//! The keys and streams derived from a shared secret (BOLT 4 "Key Generation"), and the scalar
//! maths of ephemeral and path keys. Packet formats are elsewhere.

use bitcoin::hashes::{Hash, HashEngine, Hmac, HmacEngine, sha256};
use bitcoin::secp256k1::{PublicKey, SECP256K1, Scalar, SecretKey};
use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit, StreamCipher};

/// The purpose of a derived key: the label that BOLT 4 feeds to the HMAC.
#[derive(Clone, Copy)]
pub(crate) enum KeyType {
    /// Obfuscates the onion on its way forward, and recipient data in a blinded path.
    Rho,
    /// Authenticates the onion.
    Mu,
    /// Authenticates a failure.
    Um,
    /// Obfuscates a failure.
    Ammag,
    /// Obfuscates attribution data.
    AmmagExt,
    /// Blinds a node's key inside a blinded path.
    BlindedNodeId,
}

impl KeyType {
    fn label(self) -> &'static [u8] {
        match self {
            Self::Rho => b"rho",
            Self::Mu => b"mu",
            Self::Um => b"um",
            Self::Ammag => b"ammag",
            Self::AmmagExt => b"ammagext",
            Self::BlindedNodeId => b"blinded_node_id",
        }
    }
}

/// Derives the key of one type for one hop.
pub(crate) fn derive(key_type: KeyType, shared_secret: &[u8; 32]) -> [u8; 32] {
    hmac(key_type.label(), &[shared_secret])
}

/// Computes the HMAC-SHA256 over the concatenation of `parts`.
pub(crate) fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut engine = HmacEngine::<sha256::Hash>::new(key);
    for part in parts {
        engine.input(part);
    }
    Hmac::<sha256::Hash>::from_engine(engine).to_byte_array()
}

/// Computes the SHA-256 of `bytes`.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    sha256::Hash::hash(bytes).to_byte_array()
}

/// XORs the ChaCha20 stream of `key` (zero nonce) onto `bytes`.
pub(crate) fn xor_stream(key: &[u8; 32], bytes: &mut [u8]) {
    ChaCha20::new(key.into(), &[0u8; 12].into()).apply_keystream(bytes);
}

/// Compares two byte strings in a time that does not depend on where they differ.
pub(crate) fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |diff, (x, y)| diff | (x ^ y)) == 0
}

/// Computes the point that the next hop sees instead of `point`: an onion's ephemeral key or a path
/// key, multiplied by the hash of itself and the secret that it was used for. Returns `None` only
/// for a hash that is not a scalar, which is infeasible to find.
pub(crate) fn next_point(point: &PublicKey, shared_secret: &[u8; 32]) -> Option<PublicKey> {
    point.mul_tweak(SECP256K1, &blinding_factor(point, shared_secret)?).ok()
}

/// Computes the private side of [`next_point`].
pub(crate) fn next_secret(secret: &SecretKey, shared_secret: &[u8; 32]) -> Option<SecretKey> {
    let point = PublicKey::from_secret_key(SECP256K1, secret);
    secret.mul_tweak(&blinding_factor(&point, shared_secret)?).ok()
}

fn blinding_factor(point: &PublicKey, shared_secret: &[u8; 32]) -> Option<Scalar> {
    let mut engine = sha256::Hash::engine();
    engine.input(&point.serialize());
    engine.input(shared_secret);
    Scalar::from_be_bytes(sha256::Hash::from_engine(engine).to_byte_array()).ok()
}
