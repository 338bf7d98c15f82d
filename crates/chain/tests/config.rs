//! The `[chain]` table: what is accepted, what is refused and with which advice.

use std::time::Duration;

use bitcoin::constants::genesis_block;
use bitcoin::hashes::Hash;
use steward_chain::limits::{DEFAULT_STALE_AFTER_S, MAX_HEIGHT};
use steward_chain::{
    ChainConfig, ChainError, Network, SourceKind, chain_hash, network_name, parse_network,
};

const REAL_NETWORKS: [Network; 4] =
    [Network::Bitcoin, Network::Testnet, Network::Testnet4, Network::Signet];

fn parse(json: &str) -> ChainConfig {
    serde_json::from_str(json).unwrap()
}

/// Returns the refusal of `json` on `network`, as problem and advice.
fn refusal(json: &str, network: Network) -> (String, String) {
    let error = parse(json).validate(network).unwrap_err();
    assert!(matches!(error, ChainError::Config { .. }) && error.is_fatal());
    (error.to_string(), error.hint().to_owned())
}

#[test]
fn no_source_is_refused_off_regtest() {
    for network in REAL_NETWORKS {
        let (problem, hint) = refusal("{}", network);
        assert!(problem.contains(network_name(network)), "{problem}");
        assert!(hint.contains("source = \"bitcoind\""), "{hint}");
    }
}

