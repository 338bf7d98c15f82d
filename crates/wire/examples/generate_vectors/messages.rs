//! Messages of every type but `last_cross_signed_state`, which `states` covers.

use bitcoin::constants::ChainHash;
use bitcoin::secp256k1::{Message as SecpMessage, SECP256K1, SecretKey};
use steward_wire::*;
use steward_wire::{
    CHANNEL_FLAG_DIRECTION, MESSAGE_FLAG_MUST_BE_ONE, NodeIdTrampolineParams, TrampolineOn,
};

use super::states::{add, init};
use super::{Keys, filled};

pub(super) fn all(keys: &Keys) -> Vec<(&'static str, Message)> {
    let mut all = opening();
    all.extend(signed(keys));
    all.extend(queries());
    all.extend(updates(ChannelId::of_pair(&keys.host_id(), &keys.client_id())));
    all.extend(gossip(keys));
    all.extend(trampoline());
    all
}

fn opening() -> Vec<(&'static str, Message)> {
    let invoke = |secret: Vec<u8>| {
        let mut refund_scriptpubkey = vec![0x00, 0x14];
        refund_scriptpubkey.extend(filled::<20>("refund"));
        Message::InvokeHostedChannel(InvokeHostedChannel {
            chain_hash: chain_hash(),
            refund_scriptpubkey,
            secret,
        })
    };
    let branding = |png| {
        Message::HostedChannelBranding(HostedChannelBranding {
            rgb: [0xff, 0x80, 0x00],
            png,
            contact_info: "https://example.com/\u{e9}".into(),
        })
    };
    vec![
        ("invoke with a secret", invoke(filled::<32>("secret").to_vec())),
        ("invoke without a secret, as when resuming", invoke(Vec::new())),
        ("init, resizable", Message::InitHostedChannel(init(0))),
        ("init without features", Message::InitHostedChannel(init(2))),
        ("branding with an image", branding(Some(filled::<40>("png").to_vec()))),
        ("branding without an image", branding(None)),
        ("ask branding", Message::AskBrandingInfo(AskBrandingInfo { chain_hash: chain_hash() })),
    ]
}

fn signed(keys: &Keys) -> Vec<(&'static str, Message)> {
    let announcement_signature = |wants_reply| {
        Message::AnnouncementSignature(AnnouncementSignature {
            node_signature: Signature(filled("announcement signature")),
            wants_reply,
        })
    };
    let state_override = StateOverride {
        block_day: 5_001,
        local_balance_msat: 9_999_899_999,
        local_updates: 12,
        remote_updates: 11,
        local_sig_of_remote: Signature(filled("override signature")),
    };
    let state_update = StateUpdate {
        block_day: 5_001,
        local_updates: u32::MAX,
        remote_updates: 1,
        local_sig_of_remote: Signature(filled("update signature")),
    };
    vec![
        ("state update", Message::StateUpdate(state_update)),
        ("state override", Message::StateOverride(state_override)),
        ("announcement signature that wants a reply", announcement_signature(true)),
        ("announcement signature that wants no reply", announcement_signature(false)),
        ("resize", Message::ResizeChannel(ResizeChannel::signed(20_000_000, &keys.client))),
    ]
}

fn queries() -> Vec<(&'static str, Message)> {
    let hashes = ["a", "b", "c"].map(|name| PaymentHash(filled(name))).to_vec();
    let preimages = ["a", "b"].map(|name| Preimage(filled(name))).to_vec();
    vec![
        (
            "query for public channels",
            Message::QueryPublicHostedChannels(QueryPublicHostedChannels {
                chain_hash: chain_hash(),
            }),
        ),
        (
            "end of public channels",
            Message::ReplyPublicHostedChannelsEnd(ReplyPublicHostedChannelsEnd {
                chain_hash: chain_hash(),
            }),
        ),
        ("query for three preimages", Message::QueryPreimages(QueryPreimages { hashes })),
        ("query for none", Message::QueryPreimages(QueryPreimages { hashes: Vec::new() })),
        ("two preimages", Message::ReplyPreimages(ReplyPreimages { preimages })),
        ("no preimages", Message::ReplyPreimages(ReplyPreimages { preimages: Vec::new() })),
    ]
}

fn updates(channel_id: ChannelId) -> Vec<(&'static str, Message)> {
    let path_key = super::secret_key("path key").public_key(SECP256K1);
    let blinded = UpdateAddHtlc {
        tlvs: UpdateAddHtlc::path_key_tlv(&path_key),
        ..add(channel_id, "blinded add", 0)
    };
    let fulfill = UpdateFulfillHtlc {
        channel_id,
        id: 10,
        preimage: Preimage(filled("preimage")),
        tlvs: Vec::new(),
    };
    let fail = UpdateFailHtlc {
        channel_id,
        id: 17,
        reason: filled::<292>("reason").to_vec(),
        tlvs: vec![0x01, 0x04, 0xde, 0xad, 0xbe, 0xef],
    };
    let malformed = UpdateFailMalformedHtlc {
        channel_id,
        id: 24,
        sha256_of_onion: filled("onion hash"),
        failure_code: 0xc005,
        tlvs: Vec::new(),
    };
    let error = |channel_id, data| Message::Error(WireError { channel_id, data, tlvs: Vec::new() });
    vec![
        ("add without TLVs", Message::UpdateAddHtlc(add(channel_id, "plain add", 0))),
        ("add with an unknown odd TLV", Message::UpdateAddHtlc(add(channel_id, "odd add", 1))),
        ("add in a blinded path", Message::UpdateAddHtlc(blinded)),
        ("fulfill", Message::UpdateFulfillHtlc(fulfill)),
        ("fail with attribution data", Message::UpdateFailHtlc(fail)),
        ("fail of an unreadable onion", Message::UpdateFailMalformedHtlc(malformed)),
        ("error", error(channel_id, ErrorCode::ManualSuspend.to_data("by the operator"))),
        ("refusal", error(ChannelId::ZERO, ErrorCode::ChannelDenied.to_data(""))),
    ]
}

