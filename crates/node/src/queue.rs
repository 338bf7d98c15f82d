//! The engine's input queue: bounded, filled from async tasks, emptied by one thread.
//!
//! A thread that waits with a deadline needs a channel of the standard library, tasks need one
//! that does not block them: so a semaphore counts the room of an otherwise unbounded channel.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use steward_engine::Input;
use tokio::sync::Semaphore;

use crate::limits::{
    INPUT_WEIGHT_BYTES, MAX_INPUT_WEIGHT, MAX_INPUTS_PER_BATCH, MAX_QUEUED_WEIGHT,
};

/// Nobody empties the queue any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Closed;

enum Item {
    Input(Input, u32),
    /// The last one that is looked at.
    End,
}

/// The filling side.
#[derive(Clone)]
pub(crate) struct InputSender {
    items: Sender<Item>,
    room: Arc<Semaphore>,
}

/// The emptying side. Dropping it refuses what waits for room.
pub(crate) struct InputReceiver {
    items: Receiver<Item>,
    room: Arc<Semaphore>,
}

pub(crate) fn input_queue() -> (InputSender, InputReceiver) {
    let (sender, receiver) = mpsc::channel();
    let room = Arc::new(Semaphore::new(MAX_QUEUED_WEIGHT as usize));
    (
        InputSender { items: sender, room: Arc::clone(&room) },
        InputReceiver { items: receiver, room },
    )
}

impl InputSender {
    /// Waits for room. First come, first served.
    pub(crate) async fn send(&self, input: Input) -> Result<(), Closed> {
        let weight = weight(&input);
        // The receiver gives the room back.
        self.room.acquire_many(weight).await.map_err(|_| Closed)?.forget();
        self.items.send(Item::Input(input, weight)).map_err(|_| Closed)
    }

    /// What is queued by now is still looked at, then the engine ends.
    pub(crate) fn end(&self) {
        // If nobody listens, it has ended already.
        let _ = self.items.send(Item::End);
    }

    /// Units of room in use, of [`MAX_QUEUED_WEIGHT`].
    pub(crate) fn weight(&self) -> usize {
        (MAX_QUEUED_WEIGHT as usize).saturating_sub(self.room.available_permits())
    }
}

impl InputReceiver {
    /// Waits for an input, `wait` at most, then takes all that are there, up to
    /// [`MAX_INPUTS_PER_BATCH`]. `Err` when the end is reached; `inputs` may hold the last ones.
    pub(crate) fn take(&self, wait: Duration, inputs: &mut Vec<Input>) -> Result<(), Closed> {
        let mut next = match self.items.recv_timeout(wait) {
            Ok(item) => Some(item),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return Err(Closed),
        };
        let mut taken = 0;
        let mut result = Ok(());
        while let Some(item) = next {
            match item {
                Item::Input(input, weight) => {
                    inputs.push(input);
                    taken += weight as usize;
                }
                Item::End => {
                    result = Err(Closed);
                    break;
                }
            }
            if inputs.len() >= MAX_INPUTS_PER_BATCH {
                break;
            }
            next = self.items.try_recv().ok();
        }
        self.room.add_permits(taken);
        result
    }
}

impl Drop for InputReceiver {
    fn drop(&mut self) {
        self.room.close();
    }
}

fn weight(input: &Input) -> u32 {
    let bytes = match input {
        Input::Frames { frames, .. } => frames.iter().map(|(_, payload)| payload.len()).sum(),
        Input::Searched { preimages, .. } => size_of_val(preimages.as_slice()),
        _ => 0,
    };
    u32::try_from(1 + bytes / INPUT_WEIGHT_BYTES)
        .map_or(MAX_INPUT_WEIGHT, |weight| weight.min(MAX_INPUT_WEIGHT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tick(now_ms: u64) -> Input {
        Input::Tick(steward_engine::Time { now_ms, wall_ms: 0 })
    }

    const NO_WAIT: Duration = Duration::ZERO;

    #[tokio::test]
    async fn all_that_waits_is_taken_at_once_and_in_order() {
        let (sender, receiver) = input_queue();
        for now_ms in 0..3 {
            sender.send(tick(now_ms)).await.unwrap();
        }
        let mut inputs = Vec::new();
        receiver.take(NO_WAIT, &mut inputs).unwrap();
        let order: Vec<_> = inputs
            .iter()
            .map(|input| if let Input::Tick(time) = input { time.now_ms } else { 99 })
            .collect();
        assert_eq!(order, [0, 1, 2]);
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
        receiver.take(NO_WAIT, &mut Vec::new()).unwrap();
        waiting.await.unwrap();
    }

    #[tokio::test]
    async fn large_messages_take_more_room() {
        let (sender, _receiver) = input_queue();
        let frames = vec![(1, vec![0; 10 * INPUT_WEIGHT_BYTES])];
        sender.send(Input::Frames { conn: steward_engine::ConnId(1), frames }).await.unwrap();
        assert_eq!(sender.weight(), 11);
    }

    #[tokio::test]
    async fn what_is_queued_before_the_end_is_still_taken() {
        let (sender, receiver) = input_queue();
        sender.send(tick(1)).await.unwrap();
        sender.end();
        let mut inputs = Vec::new();
        assert_eq!(receiver.take(NO_WAIT, &mut inputs), Err(Closed));
        assert_eq!(inputs.len(), 1);
    }

    #[tokio::test]
    async fn senders_learn_that_the_engine_is_gone() {
        let (sender, receiver) = input_queue();
        drop(receiver);
        assert_eq!(sender.send(tick(1)).await, Err(Closed));
    }

    /// True if the future is not ready when polled once.
    async fn futures_pending<F: Future>(future: &mut std::pin::Pin<&mut F>) -> bool {
        std::future::poll_fn(|context| {
            std::task::Poll::Ready(future.as_mut().poll(context).is_pending())
        })
        .await
    }
}
