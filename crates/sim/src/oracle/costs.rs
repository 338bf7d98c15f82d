//! The cost of a connection: a peer that sends little is sent little, whatever it asks for.

use steward_engine::ConnId;

use super::{Line, Oracles, Rule, Violation};
use crate::link::Frame;

/// Bytes sent on a connection for each one received on it.
const MAX_BYTES_OUT_PER_BYTE_IN: u64 = 32;
/// Bytes sent beyond that in any case: a full state and a full round of HTLCs, several times over.
const FREE_BYTES_OUT: u64 = 384 * 1024;
/// And so much more for each second that the connection lasts.
const BYTES_OUT_PER_S: u64 = 4 * 1024;
/// The bytes that a message takes on the wire beyond its payload.
const OVERHEAD_BYTES: u64 = 36;

/// The bytes that one end of a connection sent and received.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bytes {
    since_ms: u64,
    sent: u64,
    received: u64,
}

impl Bytes {
    pub(super) fn since(now_ms: u64) -> Self {
        Self { since_ms: now_ms, ..Self::default() }
    }
}

impl Oracles {
    pub(super) fn bytes_received(&mut self, conn: ConnId, frames: &[Frame]) {
        if let Some(line) = self.lines.get_mut(&conn) {
            line.bytes.received += size(frames);
        }
    }

    /// A batch sends these.
    pub(super) fn bytes_sent(
        &mut self,
        node: usize,
        conn: ConnId,
        frames: &[Frame],
    ) -> Result<(), Violation> {
        let now_ms = self.now_ms;
        let Some(Line { bytes, .. }) = self.lines.get_mut(&conn) else { return Ok(()) };
        bytes.sent += size(frames);
        let age_s = now_ms.saturating_sub(bytes.since_ms) / 1000;
        let most =
            FREE_BYTES_OUT + bytes.received * MAX_BYTES_OUT_PER_BYTE_IN + age_s * BYTES_OUT_PER_S;
        if bytes.sent <= most {
            return Ok(());
        }
        let text = format!("it sends {} bytes for {} it was sent", bytes.sent, bytes.received);
        Err(Violation::new(Rule::Rest, node, text))
    }
}

fn size(frames: &[Frame]) -> u64 {
    frames.iter().map(|(_, payload)| payload.len() as u64 + OVERHEAD_BYTES).sum()
}
