//! LDK's view of our node key: what its onion code needs to decrypt, and nothing else.

use bitcoin::secp256k1::ecdh::SharedSecret;
use bitcoin::secp256k1::ecdsa::{RecoverableSignature, Signature};
use bitcoin::secp256k1::{PublicKey, SECP256K1, Scalar, SecretKey, schnorr};
use lightning::ln::inbound_payment::ExpandedKey;
use lightning::ln::msgs::UnsignedGossipMessage;
use lightning::offers::invoice::UnsignedBolt12Invoice;
use lightning::sign::{NodeSigner, PeerStorageKey, ReceiveAuthKey, Recipient};
use lightning::util::logger::{Logger, Record};

use crate::keys;

/// Derives the key with which our own blinded payment paths are sealed. Code that builds paths to
/// this node with LDK must pass it as `ReceiveAuthKey`, or [`crate::receive()`] refuses payments
/// over them.
pub fn receive_auth_key(key: &SecretKey) -> [u8; 32] {
    keys::hmac(b"steward/receive-auth", &[&key.secret_bytes()])
}

/// LDK's `NodeSigner` over a bare key. It signs nothing.
pub(crate) struct OnionSigner<'a>(pub(crate) &'a SecretKey);

impl NodeSigner for OnionSigner<'_> {
    fn get_expanded_key(&self) -> ExpandedKey {
        // LDK authenticates payments of its own with it; ours have secrets from a table.
        ExpandedKey::new(keys::hmac(b"steward/ldk-inbound", &[&self.0.secret_bytes()]))
    }

    fn get_peer_storage_key(&self) -> PeerStorageKey {
        PeerStorageKey { inner: keys::hmac(b"steward/ldk-peer-storage", &[&self.0.secret_bytes()]) }
    }

    fn get_receive_auth_key(&self) -> ReceiveAuthKey {
        ReceiveAuthKey(receive_auth_key(self.0))
    }

    fn get_node_id(&self, recipient: Recipient) -> Result<PublicKey, ()> {
        self.key_of(recipient).map(|key| PublicKey::from_secret_key(SECP256K1, key))
    }

    fn ecdh(
        &self,
        recipient: Recipient,
        other_key: &PublicKey,
        tweak: Option<&Scalar>,
    ) -> Result<SharedSecret, ()> {
        let key = self.key_of(recipient)?;
        match tweak {
            None => Ok(SharedSecret::new(other_key, key)),
            Some(tweak) => {
                let tweaked = key.mul_tweak(tweak).map_err(|_| ())?;
                Ok(SharedSecret::new(other_key, &tweaked))
            }
        }
    }

    fn sign_invoice(
        &self,
        _invoice: &lightning::bolt11_invoice::RawBolt11Invoice,
        _recipient: Recipient,
    ) -> Result<RecoverableSignature, ()> {
        Err(())
    }

    fn sign_bolt12_invoice(
        &self,
        _invoice: &UnsignedBolt12Invoice,
    ) -> Result<schnorr::Signature, ()> {
        Err(())
    }

    fn sign_gossip_message(&self, _message: UnsignedGossipMessage<'_>) -> Result<Signature, ()> {
        Err(())
    }

    fn sign_message(&self, _message: &[u8]) -> Result<String, ()> {
        Err(())
    }
}

impl OnionSigner<'_> {
    fn key_of(&self, recipient: Recipient) -> Result<&SecretKey, ()> {
        match recipient {
            Recipient::Node => Ok(self.0),
            Recipient::PhantomNode => Err(()),
        }
    }
}

/// A logger that drops everything: the core logs nothing, and the error says what went wrong.
pub(crate) struct NoLog;

impl Logger for NoLog {
    fn log(&self, _record: Record<'_>) {}
}
