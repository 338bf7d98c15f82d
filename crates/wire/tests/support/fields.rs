//! A message's name and fields as the JSON of the vectors: bytes as lowercase hex, numbers as
//! numbers. No code reads it back; `vectors/wire/README.md` describes it.

use hex::DisplayHex;
use serde_json::{Value, json};
use steward_wire::{
    AnnouncementSignature, ChannelAnnouncement, ChannelUpdate, HostedChannelBranding,
    InitHostedChannel, InvokeHostedChannel, LastCrossSignedState, Message, NodeIdTrampolineParams,
    QueryPreimages, ReplyPreimages, ResizeChannel, StateOverride, StateUpdate, TrampolineOn,
    TrampolineRoute, TrampolineStatusInit, TrampolineStatusUpdate, UpdateAddHtlc, UpdateFailHtlc,
    UpdateFailMalformedHtlc, UpdateFulfillHtlc, WireError,
};

/// Returns the message's name as the specification spells it, and its fields.
pub(crate) fn describe(message: &Message) -> (&'static str, Value) {
    match message {
        Message::InvokeHostedChannel(m) => ("invoke_hosted_channel", invoke(m)),
        Message::InitHostedChannel(m) => ("init_hosted_channel", init(m)),
        Message::LastCrossSignedState(m) => ("last_cross_signed_state", state(m)),
        Message::StateUpdate(m) => ("state_update", state_update(m)),
        Message::StateOverride(m) => ("state_override", state_override(m)),
        Message::HostedChannelBranding(m) => ("hosted_channel_branding", branding(m)),
        Message::AnnouncementSignature(m) => ("announcement_signature", announcement_signature(m)),
        Message::ResizeChannel(m) => ("resize_channel", resize(m)),
        Message::QueryPublicHostedChannels(m) => {
            ("query_public_hosted_channels", json!({ "chain_hash": hex(&m.chain_hash) }))
        }
        Message::ReplyPublicHostedChannelsEnd(m) => {
            ("reply_public_hosted_channels_end", json!({ "chain_hash": hex(&m.chain_hash) }))
        }
        Message::QueryPreimages(m) => ("query_preimages", query_preimages(m)),
        Message::ReplyPreimages(m) => ("reply_preimages", reply_preimages(m)),
        Message::AskBrandingInfo(m) => {
            ("ask_branding_info", json!({ "chain_hash": hex(&m.chain_hash) }))
        }
        Message::AnnouncementGossip(m) => ("channel_announcement_gossip", announcement(m)),
        Message::AnnouncementSync(m) => ("channel_announcement_sync", announcement(m)),
        Message::UpdateGossip(m) => ("channel_update_gossip", update(m)),
        Message::UpdateSync(m) => ("channel_update_sync", update(m)),
        Message::TrampolineStatusInit(m) => ("trampoline_status_init", trampoline_init(m)),
        Message::TrampolineStatusUpdate(m) => ("trampoline_status_update", trampoline_update(m)),
        Message::TrampolineUndesired(_) => ("trampoline_undesired", json!({})),
        Message::UpdateAddHtlc(m) => ("update_add_htlc", add(m)),
        Message::UpdateFulfillHtlc(m) => ("update_fulfill_htlc", fulfill(m)),
        Message::UpdateFailHtlc(m) => ("update_fail_htlc", fail(m)),
        Message::UpdateFailMalformedHtlc(m) => ("update_fail_malformed_htlc", fail_malformed(m)),
        Message::Error(m) => ("error", error(m)),
    }
}

pub(crate) fn state(state: &LastCrossSignedState) -> Value {
    json!({
        "is_host": state.is_host,
        "last_refund_scriptpubkey": hex(&state.last_refund_scriptpubkey),
        "init_hosted_channel": init(&state.init_hosted_channel),
        "block_day": state.block_day,
        "local_balance_msat": state.local_balance_msat,
        "remote_balance_msat": state.remote_balance_msat,
        "local_updates": state.local_updates,
        "remote_updates": state.remote_updates,
        "incoming_htlcs": state.incoming_htlcs.iter().map(add).collect::<Vec<_>>(),
        "outgoing_htlcs": state.outgoing_htlcs.iter().map(add).collect::<Vec<_>>(),
        "remote_sig_of_local": hex(&state.remote_sig_of_local.0),
        "local_sig_of_remote": hex(&state.local_sig_of_remote.0),
    })
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.to_lower_hex_string()
}

fn invoke(m: &InvokeHostedChannel) -> Value {
    json!({
        "chain_hash": hex(&m.chain_hash),
        "refund_scriptpubkey": hex(&m.refund_scriptpubkey),
        "secret": hex(&m.secret),
    })
}

fn state_update(m: &StateUpdate) -> Value {
    json!({
        "block_day": m.block_day,
        "local_updates": m.local_updates,
        "remote_updates": m.remote_updates,
        "local_sig_of_remote": hex(&m.local_sig_of_remote.0),
    })
}

fn state_override(m: &StateOverride) -> Value {
    json!({
        "block_day": m.block_day,
        "local_balance_msat": m.local_balance_msat,
        "local_updates": m.local_updates,
        "remote_updates": m.remote_updates,
        "local_sig_of_remote": hex(&m.local_sig_of_remote.0),
    })
}

fn branding(m: &HostedChannelBranding) -> Value {
    json!({
        "rgb": hex(&m.rgb),
        "png": m.png.as_deref().map(hex),
        "contact_info": m.contact_info,
    })
}

fn announcement_signature(m: &AnnouncementSignature) -> Value {
    json!({ "node_signature": hex(&m.node_signature.0), "wants_reply": m.wants_reply })
}

