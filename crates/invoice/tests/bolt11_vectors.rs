//! BOLT 11's own examples, good and bad.

use bitcoin::Network;
use bitcoin::secp256k1::{PublicKey, SECP256K1, SecretKey};
use hex::FromHex;
use serde_json::Value;
use steward_invoice::{Description, HintHop, Invoice, NewInvoice, ParseError, build, parse};
use steward_wire::{NodeId, PaymentHash};

fn vector(name: &str) -> Value {
    let path = format!("{}/../../vectors/bolt11/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn examples(name: &str) -> Vec<Value> {
    vector(name)["invoices"].as_array().unwrap().clone()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn array<const N: usize>(value: &Value) -> [u8; N] {
    <[u8; N]>::from_hex(text(value)).unwrap()
}

fn network(value: &Value) -> Network {
    text(value).parse().unwrap()
}

fn description(example: &Value) -> Description {
    match example["description"].as_str() {
        Some(text) => Description::Text(text.to_owned()),
        None => Description::Hash(array(&example["description_hash"])),
    }
}

fn hints(example: &Value) -> Vec<Vec<HintHop>> {
    let hop = |hop: &Value| HintHop {
        node_id: NodeId(array(&hop["node_id"])),
        scid: text(&hop["scid"]).parse().unwrap(),
        fee_base_msat: hop["fee_base_msat"].as_u64().unwrap() as u32,
        fee_ppm: hop["fee_ppm"].as_u64().unwrap() as u32,
        cltv_expiry_delta: hop["cltv_expiry_delta"].as_u64().unwrap() as u16,
    };
    let hint = |hint: &Value| hint.as_array().unwrap().iter().map(hop).collect();
    example["hints"].as_array().unwrap().iter().map(hint).collect()
}

#[test]
fn every_field_of_the_examples_is_read() {
    for example in examples("valid") {
        let invoice = parse(text(&example["invoice"])).unwrap();
        let fallbacks = invoice.fallback_addresses.len();
        let expected = Invoice {
            text: text(&example["invoice"]).to_ascii_lowercase(),
            network: network(&example["network"]),
            payee: NodeId(array(&example["payee"])),
            payment_hash: PaymentHash(array(&example["payment_hash"])),
            payment_secret: array(&example["payment_secret"]),
            amount_msat: example["amount_msat"].as_u64(),
            description: description(&example),
            created_at_unix: example["created_at_unix"].as_u64().unwrap(),
            expiry_s: example["expiry_s"].as_u64().unwrap(),
            min_final_cltv_expiry_delta: example["min_final_cltv_expiry_delta"].as_u64().unwrap()
                as u32,
            hints: hints(&example),
            basic_mpp: example["basic_mpp"].as_bool().unwrap(),
            metadata: example["metadata"].as_str().map(|hex| Vec::from_hex(hex).unwrap()),
            features: invoice.features.clone(),
            fallback_addresses: invoice.fallback_addresses.clone(),
        };
        assert_eq!(invoice, expected, "{}", example["comment"]);
        assert_eq!(fallbacks as u64, example["fallbacks"].as_u64().unwrap());
    }
}

#[test]
fn the_bad_examples_are_refused_for_the_right_reason() {
    for example in examples("invalid") {
        let error = parse(text(&example["invoice"])).unwrap_err();
        let kind = kind(&error);
        assert_eq!(kind, text(&example["error"]), "{}", example["comment"]);
    }
}

fn kind(error: &ParseError) -> &'static str {
    match error {
        ParseError::NotAnInvoice => "NotAnInvoice",
        ParseError::TooLong => "TooLong",
        ParseError::BadChecksum => "BadChecksum",
        ParseError::UnknownNetwork => "UnknownNetwork",
        ParseError::BadAmount => "BadAmount",
        ParseError::BadSignature => "BadSignature",
        ParseError::UnknownFeature(_) => "UnknownFeature",
        ParseError::BlindedPaths => "BlindedPaths",
        ParseError::Missing(_) => "Missing",
        ParseError::Duplicate(_) => "Duplicate",
        ParseError::BothDescriptions => "BothDescriptions",
        ParseError::BadExpiryDelta => "BadExpiryDelta",
        ParseError::BadHintNode => "BadHintNode",
        ParseError::BadPayee => "BadPayee",
        ParseError::Malformed(_) => "Malformed",
    }
}

#[test]
fn unusual_invoices_are_read_as_their_payee_meant_them() {
    for example in vector("unusual")["valid"].as_array().unwrap() {
        let comment = &example["comment"];
        assert!(!text(&example["source"]).is_empty(), "{comment}");
        let invoice = parse(text(&example["invoice"])).unwrap_or_else(|e| panic!("{comment}: {e}"));
        assert_eq!(invoice.payee, NodeId(array(&example["payee"])), "{comment}");
        assert_eq!(invoice.amount_msat, example["amount_msat"].as_u64(), "{comment}");
        assert_eq!(invoice.description, description(example), "{comment}");
        assert_eq!(Some(invoice.expiry_s), example["expiry_s"].as_u64(), "{comment}");
        let delta = Some(u64::from(invoice.min_final_cltv_expiry_delta));
        assert_eq!(delta, example["min_final_cltv_expiry_delta"].as_u64(), "{comment}");
        assert_eq!(Some(invoice.hints.len() as u64), example["hints"].as_u64(), "{comment}");
        let metadata = example["metadata"].as_str().map(|hex| Vec::from_hex(hex).unwrap());
        assert_eq!(invoice.metadata, metadata, "{comment}");
        assert_eq!(invoice.fallback_addresses, [""; 0], "{comment}");
    }
}

#[test]
fn each_reason_why_an_invoice_cannot_be_paid_has_its_own_sentence() {
    for example in vector("unusual")["invalid"].as_array().unwrap() {
        let comment = &example["comment"];
        let error = parse(text(&example["invoice"])).err();
        let error = error.unwrap_or_else(|| panic!("{comment} was read"));
        assert_eq!(kind(&error), text(&example["error"]), "{comment}");
        assert_eq!(error.to_string(), text(&example["told"]), "{comment}");
    }
}

/// The examples order their fields in their own way, so our text differs; its meaning does not.
#[test]
fn the_examples_made_by_us_read_the_same() {
    let key = SecretKey::from_slice(&array::<32>(&vector("valid")["private_key"])).unwrap();
    for example in examples("valid") {
        let theirs = parse(text(&example["invoice"])).unwrap();
        let new = NewInvoice {
            network: theirs.network,
            payment_hash: theirs.payment_hash,
            payment_secret: theirs.payment_secret,
            amount_msat: theirs.amount_msat,
            description: theirs.description.clone(),
            created_at_unix: theirs.created_at_unix,
            expiry_s: theirs.expiry_s,
            min_final_cltv_expiry_delta: theirs.min_final_cltv_expiry_delta as u16,
            hints: theirs.hints.clone(),
            basic_mpp: theirs.basic_mpp,
        };
        let ours = parse(&build(&new, &key).unwrap()).unwrap();
        let expected = Invoice {
            text: ours.text.clone(),
            payee: NodeId::from(PublicKey::from_secret_key(SECP256K1, &key)),
            metadata: None,
            features: ours.features.clone(),
            fallback_addresses: Vec::new(),
            ..theirs
        };
        assert_eq!(ours, expected, "{}", example["comment"]);
    }
}
