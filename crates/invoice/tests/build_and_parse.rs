//! Every invoice that we build can be read, and a text that cannot be read gets a sentence.

use bitcoin::Network;
use bitcoin::secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
use bitcoin::secp256k1::{Message, PublicKey, SECP256K1, SecretKey};
use lightning_invoice::{Currency, InvoiceBuilder};
use lightning_types::payment::PaymentSecret;
use proptest::prelude::*;
use steward_invoice::limits::{
    MAX_AMOUNT_MSAT, MAX_CREATED_AT_UNIX, MAX_DESCRIPTION_BYTES, MAX_EXPIRY_S, MAX_INVOICE_CHARS,
};
use steward_invoice::{BuildError, Description, HintHop, NewInvoice, ParseError, build, parse};
use steward_wire::{NodeId, PaymentHash, ShortChannelId};

const NOW: u64 = 1_790_000_000;

fn key(n: u8) -> SecretKey {
    SecretKey::from_slice(&[n; 32]).unwrap()
}

fn node_id(n: u8) -> NodeId {
    NodeId::from(PublicKey::from_secret_key(SECP256K1, &key(n)))
}

fn hosted_hint() -> HintHop {
    HintHop {
        node_id: node_id(2),
        scid: ShortChannelId(u64::MAX),
        fee_base_msat: 1_000,
        fee_ppm: 1_000,
        cltv_expiry_delta: 144,
    }
}

fn coffee() -> NewInvoice {
    NewInvoice {
        network: Network::Bitcoin,
        payment_hash: PaymentHash([3; 32]),
        payment_secret: [4; 32],
        amount_msat: Some(2_500_000),
        description: Description::Text("coffee ☕".to_owned()),
        created_at_unix: NOW,
        expiry_s: 3_600,
        min_final_cltv_expiry_delta: 144,
        hints: vec![vec![hosted_hint()]],
        basic_mpp: true,
    }
}

/// The library's builder, for invoices that ours does not make. It is a macro because the type of
/// the builder cannot be named.
macro_rules! by_hand {
    ($currency:expr) => {
        InvoiceBuilder::new($currency)
            .description(String::new())
            .payment_hash(lightning_types::payment::PaymentHash([3; 32]))
            .duration_since_epoch(std::time::Duration::from_secs(NOW))
            .min_final_cltv_expiry_delta(144)
            .payment_secret(PaymentSecret([4; 32]))
    };
}

#[test]
fn the_same_input_gives_the_same_text() {
    assert_eq!(build(&coffee(), &key(1)), build(&coffee(), &key(1)));
}

#[test]
fn an_invoice_names_payee_and_hosted_channel() {
    let invoice = parse(&build(&coffee(), &key(1)).unwrap()).unwrap();
    assert_eq!(invoice.payee, node_id(1));
    assert_eq!(invoice.hints, [[hosted_hint()]]);
}

#[test]
fn scheme_case_and_white_space_do_not_matter() {
    let text = build(&coffee(), &key(1)).unwrap();
    let invoice = parse(&text).unwrap();
    for variant in [
        text.to_ascii_uppercase(),
        format!("lightning:{text}"),
        format!("LIGHTNING:{}", text.to_ascii_uppercase()),
        format!("lightning://{text}"),
        format!(" {text}\n"),
    ] {
        assert_eq!(parse(&variant).as_ref(), Ok(&invoice), "{variant}");
    }
}

#[test]
fn a_mistyped_character_is_a_bad_checksum() {
    let text = build(&coffee(), &key(1)).unwrap();
    for place in [30, text.len() / 2, text.len() - 1] {
        let mut typo = text.clone().into_bytes();
        typo[place] = if typo[place] == b'q' { b'p' } else { b'q' };
        let typo = String::from_utf8(typo).unwrap();
        assert_eq!(parse(&typo), Err(ParseError::BadChecksum));
    }
}

