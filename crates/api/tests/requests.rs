//! Requests reach the node as meant, and its answers and errors reach the caller.

mod common;

use common::{channel, code, invoice, invoice_hash, link, payment, peer, server};
use serde_json::json;
use steward_engine::limits::MAX_CHANNELS_PER_PAGE;
use steward_engine::row::{InvoiceRow, InvoiceStatus, PaymentKind, PaymentStatus, Row};
use steward_engine::{Code, Command, Error, Reply};
use steward_hosted::Role;
use steward_wire::{PaymentHash, Preimage};

#[test]
fn every_code_has_its_status_and_its_hint() {
    let server = server();
    for code in Code::ALL {
        server.node.answer(Err(Error::new(*code, "some sentence").hint("do it")));
        let (status, body) = server.get("/v1/peers");
        assert_eq!(status, code.blame().status(), "{code}");
        let expected = json!({ "code": code.name(), "message": "some sentence", "hint": "do it" });
        assert_eq!(body, expected);
    }
    server.node.answer(Err(Error::new(Code::UnknownPeer, "some sentence").hint("")));
    let (status, body) = server.get("/v1/peers");
    assert_eq!((status, body["hint"].as_str()), (404, Some(Code::UnknownPeer.hint())));
}

#[test]
fn a_channel_that_does_not_exist_is_404() {
    let server = server();
    server.node.answer(Err(Error::new(Code::UnknownChannel, "we have no such channel")));
    let (status, body) = server.get(&format!("/v1/channels/{}", peer()));
    assert_eq!((status, code(&body)), (404, "unknown_channel"));
}

