//! One of our keys, by what it is used for. Whoever holds an [`Identity`] can have things signed
//! and secrets shared, and never sees the key: a signer on another machine can stand behind it.

use std::sync::Arc;

use bitcoin::hashes::{Hash, HashEngine, Hmac, HmacEngine, sha256};
use bitcoin::secp256k1::ecdh::SharedSecret;
use bitcoin::secp256k1::ecdsa::RecoverableSignature;
use bitcoin::secp256k1::{Message, PublicKey, SECP256K1, SecretKey};

use crate::ids::{NodeId, Signature};

/// One of our keys: a node's, one towards a host, or the payee key of an invoice. Signatures are
/// deterministic (RFC 6979) and low-S.
pub trait Identity: Send + Sync {
    /// Returns the public key.
    fn public_key(&self) -> PublicKey;

    /// Returns the public key as a node id.
    fn node_id(&self) -> NodeId {
        self.public_key().into()
    }

    /// Signs the hash of the other side's copy of a state: [`crate::LastCrossSignedState`].
    fn sign_state(&self, hash: [u8; 32]) -> Signature;

    /// Signs the hash of a request for a larger capacity: [`crate::ResizeChannel`].
    fn sign_resize(&self, hash: [u8; 32]) -> Signature;

    /// Signs the hash of a [`crate::ChannelUpdate`].
    fn sign_update(&self, hash: [u8; 32]) -> Signature;

    /// Signs the hash of a BOLT 11 invoice, so that the payee can be recovered from it.
    fn sign_invoice(&self, hash: [u8; 32]) -> RecoverableSignature;

    /// Computes the secret shared with the holder of `point`'s key (BOLT 4, BOLT 8).
    fn ecdh(&self, point: &PublicKey) -> [u8; 32];

    /// Returns the key with which our own blinded payment paths are sealed. It follows from the
    /// identity's key, which does not follow from it.
    fn receive_auth_key(&self) -> [u8; 32];
}

/// A shared identity is one.
impl<T: Identity + ?Sized> Identity for Arc<T> {
    fn public_key(&self) -> PublicKey {
        (**self).public_key()
    }

    fn sign_state(&self, hash: [u8; 32]) -> Signature {
        (**self).sign_state(hash)
    }

    fn sign_resize(&self, hash: [u8; 32]) -> Signature {
        (**self).sign_resize(hash)
    }

    fn sign_update(&self, hash: [u8; 32]) -> Signature {
        (**self).sign_update(hash)
    }

    fn sign_invoice(&self, hash: [u8; 32]) -> RecoverableSignature {
        (**self).sign_invoice(hash)
    }

    fn ecdh(&self, point: &PublicKey) -> [u8; 32] {
        (**self).ecdh(point)
    }

    fn receive_auth_key(&self) -> [u8; 32] {
        (**self).receive_auth_key()
    }
}

/// A key in memory.
impl Identity for SecretKey {
    fn public_key(&self) -> PublicKey {
        Self::public_key(self, SECP256K1)
    }

    fn sign_state(&self, hash: [u8; 32]) -> Signature {
        sign(self, hash)
    }

    fn sign_resize(&self, hash: [u8; 32]) -> Signature {
        sign(self, hash)
    }

    fn sign_update(&self, hash: [u8; 32]) -> Signature {
        sign(self, hash)
    }

    fn sign_invoice(&self, hash: [u8; 32]) -> RecoverableSignature {
        SECP256K1.sign_ecdsa_recoverable(&Message::from_digest(hash), self)
    }

    fn ecdh(&self, point: &PublicKey) -> [u8; 32] {
        SharedSecret::new(point, self).secret_bytes()
    }

    fn receive_auth_key(&self) -> [u8; 32] {
        let mut engine = HmacEngine::<sha256::Hash>::new(b"steward/receive-auth");
        engine.input(&self.secret_bytes());
        Hmac::<sha256::Hash>::from_engine(engine).to_byte_array()
    }
}

fn sign(key: &SecretKey, hash: [u8; 32]) -> Signature {
    SECP256K1.sign_ecdsa(&Message::from_digest(hash), key).into()
}
