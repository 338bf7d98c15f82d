//! The messages of funded channels: what comes back, what is refused, and what their TLVs say.

#[path = "support/channel_messages.rs"]
mod channel_messages;

use bitcoin::secp256k1::{Message as SecpMessage, SECP256K1, SecretKey};
use channel_messages::{Seeded, TYPES, addresses, message};
use proptest::prelude::*;
use steward_wire::codec::{DecodeError, Wire};
use steward_wire::limits::{MAX_COMMITMENT_HTLCS, MAX_PAYLOAD_BYTES, ONION_BYTES};
use steward_wire::{
    ChannelId, ChannelMessage, ChannelReady, ClosingSigned, CommitmentSigned, FeeRange,
    NodeAddress, NodeAddresses, NodeAnnouncement, Onion, OpenChannel, RevokeAndAck, ShortChannelId,
    Signature,
};

/// The types whose bodies end in a TLV stream: all but gossip, whose last bytes are free.
fn with_tlvs() -> impl Iterator<Item = u16> {
    TYPES.into_iter().filter(|message_type| !(256..259).contains(message_type))
}

fn known_types() -> impl Iterator<Item = u16> {
    (0..=u16::MAX).filter(|message_type| ChannelMessage::is_known(*message_type))
}

fn any_message() -> impl Strategy<Value = ChannelMessage> {
    (prop::sample::select(&TYPES[..]), any::<u64>(), any::<bool>()).prop_map(
        |(message_type, seed, is_wild)| {
            let random = if is_wild { Seeded::wild } else { Seeded::new };
            message(message_type, &mut random(seed))
        },
    )
}

/// Generates valid encodings with a few bytes changed, cut or lengthened.
fn damaged_message() -> impl Strategy<Value = (u16, Vec<u8>)> {
    let damage = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3);
    (any_message(), damage, -3i8..4).prop_map(|(message, damage, tail)| {
        let (message_type, mut payload) = message.encode();
        for (index, byte) in damage {
            let at = index.index(payload.len());
            payload[at] = byte;
        }
        let len = payload.len().saturating_add_signed(isize::from(tail));
        payload.resize(len, 1);
        (message_type, payload)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn decoding_inverts_encoding(message in any_message()) {
        let (message_type, payload) = message.encode();
        prop_assert_eq!(message_type, message.message_type());
        prop_assert_eq!(ChannelMessage::decode(message_type, &payload), Ok(Some(message)));
    }

    #[test]
    fn accepted_bytes_encode_to_themselves((message_type, payload) in damaged_message()) {
        if let Ok(Some(message)) = ChannelMessage::decode(message_type, &payload) {
            prop_assert_eq!(message.encode(), (message_type, payload));
        }
    }

    #[test]
    fn a_message_cut_short_is_refused_or_ends_between_two_tlvs(
        message in any_message(),
        at in any::<prop::sample::Index>(),
    ) {
        let (message_type, payload) = message.encode();
        let cut = &payload[..at.index(payload.len())];
        if let Ok(Some(message)) = ChannelMessage::decode(message_type, cut) {
            prop_assert_eq!(message.encode().1, cut);
        }
    }

    #[test]
    fn any_bytes_decode_or_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        for message_type in known_types() {
            let _ = ChannelMessage::decode(message_type, &bytes);
        }
    }
}

#[test]
fn all_types_of_the_catalogue_are_known_and_no_other() {
    let known: Vec<u16> = known_types().collect();
    assert_eq!(known, [&[1], &TYPES[..]].concat());
    assert_eq!(ChannelMessage::decode(127, &[0; 34]), Ok(None));
    assert_eq!(ChannelMessage::decode(37, &[]), Ok(None));
}

#[test]
fn unknown_odd_tlvs_are_kept_and_unknown_even_ones_refused_in_every_message() {
    for message_type in with_tlvs() {
        let payload = message(message_type, &mut Seeded::new(7)).encode().1;
        let extended = |tlvs: &[u8]| {
            let payload = [&payload[..], tlvs].concat();
            (ChannelMessage::decode(message_type, &payload), payload)
        };
        let (decoded, payload) = extended(&[201, 1, 0xaa, 203, 0]);
        let decoded = decoded.unwrap().unwrap();
        assert_eq!(decoded.encode(), (message_type, payload), "{message_type}");
        let bad: [&[u8]; 6] = [
            &[202, 1, 0xaa],
            &[203, 0, 201, 0],
            &[201, 0, 201, 0],
            &[201, 2, 0],
            &[201],
            &[0xfd, 0, 201, 0],
        ];
        for tlvs in bad {
            let refused = extended(tlvs).0;
            assert_eq!(refused, Err(DecodeError::BadTlv), "{message_type} {tlvs:?}");
        }
    }
}

