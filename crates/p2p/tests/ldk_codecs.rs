//! Our messages of BOLT 2 and BOLT 7 against LDK's: the same fields are the same bytes.

#[path = "../../wire/tests/support/channel_fields.rs"]
mod channel_fields;
#[path = "../../wire/tests/support/channel_messages.rs"]
mod channel_messages;
#[path = "support/ldk.rs"]
mod ldk;
#[path = "../examples/channel_vectors/vectors.rs"]
mod vectors;

use bitcoin::hashes::Hash;
use channel_messages::{Seeded, TYPES, message};
use ldk::{through_ldk, written_by_ldk};
use lightning::ln::types::ChannelId as LdkChannelId;
use steward_wire::codec::Wire;
use steward_wire::{ChannelId, ChannelMessage, Onion, UpdateAddHtlc};

const ROUNDS_PER_TYPE: u64 = 60;

fn all_messages() -> impl Iterator<Item = ChannelMessage> {
    TYPES.into_iter().flat_map(|message_type| {
        (0..ROUNDS_PER_TYPE).map(move |round| {
            message(message_type, &mut Seeded::new(u64::from(message_type) << 32 | round))
        })
    })
}

#[test]
fn ldk_writes_the_same_fields_as_the_same_bytes() {
    let mut compared = 0;
    for message in all_messages() {
        let Some(written) = written_by_ldk(&message) else { continue };
        assert_eq!(message.encode().1, written, "{message:?}");
        compared += 1;
    }
    assert_eq!(compared, (TYPES.len() as u64 - 2) * ROUNDS_PER_TYPE);
}

#[test]
fn ldk_reads_what_we_write_and_writes_it_back() {
    for message in all_messages() {
        let (message_type, payload) = message.encode();
        assert_eq!(through_ldk(message_type, &payload).as_ref(), Some(&payload), "{message:?}");
        let again = ChannelMessage::decode(message_type, &payload);
        assert_eq!(again, Ok(Some(message)));
    }
}

#[test]
fn what_is_cut_short_or_altered_is_refused_by_both_or_read_the_same_by_both() {
    let mut read = 0;
    for message in all_messages() {
        let (message_type, payload) = message.encode();
        let mut random = Seeded::new(payload.len() as u64);
        for _ in 0..8 {
            let mut payload = payload.clone();
            match random.below(3) {
                0 => payload.truncate(random.below(payload.len())),
                1 => {
                    let at = random.below(payload.len());
                    payload[at] ^= 1 << random.below(8);
                }
                _ => payload.extend(random.bytes(3)),
            }
            let ours = ChannelMessage::decode(message_type, &payload);
            if let Ok(Some(message)) = &ours {
                assert_eq!(message.encode(), (message_type, payload.clone()), "byte-exact");
            }
            // LDK is stricter about keys and signatures, which we judge where they are used, and
            // about texts.
            if let Some(written) = through_ldk(message_type, &payload) {
                let is_lossy = written != payload;
                assert!(is_lossy || ours.is_ok(), "{message_type} {ours:?}");
                read += 1;
            }
        }
    }
    assert!(read > 1_000, "{read}");
}

#[test]
fn an_id_of_a_channel_is_derived_as_ldk_derives_it() {
    let mut random = Seeded::new(1);
    for _ in 0..100 {
        let (txid, index) = (random.txid(), random.u16());
        let ldk = LdkChannelId::v1_from_funding_txid(&txid.to_byte_array(), index);
        assert_eq!(ChannelId::of_funding(txid, index).0, ldk.0);
    }
}

#[test]
fn an_onion_key_that_is_no_point_is_lost_in_ldk_and_the_hash_to_report_is_then_zero() {
    let mut random = Seeded::new(2);
    let ChannelMessage::UpdateAddHtlc(mut add) = message(128, &mut random) else { panic!() };
    let good = add.onion.malformed_hash();
    assert_ne!(good, [0; 32]);
    let mut onion = *add.onion.0;
    onion[1] = 5;
    add.onion = Onion(onion.into());
    assert_ne!(add.onion.malformed_hash(), [0; 32]);
    let passed = UpdateAddHtlc::decode(&through_ldk(128, &add.encode()).unwrap()).unwrap();
    assert_eq!(passed.onion.0[1..34], [0; 33]);
    assert_eq!(passed.onion.0[34..], onion[34..]);
    assert_eq!(passed.onion.malformed_hash(), [0; 32]);
}

/// `cargo run -p steward-p2p --example channel_vectors` writes the file again.
#[test]
fn the_committed_vectors_are_what_ldk_writes() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/bolt02/messages.json");
    let committed: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(committed == vectors::generate(), "vectors/bolt02/messages.json is out of date");
}
