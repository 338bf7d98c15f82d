//! Access: only callers with the token are served, and the others are told why not.

mod common;

use std::os::unix::fs::PermissionsExt;

use common::{code, server};
use steward_api::{Token, TokenError};

#[test]
fn without_the_token_nothing_is_answered() {
    let server = server();
    let token = &server.token;
    let wrong = format!("Bearer {}", token.replace(|c: char| c.is_ascii_digit(), "a"));
    let short = format!("Bearer {}", &token[..63]);
    let other_scheme = format!("Basic {token}");
    let attempts =
        [None, Some(""), Some("Bearer "), Some(&wrong), Some(&short), Some(&other_scheme)];
    for path in ["/v1/status", "/v1/events", "/v1/payments", "/no/such/path"] {
        for attempt in attempts {
            let (status, body) = server.get_as(path, attempt);
            assert_eq!((status, code(&body)), (401, "unauthorized"), "{path} {attempt:?}");
        }
    }
    assert!(server.node.commands.lock().unwrap().is_empty());
}

#[test]
fn with_the_token_the_node_answers() {
    let server = server();
    let (status, body) = server.get("/v1/metrics");
    assert_eq!(status, 200);
    assert_eq!(body["store"]["commits"], 0);
}

#[test]
fn the_openapi_document_needs_no_token() {
    let (status, body) = server().get_as("/openapi.json", None);
    assert_eq!(status, 200);
    assert_eq!(body["openapi"], "3.1.0");
}

#[test]
fn an_unknown_path_is_404() {
    let (status, body) = server().get("/v1/nonsense");
    assert_eq!((status, code(&body)), (404, "unknown_path"));
}

#[test]
fn a_wrong_method_is_405() {
    let (status, body) = server().delete("/v1/status");
    assert_eq!((status, code(&body)), (405, "wrong_method"));
}

#[test]
fn a_body_above_the_limit_is_413() {
    let server = server();
    let (status, body) = server.post("/v1/payments", &" ".repeat(64 * 1024 + 1));
    assert_eq!((status, code(&body)), (413, "body_too_large"));
    let (status, body) = server.post("/v1/payments", &" ".repeat(64 * 1024));
    assert_eq!((status, code(&body)), (400, "bad_json"));
}

#[test]
fn a_token_is_made_once_and_only_its_owner_can_read_it() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(Token::load(dir.path()), Err(TokenError::Io { .. })));
    let made = Token::load_or_create(dir.path()).unwrap();
    let path = dir.path().join("api-token");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(made.as_str().len(), 64);
    assert_eq!(Token::load_or_create(dir.path()).unwrap().as_str(), made.as_str());
    assert_eq!(Token::load(dir.path()).unwrap().as_str(), made.as_str());
}

#[test]
fn a_token_that_others_can_read_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    Token::load_or_create(dir.path()).unwrap();
    let path = dir.path().join("api-token");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(Token::load(dir.path()), Err(TokenError::Exposed { mode: 0o640, .. })));
}

#[test]
fn a_file_that_holds_no_token_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let made = Token::load_or_create(dir.path()).unwrap();
    let path = dir.path().join("api-token");
    for text in [String::new(), made.as_str()[1..].to_owned(), format!("{}0", made.as_str())] {
        std::fs::write(&path, &text).unwrap();
        assert!(matches!(Token::load(dir.path()), Err(TokenError::Malformed { .. })), "{text}");
    }
}
