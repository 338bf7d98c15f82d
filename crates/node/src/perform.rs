//! Carries out what the engine decided, once it is durable. Runs on the commit thread, so that
//! nothing lies between the disk and the wire; whatever takes long is handed to the runtime.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use steward_engine::attribution::HoldReport;
use steward_engine::io::{NoRoute, PathResult, RouteRequest};
use steward_engine::{Action, ConnId, Event, Input};
use steward_graph::Graph;
use steward_p2p::{ConnectionId, CustomMessage, PeerAddress, PeerTransport};
use steward_wire::NodeId;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::sync::{Notify, Semaphore, broadcast};

use crate::clock::wall_ms;
use crate::limits::MAX_CONCURRENT_ROUTES;
use crate::log_thread::{Line, LogSender, LogThread};
use crate::metrics::Counters;
use crate::queue::InputSender;
use crate::random::random_bytes;
use crate::reach::Reach;
use crate::replies::Replies;
use crate::search::SearchRequest;

/// Everything an action can touch.
pub(crate) struct Performer {
    pub(crate) transport: Arc<dyn PeerTransport>,
    pub(crate) reach: Arc<Reach>,
    pub(crate) replies: Replies,
    pub(crate) events: broadcast::Sender<Event>,
    pub(crate) routes: Routes,
    pub(crate) searches: mpsc::Sender<SearchRequest>,
    /// Wakes the chain's watcher before its turn.
    pub(crate) hurry_chain: Arc<Notify>,
    pub(crate) log: LogSender,
    /// Ends, with what it has to write, after `log`.
    pub(crate) _log_thread: LogThread,
}

impl Performer {
    /// Carries out the actions of all batches of one commit, in order.
    pub(crate) fn perform(&self, batches: Vec<Vec<Action>>) {
        let mut sends = Sends::default();
        for action in batches.into_iter().flatten() {
            Counters::add(&self.routes.counters.actions, 1);
            match action {
                Action::Send { conn, frames } => sends.add(conn, frames),
                Action::Disconnect { conn, reason, back_off } => {
                    sends.flush(&*self.transport);
                    let conn = ConnectionId(conn.0);
                    if back_off {
                        self.transport.refuse(conn, &reason);
                    } else {
                        self.transport.disconnect(conn, &reason);
                    }
                }
                Action::KeepConnected { peer, is_host, addresses } => {
                    self.keep_connected(peer, is_host, &addresses);
                }
                Action::ForgetPeer { peer, local } => {
                    let removed = self.reach.reconnector.remove_peer(local, peer);
                    self.routes.runtime.spawn(removed);
                }
                Action::Reply { reply, result } => self.replies.answer(reply, result),
                Action::FindRoute(request) => self.routes.find(request),
                Action::HoldTimes(report) => tell_hold_times(&report),
                Action::PathResult(result) => self.routes.record(result),
                Action::SearchBlocks { from_height, to_height } => {
                    self.search(SearchRequest { from_height, to_height });
                }
                Action::AskChain => self.hurry_chain.notify_one(),
                // Without subscribers nobody is told; the event is in the store.
                Action::Notice(event) => drop(self.events.send(event)),
                Action::Log { level, code, peer, text } => {
                    self.log.write(Line { level, code, peer, text });
                }
            }
        }
        sends.flush(&*self.transport);
    }

    /// Unanswered, the engine holds expired HTLCs: what is lost here is asked for after a restart.
    fn search(&self, request: SearchRequest) {
        match self.searches.try_send(request) {
            // Closed: the node is stopping.
            Ok(()) | Err(TrySendError::Closed(_)) => {}
            Err(TrySendError::Full(request)) => {
                tracing::error!(code = "bug", ?request, "a second search before the first ended");
            }
        }
    }

