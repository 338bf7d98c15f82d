//! Messages of funded channels as LDK writes them (`vectors/bolt02`).

#[path = "support/channel_fields.rs"]
mod channel_fields;
#[path = "support/load.rs"]
mod load;

use hex::FromHex;
use serde::Deserialize;
use serde_json::Value;
use steward_wire::ChannelMessage;

#[derive(Deserialize)]
struct Vectors {
    messages: Vec<Vector>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    name: String,
    #[serde(rename = "type")]
    message_type: u16,
    payload: String,
    fields: Value,
}

#[test]
fn what_ldk_writes_is_read_with_the_same_fields_and_written_back() {
    let vectors: Vectors = load::load("bolt02/messages.json");
    assert_eq!(vectors.messages.len(), 60);
    for vector in vectors.messages {
        let payload = Vec::from_hex(&vector.payload).unwrap();
        let message = ChannelMessage::decode(vector.message_type, &payload).unwrap().unwrap();
        assert_eq!(message.name(), vector.name);
        assert_eq!(channel_fields::fields(&message), vector.fields, "{}", vector.name);
        assert_eq!(message.encode(), (vector.message_type, payload));
    }
}
