//! The vectors of `vectors/wire`, literal and generated: bytes, fields, hashes and signatures.

#[path = "support/fields.rs"]
mod fields;
#[path = "support/load.rs"]
mod load;
#[path = "support/oracle.rs"]
mod oracle;

use bitcoin::secp256k1::{PublicKey, SECP256K1, SecretKey};
use fields::{describe, hex};
use hex::FromHex;
use load::load;
use oracle::sighash_preimage;
use serde::Deserialize;
use serde_json::Value;
use steward_wire::codec::Wire;
use steward_wire::{
    Framing, LastCrossSignedState, Message, NodeId, ResizeChannel, StateUpdate, framing,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MessageVector {
    name: String,
    source: String,
    #[serde(rename = "type")]
    message_type: u16,
    message: String,
    payload: String,
    modern_frame: String,
    legacy_frame: String,
    fields: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StateVector {
    name: String,
    source: String,
    holder: String,
    fields: Value,
    sighash_preimage: String,
    sighash: String,
    reverse_sighash: String,
    payload: String,
    modern_frame_prefix: String,
    legacy_frame_prefix: String,
    state_update: StateUpdateVector,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StateUpdateVector {
    payload: String,
    modern_frame: String,
    legacy_frame: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    secret_key: String,
    node_id: String,
}

impl Key {
    fn secret(&self) -> SecretKey {
        self.secret_key.parse().unwrap()
    }

    fn public(&self) -> PublicKey {
        self.node_id.parse::<NodeId>().unwrap().public_key().unwrap()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    host: Key,
    client: Key,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct States {
    keys: Keys,
    states: Vec<StateVector>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Generated {
    #[serde(rename = "generator")]
    _generator: String,
    keys: Keys,
    messages: Vec<MessageVector>,
    states: Vec<StateVector>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResizeVector {
    name: String,
    #[serde(rename = "source")]
    _source: String,
    client: Key,
    new_capacity_sat: u64,
    signed_hash: String,
    client_sig: String,
    payload: String,
}

fn bytes(text: &str) -> Vec<u8> {
    Vec::from_hex(text).unwrap()
}

fn frame(framing: Framing, message: &Message) -> String {
    let (message_type, payload) = framing::encode(framing, message).unwrap();
    format!("{message_type:04x}{}", hex(&payload))
}

fn check_message(vector: &MessageVector) {
    assert!(!vector.source.is_empty(), "{}", vector.name);
    let message = Message::decode(vector.message_type, &bytes(&vector.payload)).unwrap();
    let (name, fields) = describe(&message);
    assert_eq!(name, vector.message, "{}", vector.name);
    assert_eq!(fields, vector.fields, "{}", vector.name);
    assert_eq!(hex(&message.encode().1), vector.payload, "{}", vector.name);
    assert_eq!(frame(Framing::Modern, &message), vector.modern_frame, "{}", vector.name);
    assert_eq!(frame(Framing::Legacy, &message), vector.legacy_frame, "{}", vector.name);
}

fn check_state(keys: &Keys, vector: &StateVector) {
    let name = &vector.name;
    assert!(!vector.source.is_empty(), "{name}");
    let state = LastCrossSignedState::decode(&bytes(&vector.payload)).unwrap();
    assert_eq!(fields::state(&state), vector.fields, "{name}");
    assert_eq!(hex(&state.encode()), vector.payload, "{name}");
    assert_eq!(hex(&sighash_preimage(&state)), vector.sighash_preimage, "{name}");
    assert_eq!(hex(&state.sighash()), vector.sighash, "{name}");
    assert_eq!(hex(&state.reverse_sighash()), vector.reverse_sighash, "{name}");
    assert!(state.is_balanced(), "{name}");

    let (holder, other) = match vector.holder.as_str() {
        "host" => (&keys.host, &keys.client),
        "client" => (&keys.client, &keys.host),
        holder => panic!("{name}: no such holder: {holder}"),
    };
    assert_eq!(state.is_host, vector.holder == "host", "{name}");
    assert_eq!(state.sign_remote(&holder.secret()), state.local_sig_of_remote, "{name}");
    assert_eq!(state.reverse().sign_remote(&other.secret()), state.remote_sig_of_local, "{name}");
    assert!(state.verify_local_sig(&holder.public()), "{name}");
    assert!(state.verify_remote_sig(&other.public()), "{name}");

    check_state_update(&state, vector);
    let message = Message::LastCrossSignedState(state);
    let modern = format!("{}{}", vector.modern_frame_prefix, vector.payload);
    let legacy = format!("{}{}", vector.legacy_frame_prefix, vector.payload);
    assert_eq!(frame(Framing::Modern, &message), modern, "{name}");
    assert_eq!(frame(Framing::Legacy, &message), legacy, "{name}");
}

fn check_state_update(state: &LastCrossSignedState, vector: &StateVector) {
    let update = Message::StateUpdate(StateUpdate {
        block_day: state.block_day,
        local_updates: state.local_updates,
        remote_updates: state.remote_updates,
        local_sig_of_remote: state.local_sig_of_remote,
    });
    let expected = &vector.state_update;
    assert_eq!(hex(&update.encode().1), expected.payload, "{}", vector.name);
    assert_eq!(frame(Framing::Modern, &update), expected.modern_frame, "{}", vector.name);
    assert_eq!(frame(Framing::Legacy, &update), expected.legacy_frame, "{}", vector.name);
}

fn check_keys(keys: &Keys) {
    for key in [&keys.host, &keys.client] {
        assert_eq!(key.secret().public_key(SECP256K1), key.public());
    }
}

#[test]
fn literal_messages_decode_to_their_fields_and_encode_to_their_bytes() {
    let vectors: Vec<MessageVector> = load("wire/messages.json");
    assert!(vectors.len() >= 10);
    vectors.iter().for_each(check_message);
}

#[test]
fn literal_states_have_their_hashes_signatures_and_frames() {
    let States { keys, states } = load("wire/states.json");
    check_keys(&keys);
    assert!(states.len() >= 4);
    states.iter().for_each(|state| check_state(&keys, state));
}

#[test]
fn generated_vectors_hold_too() {
    let Generated { keys, messages, states, .. } = load("wire/generated.json");
    check_keys(&keys);
    messages.iter().for_each(check_message);
    states.iter().for_each(|state| check_state(&keys, state));
}

/// Other implementations refuse a node id that is not a point of the curve, and with it the whole
/// vector.
#[test]
fn every_node_id_of_the_vectors_is_a_key() {
    let mut seen = 0;
    for file in ["messages", "states", "ids", "resize", "trampoline", "generated"] {
        let mut todo: Vec<Value> = vec![load(&format!("wire/{file}.json"))];
        while let Some(value) = todo.pop() {
            match value {
                Value::Array(values) => todo.extend(values),
                Value::Object(map) => todo.extend(map.into_iter().map(|(_, value)| value)),
                Value::String(text) if text.len() == 66 => {
                    let Ok(node_id) = text.parse::<NodeId>() else { continue };
                    assert!(node_id.public_key().is_some(), "{file}: {text}");
                    seen += 1;
                }
                _ => {}
            }
        }
    }
    assert!(seen >= 20, "{seen}");
}

#[test]
fn the_tag_of_immortan_survives_in_an_add() {
    let vectors: Vec<MessageVector> = load("wire/messages.json");
    let vector = vectors.iter().find(|v| v.name == "add with the tag of immortan").unwrap();
    let Ok(Message::UpdateAddHtlc(add)) =
        Message::decode(vector.message_type, &bytes(&vector.payload))
    else {
        panic!("not an add");
    };
    let types: Vec<u64> =
        steward_wire::codec::TlvStream::new(&add.tlvs).map(|record| record.unwrap().0).collect();
    assert_eq!(types, [4_127_926_135]);
}

#[test]
fn literal_resizes_hash_and_sign_as_given() {
    for vector in load::<Vec<ResizeVector>>("wire/resize.json") {
        let hash = ResizeChannel::signed_hash(vector.new_capacity_sat);
        assert_eq!(hex(&hash), vector.signed_hash, "{}", vector.name);
        let resize = ResizeChannel::signed(vector.new_capacity_sat, &vector.client.secret());
        assert_eq!(resize.client_sig.to_string(), vector.client_sig, "{}", vector.name);
        assert_eq!(hex(&resize.encode()), vector.payload, "{}", vector.name);
        assert!(resize.is_signed_by(&vector.client.public()));
    }
}