    fn keep_connected(&self, peer: NodeId, is_host: bool, addresses: &[String]) {
        let parsed: Vec<PeerAddress> = addresses
            .iter()
            .filter_map(|text| match text.parse() {
                Ok(address) => Some(address),
                Err(error) => {
                    tracing::warn!(%peer, address = text, %error, "address ignored");
                    None
                }
            })
            .collect();
        // A peer that only ever comes to us.
        if addresses.is_empty() {
            return;
        }
        let identity = self.reach.identity(&peer, is_host);
        let _runtime = self.routes.runtime.enter();
        if let Err(error) = self.reach.reconnector.add_peer(identity, peer, parsed) {
            tracing::warn!(%peer, %error, "the peer is not kept connected");
        }
    }
}

/// Reading costs a multiplication on the curve for each hop: only for whoever looks.
fn tell_hold_times(report: &HoldReport) {
    if tracing::enabled!(tracing::Level::DEBUG) {
        let (payment, part) = (report.payment, report.part);
        tracing::debug!(code = "hold_times", %payment, part, "{report}");
    }
}

/// Messages gathered over actions and batches: one hand-over per connection.
#[derive(Default)]
struct Sends(BTreeMap<ConnId, Vec<CustomMessage>>);

impl Sends {
    fn add(&mut self, conn: ConnId, frames: Vec<CustomMessage>) {
        self.0.entry(conn).or_default().extend(frames);
    }

    fn flush(&mut self, transport: &dyn PeerTransport) {
        for (conn, frames) in std::mem::take(&mut self.0) {
            transport.send(ConnectionId(conn.0), frames);
        }
    }
}

/// Path-finding off the commit thread, a few at a time.
pub(crate) struct Routes {
    pub(crate) graph: Arc<Graph>,
    pub(crate) payer: NodeId,
    pub(crate) runtime: Handle,
    pub(crate) inputs: InputSender,
    pub(crate) counters: Arc<Counters>,
    room: Arc<Semaphore>,
}

impl Routes {
    pub(crate) fn new(
        graph: Arc<Graph>,
        payer: NodeId,
        runtime: Handle,
        inputs: InputSender,
        counters: Arc<Counters>,
    ) -> Self {
        let room = Arc::new(Semaphore::new(MAX_CONCURRENT_ROUTES));
        Self { graph, payer, runtime, inputs, counters, room }
    }

    /// The engine bounds how many payments, and with them routes, are pending.
    fn find(&self, request: Box<RouteRequest>) {
        let (graph, payer, inputs) = (Arc::clone(&self.graph), self.payer, self.inputs.clone());
        let (counters, room) = (Arc::clone(&self.counters), Arc::clone(&self.room));
        Counters::add(&counters.pending_routes, 1);
        self.runtime.spawn(async move {
            let (payment, attempt) = (request.payment, request.attempt);
            let search = move || {
                let entropy = random_bytes().map_err(|error| error.to_string())?;
                graph.find_route(&request, entropy, payer).map_err(NoRoute::from)
            };
            let _slot = room.acquire().await;
            let found = tokio::task::spawn_blocking(search).await;
            counters.pending_routes.fetch_sub(1, Ordering::Relaxed);
            let result =
                found.unwrap_or_else(|error| Err(format!("path-finding failed: {error}").into()));
            // If the engine is gone, so is the payment's need of a route.
            let _ = inputs.send(Input::Route { payment, attempt, result }).await;
        });
    }

