//! LDK's view of one of our identities: what its onion code needs to decrypt, and nothing else.

use bitcoin::secp256k1::ecdh::SharedSecret;
use bitcoin::secp256k1::ecdsa::{RecoverableSignature, Signature};
use bitcoin::secp256k1::{PublicKey, SECP256K1, Scalar, schnorr};
use lightning::ln::inbound_payment::ExpandedKey;
use lightning::ln::msgs::UnsignedGossipMessage;
use lightning::offers::invoice::UnsignedBolt12Invoice;
use lightning::sign::{NodeSigner, PeerStorageKey, ReceiveAuthKey, Recipient};
use lightning::util::logger::{Logger, Record};
use steward_wire::Identity;

use crate::keys;

/// LDK's `NodeSigner` over one of our identities. It signs nothing.
pub(crate) struct OnionSigner<'a>(pub(crate) &'a dyn Identity);

impl NodeSigner for OnionSigner<'_> {
    fn get_expanded_key(&self) -> ExpandedKey {
        // LDK authenticates payments of its own with it; ours have secrets from a table.
        ExpandedKey::new(self.derive(b"steward/ldk-inbound"))
    }

    fn get_peer_storage_key(&self) -> PeerStorageKey {
        PeerStorageKey { inner: self.derive(b"steward/ldk-peer-storage") }
    }

    fn get_receive_auth_key(&self) -> ReceiveAuthKey {
        ReceiveAuthKey(self.0.receive_auth_key())
    }

    fn get_node_id(&self, recipient: Recipient) -> Result<PublicKey, ()> {
        self.of(recipient).map(Identity::public_key)
    }

    fn ecdh(
        &self,
        recipient: Recipient,
        other_key: &PublicKey,
        tweak: Option<&Scalar>,
    ) -> Result<SharedSecret, ()> {
        let node = self.of(recipient)?;
        // A tweak of our key is as well one of the other side's point.
        let point = match tweak {
            None => *other_key,
            Some(tweak) => other_key.mul_tweak(SECP256K1, tweak).map_err(|_| ())?,
        };
        Ok(SharedSecret::from_bytes(node.ecdh(&point)))
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

impl<'a> OnionSigner<'a> {
    fn of(&self, recipient: Recipient) -> Result<&'a dyn Identity, ()> {
        match recipient {
            Recipient::Node => Ok(self.0),
            Recipient::PhantomNode => Err(()),
        }
    }

    /// A key for what LDK asks for and never uses for us.
    fn derive(&self, purpose: &[u8]) -> [u8; 32] {
        keys::hmac(purpose, &[&self.0.receive_auth_key()])
    }
}

/// A logger that drops everything: the core logs nothing, and the error says what went wrong.
pub(crate) struct NoLog;

impl Logger for NoLog {
    fn log(&self, _record: Record<'_>) {}
}
