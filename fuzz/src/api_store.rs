//! Bodies and queries over HTTP to a real engine on a real store: whatever a caller sends, the node
//! continues to work. A row that the store refuses stops a node; here it is a panic of the network,
//! and the caller gets a 500.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Map, Value, json};
use steward_api::{Api, Token};
use steward_engine::{AnswerAt, Code, Command, ConnId, Error, Event, Reply};
use steward_node::ops::plumbing::{Pending, Plumbing, Question};
use steward_node::{ConnectionFailure, NodeInfo, NodeMetrics, Operations};
use steward_p2p::PeerAddress;
use steward_store::Store;
use steward_wire::{NodeId, Preimage};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::broadcast;

use crate::bytes::Bytes;
use steward_testkit::Net;

const HOST: usize = 0;
const CLIENT: usize = 1;
const PAYEE: usize = 2;
/// The longest history, in requests.
const MAX_REQUESTS: usize = 12;
/// The longest time that an answer may take, in milliseconds: they all come at once.
const PATIENCE_MS: u64 = 20_000;

/// The routes that write, and the fields that their bodies may have.
const ROUTES: &[(&str, &[&str])] = &[
    ("/v1/payments", &["invoice", "amount_msat", "max_fee_msat"]),
    ("/v1/keysend", &["destination", "amount_msat", "max_fee_msat", "via"]),
    ("/v1/invoices", &["amount_msat", "description", "expiry_s"]),
    ("/v1/channels", &["host", "secret", "wait_ms"]),
    ("/v1/peers", &["peer"]),
    ("/v1/preimages", &["preimage"]),
    ("/v1/channels/{}/suspend", &[]),
    ("/v1/channels/{}/override", &["our_balance_msat"]),
    ("/v1/channels/{}/accept-override", &["our_balance_msat"]),
    ("/v1/channels/{}/resize", &["capacity_msat", "wait_ms"]),
    ("/v1/channels/{}/override", &["client_balance_msat"]),
    ("/v1/channels/{}/override", &["as_proved"]),
];

/// A host and two clients. The API is that of the node to which the request goes.
struct World {
    net: Net,
    asked: usize,
    preimages: u8,
}

struct RealNode {
    world: Mutex<World>,
    events: broadcast::Sender<Event>,
}

impl RealNode {
    fn with<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        act(&mut self.world.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Asks the node. A real node stops when a commit fails; this one answers that it has stopped.
    /// No operation here waits for the end of a payment: with these routes it may never come.
    /// Values that are random in a node are counted here, so that a history can be repeated.
    fn ask(&self, command: Command) -> Result<Reply, Error> {
        let command = match command {
            Command::CreateInvoice { amount_msat, description, expiry_s, .. } => {
                let preimage = self.with(World::preimage);
                let payment_secret = [7; 32];
                Command::CreateInvoice {
                    amount_msat,
                    description,
                    expiry_s,
                    preimage,
                    payment_secret,
                }
            }
            Command::Pay { invoice, amount_msat, max_fee_msat, .. } => {
                Command::Pay { invoice, amount_msat, max_fee_msat, answer: AnswerAt::Start }
            }
            Command::Keysend { destination, via, amount_msat, max_fee_msat, .. } => {
                let (preimage, answer) = (self.with(World::preimage), AnswerAt::Start);
                Command::Keysend { destination, via, amount_msat, max_fee_msat, preimage, answer }
            }
            other => other,
        };
        let asked = || self.with(|world| world.net.command(world.asked, command));
        let refused = |_| Err(Error::new(Code::StoreFailed, "a row was refused").hint("a bug"));
        catch_unwind(AssertUnwindSafe(asked)).unwrap_or_else(refused)
    }
}

impl World {
    fn new() -> Self {
        Self { net: Net::host_and_clients(2), asked: CLIENT, preimages: 0 }
    }

    fn preimage(&mut self) -> Preimage {
        self.preimages += 1;
        Preimage([self.preimages; 32])
    }

    /// Returns the other side of a channel of the node that is asked.
    fn peer(&self) -> NodeId {
        match self.asked {
            HOST => self.net.client_id(CLIENT, HOST),
            _ => self.net.id(HOST),
        }
    }
}

impl Plumbing for RealNode {
    fn info(&self) -> NodeInfo {
        NodeInfo {
            network: steward_chain::Network::Regtest,
            node_id: self.with(|world| world.net.id(world.asked)),
            version: "fuzz",
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
        let reply = self.ask(command);
        Box::pin(async { reply })
    }

    fn reach(
        &self,
        _peer: NodeId,
        _identity: steward_engine::row::LocalIdentity,
        _address: PeerAddress,
    ) -> Pending<'_, ConnId> {
        // No connection of the network has this number.
        Box::pin(async { Ok(ConnId(u64::MAX)) })
    }

