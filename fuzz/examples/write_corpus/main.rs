//! Writes the seeds of `corpus/` that are made from vectors, real encoders and short scripts:
//! `cargo run -p steward-fuzz --example write_corpus`. It leaves seeds that fuzzing found.

use std::fs;
use std::path::{Path, PathBuf};

use hex::FromHex;
use serde_json::Value;

mod services;

use services::{api, api_store, chain, funded, resolver, scripts, settings, store};

fn main() {
    let vectors = read_vectors();
    wire(&vectors);
    channel(&vectors);
    text(&vectors);
    onion(&vectors);
    invoice(&vectors);
    store();
    funded();
    settings();
    api();
    api_store();
    chain();
    scripts();
    resolver();
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn seed(harness: &str, name: &str, data: impl AsRef<[u8]>) {
    let max_len = steward_fuzz::find(harness).unwrap().max_len;
    if data.as_ref().len() > max_len {
        println!("corpus/{harness}/{name} would be too long");
        return;
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(harness);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(name), data).unwrap();
}

/// Reads every string of every vector file, with the file's name and the keys that lead to it.
fn read_vectors() -> Vec<(String, Value)> {
    let mut files = Vec::new();
    for folder in ["", "wire", "bolt02", "bolt04", "bolt11"] {
        for entry in fs::read_dir(root().join("vectors").join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "json") {
                let name = format!("{folder}/{}", path.file_stem().unwrap().to_string_lossy());
                files.push((
                    name,
                    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap(),
                ));
            }
        }
    }
    files.sort_by(|a, b| a.0.cmp(&b.0));
    files
}

/// Collects all objects of a file that have this key.
fn objects<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(map) => {
            if map.contains_key(key) {
                found.push(value);
            }
            map.values().for_each(|value| objects(value, key, found));
        }
        Value::Array(items) => items.iter().for_each(|value| objects(value, key, found)),
        _ => {}
    }
}

fn with<'a>(vectors: &'a [(String, Value)], file: &str, key: &str) -> Vec<&'a Value> {
    let mut found = Vec::new();
    for (name, value) in vectors {
        if name.starts_with(file) {
            objects(value, key, &mut found);
        }
    }
    found
}

fn bytes(value: &Value) -> Vec<u8> {
    Vec::from_hex(value.as_str().unwrap_or_default()).unwrap_or_default()
}

