//! Who the simulated nodes are. Keys follow from the node's number, so that they are the same in
//! every run.

use bitcoin::hashes::{Hash, hash160, sha256};
use bitcoin::secp256k1::{PublicKey, SECP256K1, SecretKey};
use steward_engine::Keys;
use steward_wire::{NodeId, PaymentHash};

/// Keys derived from a node's number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SimKeys(pub u8);

impl SimKeys {
    /// The node's identity as host.
    pub(crate) fn node_id(self) -> NodeId {
        id_of(&self.node())
    }

    /// The node's identity as client of this host.
    pub(crate) fn client_id(self, host: &NodeId) -> NodeId {
        id_of(&self.towards_host(host))
    }

    fn derive(self, purpose: &[u8]) -> SecretKey {
        let digest = sha256::Hash::hash(&[&[self.0], purpose].concat());
        SecretKey::from_slice(digest.as_byte_array()).expect("a hash is a valid key")
    }
}

impl Keys for SimKeys {
    fn node(&self) -> SecretKey {
        self.derive(b"node")
    }

    fn towards_host(&self, host: &NodeId) -> SecretKey {
        self.derive(&host.0)
    }

    fn invoice(&self, payment_hash: &PaymentHash) -> SecretKey {
        self.derive(&payment_hash.0)
    }

    fn refund_scriptpubkey(&self, host: &NodeId) -> Vec<u8> {
        let key = PublicKey::from_secret_key(SECP256K1, &self.towards_host(host));
        let hash = hash160::Hash::hash(&key.serialize());
        [[0u8, 20].as_slice(), hash.as_byte_array()].concat()
    }
}

fn id_of(key: &SecretKey) -> NodeId {
    PublicKey::from_secret_key(SECP256K1, key).into()
}
