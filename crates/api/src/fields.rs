//! The rules for fields, by their names: the same in bodies, queries, paths and
//! answers. The document says it, and requests are held to what the document says.

use serde_json::{Map, Value, json};
use steward_engine::limits::{MAX_AMOUNT_MSAT, MAX_DESCRIPTION_BYTES, MAX_INVOICE_EXPIRY_S};

use crate::limits::{MAX_NUMBER, MAX_PAGE_ROWS, MAX_WAIT_MS};

/// The place of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The field is in a body, a query, a path or a header: we accept little.
    Request,
    /// The field is in an answer: we may say more.
    Answer,
}

/// The pattern of bytes: two hexadecimal digits, any number of times.
const BYTES: &str = "^([0-9a-fA-F]{2})*$";
const NODE_ID: &str = "^0[23][0-9a-fA-F]{64}$";
const HASH: &str = "^[0-9a-fA-F]{64}$";
/// The id of a channel, or the node id of its other side.
const CHANNEL_OR_NODE: &str = "^(0[23])?[0-9a-fA-F]{64}$";
const CHANNEL: &str = "^[0-9]+x[0-9]+x[0-9]+$";
/// The pattern of a node id, then a host and perhaps a port, which are checked when they are read.
const NODE_ADDRESS: &str = "^0[23][0-9a-fA-F]{64}@.+$";
const CODE: &str = "^[a-z][a-z0-9_]*$";

/// The rules for texts, by the name of their field.
const PATTERNS: &[(&str, &str)] = &[
    ("node_id", NODE_ID),
    ("peer_id", NODE_ID),
    ("local_id", NODE_ID),
    ("incoming_peer_id", NODE_ID),
    ("outgoing_peer_id", NODE_ID),
    ("channel", CHANNEL_OR_NODE),
    ("channel_id", HASH),
    ("incoming_channel_id", HASH),
    ("outgoing_channel_id", HASH),
    ("destination", NODE_ID),
    ("payee", NODE_ID),
    ("via", NODE_ID),
    ("host", NODE_ADDRESS),
    ("peer", NODE_ADDRESS),
    ("payment_hash", HASH),
    ("description_hash", HASH),
    ("preimage", HASH),
    ("short_channel_id", CHANNEL),
    ("snapshot", BYTES),
    ("body", BYTES),
    ("script_pubkey", BYTES),
    ("code", CODE),
    // No file has a zero byte in its name.
    ("path", "^/[^\\u0000]*$"),
];

/// The bounds of numbers in requests, by the name of their field: the least and the most.
const REQUEST_NUMBERS: &[(&str, u64, u64)] = &[
    ("limit", 1, MAX_PAGE_ROWS as u64),
    ("wait_ms", 0, MAX_WAIT_MS),
    ("expiry_s", 1, MAX_INVOICE_EXPIRY_S as u64),
    // "No limit", as programs like to say it, is a limit like any other.
    ("max_fee_msat", 0, u64::MAX),
];

/// Adds to the schema of the field `name` what every field of that name holds. What the schema
/// says already stays.
pub(crate) fn describe(name: &str, place: Place, schema: &mut Map<String, Value>) {
    if is_of_type(schema, "integer") {
        describe_number(name, place, schema);
    }
    if !is_of_type(schema, "string") || schema.contains_key("enum") {
        return;
    }
    if let Some((_, pattern)) = PATTERNS.iter().find(|(field, _)| *field == name) {
        set_default(schema, "pattern", json!(pattern));
    }
    if name == "description" && place == Place::Request {
        set_default(schema, "maxLength", json!(MAX_DESCRIPTION_BYTES));
    }
}

fn describe_number(name: &str, place: Place, schema: &mut Map<String, Value>) {
    let is_short = schema.get("format") == Some(&json!("int32"));
    let by_name = REQUEST_NUMBERS.iter().find(|(field, ..)| *field == name);
    let (min, max) = match by_name {
        Some((_, min, max)) if place == Place::Request => (*min, *max),
        _ if place == Place::Request && name.ends_with("_msat") => (0, MAX_AMOUNT_MSAT),
        _ if is_short => (0, u64::from(u32::MAX)),
        _ => (0, MAX_NUMBER),
    };
    if schema.get("minimum") == Some(&json!(0)) {
        schema.remove("minimum");
    }
    set_default(schema, "minimum", json!(min));
    set_default(schema, "maximum", json!(max));
    // A number without a sign up to 2^32 or 2^64 is not what these formats name.
    match max {
        0..=0x7fff_ffff => {}
        0x8000_0000..=MAX_NUMBER => drop(schema.insert("format".to_owned(), json!("int64"))),
        _ => drop(schema.remove("format")),
    }
}

/// Tells whether a schema says that its values may be of this type.
pub(crate) fn is_of_type(schema: &Map<String, Value>, name: &str) -> bool {
    match schema.get("type") {
        Some(Value::String(only)) => only == name,
        Some(Value::Array(types)) => types.iter().any(|one| one == name),
        _ => false,
    }
}

fn set_default(schema: &mut Map<String, Value>, key: &str, value: Value) {
    schema.entry(key).or_insert(value);
}