    fn disconnect(&self, _conn: ConnId, _reason: &str) {}

    fn connection_failures(&self) -> Vec<ConnectionFailure> {
        Vec::new()
    }

    fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    fn ask_history(&self, question: Question) {
        let history = self.with(|world| world.net.nodes[world.asked].store.history().unwrap());
        question(&*history);
    }

    fn backup(&self, _path: PathBuf) -> Pending<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}

struct Server {
    node: Arc<RealNode>,
    address: String,
    token: String,
    _runtime: Runtime,
}

thread_local! {
    static SERVER: Server = serve();
}

fn serve() -> Server {
    let dir = tempfile::tempdir().unwrap();
    let token = Token::load_or_create(dir.path()).unwrap();
    let world = Mutex::new(World::new());
    let node = Arc::new(RealNode { world, events: broadcast::channel(8).0 });
    let runtime = Runtime::new().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let operations = Operations::over(Arc::clone(&node) as Arc<dyn Plumbing>);
    let api = Api::new(&operations, token.clone());
    runtime.spawn(api.serve(listener, std::future::pending()));
    Server { node, address, token: token.as_str().to_owned(), _runtime: runtime }
}

/// Reads the choice of a node, of a route, and of fields with their values; or any body.
pub(crate) fn requests(data: &[u8]) {
    let mut input = Bytes::new(data);
    SERVER.with(|server| {
        server.node.with(|world| *world = World::new());
        for _ in 0..MAX_REQUESTS {
            if input.is_empty() {
                break;
            }
            let (path, fields) = ROUTES[input.below(ROUTES.len())];
            let asked = if input.below(4) == 0 { HOST } else { CLIENT };
            let peer = server.node.with(|world| {
                world.asked = asked;
                world.peer()
            });
            let path = path.replace("{}", &peer.to_string());
            let body = match input.below(8) {
                // A wait of a minute is left out unless the body says less.
                0 if !fields.contains(&"wait_ms") => input.long().to_vec(),
                _ => body(server, fields, &mut input).to_string().into_bytes(),
            };
            let status = server.post(&path, &body);
            assert!(status < 500 || status == 503, "{status} for {path}");
        }
        // Operations that were begun continue and end; every commit of them is checked as well.
        server.node.with(|world| world.net.tick(120_000));
    });
}

/// Makes a body of some of the fields, with values that they may or may not have.
fn body(server: &Server, fields: &[&str], input: &mut Bytes<'_>) -> Value {
    let mut body = Map::new();
    for field in fields {
        let value = match input.u8() {
            _ if *field == "wait_ms" => json!(0),
            0..=39 => continue,
            40..=49 => Value::Null,
            50..=59 => json!(String::from_utf8_lossy(input.short())),
            _ => fitting(server, field, input),
        };
        body.insert((*field).to_owned(), value);
    }
    if body.len() == fields.len() && input.below(16) == 1 {
        body.insert("more".to_owned(), json!(1));
    }
    Value::Object(body)
}

fn fitting(server: &Server, field: &str, input: &mut Bytes<'_>) -> Value {
    server.node.with(|world| match field {
        "invoice" => {
            let amount_msat = input.flag().then(|| 1_000 + u64::from(input.u16()) * 1_000);
            json!(world.net.invoice(PAYEE, amount_msat).kind.bolt11())
        }
        "destination" if input.below(8) != 1 => {
            json!(world.net.client_id(PAYEE, HOST).to_string())
        }
        "via" | "destination" => json!(world.net.id(HOST).to_string()),
        "host" | "peer" => {
            let id = world.net.id(input.below(3));
            json!(format!("{id}@{}:9735", "a".repeat(usize::from(input.u16()) % 400)))
        }
        "description" => json!("d".repeat(usize::from(input.u16()) % 700)),
        "secret" => json!("s".repeat(usize::from(input.u8()))),
        "preimage" => json!(Preimage([input.u8(); 32]).to_string()),
        "amount_msat" if input.flag() => json!(1_000 + u64::from(input.u16()) * 1_000),
        _ => json!(input.number()),
    })
}

impl Server {
    /// Returns the status of the answer.
    fn post(&self, path: &str, body: &[u8]) -> u16 {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Content-Type: application/json\r\nAuthorization: Bearer {}\r\n\
             Content-Length: {}\r\n\r\n",
            self.token,
            body.len()
        );
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(PATIENCE_MS))).unwrap();
        stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        status.expect("an answer has a status")
    }
}
