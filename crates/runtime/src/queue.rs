//! The engine's input queue: bounded, filled from async tasks, emptied by one thread.
//!
//! Commands, the chain and answers never wait behind peers. Peers take turns: each connection has
//! a line of its own, of which a batch takes a few messages; those we share a channel with go
//! first, and all strangers together get a small share of every batch. How much may wait in a
//! line is bounded where it is read ([`Held`]), so a line never makes another wait. What one
//! connection sent stays in order.

mod line;
mod turns;

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use steward_engine::{ConnId, Input};
use steward_wire::NodeId;
use tokio::sync::Semaphore;

pub(crate) use self::line::PeerInput;
use self::turns::Turns;
use crate::limits::{
    INPUT_WEIGHT_BYTES, MAX_INPUT_WEIGHT, MAX_INPUTS_PER_BATCH, MAX_QUEUED_WEIGHT,
};
use crate::traits::Held;

/// The receiver of the queue is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed;

/// The filling side. Clones fill the same queue.
pub struct InputSender<H>(Arc<Shared<H>>);

impl<H> Clone for InputSender<H> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// The emptying side. Dropping it refuses the inputs that wait for room.
pub(crate) struct InputReceiver<H: Held>(Arc<Shared<H>>);

struct Shared<H> {
    state: Mutex<State<H>>,
    filled: Condvar,
    /// The room for inputs that are not of peers.
    room: Semaphore,
}

struct State<H> {
    /// The inputs that are not of peers, each with its weight.
    urgent: VecDeque<(Input, u32)>,
    turns: Turns<H>,
    /// True while the receiver sleeps, and nobody has woken it yet.
    is_waited_for: bool,
    is_ended: bool,
    is_closed: bool,
}

impl<H> Default for State<H> {
    fn default() -> Self {
        let turns = Turns::default();
        Self {
            urgent: VecDeque::new(),
            turns,
            is_waited_for: false,
            is_ended: false,
            is_closed: false,
        }
    }
}

impl<H: Held> State<H> {
    fn is_empty(&self) -> bool {
        self.urgent.is_empty() && self.turns.is_empty()
    }
}

pub(crate) fn input_queue<H: Held>() -> (InputSender<H>, InputReceiver<H>) {
    let shared = Arc::new(Shared {
        state: Mutex::default(),
        filled: Condvar::new(),
        room: Semaphore::new(MAX_QUEUED_WEIGHT as usize),
    });
    (InputSender(Arc::clone(&shared)), InputReceiver(shared))
}

impl<H: Held> InputSender<H> {
    /// Queues an input that is not of peers. Waits for room, first come, first served.
    ///
    /// # Errors
    /// Fails if the receiver of the queue is gone.
    pub async fn send(&self, input: Input) -> Result<(), Closed> {
        self.send_all(vec![input]).await
    }

    /// Queues some inputs that are not of peers, next to each other. Waits for room as
    /// [`Self::send`], and wakes the engine once.
    ///
    /// # Errors
    /// Fails if the receiver of the queue is gone.
    pub(crate) async fn send_all(&self, inputs: Vec<Input>) -> Result<(), Closed> {
        let inputs: Vec<_> = inputs.into_iter().map(|input| (weight(&input), input)).collect();
        // However large, they fit the queue: see `MAX_ROUTES_PER_ANSWER`.
        let weight = inputs.iter().map(|(weight, _)| weight).sum();
        // The receiver gives the room back.
        self.0.room.acquire_many(weight).await.map_err(|_| Closed)?.forget();
        let mut state = self.0.lock();
        if state.is_ended || state.is_closed {
            return Err(Closed);
        }
        let inputs = inputs.into_iter().map(|(weight, input)| (input, weight));
        state.urgent.extend(inputs);
        self.0.wake(state);
        Ok(())
    }

    /// Queues an input of a peer, in the line of its connection.
    pub(crate) fn send_of_peer(&self, input: PeerInput<H>) -> Result<(), Closed> {
        let mut state = self.0.lock();
        if state.is_ended || state.is_closed {
            return Err(Closed);
        }
        state.turns.push(input);
        self.0.wake(state);
        Ok(())
    }

