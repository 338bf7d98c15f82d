//! The keys of test nodes, and their settings.

use std::sync::Arc;

use bitcoin::Network as Chain;
use bitcoin::hashes::{Hash, sha256};
use bitcoin::secp256k1::{PublicKey, SECP256K1, SecretKey};
use steward_engine::Signer;
use steward_engine::config::{Config, HostConfig, Policy, default_offer};
use steward_engine::row::LocalIdentity;
use steward_wire::{Identity, NodeId, PaymentHash};

/// The chain of all test nodes.
pub const CHAIN_HASH: [u8; 32] = [0x6f; 32];
/// What a client has to begin with, so that payments can flow both ways at once.
pub const INITIAL_MSAT: u64 = 400_000_000;

/// Keys derived from one byte: the same in every run.
#[derive(Clone, Copy, Debug)]
pub struct TestKeys(pub u8);

impl TestKeys {
    /// The node's identity as host.
    pub fn node_id(self) -> NodeId {
        id_of(&self.node())
    }

    /// The node's identity as client of this host.
    pub fn client_id(self, host: &NodeId) -> NodeId {
        id_of(&self.towards_host(host))
    }

    fn derive(self, purpose: &[u8]) -> SecretKey {
        let mut bytes = vec![self.0];
        bytes.extend_from_slice(purpose);
        SecretKey::from_slice(sha256::Hash::hash(&bytes).as_byte_array()).unwrap()
    }
}

impl TestKeys {
    /// The key of our identity as host.
    pub fn node(&self) -> SecretKey {
        self.derive(b"node")
    }
    /// The key of our identity towards this host.
    pub fn towards_host(&self, host: &NodeId) -> SecretKey {
        self.derive(&host.0)
    }
    /// The key of the payee of this invoice.
    pub fn invoice(&self, payment_hash: &PaymentHash) -> SecretKey {
        self.derive(&payment_hash.0)
    }
}

impl Signer for TestKeys {
    fn node(&self) -> Arc<dyn Identity> {
        Arc::new(TestKeys::node(self))
    }

    fn towards_host(&self, host: &NodeId) -> Arc<dyn Identity> {
        Arc::new(TestKeys::towards_host(self, host))
    }

    fn invoice(&self, payment_hash: &PaymentHash) -> Arc<dyn Identity> {
        Arc::new(TestKeys::invoice(self, payment_hash))
    }

    fn refund_scriptpubkey(&self, host: &NodeId, identity: LocalIdentity) -> Vec<u8> {
        let secret = match identity {
            LocalIdentity::PerHost => TestKeys::towards_host(self, host),
            LocalIdentity::Node => TestKeys::node(self),
        };
        let key = PublicKey::from_secret_key(SECP256K1, &secret);
        let hash = bitcoin::hashes::hash160::Hash::hash(&key.serialize());
        [[0u8, 20].as_slice(), hash.as_byte_array()].concat()
    }
}

/// Returns the node id of a key.
pub fn id_of(key: &SecretKey) -> NodeId {
    PublicKey::from_secret_key(SECP256K1, key).into()
}

/// Returns the settings of a node that hosts and accepts keysends.
pub fn config() -> Config {
    let mut offer = default_offer(1_000_000);
    offer.initial_client_balance_msat = INITIAL_MSAT;
    Config {
        network: Chain::Regtest,
        chain_hash: CHAIN_HASH,
        host: HostConfig { offer, max_opens_per_prefix_per_hour: 1_000, ..HostConfig::default() },
        policy: Policy::default(),
        accept_keysend: true,
    }
}

/// Bits 257 and 32973, as our transport advertises.
pub fn hosted_features() -> Vec<u8> {
    let mut features = vec![0u8; 32_973 / 8 + 1];
    let len = features.len();
    for bit in [257usize, 32_973] {
        features[len - 1 - bit / 8] |= 1 << (bit % 8);
    }
    features
}