#[test]
fn a_known_tlv_of_another_length_is_refused() {
    let ready = [&[1; 32][..], &[2; 33]].concat();
    let signed = [&[1; 32][..], &[2; 64], &[0, 0]].concat();
    let closing = [&[1; 32][..], &[0; 8], &[2; 64]].concat();
    for (message_type, payload, len) in [(36, ready, 8), (132, signed, 32), (39, closing, 16)] {
        for (of, is_good) in [(len - 1, false), (len, true), (len + 1, false), (0, false)] {
            let tlv = [&[1, of][..], &vec![7; usize::from(of)]].concat();
            let decoded = ChannelMessage::decode(message_type, &[&payload[..], &tlv].concat());
            assert_eq!(decoded.is_ok(), is_good, "{message_type} {of}");
        }
    }
}

#[test]
fn what_the_tlvs_say_is_found_again() {
    let mut random = Seeded::new(3);
    let ChannelMessage::OpenChannel(mut open) = message(32, &mut random) else { panic!() };
    open.tlvs = OpenChannel::tlvs(&[], &[0x40, 0x10, 0]);
    let open = OpenChannel::decode(&open.encode()).unwrap();
    assert_eq!(open.upfront_shutdown_script(), Some(&[][..]));
    assert_eq!(open.channel_type(), Some(&[0x40, 0x10, 0][..]));
    let ChannelMessage::AcceptChannel(mut accept) = message(33, &mut random) else { panic!() };
    accept.tlvs = OpenChannel::tlvs(&[0, 20], &[0x40, 0x10, 0]);
    assert_eq!(accept.upfront_shutdown_script(), Some(&[0, 20][..]));
    assert_eq!(accept.channel_type(), Some(&[0x40, 0x10, 0][..]));
    accept.tlvs = Vec::new();
    assert_eq!((accept.upfront_shutdown_script(), accept.channel_type()), (None, None));

    let alias = ShortChannelId(0x0102_0304_0506_0708);
    assert_eq!(ChannelReady::alias_tlv(alias), [1, 8, 1, 2, 3, 4, 5, 6, 7, 8]);
    let ChannelMessage::ChannelReady(mut ready) = message(36, &mut random) else { panic!() };
    ready.tlvs = ChannelReady::alias_tlv(alias);
    assert_eq!(ready.alias(), Some(alias));

    let ChannelMessage::CommitmentSigned(mut signed) = message(132, &mut random) else { panic!() };
    let txid = random.txid();
    signed.tlvs = CommitmentSigned::funding_txid_tlv(txid);
    assert_eq!(CommitmentSigned::decode(&signed.encode()).unwrap().funding_txid(), Some(txid));

    let ChannelMessage::ClosingSigned(mut closing) = message(39, &mut random) else { panic!() };
    let range = FeeRange { min_fee_sat: 1, max_fee_sat: u64::MAX };
    closing.tlvs = ClosingSigned::fee_range_tlv(range);
    assert_eq!(ClosingSigned::decode(&closing.encode()).unwrap().fee_range(), Some(range));
}

#[test]
fn signatures_of_more_htlcs_than_a_commitment_has_are_refused() {
    let signed = |count: usize| CommitmentSigned {
        channel_id: ChannelId([1; 32]),
        signature: Signature::ZERO,
        htlc_signatures: vec![Signature::ZERO; count],
        tlvs: Vec::new(),
    };
    let most = signed(MAX_COMMITMENT_HTLCS);
    assert!(most.encode().len() < MAX_PAYLOAD_BYTES);
    assert_eq!(CommitmentSigned::decode(&most.encode()), Ok(most));
    let more = signed(MAX_COMMITMENT_HTLCS + 1).encode();
    assert_eq!(CommitmentSigned::decode(&more), Err(DecodeError::BadValue));
    // A count that the message cannot hold is refused before anything is allocated for it.
    let claims_65535 = [&[1; 96][..], &[0xff, 0xff, 0, 0]].concat();
    assert_eq!(CommitmentSigned::decode(&claims_65535), Err(DecodeError::Truncated));
}

