//! The texts of errors (docs/protocol.md section 3.9).

#[path = "support/load.rs"]
mod load;

use hex::FromHex;
use load::load;
use proptest::prelude::*;
use serde::Deserialize;
use steward_wire::limits::MAX_ERROR_TEXT_BYTES;
use steward_wire::{ErrorCode, ErrorText};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(rename = "source")]
    _source: String,
    data: String,
    code: Option<u16>,
    text: String,
    display: String,
}

#[test]
fn error_data_reads_and_shows_as_the_vectors_say() {
    for case in load::<Vec<Case>>("wire/error_texts.json") {
        let text = ErrorText::parse(&Vec::from_hex(&case.data).unwrap());
        assert_eq!(text.code.map(ErrorCode::number), case.code, "{}", case.name);
        assert_eq!(text.text, case.text, "{}", case.name);
        assert_eq!(as_the_plugin_shows(&text), case.display, "{}", case.name);
    }
}

/// The line in which the deployed plugin and wallets show an error.
fn as_the_plugin_shows(error: &ErrorText) -> String {
    match error.code {
        Some(code) if error.text.is_empty() => format!("hosted-code={}", code.name()),
        Some(code) => format!("hosted-code={}, extra={}", code.name(), error.text),
        None => error.text.clone(),
    }
}

#[test]
fn every_code_reads_back_from_its_own_data() {
    assert_eq!(ErrorCode::ALL.len(), 10);
    for code in ErrorCode::ALL {
        assert_eq!(ErrorCode::from_number(code.number()), Some(*code));
        let text = ErrorText::parse(&code.to_data("why"));
        assert_eq!(text, ErrorText { code: Some(*code), text: "why".into() });
    }
}

#[test]
fn a_code_goes_out_as_four_ascii_digits_and_text() {
    assert_eq!(ErrorCode::MissingChannel.to_data("no state"), b"0010no state");
    assert_eq!(ErrorCode::ManualSuspend.to_data(""), b"0008");
}

#[test]
fn code_and_words_of_a_peer_are_shown_apart() {
    for (said, shown) in [
        ("0007a valid secret is needed", "0007 a valid secret is needed"),
        ("0009 10 000 sat at most", "0009 10 000 sat at most"),
        ("00091 000 sat at most", "0009 1 000 sat at most"),
        ("0003", "0003"),
        ("2026was a year", "2026was a year"),
        ("+007x", "+007x"),
        ("\u{20ac}007x", "???007x"),
        ("\0\x03", "0003"),
        ("no\x1b[2J", "no?[2J"),
        ("", ""),
    ] {
        assert_eq!(ErrorText::parse(said.as_bytes()).to_string(), shown);
        assert_eq!(ErrorText::parse(shown.as_bytes()).to_string(), shown);
    }
}

#[test]
fn a_long_text_is_cut_both_ways() {
    let long = "x".repeat(MAX_ERROR_TEXT_BYTES + 1);
    assert_eq!(ErrorCode::ChannelDenied.to_data(&long).len(), 4 + MAX_ERROR_TEXT_BYTES);
    assert_eq!(ErrorText::parse(long.as_bytes()).text.len(), MAX_ERROR_TEXT_BYTES);
}

proptest! {
    #[test]
    fn what_is_shown_is_printable_and_bounded(data in proptest::collection::vec(any::<u8>(), 0..700)) {
        let shown = ErrorText::parse(&data).to_string();
        prop_assert!(shown.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()));
        prop_assert!(shown.len() <= MAX_ERROR_TEXT_BYTES + 64);
    }
}
