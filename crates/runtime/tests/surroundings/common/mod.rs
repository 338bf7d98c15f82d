//! Nodes made of nothing but the engine and fakes of its surroundings: a wire in memory, a router
//! that knows one hop, blocks that the test makes, keys of one byte.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use bitcoin::Network;
use bitcoin::hashes::{Hash, hash160, sha256};
use bitcoin::secp256k1::ecdsa::RecoverableSignature;
use bitcoin::secp256k1::{PublicKey, SecretKey};
use steward_engine::config::{HostConfig, Policy, default_offer};
use steward_engine::io::{NoRoute, PathResult, RouteRequest, RoutedPart};
use steward_engine::row::LocalIdentity;
use steward_engine::{Config, ConnId, Event, EventKind, Input};
use steward_onion::{OnionSeed, PathHop, Recipient, create};
use steward_runtime::traits::{Blocks, BlocksError, Frame, PeerTransport, Router, Signer};
use steward_runtime::{Inbox, PeerEvent, Prepared, Runtime, Stop, Surroundings};
use steward_store::{History, MemoryStore};
use steward_wire::{Identity, NodeId, PaymentHash, Preimage, Signature};
use tokio::sync::broadcast::Receiver;

/// The time to wait; nothing here takes this long unless it hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
pub(crate) const HEIGHT: u32 = 900_000;
/// The address of every host, as far as a wire in memory has places.
pub(crate) const ADDRESS: &str = "somewhere:9735";
/// The client's balance in the beginning, in millisatoshi.
pub(crate) const INITIAL_MSAT: u64 = 400_000_000;

/// The uses of identities so far.
pub(crate) type Uses = Arc<Mutex<BTreeSet<&'static str>>>;

/// A vault of keys derived from one byte. It keeps them to itself, as a signer on another machine
/// would.
#[derive(Clone)]
pub(crate) struct Vault {
    byte: u8,
    uses: Uses,
}

/// The handle of one key in the vault.
struct Handle {
    key: SecretKey,
    uses: Uses,
}

impl Vault {
    fn identity(&self, purpose: &[u8]) -> Arc<dyn Identity> {
        let digest = sha256::Hash::hash(&[[self.byte].as_slice(), purpose].concat());
        let key = SecretKey::from_slice(digest.as_byte_array()).unwrap();
        Arc::new(Handle { key, uses: Arc::clone(&self.uses) })
    }
}

impl Signer for Vault {
    fn node(&self) -> Arc<dyn Identity> {
        self.identity(b"node")
    }

    fn towards_host(&self, host: &NodeId) -> Arc<dyn Identity> {
        self.identity(&host.0)
    }

    fn invoice(&self, payment_hash: &PaymentHash) -> Arc<dyn Identity> {
        self.identity(&payment_hash.0)
    }

    fn refund_scriptpubkey(&self, host: &NodeId, _: LocalIdentity) -> Vec<u8> {
        let key = self.towards_host(host).public_key().serialize();
        [[0, 20].as_slice(), hash160::Hash::hash(&key).as_byte_array()].concat()
    }
}

impl Handle {
    fn used_for(&self, purpose: &'static str) -> &SecretKey {
        self.uses.lock().unwrap().insert(purpose);
        &self.key
    }
}

impl Identity for Handle {
    fn public_key(&self) -> PublicKey {
        Identity::public_key(&self.key)
    }

    fn sign_state(&self, hash: [u8; 32]) -> Signature {
        self.used_for("state").sign_state(hash)
    }

    fn sign_resize(&self, hash: [u8; 32]) -> Signature {
        self.used_for("resize").sign_resize(hash)
    }

    fn sign_update(&self, hash: [u8; 32]) -> Signature {
        self.used_for("update").sign_update(hash)
    }

    fn sign_invoice(&self, hash: [u8; 32]) -> RecoverableSignature {
        self.used_for("invoice").sign_invoice(hash)
    }

    fn ecdh(&self, point: &PublicKey) -> [u8; 32] {
        self.used_for("ecdh").ecdh(point)
    }

