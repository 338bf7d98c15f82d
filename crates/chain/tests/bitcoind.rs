//! The bitcoind source against an RPC server on loopback.

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use steward_chain::limits::MAX_ANSWER_BYTES;
use steward_chain::{ChainConfig, ChainError, ChainSource, Network, SourceKind};
use support::{FakeChain, Reply, Request, bitcoind_reply, serve_http};

/// `user:secret` in the form of HTTP.
const AUTHORIZATION: &str = "Basic dXNlcjpzZWNyZXQ=";

fn bitcoind(answer: impl Fn(Request) -> Reply + Send + 'static) -> Box<dyn ChainSource> {
    let config = ChainConfig {
        source: Some(SourceKind::Bitcoind),
        url: Some(serve_http(answer)),
        user: Some("user".into()),
        password: Some("secret".to_owned().into()),
        ..ChainConfig::default()
    };
    config.open(Network::Regtest).unwrap()
}

fn following(chain: &FakeChain) -> Box<dyn ChainSource> {
    let chain = chain.clone();
    bitcoind(move |request| bitcoind_reply(&chain, &request.body))
}

#[test]
fn the_tip_has_height_hash_and_header_time() {
    let chain = FakeChain::new(Network::Regtest, 3);
    let tip = following(&chain).tip().unwrap();
    assert_eq!((tip.height, tip.hash), (3, Some(chain.hash(3))));
    assert_eq!(tip.time_unix, u64::from(chain.tip().time));
}

#[test]
fn a_new_block_shows_in_the_next_tip() {
    let chain = FakeChain::new(Network::Regtest, 3);
    let mut source = following(&chain);
    source.tip().unwrap();
    chain.mine(2, 0);
    assert_eq!(source.tip().unwrap().height, 5);
}

#[test]
fn a_block_hash_is_found_by_height_and_none_above_the_tip() {
    let chain = FakeChain::new(Network::Regtest, 3);
    let mut source = following(&chain);
    assert_eq!(source.block_hash_at(2).unwrap(), Some(chain.hash(2)));
    assert_eq!(source.block_hash_at(4).unwrap(), None);
}

#[test]
fn the_configured_network_is_accepted() {
    following(&FakeChain::new(Network::Regtest, 0)).check_network(Network::Regtest).unwrap();
}

#[test]
fn another_network_is_refused_for_good() {
    let mut source = following(&FakeChain::new(Network::Signet, 0));
    let error = source.check_network(Network::Regtest).unwrap_err();
    assert!(matches!(error, ChainError::WrongNetwork { expected: Network::Regtest, .. }));
    assert!(error.is_fatal());
}

#[test]
fn user_and_password_are_sent() {
    let chain = FakeChain::new(Network::Regtest, 1);
    let mut source = bitcoind(move |request| match request.authorization.as_str() {
        AUTHORIZATION => bitcoind_reply(&chain, &request.body),
        _ => Reply::status(401, ""),
    });
    assert_eq!(source.tip().unwrap().height, 1);
}

#[test]
fn refused_credentials_are_told_apart_and_not_shown() {
    let error = bitcoind(|_| Reply::status(401, "")).tip().unwrap_err();
    assert!(matches!(error, ChainError::Unauthorized { .. }));
    assert!(!error.is_fatal(), "the operator may repair bitcoind's side");
    assert!(!format!("{error} {error:?}").contains("secret"));
}

#[test]
fn a_new_cookie_is_read_after_bitcoind_restarts() {
    let directory = tempfile::tempdir().unwrap();
    let cookie_file = directory.path().join(".cookie");
    let chain = FakeChain::new(Network::Regtest, 1);
    let valid = Arc::new(Mutex::new("Basic b2xkOmNvb2tpZQ==")); // old:cookie
    let accepted = Arc::clone(&valid);
    let url = serve_http(move |request| match request.authorization == *accepted.lock().unwrap() {
        true => bitcoind_reply(&chain, &request.body),
        false => Reply::status(401, ""),
    });
    let config = ChainConfig {
        source: Some(SourceKind::Bitcoind),
        url: Some(url),
        cookie_file: Some(cookie_file.clone()),
        ..ChainConfig::default()
    };
    let mut source = config.open(Network::Regtest).unwrap();
    std::fs::write(&cookie_file, "old:cookie").unwrap();
    source.tip().unwrap();

    *valid.lock().unwrap() = "Basic bmV3OmNvb2tpZQ=="; // new:cookie
    std::fs::write(&cookie_file, "new:cookie\n").unwrap();
    assert_eq!(source.tip().unwrap().height, 1);
}