#[test]
fn a_message_names_its_channel_by_the_id_that_it_has_then() {
    for message_type in TYPES {
        let message = message(message_type, &mut Seeded::new(1));
        let (_, payload) = message.encode();
        let expected = match message_type {
            256..=258 => None,
            // The genesis block comes first.
            32 => Some(&payload[32..64]),
            _ => Some(&payload[..32]),
        };
        assert_eq!(message.channel_id().as_ref().map(|id| &id.0[..]), expected, "{message_type}");
    }
}

#[test]
fn the_hash_of_a_malformed_onion_is_zero_only_if_its_key_was_withheld() {
    let mut onion = [3; ONION_BYTES];
    assert_ne!(Onion(onion.into()).malformed_hash(), [0; 32]);
    onion[1..34].fill(0);
    assert_eq!(Onion(onion.into()).malformed_hash(), [0; 32]);
    onion[33] = 1;
    assert_ne!(Onion(onion.into()).malformed_hash(), [0; 32]);
}

#[test]
fn a_secret_is_not_shown_in_logs() {
    let ChannelMessage::RevokeAndAck(revoke) = message(133, &mut Seeded::new(1)) else { panic!() };
    let shown = format!(
        "{:?}",
        ChannelMessage::RevokeAndAck(RevokeAndAck { per_commitment_secret: [0xd5; 32], ..revoke })
    );
    assert!(shown.contains("RevokeAndAck") && !shown.contains("213") && !shown.contains("d5d5"));
}

fn announcement(addresses: NodeAddresses) -> NodeAnnouncement {
    let ChannelMessage::NodeAnnouncement(announcement) = message(257, &mut Seeded::new(1)) else {
        panic!()
    };
    NodeAnnouncement { addresses, ..announcement }
}

#[test]
fn addresses_come_back_in_the_order_of_their_types() {
    for seed in 0..40 {
        let sorted = addresses(&mut Seeded::new(seed));
        let mut reversed = sorted.clone();
        reversed.reverse();
        let announced = announcement(NodeAddresses::new(reversed));
        let decoded = NodeAnnouncement::decode(&announced.encode()).unwrap();
        assert_eq!(decoded, announced);
        assert_eq!(decoded.addresses.known(), sorted);
    }
}

#[test]
fn an_unknown_address_ends_those_that_are_read_and_a_known_one_cut_short_is_refused() {
    let port = 9735;
    let ipv4 = NodeAddress::Ipv4 { ip: [192, 0, 2, 1].into(), port };
    let written = announcement(NodeAddresses::new(vec![ipv4.clone()])).encode();
    // The length of the addresses stands 9 bytes before the end, less what follows them.
    let empty = announcement(NodeAddresses::default()).encode();
    let tail = announcement(NodeAddresses::default()).excess.len();
    let at = empty.len() - tail - 2;
    let with_addresses = |bytes: &[u8]| {
        let mut payload = empty[..at].to_vec();
        payload.extend((bytes.len() as u16).to_be_bytes());
        payload.extend_from_slice(bytes);
        payload.extend_from_slice(&empty[at + 2..]);
        payload
    };
    let descriptor = [1, 192, 0, 2, 1, 0x26, 0x07];
    assert_eq!(with_addresses(&descriptor), written);
    let unknown = with_addresses(&[&descriptor[..], &[77, 1, 2, 3], &descriptor].concat());
    let decoded = NodeAnnouncement::decode(&unknown).unwrap();
    assert_eq!(decoded.addresses.known(), [ipv4]);
    assert_eq!(decoded.encode(), unknown);
    let cut = with_addresses(&descriptor[..6]);
    assert_eq!(NodeAnnouncement::decode(&cut), Err(DecodeError::Truncated));
    let name_cut = with_addresses(&[5, 200, b'a', b'b', 0, 1]);
    assert_eq!(NodeAnnouncement::decode(&name_cut), Err(DecodeError::Truncated));
}

#[test]
fn a_node_announcement_verifies_with_the_key_that_it_names() {
    let key = SecretKey::from_slice(&[1; 32]).unwrap();
    let mut announced = announcement(NodeAddresses::default());
    announced.node_id = key.public_key(SECP256K1).into();
    assert!(!announced.is_signed());
    let hash = SecpMessage::from_digest(announced.signed_hash());
    announced.signature = SECP256K1.sign_ecdsa(&hash, &key).into();
    assert!(NodeAnnouncement::decode(&announced.encode()).unwrap().is_signed());
    announced.excess.push(1);
    assert!(!announced.is_signed());
}
