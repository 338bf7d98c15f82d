//! Three messages of each type: the fields, and the bytes that LDK makes of them.

use serde_json::{Value, json};

use crate::channel_fields::{fields, hex};
use crate::channel_messages::{Seeded, TYPES, message};
use crate::ldk::{through_ldk, written_by_ldk};

const PER_TYPE: u64 = 3;

pub(crate) fn generate() -> Value {
    let all = TYPES
        .into_iter()
        .flat_map(|message_type| (0..PER_TYPE).map(move |nth| vector(message_type, nth)));
    json!({ "source": "lightning 0.3.0-rc3, ln::msgs", "messages": Vec::from_iter(all) })
}

fn vector(message_type: u16, nth: u64) -> Value {
    let seed = 1_000 * u64::from(message_type) + nth;
    let message = message(message_type, &mut Seeded::new(seed));
    // Two of LDK's messages cannot be filled from outside; it reads ours and writes its own.
    let payload = written_by_ldk(&message)
        .or_else(|| through_ldk(message_type, &message.encode().1))
        .expect("LDK knows all types");
    json!({
        "name": message.name(),
        "type": message_type,
        "payload": hex(&payload),
        "fields": fields(&message),
    })
}