fn gossip(keys: &Keys) -> Vec<(&'static str, Message)> {
    let mut ends = [(keys.host_id(), keys.host), (keys.client_id(), keys.client)];
    ends.sort_by_key(|(node_id, _)| *node_id);
    let [(node_id_1, key_1), (node_id_2, key_2)] = ends;
    let short_channel_id = ShortChannelId::of_pair(&node_id_1, &node_id_2);

    let mut announcement = ChannelAnnouncement {
        node_signature_1: Signature::ZERO,
        node_signature_2: Signature::ZERO,
        bitcoin_signature_1: Signature::ZERO,
        bitcoin_signature_2: Signature::ZERO,
        features: Vec::new(),
        chain_hash: chain_hash(),
        short_channel_id,
        node_id_1,
        node_id_2,
        bitcoin_key_1: node_id_1,
        bitcoin_key_2: node_id_2,
        excess: Vec::new(),
    };
    let message = SecpMessage::from_digest(announcement.signed_hash());
    announcement.node_signature_1 = SECP256K1.sign_ecdsa(&message, &key_1).into();
    announcement.node_signature_2 = SECP256K1.sign_ecdsa(&message, &key_2).into();
    announcement.bitcoin_signature_1 = announcement.node_signature_1;
    announcement.bitcoin_signature_2 = announcement.node_signature_2;

    vec![
        ("announcement as gossip", Message::AnnouncementGossip(announcement.clone())),
        ("announcement in a reply", Message::AnnouncementSync(announcement)),
        (
            "update as gossip, and of a private channel",
            Message::UpdateGossip(channel_update(short_channel_id, 0, &key_1)),
        ),
        (
            "update in a reply",
            Message::UpdateSync(channel_update(short_channel_id, CHANNEL_FLAG_DIRECTION, &key_2)),
        ),
    ]
}

/// Makes messages with immortan's defaults, and an update whose tail is shifted by one bit.
fn trampoline() -> Vec<(&'static str, Message)> {
    let on = |min_msat, max_msat| TrampolineOn {
        min_msat,
        max_msat,
        fee_proportional_millionths: 1000,
        exponent: 0.0.into(),
        log_exponent: 0.0.into(),
        cltv_expiry_delta: 432,
    };
    let node_id = |name| NodeId::from(super::secret_key(name).public_key(SECP256K1));
    let hop = |name| NodeIdTrampolineParams {
        node_id: node_id(name),
        on: TrampolineOn { exponent: 0.79.into(), log_exponent: 2.1.into(), ..on(1000, 5_000_000) },
    };
    let update = |updated_peer, removed, updated, new_routes| {
        Message::TrampolineStatusUpdate(TrampolineStatusUpdate {
            new_routes,
            updated,
            updated_peer,
            removed,
        })
    };
    let init = |routes| {
        let peer = on(1000, i64::MAX.unsigned_abs());
        Message::TrampolineStatusInit(TrampolineStatusInit { routes, peer })
    };
    let all = update(
        Some(on(1000, 50_000_000)),
        vec![node_id("trampoline c"), node_id("trampoline d")],
        vec![hop("trampoline a")],
        vec![vec![hop("trampoline a"), hop("trampoline b")]],
    );
    vec![
        ("routing, no routes beyond", init(Vec::new())),
        ("routing, one route beyond", init(vec![vec![hop("trampoline a"), hop("trampoline b")]])),
        ("nothing changed", update(None, Vec::new(), Vec::new(), Vec::new())),
        (
            "own terms changed",
            update(Some(on(1000, 50_000_000)), Vec::new(), Vec::new(), Vec::new()),
        ),
        ("everything changed", all),
        ("not routing", Message::TrampolineUndesired(TrampolineUndesired)),
    ]
}

fn channel_update(
    short_channel_id: ShortChannelId,
    channel_flags: u8,
    key: &SecretKey,
) -> ChannelUpdate {
    let mut update = ChannelUpdate {
        signature: Signature::ZERO,
        chain_hash: chain_hash(),
        short_channel_id,
        timestamp: 1_700_000_000,
        message_flags: MESSAGE_FLAG_MUST_BE_ONE,
        channel_flags,
        cltv_expiry_delta: 144,
        htlc_minimum_msat: 1_000,
        fee_base_msat: 1_000,
        fee_proportional_millionths: 1_000,
        htlc_maximum_msat: Some(10_000_000_000),
        excess: Vec::new(),
    };
    update.sign(key);
    update
}

fn chain_hash() -> [u8; 32] {
    ChainHash::REGTEST.to_bytes()
}