    /// Ends the queue: inputs queued by now are still handled, then the engine ends.
    pub(crate) fn end(&self) {
        let mut state = self.0.lock();
        state.is_ended = true;
        self.0.wake(state);
    }

    /// Returns the units of room in use, of [`MAX_QUEUED_WEIGHT`]; peers take none of it.
    pub(crate) fn weight(&self) -> usize {
        (MAX_QUEUED_WEIGHT as usize).saturating_sub(self.0.room.available_permits())
    }
}

impl<H: Held> InputReceiver<H> {
    /// Waits for an input, `wait` at most, then takes all inputs that are not of peers, and the
    /// turns of one batch. `is_known` tells the peers that we share a channel with. `Err` when the
    /// end is reached; `inputs` may hold the last ones.
    pub(crate) fn take(
        &self,
        wait: Duration,
        inputs: &mut Vec<Input>,
        is_known: impl Fn(&NodeId) -> bool,
    ) -> Result<(), Closed> {
        let state = self.0.lock();
        let is_idle = |state: &mut State<H>| {
            state.is_waited_for = state.is_empty() && !state.is_ended;
            state.is_waited_for
        };
        let waited = self.0.filled.wait_timeout_while(state, wait, is_idle);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.is_waited_for = false;
        let mut freed = 0;
        while inputs.len() < MAX_INPUTS_PER_BATCH
            && let Some((input, weight)) = state.urgent.pop_front()
        {
            inputs.push(input);
            freed += weight as usize;
        }
        let unread = state.turns.take(inputs, is_known);
        let is_over = state.is_ended && state.is_empty();
        drop(state);
        self.0.room.add_permits(freed);
        // The unread messages are dropped without the lock, because that wakes readers.
        drop(unread);
        if is_over { Err(Closed) } else { Ok(()) }
    }

    /// Hangs up on a connection for the engine: its inputs that wait, and those that still come,
    /// are dropped.
    pub(crate) fn discard(&self, conn: ConnId) {
        let mut state = self.0.lock();
        let unread = state.turns.discard(conn);
        drop(state);
        drop(unread);
    }
}

impl<H: Held> Drop for InputReceiver<H> {
    fn drop(&mut self) {
        self.0.room.close();
        let mut state = self.0.lock();
        state.is_closed = true;
        let left = std::mem::take(&mut *state);
        state.is_closed = true;
        drop(state);
        drop(left);
    }
}

impl<H> Shared<H> {
    fn lock(&self) -> MutexGuard<'_, State<H>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the receiver, once per sleep: each call to the system takes a sender's time.
    fn wake(&self, mut state: MutexGuard<'_, State<H>>) {
        let sleeps = std::mem::take(&mut state.is_waited_for);
        drop(state);
        if sleeps {
            self.filled.notify_one();
        }
    }
}