    fn record(&self, result: PathResult) {
        // Nothing to learn about: private channels are not in the graph.
        if self.graph.channel_count() == 0 {
            return;
        }
        let graph = Arc::clone(&self.graph);
        self.runtime.spawn_blocking(move || graph.record(&result, wall_ms()));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use bitcoin::Network;
    use bitcoin::constants::ChainHash;
    use steward_engine::ReplyId;
    use steward_engine::io::Level;
    use steward_p2p::{SessionConfig, Transport, TransportConfig};

    use super::*;
    use crate::keys::NodeKeys;
    use crate::limits::MAX_LINES_PER_CODE;
    use crate::log_thread::recorder::recorded;
    use crate::queue::input_queue;
    use crate::search::search_requests;
    use crate::seed::Seed;

    /// Writes down what it is asked to do.
    #[derive(Default)]
    struct Recorder(Mutex<Vec<String>>);

    impl PeerTransport for Recorder {
        fn send(&self, conn: ConnectionId, messages: Vec<CustomMessage>) {
            let types: Vec<_> = messages.iter().map(|(message_type, _)| message_type).collect();
            self.0.lock().unwrap().push(format!("send {conn} {types:?}"));
        }

        fn disconnect(&self, conn: ConnectionId, reason: &str) {
            self.0.lock().unwrap().push(format!("disconnect {conn} {reason}"));
        }

        fn refuse(&self, conn: ConnectionId, reason: &str) {
            self.0.lock().unwrap().push(format!("refuse {conn} {reason}"));
        }
    }

    fn performer(recorder: &Arc<Recorder>) -> Performer {
        let session = SessionConfig {
            chain: ChainHash::REGTEST,
            hosted_channel_bits: true,
            attribution: true,
        };
        let (transport, _) = Transport::new(TransportConfig::new(session));
        let seed = Seed::generate().unwrap();
        let keys = NodeKeys::new(&seed, Network::Regtest);
        let transport_seen: Arc<dyn PeerTransport> = Arc::clone(recorder) as _;
        let (log, log_thread) = LogThread::start().unwrap();
        Performer {
            transport: transport_seen,
            reach: Arc::new(Reach::new(transport, NodeKeys::new(&seed, Network::Regtest))),
            replies: Replies::default(),
            events: broadcast::channel(1).0,
            routes: Routes::new(
                Arc::new(Graph::new(Network::Regtest)),
                keys.node_id(),
                Handle::current(),
                input_queue().0,
                Arc::default(),
            ),
            searches: search_requests().0,
            hurry_chain: Arc::default(),
            log,
            _log_thread: log_thread,
        }
    }

    fn send(conn: u64, message_type: u16) -> Action {
        Action::Send { conn: ConnId(conn), frames: vec![(message_type, Vec::new())] }
    }

    #[tokio::test]
    async fn messages_of_several_batches_leave_together_and_in_order() {
        let recorder = Arc::new(Recorder::default());
        performer(&recorder).perform(vec![vec![send(1, 10), send(2, 20)], vec![send(1, 11)]]);
        assert_eq!(*recorder.0.lock().unwrap(), ["send 1 [10, 11]", "send 2 [20]"]);
    }

    #[tokio::test]
    async fn what_was_to_be_sent_before_a_disconnect_is_sent_first() {
        let recorder = Arc::new(Recorder::default());
        let disconnect = |conn, back_off| {
            let reason = "bye".to_owned();
            Action::Disconnect { conn: ConnId(conn), reason, back_off }
        };
        let actions = vec![send(1, 10), disconnect(1, false), send(2, 20), disconnect(2, true)];
        performer(&recorder).perform(vec![actions]);
        let expected = ["send 1 [10]", "disconnect 1 bye", "send 2 [20]", "refuse 2 bye"];
        assert_eq!(*recorder.0.lock().unwrap(), expected);
    }

    /// What peers say and cause is written by the log's thread, so many lines of each code: no
    /// commit waits for a log, and no peer fills a disk.
    #[tokio::test]
    async fn what_peers_make_us_log_is_bounded_and_costs_a_commit_no_write() {
        let told = recorded(|| {
            let line = |_| Action::Log {
                level: Level::Warn,
                code: "peer_floods",
                peer: None,
                text: String::new(),
            };
            let lines = (0..MAX_LINES_PER_CODE + 7).map(line).collect();
            performer(&Arc::default()).perform(vec![lines]);
        });
        let told: Vec<_> = told.iter().filter(|line| line.code == "peer_floods").collect();
        assert_eq!(told.len() as u64, MAX_LINES_PER_CODE);
        assert!(told.iter().all(|line| line.thread == "log"), "{told:?}");
    }

    #[tokio::test]
    async fn a_reply_nobody_waits_for_is_dropped() {
        let recorder = Arc::new(Recorder::default());
        let result = Ok(steward_engine::Reply::Done);
        performer(&recorder).perform(vec![vec![Action::Reply { reply: ReplyId(7), result }]]);
    }
}
