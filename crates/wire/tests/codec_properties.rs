//! Properties of every message and of any bytes: decoding inverts encoding, accepted bytes come
//! back unchanged, nothing panics, and memory stays within the size of the input.

#[path = "support/arbitrary_message.rs"]
mod arbitrary_message;

use std::mem::size_of;

use arbitrary_message::{any_message, any_state};
use proptest::prelude::*;
use steward_wire::codec::{DecodeError, TlvStream, Wire};
use steward_wire::{
    Framing, Message, NodeIdTrampolineParams, Snapshot, TrampolineRoute, UpdateAddHtlc, framing,
};

fn known_types() -> impl Iterator<Item = u16> {
    (0..=u16::MAX).filter(|message_type| Message::is_known(*message_type))
}

/// Generates valid encodings with a few bytes changed, cut or lengthened: many of them still
/// decode.
fn damaged_message() -> impl Strategy<Value = (u16, Vec<u8>)> {
    let damage = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3);
    let tail = prop_oneof![4 => Just(None), 1 => (-3i8..4).prop_map(Some)];
    (any_message(), damage, tail).prop_map(|(message, damage, tail)| {
        let (message_type, mut body) = message.encode();
        for (index, byte) in damage {
            if !body.is_empty() {
                let at = index.index(body.len());
                body[at] = byte;
            }
        }
        let len = body.len().saturating_add_signed(isize::from(tail.unwrap_or(0)));
        body.resize(len, 1);
        (message_type, body)
    })
}

/// Returns the position of a bool8 in the body of a message that has one.
fn bool8_position(message_type: u16) -> Option<usize> {
    match message_type {
        65531 => Some(0),
        65525 => Some(3),
        65523 => Some(64),
        _ => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn decoding_inverts_encoding(message in any_message()) {
        let (message_type, body) = message.encode();
        prop_assert_eq!(message_type, message.message_type());
        prop_assert_eq!(Message::decode(message_type, &body), Ok(message));
    }

    #[test]
    fn accepted_bytes_encode_to_themselves_but_for_bool8((message_type, body) in damaged_message()) {
        if let Ok(message) = Message::decode(message_type, &body) {
            let mut expected = body;
            if let Some(flag) = bool8_position(message_type).and_then(|at| expected.get_mut(at)) {
                *flag = if *flag == 0 { 0 } else { 0xff };
            }
            prop_assert_eq!(message.encode(), (message_type, expected));
        }
    }

    #[test]
    fn any_bytes_decode_or_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        for message_type in known_types() {
            let _ = Message::decode(message_type, &bytes);
            for mut sticky in [None, Some(Framing::Legacy), Some(Framing::Modern)] {
                let _ = framing::decode(&mut sticky, message_type, &bytes);
            }
        }
        let _ = Snapshot::decode(&bytes);
        TlvStream::new(&bytes).for_each(drop);
    }

    #[test]
    fn damaged_messages_decode_or_are_refused((message_type, body) in damaged_message()) {
        let _ = Message::decode(message_type, &body);
        let _ = framing::decode(&mut None, message_type, &body);
    }

    #[test]
    fn a_decoded_message_holds_little_more_than_its_bytes(message in any_message()) {
        let (message_type, body) = message.encode();
        let decoded = Message::decode(message_type, &body).unwrap();
        prop_assert!(heap_bytes(&decoded) <= 2 * body.len());
    }

    #[test]
    fn a_snapshot_survives_its_encoding(state in any_state(), a in any::<u8>(), b in any::<u8>()) {
        let node_id = |byte| steward_wire::NodeId([byte; 33]);
        let snapshot = Snapshot { node_id_a: node_id(a), node_id_b: node_id(b), state };
        prop_assert_eq!(Snapshot::decode(&snapshot.encode()), Ok(snapshot));
    }

    #[test]
    fn a_state_is_as_long_as_it_says(state in any_state()) {
        prop_assert_eq!(state.encoded_len(), state.encode().len());
    }
}