/// BOLT 11: with an `n` field, a high `S` must be refused.
#[test]
fn a_signature_with_a_high_s_is_refused_if_the_payee_is_named() {
    let key = key(1);
    let sign_high = |hash: &Message| {
        let (id, signature) = SECP256K1.sign_ecdsa_recoverable(hash, &key).serialize_compact();
        let mut high = signature;
        let s = SecretKey::from_slice(&signature[32..]).unwrap().negate();
        high[32..].copy_from_slice(&s.secret_bytes());
        let id = RecoveryId::from_i32(id.to_i32() ^ 1).unwrap();
        RecoverableSignature::from_compact(&high, id).unwrap()
    };
    let payee = PublicKey::from_secret_key(SECP256K1, &key);
    let named = by_hand!(Currency::Regtest)
        .payee_pub_key(payee)
        .build_signed(sign_high)
        .unwrap()
        .to_string();
    assert_eq!(parse(&named), Err(ParseError::BadSignature));
    let unnamed = by_hand!(Currency::Regtest).build_signed(sign_high).unwrap().to_string();
    assert_eq!(parse(&unnamed).unwrap().payee, node_id(1));
}

#[test]
fn an_invoice_expires_at_its_second() {
    let invoice = parse(&build(&coffee(), &key(1)).unwrap()).unwrap();
    assert!(!invoice.is_expired(NOW + 3_599));
    assert!(invoice.is_expired(NOW + 3_600));
    let forever = NewInvoice { expiry_s: MAX_EXPIRY_S, ..coffee() };
    let invoice = parse(&build(&forever, &key(1)).unwrap()).unwrap();
    assert!(!invoice.is_expired(NOW + 1_000_000_000));
}

#[test]
fn an_invoice_of_another_chain_is_refused_by_name() {
    let networks =
        [Network::Bitcoin, Network::Testnet, Network::Signet, Network::Regtest, Network::Testnet4];
    for network in networks {
        let invoice = parse(&build(&NewInvoice { network, ..coffee() }, &key(1)).unwrap()).unwrap();
        for ours in networks {
            let prefix = |network| match network {
                Network::Testnet4 => Network::Testnet,
                other => other,
            };
            let same = prefix(network) == prefix(ours);
            assert_eq!(invoice.check_network(ours).is_ok(), same, "{network} {ours}");
        }
    }
    let regtest = NewInvoice { network: Network::Regtest, ..coffee() };
    let error = parse(&build(&regtest, &key(1)).unwrap()).unwrap().check_network(Network::Bitcoin);
    let told = error.unwrap_err().to_string();
    assert_eq!(told, "the invoice is for regtest, this node is on mainnet");
}

#[test]
fn an_invoice_for_simnet_is_refused() {
    let sign = |hash: &Message| SECP256K1.sign_ecdsa_recoverable(hash, &key(1));
    let simnet = by_hand!(Currency::Simnet).build_signed(sign).unwrap().to_string();
    assert_eq!(parse(&simnet), Err(ParseError::UnknownNetwork));
}

#[test]
fn an_amount_that_overflows_is_not_read_as_none() {
    let mut raw = by_hand!(Currency::Regtest).build_raw().unwrap();
    raw.hrp.raw_amount = Some(100_000_000_000);
    let sign = |hash: &Message| Ok::<_, ()>(SECP256K1.sign_ecdsa_recoverable(hash, &key(1)));
    let text = raw.sign(sign).unwrap().to_string();
    assert!(text.starts_with("lnbcrt1000000000001"));
    assert_eq!(parse(&text), Err(ParseError::BadAmount));
}

#[test]
fn a_text_that_is_not_an_invoice_is_refused() {
    for text in
        ["", "lightning:", "hello", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "ℓ", "lnbc"]
    {
        let error = parse(text).unwrap_err();
        assert!(!error.to_string().is_empty(), "{text}");
    }
    assert_eq!(parse("hello"), Err(ParseError::NotAnInvoice));
    assert_eq!(parse(&"l".repeat(MAX_INVOICE_CHARS + 1)), Err(ParseError::TooLong));
}

