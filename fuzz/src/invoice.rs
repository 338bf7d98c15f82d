//! BOLT 11: any text, any fields under a valid checksum, and invoices that we build ourselves.

use bitcoin::Network;
use bitcoin::bech32::primitives::iter::{ByteIterExt, Fe32IterExt};
use bitcoin::bech32::{Bech32, Fe32, Hrp};
use bitcoin::hashes::Hash;
use bitcoin::secp256k1::SecretKey;
use lightning_invoice::{Bolt11Invoice, Bolt11InvoiceDescriptionRef};
use steward_invoice::limits::{MAX_EXPIRY_S, MAX_INVOICE_CHARS};
use steward_invoice::{
    Description, HintHop, Invoice, NewInvoice, ParseError, RequiredFeature, build, parse,
};
use steward_wire::{NodeId, PaymentHash, ShortChannelId};

use crate::bytes::Bytes;
use steward_testkit::onion::node_id;

/// Reads any text.
pub(crate) fn text(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(invoice) = read(text) {
        assert_eq!(invoice.text, invoice.text.to_ascii_lowercase());
        assert!(text.to_ascii_lowercase().contains(&invoice.text));
    }
}

/// Reads the choice of a prefix, the amount, then the fields: five bits of each byte, or all eight
/// of them packed. The checksum, which no fuzzer would guess, is right.
pub(crate) fn fields(data: &[u8]) {
    let mut input = Bytes::new(data);
    let prefix = ["lnbc", "lntb", "lntbs", "lnbcrt", "lnsb", "lnxx"][input.below(6)];
    let amount: String = input.short().iter().take(24).map(|byte| hrp_char(*byte)).collect();
    let Ok(hrp) = Hrp::parse(&format!("{prefix}{amount}")) else { return };
    let packed = input.flag();
    let rest = input.rest();
    let groups: Vec<Fe32> = match packed {
        true => rest.iter().copied().bytes_to_fes().collect(),
        false => rest.iter().map(|byte| Fe32::try_from(byte & 31).unwrap()).collect(),
    };
    let text: String = groups.into_iter().with_checksum::<Bech32>(&hrp).chars().collect();
    let result = read(&text);
    if text.len() <= MAX_INVOICE_CHARS {
        assert_ne!(result.err(), Some(ParseError::TooLong));
        assert_ne!(parse(&text).err(), Some(ParseError::BadChecksum));
    }
}

fn hrp_char(byte: u8) -> char {
    const LETTERS: &[u8; 16] = b"0123456789munp1x";
    char::from(LETTERS[usize::from(byte % 16)])
}

