//! An API over a node that a test plays: a store in memory, answers as the test sets them.
#![allow(dead_code, reason = "each test file uses some of it")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::collections::VecDeque;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::Value;
use steward_api::backend::{NewInvoice, PayInvoice, PayNode};
use steward_api::{Api, Backend, Listener, Token};
use steward_engine::command::ChannelInfo;
use steward_engine::row::{InvoiceRow, PaymentRow, PaymentStatus, Row, WriteBatch};
use steward_engine::{Command, Error, Event, EventKind, Reply};
use steward_hosted::{Phase, Role};
use steward_node::{ConnectionFailure, NodeInfo, NodeMetrics, Paid};
use steward_p2p::PeerAddress;
use steward_store::{History, MemoryStore, Store};
use steward_wire::{NodeId, PaymentHash, Preimage, ShortChannelId};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::{broadcast, oneshot};
use ureq::Agent;

/// Events a live subscriber may be behind before it misses some.
pub(crate) const EVENT_BUFFER: usize = 8;

pub(crate) struct FakeNode {
    store: Mutex<MemoryStore>,
    history: Arc<dyn History>,
    pub(crate) events: broadcast::Sender<Event>,
    /// What the engine answers, first come, first served.
    pub(crate) answers: Mutex<VecDeque<Result<Reply, Error>>>,
    pub(crate) commands: Mutex<Vec<Command>>,
    pub(crate) paid: Mutex<Vec<(PayInvoice, Duration)>>,
    /// Whether an earlier request began what is paid.
    pub(crate) begun_earlier: AtomicBool,
    pub(crate) failures: Mutex<Vec<ConnectionFailure>>,
    /// What paying is answered.
    pub(crate) payment: Mutex<Result<PaymentRow, Error>>,
}

impl FakeNode {
    pub(crate) fn store(&self, row: Row) {
        let mut batch = WriteBatch::default();
        batch.put(row);
        self.store.lock().unwrap().commit(&batch).unwrap();
    }

    /// As a node does: durable first, told afterwards.
    pub(crate) fn happens(&self, number: u64) {
        self.store_event(number);
        let _ = self.events.send(event(number));
    }

    pub(crate) fn store_event(&self, number: u64) {
        self.store(Row::Event(event(number)));
    }

    pub(crate) fn answer(&self, answer: Result<Reply, Error>) {
        self.answers.lock().unwrap().push_back(answer);
    }
}

impl Backend for FakeNode {
    fn info(&self) -> NodeInfo {
        NodeInfo {
            network: steward_chain::Network::Regtest,
            node_id: peer(),
            version: "test",
            data_dir: PathBuf::from("/data"),
            listen: Vec::new(),
            public_addresses: Vec::new(),
            started_ms: 0,
            started_at_ms: 0,
        }
    }

    fn metrics(&self) -> NodeMetrics {
        NodeMetrics::default()
    }

    fn command(&self, command: Command) -> BoxFuture<'_, Result<Reply, Error>> {
        self.commands.lock().unwrap().push(command);
        let answer = self.answers.lock().unwrap().pop_front();
        async move { answer.unwrap_or(Ok(Reply::Done)) }.boxed()
    }

    fn reach_and_command(
        &self,
        _peer: NodeId,
        _is_host: bool,
        _address: PeerAddress,
        command: Command,
    ) -> BoxFuture<'_, Result<Reply, Error>> {
        self.command(command)
    }

    fn connection_failures(&self) -> Vec<ConnectionFailure> {
        self.failures.lock().unwrap().clone()
    }

    fn create_invoice(&self, _request: NewInvoice) -> BoxFuture<'_, Result<InvoiceRow, Error>> {
        async { Err(Error::refused("cannot_receive", "no channel can receive this amount")) }
            .boxed()
    }

    fn pay(&self, request: PayInvoice, wait: Duration) -> BoxFuture<'_, Result<Paid, Error>> {
        self.paid.lock().unwrap().push((request, wait));
        let payment = self.payment.lock().unwrap().clone();
        let begun_earlier = self.begun_earlier.load(Ordering::Relaxed);
        async move { payment.map(|payment| Paid { payment, begun_earlier }) }.boxed()
    }

    fn keysend(
        &self,
        _request: PayNode,
        _wait: Duration,
    ) -> BoxFuture<'_, Result<PaymentRow, Error>> {
        let payment = self.payment.lock().unwrap().clone();
        async move { payment }.boxed()
    }

    fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    fn history(&self) -> Arc<dyn History> {
        Arc::clone(&self.history)
    }

    fn backup(&self, _path: PathBuf) -> BoxFuture<'_, Result<(), Error>> {
        async { Ok(()) }.boxed()
    }
}

/// A running API.
pub(crate) struct Server {
    pub(crate) node: Arc<FakeNode>,
    pub(crate) address: String,
    pub(crate) token: String,
    agent: Agent,
    stop: Option<oneshot::Sender<()>>,
    runtime: Option<Runtime>,
    _dir: tempfile::TempDir,
}

pub(crate) fn server() -> Server {
    serve_on(|runtime| {
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        (listener.into(), address)
    })
}

/// On a unix socket: only its path, node and token are of use.
pub(crate) fn server_on(socket: &std::path::Path) -> Server {
    serve_on(|runtime| {
        let _runtime = runtime.enter();
        (Listener::unix(socket).unwrap(), String::new())
    })
}