#[test]
fn bad_input_is_named_and_never_reaches_the_node() {
    let server = server();
    let posts = [
        ("/v1/payments", "", "bad_json"),
        ("/v1/payments", "{", "bad_json"),
        ("/v1/payments", "[]", "bad_field"),
        ("/v1/payments", "{}", "bad_field"),
        ("/v1/payments", r#"{"invoice": 5}"#, "bad_field"),
        ("/v1/payments", r#"{"invoice": "x", "amount": 5}"#, "bad_field"),
        ("/v1/payments", r#"{"invoice": "x", "amount_msat": -1}"#, "bad_field"),
        ("/v1/payments", r#"{"invoice": "x", "amount_msat": 1.5}"#, "bad_field"),
        ("/v1/payments", r#"{"invoice": "x", "wait_ms": 600001}"#, "bad_wait"),
        ("/v1/keysend", r#"{"destination": "02", "amount_msat": 1}"#, "bad_node_id"),
        ("/v1/invoices", r#"{"amount_sat": 1}"#, "bad_field"),
        ("/v1/peers", r#"{"peer": "02@host:1"}"#, "bad_node_id"),
        ("/v1/backup", r#"{"path": "here.db"}"#, "relative_path"),
        ("/v1/backup", r#"{"path": "/here\u0000.db"}"#, "relative_path"),
    ];
    for (path, body, expected) in posts {
        let (status, answer) = server.post(path, body);
        assert_eq!((status, code(&answer)), (400, expected), "{path} {body}");
    }
    let zeros = "0".repeat(66);
    let gets = [
        ("/v1/payments?limit=0".to_owned(), "bad_limit"),
        ("/v1/payments?limit=1001".to_owned(), "bad_limit"),
        ("/v1/payments?limit=x".to_owned(), "bad_limit"),
        ("/v1/payments?before=-1".to_owned(), "bad_query"),
        ("/v1/payments?status=paid".to_owned(), "bad_query"),
        ("/v1/payments?page=2".to_owned(), "bad_query"),
        ("/v1/invoices?limit=1001".to_owned(), "bad_limit"),
        ("/v1/forwards?limit=1001".to_owned(), "bad_limit"),
        ("/v1/payments/zz".to_owned(), "bad_payment_hash"),
        ("/v1/invoices/00".to_owned(), "bad_payment_hash"),
        (format!("/v1/channels/{zeros}"), "bad_node_id"),
        ("/v1/channels/%ff".to_owned(), "bad_path"),
        ("/v1/decode".to_owned(), "bad_query"),
        ("/v1/events?after=x".to_owned(), "bad_query"),
    ];
    for (path, expected) in gets {
        let (status, answer) = server.get(&path);
        assert_eq!((status, code(&answer)), (400, expected), "{path}");
    }
    let meaningless = [
        ("/v1/payments", r#"{"invoice": "lnbc1"}"#.to_owned(), "bad_invoice"),
        ("/v1/peers", r#"{"peer": "nobody"}"#.to_owned(), "bad_node_address"),
        ("/v1/peers", r#"{"peer": "02@host:x"}"#.to_owned(), "bad_node_address"),
        ("/v1/channels", r#"{"host": "x@127.0.0.1:0"}"#.to_owned(), "bad_node_address"),
        ("/v1/peers", format!(r#"{{"peer": "02{}@host:1"}}"#, "f".repeat(64)), "not_a_public_key"),
    ];
    for (path, body, expected) in meaningless {
        let (status, answer) = server.post(path, &body);
        assert_eq!((status, code(&answer)), (422, expected), "{path} {body}");
    }
    let (status, answer) = server.get("/v1/decode?invoice=lnbc1");
    assert_eq!((status, code(&answer)), (422, "bad_invoice"));
    assert!(server.node.commands.lock().unwrap().is_empty());
}

#[test]
fn a_clients_channel_says_that_it_is_custodial() {
    let server = server();
    let channels = vec![channel(Role::Client), channel(Role::Host)];
    server.node.answer(Ok(Reply::Channels(channels)));
    let (_, body) = server.get("/v1/channels");
    assert_eq!(body["channels"][0]["custodial"], true);
    assert_eq!(body["channels"][1]["custodial"], false);
    assert_eq!(body["channels"][0]["phase"], "offline");
}

#[test]
fn all_channels_are_listed_though_the_engine_shows_a_page_at_a_time() {
    let server = server();
    let page = vec![channel(Role::Client); MAX_CHANNELS_PER_PAGE];
    server.node.answer(Ok(Reply::Channels(page)));
    server.node.answer(Ok(Reply::Channels(vec![channel(Role::Host)])));
    let (_, body) = server.get("/v1/channels");
    let channels = body["channels"].as_array().unwrap();
    assert_eq!(channels.len(), MAX_CHANNELS_PER_PAGE + 1);
    assert_eq!(channels.last().unwrap()["custodial"], false);
    let commands = server.node.commands.lock().unwrap();
    assert!(matches!(commands[0], Command::ListChannels { after: None }));
    assert!(matches!(commands[1], Command::ListChannels { after: Some(last) } if last == link()));
    assert_eq!(commands.len(), 2);
}

#[test]
fn invoking_hands_address_and_secret_to_the_engine() {
    let server = server();
    server.node.answer(Ok(Reply::Channel(Box::new(channel(Role::Client)))));
    let host = format!("{}@example.org:9735", peer());
    let body = json!({ "host": host, "secret": "hex:0aff" }).to_string();
    assert_eq!(server.post("/v1/channels", &body).0, 200);
    let commands = server.node.commands();
    let Command::InvokeChannel { host, addresses, secret, .. } = &commands[0] else {
        panic!("{commands:?}");
    };
    assert_eq!(*host, peer());
    assert_eq!(addresses, &["example.org:9735"]);
    assert_eq!(secret, &[0x0a, 0xff]);
}

#[test]
fn a_payment_whose_time_ran_out_is_pending_and_no_error() {
    let server = server();
    let body = json!({ "invoice": invoice(), "amount_msat": 1000, "wait_ms": 1 }).to_string();
    let (status, body) = server.post("/v1/payments", &body);
    assert_eq!((status, body["status"].as_str()), (200, Some("pending")));
    assert_eq!(server.node.paid(), [(Some(1000), None)]);
}

#[test]
fn a_payment_that_failed_is_tried_again() {
    let server = server();
    let row = payment(PaymentStatus::Failed);
    server.node.store(Row::Payment(row));
    server.post("/v1/payments", &json!({ "invoice": invoice() }).to_string());
    assert_eq!(server.node.paid().len(), 1);
}

#[test]
fn a_failed_payment_says_why() {
    let server = server();
    *server.node.payment.lock().unwrap() = Ok(payment(PaymentStatus::Failed));
    let (status, body) = server.post("/v1/payments", &json!({ "invoice": invoice() }).to_string());
    assert_eq!((status, body["status"].as_str()), (200, Some("failed")));
    assert_eq!(body["failure"]["code"], "no_route");
}

#[test]
fn payments_come_in_pages_that_meet() {
    let server = server();
    for number in 0..5 {
        let payment_hash = PaymentHash([number; 32]);
        let created_ms = u64::from(number);
        let row = steward_engine::row::PaymentRow {
            payment_hash,
            created_ms,
            ..payment(PaymentStatus::Failed)
        };
        server.node.store(Row::Payment(row));
    }
    let mut hashes = Vec::new();
    let mut path = "/v1/payments?limit=2".to_owned();
    loop {
        let (_, body) = server.get(&path);
        let rows = body["payments"].as_array().unwrap();
        assert!(rows.len() <= 2);
        hashes.extend(rows.iter().map(|row| row["payment_hash"].as_str().unwrap().to_owned()));
        let Some(next) = body["next"].as_u64() else { break };
        path = format!("/v1/payments?limit=2&before={next}");
    }
    let newest_first: Vec<_> =
        (0..5).rev().map(|number| PaymentHash([number; 32]).to_string()).collect();
    assert_eq!(hashes, newest_first);
    assert_eq!(server.get("/v1/payments?status=complete").1["payments"], json!([]));
}

#[test]
fn the_preimage_of_an_unpaid_invoice_is_not_told() {
    let server = server();
    let row = |status, expires_ms| InvoiceRow {
        payment_hash: Preimage([1; 32]).hash(),
        preimage: Preimage([1; 32]),
        payment_secret: [0; 32],
        amount_msat: Some(1000),
        description: String::new(),
        kind: PaymentKind::Bolt11(invoice()),
        created_ms: 0,
        expires_ms,
        status,
        received_msat: if status == InvoiceStatus::Paid { 1000 } else { 0 },
        paid_ms: (status == InvoiceStatus::Paid).then_some(1),
        failure: None,
    };
    let path = format!("/v1/invoices/{}", Preimage([1; 32]).hash());
    let cases = [
        (InvoiceStatus::Open, i64::MAX as u64, "pending", None),
        (InvoiceStatus::Open, 1, "expired", None),
        (InvoiceStatus::Paid, 1, "complete", Some(Preimage([1; 32]).to_string())),
    ];
    for (status, expires_ms, shown, preimage) in cases {
        let row = row(status, expires_ms);
        server.node.store(Row::Invoice(row));
        let (_, body) = server.get(&path);
        assert_eq!(body["status"], shown);
        assert_eq!(body["preimage"], json!(preimage));
    }
}

#[test]
fn what_we_never_made_is_404() {
    let server = server();
    let hash = invoice_hash();
    let (status, body) = server.get(&format!("/v1/payments/{hash}"));
    assert_eq!((status, code(&body)), (404, "unknown_payment"));
    let (status, body) = server.get(&format!("/v1/invoices/{hash}"));
    assert_eq!((status, code(&body)), (404, "unknown_invoice"));
}

#[test]
fn forwards_come_with_their_totals() {
    let server = server();
    let forward = |id, fulfilled| steward_engine::row::ForwardRow {
        incoming: steward_htlc::IncomingHtlcId { link: link(), id },
        incoming_peer: peer(),
        outgoing: link(),
        outgoing_peer: peer(),
        amount_in_msat: 1010,
        amount_out_msat: 1000,
        fulfilled,
        ended_ms: id,
    };
    for (id, fulfilled) in [(1, true), (2, false)] {
        let row = forward(id, fulfilled);
        server.node.store(Row::Forward(row));
    }
    let (_, body) = server.get("/v1/forwards");
    assert_eq!(body["totals"]["fees_msat"], 10);
    let fees: Vec<_> =
        body["forwards"].as_array().unwrap().iter().map(|row| row["fee_msat"].clone()).collect();
    assert_eq!(fees, [0, 10]);
}

#[test]
fn a_stop_is_accepted() {
    let (status, body) = server().post("/v1/stop", "");
    assert_eq!((status, body["stopping"].as_bool()), (202, Some(true)));
}
