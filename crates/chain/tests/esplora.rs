//! The esplora source against an HTTP server on loopback.

mod support;

use steward_chain::limits::MAX_ANSWER_BYTES;
use steward_chain::{ChainConfig, ChainError, ChainSource, Network, SourceKind};
use support::{FakeChain, Reply, Request, esplora_reply, serve_http};

fn esplora(answer: impl Fn(Request) -> Reply + Send + 'static) -> Box<dyn ChainSource> {
    let config = ChainConfig {
        source: Some(SourceKind::Esplora),
        url: Some(serve_http(answer)),
        ..ChainConfig::default()
    };
    config.open(Network::Regtest).unwrap()
}

fn following(chain: &FakeChain) -> Box<dyn ChainSource> {
    let chain = chain.clone();
    esplora(move |request| esplora_reply(&chain, &request.path))
}

#[test]
fn the_tip_has_height_hash_and_header_time() {
    let chain = FakeChain::new(Network::Regtest, 3);
    let tip = following(&chain).tip().unwrap();
    assert_eq!((tip.height, tip.hash), (3, Some(chain.hash(3))));
    assert_eq!(tip.time_unix, u64::from(chain.tip().time));
}

#[test]
fn a_path_in_the_address_is_kept() {
    let chain = FakeChain::new(Network::Regtest, 3);
    let url = serve_http(move |request| match request.path.strip_prefix("/signet/api") {
        Some(path) => esplora_reply(&chain, path),
        None => Reply::status(404, ""),
    });
    let config = ChainConfig {
        source: Some(SourceKind::Esplora),
        url: Some(format!("{url}/signet/api/")),
        ..ChainConfig::default()
    };
    assert_eq!(config.open(Network::Regtest).unwrap().tip().unwrap().height, 3);
}

#[test]
fn a_block_hash_is_found_by_height_and_none_above_the_tip() {
    let chain = FakeChain::new(Network::Regtest, 3);
    let mut source = following(&chain);
    assert_eq!(source.block_hash_at(2).unwrap(), Some(chain.hash(2)));
    assert_eq!(source.block_hash_at(4).unwrap(), None);
}

#[test]
fn another_network_is_refused() {
    let mut source = following(&FakeChain::new(Network::Testnet4, 0));
    source.check_network(Network::Testnet4).unwrap();
    let error = source.check_network(Network::Testnet).unwrap_err();
    assert!(matches!(error, ChainError::WrongNetwork { .. }));
}

#[test]
fn a_service_that_wants_a_key_is_told_apart() {
    let error = esplora(|_| Reply::status(403, "key needed")).tip().unwrap_err();
    assert!(matches!(error, ChainError::Unauthorized { .. }));
}

#[test]
fn too_many_requests_are_quoted() {
    let error = esplora(|_| Reply::status(429, "slow down")).tip().unwrap_err();
    assert!(matches!(error, ChainError::Refused { code: 429, .. }));
}

#[test]
fn a_tip_that_is_no_hash_is_malformed() {
    for body in ["<html>", "", "00", "\u{e9}"] {
        let error = esplora(move |_| Reply::ok(body)).tip().unwrap_err();
        assert!(matches!(error, ChainError::Malformed { .. }), "{body:?}: {error:?}");
    }
}

#[test]
fn a_block_other_than_the_tip_is_malformed() {
    let chain = FakeChain::new(Network::Regtest, 3);
    let mut source = esplora(move |request| match request.path.starts_with("/block/") {
        true => esplora_reply(&chain, &format!("/block/{}", chain.hash(1))),
        false => esplora_reply(&chain, &request.path),
    });
    assert!(matches!(source.tip().unwrap_err(), ChainError::Malformed { .. }));
}

#[test]
fn an_oversized_answer_is_not_read_to_its_end() {
    let error = esplora(|_| Reply::ok(vec![b'0'; MAX_ANSWER_BYTES + 1])).tip().unwrap_err();
    assert!(matches!(error, ChainError::TooLarge { .. }), "{error:?}");
}
