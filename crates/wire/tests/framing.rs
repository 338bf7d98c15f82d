//! The detection of the two framings (docs/protocol.md section 1.1).

#[path = "support/arbitrary_message.rs"]
mod arbitrary_message;
#[path = "support/load.rs"]
mod load;

use arbitrary_message::any_message;
use hex::FromHex;
use load::load;
use proptest::prelude::*;
use serde::Deserialize;
use steward_wire::framing::{TooLarge, decode, encode};
use steward_wire::{Framing, HostedChannelBranding, Message};

const STICKIES: [Option<Framing>; 3] = [None, Some(Framing::Legacy), Some(Framing::Modern)];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(rename = "source")]
    _source: String,
    #[serde(rename = "type")]
    message_type: u16,
    payload: String,
    framing: String,
    body: String,
}

impl Case {
    fn payload(&self) -> Vec<u8> {
        Vec::from_hex(&self.payload).unwrap()
    }

    fn message(&self) -> Message {
        Message::decode(self.message_type, &Vec::from_hex(&self.body).unwrap()).unwrap()
    }
}

fn cases(framing: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = load("wire/framing.json");
    cases.retain(|case| case.framing == framing);
    assert!(!cases.is_empty(), "no {framing} case");
    cases
}

#[test]
fn a_message_that_reads_in_one_way_only_is_read_so_and_remembered() {
    for (name, framing) in [("modern", Framing::Modern), ("legacy", Framing::Legacy)] {
        for case in cases(name) {
            for mut sticky in STICKIES {
                let read = decode(&mut sticky, case.message_type, &case.payload());
                assert_eq!(read, Ok(Some(case.message())), "{}", case.name);
                assert_eq!(sticky, Some(framing), "{}", case.name);
            }
        }
    }
}

#[test]
fn a_message_that_reads_both_ways_is_legacy_unless_the_peer_is_modern() {
    for case in cases("ambiguous") {
        let payload = case.payload();
        let as_modern = Message::decode(case.message_type, &payload).unwrap();
        for (before, expected) in [
            (None, case.message()),
            (Some(Framing::Legacy), case.message()),
            (Some(Framing::Modern), as_modern),
        ] {
            let mut sticky = before;
            assert_eq!(decode(&mut sticky, case.message_type, &payload), Ok(Some(expected)));
            assert_eq!(sticky, before, "{}", case.name);
        }
    }
}

#[test]
fn a_payload_that_reads_in_neither_framing_is_refused_and_not_remembered() {
    for case in cases("unreadable") {
        for before in STICKIES {
            let mut sticky = before;
            assert!(decode(&mut sticky, case.message_type, &case.payload()).is_err());
            assert_eq!(sticky, before, "{}", case.name);
        }
    }
}

#[test]
fn an_unknown_type_is_ignored() {
    for message_type in [17, 44_790, 63_498, 65_534] {
        let mut sticky = None;
        assert_eq!(decode(&mut sticky, message_type, &[0, 0]), Ok(None));
        assert_eq!(sticky, None);
    }
}

#[test]
fn a_message_that_only_fits_without_the_inner_length_goes_out_modern_only() {
    // The bytes: rgb 3, flag 1, length 2, length 2.
    let branding = |png_bytes| {
        Message::HostedChannelBranding(HostedChannelBranding {
            rgb: [0; 3],
            png: Some(vec![0; png_bytes]),
            contact_info: String::new(),
        })
    };
    let fits_modern = branding(65_533 - 8);
    assert!(encode(Framing::Modern, &fits_modern).is_ok());
    assert_eq!(encode(Framing::Legacy, &fits_modern), Err(TooLarge(65_533)));
    assert!(encode(Framing::Legacy, &branding(65_531 - 8)).is_ok());
    assert_eq!(encode(Framing::Modern, &branding(65_534 - 8)), Err(TooLarge(65_534)));
}

#[test]
fn a_field_too_long_for_its_length_is_never_sent_cut() {
    let message = Message::HostedChannelBranding(HostedChannelBranding {
        rgb: [0; 3],
        png: Some(vec![0; 1 << 16]),
        contact_info: String::new(),
    });
    for framing in [Framing::Modern, Framing::Legacy] {
        assert!(encode(framing, &message).is_err());
    }
}

fn reads_both_ways(message_type: u16, payload: &[u8]) -> bool {
    payload.split_first_chunk::<2>().is_some_and(|(len, body)| {
        usize::from(u16::from_be_bytes(*len)) == body.len()
            && Message::decode(message_type, body).is_ok()
            && Message::decode(message_type, payload).is_ok()
    })
}

proptest! {
    #[test]
    fn a_peer_is_understood_in_the_framing_it_has_shown(message in any_message()) {
        for framing in [Framing::Modern, Framing::Legacy] {
            let (message_type, payload) = encode(framing, &message).unwrap();
            let mut sticky = Some(framing);
            prop_assert_eq!(decode(&mut sticky, message_type, &payload), Ok(Some(message.clone())));
            prop_assert_eq!(sticky, Some(framing));
        }
    }

    #[test]
    fn a_first_legacy_message_is_always_understood(message in any_message()) {
        let (message_type, payload) = encode(Framing::Legacy, &message).unwrap();
        prop_assert_eq!(decode(&mut None, message_type, &payload), Ok(Some(message)));
    }

    #[test]
    fn an_ambiguous_message_never_changes_what_was_learned(message in any_message()) {
        let (message_type, payload) = encode(Framing::Legacy, &message).unwrap();
        for before in STICKIES {
            let mut sticky = before;
            decode(&mut sticky, message_type, &payload).unwrap();
            let expected = if reads_both_ways(message_type, &payload) {
                before
            } else {
                Some(Framing::Legacy)
            };
            prop_assert_eq!(sticky, expected);
        }
    }
}
