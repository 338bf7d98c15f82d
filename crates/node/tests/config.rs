//! Configuration: who overrides whom, what is refused and in which words.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers are tests too")]

use std::fs;
use std::path::PathBuf;

use steward_node::config::{Config, Origin, sample_toml};
use steward_node::{ConfigError, EffectiveConfig, Sources};

struct Setup {
    dir: tempfile::TempDir,
    sources: Sources,
}

fn setup() -> Setup {
    let dir = tempfile::tempdir().unwrap();
    let data_dir = format!("data_dir={}", dir.path().display());
    Setup { sources: Sources { overrides: vec![data_dir], ..Sources::default() }, dir }
}

impl Setup {
    fn file(mut self, text: &str) -> Self {
        let path = self.path();
        fs::write(&path, text).unwrap();
        self.sources.file = Some(path);
        self
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.sources.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    fn flag(mut self, text: &str) -> Self {
        self.sources.overrides.push(text.to_owned());
        self
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("my.toml")
    }

    fn load(&self) -> Result<EffectiveConfig, ConfigError> {
        EffectiveConfig::load(&self.sources)
    }

    fn error(&self) -> String {
        self.load().unwrap_err().to_string().replace(&self.path().display().to_string(), "FILE")
    }

    fn unusable(&self) -> String {
        self.load().unwrap().config.check().unwrap_err().to_string()
    }
}

#[test]
fn defaults_of_a_host_are_those_of_the_design() {
    let config = setup().flag("host.enabled=true").load().unwrap().config;
    let engine = config.engine_config().unwrap();
    let mut expected = steward_engine::Config {
        network: bitcoin::Network::Regtest,
        chain_hash: steward_chain::chain_hash(bitcoin::Network::Regtest),
        host: steward_engine::config::HostConfig::default(),
        policy: steward_engine::Policy::default(),
        accept_keysend: true,
    };
    assert_eq!(engine, expected);
    expected.host.max_channels += 1;
    assert_ne!(engine, expected);
}

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
    let effective = setup().flag("host.secrets=a, b").load().unwrap();
    let entries: Vec<_> = effective.entries().collect();
    assert_eq!(entries.len(), Config::keys().count());
    assert!(entries.iter().all(|entry| !entry.key.doc.trim().is_empty()));
    // Nor does any speak of what does not exist.
    assert!(!entries.iter().any(|entry| entry.key.doc.contains("invitation")));
    let capacity = entries.iter().find(|entry| entry.key.path() == "host.capacity_sat").unwrap();
    assert_eq!(capacity.value.as_deref(), Some("1000000"));
}

#[test]
fn secrets_are_not_shown() {
    let effective = setup()
        .flag("host.secrets=topsecret")
        .flag("chain.source=bitcoind")
        .flag("chain.user=me")
        .flag("chain.password=topsecret")
        .load()
        .unwrap();
    let shown: Vec<_> = effective.entries().filter_map(|entry| entry.value).collect();
    assert!(!shown.iter().any(|value| value.contains("topsecret")));
    assert!(!format!("{effective:?}").contains("topsecret"));
    assert_eq!(shown.iter().filter(|value| *value == "***").count(), 2);
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
    let none = setup().flag("listen.addresses=").load().unwrap().config;
    assert_eq!(none.listen.addresses, Some(Vec::new()));
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
    assert!(error.contains("`network`: expected mainnet, testnet"), "{error}");
}

#[test]
fn a_wrong_secret_is_not_repeated_in_the_error() {
    let error = setup().file("[chain]\npassword = [\"topsecret\"]\n").error();
    assert_eq!(error, "FILE, line 2: `chain.password`: the value does not fit");
}

#[test]
fn mainnet_needs_a_real_chain_source() {
    assert!(setup().flag("network=bitcoin").unusable().contains("needs a chain source"));
    let on_clock = setup().flag("network=mainnet").flag("chain.source=clock");
    assert!(on_clock.unusable().contains("cannot run on a clock"));
}

#[test]
fn terms_that_endanger_money_are_refused() {
    for flag in [
        "host.cltv_delta_blocks=33",
        "host.max_htlcs=22",
        "host.max_htlcs=0",
        "host.capacity_sat=0",
        "host.max_capacity_sat=999999",
        "host.max_in_flight_sat=1000001",
        "host.initial_client_balance_sat=1000001",
        "host.require_secret=true",
        "host.brand_color=red",
        "host.secrets=hex:xyz",
    ] {
        let problem = setup().flag(flag).unusable();
        assert!(problem.contains("host."), "{flag}: {problem}");
    }
}