fn resize(m: &ResizeChannel) -> Value {
    json!({
        "new_capacity_sat": m.new_capacity_sat,
        "client_sig": hex(&m.client_sig.0),
    })
}

fn query_preimages(m: &QueryPreimages) -> Value {
    json!({ "hashes": m.hashes.iter().map(|hash| hex(&hash.0)).collect::<Vec<_>>() })
}

fn reply_preimages(m: &ReplyPreimages) -> Value {
    json!({ "preimages": m.preimages.iter().map(|p| hex(&p.0)).collect::<Vec<_>>() })
}

fn trampoline_init(m: &TrampolineStatusInit) -> Value {
    json!({ "routes": routes(&m.routes), "peer": trampoline_on(&m.peer) })
}

fn trampoline_update(m: &TrampolineStatusUpdate) -> Value {
    json!({
        "new_routes": routes(&m.new_routes),
        "updated": m.updated.iter().map(trampoline_params).collect::<Vec<_>>(),
        "updated_peer": m.updated_peer.as_ref().map(trampoline_on),
        "removed": m.removed.iter().map(|node| hex(&node.0)).collect::<Vec<_>>(),
    })
}

fn fulfill(m: &UpdateFulfillHtlc) -> Value {
    json!({
        "channel_id": hex(&m.channel_id.0),
        "id": m.id,
        "preimage": hex(&m.preimage.0),
        "tlvs": hex(&m.tlvs),
    })
}

fn fail(m: &UpdateFailHtlc) -> Value {
    json!({
        "channel_id": hex(&m.channel_id.0),
        "id": m.id,
        "reason": hex(&m.reason),
        "tlvs": hex(&m.tlvs),
    })
}

fn fail_malformed(m: &UpdateFailMalformedHtlc) -> Value {
    json!({
        "channel_id": hex(&m.channel_id.0),
        "id": m.id,
        "sha256_of_onion": hex(&m.sha256_of_onion),
        "failure_code": m.failure_code,
        "tlvs": hex(&m.tlvs),
    })
}

fn error(m: &WireError) -> Value {
    json!({
        "channel_id": hex(&m.channel_id.0),
        "data": hex(&m.data),
        "tlvs": hex(&m.tlvs),
    })
}

fn init(init: &InitHostedChannel) -> Value {
    json!({
        "max_htlc_value_in_flight_msat": init.max_htlc_value_in_flight_msat,
        "htlc_minimum_msat": init.htlc_minimum_msat,
        "max_accepted_htlcs": init.max_accepted_htlcs,
        "channel_capacity_msat": init.channel_capacity_msat,
        "initial_client_balance_msat": init.initial_client_balance_msat,
        "features": init.features,
    })
}

fn add(add: &UpdateAddHtlc) -> Value {
    json!({
        "channel_id": hex(&add.channel_id.0),
        "id": add.id,
        "amount_msat": add.amount_msat,
        "payment_hash": hex(&add.payment_hash.0),
        "cltv_expiry": add.cltv_expiry,
        "onion": hex(add.onion.0.as_slice()),
        "tlvs": hex(&add.tlvs),
    })
}

fn announcement(announcement: &ChannelAnnouncement) -> Value {
    json!({
        "node_signature_1": hex(&announcement.node_signature_1.0),
        "node_signature_2": hex(&announcement.node_signature_2.0),
        "bitcoin_signature_1": hex(&announcement.bitcoin_signature_1.0),
        "bitcoin_signature_2": hex(&announcement.bitcoin_signature_2.0),
        "features": hex(&announcement.features),
        "chain_hash": hex(&announcement.chain_hash),
        "short_channel_id": announcement.short_channel_id.to_string(),
        "node_id_1": hex(&announcement.node_id_1.0),
        "node_id_2": hex(&announcement.node_id_2.0),
        "bitcoin_key_1": hex(&announcement.bitcoin_key_1.0),
        "bitcoin_key_2": hex(&announcement.bitcoin_key_2.0),
        "excess": hex(&announcement.excess),
    })
}

fn update(update: &ChannelUpdate) -> Value {
    json!({
        "signature": hex(&update.signature.0),
        "chain_hash": hex(&update.chain_hash),
        "short_channel_id": update.short_channel_id.to_string(),
        "timestamp": update.timestamp,
        "message_flags": update.message_flags,
        "channel_flags": update.channel_flags,
        "cltv_expiry_delta": update.cltv_expiry_delta,
        "htlc_minimum_msat": update.htlc_minimum_msat,
        "fee_base_msat": update.fee_base_msat,
        "fee_proportional_millionths": update.fee_proportional_millionths,
        "htlc_maximum_msat": update.htlc_maximum_msat,
        "excess": hex(&update.excess),
    })
}

fn routes(routes: &[TrampolineRoute]) -> Value {
    let route = |route: &TrampolineRoute| route.iter().map(trampoline_params).collect::<Vec<_>>();
    json!(routes.iter().map(route).collect::<Vec<_>>())
}

fn trampoline_params(params: &NodeIdTrampolineParams) -> Value {
    json!({ "node_id": hex(&params.node_id.0), "on": trampoline_on(&params.on) })
}

fn trampoline_on(on: &TrampolineOn) -> Value {
    json!({
        "min_msat": on.min_msat,
        "max_msat": on.max_msat,
        "fee_proportional_millionths": on.fee_proportional_millionths,
        "exponent": on.exponent.value(),
        "log_exponent": on.log_exponent.value(),
        "cltv_expiry_delta": on.cltv_expiry_delta,
    })
}
