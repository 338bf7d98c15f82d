//! An API over a node that a test plays: a store in memory, answers as the test sets them.
#![allow(dead_code, reason = "each test file uses some of it")]

use std::collections::VecDeque;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use steward_api::{Api, Listener, Token};
use steward_engine::command::ChannelInfo;
use steward_engine::row::{PaymentKind, PaymentRow, PaymentStatus, Row, WriteBatch};
use steward_engine::{Code, Command, ConnId, Error, Event, EventKind, Reply};
use steward_hosted::{Phase, Role};
use steward_node::ops::plumbing::{Pending, Plumbing, Question};
use steward_node::{ConnectionFailure, NodeInfo, NodeMetrics, Operations};
use steward_p2p::PeerAddress;
use steward_store::{History, MemoryStore, Store};
use steward_wire::{LinkId, NodeId, PaymentHash, Preimage, ShortChannelId};
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
    /// The engine's answers, first come, first served; each to a command it fits.
    pub(crate) answers: Mutex<VecDeque<Result<Reply, Error>>>,
    pub(crate) commands: Mutex<Vec<Command>>,
    /// True if an earlier request began what is paid.
    pub(crate) begun_earlier: AtomicBool,
    pub(crate) failures: Mutex<Vec<ConnectionFailure>>,
    /// The answer to a payment.
    pub(crate) payment: Mutex<Result<PaymentRow, Error>>,
}

impl FakeNode {
    pub(crate) fn store(&self, row: Row) {
        let mut batch = WriteBatch::default();
        batch.put(row);
        self.store.lock().unwrap().commit(&batch).unwrap();
    }

    /// Publishes an event as a node does: durable first, told afterwards.
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

    /// Returns the payments begun so far: amount and largest fee.
    pub(crate) fn paid(&self) -> Vec<(Option<u64>, Option<u64>)> {
        let commands = self.commands.lock().unwrap();
        let paid = commands.iter().filter_map(|command| match command {
            Command::Pay { amount_msat, max_fee_msat, .. } => Some((*amount_msat, *max_fee_msat)),
            _ => None,
        });
        paid.collect()
    }

    /// Returns the commands of which a test has set the answer.
    pub(crate) fn commands(&self) -> Vec<Command> {
        let commands = self.commands.lock().unwrap();
        // Before a peer is reached the node looks whether it is connected.
        commands.iter().filter(|command| !matches!(command, Command::ListPeers)).cloned().collect()
    }

    /// Returns the answer that the test has set, if it fits this command.
    fn next_answer(&self, command: &Command) -> Option<Result<Reply, Error>> {
        let mut answers = self.answers.lock().unwrap();
        let usual = self.usual_answer(command);
        let fits = match (answers.front()?, &usual) {
            (Err(_), _) | (_, Err(_)) => true,
            (Ok(set), Ok(usual)) => std::mem::discriminant(set) == std::mem::discriminant(usual),
        };
        if fits { answers.pop_front() } else { None }
    }

    /// Returns an answer that fits, if the test has set none.
    fn usual_answer(&self, command: &Command) -> Result<Reply, Error> {
        match command {
            Command::ListPeers => Ok(Reply::Peers(Vec::new())),
            Command::ListChannels { .. } => Ok(Reply::Channels(Vec::new())),
            Command::InvokeChannel { .. }
            | Command::ShowChannel { .. }
            | Command::SuspendChannel { .. }
            | Command::ProposeOverride { .. }
            | Command::AcceptOverride { .. }
            | Command::ResizeChannel { .. } => Ok(Reply::Channel(Box::new(channel(Role::Client)))),
            Command::Reconfigure { .. }
            | Command::ForgetChannel { .. }
            | Command::ForgetPeer { .. }
            | Command::SubmitPreimage { .. }
            | Command::Connect { .. } => Ok(Reply::Done),
            Command::Pay { .. } if self.begun_earlier.load(Ordering::Relaxed) => {
                self.payment.lock().unwrap().clone().map(Reply::EarlierPayment)
            }
            Command::Pay { .. }
            | Command::Keysend { .. }
            | Command::GetPayment { .. }
            | Command::AwaitPayment { .. } => {
                self.payment.lock().unwrap().clone().map(Reply::Payment)
            }
            Command::MostPayable { .. } => Ok(Reply::Amount(1_000)),
            Command::CreateInvoice { .. } => {
                Err(Error::new(Code::CannotReceive, "no channel can receive this amount"))
            }
            Command::Status => Err(Error::new(Code::NodeStopped, "the node has no status")),
        }
    }
}

impl Plumbing for FakeNode {
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

    fn command(&self, command: Command) -> Pending<'_, Reply> {
        let answer = self.next_answer(&command).unwrap_or_else(|| self.usual_answer(&command));
        self.commands.lock().unwrap().push(command);
        Box::pin(async { answer })
    }

    fn reach(
        &self,
        _peer: NodeId,
        _identity: steward_engine::row::LocalIdentity,
        _address: PeerAddress,
    ) -> Pending<'_, ConnId> {
        Box::pin(async { Ok(ConnId(1)) })
    }

    fn disconnect(&self, _conn: ConnId, _reason: &str) {}

    fn connection_failures(&self) -> Vec<ConnectionFailure> {
        self.failures.lock().unwrap().clone()
    }

    fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    fn ask_history(&self, question: Question) {
        question(&*self.history);
    }

    fn backup(&self, _path: PathBuf) -> Pending<'_, ()> {
        Box::pin(async { Ok(()) })
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

/// Serves on a unix socket: only its path, node and token are of use.
pub(crate) fn server_on(socket: &std::path::Path) -> Server {
    serve_on(|runtime| {
        let _runtime = runtime.enter();
        (Listener::unix(socket).unwrap(), String::new())
    })
}

/// Serves by TLS: only its address, node and token are of use.
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
        begun_earlier: AtomicBool::new(false),
        failures: Mutex::default(),
        payment: Mutex::new(Ok(payment(PaymentStatus::Pending))),
    });
    let dir = tempfile::tempdir().unwrap();
    let token = Token::load_or_create(dir.path()).unwrap();
    let runtime = Runtime::new().unwrap();
    let (listener, address) = listen(&runtime);
    let (stop, stopped) = oneshot::channel();
    let operations = Operations::over(Arc::clone(&node) as Arc<dyn Plumbing>);
    let api = Api::new(&operations, token.clone());
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

/// Returns an error's code, after making sure that the error is a whole one.
#[track_caller]
pub(crate) fn code(body: &Value) -> &str {
    let fields: Vec<&String> = body.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["code", "hint", "message"], "{body}");
    assert!(!body["message"].as_str().unwrap().is_empty());
    let hint = body["hint"].as_str().unwrap();
    assert!(!hint.is_empty() && !hint.contains("`steward "), "{body}");
    body["code"].as_str().unwrap()
}

/// Returns an invoice that anyone can pay.
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

/// Returns the channel with [`peer`].
pub(crate) fn link() -> LinkId {
    LinkId([5; 32])
}

/// Returns a channel without a signed state, with [`peer`].
pub(crate) fn channel(role: Role) -> ChannelInfo {
    ChannelInfo {
        link: link(),
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

/// Returns a payment of [`invoice`].
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
        kind: PaymentKind::Bolt11(invoice()),
        created_ms: 1,
        ended_ms: (status != PaymentStatus::Pending).then_some(2),
    }
}

pub(crate) fn event(number: u64) -> Event {
    let kind = EventKind::ChannelOverridden { peer: peer(), link: Some(link()) };
    Event { number, time_ms: number, kind }
}
