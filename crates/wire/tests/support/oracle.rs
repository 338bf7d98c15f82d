//! The bytes that a state's hash covers, written a second time in the plainest way, so that the
//! library's streamed hash has something to be compared with (docs/protocol.md section 2.1).

use steward_wire::LastCrossSignedState;
use steward_wire::codec::Wire;

pub(crate) fn sighash_preimage(state: &LastCrossSignedState) -> Vec<u8> {
    let mut blob = state.last_refund_scriptpubkey.clone();
    blob.extend(state.init_hosted_channel.channel_capacity_msat.to_le_bytes());
    blob.extend(state.init_hosted_channel.initial_client_balance_msat.to_le_bytes());
    blob.extend(state.block_day.to_le_bytes());
    blob.extend(state.local_balance_msat.to_le_bytes());
    blob.extend(state.remote_balance_msat.to_le_bytes());
    blob.extend(state.local_updates.to_le_bytes());
    blob.extend(state.remote_updates.to_le_bytes());
    blob.extend(state.incoming_htlcs.iter().flat_map(Wire::encode));
    blob.extend(state.outgoing_htlcs.iter().flat_map(Wire::encode));
    blob.push(if state.is_host { 1 } else { 0 });
    blob
}
