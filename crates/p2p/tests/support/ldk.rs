//! Our messages in LDK's structs, for LDK to write.
#![allow(dead_code, unreachable_pub)] // each user takes its own part

use bitcoin::ScriptBuf;
use bitcoin::constants::ChainHash;
use bitcoin::secp256k1::{PublicKey, ecdsa};
use lightning::ln::msgs::{self, SocketAddress};
use lightning::ln::types::ChannelId as LdkChannelId;
use lightning::routing::gossip::{NodeAlias, NodeId as LdkNodeId};
use lightning::types::features::{ChannelFeatures, ChannelTypeFeatures, NodeFeatures};
use lightning::types::payment::{PaymentHash, PaymentPreimage};
use lightning::util::ser::{Hostname, LengthReadable, Writeable};
use steward_wire::{
    AcceptChannel, ChannelId, ChannelMessage, NodeAddress, NodeId, OpenChannel, Point, Signature,
    UpdateAddHtlc,
};

/// Lets LDK read a message and write it again.
pub fn through_ldk(message_type: u16, payload: &[u8]) -> Option<Vec<u8>> {
    fn through<M: LengthReadable + Writeable>(mut payload: &[u8]) -> Option<Vec<u8>> {
        M::read_from_fixed_length_buffer(&mut payload).ok().map(|message| message.encode())
    }
    let through = match message_type {
        17 => through::<msgs::ErrorMessage>,
        32 => through::<msgs::OpenChannel>,
        33 => through::<msgs::AcceptChannel>,
        34 => through::<msgs::FundingCreated>,
        35 => through::<msgs::FundingSigned>,
        36 => through::<msgs::ChannelReady>,
        38 => through::<msgs::Shutdown>,
        39 => through::<msgs::ClosingSigned>,
        128 => through::<msgs::UpdateAddHTLC>,
        130 => through::<msgs::UpdateFulfillHTLC>,
        131 => through::<msgs::UpdateFailHTLC>,
        132 => through::<msgs::CommitmentSigned>,
        133 => through::<msgs::RevokeAndACK>,
        134 => through::<msgs::UpdateFee>,
        135 => through::<msgs::UpdateFailMalformedHTLC>,
        136 => through::<msgs::ChannelReestablish>,
        256 => through::<msgs::ChannelAnnouncement>,
        257 => through::<msgs::NodeAnnouncement>,
        258 => through::<msgs::ChannelUpdate>,
        259 => through::<msgs::AnnouncementSignatures>,
        other => panic!("no message has type {other}"),
    };
    through(payload)
}

fn key(point: Point) -> PublicKey {
    point.public_key().unwrap()
}

fn sig(signature: Signature) -> ecdsa::Signature {
    signature.to_ecdsa().unwrap()
}

fn id(channel_id: ChannelId) -> LdkChannelId {
    LdkChannelId(channel_id.0)
}

fn node(node_id: NodeId) -> LdkNodeId {
    LdkNodeId::from_pubkey(&node_id.public_key().unwrap())
}

fn script(bytes: &[u8]) -> ScriptBuf {
    ScriptBuf::from_bytes(bytes.to_vec())
}

fn channel_type(bits: &[u8]) -> ChannelTypeFeatures {
    ChannelTypeFeatures::from_be_bytes(bits.to_vec())
}

/// Fills LDK's struct with the fields of our message, and lets LDK write it. The fields of two of
/// LDK's messages are private.
pub fn written_by_ldk(message: &ChannelMessage) -> Option<Vec<u8>> {
    Some(match message {
        ChannelMessage::Error(m) => {
            let data = String::from_utf8(m.data.clone()).unwrap();
            msgs::ErrorMessage { channel_id: id(m.channel_id), data }.encode()
        }
        ChannelMessage::OpenChannel(m) => open_channel(m).encode(),
        ChannelMessage::AcceptChannel(m) => accept_channel(m).encode(),
        ChannelMessage::UpdateAddHtlc(m) => add(m).encode(),
        ChannelMessage::UpdateFailHtlc(_) | ChannelMessage::UpdateFailMalformedHtlc(_) => {
            return None;
        }
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
    })
}

fn open_channel(m: &OpenChannel) -> msgs::OpenChannel {
    msgs::OpenChannel {
        common_fields: msgs::CommonOpenChannelFields {
            chain_hash: ChainHash::from(m.chain_hash),
            temporary_channel_id: id(m.temporary_channel_id),
            funding_satoshis: m.funding_sat,
            dust_limit_satoshis: m.dust_limit_sat,
            max_htlc_value_in_flight_msat: m.max_htlc_value_in_flight_msat,
            htlc_minimum_msat: m.htlc_minimum_msat,
            commitment_feerate_sat_per_1000_weight: m.feerate_per_kw,
            to_self_delay: m.to_self_delay,
            max_accepted_htlcs: m.max_accepted_htlcs,
            funding_pubkey: key(m.funding_pubkey),
            revocation_basepoint: key(m.revocation_basepoint),
            payment_basepoint: key(m.payment_basepoint),
            delayed_payment_basepoint: key(m.delayed_payment_basepoint),
            htlc_basepoint: key(m.htlc_basepoint),
            first_per_commitment_point: key(m.first_per_commitment_point),
            channel_flags: m.channel_flags,
            shutdown_scriptpubkey: m.upfront_shutdown_script().map(script),
            channel_type: m.channel_type().map(channel_type),
        },
        push_msat: m.push_msat,
        channel_reserve_satoshis: m.channel_reserve_sat,
    }
}

