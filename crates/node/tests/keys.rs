//! The keys that a seed gives must never change: users would be cut off from their channels.

use std::path::Path;
use std::str::FromStr;

use bitcoin::secp256k1::SECP256K1;
use serde_json::Value;
use steward_chain::parse_network;
use steward_engine::Signer as _;
use steward_node::{NodeKeys, Seed};
use steward_wire::{NodeId, PaymentHash};

fn cases() -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors/keys.json");
    let vectors: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let cases = vectors["cases"].as_array().unwrap().clone();
    assert!(!cases.is_empty());
    cases
}

fn keys_of(case: &Value) -> NodeKeys {
    let seed = Seed::from_words(case["mnemonic"].as_str().unwrap()).unwrap();
    NodeKeys::new(&seed, parse_network(case["network"].as_str().unwrap()).unwrap())
}

fn node_id(value: &Value) -> NodeId {
    NodeId::from_str(value.as_str().unwrap()).unwrap()
}

#[test]
fn a_seed_gives_the_node_id_of_the_vectors() {
    for case in cases() {
        assert_eq!(keys_of(&case).node_id(), node_id(&case["node_id"]));
    }
}

#[test]
fn a_seed_gives_the_identities_immortan_derives_for_each_host() {
    for case in cases() {
        let keys = keys_of(&case);
        for host in case["hosts"].as_array().unwrap() {
            let expected = node_id(&host["node_id_towards_host"]);
            let key = keys.towards_host(&node_id(&host["host"]));
            assert_eq!(NodeId::from(key.public_key(SECP256K1)), expected);
        }
    }
}

#[test]
fn an_identity_asked_for_again_is_the_same() {
    let keys = keys_of(&cases()[0]);
    let host = node_id(&cases()[0]["hosts"][0]["host"]);
    assert_eq!(keys.towards_host(&host), keys.towards_host(&host));
}

#[test]
fn a_seed_gives_another_refund_script_at_each_host() {
    for case in cases() {
        let keys = keys_of(&case);
        let mut scripts = Vec::new();
        for host in case["hosts"].as_array().unwrap() {
            let script = keys.refund_scriptpubkey(
                &node_id(&host["host"]),
                steward_engine::row::LocalIdentity::PerHost,
            );
            let hex: String = script.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, host["refund_scriptpubkey"].as_str().unwrap());
            assert!(!scripts.contains(&hex));
            scripts.push(hex);
        }
    }
}

#[test]
fn a_seed_gives_the_payee_keys_of_the_vectors() {
    for case in cases() {
        let keys = keys_of(&case);
        for invoice in case["invoices"].as_array().unwrap() {
            let hash = PaymentHash::from_str(invoice["payment_hash"].as_str().unwrap()).unwrap();
            let secp = bitcoin::secp256k1::Secp256k1::new();
            let payee = NodeId::from(keys.invoice(&hash).public_key(&secp));
            assert_eq!(payee, node_id(&invoice["payee"]));
        }
    }
}

#[test]
fn the_node_id_on_mainnet_is_not_the_one_on_a_test_network() {
    let seed = Seed::from_words(cases()[0]["mnemonic"].as_str().unwrap()).unwrap();
    let on = |network| NodeKeys::new(&seed, network).node_id();
    assert_ne!(on(bitcoin::Network::Bitcoin), on(bitcoin::Network::Regtest));
}