#[test]
fn the_clock_is_refused_off_regtest() {
    for network in REAL_NETWORKS {
        let (problem, hint) = refusal(r#"{"source": "clock"}"#, network);
        assert!(problem.contains("cannot run on a clock"), "{problem}");
        assert!(hint.contains("source = \"bitcoind\""), "{hint}");
    }
}

#[test]
fn regtest_without_a_source_runs_on_the_clock() {
    let mut source = parse("{}").open(Network::Regtest).unwrap();
    assert!(source.describe().contains("clock"));
    source.check_network(Network::Regtest).unwrap();
}

#[test]
fn each_real_source_is_accepted_on_mainnet() {
    for json in [
        r#"{"source": "bitcoind", "cookie_file": "/b/.cookie"}"#,
        r#"{"source": "bitcoind", "url": "http://[::1]:8332", "user": "u", "password": "p"}"#,
        r#"{"source": "esplora", "url": "https://esplora.example.com/api"}"#,
        r#"{"source": "esplora", "url": "http://127.0.0.1:3000"}"#,
        r#"{"source": "electrum", "url": "ssl://electrum.example.com:50002"}"#,
        r#"{"source": "electrum", "url": "tcp://[::1]:50001"}"#,
    ] {
        parse(json).validate(Network::Bitcoin).unwrap();
    }
}

#[test]
fn an_unknown_key_is_refused() {
    assert!(serde_json::from_str::<ChainConfig>(r#"{"ulr": "http://127.0.0.1"}"#).is_err());
}

#[test]
fn bitcoind_needs_one_kind_of_credentials() {
    for json in [
        r#"{"source": "bitcoind"}"#,
        r#"{"source": "bitcoind", "user": "u"}"#,
        r#"{"source": "bitcoind", "cookie_file": "c", "user": "u", "password": "p"}"#,
        r#"{"source": "bitcoind", "cookie_file": "c", "user": "u", "password_file": "p"}"#,
        r#"{"source": "bitcoind", "user": "u", "password": "p", "password_file": "p"}"#,
        r#"{"source": "bitcoind", "password_file": "p"}"#,
    ] {
        let (_, hint) = refusal(json, Network::Regtest);
        assert!(hint.contains("chain.cookie_file"), "{hint}");
    }
}

#[test]
fn a_password_that_is_empty_or_has_white_space_around_it_is_refused() {
    for password in ["", " ", "p ", "\\tp"] {
        let json = format!(r#"{{"source": "bitcoind", "user": "u", "password": "{password}"}}"#);
        let (problem, _) = refusal(&json, Network::Regtest);
        assert!(problem.contains("chain.password"), "{problem}");
    }
}

#[test]
fn a_key_of_another_source_is_refused() {
    for (json, key) in [
        (r#"{"source": "clock", "url": "http://127.0.0.1"}"#, "chain.url"),
        (r#"{"source": "esplora", "url": "http://a", "cookie_file": "c"}"#, "chain.cookie_file"),
        (r#"{"source": "electrum", "url": "tcp://a:1", "seconds_per_block": 1}"#, "seconds"),
    ] {
        let (problem, _) = refusal(json, Network::Regtest);
        assert!(problem.contains(key), "{problem}");
    }
}

#[test]
fn an_address_that_cannot_be_one_is_refused() {
    for (source, url) in [
        ("esplora", "127.0.0.1:3000"),
        ("esplora", "ftp://127.0.0.1"),
        ("esplora", "http://user:pass@127.0.0.1"),
        ("esplora", "http://127.0.0.1?key=1"),
        ("esplora", ""),
        ("electrum", "http://127.0.0.1:50001"),
        ("electrum", "tcp://127.0.0.1"),
        ("electrum", "tcp://:50001"),
        ("electrum", "ssl://host:70000"),
    ] {
        refusal(&format!(r#"{{"source": "{source}", "url": "{url}"}}"#), Network::Regtest);
    }
}

#[test]
fn an_address_is_asked_for_where_none_can_be_guessed() {
    for source in ["esplora", "electrum"] {
        let (_, hint) = refusal(&format!(r#"{{"source": "{source}"}}"#), Network::Signet);
        assert!(hint.contains("chain.url"), "{hint}");
    }
}

#[test]
fn numbers_out_of_range_are_refused() {
    for numbers in [
        r#""poll_interval_ms": 0"#.to_owned(),
        r#""poll_interval_ms": 600001"#.to_owned(),
        r#""stale_after_s": 59"#.to_owned(),
        r#""seconds_per_block": 0"#.to_owned(),
        format!(r#""start_height": {}"#, MAX_HEIGHT + 1),
        r#""height_file": "h", "seconds_per_block": 1"#.to_owned(),
    ] {
        refusal(&format!("{{{numbers}}}"), Network::Regtest);
    }
}

#[test]
fn a_missing_block_counts_except_on_a_quiet_regtest() {
    let real = r#"{"source": "electrum", "url": "tcp://127.0.0.1:50001"}"#;
    let explicit =
        r#"{"source": "electrum", "url": "tcp://127.0.0.1:50001", "stale_after_s": 600}"#;
    let clock = r#"{"stale_after_s": 600}"#;
    let rule = |json, network| parse(json).watch_settings(network, None).unwrap().stale;
    assert_eq!(rule(real, Network::Bitcoin).stale_after_s, DEFAULT_STALE_AFTER_S);
    assert!(rule(real, Network::Bitcoin).block_age_counts);
    assert!(!rule(real, Network::Regtest).block_age_counts);
    assert!(rule(explicit, Network::Regtest).block_age_counts);
    assert!(!rule(clock, Network::Regtest).block_age_counts);
}

#[test]
fn the_poll_interval_is_taken_from_the_configuration() {
    let settings =
        parse(r#"{"poll_interval_ms": 50}"#).watch_settings(Network::Regtest, None).unwrap();
    assert_eq!(settings.poll_interval, Duration::from_millis(50));
}

#[test]
fn a_configuration_survives_writing_and_reading() {
    let config = ChainConfig {
        source: Some(SourceKind::Bitcoind),
        user: Some("u".into()),
        password: Some("p".to_owned().into()),
        stale_after_s: Some(600),
        ..ChainConfig::default()
    };
    assert_eq!(parse(&serde_json::to_string(&config).unwrap()), config);
}

#[test]
fn debug_output_hides_the_password() {
    let config = parse(r#"{"source": "bitcoind", "user": "u", "password": "hunter2"}"#);
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn a_source_is_described_without_its_credentials() {
    let config = parse(r#"{"source": "bitcoind", "user": "alice", "password": "hunter2"}"#);
    let name = config.open(Network::Signet).unwrap().describe();
    assert_eq!(name, "bitcoind at http://127.0.0.1:38332");
}

#[test]
fn network_names_are_read_back() {
    for network in [REAL_NETWORKS.as_slice(), &[Network::Regtest]].concat() {
        assert_eq!(parse_network(network_name(network)).unwrap(), network);
    }
    assert_eq!(parse_network("bitcoin").unwrap(), Network::Bitcoin);
    assert!(parse_network("Mainnet").is_err());
}

#[test]
fn the_chain_hash_is_the_genesis_hash_in_internal_byte_order() {
    for network in [REAL_NETWORKS.as_slice(), &[Network::Regtest]].concat() {
        assert_eq!(chain_hash(network), genesis_block(network).block_hash().to_byte_array());
    }
    assert_eq!(chain_hash(Network::Bitcoin)[31], 0, "the zeros of the work come last");
}