#[test]
fn a_node_is_a_wallet_that_listens_nowhere_until_told_to_host() {
    let wallet = setup().load().unwrap().config;
    assert!(wallet.listen_addresses().is_empty());
    assert!(!wallet.engine_config().unwrap().host.accept_new_channels);
    let host = setup().flag("host.enabled=true").load().unwrap().config;
    assert_eq!(host.listen_addresses(), ["0.0.0.0:9735".parse().unwrap()]);
    assert!(host.engine_config().unwrap().host.accept_new_channels);
    let silent = setup().flag("host.enabled=true").flag("listen.addresses=").load().unwrap();
    assert!(silent.config.listen_addresses().is_empty());
}

#[test]
fn a_wallet_that_shall_listen_is_told_what_is_missing() {
    let setup = setup().flag("listen.addresses=127.0.0.1:1");
    assert!(setup.unusable().contains("host.enabled is not"));
    assert!(setup.flag("host.enabled=true").load().unwrap().config.check().is_ok());
}

#[test]
fn a_door_that_is_open_to_strangers_is_warned_of() {
    let warned = |flags: &[&str]| -> Vec<&'static str> {
        let setup = flags.iter().fold(setup(), |setup, flag| setup.flag(flag));
        let warnings = setup.load().unwrap().config.check().unwrap();
        warnings.into_iter().map(|warning| warning.key).collect()
    };
    let gift = "host.initial_client_balance_sat=1";
    let secret = ["host.require_secret=true", "host.secrets=a", "host.enabled=true", gift];
    assert_eq!(warned(&["host.enabled=true"]), ["host.require_secret"]);
    let both = ["host.require_secret", "host.initial_client_balance_sat"];
    assert_eq!(warned(&["host.enabled=true", gift]), both);
    assert!(warned(&secret).is_empty());
    assert!(warned(&["host.enabled=true", gift, "host.accept_new_channels=false"]).is_empty());
    assert_eq!(warned(&["host.fee_ppm=1"]), ["host.enabled"]);
}

#[test]
fn terms_that_immortan_wallets_refuse_are_warned_of() {
    let config = setup()
        .flag("host.enabled=true")
        .flag("host.accept_new_channels=false")
        .flag("host.min_htlc_sat=547")
        .flag("host.max_in_flight_sat=99999")
        .load()
        .unwrap()
        .config;
    let keys: Vec<_> = config.check().unwrap().into_iter().map(|warning| warning.key).collect();
    assert_eq!(keys, ["host.min_htlc_sat", "host.max_in_flight_sat"]);
}

#[test]
fn branding_is_read_from_its_files() {
    let setup =
        setup().file("[host]\nbrand_color = \"#0a0b0c\"\nbrand_png = \"x.png\"\ncontact = \"c\"\n");
    let config = setup.load().unwrap().config;
    assert!(config.engine_config().unwrap_err().to_string().contains("x.png"));
    fs::write(setup.dir.path().join("x.png"), b"GIF89a").unwrap();
    assert!(config.engine_config().unwrap_err().to_string().contains("not a PNG"));
    fs::write(setup.dir.path().join("x.png"), b"\x89PNG\r\n\x1a\nrest").unwrap();
    let branding = config.engine_config().unwrap().host.branding.unwrap();
    assert_eq!((branding.rgb, branding.contact_info.as_str()), ([10, 11, 12], "c"));
}

#[test]
fn an_api_beyond_loopback_needs_tls_a_socket_or_a_key_that_says_insecure() {
    let with = |settings: &[&str]| {
        let settings = settings.iter().map(|setting| (*setting).to_owned());
        let mut setup = setup();
        setup.sources.overrides.extend(settings);
        setup.load().unwrap().config.check()
    };
    let refused = with(&["api.address=0.0.0.0:9737"]).unwrap_err();
    assert!(refused.to_string().contains("without encryption"), "{refused}");
    assert!(refused.hint().contains("api.insecure"), "{}", refused.hint());
    assert!(with(&["api.address=[::]:9737"]).is_err());
    let allowed = with(&["api.address=0.0.0.0:9737", "api.insecure=true"]).unwrap();
    assert!(allowed.iter().any(|warning| warning.key == "api.address"), "{allowed:?}");
    let tls = ["api.address=0.0.0.0:9737", "api.tls_certificate=/c", "api.tls_key=/k"];
    assert!(with(&tls).unwrap().iter().all(|warning| warning.key != "api.address"));
    with(&["api.address=0.0.0.0:9737", "api.socket=/s"]).unwrap();
    with(&["api.tls_certificate=/c"]).unwrap_err();
    with(&["api.tls_key=/k"]).unwrap_err();
    with(&["api.socket=/s", "api.tls_certificate=/c", "api.tls_key=/k"]).unwrap_err();
}
