//! The electrum source against a line server on loopback.

mod support;

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use steward_chain::limits::MAX_ANSWER_BYTES;
use steward_chain::{ChainConfig, ChainError, ChainSource, Network, SourceKind};
use support::{FakeChain, electrum_reply, serve, serve_electrum, serve_electrum_lines};

fn electrum(url: String) -> Box<dyn ChainSource> {
    let config = ChainConfig {
        source: Some(SourceKind::Electrum),
        url: Some(url),
        ..ChainConfig::default()
    };
    config.open(Network::Regtest).unwrap()
}

#[test]
fn the_tip_has_height_hash_and_header_time() {
    let chain = FakeChain::new(Network::Regtest, 3);
    let tip = electrum(serve_electrum(chain.clone())).tip().unwrap();
    assert_eq!((tip.height, tip.hash), (3, Some(chain.hash(3))));
    assert_eq!(tip.time_unix, u64::from(chain.tip().time));
}

#[test]
fn a_new_block_shows_in_the_next_tip_on_the_same_connection() {
    let chain = FakeChain::new(Network::Regtest, 3);
    let hellos = Arc::new(AtomicUsize::new(0));
    let (served, counted) = (chain.clone(), Arc::clone(&hellos));
    let mut source = electrum(serve_electrum_lines(move |request| {
        if request["method"] == "server.version" {
            counted.fetch_add(1, Ordering::SeqCst);
        }
        electrum_reply(&served, request).to_string()
    }));
    source.tip().unwrap();
    chain.mine(1, 0);
    assert_eq!(source.tip().unwrap().height, 4);
    assert_eq!(hellos.load(Ordering::SeqCst), 1);
}

#[test]
fn notifications_between_answers_are_passed_over() {
    let chain = FakeChain::new(Network::Regtest, 3);
    let mut source = electrum(serve_electrum_lines(move |request| {
        let notice = json!({"method": "blockchain.headers.subscribe", "params": [{}]});
        format!("{notice}\n{}", electrum_reply(&chain, request))
    }));
    assert_eq!(source.tip().unwrap().height, 3);
}

#[test]
fn a_block_hash_is_found_by_height_and_none_above_the_tip() {
    let chain = FakeChain::new(Network::Regtest, 3);
    let mut source = electrum(serve_electrum(chain.clone()));
    assert_eq!(source.block_hash_at(2).unwrap(), Some(chain.hash(2)));
    assert_eq!(source.block_hash_at(4).unwrap(), None);
}

#[test]
fn another_network_is_refused() {
    let mut source = electrum(serve_electrum(FakeChain::new(Network::Bitcoin, 0)));
    source.check_network(Network::Bitcoin).unwrap();
    let error = source.check_network(Network::Regtest).unwrap_err();
    assert!(matches!(error, ChainError::WrongNetwork { .. }));
}

#[test]
fn a_server_that_refuses_us_is_quoted() {
    let mut source = electrum(serve_electrum_lines(|request| {
        json!({"id": request["id"], "error": "unsupported protocol version"}).to_string()
    }));
    let error = source.tip().unwrap_err();
    assert!(error.to_string().contains("unsupported protocol version"), "{error}");
}

#[test]
fn a_lost_connection_is_opened_again() {
    let chain = FakeChain::new(Network::Regtest, 3);
    let first = AtomicUsize::new(0);
    let url = serve(move |stream| {
        if first.fetch_add(1, Ordering::SeqCst) > 0 {
            support::answer_electrum(stream, |request| electrum_reply(&chain, request).to_string());
        }
    });
    let mut source = electrum(format!("tcp://{url}"));
    assert!(matches!(source.tip().unwrap_err(), ChainError::Unreachable { .. }));
    assert_eq!(source.tip().unwrap().height, 3);
}

#[test]
fn foreign_json_and_garbage_are_malformed() {
    for line in ["hello", "5", "[1]", "\"\"", "\u{0}", r#"{"id":0,"#] {
        let error = electrum(serve_electrum_lines(move |_| line.to_owned())).tip().unwrap_err();
        assert!(matches!(error, ChainError::Malformed { .. }), "{line:?}: {error:?}");
    }
}

#[test]
fn a_header_of_the_wrong_size_is_malformed() {
    let mut source = electrum(serve_electrum_lines(|request| {
        json!({"id": request["id"], "result": {"height": 5, "hex": "00ff"}}).to_string()
    }));
    assert!(matches!(source.tip().unwrap_err(), ChainError::Malformed { .. }));
}

#[test]
fn a_line_without_end_is_cut_off() {
    let url = serve(|stream| {
        let flood = vec![b'a'; MAX_ANSWER_BYTES + 1];
        let _ = stream.write_all(&flood);
    });
    let error = electrum(format!("tcp://{url}")).tip().unwrap_err();
    assert!(matches!(error, ChainError::TooLarge { .. }), "{error:?}");
}

#[test]
fn endless_notifications_are_cut_off() {
    let mut source = electrum(serve_electrum_lines(|_| "{}\n".repeat(MAX_ANSWER_BYTES)));
    let error = source.tip().unwrap_err();
    assert!(matches!(error, ChainError::TooLarge { .. }), "{error:?}");
}

#[test]
fn a_plain_server_behind_an_ssl_address_is_unreachable() {
    let url = serve_electrum_lines(|_| String::new()).replace("tcp://", "ssl://");
    assert!(matches!(electrum(url).tip().unwrap_err(), ChainError::Unreachable { .. }));
}
