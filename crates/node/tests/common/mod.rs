//! Nodes for tests: on loopback, on regtest, in directories of their own.
#![allow(dead_code, reason = "each test file uses a part")]

use std::path::Path;
use std::time::Duration;

use bitcoin::Network;
use steward_engine::{Command, Error, Event, EventKind, Reply};
use steward_invoice::Invoice;
use steward_node::ops::requests::NewInvoice;
use steward_node::ops::requests::{PayAmount, PayInvoice, PayNode};
use steward_node::{
    Config, EffectiveConfig, Node, NodeHandle, NodeKeys, Seed, Sources, initialize,
};
use steward_wire::NodeId;
use tokio::sync::broadcast::Receiver;

/// The time to wait; nothing here takes this long unless it hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn config(dir: &Path, overrides: &[&str]) -> Config {
    let mut all = vec![
        format!("data_dir={}", dir.display()),
        "host.enabled=true".to_owned(),
        "listen.addresses=127.0.0.1:0".to_owned(),
        "network=regtest".to_owned(),
    ];
    all.extend(overrides.iter().map(|text| (*text).to_owned()));
    EffectiveConfig::load(&Sources { overrides: all, ..Sources::default() }).unwrap().config
}

/// Makes a data directory, and marks the words as shown.
pub(crate) fn make_node(config: &Config) {
    let words = Seed::generate().unwrap();
    initialize(config, Some(words.words())).unwrap();
}

/// Runs a command that writes a row and whose answer waits for it.
pub(crate) async fn write_something(handle: &NodeHandle) -> Result<Reply, Error> {
    let peer = NodeKeys::new(&Seed::generate().unwrap(), Network::Regtest).node_id();
    let addresses = vec!["127.0.0.1:1".to_owned()];
    handle.plumbing().command(Command::Connect { peer, addresses }).await
}

/// A node and the directory it lives in.
pub(crate) struct TestNode {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) config: Config,
    pub(crate) handle: NodeHandle,
}

impl TestNode {
    pub(crate) async fn start(overrides: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = config(dir.path(), overrides);
        make_node(&config);
        let handle = Node::start(config.clone()).await.unwrap();
        Self { dir, config, handle }
    }

    /// Returns the address where the node listens, as `host:port`.
    pub(crate) fn address(&self) -> String {
        self.handle.info().listen[0].to_string()
    }

    /// Opens a channel with `host` and waits until both have signed it.
    pub(crate) async fn open_channel(&self, host: &TestNode) {
        let (mut here, mut there) = (self.handle.subscribe(), host.handle.subscribe());
        invoke(&self.handle, &host.handle).await;
        let is_opened = |kind: &EventKind| matches!(kind, EventKind::ChannelOpened { .. });
        wait_for(&mut here, is_opened).await;
        wait_for(&mut there, is_opened).await;
    }

    /// Waits until all channels can be used.
    pub(crate) async fn channels_active(&self) {
        let active = async {
            loop {
                let status = self.handle.status().await.unwrap();
                let [_, _, _, active, _] = status.channels;
                if active > 0
                    && active == status.channels.iter().sum::<u32>()
                    && !status.tip_is_stale
                {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, active).await.expect("channels become active");
    }
}

/// Asks for a channel with `host`, without waiting until it is open.
pub(crate) async fn invoke(client: &NodeHandle, host: &NodeHandle) {
    let info = host.info();
    let address = info.listen[0].to_string().parse().unwrap();
    client
        .open_channel(
            info.node_id,
            address,
            steward_engine::row::LocalIdentity::PerHost,
            Vec::new(),
            Duration::ZERO,
        )
        .await
        .unwrap();
}

pub(crate) fn new_invoice(amount_msat: Option<u64>, expiry_s: u32) -> NewInvoice {
    NewInvoice { amount_msat, description: "coffee".to_owned(), expiry_s }
}

pub(crate) fn pay_invoice(invoice: Invoice, amount_msat: Option<u64>) -> PayInvoice {
    let amount = amount_msat.map_or(PayAmount::AsInvoiced, PayAmount::Msat);
    PayInvoice { invoice, amount, max_fee_msat: None }
}

pub(crate) fn keysend_to(destination: NodeId, amount_msat: u64) -> PayNode {
    PayNode { destination, via: None, amount_msat, max_fee_msat: None }
}

pub(crate) async fn wait_for(
    events: &mut Receiver<Event>,
    matches: impl Fn(&EventKind) -> bool,
) -> Event {
    let found = async {
        loop {
            let event = events.recv().await.expect("events go on");
            if matches(&event.kind) {
                return event;
            }
        }
    };
    tokio::time::timeout(PATIENCE, found).await.expect("the event comes")
}
