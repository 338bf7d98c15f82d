//! A real btcd and a real bitcoind as sources, where `make lab` has put them; skipped by name
//! elsewhere. `STEWARD_LAB_BIN` names the folder of their programs if it is not `lab/bin`.

mod support;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use bitcoin::consensus::encode::serialize_hex;
use bitcoin::transaction::Version;
use bitcoin::{Network, OutPoint, Transaction};
use serde_json::{Value, json};
use steward_chain::{
    BridgeSource, ChainConfig, ChainError, ChainEvent, FeerateOrigin, Scan, Scanner, SourceKind,
    first_position,
};
use support::ledger::{first_output, make_block, open_script, spend};

/// btcd takes witnesses from this height on.
const SEGWIT_HEIGHT: u32 = 432;
const COIN_SAT: u64 = 5_000_000_000;
const PATIENCE: Duration = Duration::from_secs(30);

/// Returns the program if the lab was built, or says that the test is skipped.
fn program(name: &str) -> Option<PathBuf> {
    let lab = std::env::var_os("STEWARD_LAB_BIN")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../lab/bin"), PathBuf::from);
    let path = lab.join(name);
    if path.is_file() {
        return Some(path);
    }
    eprintln!(
        "SKIPPED: the test against a real {name}: there is no {}; run `make lab`",
        path.display()
    );
    None
}

