//! The document says what the API does.

mod common;

use common::server;
use serde_json::{Value, json};
use steward_engine::{Blame, Code, Scope};

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
            "delete /v1/channels/{channel}",
            "delete /v1/peers/{peer_id}",
            "get /v1/channels",
            "get /v1/channels/{channel}",
            "get /v1/decode",
            "get /v1/events",
            "get /v1/evidence",
            "get /v1/evidence/{number}",
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
            "post /v1/channels/{channel}/accept-override",
            "post /v1/channels/{channel}/override",
            "post /v1/channels/{channel}/resize",
            "post /v1/channels/{channel}/suspend",
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
            continue; // answers without end: see events.rs
        }
        let path = path
            .replace("{peer_id}", "x")
            .replace("{channel}", "x")
            .replace("{payment_hash}", "x")
            .replace("{number}", "x");
        for method in methods.as_object().unwrap().keys() {
            let (status, body) = match method.as_str() {
                "get" => server.get(&path),
                "delete" => server.delete(&path),
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
            for status in Blame::ALL.iter().map(|blame| blame.status().to_string()) {
                let schema = &responses[&status]["content"]["application/json"]["schema"];
                let error = "#/components/schemas/Error";
                assert_eq!(schema, &json!({ "$ref": error }), "{method} {path} {status}");
            }
            for (status, response) in responses {
                let says = response["description"].as_str().unwrap_or_default();
                assert!(!says.is_empty(), "{method} {path} {status} says nothing");
            }
            let says = operation["summary"].as_str().unwrap_or_default();
            assert!(!says.is_empty(), "{method} {path} says nothing");
            assert!(!says.contains('\n') && !says.ends_with('.'), "{method} {path}: {says}");
        }
    }
}

/// Returns every operation.
fn operations(document: &Value) -> Vec<(String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().unwrap().iter();
        methods.map(move |(method, operation)| (format!("{method} {path}"), operation.clone()))
    });
    operations.collect()
}

#[test]
fn operations_have_names_of_their_own() {
    let document = document();
    let mut names = std::collections::BTreeSet::new();
    for (route, operation) in operations(&document) {
        let name = operation["operationId"].as_str().unwrap().to_owned();
        assert!(names.insert(name.clone()), "{route} is called {name} as well");
    }
}

#[test]
fn every_number_has_bounds_and_every_id_a_pattern() {
    let document = document();
    let mut fields = Vec::new();
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        let parts = schema["allOf"].as_array().into_iter().flatten();
        for part in parts.chain([schema]) {
            for (field, schema) in part["properties"].as_object().into_iter().flatten() {
                fields.push((format!("{name}.{field}"), field.clone(), schema.clone()));
            }
        }
    }
    for (route, operation) in operations(&document) {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let field = parameter["name"].as_str().unwrap().to_owned();
            fields.push((format!("{route} {field}"), field, parameter["schema"].clone()));
        }
    }
    for (place, field, schema) in fields {
        let is_of = |name: &str| schema["type"].to_string().contains(name);
        if is_of("integer") {
            assert!(schema["minimum"].is_u64() && schema["maximum"].is_u64(), "{place}: {schema}");
        }
        let is_id = field.ends_with("_id") || field.ends_with("_hash") || field == "preimage";
        if is_of("string") && is_id {
            assert!(schema["pattern"].is_string(), "{place}: {schema}");
        }
    }
}

#[test]
fn every_body_is_strict() {
    let document = document();
    let mut bodies = 0;
    for (route, operation) in operations(&document) {
        let content = &operation["requestBody"]["content"];
        let Some(schema) = content["application/json"]["schema"]["$ref"].as_str() else {
            assert!(content.is_null(), "{route}: {content}");
            continue;
        };
        let schema = document.pointer(schema.strip_prefix('#').unwrap()).unwrap();
        assert_eq!(schema["additionalProperties"], false, "{route}");
        bodies += 1;
    }
    assert!(bodies > 8, "{bodies}");
}

#[test]
fn an_event_is_one_of_several_whole_objects() {
    let document = document();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let event = &schemas["Event"];
    let mapping = event["discriminator"]["mapping"].as_object().unwrap();
    assert_eq!(event["discriminator"]["propertyName"], "type");
    assert_eq!(event["oneOf"].as_array().unwrap().len(), mapping.len());
    assert!(mapping.len() >= 10);
    for (name, target) in mapping {
        let schema = document.pointer(target.as_str().unwrap().strip_prefix('#').unwrap()).unwrap();
        assert_eq!(schema["properties"]["type"]["const"], name.as_str());
        let required = schema["required"].as_array().unwrap();
        for field in ["type", "number", "time_ms"] {
            assert!(required.contains(&json!(field)), "{name}: {required:?}");
        }
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn walk(document: &Value, value: &Value, found: &mut usize) {
        if let Some(to) = value["$ref"].as_str() {
            assert!(document.pointer(to.strip_prefix('#').unwrap()).is_some(), "{to}");
            *found += 1;
        }
        match value {
            Value::Object(object) => object.values().for_each(|value| walk(document, value, found)),
            Value::Array(list) => list.iter().for_each(|value| walk(document, value, found)),
            _ => {}
        }
    }
    let document = document();
    let mut found = 0;
    walk(&document, &document, &mut found);
    assert!(found > 100, "{found}");
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
    assert_eq!(document["security"][0]["token"], json!([]));
    assert!(document["servers"][0]["url"].as_str().unwrap().starts_with("http://127.0.0.1"));
}

#[test]
fn the_document_lists_every_code_an_answer_may_have() {
    let document = document();
    let listed = document["components"]["schemas"]["Error"]["x-codes"].as_array().unwrap().clone();
    let listed: Vec<_> = listed.iter().map(|code| code["code"].as_str().unwrap()).collect();
    let in_answers = Code::ALL.iter().filter(|code| code.scope() == Scope::Api);
    assert_eq!(listed, in_answers.map(|code| code.name()).collect::<Vec<_>>());
}
