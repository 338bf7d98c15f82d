//! Moves bytes between one socket and its session, and messages between the session and the
//! consumer. It is bounded both ways: it stops reading when the consumer, or the peer, is behind.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use tokio::io::{AsyncWriteExt as _, Interest};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, timeout};

use crate::event::{ConnectionId, DisconnectReason, Event};
use crate::handlers::SessionEvent;
use crate::limits::{
    CLOSE_TIMEOUT, READ_BUFFER_BYTES, READ_PAUSE_QUEUED_BYTES, TICK_INTERVAL, WRITE_BATCH_BYTES,
};
use crate::message::CustomMessage;
use crate::outbox::Outbox;
use crate::session::{SendError, Session, SessionError};
use crate::stats::{Stats, add};
use crate::unread::Unread;

thread_local! {
    /// The read buffer. There is one per thread, not per connection: it is in use only between two
    /// awaits.
    static READ_BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BUFFER_BYTES].into());
}

/// A socket and its session.
pub(crate) struct Link<'a> {
    pub(crate) stream: TcpStream,
    pub(crate) session: Session,
    pub(crate) stats: &'a Stats,
}

impl Link<'_> {
    /// Runs the handshake until both `init` are exchanged. What the peer sent after its `init`
    /// stays in the session.
    pub(crate) async fn handshake(&mut self, time: Duration) -> Result<(), DisconnectReason> {
        let handshake = async {
            while !self.session.is_established() {
                self.write()?;
                let mut interest = Interest::READABLE;
                if self.has_outgoing() {
                    interest = interest.add(Interest::WRITABLE);
                }
                self.stream.ready(interest).await.map_err(io_error)?;
                self.read()?;
            }
            Ok(())
        };
        let timed_out = Err(DisconnectReason::HandshakeTimeout);
        timeout(time, handshake).await.unwrap_or(timed_out)
    }

    /// Reads once. Returns true if there may be more.
    fn read(&mut self) -> Result<bool, DisconnectReason> {
        READ_BUFFER.with_borrow_mut(|buffer| match self.stream.try_read(buffer) {
            Ok(0) => Err(DisconnectReason::ClosedByPeer),
            Ok(len) => {
                add(&self.stats.bytes_received, len);
                let bytes = buffer.get(..len).unwrap_or_default();
                self.session.receive(bytes).map_err(session_error)?;
                Ok(len == READ_BUFFER_BYTES)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(io_error(error)),
        })
    }

    /// Writes until the socket is full or nothing is left. Returns true if anything was written.
    fn write(&mut self) -> Result<bool, DisconnectReason> {
        let mut progress = false;
        loop {
            let bytes = self.session.outgoing();
            if bytes.is_empty() {
                return Ok(progress);
            }
            match self.stream.try_write(bytes) {
                Ok(0) => return Err(DisconnectReason::ClosedByPeer),
                Ok(len) => {
                    add(&self.stats.bytes_sent, len);
                    self.session.consume_outgoing(len);
                    progress = true;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(progress),
                Err(error) => return Err(io_error(error)),
            }
        }
    }

    fn has_outgoing(&self) -> bool {
        self.session.queued_bytes() > 0
    }
}

/// Drives an established connection with a consumer.
pub(crate) struct Driver<'a> {
    link: Link<'a>,
    conn: ConnectionId,
    outbox: &'a Outbox,
    events: &'a mpsc::Sender<Event>,
    /// The events that the consumer has no room for yet. Reading pauses while there are any.
    waiting: VecDeque<Event>,
    /// The messages that the consumer has not handled yet. Reading pauses while there are too many.
    unread: Unread,
    /// True if the peer took any bytes since the last tick.
    wrote_since_tick: bool,
}

impl<'a> Driver<'a> {
    pub(crate) fn new(
        link: Link<'a>,
        conn: ConnectionId,
        outbox: &'a Outbox,
        events: &'a mpsc::Sender<Event>,
        unread: Unread,
    ) -> Self {
        let waiting = VecDeque::new();
        Self { link, conn, outbox, events, waiting, unread, wrote_since_tick: false }
    }