fn weight(input: &Input) -> u32 {
    let bytes = match input {
        Input::Searched { preimages, .. } => size_of_val(preimages.as_slice()),
        _ => 0,
    };
    u32::try_from(1 + bytes / INPUT_WEIGHT_BYTES)
        .map_or(MAX_INPUT_WEIGHT, |weight| weight.min(MAX_INPUT_WEIGHT))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{
        MAX_BYTES_PER_TURN, MAX_MESSAGES_PER_STRANGERS_TURN, MAX_MESSAGES_PER_TURN,
        MAX_STRANGERS_PER_BATCH, MAX_TURNS_PER_BATCH,
    };

    type InputSender = super::InputSender<()>;
    type InputReceiver = super::InputReceiver<()>;

    fn tick(now_ms: u64) -> Input {
        Input::Tick(steward_engine::Time { now_ms, wall_ms: 0 })
    }

    const NO_WAIT: Duration = Duration::ZERO;

    fn peer(byte: u8) -> NodeId {
        NodeId([byte; 33])
    }

    fn connect(sender: &InputSender, conn: u64, byte: u8) {
        let input = Input::PeerConnected {
            conn: ConnId(conn),
            peer: peer(byte),
            local: peer(0),
            features: Vec::new(),
            inbound: true,
            address: "127.0.0.1:1".to_owned(),
        };
        let connected = PeerInput::Connected { conn: ConnId(conn), peer: peer(byte), input };
        sender.send_of_peer(connected).unwrap();
    }

    /// Sends messages whose types count up from `first`.
    fn send(sender: &InputSender, conn: u64, first: u16, count: u16, bytes: usize) {
        let messages = (first..first + count).map(|number| (number, vec![0; bytes])).collect();
        let unread = PeerInput::Messages { conn: ConnId(conn), messages, held: () };
        sender.send_of_peer(unread).unwrap();
    }

    fn disconnect(sender: &InputSender, conn: u64, drop_unread: bool) {
        let gone = PeerInput::Disconnected { conn: ConnId(conn), drop_unread };
        sender.send_of_peer(gone).unwrap();
    }

    /// Takes one batch and returns it in short; clients have ids below 100.
    fn take(receiver: &InputReceiver) -> Vec<String> {
        let mut inputs = Vec::new();
        receiver.take(NO_WAIT, &mut inputs, |peer| peer.0[0] < 100).unwrap();
        let name = |input: Input| match input {
            Input::Tick(time) => format!("tick {}", time.now_ms),
            Input::PeerConnected { conn, .. } => format!("{} comes", conn.0),
            Input::PeerDisconnected { conn } => format!("{} goes", conn.0),
            Input::Frames { conn, frames } => {
                let (first, last) = (frames.first().unwrap().0, frames.last().unwrap().0);
                format!("{}: {first}-{last}", conn.0)
            }
            other => format!("{other:?}"),
        };
        inputs.into_iter().map(name).collect()
    }

    #[tokio::test]
    async fn all_that_is_not_of_peers_is_taken_at_once_and_in_order() {
        let (sender, receiver) = input_queue();
        for now_ms in 0..3 {
            sender.send(tick(now_ms)).await.unwrap();
        }
        assert_eq!(take(&receiver), ["tick 0", "tick 1", "tick 2"]);
        assert_eq!(sender.weight(), 0);
    }

    #[tokio::test]
    async fn a_full_queue_makes_its_senders_wait() {
        let (sender, receiver) = input_queue();
        for now_ms in 0..u64::from(MAX_QUEUED_WEIGHT) {
            sender.send(tick(now_ms)).await.unwrap();
        }
        let mut waiting = std::pin::pin!(sender.send(tick(0)));
        assert!(futures_pending(&mut waiting).await);
        take(&receiver);
        waiting.await.unwrap();
    }

    #[tokio::test]
    async fn what_is_not_of_peers_goes_before_all_that_is() {
        let (sender, receiver) = input_queue();
        connect(&sender, 1, 1);
        send(&sender, 1, 0, 10_000, 1);
        take(&receiver);
        sender.send(tick(7)).await.unwrap();
        assert_eq!(take(&receiver)[0], "tick 7");
    }

    #[test]
    fn connections_take_turns_and_each_stays_in_order() {
        let (sender, receiver) = input_queue();
        connect(&sender, 1, 1);
        connect(&sender, 2, 2);
        let most = u16::try_from(MAX_MESSAGES_PER_TURN).unwrap();
        send(&sender, 1, 0, 2 * most + 5, 1);
        send(&sender, 2, 0, 3, 1);
        let first = format!("1: 0-{}", most - 1);
        assert_eq!(take(&receiver), ["1 comes", &first, "2 comes", "2: 0-2"]);
        send(&sender, 2, 3, 1, 1);
        disconnect(&sender, 1, false);
        assert_eq!(take(&receiver), [&format!("1: {most}-{}", 2 * most - 1), "2: 3-3"]);
        // The end of a connection comes after all it sent.
        assert_eq!(take(&receiver), [&format!("1: {}-{}", 2 * most, 2 * most + 4), "1 goes"]);
        assert!(take(&receiver).is_empty());
    }

    #[test]
    fn large_messages_make_a_short_turn() {
        let (sender, receiver) = input_queue();
        connect(&sender, 1, 1);
        send(&sender, 1, 0, 5, MAX_BYTES_PER_TURN / 2);
        assert_eq!(take(&receiver), ["1 comes", "1: 0-1"]);
        assert_eq!(take(&receiver), ["1: 2-3"]);
        assert_eq!(take(&receiver), ["1: 4-4"]);
    }

    #[test]
    fn a_crowd_of_strangers_does_not_hold_up_a_client() {
        let (sender, receiver) = input_queue();
        for conn in 0..1000 {
            connect(&sender, conn, 200);
            send(&sender, conn, 0, 100, 1);
        }
        connect(&sender, 5000, 1);
        send(&sender, 5000, 0, 2, 1);
        let taken = take(&receiver);
        assert_eq!(taken[..2], ["5000 comes", "5000: 0-1"]);
        assert_eq!(taken.len(), 2 + 2 * MAX_STRANGERS_PER_BATCH);
        // All of them have their turn before the first has its second.
        let first_turn = format!(": 0-{}", MAX_MESSAGES_PER_STRANGERS_TURN - 1);
        let mut served = taken.iter().filter(|line| line.ends_with(&first_turn)).count();
        while served < 1000 {
            let taken = take(&receiver);
            let first = taken.iter().take_while(|line| !line.ends_with("-7"));
            let first = first.filter(|line| line.ends_with(&first_turn)).count();
            served += first;
            assert!(first == MAX_STRANGERS_PER_BATCH || served == 1000, "{taken:?}");
        }
    }

    #[test]
    fn of_many_clients_so_many_have_a_turn_and_the_others_the_next() {
        let (sender, receiver) = input_queue();
        let clients = MAX_TURNS_PER_BATCH as u64 + 10;
        for conn in 0..clients {
            connect(&sender, conn, 1);
            send(&sender, conn, 0, 100, 1);
        }
        let came = |taken: &[String]| taken.iter().filter(|line| line.ends_with("comes")).count();
        let first = take(&receiver);
        assert_eq!((first.len(), came(&first)), (2 * MAX_TURNS_PER_BATCH, MAX_TURNS_PER_BATCH));
        let second = take(&receiver);
        let next = format!("{MAX_TURNS_PER_BATCH} comes");
        assert_eq!((second[0].as_str(), came(&second)), (next.as_str(), 10));
    }

    #[test]
    fn what_waits_of_a_connection_we_end_is_dropped() {
        let (sender, receiver) = input_queue();
        connect(&sender, 1, 1);
        connect(&sender, 2, 2);
        send(&sender, 1, 0, 1000, 1);
        send(&sender, 2, 0, 1000, 1);
        take(&receiver);
        receiver.discard(ConnId(1));
        send(&sender, 1, 1000, 1000, 1);
        let text = "!".to_owned();
        sender.send_of_peer(PeerInput::Warning { conn: ConnId(1), text }).unwrap();
        disconnect(&sender, 1, false);
        disconnect(&sender, 2, true);
        let mut last = take(&receiver);
        last.sort();
        assert_eq!(last, ["1 goes", "2 goes"]);
        assert!(take(&receiver).is_empty());
    }

    #[tokio::test]
    async fn what_is_queued_before_the_end_is_still_taken() {
        let (sender, receiver) = input_queue();
        sender.send(tick(1)).await.unwrap();
        connect(&sender, 1, 1);
        send(&sender, 1, 0, 2 * u16::try_from(MAX_MESSAGES_PER_TURN).unwrap(), 1);
        sender.end();
        let mut inputs = Vec::new();
        assert_eq!(receiver.take(NO_WAIT, &mut inputs, |_| true), Ok(()));
        assert_eq!(inputs.len(), 3);
        assert_eq!(receiver.take(NO_WAIT, &mut inputs, |_| true), Err(Closed));
        assert_eq!(inputs.len(), 4);
    }

    #[tokio::test]
    async fn senders_learn_that_the_engine_is_gone() {
        let (sender, receiver): (InputSender, InputReceiver) = input_queue();
        drop(receiver);
        assert_eq!(sender.send(tick(1)).await, Err(Closed));
        let gone = PeerInput::Disconnected { conn: ConnId(1), drop_unread: false };
        assert_eq!(sender.send_of_peer(gone), Err(Closed));
    }

    /// True if the future is not ready when polled once.
    async fn futures_pending<F: Future>(future: &mut std::pin::Pin<&mut F>) -> bool {
        std::future::poll_fn(|context| {
            std::task::Poll::Ready(future.as_mut().poll(context).is_pending())
        })
        .await
    }
}
