//! A request that the document does not describe is refused, in a sentence, and never reaches the
//! node.

mod common;

use common::{Server, channel, code, invoice, invoice_hash, peer, server};
use serde_json::{Value, json};
use steward_engine::Reply;
use steward_hosted::Role;

/// Asserts a whole error, in our own words.
#[track_caller]
fn assert_refused((status, answer): (u16, Value), expected: &str, what: &str) {
    assert_eq!((status, code(&answer)), (400, expected), "{what}: {answer}");
    let message = answer["message"].as_str().unwrap();
    for raw in ["deserialize", "invalid type", "expected", "invalid digit", "EOF", "sequence"] {
        assert!(!message.contains(raw), "{what}: {message}");
    }
}

fn asked_nothing(server: &Server) -> bool {
    server.node.commands.lock().unwrap().is_empty()
}

/// Returns every route with a body, with a body that it takes.
fn bodies() -> Vec<(String, Value)> {
    let address = format!("{}@127.0.0.1:9735", peer());
    vec![
        ("/v1/payments".to_owned(), json!({ "invoice": invoice() })),
        ("/v1/keysend".to_owned(), json!({ "destination": peer().to_string(), "amount_msat": 1 })),
        ("/v1/invoices".to_owned(), json!({})),
        ("/v1/channels".to_owned(), json!({ "host": address })),
        ("/v1/peers".to_owned(), json!({ "peer": address })),
        ("/v1/backup".to_owned(), json!({ "path": "/copy.db" })),
        ("/v1/preimages".to_owned(), json!({ "preimage": "07".repeat(32) })),
        (format!("/v1/channels/{}/override", peer()), json!({ "our_balance_msat": 1 })),
        (format!("/v1/channels/{}/accept-override", peer()), json!({ "our_balance_msat": 1 })),
        (format!("/v1/channels/{}/resize", peer()), json!({ "capacity_msat": 1_000 })),
    ]
}

#[test]
fn a_list_is_no_body_even_if_its_items_would_fit() {
    let server = server();
    for (path, body) in bodies() {
        let items: Vec<&Value> = body.as_object().unwrap().values().collect();
        for list in [json!([]), json!(items), json!([body])] {
            assert_refused(server.post(&path, &list.to_string()), "bad_field", &path);
        }
        for other in ["null", "1", "\"x\"", "true"] {
            assert_refused(server.post(&path, other), "bad_field", &path);
        }
    }
    assert!(asked_nothing(&server));
}

#[test]
fn a_body_must_say_that_it_is_json() {
    let server = server();
    for (path, body) in bodies() {
        for says in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""] {
            let answer = server.post_as(&path, says, &body.to_string());
            assert_refused(answer, "bad_content_type", &path);
        }
    }
    assert!(asked_nothing(&server));
    for says in ["application/json; charset=utf-8", "Application/JSON"] {
        let body = json!({ "invoice": invoice(), "wait_ms": 0 }).to_string();
        assert_eq!(server.post_as("/v1/payments", says, &body).0, 200, "{says}");
    }
}