fn accept_channel(m: &AcceptChannel) -> msgs::AcceptChannel {
    msgs::AcceptChannel {
        common_fields: msgs::CommonAcceptChannelFields {
            temporary_channel_id: id(m.temporary_channel_id),
            dust_limit_satoshis: m.dust_limit_sat,
            max_htlc_value_in_flight_msat: m.max_htlc_value_in_flight_msat,
            htlc_minimum_msat: m.htlc_minimum_msat,
            minimum_depth: m.minimum_depth,
            to_self_delay: m.to_self_delay,
            max_accepted_htlcs: m.max_accepted_htlcs,
            funding_pubkey: key(m.funding_pubkey),
            revocation_basepoint: key(m.revocation_basepoint),
            payment_basepoint: key(m.payment_basepoint),
            delayed_payment_basepoint: key(m.delayed_payment_basepoint),
            htlc_basepoint: key(m.htlc_basepoint),
            first_per_commitment_point: key(m.first_per_commitment_point),
            shutdown_scriptpubkey: m.upfront_shutdown_script().map(script),
            channel_type: m.channel_type().map(channel_type),
        },
        channel_reserve_satoshis: m.channel_reserve_sat,
    }
}

fn add(m: &UpdateAddHtlc) -> msgs::UpdateAddHTLC {
    let onion = m.onion.0.as_slice();
    msgs::UpdateAddHTLC {
        channel_id: id(m.channel_id),
        htlc_id: m.id,
        amount_msat: m.amount_msat,
        payment_hash: PaymentHash(m.payment_hash.0),
        cltv_expiry: m.cltv_expiry,
        skimmed_fee_msat: None,
        onion_routing_packet: msgs::OnionPacket {
            version: onion[0],
            public_key: PublicKey::from_slice(&onion[1..34]),
            hop_data: onion[34..1334].try_into().unwrap(),
            hmac: onion[1334..].try_into().unwrap(),
        },
        blinding_point: m.path_key(),
        hold_htlc: None,
        accountable: None,
    }
}

fn opening_or_closing(message: &ChannelMessage) -> Vec<u8> {
    match message {
        ChannelMessage::FundingCreated(m) => msgs::FundingCreated {
            temporary_channel_id: id(m.temporary_channel_id),
            funding_txid: m.funding_txid,
            funding_output_index: m.funding_output_index,
            signature: sig(m.signature),
        }
        .encode(),
        ChannelMessage::FundingSigned(m) => {
            msgs::FundingSigned { channel_id: id(m.channel_id), signature: sig(m.signature) }
                .encode()
        }
        ChannelMessage::ChannelReady(m) => msgs::ChannelReady {
            channel_id: id(m.channel_id),
            next_per_commitment_point: key(m.second_per_commitment_point),
            short_channel_id_alias: m.alias().map(|alias| alias.0),
        }
        .encode(),
        ChannelMessage::Shutdown(m) => {
            msgs::Shutdown { channel_id: id(m.channel_id), scriptpubkey: script(&m.scriptpubkey) }
                .encode()
        }
        ChannelMessage::ClosingSigned(m) => msgs::ClosingSigned {
            channel_id: id(m.channel_id),
            fee_satoshis: m.fee_sat,
            signature: sig(m.signature),
            fee_range: m.fee_range().map(|range| msgs::ClosingSignedFeeRange {
                min_fee_satoshis: range.min_fee_sat,
                max_fee_satoshis: range.max_fee_sat,
            }),
        }
        .encode(),
        other => panic!("{} is made elsewhere", other.name()),
    }
}

