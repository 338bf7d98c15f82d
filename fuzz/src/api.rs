//! Input of callers of the HTTP interface: models alone, and requests over loopback.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use axum::extract::Query;
use axum::http::Uri;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use steward_api::model;

use crate::bytes::Bytes;
use crate::kits::api::{Server, code, peer, server};

/// Reads the choice of a model, then JSON.
pub(crate) fn body(data: &[u8]) {
    let Some((which, json)) = data.split_first() else { return };
    match which % 18 {
        0 => json_comes_back::<model::InvokeChannel>(json),
        1 => json_comes_back::<model::Connect>(json),
        2 => json_comes_back::<model::CreateInvoice>(json),
        3 => json_comes_back::<model::Pay>(json),
        4 => json_comes_back::<model::Keysend>(json),
        5 => json_comes_back::<model::BackupRequest>(json),
        // The command line reads these.
        6 => json_comes_back::<model::ChannelDetails>(json),
        7 => json_comes_back::<model::Channels>(json),
        8 => json_comes_back::<model::DecodedInvoice>(json),
        9 => json_comes_back::<model::Event>(json),
        10 => json_comes_back::<model::Forwards>(json),
        11 => json_comes_back::<model::Invoices>(json),
        12 => json_comes_back::<model::Metrics>(json),
        13 => json_comes_back::<model::PaymentDetails>(json),
        14 => json_comes_back::<model::Payments>(json),
        15 => json_comes_back::<model::Peers>(json),
        16 => json_comes_back::<model::Status>(json),
        _ => json_comes_back::<model::Backup>(json),
    }
}

fn json_comes_back<T>(json: &[u8])
where
    T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug,
{
    match serde_json::from_slice::<T>(json) {
        Ok(value) => {
            let again = serde_json::to_vec(&value).expect("what was read can be written");
            let read: T = serde_json::from_slice(&again).expect("what was written can be read");
            assert_eq!(read, value);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Reads the choice of a query, then its text.
pub(crate) fn query(data: &[u8]) {
    let Some((which, text)) = data.split_first() else { return };
    let uri = [b"/list?".as_slice(), text].concat();
    let Ok(uri) = Uri::try_from(uri.as_slice()) else { return };
    match which % 6 {
        0 => query_comes_back::<model::PageQuery>(&uri),
        1 => query_comes_back::<model::StatusPageQuery>(&uri),
        2 => query_comes_back::<model::InvoicePageQuery>(&uri),
        3 => query_comes_back::<model::DecodeQuery>(&uri),
        4 => query_comes_back::<model::WaitQuery>(&uri),
        _ => query_comes_back::<model::EventsQuery>(&uri),
    }
}

/// Sends the query through JSON: the queries of the command line are made from the same models.
fn query_comes_back<T>(uri: &Uri)
where
    T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug,
{
    match Query::<T>::try_from_uri(uri) {
        Ok(Query(value)) => {
            let json = serde_json::to_vec(&value).expect("what was read can be written");
            assert_eq!(serde_json::from_slice::<T>(&json).expect("and read again"), value);
        }
        Err(rejection) => assert!(!rejection.body_text().is_empty()),
    }
}

/// The method and path of every route; `{}` is filled from the input.
const ROUTES: &[(&str, &str)] = &[
    ("GET", "/v1/channels"),
    ("GET", "/v1/channels/{}"),
    ("POST", "/v1/channels"),
    ("POST", "/v1/channels/{}/suspend"),
    ("POST", "/v1/channels/{}/override"),
    ("POST", "/v1/channels/{}/accept-override"),
    ("POST", "/v1/channels/{}/resize"),
    ("POST", "/v1/preimages"),
    ("POST", "/v1/invoices"),
    ("GET", "/v1/invoices{}"),
    ("GET", "/v1/invoices/{}"),
    ("GET", "/v1/decode{}"),
    ("GET", "/v1/status"),
    ("GET", "/v1/metrics"),
    ("GET", "/v1/forwards{}"),
    ("POST", "/v1/backup"),
    ("POST", "/v1/payments"),
    ("POST", "/v1/keysend"),
    ("GET", "/v1/payments{}"),
    ("GET", "/v1/payments/{}"),
    ("GET", "/v1/peers"),
    ("POST", "/v1/peers"),
    ("GET", "/{}"),
];
/// The time that an answer may take that waits for a payment or a channel, in milliseconds.
const PATIENCE_MS: u64 = 50;

thread_local! {
    static SERVER: Server = server();
}

/// Reads the choice of a route, the replacement for `{}`, then the body.
pub(crate) fn request(data: &[u8]) {
    let mut input = Bytes::new(data);
    let (method, path) = ROUTES[input.below(ROUTES.len())];
    let is_known = input.flag();
    let blank = input.short();
    // The HTTP library refuses what cannot be in a request line.
    let blank: String = match is_known {
        true => peer().to_string(),
        false => {
            blank.iter().map(|b| if b.is_ascii_graphic() { char::from(*b) } else { '%' }).collect()
        }
    };
    let path = path.replace("{}", &blank);
    let body = input.rest();
    SERVER.with(|server| {
        server.node.commands.lock().unwrap().clear();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Content-Type: application/json\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n",
            server.token,
            body.len()
        );
        let mut stream = TcpStream::connect(&server.address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(PATIENCE_MS))).unwrap();
        let _ = stream.write_all(&[head.as_bytes(), body].concat());
        let mut answer = Vec::new();
        if stream.read_to_end(&mut answer).is_ok() {
            is_answer(&answer);
        }
    });
}

/// Checks that the answer is JSON with a status, and that an error is complete.
fn is_answer(answer: &[u8]) {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return assert!(answer.is_empty(), "{text}");
    };
    let status: u16 = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
    assert_ne!(status, 500, "{text}");
    // The HTTP library refuses by itself, without a body, a text that is not HTTP.
    if !body.is_empty() {
        let json: Value = serde_json::from_str(body).expect("every answer is JSON");
        assert_eq!(status >= 400, json.get("code").is_some() && !code(&json).is_empty());
    }
}
