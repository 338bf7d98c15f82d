//! A state exported with the ids of both nodes, for a third party to verify or for a side that lost
//! its data (docs/protocol.md section 1.7). [`crate::proof`] judges what it proves.

use crate::codec::{DecodeError, Reader, Wire};
use crate::ids::NodeId;
use crate::state::LastCrossSignedState;

/// `node_id | node_id | last_cross_signed_state`, the state from its exporter's point of view.
/// The order of the two ids is not significant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The node at one end of the channel.
    pub node_id_a: NodeId,
    /// The node at the other end.
    pub node_id_b: NodeId,
    /// The state as its exporter holds it.
    pub state: LastCrossSignedState,
}

impl Wire for Snapshot {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.node_id_a.0);
        out.extend_from_slice(&self.node_id_b.0);
        self.state.write(out);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            node_id_a: reader.node_id()?,
            node_id_b: reader.node_id()?,
            state: LastCrossSignedState::read(reader)?,
        })
    }
}