/// A running node, ended when it is dropped.
struct Node {
    child: Child,
    url: String,
    source: Box<dyn BridgeSource>,
    _directory: tempfile::TempDir,
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Node {
    fn btcd(program: &Path) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let none = directory.path().join("none");
        std::fs::write(&none, "").unwrap();
        let port = free_port();
        let folder = |name: &str| directory.path().join(name).display().to_string();
        let child = Command::new(program)
            .args(["--regtest", "--notls", "--nolisten", "--rpcuser=user", "--rpcpass=secret"])
            .arg(format!("--configfile={}", none.display()))
            .arg(format!("--datadir={}", folder("data")))
            .arg(format!("--logdir={}", folder("logs")))
            .arg(format!("--rpclisten=127.0.0.1:{port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self::ready(child, port, directory)
    }

    fn bitcoind(program: &Path) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let port = free_port();
        // Knots takes packages by version 3 like Bitcoin Core only if it is told to.
        let version = Command::new(program).arg("-version").output().unwrap().stdout;
        let is_knots = String::from_utf8_lossy(&version).contains("Knots");
        let child = Command::new(program)
            .args(is_knots.then_some("-mempooltruc=enforce"))
            .args(["-regtest", "-server=1", "-listen=0", "-dnsseed=0", "-disablewallet=1"])
            .args(["-rpcuser=user", "-rpcpassword=secret"])
            .arg(format!("-datadir={}", directory.path().display()))
            .arg(format!("-rpcport={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self::ready(child, port, directory)
    }

    fn ready(child: Child, port: u16, directory: tempfile::TempDir) -> Self {
        let url = format!("http://127.0.0.1:{port}");
        let config = ChainConfig {
            source: Some(SourceKind::Bitcoind),
            url: Some(url.clone()),
            user: Some("user".into()),
            password: Some("secret".to_owned().into()),
            ..ChainConfig::default()
        };
        let source = config.open_bridge(Network::Regtest).unwrap();
        let mut node = Self { child, url, source, _directory: directory };
        let begun = Instant::now();
        while let Err(error) = node.source.tip() {
            assert!(begun.elapsed() < PATIENCE, "{error}");
            std::thread::yield_now();
        }
        node
    }

    /// Opens the same node a second time.
    fn another(&self) -> Box<dyn BridgeSource> {
        support::ledger::open_at(support::ledger::Dialect::Bitcoind, self.url.clone())
    }

    fn rpc(&self, method: &str, params: Value) -> Value {
        let authorization = base64::engine::general_purpose::STANDARD.encode("user:secret");
        let body = json!({"jsonrpc": "1.0", "id": 1, "method": method, "params": params});
        let mut answer = ureq::post(&self.url)
            .header("authorization", format!("Basic {authorization}"))
            .config()
            .http_status_as_error(false)
            .build()
            .send(body.to_string())
            .unwrap();
        serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap()
    }

    /// Mines `count` blocks of our own; the first holds `transactions`.
    fn mine(&mut self, count: u32, salt: u64, transactions: &[Transaction]) -> Vec<Transaction> {
        let mut coinbases = Vec::new();
        for n in 0..count {
            let tip = self.source.tip().unwrap();
            let below = self.source.header(tip.hash.unwrap()).unwrap().unwrap();
            let inside = if n == 0 { transactions } else { &[] };
            let block = make_block(&below, tip.height + 1, salt, inside);
            let answer = self.rpc("submitblock", json!([serialize_hex(&block)]));
            assert_eq!(answer["result"], Value::Null, "{answer}");
            assert_eq!(answer["error"], Value::Null, "{answer}");
            coinbases.push(block.txdata[0].clone());
        }
        coinbases
    }
}

fn follow(scanner: &mut Scanner) -> Vec<ChainEvent> {
    let mut events = Vec::new();
    while let Scan::Event(scanned) = scanner.next_event().unwrap() {
        events.push(scanned.event);
    }
    events
}

/// What both programs must do alike. Returns a coin that may be spent.
fn guards_a_channel(node: &mut Node) -> OutPoint {
    let position = first_position(node.another().as_mut(), Network::Regtest, Some(0)).unwrap();
    let mut scanner = Scanner::new(node.another(), position);
    // Twice 100 blocks, because coins of miners mature.
    let coinbases = node.mine(SEGWIT_HEIGHT + 110, 1, &[]);
    assert_eq!(follow(&mut scanner).len(), coinbases.len());

    let coin = first_output(&coinbases[0]);
    let funding = spend(&[coin], COIN_SAT - 20_000, open_script());
    let outpoint = first_output(&funding);
    node.source.broadcast(&funding).unwrap();
    node.source.broadcast(&funding).unwrap();
    assert_eq!(node.source.unspent(outpoint).unwrap(), None);
    node.mine(1, 1, std::slice::from_ref(&funding));
    node.source.broadcast(&funding).unwrap();
    let found = node.source.unspent(outpoint).unwrap().unwrap();
    assert_eq!((found.value.to_sat(), found.confirmations), (COIN_SAT - 20_000, 1));

    let double = spend(&[coin], COIN_SAT - 30_000, open_script());
    let error = node.source.broadcast(&double).unwrap_err();
    assert!(matches!(error, ChainError::NotTaken { .. }), "{error:?}");

    let events = follow(&mut scanner);
    let [ChainEvent::Connected { block, .. }] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(block.txdata[1], funding);

    // Six blocks are replaced by seven.
    node.mine(5, 1, &[]);
    assert_eq!(follow(&mut scanner).len(), 5);
    let tip = node.source.tip().unwrap();
    let first = node.source.block_hash_at(tip.height - 5).unwrap().unwrap();
    let answer = node.rpc("invalidateblock", json!([first]));
    assert_eq!(answer["error"], Value::Null, "{answer}");
    let lagging = scanner.next_event().unwrap();
    assert_eq!(lagging, Scan::Behind { source_height: tip.height - 6 });
    node.mine(7, 2, &[]);
    let events = follow(&mut scanner);
    let ChainEvent::Disconnected { fork, removed } = &events[0] else { panic!("{events:?}") };
    assert_eq!((fork.height, removed.len(), events.len()), (tip.height - 6, 6, 8));

    let feerate = node.source.feerate(3).unwrap();
    assert!(
        feerate.origin == FeerateOrigin::MempoolMinimum && feerate.per_kw >= 253,
        "{feerate:?}"
    );
    assert_eq!(node.source.block_hash_at(100_000).unwrap(), None);
    first_output(&coinbases[1])
}

/// A parent that pays nothing, and its child that pays for both. bitcoind takes a parent below its
/// least relay fee, and not only below its mempool's present minimum, if both have version 3.
fn family(coin: OutPoint) -> [Transaction; 2] {
    let mut parent = spend(&[coin], COIN_SAT, open_script());
    parent.version = Version::non_standard(3);
    let mut child = spend(&[first_output(&parent)], COIN_SAT - 50_000, open_script());
    child.version = parent.version;
    [parent, child]
}

#[test]
fn btcd_guards_a_channel() {
    let Some(program) = program("btcd") else { return };
    let mut node = Node::btcd(&program);
    let coin = guards_a_channel(&mut node);
    // btcd relays some transactions without a fee, so these are taken one by one.
    node.source.broadcast_package(&family(coin)).unwrap();
    node.source.broadcast_package(&family(coin)).unwrap();
    let unknown = OutPoint { vout: 9, ..coin };
    let error = node.source.broadcast_package(&family(unknown)).unwrap_err();
    let ChainError::NoPackages { txid, .. } = error else { panic!("{error:?}") };
    assert_eq!(txid, family(unknown)[0].compute_txid());
}

#[test]
fn bitcoind_guards_a_channel() {
    let Some(program) = program("bitcoind") else { return };
    let mut node = Node::bitcoind(&program);
    let coin = guards_a_channel(&mut node);
    node.source.broadcast_package(&family(coin)).unwrap();
    node.source.broadcast_package(&family(coin)).unwrap();
    node.mine(1, 3, &family(coin));
}
