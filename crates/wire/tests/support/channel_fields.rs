//! The fields of a funded channel's message as JSON, named as BOLT 2 and BOLT 7 name them.

use serde_json::{Value, json};
use steward_wire::{ChannelMessage, NodeAddress};

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Transaction ids stand in the byte order of the message, as all other strings do.
fn txid(txid: bitcoin::Txid) -> String {
    use bitcoin::hashes::Hash;

    hex(&txid.to_byte_array())
}

pub(crate) fn fields(message: &ChannelMessage) -> Value {
    match message {
        ChannelMessage::Warning(m) | ChannelMessage::Error(m) => {
            json!({ "channel_id": m.channel_id.to_string(), "data": hex(&m.data) })
        }
        ChannelMessage::OpenChannel(m) => json!({
            "chain_hash": hex(&m.chain_hash),
            "temporary_channel_id": m.temporary_channel_id.to_string(),
            "funding_satoshis": m.funding_sat,
            "push_msat": m.push_msat,
            "dust_limit_satoshis": m.dust_limit_sat,
            "max_htlc_value_in_flight_msat": m.max_htlc_value_in_flight_msat,
            "channel_reserve_satoshis": m.channel_reserve_sat,
            "htlc_minimum_msat": m.htlc_minimum_msat,
            "feerate_per_kw": m.feerate_per_kw,
            "to_self_delay": m.to_self_delay,
            "max_accepted_htlcs": m.max_accepted_htlcs,
            "funding_pubkey": m.funding_pubkey.to_string(),
            "revocation_basepoint": m.revocation_basepoint.to_string(),
            "payment_basepoint": m.payment_basepoint.to_string(),
            "delayed_payment_basepoint": m.delayed_payment_basepoint.to_string(),
            "htlc_basepoint": m.htlc_basepoint.to_string(),
            "first_per_commitment_point": m.first_per_commitment_point.to_string(),
            "channel_flags": m.channel_flags,
            "shutdown_scriptpubkey": m.upfront_shutdown_script().map(hex),
            "channel_type": m.channel_type().map(hex),
        }),
        ChannelMessage::AcceptChannel(m) => json!({
            "temporary_channel_id": m.temporary_channel_id.to_string(),
            "dust_limit_satoshis": m.dust_limit_sat,
            "max_htlc_value_in_flight_msat": m.max_htlc_value_in_flight_msat,
            "channel_reserve_satoshis": m.channel_reserve_sat,
            "htlc_minimum_msat": m.htlc_minimum_msat,
            "minimum_depth": m.minimum_depth,
            "to_self_delay": m.to_self_delay,
            "max_accepted_htlcs": m.max_accepted_htlcs,
            "funding_pubkey": m.funding_pubkey.to_string(),
            "revocation_basepoint": m.revocation_basepoint.to_string(),
            "payment_basepoint": m.payment_basepoint.to_string(),
            "delayed_payment_basepoint": m.delayed_payment_basepoint.to_string(),
            "htlc_basepoint": m.htlc_basepoint.to_string(),
            "first_per_commitment_point": m.first_per_commitment_point.to_string(),
            "shutdown_scriptpubkey": m.upfront_shutdown_script().map(hex),
            "channel_type": m.channel_type().map(hex),
        }),
        ChannelMessage::UpdateAddHtlc(m) => json!({
            "channel_id": m.channel_id.to_string(),
            "id": m.id,
            "amount_msat": m.amount_msat,
            "payment_hash": m.payment_hash.to_string(),
            "cltv_expiry": m.cltv_expiry,
            "onion_routing_packet": hex(m.onion.0.as_slice()),
            "path_key": m.path_key().map(|key| hex(&key.serialize())),
        }),
        ChannelMessage::ChannelAnnouncement(_)
        | ChannelMessage::NodeAnnouncement(_)
        | ChannelMessage::ChannelUpdate(_)
        | ChannelMessage::AnnouncementSignatures(_) => gossip(message),
        ChannelMessage::FundingCreated(_)
        | ChannelMessage::FundingSigned(_)
        | ChannelMessage::ChannelReady(_)
        | ChannelMessage::Shutdown(_)
        | ChannelMessage::ClosingSigned(_) => opening_or_closing(message),
        other => operation(other),
    }
}

fn opening_or_closing(message: &ChannelMessage) -> Value {
    match message {
        ChannelMessage::FundingCreated(m) => json!({
            "temporary_channel_id": m.temporary_channel_id.to_string(),
            "funding_txid": txid(m.funding_txid),
            "funding_output_index": m.funding_output_index,
            "signature": m.signature.to_string(),
        }),
        ChannelMessage::FundingSigned(m) => json!({
            "channel_id": m.channel_id.to_string(),
            "signature": m.signature.to_string(),
        }),
        ChannelMessage::ChannelReady(m) => json!({
            "channel_id": m.channel_id.to_string(),
            "second_per_commitment_point": m.second_per_commitment_point.to_string(),
            "alias": m.alias().map(|alias| alias.to_string()),
        }),
        ChannelMessage::Shutdown(m) => json!({
            "channel_id": m.channel_id.to_string(),
            "scriptpubkey": hex(&m.scriptpubkey),
        }),
        ChannelMessage::ClosingSigned(m) => json!({
            "channel_id": m.channel_id.to_string(),
            "fee_satoshis": m.fee_sat,
            "signature": m.signature.to_string(),
            "fee_range": m.fee_range().map(|range| json!({
                "min_fee_satoshis": range.min_fee_sat,
                "max_fee_satoshis": range.max_fee_sat,
            })),
        }),
        other => panic!("{} is described elsewhere", other.name()),
    }
}

