//! Bytes that other implementations wrote, with their codecs, hashes and signatures and none of
//! ours.

#[path = "support/load.rs"]
mod load;

use std::collections::BTreeSet;

use bitcoin::secp256k1::{PublicKey, SECP256K1, SecretKey};
use hex::{DisplayHex, FromHex};
use load::load;
use serde::Deserialize;
use serde_json::Value;
use steward_wire::codec::{TlvStream, Wire};
use steward_wire::{
    ChannelId, Framing, LastCrossSignedState, Message, NodeId, ShortChannelId, Snapshot,
    StateUpdate, framing,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Messages {
    source: String,
    messages: Vec<Golden>,
}

#[derive(Deserialize)]
struct Golden {
    name: String,
    #[serde(rename = "type")]
    message_type: u16,
    legacy_frame_prefix: String,
    payload: String,
    signer: Option<String>,
    #[serde(flatten)]
    state: Option<GoldenState>,
}

#[derive(Deserialize)]
struct GoldenState {
    local_key: String,
    remote_key: String,
    sighash: String,
    reverse_sighash: String,
    reverse_payload: String,
    state_update: String,
    snapshot_prefix: String,
}

fn messages() -> Vec<Golden> {
    let Messages { source, messages } = load("golden/eclair-plugin-messages.json");
    assert!(source.contains("eclair 0.7.0"));
    messages
}

fn bytes(text: &str) -> Vec<u8> {
    Vec::from_hex(text).unwrap()
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().to_lower_hex_string()
}

fn states() -> Vec<(LastCrossSignedState, GoldenState)> {
    let with_hashes = messages().into_iter().filter_map(|golden| {
        let state = LastCrossSignedState::decode(&bytes(&golden.payload));
        golden.state.map(|golden| (state.unwrap(), golden))
    });
    with_hashes.collect()
}

#[test]
fn messages_of_eclair_decode_and_encode_to_the_same_bytes_in_both_framings() {
    let messages = messages();
    for (nth, golden) in messages.iter().enumerate() {
        let context = format!("{} {nth}", golden.name);
        let (message_type, body) = (golden.message_type, bytes(&golden.payload));
        let message = Message::decode(message_type, &body).unwrap();
        assert_eq!(message.encode(), (message_type, body.clone()), "{context}");

        let frame = bytes(&format!("{}{}", golden.legacy_frame_prefix, golden.payload));
        let (frame_type, legacy) = frame.split_at(2);
        assert_eq!(frame_type, message_type.to_be_bytes(), "{context}");
        for (way, frame) in [(Framing::Modern, body.as_slice()), (Framing::Legacy, legacy)] {
            let encoded = framing::encode(way, &message).unwrap();
            assert_eq!(encoded, (message_type, frame.to_vec()), "{context}");
            let decoded = framing::decode(&mut Some(way), message_type, frame);
            assert_eq!(decoded, Ok(Some(message.clone())), "{context}");
            // The connection has shown no framing yet.
            let decoded = framing::decode(&mut None, message_type, frame);
            assert_eq!(decoded, Ok(Some(message.clone())), "{context}");
        }
    }
    let types: BTreeSet<u16> = messages.iter().map(|golden| golden.message_type).collect();
    assert_eq!((messages.len(), types.len()), (240, 22));
}

#[test]
fn states_of_eclair_have_the_hashes_and_the_reverse_that_it_computed() {
    let states = states();
    assert_eq!(states.len(), 12);
    for (state, golden) in states {
        assert_eq!(hex(state.sighash()), golden.sighash);
        assert_eq!(hex(state.reverse_sighash()), golden.reverse_sighash);
        assert_eq!(hex(state.reverse().encode()), golden.reverse_payload);
        assert_eq!(state.reverse().reverse(), state);
    }
}

#[test]
fn our_signatures_are_bit_for_bit_those_of_eclair() {
    for (state, golden) in states() {
        let local: SecretKey = golden.local_key.parse().unwrap();
        let remote: SecretKey = golden.remote_key.parse().unwrap();
        assert!(state.verify_local_sig(&local.public_key(SECP256K1)));
        assert!(state.verify_remote_sig(&remote.public_key(SECP256K1)));
        assert_eq!(state.sign_remote(&local), state.local_sig_of_remote);
        assert_eq!(state.reverse().sign_remote(&remote), state.remote_sig_of_local);
        let update = StateUpdate {
            block_day: state.block_day,
            local_updates: state.local_updates,
            remote_updates: state.remote_updates,
            local_sig_of_remote: state.sign_remote(&local),
        };
        assert_eq!(hex(update.encode()), golden.state_update);
    }
}

#[test]
fn snapshots_of_eclair_name_the_signers_and_their_state() {
    for (state, golden) in states() {
        let local: SecretKey = golden.local_key.parse().unwrap();
        let remote: SecretKey = golden.remote_key.parse().unwrap();
        let node_id = |key: &SecretKey| NodeId::from(key.public_key(SECP256K1));
        let payload = hex(state.encode());
        let snapshot = bytes(&format!("{}{payload}", golden.snapshot_prefix));
        let expected = Snapshot { node_id_a: node_id(&local), node_id_b: node_id(&remote), state };
        assert_eq!(Snapshot::decode(&snapshot), Ok(expected.clone()));
        assert_eq!(expected.encode(), snapshot);
    }
}

#[test]
fn resizes_of_eclair_are_signed_by_their_signer() {
    let resizes: Vec<Golden> =
        messages().into_iter().filter(|golden| golden.signer.is_some()).collect();
    assert_eq!(resizes.len(), 12);
    for golden in resizes {
        let Ok(Message::ResizeChannel(resize)) =
            Message::decode(golden.message_type, &bytes(&golden.payload))
        else {
            panic!("not a resize");
        };
        let signer: PublicKey = golden.signer.unwrap().parse().unwrap();
        assert!(resize.is_signed_by(&signer));
        assert!(
            !resize.is_signed_by(&SecretKey::from_slice(&[9; 32]).unwrap().public_key(SECP256K1))
        );
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ids {
    #[serde(rename = "source")]
    _source: String,
    ids: Vec<GoldenIds>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GoldenIds {
    a: String,
    b: String,
    channel_id: String,
    /// The id as the JVM's long, which is signed.
    scid: i64,
    scid_text: String,
}

#[test]
fn ids_of_eclair_follow_from_the_keys() {
    let Ids { ids, .. } = load("golden/eclair-plugin-ids.json");
    assert_eq!(ids.len(), 20);
    for golden in ids {
        let a: NodeId = golden.a.parse().unwrap();
        let b: NodeId = golden.b.parse().unwrap();
        for (a, b) in [(a, b), (b, a)] {
            assert_eq!(ChannelId::of_pair(&a, &b).to_string(), golden.channel_id);
            let scid = ShortChannelId::of_pair(&a, &b);
            assert_eq!(scid.0, golden.scid.cast_unsigned());
            assert_eq!(scid.to_string(), golden.scid_text);
        }
    }
}

/// The bLIP says only "bool"; the deployed byte is `ff`, and ours is the same.
#[test]
fn a_true_of_canopus_is_read_as_true_and_hashes_the_same() {
    let vector: Value = load("golden/bool8.json");
    let [eclair, canopus] = ["eclair", "canopus"].map(|name| vector[name].as_str().unwrap());
    let messages = messages();
    let whole = messages.iter().find(|golden| golden.payload.starts_with(eclair)).unwrap();
    let by_canopus = format!("{canopus}{}", &whole.payload[eclair.len()..]);
    let by_canopus = LastCrossSignedState::decode(&bytes(&by_canopus)).unwrap();
    assert!(by_canopus.is_host);
    assert_eq!(hex(by_canopus.sighash()), whole.state.as_ref().unwrap().sighash);
    assert_eq!(hex(by_canopus.encode()), whole.payload);
}

/// We never send such an add to a peer that has not announced that it reads it.
#[test]
fn an_add_that_deployed_implementations_cannot_read_decodes_here() {
    let vector: Value = load("golden/unreadable-for-deployed.json");
    let message_type = u16::try_from(vector["type"].as_u64().unwrap()).unwrap();
    let payload = bytes(vector["payload"].as_str().unwrap());
    let message = Message::decode(message_type, &payload).unwrap();
    assert_eq!(message.encode(), (message_type, payload));
    let Message::UpdateAddHtlc(add) = message else { panic!("not an add") };
    let types: Vec<u64> = TlvStream::new(&add.tlvs).map(|record| record.unwrap().0).collect();
    assert_eq!(types, [0], "path_key, even");
    assert!(add.path_key().is_some());
}
