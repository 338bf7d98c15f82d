//! The TLV streams of BOLT 2 messages: which are accepted, and what is read from them.

use bitcoin::secp256k1::{PublicKey, SECP256K1, SecretKey};
use steward_wire::codec::{DecodeError, Wire};
use steward_wire::limits::{MAX_ADD_TLV_BYTES, ONION_BYTES};
use steward_wire::{
    ChannelId, Onion, PaymentHash, Preimage, UpdateAddHtlc, UpdateFailHtlc, UpdateFulfillHtlc,
};

fn path_key() -> PublicKey {
    SecretKey::from_slice(&[9; 32]).unwrap().public_key(SECP256K1)
}

fn add(tlvs: Vec<u8>) -> UpdateAddHtlc {
    UpdateAddHtlc {
        channel_id: ChannelId([1; 32]),
        id: 1,
        amount_msat: 1,
        payment_hash: PaymentHash([2; 32]),
        cltv_expiry: 144,
        onion: Onion([0; ONION_BYTES].into()),
        tlvs,
    }
}

fn decode_with(tlvs: Vec<u8>) -> Result<UpdateAddHtlc, DecodeError> {
    UpdateAddHtlc::decode(&add(tlvs).encode())
}

#[test]
fn a_path_key_is_found_in_an_add() {
    let decoded = decode_with(UpdateAddHtlc::path_key_tlv(&path_key())).unwrap();
    assert_eq!(decoded.path_key(), Some(path_key()));
    assert_eq!(decode_with(Vec::new()).unwrap().path_key(), None);
}

#[test]
fn an_add_whose_path_key_is_no_key_is_refused() {
    let mut no_point = UpdateAddHtlc::path_key_tlv(&path_key());
    no_point[2] = 5;
    assert_eq!(decode_with(no_point), Err(DecodeError::BadTlv));
    assert_eq!(decode_with(vec![0, 0]), Err(DecodeError::BadTlv));
}

#[test]
fn unknown_odd_tlvs_are_kept_and_even_ones_refused() {
    assert_eq!(decode_with(vec![3, 1, 0xaa]).unwrap().tlvs, [3, 1, 0xaa]);
    assert_eq!(decode_with(vec![2, 1, 0xaa]), Err(DecodeError::BadTlv));
}

#[test]
fn a_stream_out_of_order_repeated_cut_or_not_minimal_is_refused() {
    for tlvs in [vec![5, 0, 3, 0], vec![3, 0, 3, 0], vec![3, 2, 0], vec![3], vec![0xfd, 0, 3, 0]] {
        assert_eq!(decode_with(tlvs), Err(DecodeError::BadTlv));
    }
}

#[test]
fn an_add_with_too_long_a_stream_is_refused() {
    let stream = |value_bytes: usize| {
        let mut tlvs = vec![3, 0xfd, (value_bytes >> 8) as u8, value_bytes as u8];
        tlvs.resize(4 + value_bytes, 0);
        tlvs
    };
    assert!(decode_with(stream(MAX_ADD_TLV_BYTES - 4)).is_ok());
    assert_eq!(decode_with(stream(MAX_ADD_TLV_BYTES - 3)), Err(DecodeError::BadTlv));
}

#[test]
fn attribution_data_is_found_in_failures_and_fulfills() {
    let tlvs = vec![1, 2, 0xbe, 0xef];
    let channel_id = ChannelId([1; 32]);
    let fail = UpdateFailHtlc { channel_id, id: 1, reason: Vec::new(), tlvs: tlvs.clone() };
    assert_eq!(
        UpdateFailHtlc::decode(&fail.encode()).unwrap().attribution(),
        Some(&[0xbe, 0xef][..])
    );
    let fulfill = UpdateFulfillHtlc { channel_id, id: 1, preimage: Preimage([3; 32]), tlvs };
    let decoded = UpdateFulfillHtlc::decode(&fulfill.encode()).unwrap();
    assert_eq!(decoded.attribution(), Some(&[0xbe, 0xef][..]));
}