    fn receive_auth_key(&self) -> [u8; 32] {
        self.key.receive_auth_key()
    }
}

/// One end of a wire in memory: what is sent on a connection arrives at the other end's inbox.
#[derive(Default)]
pub(crate) struct MemoryWire {
    /// The other ends of our connections.
    others: Mutex<BTreeMap<ConnId, Inbox<()>>>,
    /// The addresses that the engine wants kept and forgotten.
    pub(crate) wishes: Mutex<Vec<String>>,
}

impl PeerTransport for MemoryWire {
    type Held = ();

    fn send(&self, conn: ConnId, messages: Vec<Frame>) {
        if let Some(other) = self.others.lock().unwrap().get(&conn) {
            // The other node may have stopped.
            let _ = other.put(PeerEvent::Messages { conn, messages, held: () });
        }
    }

    fn disconnect(&self, conn: ConnId, reason: &str, _back_off: bool) {
        panic!("no connection ends here: {} {reason}", conn.0);
    }

    fn keep_connected(&self, _peer: NodeId, identity: LocalIdentity, addresses: &[String]) {
        let is_host = identity == LocalIdentity::PerHost;
        self.wishes.lock().unwrap().push(format!("keep {addresses:?}, a host: {is_host}"));
    }

    fn forget(&self, _peer: NodeId, _local: NodeId) {
        self.wishes.lock().unwrap().push("forget".to_owned());
    }
}

/// The amount whose route makes the router panic.
pub(crate) const PANICS_AT_MSAT: u64 = 13_000_000;

/// A router that knows only the payee beside us.
#[derive(Default)]
pub(crate) struct OneHop {
    pub(crate) learned: Mutex<Vec<PathResult>>,
    /// The next route waits for the end of this.
    pub(crate) gate: Mutex<Option<mpsc::Receiver<()>>>,
}

impl Router for OneHop {
    fn find_route(&self, request: &RouteRequest) -> Result<Vec<RoutedPart>, NoRoute> {
        if let Some(gate) = self.gate.lock().unwrap().take() {
            // Nothing is sent; the end is what counts.
            let _ = gate.recv();
        }
        assert_ne!(request.amount_msat, PANICS_AT_MSAT, "on purpose");
        let first = request.first_hops.iter().find(|hop| hop.peer == request.destination);
        let first = first.ok_or_else(|| NoRoute::from("the payee is no neighbour".to_owned()))?;
        let path = vec![PathHop {
            node_id: request.destination,
            scid: first.short_channel_id,
            fee_msat: request.amount_msat,
            cltv_expiry_delta: request.final_cltv_expiry_delta_blocks,
        }];
        let recipient = Recipient {
            payment_secret: request.recipient.payment_secret,
            total_msat: request.recipient.total_msat,
            metadata: request.recipient.metadata.clone(),
            keysend_preimage: request.recipient.keysend_preimage,
            ..Recipient::default()
        };
        let seed = OnionSeed { session_key: [7; 32], prng_seed: [8; 32], height: request.height };
        let onion = create(&path, &recipient, &request.payment_hash, &seed).unwrap();
        Ok(vec![RoutedPart {
            path,
            amount_msat: onion.amount_msat,
            fee_msat: 0,
            cltv_expiry: onion.cltv_expiry,
            onion: onion.onion,
            session_key: seed.session_key,
        }])
    }

    fn record(&self, result: PathResult) {
        self.learned.lock().unwrap().push(result);
    }
}

/// Blocks that publish the preimages the test gives.
#[derive(Default)]
pub(crate) struct MadeBlocks {
    pub(crate) published: Mutex<BTreeMap<u32, Vec<Preimage>>>,
    pub(crate) looked_into: Mutex<Vec<u32>>,
}

impl Blocks for MadeBlocks {
    fn ask_height(&self) {}

    fn describe(&self) -> Option<String> {
        Some("blocks of a test".to_owned())
    }