#[test]
fn a_cookie_refused_twice_is_not_tried_a_third_time() {
    let cookie = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(cookie.path(), "a:b").unwrap();
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    let url = serve_http(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        Reply::status(401, "")
    });
    let config = ChainConfig {
        source: Some(SourceKind::Bitcoind),
        url: Some(url),
        cookie_file: Some(cookie.path().into()),
        ..ChainConfig::default()
    };
    let error = config.open(Network::Regtest).unwrap().tip().unwrap_err();
    assert!(matches!(error, ChainError::Unauthorized { .. }));
    assert_eq!(requests.load(Ordering::SeqCst), 2);
}

#[test]
fn a_missing_cookie_file_is_named() {
    let config = ChainConfig {
        source: Some(SourceKind::Bitcoind),
        url: Some("http://127.0.0.1:1".into()),
        cookie_file: Some("no/such/.cookie".into()),
        ..ChainConfig::default()
    };
    let error = config.open(Network::Regtest).unwrap().tip().unwrap_err();
    assert!(matches!(error, ChainError::File { ref path, .. } if path == "no/such/.cookie"));
}

#[test]
fn a_starting_bitcoind_is_quoted() {
    let body =
        r#"{"result":null,"error":{"code":-28,"message":"Loading block index\u0007"},"id":1}"#;
    let error = bitcoind(move |_| Reply::status(500, body)).tip().unwrap_err();
    let ChainError::Refused { code, message, .. } = error else { panic!("{error:?}") };
    assert_eq!((code, message.as_str()), (-28, "Loading block index"));
}

#[test]
fn an_answer_that_is_no_json_is_malformed() {
    let error = bitcoind(|_| Reply::ok("<html>hello</html>")).tip().unwrap_err();
    assert!(matches!(error, ChainError::Malformed { .. }), "{error:?}");
}

#[test]
fn a_height_no_chain_can_have_is_malformed() {
    let chain = FakeChain::new(Network::Regtest, 1);
    let mut source = bitcoind(move |request| {
        let mut reply = bitcoind_reply(&chain, &request.body);
        let text = String::from_utf8(reply.body).unwrap();
        reply.body = text.replace(r#""height":1,"#, r#""height":4294967295,"#).into();
        reply
    });
    assert!(matches!(source.tip().unwrap_err(), ChainError::Malformed { .. }));
}

#[test]
fn an_oversized_answer_is_not_read_to_its_end() {
    let error = bitcoind(|_| Reply::ok(vec![b' '; MAX_ANSWER_BYTES + 1])).tip().unwrap_err();
    assert!(matches!(error, ChainError::TooLarge { .. }), "{error:?}");
}

#[test]
fn a_redirect_is_not_followed() {
    let error = bitcoind(|_| Reply::status(302, "elsewhere")).tip().unwrap_err();
    assert!(matches!(error, ChainError::Refused { code: 302, .. }), "{error:?}");
}

#[test]
fn an_address_without_a_listener_is_unreachable() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let config = ChainConfig {
        source: Some(SourceKind::Bitcoind),
        url: Some(url),
        user: Some("user".into()),
        password: Some("secret".to_owned().into()),
        ..ChainConfig::default()
    };
    let error = config.open(Network::Regtest).unwrap().tip().unwrap_err();
    assert!(matches!(error, ChainError::Unreachable { .. }), "{error:?}");
}

#[test]
fn a_password_is_read_from_its_file_and_again_when_it_has_changed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("password");
    let valid = Arc::new(Mutex::new(AUTHORIZATION));
    let chain = FakeChain::new(Network::Regtest, 1);
    let url = {
        let (valid, chain) = (valid.clone(), chain.clone());
        serve_http(move |request| match request.authorization == *valid.lock().unwrap() {
            true => bitcoind_reply(&chain, &request.body),
            false => Reply::status(401, ""),
        })
    };
    let config = ChainConfig {
        source: Some(SourceKind::Bitcoind),
        url: Some(url),
        user: Some("user".into()),
        password_file: Some(path.clone()),
        ..ChainConfig::default()
    };
    let mut source = config.open(Network::Regtest).unwrap();
    std::fs::write(&path, "\n").unwrap();
    assert!(source.tip().unwrap_err().to_string().contains("it is empty"));
    std::fs::write(&path, "secret\n").unwrap();
    assert_eq!(source.tip().unwrap().height, 1);
    // The header encodes user:new.
    *valid.lock().unwrap() = "Basic dXNlcjpuZXc=";
    std::fs::write(&path, "new").unwrap();
    assert_eq!(source.tip().unwrap().height, 1);
}
