//! A payee signs the text as it wrote it: in whatever form it wrote a field, it stays the payee.

#[path = "support/by_hand.rs"]
mod by_hand;

use bitcoin::secp256k1::{PublicKey, SECP256K1, SecretKey};
use by_hand::{ByHand, Field, to_groups};
use proptest::prelude::*;
use serde_json::Value;
use steward_invoice::{Invoice, parse};
use steward_wire::NodeId;

const PAYEE: u8 = 19;

fn key() -> SecretKey {
    SecretKey::from_slice(&[0x42; 32]).unwrap()
}

fn examples() -> Vec<String> {
    let vectors = |name: &str| -> Value {
        let path = format!("{}/../../vectors/bolt11/{name}.json", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    };
    let texts = |list: &Value| -> Vec<String> {
        let list = list.as_array().unwrap();
        list.iter().map(|example| example["invoice"].as_str().unwrap().to_owned()).collect()
    };
    let mut all = texts(&vectors("valid")["invoices"]);
    all.extend(texts(&vectors("unusual")["valid"]));
    all
}

/// Makes an example with its payee replaced by [`key`].
fn ours(text: &str) -> ByHand {
    let mut invoice = ByHand::of(text);
    for field in &mut invoice.fields {
        if field.tag == PAYEE && field.data.len() == 53 {
            field.data = to_groups(&key().public_key(SECP256K1).serialize());
        }
    }
    invoice
}

/// A way to write a field so that it says the same.
#[derive(Clone, Copy, Debug)]
enum Spelling {
    AsItWas,
    /// Numbers and features have zeros in front. Texts and bytes have one group more, if that adds
    /// no byte.
    Longer,
    /// The bits that fill the last group are ones.
    PaddingBitsSet,
    /// A number is given twice, and the second one is wrong.
    ContradictedLater,
}

fn respell(field: &Field, spelling: Spelling) -> Vec<Field> {
    let is_number = matches!(field.tag, 5 | 6 | 24);
    let is_bytes = matches!(field.tag, 1 | 3 | 13 | 16 | 19 | 23 | 27);
    let mut new = field.clone();
    let spare_bits = new.data.len() * 5 % 8;
    match spelling {
        Spelling::Longer if is_number => drop(new.data.splice(0..0, [0; 3])),
        Spelling::Longer if matches!(field.tag, 3 | 13 | 27) && spare_bits < 3 => new.data.push(0),
        Spelling::PaddingBitsSet if is_bytes && spare_bits < 5 => {
            if let Some(last) = new.data.last_mut() {
                *last |= (1 << spare_bits) - 1;
            }
        }
        Spelling::ContradictedLater if is_number => {
            return vec![new, Field { tag: field.tag, data: vec![0; 2] }];
        }
        _ => {}
    }
    vec![new]
}

/// Writes the same amount in a smaller unit, or with zeros in front.
fn respell_amount(prefix: &str, zeros: usize, units: usize) -> String {
    let digits_at = prefix.find(|c: char| c.is_ascii_digit()).unwrap_or(prefix.len());
    let (chain, amount) = prefix.split_at(digits_at);
    if amount.is_empty() {
        return prefix.to_owned();
    }
    let digits = amount.trim_end_matches(|c: char| c.is_ascii_lowercase());
    let mut letters = ["", "m", "u", "n", "p"]
        .into_iter()
        .skip_while(|letter| *letter != &amount[digits.len()..]);
    let mut number: u64 = digits.parse().unwrap();
    let mut letter = letters.next().unwrap();
    for (smaller, _) in letters.zip(0..units) {
        let Some(more) = number.checked_mul(1000) else { break };
        (number, letter) = (more, smaller);
    }
    format!("{chain}{}{number}{letter}", "0".repeat(zeros))
}

fn check(example: &str, rewritten: &ByHand) {
    let before = parse(&ours(example).sign(&key())).unwrap();
    let text = rewritten.sign(&key());
    let expected = Invoice {
        text: text.clone(),
        payee: NodeId::from(PublicKey::from_secret_key(SECP256K1, &key())),
        ..before
    };
    assert_eq!(parse(&text).as_ref(), Ok(&expected), "{rewritten:?}");
}

#[test]
fn one_field_in_another_spelling_changes_nothing() {
    let spellings = [Spelling::Longer, Spelling::PaddingBitsSet, Spelling::ContradictedLater];
    for example in examples() {
        let invoice = ours(&example);
        for (at, field) in invoice.fields.iter().enumerate() {
            for spelling in spellings {
                let mut rewritten = invoice.clone();
                rewritten.fields.splice(at..=at, respell(field, spelling));
                check(&example, &rewritten);
            }
        }
    }
}

#[test]
fn the_amount_in_another_spelling_changes_nothing() {
    for example in examples() {
        let invoice = ours(&example);
        for (zeros, units) in [(1, 0), (0, 1), (0, 2), (0, 3), (20, 1)] {
            let prefix = respell_amount(&invoice.prefix, zeros, units);
            check(&example, &ByHand { prefix, ..invoice.clone() });
        }
    }
}

fn any_spelling() -> impl Strategy<Value = Spelling> {
    prop_oneof![
        Just(Spelling::AsItWas),
        Just(Spelling::Longer),
        Just(Spelling::PaddingBitsSet),
        Just(Spelling::ContradictedLater),
    ]
}

proptest! {
    #[test]
    fn any_mix_of_spellings_changes_nothing(
        example in proptest::sample::select(examples()),
        spellings in proptest::collection::vec(any_spelling(), 32),
        zeros in 0_usize..9,
        units in 0_usize..5,
        unknown in proptest::option::of((0_usize..32, proptest::collection::vec(0_u8..32, 0..40))),
    ) {
        let mut invoice = ours(&example);
        let spelt = spellings.iter().chain(std::iter::repeat(&Spelling::AsItWas));
        invoice.fields =
            invoice.fields.iter().zip(spelt).flat_map(|(field, how)| respell(field, *how)).collect();
        if let Some((at, data)) = unknown {
            invoice.fields.insert(at.min(invoice.fields.len()), Field { tag: 2, data });
        }
        invoice.prefix = respell_amount(&invoice.prefix, zeros, units);
        check(&example, &invoice);
    }
}