fn operation(message: &ChannelMessage) -> Value {
    match message {
        ChannelMessage::UpdateFulfillHtlc(m) => json!({
            "channel_id": m.channel_id.to_string(),
            "id": m.id,
            "payment_preimage": m.preimage.to_string(),
            "attribution_data": m.attribution().map(hex),
        }),
        ChannelMessage::UpdateFailHtlc(m) => json!({
            "channel_id": m.channel_id.to_string(),
            "id": m.id,
            "reason": hex(&m.reason),
            "attribution_data": m.attribution().map(hex),
        }),
        ChannelMessage::UpdateFailMalformedHtlc(m) => json!({
            "channel_id": m.channel_id.to_string(),
            "id": m.id,
            "sha256_of_onion": hex(&m.sha256_of_onion),
            "failure_code": m.failure_code,
        }),
        ChannelMessage::CommitmentSigned(m) => json!({
            "channel_id": m.channel_id.to_string(),
            "signature": m.signature.to_string(),
            "htlc_signature": Vec::from_iter(m.htlc_signatures.iter().map(ToString::to_string)),
            "funding_txid": m.funding_txid().map(txid),
        }),
        ChannelMessage::RevokeAndAck(m) => json!({
            "channel_id": m.channel_id.to_string(),
            "per_commitment_secret": hex(&m.per_commitment_secret),
            "next_per_commitment_point": m.next_per_commitment_point.to_string(),
        }),
        ChannelMessage::UpdateFee(m) => json!({
            "channel_id": m.channel_id.to_string(),
            "feerate_per_kw": m.feerate_per_kw,
        }),
        ChannelMessage::ChannelReestablish(m) => json!({
            "channel_id": m.channel_id.to_string(),
            "next_commitment_number": m.next_commitment_number,
            "next_revocation_number": m.next_revocation_number,
            "your_last_per_commitment_secret": hex(&m.your_last_per_commitment_secret),
            "my_current_per_commitment_point": m.my_current_per_commitment_point.to_string(),
        }),
        other => panic!("{} is described elsewhere", other.name()),
    }
}

fn gossip(message: &ChannelMessage) -> Value {
    match message {
        ChannelMessage::ChannelAnnouncement(m) => json!({
            "node_signature_1": m.node_signature_1.to_string(),
            "node_signature_2": m.node_signature_2.to_string(),
            "bitcoin_signature_1": m.bitcoin_signature_1.to_string(),
            "bitcoin_signature_2": m.bitcoin_signature_2.to_string(),
            "features": hex(&m.features),
            "chain_hash": hex(&m.chain_hash),
            "short_channel_id": m.short_channel_id.to_string(),
            "node_id_1": m.node_id_1.to_string(),
            "node_id_2": m.node_id_2.to_string(),
            "bitcoin_key_1": m.bitcoin_key_1.to_string(),
            "bitcoin_key_2": m.bitcoin_key_2.to_string(),
            "excess": hex(&m.excess),
        }),
        ChannelMessage::NodeAnnouncement(m) => json!({
            "signature": m.signature.to_string(),
            "features": hex(&m.features),
            "timestamp": m.timestamp,
            "node_id": m.node_id.to_string(),
            "rgb_color": hex(&m.rgb_color),
            "alias": hex(&m.alias),
            "addresses": Vec::from_iter(m.addresses.known().iter().map(address)),
            "excess": hex(&m.excess),
        }),
        ChannelMessage::ChannelUpdate(m) => json!({
            "signature": m.signature.to_string(),
            "chain_hash": hex(&m.chain_hash),
            "short_channel_id": m.short_channel_id.to_string(),
            "timestamp": m.timestamp,
            "message_flags": m.message_flags,
            "channel_flags": m.channel_flags,
            "cltv_expiry_delta": m.cltv_expiry_delta,
            "htlc_minimum_msat": m.htlc_minimum_msat,
            "fee_base_msat": m.fee_base_msat,
            "fee_proportional_millionths": m.fee_proportional_millionths,
            "htlc_maximum_msat": m.htlc_maximum_msat,
            "excess": hex(&m.excess),
        }),
        ChannelMessage::AnnouncementSignatures(m) => json!({
            "channel_id": m.channel_id.to_string(),
            "short_channel_id": m.short_channel_id.to_string(),
            "node_signature": m.node_signature.to_string(),
            "bitcoin_signature": m.bitcoin_signature.to_string(),
        }),
        other => panic!("{} is described elsewhere", other.name()),
    }
}

fn address(address: &NodeAddress) -> Value {
    match address {
        NodeAddress::Ipv4 { ip, port } => json!({ "ipv4": ip.to_string(), "port": port }),
        NodeAddress::Ipv6 { ip, port } => json!({ "ipv6": hex(&ip.octets()), "port": port }),
        NodeAddress::OnionV2(bytes) => json!({ "onion_v2": hex(bytes) }),
        NodeAddress::OnionV3 { onion, port } => json!({ "onion_v3": hex(onion), "port": port }),
        NodeAddress::Name { name, port } => {
            json!({ "hostname": String::from_utf8_lossy(name), "port": port })
        }
    }
}
