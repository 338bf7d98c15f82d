//! The document says what the API does.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod common;

use common::server;
use serde_json::Value;

fn document() -> Value {
    serde_json::from_str(&steward_api::openapi_json().unwrap()).unwrap()
}

#[test]
fn the_document_lists_every_route() {
    let document = document();
    let paths = document["paths"].as_object().unwrap();
    let mut routes: Vec<String> = paths
        .iter()
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().unwrap().keys();
            methods.map(move |method| format!("{method} {path}"))
        })
        .collect();
    routes.sort();
    assert_eq!(
        routes,
        [
            "get /v1/channels",
            "get /v1/channels/{peer_id}",
            "get /v1/decode",
            "get /v1/events",
            "get /v1/forwards",
            "get /v1/invoices",
            "get /v1/invoices/{payment_hash}",
            "get /v1/metrics",
            "get /v1/payments",
            "get /v1/payments/{payment_hash}",
            "get /v1/peers",
            "get /v1/status",
            "post /v1/backup",
            "post /v1/channels",
            "post /v1/channels/{peer_id}/accept-override",
            "post /v1/channels/{peer_id}/override",
            "post /v1/channels/{peer_id}/resize",
            "post /v1/channels/{peer_id}/suspend",
            "post /v1/invoices",
            "post /v1/keysend",
            "post /v1/payments",
            "post /v1/peers",
            "post /v1/preimages",
            "post /v1/stop",
        ]
    );
}

#[test]
fn every_listed_route_is_served() {
    let server = server();
    let document = document();
    for (path, methods) in document["paths"].as_object().unwrap() {
        if path == "/v1/events" {
            continue; // answers for ever: see events.rs
        }
        let path = path.replace("{peer_id}", "x").replace("{payment_hash}", "x");
        for method in methods.as_object().unwrap().keys() {
            let (status, body) = match method.as_str() {
                "get" => server.get(&path),
                _ => server.post(&path, "no json"),
            };
            assert!(status != 404 && status != 405, "{method} {path}: {status} {body}");
        }
    }
}

#[test]
fn every_route_documents_its_answer_and_its_errors() {
    let document = document();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.keys().any(|status| status.starts_with('2')), "{method} {path}");
            for status in ["400", "401", "404", "409", "500", "503"] {
                assert!(responses.contains_key(status), "{method} {path} {status}");
            }
            let says = operation["summary"].as_str().unwrap_or_default();
            assert!(!says.is_empty(), "{method} {path} says nothing");
        }
    }
}

#[test]
fn every_amount_and_time_says_its_unit() {
    let document = document();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let mut numbers = 0;
    for (name, schema) in schemas {
        let Some(properties) = schema["properties"].as_object() else { continue };
        for field in properties.keys() {
            for word in ["amount", "balance", "fee", "capacity"] {
                let is_number = !properties[field].to_string().contains("$ref");
                if field.contains(word) && is_number && !field.ends_with("_ppm") {
                    assert!(field.ends_with("_msat"), "{name}.{field}");
                    numbers += 1;
                }
            }
            if field.contains("time") || field.starts_with("created") || field.starts_with("ended")
            {
                assert!(field.ends_with("_ms"), "{name}.{field}");
            }
        }
    }
    assert!(numbers > 20, "only {numbers} amounts found");
}

#[test]
fn the_token_is_documented() {
    let document = document();
    assert_eq!(document["components"]["securitySchemes"]["token"]["scheme"], "bearer");
    assert_eq!(document["security"][0]["token"], serde_json::json!([]));
}