#[test]
fn a_key_that_is_there_twice_is_refused() {
    let server = server();
    let twice = format!(r#"{{"invoice": "{0}", "amount_msat": 1, "amount_msat": 2}}"#, invoice());
    let (status, answer) = server.post("/v1/payments", &twice);
    assert_eq!(answer["message"], "`amount_msat` is there twice");
    assert_refused((status, answer), "bad_field", "body");
    assert_refused(server.get("/v1/payments?limit=1&limit=2"), "bad_limit", "query");
    assert_refused(server.get("/v1/payments?before=1&before=1"), "bad_query", "query");
    assert!(asked_nothing(&server));
}

#[test]
fn an_unknown_parameter_is_refused_on_every_route() {
    let server = server();
    let document: Value = serde_json::from_str(&steward_api::openapi_json().unwrap()).unwrap();
    let (id, hash) = (peer().to_string(), invoice_hash().to_string());
    for (path, methods) in document["paths"].as_object().unwrap() {
        let path = path
            .replace("{peer_id}", &id)
            .replace("{channel}", &id)
            .replace("{payment_hash}", &hash);
        let path = format!("{path}?wait-ms=1");
        for method in methods.as_object().unwrap().keys() {
            let answer = match method.as_str() {
                "get" => server.get(&path),
                "post" => server.post(&path, "{}"),
                _ => server.delete(&path),
            };
            assert_refused(answer, "bad_query", &path);
        }
    }
    assert!(asked_nothing(&server));
}

#[test]
fn a_request_that_takes_no_body_takes_none() {
    let server = server();
    let path = format!("/v1/channels/{}/suspend", peer());
    for body in ["[]", "{\"force\": true}", "x"] {
        assert_refused(server.post(&path, body), "bad_body", body);
        assert_refused(server.post("/v1/stop", body), "bad_body", body);
    }
    assert!(asked_nothing(&server));
    for body in ["", "{}", " {} "] {
        server.node.answer(Ok(Reply::Channel(Box::new(channel(Role::Host)))));
        assert_eq!(server.post(&path, body).0, 200, "{body}");
    }
}

#[test]
fn numbers_beyond_their_bounds_are_refused_with_the_bounds() {
    let server = server();
    let too_much = 1_000_000_000_000_000_001_u64;
    for (path, field) in [
        ("/v1/payments".to_owned(), "amount_msat"),
        ("/v1/keysend".to_owned(), "amount_msat"),
        ("/v1/invoices".to_owned(), "amount_msat"),
        (format!("/v1/channels/{}/override", peer()), "our_balance_msat"),
        (format!("/v1/channels/{}/accept-override", peer()), "our_balance_msat"),
        (format!("/v1/channels/{}/resize", peer()), "capacity_msat"),
    ] {
        let (_, fits) = bodies().into_iter().find(|(known, _)| *known == path).unwrap();
        for number in [json!(too_much), json!(u64::MAX), json!(-1), json!(1.5), json!(1e300)] {
            let mut body = fits.clone();
            body[field] = number;
            let (status, answer) = server.post(&path, &body.to_string());
            let bounds = "must be a whole number from 0 to 1000000000000000000";
            assert_eq!(answer["message"], format!("`{field}` {bounds}"));
            assert_refused((status, answer), "bad_field", &path);
        }
    }
    let beyond = 1_u64 << 63;
    for path in ["payments", "invoices", "forwards"] {
        let path = format!("/v1/{path}?before={beyond}");
        assert_refused(server.get(&path), "bad_query", &path);
    }
    assert_refused(server.get(&format!("/v1/events?after={beyond}")), "bad_query", "after");
    assert_refused(server.get("/v1/payments?limit=%2B5"), "bad_limit", "a sign");
    assert_refused(server.post("/v1/invoices", r#"{"expiry_s": 0}"#), "bad_expiry", "expiry");
    assert!(asked_nothing(&server));
}

#[test]
fn any_number_is_a_limit_of_fees() {
    let server = server();
    let body = json!({ "invoice": invoice(), "max_fee_msat": u64::MAX, "wait_ms": 0 });
    assert_eq!(server.post("/v1/payments", &body.to_string()).0, 200);
    assert_eq!(server.node.paid()[0].1, Some(u64::MAX));
}

#[test]
fn a_whole_number_may_have_a_point() {
    let server = server();
    let body = format!(r#"{{"invoice": "{}", "amount_msat": 10.0, "wait_ms": 0}}"#, invoice());
    assert_eq!(server.post("/v1/payments", &body).0, 200);
    assert_eq!(server.node.paid()[0].0, Some(10));
}

#[test]
fn what_is_not_json_is_refused_by_its_place() {
    let server = server();
    for body in ["", "{", "{\"invoice\": }", "{'invoice': 1}", "{}{}", "\u{feff}{}"] {
        assert_refused(server.post("/v1/payments", body), "bad_json", body);
    }
}
