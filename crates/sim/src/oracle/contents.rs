//! States compared by what they say, field by field. The code under test compares by a hash, and
//! that does not say which list an HTLC stands in: an oracle that used it would be as blind.

use steward_wire::{LastCrossSignedState, Signature};

/// The content of a state, without its signatures.
pub(super) fn of(state: &LastCrossSignedState) -> LastCrossSignedState {
    LastCrossSignedState {
        remote_sig_of_local: Signature::ZERO,
        local_sig_of_remote: Signature::ZERO,
        ..state.clone()
    }
}

/// True if two copies of one side's state say the same.
pub(super) fn same(a: &LastCrossSignedState, b: &LastCrossSignedState) -> bool {
    difference(a, b).is_none()
}

/// The same, but for the day.
pub(super) fn same_but_day(a: &LastCrossSignedState, b: &LastCrossSignedState) -> bool {
    matches!(difference(a, b), None | Some("block day"))
}

/// Returns the difference between one side's state and the other side's copy, if there is one.
pub(super) fn difference_of_sides(
    ours: &LastCrossSignedState,
    theirs: &LastCrossSignedState,
) -> Option<&'static str> {
    if ours.is_host == theirs.is_host {
        return Some("who is the host");
    }
    let turned = LastCrossSignedState {
        is_host: ours.is_host,
        local_balance_msat: theirs.remote_balance_msat,
        remote_balance_msat: theirs.local_balance_msat,
        local_updates: theirs.remote_updates,
        remote_updates: theirs.local_updates,
        incoming_htlcs: theirs.outgoing_htlcs.clone(),
        outgoing_htlcs: theirs.incoming_htlcs.clone(),
        ..theirs.clone()
    };
    difference(ours, &turned)
}

/// The first field, signatures aside, in which two copies of one side's state differ; the day
/// last of all. Every field is named, so that a new one cannot be forgotten.
fn difference(a: &LastCrossSignedState, b: &LastCrossSignedState) -> Option<&'static str> {
    let LastCrossSignedState {
        is_host,
        last_refund_scriptpubkey,
        init_hosted_channel,
        block_day,
        local_balance_msat,
        remote_balance_msat,
        local_updates,
        remote_updates,
        incoming_htlcs,
        outgoing_htlcs,
        remote_sig_of_local: _,
        local_sig_of_remote: _,
    } = a;
    let fields = [
        ("who is the host", *is_host == b.is_host),
        ("refund script", *last_refund_scriptpubkey == b.last_refund_scriptpubkey),
        ("terms", *init_hosted_channel == b.init_hosted_channel),
        ("own balance", *local_balance_msat == b.local_balance_msat),
        ("other balance", *remote_balance_msat == b.remote_balance_msat),
        ("own counter", *local_updates == b.local_updates),
        ("other counter", *remote_updates == b.remote_updates),
        ("incoming HTLCs", *incoming_htlcs == b.incoming_htlcs),
        ("outgoing HTLCs", *outgoing_htlcs == b.outgoing_htlcs),
        ("block day", *block_day == b.block_day),
    ];
    fields.into_iter().find(|(_, is_same)| !is_same).map(|(name, _)| name)
}
