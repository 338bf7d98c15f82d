//! Addresses as users write them.

use proptest::prelude::*;
use steward_p2p::{Host, ParseAddressError, PeerAddress};

fn host_of(text: &str) -> Host {
    text.parse::<PeerAddress>().unwrap().host
}

#[test]
fn each_kind_of_host_is_recognised() {
    assert_eq!(host_of("10.0.0.1:9735"), Host::Ip("10.0.0.1".parse().unwrap()));
    assert_eq!(host_of("[::1]:9735"), Host::Ip("::1".parse().unwrap()));
    assert_eq!(host_of("Node.Example.COM:9735"), Host::Name("node.example.com".to_owned()));
    assert_eq!(host_of("abc.ONION:9735"), Host::Onion("abc.onion".to_owned()));
}

#[test]
fn without_a_port_it_is_that_of_lightning() {
    for (text, meant) in [
        ("example.com", "example.com:9735"),
        ("10.0.0.1", "10.0.0.1:9735"),
        ("[::1]", "[::1]:9735"),
        ("abc.onion", "abc.onion:9735"),
    ] {
        assert_eq!(text.parse::<PeerAddress>().unwrap().to_string(), meant);
    }
}

#[test]
fn an_address_is_written_as_it_is_read() {
    for text in ["10.0.0.1:9735", "[2001:db8::1]:1", "node.example.com:65535", "abc.onion:9735"] {
        assert_eq!(text.parse::<PeerAddress>().unwrap().to_string(), text);
    }
}

#[test]
fn a_text_that_is_not_an_address_is_refused_with_a_reason() {
    let parse = |text: &str| text.parse::<PeerAddress>().unwrap_err();
    for text in ["example.com:", "example.com:0", "example.com:65536", "example.com:+1"] {
        assert_eq!(parse(text), ParseAddressError::InvalidPort, "{text}");
    }
    for text in [
        ":1",
        "::1:9735",
        "2001:db8::1",
        "[::1",
        "",
        "[::1:9735",
        "[10.0.0.1]:1",
        "a b:1",
        "a..b:1",
        "@host:1",
    ] {
        assert_eq!(parse(text), ParseAddressError::InvalidHost, "{text}");
    }
    assert_eq!(parse(&format!("{}:1", "a.".repeat(200))), ParseAddressError::InvalidHost);
}

proptest! {
    #[test]
    fn any_text_parses_or_is_refused_without_panic(text in "\\PC{0,40}") {
        if let Ok(address) = text.parse::<PeerAddress>() {
            prop_assert_eq!(address.to_string().parse::<PeerAddress>().unwrap(), address);
        }
    }
}
