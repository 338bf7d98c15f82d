//! The record of a run, one line for each step, and a digest of it: two runs of one seed must give
//! the same.

use std::fmt::Write as _;

use steward_engine::io::Input;
use steward_engine::row::WriteBatch;
use steward_wire::{Framing, framing};

use crate::link::Frame;
use crate::world::START_MS;

/// Lines kept for a failure's report.
const LAST_LINES: usize = 60;

/// The destination of the lines.
#[derive(Debug, Default)]
pub struct Trace {
    /// Off in long runs: a failure is replayed with its trace.
    is_on: bool,
    prints: bool,
    lines: std::collections::VecDeque<String>,
    digest: u64,
}

impl Trace {
    /// Keeps nothing.
    pub fn silent() -> Self {
        Self::default()
    }

    /// Keeps the digest and the last lines.
    pub fn keeping() -> Self {
        Self { is_on: true, ..Self::default() }
    }

    /// Prints every line as it comes.
    pub fn printing() -> Self {
        Self { is_on: true, prints: true, ..Self::default() }
    }

    /// The last lines.
    pub fn last_lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }

    /// A number that every line goes into.
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// Something a node did or met.
    pub fn line(&mut self, now_ms: u64, node: usize, text: impl FnOnce() -> String) {
        if !self.is_on {
            return;
        }
        let line = format!("{:>9} ms  n{node:<2} {}", now_ms - START_MS, text());
        for byte in line.bytes() {
            self.digest = (self.digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        if self.prints {
            emit(&line);
        }
        if self.lines.len() == LAST_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    /// Something about no single node.
    pub fn world(&mut self, now_ms: u64, text: impl FnOnce() -> String) {
        self.line(now_ms, 99, text);
    }

    pub(crate) fn input(&mut self, now_ms: u64, node: usize, input: &Input) {
        self.line(now_ms, node, || match input {
            Input::PeerConnected { conn, inbound, .. } => {
                format!("connected {} {}", conn.0, if *inbound { "inbound" } else { "outbound" })
            }
            Input::PeerDisconnected { conn } => format!("disconnected {}", conn.0),
            Input::Frames { conn, frames } => format!("gets {} on {}", names(frames), conn.0),
            Input::Command { reply, command } => {
                let text = format!("{command:?}");
                let name: String = text.chars().take_while(|c| c.is_alphanumeric()).collect();
                format!("command {} {name}", reply.0)
            }
            Input::Chain { height, stale, .. } => format!("height {height} stale {stale}"),
            Input::PeerWarning { conn, text } => format!("warned on {}: {text}", conn.0),
            Input::Tick { .. } => "tick".to_owned(),
            Input::Route { result, .. } => match result {
                Ok(parts) => format!("route in {} parts", parts.len()),
                Err(why) => format!("no route: {}", why.text),
            },
            Input::Searched { to_height, preimages } => {
                format!("searched to {to_height}: {} preimages", preimages.len())
            }
        });
    }

    pub(crate) fn send(&mut self, now_ms: u64, node: usize, frames: &[Frame]) {
        self.line(now_ms, node, || format!("sends {}", names(frames)));
    }

    pub(crate) fn commit(&mut self, now_ms: u64, node: usize, writes: &WriteBatch) {
        self.line(now_ms, node, || format!("commits {} rows", writes.len()));
    }
}

fn names(frames: &[Frame]) -> String {
    let mut text = String::new();
    for (message_type, payload) in frames {
        let decoded = framing::decode(&mut None, *message_type, payload);
        let decoded = decoded
            .or_else(|_| framing::decode(&mut Some(Framing::Modern), *message_type, payload));
        let name = match &decoded {
            Ok(Some(message)) => describe(message),
            _ => message_type.to_string(),
        };
        let comma = if text.is_empty() { "" } else { ", " };
        let _ = write!(text, "{comma}{name}");
    }
    text
}

fn describe(message: &steward_wire::Message) -> String {
    use steward_wire::Message;
    match message {
        Message::UpdateAddHtlc(add) => format!("add {} ({} msat)", add.id, add.amount_msat),
        Message::UpdateFulfillHtlc(fulfill) => format!("fulfill {}", fulfill.id),
        Message::UpdateFailHtlc(fail) => format!("fail {}", fail.id),
        Message::UpdateFailMalformedHtlc(fail) => format!("malformed {}", fail.id),
        Message::StateUpdate(su) => format!("su {}/{}", su.local_updates, su.remote_updates),
        Message::LastCrossSignedState(state) => {
            format!("state {}/{}", state.local_updates, state.remote_updates)
        }
        Message::Error(error) => format!("error {:?}", String::from_utf8_lossy(&error.data)),
        other => other.name().to_owned(),
    }
}

#[expect(clippy::print_stdout, reason = "a trace is there to be read")]
fn emit(line: &str) {
    println!("{line}");
}
