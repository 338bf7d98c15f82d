//! Every key of the node, derived from the seed. The paths are frozen by `vectors/keys.json`:
//! a change would cut users off from their channels.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use bitcoin::bip32::{ChildNumber, Xpriv};
use bitcoin::hashes::{Hash, HashEngine, Hmac, HmacEngine, sha256};
use bitcoin::secp256k1::{All, PublicKey, Secp256k1, SecretKey};
use bitcoin::{CompressedPublicKey, Network, NetworkKind, ScriptBuf};
use steward_engine::Signer;
use steward_engine::row::LocalIdentity;
use steward_wire::{Identity, NodeId, PaymentHash};
use zeroize::Zeroize;

use crate::limits::MAX_CACHED_HOST_KEYS;
use crate::seed::Seed;

/// The keys in memory, from one seed.
///
/// | Key | Path |
/// |---|---|
/// | node | `m/46'/c'/0'` |
/// | towards a host | `m/46'/0'/230'/w0/w1/w2/w3` |
/// | invoices | HMAC-SHA256 keyed with `m/46'/c'/1'`, over payment hash and a counter byte |
/// | refund at a host | `m/84'/c'/230'/w0/w1/w2/w3`, P2WPKH |
/// | refund at a host that knows us by the node's key | `m/84'/c'/231'/w0/w1/w2/w3`, P2WPKH |
///
/// `c` is 0 on mainnet and 1 elsewhere, so that a state signed on a test network can never be shown
/// on mainnet: the state hash does not name the chain (docs/protocol.md section 2). `w0..w3` are
/// the first 16 bytes of the host's node id as four big-endian words, each used as a raw BIP32
/// index: from 2^31 on it is hardened. The path towards a host is immortan's (docs/protocol.md
/// section 1.6) on every network, so that the seeds of SBW, OBW and Valet find their channels.
pub struct NodeKeys {
    secp: Secp256k1<All>,
    node: SecretKey,
    invoice_secret: [u8; 32],
    hosts: Xpriv,
    refunds: Xpriv,
    refunds_of_node: Xpriv,
    /// The keys are kept because four derivations cost more than the signature that follows.
    host_keys: RefCell<BTreeMap<NodeId, SecretKey>>,
}

impl NodeKeys {
    /// Derives the keys of one network.
    pub fn new(seed: &Seed, network: Network) -> Self {
        let secp = Secp256k1::new();
        let master = master_key(seed, network);
        let coin = if network == Network::Bitcoin { 0 } else { 1 };
        let derive = |path: &[ChildNumber]| derive(&secp, &master, path);
        let node = derive(&[hardened(46), hardened(coin), hardened(0)]).private_key;
        let invoices = derive(&[hardened(46), hardened(coin), hardened(1)]).private_key;
        let hosts = derive(&[hardened(46), hardened(0), hardened(230)]);
        let refunds = derive(&[hardened(84), hardened(coin), hardened(230)]);
        let refunds_of_node = derive(&[hardened(84), hardened(coin), hardened(231)]);
        Self {
            node,
            invoice_secret: invoices.secret_bytes(),
            hosts,
            refunds,
            refunds_of_node,
            host_keys: RefCell::default(),
            secp,
        }
    }

    /// Returns our identity as host.
    pub fn node_id(&self) -> NodeId {
        self.id_of(&self.node)
    }

    fn id_of(&self, key: &SecretKey) -> NodeId {
        NodeId::from(PublicKey::from_secret_key(&self.secp, key))
    }

    fn derive_towards_host(&self, host: &NodeId) -> SecretKey {
        derive(&self.secp, &self.hosts, &host_path(host)).private_key
    }
}

impl NodeKeys {
    /// Returns the key of our identity as host.
    pub fn node(&self) -> SecretKey {
        self.node
    }

    /// Returns the key of our identity towards this host.
    pub fn towards_host(&self, host: &NodeId) -> SecretKey {
        if let Some(key) = self.host_keys.borrow().get(host) {
            return *key;
        }
        let key = self.derive_towards_host(host);
        let mut cache = self.host_keys.borrow_mut();
        if cache.len() < MAX_CACHED_HOST_KEYS {
            cache.insert(*host, key);
        }
        key
    }

    /// Returns the key of the payee of this invoice.
    pub fn invoice(&self, payment_hash: &PaymentHash) -> SecretKey {
        // One in 2^127 digests is no key; the counter gives the next one.
        for counter in 0..=u8::MAX {
            let mut engine = HmacEngine::<sha256::Hash>::new(&self.invoice_secret);
            engine.input(&payment_hash.0);
            engine.input(&[counter]);
            let digest = Hmac::from_engine(engine).to_byte_array();
            if let Ok(key) = SecretKey::from_slice(&digest) {
                return key;
            }
        }
        self.node
    }
}

impl Signer for NodeKeys {
    fn node(&self) -> Arc<dyn Identity> {
        Arc::new(NodeKeys::node(self))
    }

    fn towards_host(&self, host: &NodeId) -> Arc<dyn Identity> {
        Arc::new(NodeKeys::towards_host(self, host))
    }

    fn invoice(&self, payment_hash: &PaymentHash) -> Arc<dyn Identity> {
        Arc::new(NodeKeys::invoice(self, payment_hash))
    }

    fn refund_scriptpubkey(&self, host: &NodeId, identity: LocalIdentity) -> Vec<u8> {
        // A host refuses two channels with one script: a state names no client but by it.
        let refunds = match identity {
            LocalIdentity::PerHost => &self.refunds,
            LocalIdentity::Node => &self.refunds_of_node,
        };
        let key = derive(&self.secp, refunds, &host_path(host)).private_key;
        let public = CompressedPublicKey(PublicKey::from_secret_key(&self.secp, &key));
        ScriptBuf::new_p2wpkh(&public.wpubkey_hash()).into_bytes()
    }
}

impl Drop for NodeKeys {
    fn drop(&mut self) {
        self.node.non_secure_erase();
        self.invoice_secret.zeroize();
        self.hosts.private_key.non_secure_erase();
        self.refunds.private_key.non_secure_erase();
        self.refunds_of_node.private_key.non_secure_erase();
        self.host_keys.get_mut().values_mut().for_each(SecretKey::non_secure_erase);
    }
}

/// Returns the path of the four words (docs/protocol.md section 1.6).
fn host_path(host: &NodeId) -> Vec<ChildNumber> {
    let bytes = host.0;
    let words = bytes.iter().take(16).copied().collect::<Vec<u8>>();
    words
        .chunks_exact(4)
        .map(|word| word.iter().fold(0_u32, |sum, byte| (sum << 8) | u32::from(*byte)))
        .map(ChildNumber::from)
        .collect()
}

fn hardened(index: u32) -> ChildNumber {
    ChildNumber::Hardened { index }
}

#[expect(clippy::expect_used, reason = "fails for one seed in 2^127 (BIP32)")]
fn master_key(seed: &Seed, network: Network) -> Xpriv {
    Xpriv::new_master(NetworkKind::from(network), seed.bip32_seed())
        .expect("a 64 byte seed makes a key")
}

#[expect(clippy::expect_used, reason = "fails for one path in 2^127 (BIP32), which none can find")]
fn derive(secp: &Secp256k1<All>, parent: &Xpriv, path: &[ChildNumber]) -> Xpriv {
    parent.derive_priv(secp, &path).expect("every index has a key")
}
