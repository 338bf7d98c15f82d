//! The surroundings of the runtime for its unit tests: a transport that writes down its calls, and
//! nothing to look into.

use std::sync::Mutex;
use std::time::Duration;

use steward_engine::ConnId;
use steward_engine::row::LocalIdentity;
use steward_wire::{NodeId, Preimage};

use crate::traits::{Blocks, BlocksError, Frame, PeerTransport};

/// The transport writes down what it is asked to do.
#[derive(Default)]
pub(crate) struct Recorder(pub(crate) Mutex<Vec<String>>);

impl Recorder {
    fn write(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }
}

impl PeerTransport for Recorder {
    type Held = ();

    fn send(&self, conn: ConnId, frames: Vec<Frame>) {
        let types: Vec<_> = frames.iter().map(|(message_type, _)| message_type).collect();
        self.write(format!("send {} {types:?}", conn.0));
    }

    fn disconnect(&self, conn: ConnId, reason: &str, back_off: bool) {
        let how = if back_off { "refuse" } else { "disconnect" };
        self.write(format!("{how} {} {reason}", conn.0));
    }

    fn keep_connected(&self, peer: NodeId, _identity: LocalIdentity, addresses: &[String]) {
        self.write(format!("keep {peer} {addresses:?}"));
    }

    fn forget(&self, peer: NodeId, _local: NodeId) {
        self.write(format!("forget {peer}"));
    }
}

pub(crate) struct NoBlocks;

impl Blocks for NoBlocks {
    fn ask_height(&self) {}

    fn describe(&self) -> Option<String> {
        None
    }

    fn preimages_at(&self, _height: u32) -> Result<Option<Vec<Preimage>>, BlocksError> {
        Ok(None)
    }

    fn pause(&self, _failures: u32) -> Duration {
        Duration::ZERO
    }
}
