//! The sources: which one overrides which, and what each refuses.

use std::fs;

use steward_node::ConfigError;
use steward_node::config::{Config, Origin, sample_toml};

use crate::setup::{Setup, setup};

#[test]
fn a_flag_beats_the_environment_beats_the_file_beats_the_default() {
    let setup = setup();
    let fee = |setup: &Setup| setup.load().unwrap().config.host.fee_ppm;
    assert_eq!(fee(&setup), 1000);
    let setup = setup.file("[host]\nfee_ppm = 1\n");
    assert_eq!(fee(&setup), 1);
    let setup = setup.env("STEWARD_HOST__FEE_PPM", "2");
    assert_eq!(fee(&setup), 2);
    let setup = setup.flag("host.fee_ppm=3");
    assert_eq!(fee(&setup), 3);
}

#[test]
fn the_origin_of_every_value_is_known() {
    let setup = setup()
        .file("[host]\n\nfee_ppm = 1\n")
        .env("STEWARD_HOST__MAX_HTLCS", "7")
        .flag("host.min_htlc_sat=3");
    let effective = setup.load().unwrap();
    let origin = |key| effective.origin(key).to_string();
    assert_eq!(effective.origin("host.fee_ppm"), Origin::File { path: setup.path(), line: 3 });
    assert_eq!(origin("host.max_htlcs"), "environment, STEWARD_HOST__MAX_HTLCS");
    assert_eq!(origin("host.min_htlc_sat"), "flag --set");
    assert_eq!(origin("host.capacity_sat"), "default");
}

