//! A state exported with the names of both nodes, for a third party to verify or for a side that
//! lost its data (protocol.md section 1.7).

use crate::codec::{DecodeError, Reader, Wire};
use crate::ids::NodeId;
use crate::state::LastCrossSignedState;

/// `node_id | node_id | last_cross_signed_state`, the state from its exporter's point of view.
/// The order of the two ids is not significant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// One end of the channel.
    pub node_id_a: NodeId,
    /// The other end.
    pub node_id_b: NodeId,
    /// The state as its exporter holds it.
    pub state: LastCrossSignedState,
}

/// Whose signatures a snapshot carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The node that holds the state as host.
    pub host: NodeId,
    /// The node that holds it as client.
    pub client: NodeId,
    /// What the host owes the client for certain, in millisatoshi; HTLCs in flight not counted.
    pub client_balance_msat: u64,
}

impl Snapshot {
    /// Checks both signatures and that the balances add up. `None` if anything is wrong.
    pub fn verify(&self) -> Option<Verified> {
        if self.node_id_a == self.node_id_b || !self.state.is_balanced() {
            return None;
        }
        let (holder, other) = [(self.node_id_a, self.node_id_b), (self.node_id_b, self.node_id_a)]
            .into_iter()
            .find(|(holder, other)| {
                let (Some(holder), Some(other)) = (holder.public_key(), other.public_key()) else {
                    return false;
                };
                self.state.verify_remote_sig(&other) && self.state.verify_local_sig(&holder)
            })?;
        Some(if self.state.is_host {
            Verified {
                host: holder,
                client: other,
                client_balance_msat: self.state.remote_balance_msat,
            }
        } else {
            Verified {
                host: other,
                client: holder,
                client_balance_msat: self.state.local_balance_msat,
            }
        })
    }
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