fn wire(vectors: &[(String, Value)]) {
    let mut types: Vec<u16> = Vec::new();
    for message in with(vectors, "wire/generated", "modern_frame") {
        let frame = bytes(&message["modern_frame"]);
        let message_type = u16::from_be_bytes([frame[0], frame[1]]);
        let nth = types.iter().filter(|known| **known == message_type).count();
        types.push(message_type);
        if nth >= 2 || frame.len() > 4_000 {
            continue;
        }
        seed("wire_body", &format!("{message_type}-{nth}"), &frame);
        let legacy = bytes(&message["legacy_frame"]);
        let mut conversation = Vec::new();
        for frame in [&frame, &legacy] {
            let len = u16::try_from(frame.len() - 2).unwrap().to_be_bytes();
            conversation.extend([&frame[..2], &len, &frame[2..]].concat());
        }
        seed("wire_framing", &format!("{message_type}-{nth}"), conversation);
        match message_type {
            64_513 | 64_509 => seed("wire_gossip", &format!("{message_type}-{nth}"), &frame[2..]),
            _ => {}
        }
        seed("p2p_messages", &format!("{message_type}-{nth}"), p2p_message(&frame));
    }
    for (nth, vector) in with(vectors, "wire/", "sighash").iter().enumerate() {
        let state = bytes(&vector["payload"]);
        if state.len() < 4_000 && nth % 3 == 0 {
            seed("wire_state", &format!("state-{nth}"), &state);
            seed("wire_body", &format!("state-{nth}"), [&[0xff, 0xfb], &state[..]].concat());
            let ids = [[2u8; 33], [3; 33]].concat();
            seed("wire_state", &format!("snapshot-{nth}"), [ids, state].concat());
        }
    }
    for (nth, vector) in with(vectors, "/preimages", "script").iter().enumerate().take(8) {
        seed("wire_onchain", &format!("script-{nth}"), bytes(&vector["script"]));
    }
    seed("wire_onchain", "two", [&[0x6a, 32][..], &[1; 32], &[32], &[2; 32]].concat());
    seed("wire_tlv", "stream", [1, 2, 3, 4, 5, 0, 0xfd, 1, 0, 1, 7]);
    seed("wire_tlv", "not-minimal", [0xfd, 0, 5, 0]);
    seed("wire_tlv", "path-key", [&[0, 33][..], &[2; 33]].concat());
    seed("wire_tlv", "features", [2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    let peer = [2; 33];
    let update = [
        &[0; 64][..],
        &[6; 32],
        &[0, 0, 0, 0, 0, 0, 0, 9],
        &[0, 0, 0, 1],
        &[1, 0],
        &[0, 144],
        &[0, 0, 0, 0, 0, 0, 3, 232],
        &[0, 0, 3, 232],
        &[0, 0, 3, 232],
        &[0, 0, 0, 1, 0, 0, 0, 0],
    ];
    seed("wire_gossip", "update", update.concat());
    seed(
        "wire_gossip",
        "announcement",
        [&[0; 256][..], &[0, 0], &[6; 32], &[1; 8], &[peer, peer, peer, peer].concat()].concat(),
    );
}

/// Writes a message as `p2p_messages` reads it: not a tick, type, length, payload.
/// The messages of funded channels: each alone, and from a bridge peer that is a peer of gossip too.
fn channel(vectors: &[(String, Value)]) {
    let mut last = None;
    for message in with(vectors, "bolt02/messages", "payload") {
        let message_type = message["type"].as_u64().unwrap() as u16;
        let frame = [&message_type.to_be_bytes()[..], &bytes(&message["payload"])].concat();
        if last != Some(message_type) && frame.len() < 2_000 {
            last = Some(message_type);
            seed("wire_channel", &message_type.to_string(), &frame);
            let from_peer = [&[1, 1], &p2p_message(&frame)[..]].concat();
            seed("p2p_roles", &message_type.to_string(), from_peer);
        }
    }
}

fn p2p_message(frame: &[u8]) -> Vec<u8> {
    let len = u16::try_from(frame.len() - 2).unwrap().to_be_bytes();
    [&[2], &frame[..2], &len, &frame[2..], &[0, 1]].concat()
}

fn text(vectors: &[(String, Value)]) {
    for (nth, vector) in with(vectors, "wire/error_texts", "data").iter().enumerate() {
        if nth % 4 == 0 {
            seed("wire_text", &format!("error-{nth}"), bytes(&vector["data"]));
        }
    }
    for vector in with(vectors, "wire/ids", "channel_id") {
        for key in ["node_id_a", "channel_id", "short_channel_id"] {
            seed("wire_text", key, vector[key].as_str().unwrap());
        }
    }
    let addresses = [
        "127.0.0.1:9735",
        "[::1]:9735",
        "node.example:9735",
        "under_score.example:1",
        "abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrstuvwx.onion:9735",
        "UPPER.example:80",
    ];
    for (nth, address) in addresses.iter().enumerate() {
        seed("p2p_address", &format!("address-{nth}"), address);
    }
    let amounts =
        ["1000sat", "0.001btc", "250000msat", "1_000 sats", "21000000btc", "1.5sat", "any"];
    for (nth, amount) in amounts.iter().enumerate() {
        seed("cli_amount", &format!("amount-{nth}"), amount);
    }
}

fn onion(vectors: &[(String, Value)]) {
    let terms = [100, 0, 12, 53, 0, 144];
    for vector in with(vectors, "bolt04/onion-test", "onion") {
        seed("onion_packet", "vector", [&terms[..], &[0], &bytes(&vector["onion"])].concat());
    }
    seed("onion_packet", "valid-header", [&terms[..], &[1], &[7; 200]].concat());
    let forward = [2, 2, 3, 232, 4, 2, 3, 32, 6, 8, 0, 0, 0, 0, 0, 0, 0, 7];
    seed("onion_payload", "forward", [&terms[..], &[0, 1], &forward].concat());
    let last = [&[2, 1, 100, 4, 2, 3, 32, 8, 33][..], &[5; 32], &[100]].concat();
    seed("onion_payload", "last", [&terms[..], &[1, 1], &last].concat());
    let keysend = [&[2, 1, 100, 4, 2, 3, 32, 0xfe, 0, 0x52, 0x89, 0x05, 32][..], &[7; 32]].concat();
    seed("onion_payload", "keysend-of-wrong-type", [&terms[..], &[1, 1], &keysend].concat());
    seed("onion_payload", "raw-length", [&terms[..], &[0, 0, 0xfd, 1, 0], &[0; 256]].concat());
    let relay =
        [2, 8, 0, 0, 0, 0, 0, 0, 0, 9, 10, 8, 0, 72, 0, 0, 0, 0, 0, 100, 12, 5, 0, 0, 32, 0, 1];
    seed("onion_blinded", "relay", [&terms[..], &[0, 0], &relay].concat());
    seed("onion_blinded", "by-node", [&terms[..], &[0, 0, 4, 33], &[2; 33], &relay[10..]].concat());
    let path_id = [&[6, 32][..], &[3; 32], &[12, 5, 0, 0, 32, 0, 1]].concat();
    let totals = [2, 1, 100, 4, 2, 3, 32, 18, 1, 100];
    seed("onion_blinded", "last", [&terms[..], &[1, 10], &totals, &path_id].concat());
    seed("onion_failure", "one-hop", [0, 0x40, 0x0f, 12, 0, 0, 0, 0, 0, 0, 0, 100, 0, 12, 53, 0]);
    seed("onion_failure", "five-hops", [4, 0x10, 7, 4, 0, 2, 1, 2, 50, 3, 0, 100, 1, 2, 3, 4, 5]);
    for hops in [1, 2, 5, 20, 27] {
        let mut route = [&[8; 32][..], &[0, 12, 53, 0], &[0, 1, 100, 0, 0, hops]].concat();
        (0..hops).for_each(|n| route.extend([n, 100 + n, 40]));
        seed("onion_route", &format!("{hops}-hops"), route);
    }
}

fn invoice(vectors: &[(String, Value)]) {
    for (nth, vector) in with(vectors, "bolt11/valid", "invoice").iter().enumerate() {
        let text = vector["invoice"].as_str().unwrap();
        seed("invoice_text", &format!("valid-{nth}"), text);
        seed_fields(&format!("valid-{nth}"), text);
    }
    for (nth, vector) in with(vectors, "bolt11/invalid", "invoice").iter().enumerate().take(12) {
        seed("invoice_text", &format!("invalid-{nth}"), vector["invoice"].as_str().unwrap());
    }
    for (nth, vector) in with(vectors, "bolt11/unusual", "invoice").iter().enumerate() {
        seed_fields(&format!("unusual-{nth}"), vector["invoice"].as_str().unwrap());
    }
    seed(
        "invoice_build",
        "coffee",
        [
            &[4, 1, 3, 4, 1, 100, 215, 1, 1, 200, 14, 16, 0, 144, 1, 1, 1, 2][..],
            &[0; 18],
            &[0],
            b"coffee",
        ]
        .concat(),
    );
    seed(
        "invoice_build",
        "any-amount",
        [&[0, 2, 3, 4, 0, 100, 60, 0, 18, 0, 0, 1][..], &[9; 32]].concat(),
    );
    seed("invoice_build", "too-much", [0, 2, 3, 4, 1, 255, 0, 0, 0]);
}

/// Writes the fields of a valid invoice in the form that `invoice_fields` reads.
fn seed_fields(name: &str, text: &str) {
    const CHARSET: &str = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    let text = text.to_ascii_lowercase();
    let Some((hrp, data)) = text.rsplit_once('1') else { return };
    // `invoice_fields` counts them so; of two prefixes the longer one comes first.
    let chains = [(3, "lnbcrt"), (2, "lntbs"), (0, "lnbc"), (1, "lntb"), (4, "lnsb")];
    let found = chains.iter().find_map(|(nth, prefix)| Some((*nth, hrp.strip_prefix(prefix)?)));
    let Some((chain, rest)) = found else { return };
    let letters: Option<Vec<u8>> = rest
        .bytes()
        .map(|c| b"0123456789munp1x".iter().position(|l| *l == c))
        .map(|at| at.map(|at| at as u8))
        .collect();
    let groups: Option<Vec<u8>> =
        data.chars().map(|c| CHARSET.find(c).map(|at| at as u8)).collect();
    let (Some(letters), Some(groups)) = (letters, groups) else { return };
    let fields = &groups[..groups.len().saturating_sub(6)];
    let head = [chain, letters.len() as u8];
    seed("invoice_fields", name, [&head[..], &letters, &[0], fields].concat());
}
