//! BOLT11: any text, any fields under a valid checksum, and what we build ourselves.

use bitcoin::Network;
use bitcoin::bech32::primitives::iter::{ByteIterExt, Fe32IterExt};
use bitcoin::bech32::{Bech32, Fe32, Hrp};
use bitcoin::secp256k1::SecretKey;
use steward_invoice::limits::MAX_INVOICE_CHARS;
use steward_invoice::{Description, HintHop, Invoice, NewInvoice, ParseError, build, parse};
use steward_wire::{NodeId, PaymentHash, ShortChannelId};

use crate::bytes::Bytes;
use crate::kits::onion::node_id;

/// Any text.
pub(crate) fn text(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(invoice) = read(text) {
        assert_eq!(invoice.text, invoice.text.to_ascii_lowercase());
        assert!(text.to_ascii_lowercase().contains(&invoice.text));
    }
}

/// Which prefix, the amount, then the fields: five bits of each byte, or all eight of them packed.
/// The checksum, which no fuzzer would guess, is right.
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

/// Parses; an invoice says the same in every way it can be written, an error is a sentence.
fn read(text: &str) -> Result<Invoice, ParseError> {
    let result = parse(text);
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

/// What is built is read back with every field.
pub(crate) fn build_and_parse(data: &[u8]) {
    let mut input = Bytes::new(data);
    let networks =
        [Network::Bitcoin, Network::Testnet, Network::Testnet4, Network::Signet, Network::Regtest];
    let new = NewInvoice {
        network: networks[input.below(5)],
        payee: SecretKey::from_slice(&[1 + input.u8() % 9; 32]).unwrap(),
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
    let text = match build(&new) {
        Ok(text) => text,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    assert_eq!(build(&new).as_ref(), Ok(&text), "building is deterministic");
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