#[test]
fn what_does_not_fit_an_invoice_is_refused() {
    let refusal = |new: NewInvoice| build(&new, &key(1)).unwrap_err();
    let text = |len| Description::Text("x".repeat(len));
    let long = NewInvoice { description: text(MAX_DESCRIPTION_BYTES + 1), ..coffee() };
    assert_eq!(refusal(long), BuildError::DescriptionTooLong);
    assert!(
        build(&NewInvoice { description: text(MAX_DESCRIPTION_BYTES), ..coffee() }, &key(1))
            .is_ok()
    );
    assert_eq!(refusal(NewInvoice { amount_msat: Some(0), ..coffee() }), BuildError::AmountZero);
    let rich = NewInvoice { amount_msat: Some(u64::MAX), ..coffee() };
    assert_eq!(refusal(rich), BuildError::AmountTooLarge);
    let late = NewInvoice { created_at_unix: MAX_CREATED_AT_UNIX + 1, ..coffee() };
    assert_eq!(refusal(late), BuildError::CreatedAtOutOfRange);
    let eternal = NewInvoice { expiry_s: MAX_EXPIRY_S + 1, ..coffee() };
    assert_eq!(refusal(eternal), BuildError::ExpiryTooLong);
    for hops in [0, 13] {
        let hints = vec![vec![hosted_hint(); hops]];
        assert_eq!(refusal(NewInvoice { hints, ..coffee() }), BuildError::BadHintLength);
    }
    let nowhere = HintHop { node_id: NodeId([0; 33]), ..hosted_hint() };
    let hints = vec![vec![nowhere]];
    assert_eq!(refusal(NewInvoice { hints, ..coffee() }), BuildError::BadHintNode);
    let hints = vec![vec![hosted_hint(); 12]; 10];
    assert_eq!(refusal(NewInvoice { hints, ..coffee() }), BuildError::TooLong);
}

fn any_hint() -> impl Strategy<Value = HintHop> {
    (1u8..250, any::<u64>(), any::<u32>(), any::<u32>(), any::<u16>()).prop_map(
        |(node, scid, fee_base_msat, fee_ppm, cltv_expiry_delta)| HintHop {
            node_id: node_id(node),
            scid: ShortChannelId(scid),
            fee_base_msat,
            fee_ppm,
            cltv_expiry_delta,
        },
    )
}

fn any_description() -> impl Strategy<Value = Description> {
    let text = "\\PC{0,150}".prop_map(Description::Text);
    prop_oneof![text, any::<[u8; 32]>().prop_map(Description::Hash)]
}

prop_compose! {
    fn any_invoice()(
        payment_hash: [u8; 32],
        payment_secret: [u8; 32],
        amount_msat in proptest::option::of(1..=MAX_AMOUNT_MSAT),
        description in any_description(),
        created_at_unix in 0..=MAX_CREATED_AT_UNIX,
        expiry_s in 0..=MAX_EXPIRY_S,
        min_final_cltv_expiry_delta: u16,
        hints in proptest::collection::vec(proptest::collection::vec(any_hint(), 1..4), 0..4),
        basic_mpp: bool,
    ) -> NewInvoice {
        NewInvoice {
            network: Network::Regtest,
            payment_hash: PaymentHash(payment_hash),
            payment_secret,
            amount_msat,
            description,
            created_at_unix,
            expiry_s,
            min_final_cltv_expiry_delta,
            hints,
            basic_mpp,
        }
    }
}

proptest! {
    #[test]
    fn every_invoice_reads_back_as_it_was_made(new in any_invoice(), payee in 1u8..250) {
        let text = build(&new, &key(payee)).unwrap();
        let invoice = parse(&text).unwrap();
        prop_assert_eq!(invoice.text, text);
        prop_assert_eq!(invoice.network, new.network);
        let payee = NodeId::from(PublicKey::from_secret_key(SECP256K1, &key(payee)));
        prop_assert_eq!(invoice.payee, payee);
        prop_assert_eq!(invoice.payment_hash, new.payment_hash);
        prop_assert_eq!(invoice.payment_secret, new.payment_secret);
        prop_assert_eq!(invoice.amount_msat, new.amount_msat);
        prop_assert_eq!(invoice.description, new.description);
        prop_assert_eq!(invoice.created_at_unix, new.created_at_unix);
        prop_assert_eq!(invoice.expiry_s, new.expiry_s);
        let delta = u32::from(new.min_final_cltv_expiry_delta);
        prop_assert_eq!(invoice.min_final_cltv_expiry_delta, delta);
        prop_assert_eq!(invoice.hints, new.hints);
        prop_assert_eq!(invoice.basic_mpp, new.basic_mpp);
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,200}", tail in "[qpzry9x8gf2tvdw0s3jn54khce6mua7l]{0,300}") {
        let _ = parse(&text);
        let _ = parse(&format!("lnbc1{tail}"));
        let _ = parse(&format!("lightning:{text}"));
    }
}
