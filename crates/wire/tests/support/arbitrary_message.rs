//! Generates arbitrary messages that have an encoding, of every type.

#[path = "arbitrary_state.rs"]
mod arbitrary_state;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use steward_wire::*;
use steward_wire::{MESSAGE_FLAG_MUST_BE_ONE, NodeIdTrampolineParams, TrampolineOn};

pub(crate) use arbitrary_state::any_state;
use arbitrary_state::{add, bytes, channel_id, init, msat, signature, tlvs};

pub(crate) fn any_message() -> impl Strategy<Value = Message> {
    prop_oneof![
        hosted_message(),
        update_message(),
        any_state().prop_map(Message::LastCrossSignedState),
        announcement().prop_map(Message::AnnouncementGossip),
        announcement().prop_map(Message::AnnouncementSync),
        channel_update().prop_map(Message::UpdateGossip),
        channel_update().prop_map(Message::UpdateSync),
        trampoline_message(),
    ]
}

fn trampoline_message() -> impl Strategy<Value = Message> {
    let routes = || vec(vec(trampoline_params(), 1..3), 0..3);
    let removed = vec(any::<[u8; 33]>().prop_map(NodeId), 0..3);
    let update = (routes(), vec(trampoline_params(), 0..3), option::of(trampoline_on()), removed);
    prop_oneof![
        (routes(), trampoline_on()).prop_map(|(routes, peer)| {
            Message::TrampolineStatusInit(TrampolineStatusInit { routes, peer })
        }),
        update.prop_map(|(new_routes, updated, updated_peer, removed)| {
            let update = TrampolineStatusUpdate { new_routes, updated, updated_peer, removed };
            Message::TrampolineStatusUpdate(update)
        }),
        Just(Message::TrampolineUndesired(TrampolineUndesired)),
    ]
}

fn trampoline_params() -> impl Strategy<Value = NodeIdTrampolineParams> {
    (any::<[u8; 33]>(), trampoline_on())
        .prop_map(|(id, on)| NodeIdTrampolineParams { node_id: NodeId(id), on })
}

fn trampoline_on() -> impl Strategy<Value = TrampolineOn> {
    let exponents = (any::<f64>(), any::<f64>());
    (msat(), msat(), any::<u32>(), exponents, any::<u16>()).prop_map(
        |(min_msat, max_msat, fee_proportional_millionths, exponents, cltv_expiry_delta)| {
            TrampolineOn {
                min_msat,
                max_msat,
                fee_proportional_millionths,
                exponent: exponents.0.into(),
                log_exponent: exponents.1.into(),
                cltv_expiry_delta,
            }
        },
    )
}

fn hosted_message() -> impl Strategy<Value = Message> {
    prop_oneof![
        (any::<[u8; 32]>(), bytes(120), bytes(140)).prop_map(
            |(chain_hash, refund_scriptpubkey, secret)| {
                Message::InvokeHostedChannel(InvokeHostedChannel {
                    chain_hash,
                    refund_scriptpubkey,
                    secret,
                })
            }
        ),
        init().prop_map(Message::InitHostedChannel),
        (any::<u32>(), any::<u32>(), any::<u32>(), signature()).prop_map(
            |(block_day, local_updates, remote_updates, local_sig_of_remote)| {
                Message::StateUpdate(StateUpdate {
                    block_day,
                    local_updates,
                    remote_updates,
                    local_sig_of_remote,
                })
            }
        ),
        (any::<u32>(), msat(), any::<u32>(), any::<u32>(), signature()).prop_map(
            |(block_day, local_balance_msat, local_updates, remote_updates, sig)| {
                Message::StateOverride(StateOverride {
                    block_day,
                    local_balance_msat,
                    local_updates,
                    remote_updates,
                    local_sig_of_remote: sig,
                })
            }
        ),
        (any::<[u8; 3]>(), option::of(bytes(300)), any::<String>()).prop_map(
            |(rgb, png, contact_info)| {
                Message::HostedChannelBranding(HostedChannelBranding { rgb, png, contact_info })
            }
        ),
        (signature(), any::<bool>()).prop_map(|(node_signature, wants_reply)| {
            Message::AnnouncementSignature(AnnouncementSignature { node_signature, wants_reply })
        }),
        (msat(), signature()).prop_map(|(new_capacity_sat, client_sig)| {
            Message::ResizeChannel(ResizeChannel { new_capacity_sat, client_sig })
        }),
        any::<[u8; 32]>().prop_map(|chain_hash| {
            Message::QueryPublicHostedChannels(QueryPublicHostedChannels { chain_hash })
        }),
        any::<[u8; 32]>().prop_map(|chain_hash| {
            Message::ReplyPublicHostedChannelsEnd(ReplyPublicHostedChannelsEnd { chain_hash })
        }),
        vec(any::<[u8; 32]>().prop_map(PaymentHash), 0..12)
            .prop_map(|hashes| Message::QueryPreimages(QueryPreimages { hashes })),
        vec(any::<[u8; 32]>().prop_map(Preimage), 0..12)
            .prop_map(|preimages| Message::ReplyPreimages(ReplyPreimages { preimages })),
        any::<[u8; 32]>()
            .prop_map(|chain_hash| Message::AskBrandingInfo(AskBrandingInfo { chain_hash })),
    ]
}