/// Parses. An invoice says the same in every form in which it can be written, and an error is a
/// sentence.
fn read(text: &str) -> Result<Invoice, ParseError> {
    let result = parse(text);
    compare(text, &result);
    match &result {
        Ok(invoice) => {
            assert_eq!(parse(&invoice.text).as_ref(), Ok(invoice));
            assert_eq!(parse(&invoice.text.to_ascii_uppercase()).as_ref(), Ok(invoice));
            assert_eq!(parse(&format!("lightning:{}", invoice.text)).as_ref(), Ok(invoice));
            assert!(invoice.payee.public_key().is_some());
            assert!(invoice.expires_at_unix() >= invoice.created_at_unix);
            assert!(invoice.check_network(invoice.network).is_ok());
            let nodes = invoice.hints.iter().flatten().map(|hop| hop.node_id);
            assert!(nodes.into_iter().all(|node: NodeId| node.public_key().is_some()));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    result
}

/// Compares with the library: what it reads we read, with the same meaning. Where our parser
/// refuses, it refuses something that the library does not check.
fn compare(text: &str, ours: &Result<Invoice, ParseError>) {
    let Ok(theirs) = text.parse::<Bolt11Invoice>() else { return };
    let ours = match ours {
        Ok(ours) => ours,
        Err(ParseError::UnknownFeature(RequiredFeature(56))) => return,
        Err(ParseError::UnknownNetwork) => return assert!(text[..4].eq_ignore_ascii_case("lnsb")),
        Err(ParseError::BadExpiryDelta) => {
            return assert!(u32::try_from(theirs.min_final_cltv_expiry_delta()).is_err());
        }
        // The library reads no amount of more whole bitcoin than 64 bits of tenths of a
        // millisatoshi.
        Err(ParseError::BadAmount) => return assert_eq!(theirs.amount_milli_satoshis(), None),
        // The library verifies the signature over its own spelling.
        Err(ParseError::BadSignature) => {
            return assert_ne!(theirs.to_string(), text.to_ascii_lowercase());
        }
        Err(error) => panic!("the library reads what we refuse: {error}"),
    };
    if theirs.to_string() == ours.text {
        assert_eq!(ours.payee, NodeId::from(theirs.get_payee_pub_key()));
    }
    assert_eq!(ours.payment_hash.0, theirs.payment_hash().0);
    assert_eq!(ours.payment_secret, theirs.payment_secret().0);
    if let Some(amount_msat) = theirs.amount_milli_satoshis() {
        assert_eq!(ours.amount_msat, Some(amount_msat));
    }
    let description = match theirs.description() {
        Bolt11InvoiceDescriptionRef::Direct(text) => Description::Text(text.as_inner().0.clone()),
        Bolt11InvoiceDescriptionRef::Hash(hash) => Description::Hash(hash.0.to_byte_array()),
    };
    assert_eq!(ours.description, description);
    assert_eq!(ours.created_at_unix, theirs.duration_since_epoch().as_secs());
    assert_eq!(ours.expiry_s, theirs.expiry_time().as_secs().min(MAX_EXPIRY_S));
    let delta = u64::from(ours.min_final_cltv_expiry_delta);
    assert_eq!(delta, theirs.min_final_cltv_expiry_delta());
    assert_eq!(ours.metadata.as_ref(), theirs.payment_metadata());
    let basic_mpp = theirs.features().is_some_and(|features| features.supports_basic_mpp());
    assert_eq!(ours.basic_mpp, basic_mpp);
    let addresses: Vec<_> = theirs.fallback_addresses().iter().map(ToString::to_string).collect();
    assert_eq!(ours.fallback_addresses, addresses);
    let route_hints = theirs.route_hints();
    let hints: Vec<_> = route_hints.iter().filter(|hint| !hint.0.is_empty()).collect();
    assert_eq!(ours.hints.len(), hints.len());
    for (ours, theirs) in ours.hints.iter().zip(hints) {
        let theirs = theirs.0.iter().map(|hop| HintHop {
            node_id: NodeId::from(hop.src_node_id),
            scid: ShortChannelId(hop.short_channel_id),
            fee_base_msat: hop.fees.base_msat,
            fee_ppm: hop.fees.proportional_millionths,
            cltv_expiry_delta: hop.cltv_expiry_delta,
        });
        assert!(ours.iter().cloned().eq(theirs));
    }
}

/// Checks that an invoice that we build is read back with every field.
pub(crate) fn build_and_parse(data: &[u8]) {
    let mut input = Bytes::new(data);
    let networks =
        [Network::Bitcoin, Network::Testnet, Network::Testnet4, Network::Signet, Network::Regtest];
    let network = networks[input.below(5)];
    let payee = SecretKey::from_slice(&[1 + input.u8() % 9; 32]).unwrap();
    let new = NewInvoice {
        network,
        payment_hash: PaymentHash([input.u8(); 32]),
        payment_secret: [input.u8(); 32],
        amount_msat: input.flag().then(|| input.number()),
        created_at_unix: input.number(),
        expiry_s: input.number(),
        min_final_cltv_expiry_delta: input.u16(),
        basic_mpp: input.flag(),
        hints: (0..input.below(4)).map(|_| hint(&mut input)).collect(),
        description: match input.flag() {
            true => Description::Hash(input.array()),
            false => Description::Text(String::from_utf8_lossy(input.rest()).into_owned()),
        },
    };
    let text = match build(&new, &payee) {
        Ok(text) => text,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    assert_eq!(build(&new, &payee).as_ref(), Ok(&text), "building is deterministic");
    let invoice = parse(&text).expect("what is built can be read");
    assert_eq!(invoice.text, text);
    assert!(invoice.check_network(new.network).is_ok());
    assert_eq!(invoice.amount_msat, new.amount_msat);
    assert_eq!(invoice.payment_hash, new.payment_hash);
    assert_eq!(invoice.payment_secret, new.payment_secret);
    assert_eq!(invoice.description, new.description);
    assert_eq!(invoice.created_at_unix, new.created_at_unix);
    assert_eq!(invoice.expiry_s, new.expiry_s);
    assert_eq!(invoice.min_final_cltv_expiry_delta, u32::from(new.min_final_cltv_expiry_delta));
    assert_eq!(invoice.hints, new.hints);
    assert_eq!(invoice.basic_mpp, new.basic_mpp);
}

fn hint(input: &mut Bytes<'_>) -> Vec<HintHop> {
    let hop = |input: &mut Bytes<'_>| HintHop {
        node_id: match input.u8() {
            255 => NodeId([input.u8(); 33]),
            n => node_id(1 + n % 9),
        },
        scid: ShortChannelId(input.u64()),
        fee_base_msat: input.u32(),
        fee_ppm: input.u32(),
        cltv_expiry_delta: input.u16(),
    };
    (0..input.below(15)).map(|_| hop(input)).collect()
}
