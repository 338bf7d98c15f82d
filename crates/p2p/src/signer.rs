//! The one operation that LDK's wire stack needs of a node's key: ECDH under our node id.
//! Signatures are made elsewhere, under other rules.

use std::sync::Arc;

use bitcoin::secp256k1::{PublicKey, Scalar, ecdh::SharedSecret, ecdsa, schnorr};
use lightning::bolt11_invoice::RawBolt11Invoice;
use lightning::ln::inbound_payment::ExpandedKey;
use lightning::ln::msgs::UnsignedGossipMessage;
use lightning::offers::invoice::UnsignedBolt12Invoice;
use lightning::sign::{NodeSigner, PeerStorageKey, ReceiveAuthKey, Recipient};
use steward_wire::Identity;

/// A node identity as the wire stack sees it.
pub(crate) struct Signer {
    identity: Arc<dyn Identity>,
    node_id: PublicKey,
    /// A key in place of those that the trait must return and the wire stack never asks for.
    unused_key: [u8; 32],
}

impl Signer {
    pub(crate) fn new(identity: Arc<dyn Identity>, unused_key: [u8; 32]) -> Self {
        let node_id = identity.public_key();
        Self { identity, node_id, unused_key }
    }

    pub(crate) fn node_id(&self) -> PublicKey {
        self.node_id
    }
}

impl NodeSigner for Signer {
    fn get_node_id(&self, recipient: Recipient) -> Result<PublicKey, ()> {
        match recipient {
            Recipient::Node => Ok(self.node_id),
            Recipient::PhantomNode => Err(()),
        }
    }

    fn ecdh(
        &self,
        recipient: Recipient,
        other_key: &PublicKey,
        tweak: Option<&Scalar>,
    ) -> Result<SharedSecret, ()> {
        self.get_node_id(recipient)?;
        // Only blinded onion messages are read with a tweaked key, and none is read here.
        match tweak {
            Some(_) => Err(()),
            None => Ok(SharedSecret::from_bytes(self.identity.ecdh(other_key))),
        }
    }

    fn get_expanded_key(&self) -> ExpandedKey {
        ExpandedKey::new(self.unused_key)
    }

    fn get_peer_storage_key(&self) -> PeerStorageKey {
        PeerStorageKey { inner: self.unused_key }
    }

    fn get_receive_auth_key(&self) -> ReceiveAuthKey {
        ReceiveAuthKey(self.unused_key)
    }

    fn sign_invoice(
        &self,
        _: &RawBolt11Invoice,
        _: Recipient,
    ) -> Result<ecdsa::RecoverableSignature, ()> {
        Err(())
    }

    fn sign_bolt12_invoice(&self, _: &UnsignedBolt12Invoice) -> Result<schnorr::Signature, ()> {
        Err(())
    }

    fn sign_gossip_message(&self, _: UnsignedGossipMessage) -> Result<ecdsa::Signature, ()> {
        Err(())
    }

    fn sign_message(&self, _: &[u8]) -> Result<String, ()> {
        Err(())
    }
}
