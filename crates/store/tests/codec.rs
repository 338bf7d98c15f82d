//! The blobs: each that is written can be read, and no other bytes can.

mod support;

use proptest::prelude::*;
use steward_engine::EventKind;
use steward_engine::row::Origin;
use steward_htlc::{IncomingHtlcId, Settlement};
use steward_store::codec::*;
use steward_wire::{LinkId, NodeId, PaymentHash, ShortChannelId};
use support::*;

#[test]
fn an_event_that_says_what_to_publish_comes_back() {
    let (peer, link, preimage) = (NodeId([2; 33]), Some(link(1)), Some(preimage(1)));
    let kind = EventKind::PreimageAtRisk { peer, link, preimage, cltv_expiry: 840_000 };
    assert_eq!(decode_event(&encode_event(&kind)).unwrap(), kind);
}

#[test]
fn every_event_comes_back() {
    for kind in every_event() {
        assert_eq!(decode_event(&encode_event(&kind)).unwrap(), kind);
    }
}

/// The blobs are as versions before 5 wrote them.
#[test]
fn an_event_of_a_channel_that_is_not_named_is_read() {
    let blob = [vec![1, 5], vec![2; 33]].concat();
    let kind = EventKind::ChannelOverridden { peer: NodeId([2; 33]), link: None };
    assert_eq!(decode_event(&blob).unwrap(), kind);
}

#[test]
fn every_settlement_comes_back() {
    for settlement in every_settlement() {
        assert_eq!(decode_settlement(&encode_settlement(&settlement)).unwrap(), settlement);
    }
}

#[test]
fn a_blob_that_lacks_a_byte_or_has_one_more_is_refused() {
    for kind in every_event() {
        let mut blob = encode_event(&kind);
        for len in 0..blob.len() {
            assert!(decode_event(&blob[..len]).is_err());
        }
        blob.push(0);
        assert!(decode_event(&blob).is_err());
    }
}

#[test]
fn a_blob_of_another_version_is_refused() {
    let mut blob = encode_addresses(&["10.0.0.1:9735".to_owned()]);
    for version in [0, 2, 255] {
        blob[0] = version;
        assert!(decode_addresses(&blob).is_err());
    }
}

#[test]
fn blobs_are_laid_out_as_documented() {
    let origin = Origin::Payment { payment: PaymentHash([0xab; 32]).into(), part: 258 };
    let expected = [vec![2, 2], vec![0xab; 32], vec![0, 0, 1, 2]].concat();
    assert_eq!(encode_origin(&origin), expected);
    let origin = Origin::Forward(IncomingHtlcId { link: LinkId([0xcd; 32]), id: 258 });
    let expected = [vec![2, 1], vec![0xcd; 32], vec![0, 0, 0, 0, 0, 0, 1, 2]].concat();
    assert_eq!(encode_origin(&origin), expected);
    let kind = EventKind::ChannelOverridden { peer: NodeId([3; 33]), link: Some(LinkId([4; 32])) };
    assert_eq!(encode_event(&kind), [vec![2, 5], vec![3; 33], vec![4; 32]].concat());
    let path = [(NodeId([2; 33]), ShortChannelId(3))];
    let expected = [vec![1, 0, 1], vec![2; 33], vec![0, 0, 0, 0, 0, 0, 0, 3]].concat();
    assert_eq!(encode_path(&path), expected);
    assert_eq!(encode_addresses(&["a:1".to_owned()]), [1, 0, 1, 3, b'a', b':', b'1']);
}

/// The blobs of rows without one are unchanged.
#[test]
fn a_fulfill_with_a_tlv_stream_has_a_kind_of_its_own() {
    let settlement = Settlement::Fulfill { preimage: preimage(4), tlvs: vec![1, 1, 7] };
    let blob = encode_settlement(&settlement);
    assert_eq!(blob, [&[VERSION, 4][..], &preimage(4).0, &[3, 1, 1, 7]].concat());
    assert_eq!(decode_settlement(&blob).unwrap(), settlement);
    let empty = [&[VERSION, 4][..], &preimage(4).0, &[0]].concat();
    assert!(decode_settlement(&empty).is_err(), "there is one way to write it");
}

proptest! {
    #[test]
    fn no_bytes_make_a_decoder_panic_and_what_it_reads_it_writes_again(
        bytes in proptest::collection::vec(any::<u8>(), 0..200), tag in 0u8..16,
        version in VERSION..=VERSION_WITH_LINK,
    ) {
        let blob = [vec![version, tag], bytes].concat();
        if let Ok(value) = decode_event(&blob) {
            prop_assert_eq!(encode_event(&value), blob.clone());
        }
        if let Ok(value) = decode_origin(&blob) {
            prop_assert_eq!(encode_origin(&value), blob.clone());
        }
        if let Ok(value) = decode_settlement(&blob) {
            prop_assert_eq!(encode_settlement(&value), blob.clone());
        }
        if let Ok(value) = decode_path(&blob) {
            prop_assert_eq!(encode_path(&value), blob.clone());
        }
        if let Ok(value) = decode_addresses(&blob) {
            prop_assert_eq!(encode_addresses(&value), blob);
        }
    }
}