#[test]
fn all_types_of_the_catalogue_are_known() {
    let known: Vec<u16> = known_types().collect();
    let expected = [
        44789, 44791, 44793, 63497, 63499, 63501, 63503, 63505, 64507, 64509, 64511, 64513, 65511,
        65513, 65515, 65517, 65519, 65521, 65523, 65525, 65527, 65529, 65531, 65533, 65535,
    ];
    assert_eq!(known, expected);
}

#[test]
fn a_count_that_the_body_cannot_hold_is_refused() {
    for message_type in [65515, 65513] {
        let claims_65535 = [0xff, 0xff, 0, 0];
        assert_eq!(Message::decode(message_type, &claims_65535), Err(DecodeError::Truncated));
    }
}

#[test]
fn a_bool8_that_is_neither_00_nor_ff_is_true_and_written_as_ff() {
    let mut body = vec![0; 64];
    body.push(1);
    let message = Message::decode(65523, &body).unwrap();
    body[64] = 0xff;
    assert_eq!(message.encode(), (65523, body));
}

#[test]
fn an_amount_of_2_to_the_63rd_is_refused() {
    let mut body = vec![0; 72];
    body[0] = 0x80;
    assert_eq!(Message::decode(65521, &body), Err(DecodeError::AmountOutOfRange));
    body[0] = 0x7f;
    assert!(Message::decode(65521, &body).is_ok());
}

#[test]
fn bytes_after_the_last_field_are_refused() {
    assert_eq!(Message::decode(65529, &[0; 77]), Err(DecodeError::TrailingBytes));
}

fn routes(routes: &Vec<TrampolineRoute>) -> usize {
    let hops: usize = routes.iter().map(Vec::capacity).sum();
    routes.capacity() * size_of::<TrampolineRoute>() + hops * size_of::<NodeIdTrampolineParams>()
}

fn heap_bytes(message: &Message) -> usize {
    let add = |add: &UpdateAddHtlc| add.onion.0.len() + add.tlvs.capacity();
    match message {
        Message::InvokeHostedChannel(m) => m.refund_scriptpubkey.capacity() + m.secret.capacity(),
        Message::InitHostedChannel(m) => 2 * m.features.capacity(),
        Message::LastCrossSignedState(m) => {
            let slots = m.incoming_htlcs.capacity() + m.outgoing_htlcs.capacity();
            let htlcs = m.incoming_htlcs.iter().chain(&m.outgoing_htlcs);
            m.last_refund_scriptpubkey.capacity()
                + 2 * m.init_hosted_channel.features.capacity()
                + slots * size_of::<UpdateAddHtlc>()
                + htlcs.map(add).sum::<usize>()
        }
        Message::HostedChannelBranding(m) => {
            m.png.as_ref().map_or(0, Vec::capacity) + m.contact_info.capacity()
        }
        Message::QueryPreimages(m) => 32 * m.hashes.capacity(),
        Message::ReplyPreimages(m) => 32 * m.preimages.capacity(),
        Message::AnnouncementGossip(m) | Message::AnnouncementSync(m) => {
            m.features.capacity() + m.excess.capacity()
        }
        Message::UpdateGossip(m) | Message::UpdateSync(m) => m.excess.capacity(),
        Message::UpdateAddHtlc(m) => add(m),
        Message::UpdateFulfillHtlc(m) => m.tlvs.capacity(),
        Message::UpdateFailHtlc(m) => m.reason.capacity() + m.tlvs.capacity(),
        Message::UpdateFailMalformedHtlc(m) => m.tlvs.capacity(),
        Message::Error(m) => m.data.capacity() + m.tlvs.capacity(),
        Message::TrampolineStatusInit(m) => routes(&m.routes),
        Message::TrampolineStatusUpdate(m) => {
            let updated = m.updated.capacity() * size_of::<NodeIdTrampolineParams>();
            routes(&m.new_routes) + updated + 33 * m.removed.capacity()
        }
        Message::TrampolineUndesired(_)
        | Message::StateUpdate(_)
        | Message::StateOverride(_)
        | Message::AnnouncementSignature(_)
        | Message::ResizeChannel(_)
        | Message::QueryPublicHostedChannels(_)
        | Message::ReplyPublicHostedChannelsEnd(_)
        | Message::AskBrandingInfo(_) => 0,
    }
}