#[test]
fn every_key_is_listed_with_value_and_meaning() {
    let effective = setup().flag(r#"host.secrets=["a", "b"]"#).load().unwrap();
    let entries: Vec<_> = effective.entries().collect();
    assert_eq!(entries.len(), Config::keys().count());
    assert!(entries.iter().all(|entry| !entry.key.doc.trim().is_empty()));
    // No text speaks of a key that does not exist.
    assert!(!entries.iter().any(|entry| entry.key.doc.contains("invitation")));
    let capacity = entries.iter().find(|entry| entry.key.path() == "host.capacity_sat").unwrap();
    assert_eq!(capacity.value.as_deref(), Some("1000000"));
}

#[test]
fn every_key_can_be_set_by_environment() {
    for key in Config::keys() {
        let value = match (key.path().as_str(), key.kind) {
            ("chain.source", _) => "clock",
            ("network", _) => "signet",
            ("listen.addresses" | "api.address" | "proxy.socks5", _) => "127.0.0.1:1",
            ("listen.public_addresses", _) => "example.com:9735",
            ("host.adopt_lost_state", _) => {
                "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
            }
            (_, steward_node::config::Kind::Integer) => "1",
            (_, steward_node::config::Kind::Boolean) => "true",
            _ => "/x",
        };
        let mut setup = setup().env(&key.variable(), value);
        if key.name == "data_dir" {
            setup.sources.overrides.clear();
        }
        let effective = setup.load().unwrap();
        let origin = Origin::Environment { variable: key.variable() };
        assert_eq!(effective.origin(&key.path()), origin, "{}", key.path());
        let entry = effective.entries().find(|entry| entry.key == key).unwrap();
        assert!(entry.value.is_some(), "{}", key.path());
    }
}

#[test]
fn the_sample_file_shows_every_key_and_can_be_used_uncommented() {
    let sample = sample_toml();
    let uncommented: String = sample
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if rest.contains(" = ") => format!("{rest}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let setup = setup().file(&uncommented);
    assert_eq!(setup.load().unwrap().config.host, steward_node::config::HostConfig::default());
    for key in Config::keys() {
        assert!(sample.contains(&format!("# {} =", key.name)), "{}", key.path());
    }
}

#[test]
fn the_file_in_the_data_directory_is_read_if_none_is_named() {
    let setup = setup();
    fs::write(setup.dir.path().join("steward.toml"), "[host]\nfee_ppm = 9\n").unwrap();
    assert_eq!(setup.load().unwrap().config.host.fee_ppm, 9);
}

#[test]
fn a_named_file_must_exist() {
    let mut setup = setup();
    setup.sources.file = Some(setup.path());
    assert!(matches!(setup.load(), Err(ConfigError::Unreadable { .. })));
}

#[test]
fn a_relative_path_in_a_file_is_relative_to_the_file() {
    let setup = setup().file("[host]\nbrand_png = \"logo.png\"\n");
    let expected = setup.dir.path().join("logo.png");
    assert_eq!(setup.load().unwrap().config.host.brand_png, Some(expected));
}

#[test]
fn a_relative_path_in_a_flag_is_relative_to_where_the_program_starts() {
    let effective = setup().flag("host.brand_png=logo.png").load().unwrap();
    let whole = std::env::current_dir().unwrap().join("logo.png");
    assert_eq!(effective.config.host.brand_png, Some(whole));
}

#[test]
fn lists_come_from_flags_with_commas() {
    let effective = setup().flag("listen.addresses=127.0.0.1:1, [::1]:2").load().unwrap();
    assert_eq!(effective.config.listen_addresses().len(), 2);
    for none in ["listen.addresses=", "listen.addresses=[]", "listen.addresses= [ ]"] {
        let none = setup().flag(none).load().unwrap().config;
        assert_eq!(none.listen.addresses, Some(Vec::new()));
    }
    let written = setup().flag(r#"listen.addresses=["127.0.0.1:1", "[::1]:2"]"#).load().unwrap();
    assert_eq!(written.config.listen.addresses, effective.config.listen.addresses);
    let first_is_ipv6 = setup().flag("listen.addresses=[::1]:2,127.0.0.1:1").load().unwrap();
    assert_eq!(first_is_ipv6.config.listen_addresses().len(), 2);
}

#[test]
fn a_broken_file_is_named_with_its_line() {
    let error = setup().file("network = \"regtest\"\n[host\n").error();
    assert!(error.starts_with("FILE, line 2: "), "{error}");
}

#[test]
fn an_unknown_key_is_named_with_what_was_meant() {
    let error = setup().file("[host]\nfee_ppn = 1\n").error();
    assert_eq!(error, "FILE, line 2: there is no key `host.fee_ppn`; did you mean `host.fee_ppm`?");
    let error = setup().file("fee_ppm = 1\n").error();
    assert_eq!(error, "FILE, line 1: there is no key `fee_ppm`; did you mean `host.fee_ppm`?");
    let error = setup().file("[guest]\nzzz = 1\n").error();
    assert_eq!(error, "FILE, line 1: there is no key `guest`");
}

#[test]
fn an_unknown_key_in_environment_or_flag_is_refused() {
    let error = setup().env("STEWARD_HOST__FEE", "1").error();
    assert!(error.starts_with("environment, STEWARD_HOST__FEE: there is no key `host.fee`"));
    let error = setup().flag("host.fee=1").error();
    assert!(error.starts_with("flag --set: there is no key `host.fee`"), "{error}");
    assert_eq!(setup().flag("host").error(), "flag --set host: expected section.key=value");
}

#[test]
fn variables_meant_for_the_command_line_are_left_alone() {
    assert!(setup().env("STEWARD_CONFIG", "x").env("PATH", "/bin").load().is_ok());
}

#[test]
fn a_value_of_the_wrong_type_is_named_with_what_was_expected() {
    let error = setup().file("[host]\nmax_htlcs = 70000\n").error();
    assert_eq!(
        error,
        "FILE, line 2: `host.max_htlcs`: expected a number from 0 to 65535, found 70000"
    );
    let error = setup().flag("host.resizable=maybe").error();
    assert_eq!(error, "flag --set: `host.resizable`: expected true or false, found \"maybe\"");
    let error = setup().env("STEWARD_NETWORK", "moonnet").error();
    assert!(
        error.contains("`network`: expected mainnet (`bitcoin` is the same), testnet"),
        "{error}"
    );
}

#[test]
fn a_variable_with_a_wrong_underscore_or_letter_is_refused() {
    for (given, meant) in [
        ("STEWARD_HOST_REQUIRE_SECRET", "STEWARD_HOST__REQUIRE_SECRET"),
        ("STEWARD_HOSTREQUIRE_SECRET", "STEWARD_HOST__REQUIRE_SECRET"),
        ("STEWARD_REQUIRE_SECRET", "STEWARD_HOST__REQUIRE_SECRET"),
        ("STEWARD_HOST_SECRETS", "STEWARD_HOST__SECRETS"),
        ("STEWARD_SECRETS", "STEWARD_HOST__SECRETS"),
        ("STEWARD_HOST_REQIRE_SECRET", "STEWARD_HOST__REQUIRE_SECRET"),
        ("STEWARD_LISTEN_ADDRESSES", "STEWARD_LISTEN__ADDRESSES"),
        ("STEWARD_DATADIR", "STEWARD_DATA_DIR"),
        ("STEWARD_NETWROK", "STEWARD_NETWORK"),
        ("STEWARD_CHAIN_PASSWORD", "STEWARD_CHAIN__PASSWORD"),
    ] {
        let error = setup().env(given, "true").error();
        let said = format!("environment, {given}: it sets nothing; did you mean {meant}?");
        assert_eq!(error, said);
    }
    // These are of a container's neighbours, and of the author of its start script.
    for foreign in [
        "STEWARD_PORT",
        "STEWARD_PORT_9735_TCP_ADDR",
        "STEWARD_SERVICE_HOST",
        "STEWARD_SERVICE_PORT_API",
        "STEWARD_HOST_PORT",
        "STEWARD_API_SERVICE_PORT",
        "STEWARD_USER",
        "STEWARD_VERSION",
        "STEWARD_CONFIG",
    ] {
        assert!(setup().env(foreign, "tcp://10.0.0.1:9735").load().is_ok(), "{foreign}");
    }
}

#[test]
fn a_variable_that_is_not_utf8_is_refused() {
    let error = setup().env("STEWARD_HOST__SECRETS", "caf\u{fffd}").error();
    assert_eq!(error, "environment, STEWARD_HOST__SECRETS: `host.secrets`: it is not UTF-8");
}

#[test]
fn a_home_directory_written_as_a_tilde_is_expanded() {
    let home = std::env::home_dir().unwrap();
    let flag = setup().flag("host.brand_png=~/logo.png").load().unwrap().config;
    assert_eq!(flag.host.brand_png, Some(home.join("logo.png")));
    let file = setup().file("[host]\nbrand_png = \"~/logo.png\"\n").load().unwrap().config;
    assert_eq!(file.host.brand_png, Some(home.join("logo.png")));
    let error = setup().flag("data_dir=~somebody/x").error();
    assert!(error.contains("~somebody/x begins with `~`"), "{error}");
}

#[test]
fn a_file_that_is_not_utf8_is_named_as_what_it_is() {
    let write = |bytes: &[u8]| {
        let setup = setup().file("");
        fs::write(setup.path(), bytes).unwrap();
        setup
    };
    let utf16 = |text: &str, mark: &[u8]| -> Vec<u8> {
        mark.iter().copied().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect()
    };
    let text = "network = \"regtest\"\n";
    assert!(write(&utf16(text, b"\xff\xfe")).error().contains("it is UTF-16"));
    assert!(write(&utf16(text, b"")).error().contains("it is UTF-16"));
    let latin1 = write(b"[host]\n# f\xfcr Freunde\ncontact = \"\xe9\"\n");
    assert_eq!(
        latin1.error(),
        "configuration file FILE: it is not UTF-8 but perhaps Latin-1 (line 2)"
    );
    assert!(latin1.load().unwrap_err().hint().contains("UTF-8"));
    assert!(write(b"\xef\xbb\xbfnetwork = \"signet\"\n").load().is_ok());
}