    /// Runs the connection to its end. Delivers all its events but the first and the last.
    pub(crate) async fn run(mut self, shutdown: &mut watch::Receiver<bool>) -> DisconnectReason {
        let mut ticks = interval_at(Instant::now() + TICK_INTERVAL, TICK_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The peer's first messages may have come together with its `init`.
        self.collect_events();
        let reason = loop {
            if let Err(reason) = self.step(&mut ticks, shutdown).await {
                break reason;
            }
        };
        self.finish(&reason).await;
        reason
    }

    /// Does what can be done at once, then waits for one thing to happen.
    async fn step(
        &mut self,
        ticks: &mut Interval,
        shutdown: &mut watch::Receiver<bool>,
    ) -> Result<(), DisconnectReason> {
        self.deliver()?;
        self.pump()?;
        if let Some(reason) = self.outbox.end_reason() {
            return Err(reason);
        }
        let interest = self.interest();
        tokio::select! {
            () = self.outbox.changed() => {}
            ready = self.link.stream.ready(interest.unwrap_or(Interest::READABLE)),
                if interest.is_some() =>
            {
                if ready.map_err(io_error)?.is_readable() && self.may_read() {
                    return self.read().await;
                }
            }
            // This branch only wakes the loop.
            () = self.unread.less(), if !self.unread.has_room() => {}
            // This branch only wakes the loop: `deliver` takes the room itself.
            _ = self.events.reserve(), if !self.waiting.is_empty() => {}
            _ = ticks.tick() => return self.tick(),
            _ = shutdown.changed() => return Err(DisconnectReason::Shutdown),
        }
        Ok(())
    }

    async fn read(&mut self) -> Result<(), DisconnectReason> {
        let may_be_more = self.link.read()?;
        self.collect_events();
        if may_be_more {
            // A peer that never stops sending must not keep the thread from other connections.
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Moves messages from the outbox through the session to the socket, as far as it takes them.
    fn pump(&mut self) -> Result<(), DisconnectReason> {
        loop {
            self.wrote_since_tick |= self.link.write()?;
            if self.link.has_outgoing() {
                return Ok(());
            }
            let messages = self.outbox.take(WRITE_BATCH_BYTES);
            if messages.is_empty() {
                return Ok(());
            }
            for (message_type, payload) in messages {
                self.link.session.send(message_type, payload).map_err(send_error)?;
            }
        }
    }

    /// Pings the peer, and gives it up if it was silent. Its silence does not count if we cause it:
    /// while we do not read, or while the peer is busy taking what we queued before the ping.
    fn tick(&mut self) -> Result<(), DisconnectReason> {
        let draining = std::mem::take(&mut self.wrote_since_tick) && self.link.has_outgoing();
        if draining || !self.waiting.is_empty() || !self.unread.has_room() {
            return Ok(());
        }
        self.link.session.tick().map_err(session_error)
    }

    fn may_read(&self) -> bool {
        self.waiting.is_empty()
            && self.unread.has_room()
            && self.link.session.queued_bytes() <= READ_PAUSE_QUEUED_BYTES
    }

    fn interest(&self) -> Option<Interest> {
        match (self.may_read(), self.link.has_outgoing()) {
            (true, true) => Some(Interest::READABLE | Interest::WRITABLE),
            (true, false) => Some(Interest::READABLE),
            (false, true) => Some(Interest::WRITABLE),
            (false, false) => None,
        }
    }

    /// Turns what the session reports into events for the consumer, one for a run of messages.
    fn collect_events(&mut self) {
        let conn = self.conn;
        let mut messages: Vec<CustomMessage> = Vec::new();
        for event in self.link.session.take_events() {
            match event {
                SessionEvent::Message { message_type, payload } => {
                    messages.push((message_type, payload));
                }
                SessionEvent::PeerText { kind, channel_id, text } => {
                    self.push_messages(std::mem::take(&mut messages));
                    self.waiting.push_back(Event::PeerText { conn, kind, channel_id, text });
                }
                // The transport reports this, with what it knows of the connection.
                SessionEvent::Established { .. } => {}
            }
        }
        self.push_messages(messages);
    }

    fn push_messages(&mut self, messages: Vec<CustomMessage>) {
        if messages.is_empty() {
            return;
        }
        add(&self.link.stats.messages_received, messages.len());
        let held = self.unread.hold(&messages);
        self.waiting.push_back(Event::Messages { conn: self.conn, messages, held });
    }

    /// Delivers waiting events, as far as the consumer has room.
    fn deliver(&mut self) -> Result<(), DisconnectReason> {
        while !self.waiting.is_empty() {
            match self.events.try_reserve() {
                Ok(permit) => {
                    if let Some(event) = self.waiting.pop_front() {
                        permit.send(event);
                    }
                }
                Err(mpsc::error::TrySendError::Full(())) => return Ok(()),
                Err(mpsc::error::TrySendError::Closed(())) => {
                    return Err(DisconnectReason::Shutdown);
                }
            }
        }
        Ok(())
    }

    /// Sends and delivers the last messages: a requested end may follow a message that explains it.
    /// What the peer sent is dropped if we ended the connection.
    async fn finish(mut self, reason: &DisconnectReason) {
        // The connection is over, whether they still fit or not.
        let _ = self.pump();
        if reason.is_ours() {
            self.waiting.clear();
        } else {
            self.collect_events();
        }
        for event in std::mem::take(&mut self.waiting) {
            if self.events.send(event).await.is_err() {
                break;
            }
        }
        let _ = timeout(CLOSE_TIMEOUT, self.link.stream.shutdown()).await;
    }
}

fn io_error(error: io::Error) -> DisconnectReason {
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
            DisconnectReason::ClosedByPeer
        }
        _ => DisconnectReason::Io(error.to_string()),
    }
}

pub(crate) fn session_error(error: SessionError) -> DisconnectReason {
    match error {
        SessionError::Timeout => DisconnectReason::PingTimeout,
        SessionError::SendQueueFull => DisconnectReason::SendQueueFull,
        SessionError::PeerError(text) => DisconnectReason::PeerError(text),
        SessionError::Protocol(text) => DisconnectReason::Protocol(text),
        SessionError::InvalidNodeId => DisconnectReason::Protocol(error.to_string()),
    }
}

fn send_error(error: SendError) -> DisconnectReason {
    match error {
        SendError::QueueFull => DisconnectReason::SendQueueFull,
        SendError::TooLarge { .. } | SendError::NotEstablished | SendError::NotOffered { .. } => {
            DisconnectReason::Protocol(error.to_string())
        }
    }
}
