//! A message that passes between a peer and the consumer, and its size on the wire.

use crate::limits::MESSAGE_OVERHEAD_BYTES;

/// A message: its BOLT 1 type, and the payload after the type.
pub type CustomMessage = (u16, Vec<u8>);

/// Returns the size on the wire of a message with this payload, in bytes.
pub(crate) fn wire_bytes(payload: &[u8]) -> usize {
    payload.len() + MESSAGE_OVERHEAD_BYTES
}
