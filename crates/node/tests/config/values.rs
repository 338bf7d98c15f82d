//! The values: defaults, and those that endanger money or a door are refused or warned of.

use std::fs;

use crate::setup::setup;

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