/// By TLS: only its address, node and token are of use.
pub(crate) fn server_of_tls() -> Server {
    let file = |name: &str| {
        std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../steward/tests/support/tls")
            .join(name)
    };
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("key");
    std::fs::copy(file("one.key"), &key).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    serve_on(|runtime| {
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        (Listener::tls(listener, &file("one.pem"), &key).unwrap(), address)
    })
}

fn serve_on(listen: impl FnOnce(&Runtime) -> (Listener, String)) -> Server {
    let store = MemoryStore::new();
    let history = store.history().unwrap();
    let node = Arc::new(FakeNode {
        store: Mutex::new(store),
        history,
        events: broadcast::channel(EVENT_BUFFER).0,
        answers: Mutex::default(),
        commands: Mutex::default(),
        paid: Mutex::default(),
        begun_earlier: AtomicBool::new(false),
        failures: Mutex::default(),
        payment: Mutex::new(Ok(payment(PaymentStatus::Pending))),
    });
    let dir = tempfile::tempdir().unwrap();
    let token = Token::load_or_create(dir.path()).unwrap();
    let runtime = Runtime::new().unwrap();
    let (listener, address) = listen(&runtime);
    let (stop, stopped) = oneshot::channel();
    let api = Api::new(Arc::clone(&node) as Arc<dyn Backend>, token.clone());
    runtime.spawn(api.serve(listener, async {
        let _ = stopped.await;
    }));
    let agent = Agent::config_builder()
        .http_status_as_error(false)
        .proxy(None)
        .timeout_global(Some(Duration::from_secs(30)))
        .build()
        .new_agent();
    let token = token.as_str().to_owned();
    let stop = Some(stop);
    Server { node, address, token, agent, stop, runtime: Some(runtime), _dir: dir }
}

impl Server {
    /// Ends all its tasks, and waits for that.
    pub(crate) fn end(mut self) {
        self.runtime.take().unwrap().shutdown_timeout(Duration::from_secs(30));
    }

    pub(crate) fn get(&self, path: &str) -> (u16, Value) {
        self.get_as(path, Some(&format!("Bearer {}", self.token)))
    }

    pub(crate) fn get_as(&self, path: &str, authorization: Option<&str>) -> (u16, Value) {
        let mut request = self.agent.get(format!("http://{}{path}", self.address));
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let mut response = request.call().unwrap();
        (response.status().as_u16(), response.body_mut().read_json().unwrap())
    }

    pub(crate) fn post(&self, path: &str, body: &str) -> (u16, Value) {
        self.post_as(path, "application/json", body)
    }

    pub(crate) fn post_as(&self, path: &str, content_type: &str, body: &str) -> (u16, Value) {
        let mut response = self
            .agent
            .post(format!("http://{}{path}", self.address))
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", content_type)
            .send(body)
            .unwrap();
        (response.status().as_u16(), response.body_mut().read_json().unwrap())
    }

    pub(crate) fn delete(&self, path: &str) -> (u16, Value) {
        let mut response = self
            .agent
            .delete(format!("http://{}{path}", self.address))
            .header("authorization", format!("Bearer {}", self.token))
            .call()
            .unwrap();
        (response.status().as_u16(), response.body_mut().read_json().unwrap())
    }

    /// Asks the API to end.
    pub(crate) fn stop(&mut self) {
        drop(self.stop.take());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// An error's code, after making sure that it is a whole one.
#[track_caller]
pub(crate) fn code(body: &Value) -> &str {
    let fields: Vec<&String> = body.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["code", "hint", "message"], "{body}");
    assert!(!body["message"].as_str().unwrap().is_empty());
    let hint = body["hint"].as_str().unwrap();
    assert!(!hint.is_empty() && !hint.contains("`steward "), "{body}");
    body["code"].as_str().unwrap()
}

/// An invoice that anyone can pay.
pub(crate) fn invoice() -> String {
    let vectors = include_str!("../../../../vectors/bolt11/valid.json");
    let vectors: Value = serde_json::from_str(vectors).unwrap();
    vectors["invoices"][0]["invoice"].as_str().unwrap().to_owned()
}

pub(crate) fn invoice_hash() -> PaymentHash {
    steward_invoice::parse(&invoice()).unwrap().payment_hash
}

pub(crate) fn peer() -> NodeId {
    steward_invoice::parse(&invoice()).unwrap().payee
}

/// A channel without a signed state, with [`peer`].
pub(crate) fn channel(role: Role) -> ChannelInfo {
    ChannelInfo {
        peer: peer(),
        local: peer(),
        short_channel_id: ShortChannelId(1),
        summary: None,
        phase: Phase::Offline,
        role,
        suspension: None,
        peer_policy: None,
        override_balance_msat: None,
        state: None,
        signatures_valid: None,
    }
}

/// A payment of [`invoice`].
pub(crate) fn payment(status: PaymentStatus) -> PaymentRow {
    let is_complete = status == PaymentStatus::Complete;
    PaymentRow {
        payment_hash: invoice_hash(),
        destination: peer(),
        amount_msat: 1000,
        fee_msat: 1,
        max_fee_msat: 10,
        status,
        preimage: is_complete.then_some(Preimage([7; 32])),
        failure: (status == PaymentStatus::Failed)
            .then(|| ("no_route".to_owned(), "no route was found".to_owned())),
        bolt11: invoice(),
        created_ms: 1,
        ended_ms: (status != PaymentStatus::Pending).then_some(2),
    }
}

pub(crate) fn event(number: u64) -> Event {
    Event { number, time_ms: number, kind: EventKind::ChannelOverridden { peer: peer() } }
}