fn operation(message: &ChannelMessage) -> Vec<u8> {
    match message {
        ChannelMessage::UpdateFulfillHtlc(m) => {
            let attribution_data = m.attribution().map(|mut data| {
                lightning::util::ser::Readable::read(&mut data).expect("920 bytes are read")
            });
            msgs::UpdateFulfillHTLC {
                channel_id: id(m.channel_id),
                htlc_id: m.id,
                payment_preimage: PaymentPreimage(m.preimage.0),
                attribution_data,
            }
            .encode()
        }
        ChannelMessage::CommitmentSigned(m) => msgs::CommitmentSigned {
            channel_id: id(m.channel_id),
            signature: sig(m.signature),
            htlc_signatures: m.htlc_signatures.iter().copied().map(sig).collect(),
            funding_txid: m.funding_txid(),
        }
        .encode(),
        ChannelMessage::RevokeAndAck(m) => msgs::RevokeAndACK {
            channel_id: id(m.channel_id),
            per_commitment_secret: m.per_commitment_secret,
            next_per_commitment_point: key(m.next_per_commitment_point),
            release_htlc_message_paths: Vec::new(),
        }
        .encode(),
        ChannelMessage::UpdateFee(m) => {
            msgs::UpdateFee { channel_id: id(m.channel_id), feerate_per_kw: m.feerate_per_kw }
                .encode()
        }
        ChannelMessage::ChannelReestablish(m) => msgs::ChannelReestablish {
            channel_id: id(m.channel_id),
            next_local_commitment_number: m.next_commitment_number,
            next_remote_commitment_number: m.next_revocation_number,
            your_last_per_commitment_secret: m.your_last_per_commitment_secret,
            my_current_per_commitment_point: key(m.my_current_per_commitment_point),
            next_funding: None,
            my_current_funding_locked: None,
        }
        .encode(),
        other => panic!("{} is made elsewhere", other.name()),
    }
}

fn gossip(message: &ChannelMessage) -> Vec<u8> {
    match message {
        ChannelMessage::ChannelAnnouncement(m) => msgs::ChannelAnnouncement {
            node_signature_1: sig(m.node_signature_1),
            node_signature_2: sig(m.node_signature_2),
            bitcoin_signature_1: sig(m.bitcoin_signature_1),
            bitcoin_signature_2: sig(m.bitcoin_signature_2),
            contents: msgs::UnsignedChannelAnnouncement {
                features: ChannelFeatures::from_be_bytes(m.features.clone()),
                chain_hash: ChainHash::from(m.chain_hash),
                short_channel_id: m.short_channel_id.0,
                node_id_1: node(m.node_id_1),
                node_id_2: node(m.node_id_2),
                bitcoin_key_1: node(m.bitcoin_key_1),
                bitcoin_key_2: node(m.bitcoin_key_2),
                excess_data: m.excess.clone(),
            },
        }
        .encode(),
        ChannelMessage::NodeAnnouncement(m) => msgs::NodeAnnouncement {
            signature: sig(m.signature),
            contents: msgs::UnsignedNodeAnnouncement {
                features: NodeFeatures::from_be_bytes(m.features.clone()),
                timestamp: m.timestamp,
                node_id: node(m.node_id),
                rgb: m.rgb_color,
                alias: NodeAlias(m.alias),
                addresses: m.addresses.known().into_iter().map(socket_address).collect(),
                excess_address_data: Vec::new(),
                excess_data: m.excess.clone(),
            },
        }
        .encode(),
        ChannelMessage::ChannelUpdate(m) => msgs::ChannelUpdate {
            signature: sig(m.signature),
            contents: msgs::UnsignedChannelUpdate {
                chain_hash: ChainHash::from(m.chain_hash),
                short_channel_id: m.short_channel_id.0,
                timestamp: m.timestamp,
                message_flags: m.message_flags,
                channel_flags: m.channel_flags,
                cltv_expiry_delta: m.cltv_expiry_delta,
                htlc_minimum_msat: m.htlc_minimum_msat,
                htlc_maximum_msat: m.htlc_maximum_msat.unwrap(),
                fee_base_msat: m.fee_base_msat,
                fee_proportional_millionths: m.fee_proportional_millionths,
                excess_data: m.excess.clone(),
            },
        }
        .encode(),
        ChannelMessage::AnnouncementSignatures(m) => msgs::AnnouncementSignatures {
            channel_id: id(m.channel_id),
            short_channel_id: m.short_channel_id.0,
            node_signature: sig(m.node_signature),
            bitcoin_signature: sig(m.bitcoin_signature),
        }
        .encode(),
        other => panic!("{} is made elsewhere", other.name()),
    }
}

fn socket_address(address: NodeAddress) -> SocketAddress {
    match address {
        NodeAddress::Ipv4 { ip, port } => SocketAddress::TcpIpV4 { addr: ip.octets(), port },
        NodeAddress::Ipv6 { ip, port } => SocketAddress::TcpIpV6 { addr: ip.octets(), port },
        NodeAddress::OnionV2(bytes) => SocketAddress::OnionV2(bytes),
        NodeAddress::OnionV3 { onion, port } => SocketAddress::OnionV3 {
            ed25519_pubkey: onion[..32].try_into().unwrap(),
            checksum: u16::from_be_bytes([onion[32], onion[33]]),
            version: onion[34],
            port,
        },
        NodeAddress::Name { name, port } => {
            let name = String::from_utf8(name).unwrap();
            SocketAddress::Hostname { hostname: Hostname::try_from(name).unwrap(), port }
        }
    }
}
