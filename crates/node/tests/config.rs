//! Configuration: which source overrides which, the refusals and their words.

use std::fs;
use std::os::unix::fs::PermissionsExt;
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
        "host.fee_ppm=100001",
        "host.fee_ppm=1000000000",
        "host.fee_base_msat=10000001",
        "host.cltv_delta_blocks=1009",
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
    let warnings = config.check().unwrap();
    let keys: Vec<_> = warnings.iter().map(|warning| warning.key).collect();
    assert_eq!(keys, ["host.min_htlc_sat", "host.max_in_flight_sat"]);
    assert_eq!(warnings[1].message, "at most 99 999 sat may be in flight");
}

#[test]
fn the_networks_are_shown_in_one_spelling_and_read_in_both() {
    for name in ["mainnet", "bitcoin"] {
        let loaded = setup().flag(&format!("network={name}")).load().unwrap();
        let shown = loaded.entries().find(|entry| entry.key.path() == "network").unwrap();
        assert_eq!(shown.value.as_deref(), Some("\"mainnet\""));
        assert!(shown.key.doc.contains("mainnet (`bitcoin` is the same)"), "{}", shown.key.doc);
    }
    let refused = setup().flag("network=main net").load().unwrap_err().to_string();
    assert!(refused.contains("mainnet (`bitcoin` is the same)"), "{refused}");
}

/// Returns the secrets that the engine takes.
fn secrets(setup: &Setup) -> Result<Vec<Vec<u8>>, ConfigError> {
    Ok(setup.load()?.config.engine_config()?.host.secrets)
}

#[test]
fn a_secret_that_is_empty_or_that_no_client_can_type_is_refused() {
    let long = "x".repeat(129);
    for secret in ["", "hex:", " s", "s ", "\ts", "s\n", "\u{a0}s", &long, "hex:0"] {
        let text = format!("[host]\nsecrets = [\"good\", {secret:?}]\n");
        let problem = setup().file(&text.replace("\\u{a0}", "\u{a0}")).unusable();
        assert!(problem.contains("a secret in host.secrets"), "{secret:?}: {problem}");
        assert!(!problem.contains(&long));
        if !secret.is_empty() {
            let by_flag = setup().flag(&format!("host.secrets={secret}"));
            assert!(by_flag.load().is_err() || by_flag.load().unwrap().config.check().is_err());
        }
    }
    let longest = format!("host.secrets={}", "x".repeat(128));
    assert_eq!(secrets(&setup().flag(&longest)).unwrap().len(), 1);
}

#[test]
fn an_empty_list_of_secrets_is_only_meant_if_it_is_written() {
    let error = setup().env("STEWARD_HOST__SECRETS", "").error();
    assert!(error.contains("STEWARD_HOST__SECRETS: `host.secrets`: it is empty"), "{error}");
    assert!(setup().flag("host.secrets=").error().contains("it is empty"));
    assert!(secrets(&setup().env("STEWARD_HOST__SECRETS", "[]")).unwrap().is_empty());
    let no_secret = setup().flag("host.require_secret=true").flag("host.secrets=[]");
    assert!(no_secret.unusable().contains("host.require_secret"));
}

#[test]
fn a_secret_with_a_comma_is_taken_whole_or_refused() {
    for (given, meant) in [
        ("correct horse", vec!["correct horse"]),
        (r#"["correct,horse"]"#, vec!["correct,horse"]),
        (r#"["correct", "horse"]"#, vec!["correct", "horse"]),
        ("['correct,horse']", vec!["correct,horse"]),
    ] {
        let meant: Vec<Vec<u8>> = meant.iter().map(|text| text.as_bytes().to_vec()).collect();
        assert_eq!(secrets(&setup().env("STEWARD_HOST__SECRETS", given)).unwrap(), meant);
        assert_eq!(secrets(&setup().flag(&format!("host.secrets={given}"))).unwrap(), meant);
    }
    for unclear in ["correct,horse", "correct,", "[correct]", "[\"correct\"", "[\"a\"],b"] {
        let error = setup().env("STEWARD_HOST__SECRETS", unclear).error();
        assert!(error.contains("one secret or several"), "{unclear}: {error}");
        assert!(!error.contains("correct"), "{error}");
    }
}

#[test]
fn secrets_come_from_a_file_as_well() {
    let file = |text: &str| {
        let setup = setup().flag("host.require_secret=true");
        let path = setup.dir.path().join("secrets");
        fs::write(&path, text).unwrap();
        setup.flag(&format!("host.secrets_file={}", path.display()))
    };
    let two = secrets(&file("correct,horse\r\n\nhex:00ff\n")).unwrap();
    assert_eq!(two, [b"correct,horse".to_vec(), vec![0, 0xff]]);
    let joined = secrets(&file("a").flag("host.secrets=b")).unwrap();
    assert_eq!(joined, [b"b".to_vec(), b"a".to_vec()]);
    for (text, problem) in [
        ("", "holds no secret"),
        ("\n \n", "holds no secret"),
        ("a\n b\n", "white space"),
        ("hex:\n", "is empty"),
    ] {
        assert!(file(text).unusable().contains(problem), "{text:?}");
    }
    let missing = setup().flag("host.secrets_file=/nonexistent/secrets");
    assert!(missing.unusable().contains("/nonexistent/secrets"));
}

#[test]
fn files_with_secrets_must_be_private() {
    let mode = |path: &std::path::Path, mode| {
        fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    };
    let with_secret = setup().file("[host]\nsecrets = [\"s\"]\n");
    let in_the_group = with_secret.path();
    for (bits, is_private) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false)] {
        mode(&in_the_group, bits);
        let checked = with_secret.load().unwrap().check_private();
        assert_eq!(checked.is_ok(), is_private, "{bits:o}");
        let Err(error) = checked else { continue };
        assert!(error.to_string().contains("my.toml"), "{error}");
        assert!(error.hint().contains("chmod 600"), "{}", error.hint());
    }
    let without = setup().file("[host]\nfee_ppm = 1\n");
    mode(&without.path(), 0o644);
    assert!(without.load().unwrap().check_private().is_ok());
    for key in ["host.secrets_file", "chain.password_file"] {
        let setup = setup();
        let path = setup.dir.path().join("secret");
        fs::write(&path, "s\n").unwrap();
        let setup = setup.flag(&format!("{key}={}", path.display()));
        mode(&path, 0o644);
        assert!(setup.load().unwrap().check_private().is_err(), "{key}");
        mode(&path, 0o600);
        assert!(setup.load().unwrap().check_private().is_ok(), "{key}");
    }
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
fn a_log_level_that_does_not_parse_is_refused() {
    for level in ["info", "WARN", "info,steward_p2p=debug", "warn, steward_node::node=trace", "off"]
    {
        let set = setup().flag(&format!("log.level={level}"));
        assert!(set.load().unwrap().config.check().is_ok(), "{level}");
    }
    for level in ["banana", "", "info,banana", "steward_p2p=loud", "=info", "info,,warn", "5"] {
        let problem = setup().flag(&format!("log.level={level}")).unusable();
        assert!(problem.contains("log.level"), "{level}: {problem}");
    }
    let silent = setup().flag("log.level=steward_p2p=debug").unusable();
    assert!(silent.contains("nothing else would be logged"), "{silent}");
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
