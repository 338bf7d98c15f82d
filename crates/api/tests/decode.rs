//! The answer of `GET /v1/decode` about an invoice.

use serde_json::{Value, json};
use steward_api::model::DecodedInvoice;

fn decoded(comment: &str) -> Value {
    let path = format!("{}/../../vectors/bolt11/valid.json", env!("CARGO_MANIFEST_DIR"));
    let vectors: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let vectors = vectors["invoices"].as_array().unwrap();
    let vector =
        vectors.iter().find(|vector| vector["comment"].as_str().unwrap().contains(comment));
    let invoice = steward_invoice::parse(vector.unwrap()["invoice"].as_str().unwrap()).unwrap();
    serde_json::to_value(DecodedInvoice::at(&invoice, 0)).unwrap()
}

#[test]
fn features_fallbacks_and_metadata_are_shown() {
    let with_metadata = decoded("metadata");
    assert_eq!(with_metadata["features"], json!([8, 14, 48]));
    assert_eq!(with_metadata["metadata"], "01fafaf0");
    assert_eq!(with_metadata["fallback_addresses"], json!([]));
    let with_fallback = decoded("on testnet, with a fallback address");
    let addresses = json!(["mk2QpYatsKicvFVuTAQLBryyccRXMUaGHP"]);
    assert_eq!(with_fallback["fallback_addresses"], addresses);
    assert_eq!(with_fallback["metadata"], Value::Null);
}