fn update_message() -> impl Strategy<Value = Message> {
    prop_oneof![
        add().prop_map(Message::UpdateAddHtlc),
        (channel_id(), any::<u64>(), any::<[u8; 32]>(), tlvs()).prop_map(
            |(channel_id, id, preimage, tlvs)| {
                let preimage = Preimage(preimage);
                Message::UpdateFulfillHtlc(UpdateFulfillHtlc { channel_id, id, preimage, tlvs })
            }
        ),
        (channel_id(), any::<u64>(), bytes(300), tlvs()).prop_map(
            |(channel_id, id, reason, tlvs)| {
                Message::UpdateFailHtlc(UpdateFailHtlc { channel_id, id, reason, tlvs })
            }
        ),
        (channel_id(), any::<u64>(), any::<[u8; 32]>(), any::<u16>(), tlvs()).prop_map(
            |(channel_id, id, sha256_of_onion, failure_code, tlvs)| {
                Message::UpdateFailMalformedHtlc(UpdateFailMalformedHtlc {
                    channel_id,
                    id,
                    sha256_of_onion,
                    failure_code,
                    tlvs,
                })
            }
        ),
        (channel_id(), bytes(300), tlvs()).prop_map(|(channel_id, data, tlvs)| {
            Message::Error(WireError { channel_id, data, tlvs })
        }),
    ]
}

fn announcement() -> impl Strategy<Value = ChannelAnnouncement> {
    (
        [signature(), signature(), signature(), signature()],
        (bytes(10), any::<[u8; 32]>(), any::<u64>()),
        [node_id(), node_id(), node_id(), node_id()],
        bytes(40),
    )
        .prop_map(|(signatures, (features, chain_hash, scid), ids, excess)| {
            ChannelAnnouncement {
                node_signature_1: signatures[0],
                node_signature_2: signatures[1],
                bitcoin_signature_1: signatures[2],
                bitcoin_signature_2: signatures[3],
                features,
                chain_hash,
                short_channel_id: ShortChannelId(scid),
                node_id_1: ids[0],
                node_id_2: ids[1],
                bitcoin_key_1: ids[2],
                bitcoin_key_2: ids[3],
                excess,
            }
        })
}

fn channel_update() -> impl Strategy<Value = ChannelUpdate> {
    (
        (signature(), any::<[u8; 32]>(), any::<u64>(), any::<u32>()),
        (any::<u8>(), any::<u8>(), any::<u16>(), msat()),
        (any::<u32>(), any::<u32>(), option::of(msat()), bytes(40)),
    )
        .prop_map(
            |(
                (signature, chain_hash, scid, timestamp),
                (flags, channel_flags, cltv_expiry_delta, htlc_minimum_msat),
                (fee_base_msat, fee_proportional_millionths, htlc_maximum_msat, excess),
            )| ChannelUpdate {
                signature,
                chain_hash,
                short_channel_id: ShortChannelId(scid),
                timestamp,
                message_flags: match htlc_maximum_msat {
                    Some(_) => flags | MESSAGE_FLAG_MUST_BE_ONE,
                    None => flags & !MESSAGE_FLAG_MUST_BE_ONE,
                },
                channel_flags,
                cltv_expiry_delta,
                htlc_minimum_msat,
                fee_base_msat,
                fee_proportional_millionths,
                htlc_maximum_msat,
                excess,
            },
        )
}

fn node_id() -> impl Strategy<Value = NodeId> {
    any::<(u8, [u8; 32])>().prop_map(|(first, rest)| {
        let mut bytes = [first; 33];
        bytes[1..].copy_from_slice(&rest);
        NodeId(bytes)
    })
}
