//! The messages in which wallets offer to route for others, and the fee that they announce.

#[path = "support/load.rs"]
mod load;

use hex::FromHex;
use load::load;
use serde_json::Value;
use steward_wire::{DecodeError, Message, NodeId, TrampolineOn, TrampolineStatusUpdate};

fn vectors() -> Value {
    load("wire/trampoline.json")
}

fn on(exponent: f64, log_exponent: f64, fee_proportional_millionths: u32) -> TrampolineOn {
    TrampolineOn {
        min_msat: 0,
        max_msat: u64::MAX >> 1,
        fee_proportional_millionths,
        exponent: exponent.into(),
        log_exponent: log_exponent.into(),
        cltv_expiry_delta: 432,
    }
}

#[test]
fn the_vectors_decode_to_their_terms_and_encode_again() {
    for vector in vectors()["messages"].as_array().unwrap() {
        let message_type = u16::try_from(vector["type"].as_u64().unwrap()).unwrap();
        let payload = Vec::<u8>::from_hex(vector["payload"].as_str().unwrap()).unwrap();
        let message = Message::decode(message_type, &payload).unwrap();
        assert_eq!(message.encode(), (message_type, payload));
        let terms = match &message {
            Message::TrampolineStatusInit(init) => Some(init.peer),
            Message::TrampolineStatusUpdate(update) => update.updated_peer,
            Message::TrampolineUndesired(_) => None,
            other => panic!("{other:?}"),
        };
        assert_eq!(terms.map(|on| on.min_msat), vector["min_msat"].as_u64());
        assert_eq!(terms.map(|on| on.max_msat), vector["max_msat"].as_u64());
    }
}

#[test]
fn the_fee_follows_the_curve_of_the_vectors() {
    for vector in vectors()["fees"].as_array().unwrap() {
        let number = |name: &str| vector[name].as_f64().unwrap();
        let terms = on(number("exponent"), number("log_exponent"), 1_000_000);
        let fee = terms.fee_msat(vector["proportional_msat"].as_u64().unwrap());
        assert_eq!(fee, vector["fee_msat"].as_u64(), "{vector}");
    }
}

#[test]
fn fees_add_up_along_a_path_of_trampolines_and_channels() {
    let path = &vectors()["path"];
    let mut amount = path["amount_msat"].as_u64().unwrap();
    for channel in path["channels_from_payer"].as_array().unwrap().iter().rev() {
        let ppm = channel["fee_proportional_millionths"].as_u64().unwrap();
        amount += channel["fee_base_msat"].as_u64().unwrap() + amount * ppm / 1_000_000;
    }
    for hop in path["trampolines_from_payer"].as_array().unwrap().iter().rev() {
        let number = |name: &str| hop[name].as_f64().unwrap();
        let ppm = hop["fee_proportional_millionths"].as_u64().unwrap();
        let terms = on(number("exponent"), number("log_exponent"), u32::try_from(ppm).unwrap());
        amount += terms.fee_msat(amount).unwrap();
    }
    let fee = amount - path["amount_msat"].as_u64().unwrap();
    assert_eq!(fee, path["total_fee_msat"].as_u64().unwrap());
}

#[test]
fn exponents_that_make_no_amount_give_no_fee() {
    for (exponent, log_exponent) in [(f64::NAN, 1.0), (f64::INFINITY, 1.0), (1e9, 0.0)] {
        assert_eq!(on(exponent, log_exponent, 1_000_000).fee_msat(1_000_000), None);
    }
}

#[test]
fn what_fills_the_last_byte_must_be_zero() {
    let update = TrampolineStatusUpdate {
        new_routes: Vec::new(),
        updated: Vec::new(),
        updated_peer: None,
        removed: vec![NodeId([2; 33])],
    };
    let (message_type, mut payload) = Message::TrampolineStatusUpdate(update).encode();
    *payload.last_mut().unwrap() |= 1;
    assert_eq!(Message::decode(message_type, &payload), Err(DecodeError::BadValue));
}
