//! The messages that wait for one connection's task, and the request to end it. Bounded in bytes.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::event::DisconnectReason;
use crate::limits::{MAX_PAYLOAD_BYTES, MAX_QUEUED_BYTES};
use crate::message::{CustomMessage, wire_bytes};
use crate::session::SendError;

/// A queue that any thread fills and the connection's task drains.
#[derive(Default)]
pub(crate) struct Outbox {
    state: Mutex<State>,
    /// Wakes the task when there is something to do after there was nothing.
    wake: Notify,
}

#[derive(Default)]
struct State {
    messages: VecDeque<CustomMessage>,
    /// The size of `messages` on the wire.
    bytes: usize,
    /// The reason to end the connection, set once by the first caller that wants it to end.
    end: Option<DisconnectReason>,
}

impl Outbox {
    /// Queues all messages or none. It wakes the task once per batch, so that they leave in one
    /// write.
    pub(crate) fn push(&self, messages: Vec<CustomMessage>) -> Result<(), SendError> {
        let mut size = 0;
        for (_, payload) in &messages {
            if payload.len() > MAX_PAYLOAD_BYTES {
                return Err(SendError::TooLarge { len: payload.len() });
            }
            size += wire_bytes(payload);
        }
        let mut state = self.lock();
        if state.end.is_some() {
            return Err(SendError::NotEstablished);
        }
        let was_idle = state.messages.is_empty();
        if state.bytes + size > MAX_QUEUED_BYTES {
            state.messages = VecDeque::new();
            state.bytes = 0;
            state.end = Some(DisconnectReason::SendQueueFull);
            drop(state);
            self.wake.notify_one();
            return Err(SendError::QueueFull);
        }
        state.bytes += size;
        state.messages.extend(messages);
        drop(state);
        if was_idle {
            self.wake.notify_one();
        }
        Ok(())
    }

    /// Takes the oldest messages, until they fill `room` bytes.
    pub(crate) fn take(&self, room: usize) -> Vec<CustomMessage> {
        let mut state = self.lock();
        if room >= state.bytes {
            state.bytes = 0;
            return std::mem::take(&mut state.messages).into();
        }
        let mut taken = Vec::new();
        let mut taken_bytes = 0;
        while taken_bytes < room {
            let Some(message) = state.messages.pop_front() else { break };
            taken_bytes += wire_bytes(&message.1);
            taken.push(message);
        }
        state.bytes = state.bytes.saturating_sub(taken_bytes);
        taken
    }

    /// Asks the task to end the connection. The first reason wins.
    pub(crate) fn end(&self, reason: DisconnectReason) {
        self.lock().end.get_or_insert(reason);
        self.wake.notify_one();
    }

    /// Returns the reason why the connection shall end, if it shall.
    pub(crate) fn end_reason(&self) -> Option<DisconnectReason> {
        self.lock().end.clone()
    }

    /// Resolves when there may be messages, or a reason to end.
    pub(crate) async fn changed(&self) {
        self.wake.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
