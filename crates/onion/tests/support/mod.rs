//! Reads test vectors.
#![allow(dead_code, reason = "each test file uses its own part")]

use bitcoin::secp256k1::{PublicKey, SecretKey};
use hex::FromHex;

pub(crate) fn vector(name: &str) -> serde_json::Value {
    let path = format!("{}/../../vectors/bolt04/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Reads a hexadecimal field of a vector.
pub(crate) fn bytes(value: &serde_json::Value) -> Vec<u8> {
    Vec::from_hex(value.as_str().unwrap()).unwrap()
}

pub(crate) fn array<const N: usize>(value: &serde_json::Value) -> [u8; N] {
    bytes(value).try_into().unwrap()
}

pub(crate) fn secret(value: &serde_json::Value) -> SecretKey {
    SecretKey::from_slice(&bytes(value)).unwrap()
}

pub(crate) fn point(value: &serde_json::Value) -> PublicKey {
    PublicKey::from_slice(&bytes(value)).unwrap()
}
