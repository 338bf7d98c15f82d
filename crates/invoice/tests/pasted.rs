//! What people paste: every form of an invoice is read, and everything else is named.

use bitcoin::Network;
use bitcoin::secp256k1::SecretKey;
use proptest::prelude::*;
use steward_invoice::pasted::{Other, PasteError, read};
use steward_invoice::{Description, NewInvoice, ParseError, WrongNetwork, build};
use steward_wire::Preimage;

fn invoice() -> String {
    build(
        &NewInvoice {
            network: Network::Regtest,
            payment_hash: Preimage([2; 32]).hash(),
            payment_secret: [3; 32],
            amount_msat: Some(1_000_000),
            description: Description::Text("coffee".to_owned()),
            created_at_unix: 1_790_000_000,
            expiry_s: 3_600,
            min_final_cltv_expiry_delta: 144,
            hints: Vec::new(),
            basic_mpp: true,
        },
        &SecretKey::from_slice(&[1; 32]).unwrap(),
    )
    .unwrap()
}

const ADDRESS: &str = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";

#[test]
fn an_invoice_is_found_in_every_form_in_which_people_paste_it() {
    let invoice = invoice();
    let upper = invoice.to_ascii_uppercase();
    let (start, end) = invoice.split_at(50);
    for text in [
        invoice.clone(),
        upper.clone(),
        format!("lightning:{invoice}"),
        format!("LIGHTNING:{upper}"),
        format!("lightning://{invoice}"),
        format!("lightning: {invoice}"),
        format!("web+lightning:{invoice}"),
        format!("bitcoin:{ADDRESS}?amount=0.00001&lightning={invoice}"),
        format!("BITCOIN:{}?amount=0.00001&LIGHTNING={upper}", ADDRESS.to_ascii_uppercase()),
        format!("bitcoin:?lightning={invoice}"),
        format!("bitcoin:{ADDRESS}?label=a%20b&lightning={invoice}&pj=x#there"),
        format!("bitcoin:{ADDRESS}?lightning=lightning%3A{invoice}"),
        format!("https://pay.example/?lightning={invoice}"),
        format!("{start}\r\n  {end}"),
        format!("> {start}\n> {end}").replace("> ", " "),
        format!("\u{feff}{invoice}"),
        format!("{start}\u{200b}{end}\u{200b}"),
        format!("\"{invoice}\""),
        format!("'{invoice}'\n"),
        format!("“{invoice}”"),
        format!("<lightning:{invoice}>"),
        format!("\u{a0}{invoice}\t"),
    ] {
        let read = read(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(read.text, invoice, "{text}");
    }
}

#[test]
fn a_text_that_is_not_an_invoice_is_named() {
    let node = format!("02{}@127.0.0.1:9735", "ab".repeat(32));
    for (text, expected) in [
        (
            "lno1qcp4256ypqpq86q2pucnq42ngssx2an9wfujqerp0y2pqun4wd68jtn00fkxzcnn9ehhyec6qgqsz83qfwdpl28qqmc78ymlvhmxcsywdk5wrjnj36jryg488qwlrnzyjczlqsp9nyu4phcg6dqhlhzgxagfu7zh3d9re0sqp9ts2yfugvnnm9gxkcnnnkdpa084a6t520h5zhkxsdnghvpukvd43lastpwuh73k29qsy",
            Other::Offer,
        ),
        ("LNO1PG9", Other::Offer),
        ("bitcoin:?lno=lno1pg9", Other::Offer),
        ("lni1qqg", Other::Bolt12),
        (
            "lnurl1dp68gurn8ghj7um9wfmxjcm99e3k7mf0v9cxj0m385ekvcenxc6r2c35xvukxefcv5mkvv34x5ekzd3ev56nyd3hxqurzepexejxxepnxscrvwfnv9nxzcn9xq6xyefhvgcxxcmyxymnserxfq5fns",
            Other::Lnurl,
        ),
        ("lightning:LNURL1DP68", Other::Lnurl),
        ("lnurlp://example.com/x", Other::Lnurl),
        ("satoshi@example.com", Other::LightningAddress),
        ("lightning:satoshi@example.com", Other::LightningAddress),
        (ADDRESS, Other::OnChain),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", Other::OnChain),
        ("1BoatSLRHtKNngkdXEeobR76b53LETtpyT", Other::OnChain),
        ("3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy", Other::OnChain),
        ("bitcoin:bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", Other::OnChain),
        (node.as_str(), Other::Node),
        (node.split('@').next().unwrap(), Other::NodeId),
    ] {
        assert_eq!(read(text).unwrap_err(), PasteError::Other(expected), "{text}");
    }
    let said = read("lno1pg9").unwrap_err().to_string();
    assert_eq!(said, "this is a BOLT12 offer; Steward pays BOLT11 invoices only");
}

#[test]
fn each_hint_fits_what_was_given() {
    let invoice = invoice();
    let cut = &invoice[..invoice.len() - 9];
    let node = format!("02{}", "ab".repeat(32));
    let twice = format!("bitcoin:?lightning={invoice}&lightning={invoice}");
    for (text, fits) in [
        ("lno1pg9", "BOLT12"),
        ("lni1qqg", "BOLT12"),
        ("lnurl1dp68", "LNURL"),
        ("satoshi@example.com", "Lightning addresses"),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "on the chain"),
        (&node, "keysend"),
        (cut, "whole invoice"),
        ("hello", "begins with lnbc"),
        (&twice, "which is meant"),
        (&"l".repeat(100_000), "alone"),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.hint().contains(fits), "{error}: {}", error.hint());
        let is_cut = text == cut;
        assert_eq!(error.hint().contains("whole invoice"), is_cut, "{error}: {}", error.hint());
    }
}

#[test]
fn the_network_of_a_foreign_invoice_is_named_as_everywhere() {
    let error = WrongNetwork { invoice: Network::Bitcoin, ours: Network::Regtest };
    assert_eq!(error.to_string(), "the invoice is for mainnet, this node is on regtest");
}

#[test]
fn a_uri_that_demands_the_unknown_or_names_two_invoices_is_refused() {
    let invoice = invoice();
    let demands = read(&format!("bitcoin:?lightning={invoice}&req-magic=1")).unwrap_err();
    assert_eq!(demands, PasteError::Demands("req-magic".to_owned()));
    let two = read(&format!("bitcoin:?lightning={invoice}&lightning={invoice}")).unwrap_err();
    assert_eq!(two, PasteError::Ambiguous);
}

#[test]
fn nonsense_is_no_invoice_and_is_bounded() {
    for text in ["", "\"\"", "bitcoin:", "lightning:", "ftp://x", "hello", "https://example.com"] {
        let error = read(text).unwrap_err();
        assert!(matches!(error, PasteError::Invoice(_)), "{text}: {error}");
    }
    let long = "l".repeat(100_000);
    assert_eq!(read(&long).unwrap_err(), PasteError::Invoice(ParseError::TooLong));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_without_panic(text in "\\PC{0,200}") {
        let _ = read(&text);
        let _ = read(&format!("bitcoin:{text}"));
        let _ = read(&format!("bitcoin:?lightning={text}"));
    }
}