    fn preimages_at(&self, height: u32) -> Result<Option<Vec<Preimage>>, BlocksError> {
        self.looked_into.lock().unwrap().push(height);
        Ok(Some(self.published.lock().unwrap().get(&height).cloned().unwrap_or_default()))
    }

    fn pause(&self, _failures: u32) -> Duration {
        Duration::from_millis(1)
    }
}

/// A running engine among fakes.
pub(crate) struct TestNode {
    signer: Vault,
    pub(crate) runtime: Runtime<()>,
    pub(crate) wire: Arc<MemoryWire>,
    pub(crate) router: Arc<OneHop>,
    pub(crate) blocks: Arc<MadeBlocks>,
    pub(crate) history: Arc<dyn History>,
}

impl TestNode {
    pub(crate) async fn start(byte: u8) -> Self {
        let (wire, router, blocks) =
            (Arc::<MemoryWire>::default(), Arc::<OneHop>::default(), Arc::<MadeBlocks>::default());
        let signer = Vault { byte, uses: Uses::default() };
        let store = Box::new(MemoryStore::new());
        let prepared =
            Prepared::load(config(), Box::new(signer.clone()), store, |_| Ok(())).unwrap();
        let history = prepared.history();
        let surroundings = Surroundings {
            transport: Arc::clone(&wire),
            router: Arc::clone(&router),
            blocks: Arc::clone(&blocks),
        };
        let runtime = prepared.start(surroundings, vec![height(HEIGHT)], Stop::new()).await;
        Self { signer, runtime: runtime.unwrap(), wire, router, blocks, history }
    }

    pub(crate) fn id(&self) -> NodeId {
        self.signer.node().node_id()
    }

    /// Returns our identity towards this host.
    pub(crate) fn id_towards(&self, host: &Self) -> NodeId {
        self.signer.towards_host(&host.id()).node_id()
    }

    /// Returns the uses of our identities.
    pub(crate) fn uses(&self) -> Vec<&'static str> {
        self.signer.uses.lock().unwrap().iter().copied().collect()
    }

    /// Connects to a host, as its client.
    pub(crate) fn connect(&self, host: &Self, conn: ConnId) {
        let (us, them) = (self.id_towards(host), host.id());
        for (node, other, local, peer, inbound) in
            [(self, host, us, them, false), (host, self, them, us, true)]
        {
            node.wire.others.lock().unwrap().insert(conn, other.runtime.inbox());
            let address = ADDRESS.to_owned();
            let features = hosted_features();
            let event = PeerEvent::Connected { conn, local, peer, features, inbound, address };
            node.runtime.inbox().put(event).unwrap();
        }
    }

    pub(crate) async fn end(&self) {
        let ending = self.runtime.begin_to_end().unwrap();
        let ended = self.runtime.end(ending).await;
        self.runtime.ended(ended);
        self.runtime.stop().stopped().await.unwrap();
    }
}

pub(crate) fn height(height: u32) -> Input {
    let asked_ms = Some(steward_runtime::clock::now_ms());
    Input::Chain { height, stale: false, asked_ms }
}

pub(crate) async fn wait_for(
    events: &mut Receiver<Event>,
    matches: impl Fn(&EventKind) -> bool,
) -> Event {
    let found = async {
        loop {
            let event = events.recv().await.unwrap();
            if matches(&event.kind) {
                return event;
            }
        }
    };
    tokio::time::timeout(PATIENCE, found).await.unwrap()
}

fn config() -> Config {
    let mut offer = default_offer(1_000_000);
    offer.initial_client_balance_msat = INITIAL_MSAT;
    Config {
        network: Network::Regtest,
        chain_hash: [0x6f; 32],
        host: HostConfig { offer, ..HostConfig::default() },
        policy: Policy::default(),
        accept_keysend: true,
    }
}

/// Returns the feature bits 257 and 32973.
fn hosted_features() -> Vec<u8> {
    let mut features = vec![0_u8; 32_973 / 8 + 1];
    let len = features.len();
    for bit in [257_usize, 32_973] {
        features[len - 1 - bit / 8] |= 1 << (bit % 8);
    }
    features
}
