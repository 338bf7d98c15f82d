//! Carries out the engine's actions once they are durable. Runs on the commit thread, so that
//! nothing lies between the disk and the wire; work that takes long is handed to the runtime.

use std::collections::BTreeMap;
use std::sync::Arc;

use steward_engine::HoldReport;
use steward_engine::{Action, ConnId, Event};
use steward_wire::impossible;
use tokio::sync::broadcast;
use tokio::sync::mpsc::{self, error::TrySendError};

use crate::counters::Counters;
use crate::log_thread::{Line, LogSender, LogThread};
use crate::replies::Replies;
use crate::search::SearchRequest;
use crate::traits::{Blocks, Frame, PeerTransport};

/// Everything an action can touch.
pub(crate) struct Performer<T, B> {
    pub(crate) transport: Arc<T>,
    pub(crate) blocks: Arc<B>,
    pub(crate) replies: Replies,
    pub(crate) events: broadcast::Sender<Event>,
    pub(crate) searches: mpsc::Sender<SearchRequest>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) log: LogSender,
    /// The log's thread ends, with the lines it has to write, after `log`.
    pub(crate) _log_thread: LogThread,
}

impl<T: PeerTransport, B: Blocks> Performer<T, B> {
    /// Carries out the actions of all batches of one commit, in order.
    pub(crate) fn perform(&self, batches: Vec<Vec<Action>>) {
        let mut sends = Sends::default();
        for action in batches.into_iter().flatten() {
            Counters::add(&self.counters.actions, 1);
            match action {
                Action::Send { conn, frames } => sends.add(conn, frames),
                Action::Disconnect { conn, reason, back_off } => {
                    sends.flush(&*self.transport);
                    self.transport.disconnect(conn, &reason, back_off);
                }
                Action::KeepConnected { peer, identity, addresses } => {
                    self.transport.keep_connected(peer, identity, &addresses);
                }
                Action::ForgetPeer { peer, local } => self.transport.forget(peer, local),
                Action::Reply { reply, result } => self.replies.answer(reply, result),
                Action::HoldTimes(report) => tell_hold_times(&report),
                Action::FindRoute(_) | Action::PathResult(_) => {
                    impossible!("the engine's thread keeps what is for the router");
                }
                Action::SearchBlocks { from_height, to_height } => {
                    self.search(SearchRequest { from_height, to_height });
                }
                Action::AskChain => self.blocks.ask_height(),
                // Without subscribers no program is told; the event is in the store.
                Action::Notice(event) => drop(self.events.send(event)),
                Action::Log { level, code, peer, text } => {
                    self.log.write(Line { level, code, peer, text });
                }
            }
        }
        sends.flush(&*self.transport);
    }

    /// Hands on a search. Unanswered, the engine holds expired HTLCs: a request lost here is made
    /// again after a restart.
    fn search(&self, request: SearchRequest) {
        match self.searches.try_send(request) {
            // A closed queue means that the node is stopping.
            Ok(()) | Err(TrySendError::Closed(_)) => {}
            Err(TrySendError::Full(request)) => {
                tracing::error!(code = "bug", ?request, "a second search before the first ended");
            }
        }
    }
}

/// Logs the hold times, if the log's level asks for them: reading costs a multiplication on the
/// curve for each hop.
fn tell_hold_times(report: &HoldReport) {
    if tracing::enabled!(tracing::Level::DEBUG) {
        let (payment, part) = (report.payment, report.part);
        tracing::debug!(code = "hold_times", %payment, part, "{report}");
    }
}

/// Messages gathered over actions and batches: one hand-over per connection.
#[derive(Default)]
struct Sends(BTreeMap<ConnId, Vec<Frame>>);

impl Sends {
    fn add(&mut self, conn: ConnId, frames: Vec<Frame>) {
        self.0.entry(conn).or_default().extend(frames);
    }

    fn flush(&mut self, transport: &impl PeerTransport) {
        for (conn, frames) in std::mem::take(&mut self.0) {
            transport.send(conn, frames);
        }
    }
}

#[cfg(test)]
mod tests {
    use steward_engine::ReplyId;
    use steward_engine::io::Level;

    use super::*;
    use crate::fakes::{NoBlocks, Recorder};
    use crate::limits::MAX_LINES_PER_CODE;
    use crate::log_thread::recorder::recorded;
    use crate::search::search_requests;

    fn performer(recorder: &Arc<Recorder>) -> Performer<Recorder, NoBlocks> {
        let (log, log_thread) = LogThread::start().unwrap();
        Performer {
            transport: Arc::clone(recorder),
            blocks: Arc::new(NoBlocks),
            replies: Replies::default(),
            events: broadcast::channel(1).0,
            searches: search_requests().0,
            counters: Arc::default(),
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

    /// The lines that peers cause are written by the log's thread, so many of each code: no commit
    /// waits for a log, and no peer fills a disk.
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
    async fn a_reply_whose_caller_is_gone_is_dropped() {
        let recorder = Arc::new(Recorder::default());
        let result = Ok(steward_engine::Reply::Done);
        performer(&recorder).perform(vec![vec![Action::Reply { reply: ReplyId(7), result }]]);
    }
}
