//! Writes the seeds of `corpus/` that are made from vectors, real encoders and short scripts:
//! `cargo run -p steward-fuzz --example write_corpus`. Seeds that fuzzing found stay.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, reason = "a tool")]

use std::fs;
use std::path::{Path, PathBuf};

use hex::FromHex;
use serde_json::Value;
use steward_channel::{Channel, Failure, Role, Suspension};
use steward_engine::io::EventKind;
use steward_engine::row::{HtlcKey, Origin, Settlement};
use steward_store::codec;
use steward_wire::{NodeId, PaymentHash, Preimage, ShortChannelId};

fn main() {
    let vectors = read_vectors();
    wire(&vectors);
    text(&vectors);
    onion(&vectors);
    invoice(&vectors);
    store();
    settings();
    api();
    chain();
    scripts();
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

/// Every string of every vector file, with the file's name and the keys that lead to it.
fn read_vectors() -> Vec<(String, Value)> {
    let mut files = Vec::new();
    for folder in ["", "wire", "bolt04", "bolt11"] {
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

/// All objects of a file that have this key.
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

/// As `p2p_messages` reads it: not a tick, type, length, payload.
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

/// The fields of a valid invoice, in the form `invoice_fields` reads.
fn seed_fields(name: &str, text: &str) {
    const CHARSET: &str = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    let text = text.to_ascii_lowercase();
    let Some((hrp, data)) = text.rsplit_once('1') else { return };
    let Some(rest) = hrp.strip_prefix("lnbc") else { return };
    let letters: Option<Vec<u8>> = rest
        .bytes()
        .map(|c| b"0123456789munp1x".iter().position(|l| *l == c))
        .map(|at| at.map(|at| at as u8))
        .collect();
    let groups: Option<Vec<u8>> =
        data.chars().map(|c| CHARSET.find(c).map(|at| at as u8)).collect();
    let (Some(letters), Some(groups)) = (letters, groups) else { return };
    let fields = &groups[..groups.len().saturating_sub(6)];
    let head = [0, letters.len() as u8];
    seed("invoice_fields", name, [&head[..], &letters, &[0], fields].concat());
}

fn store() {
    let peer = NodeId([2; 33]);
    let payment_hash = PaymentHash([3; 32]);
    let blob = |which: u8, name: &str, blob: Vec<u8>| {
        seed("store_blob", name, [vec![which], blob].concat());
    };
    blob(0, "forward", codec::encode_origin(&Origin::Forward(HtlcKey { peer, id: 7 })));
    blob(0, "payment", codec::encode_origin(&Origin::Payment { payment_hash, part: 1 }));
    blob(1, "fulfil", codec::encode_settlement(&Settlement::Fulfil(Preimage([4; 32]))));
    let fail = Failure::Reason { reason: vec![5; 292], tlvs: vec![1, 1, 0] };
    blob(1, "fail", codec::encode_settlement(&Settlement::Fail(fail)));
    let malformed = Failure::Malformed { sha256_of_onion: [6; 32], failure_code: 0xc005 };
    blob(1, "malformed", codec::encode_settlement(&Settlement::Fail(malformed)));
    blob(2, "path", codec::encode_path(&[(peer, ShortChannelId(9)), (peer, ShortChannelId(8))]));
    blob(3, "addresses", codec::encode_addresses(&["10.0.0.1:9735".to_owned(), String::new()]));
    let suspension = Suspension { by_us: true, code: Some(3), text: "wrong signature".to_owned() };
    let uncoded = Suspension { by_us: false, code: None, text: String::new() };
    let events = [
        EventKind::ChannelSuspended { peer, suspension: uncoded },
        EventKind::ChannelOpened { peer, role: Role::Host, capacity_msat: 1 },
        EventKind::ChannelOpeningFailed { peer, reason: "no".to_owned() },
        EventKind::ChannelSuspended { peer, suspension },
        EventKind::OverrideProposed { peer, our_balance_msat: 5 },
        EventKind::ChannelOverridden { peer },
        EventKind::ChannelResized { peer, capacity_msat: 6 },
        EventKind::InvoicePaid { payment_hash, received_msat: 7 },
        EventKind::PaymentSent {
            payment_hash,
            preimage: Preimage([4; 32]),
            amount_msat: 8,
            fee_msat: 1,
        },
        EventKind::PaymentFailed {
            payment_hash,
            code: "no_route".to_owned(),
            message: "none".to_owned(),
        },
        EventKind::PreimageAtRisk { peer, preimage: None, cltv_expiry: 9 },
    ];
    for (nth, event) in events.iter().enumerate() {
        blob(4, &format!("event-{nth}"), codec::encode_event(event));
    }
    let offer = steward_engine::config::default_offer(1_000_000);
    seed("channel_record", "host", Channel::host(peer, NodeId([3; 33]), offer).record());
    seed(
        "channel_record",
        "client",
        Channel::client(peer, NodeId([3; 33]), vec![0, 20], vec![1]).record(),
    );
}

fn settings() {
    seed(
        "config_file",
        "sample",
        steward_node::config::sample_toml().chars().take(4_000).collect::<String>(),
    );
    let mut flags = String::new();
    for key in steward_node::Config::keys().take(12) {
        flags.push_str(&format!("{}=1\n{}=true\n", key.path(), key.variable()));
    }
    seed("config_flags", "keys", flags.chars().take(1_000).collect::<String>());
    let files = [
        (
            "host",
            "network = \"regtest\"\n[host]\nfee_ppm = 1_000\ncapacity_sat = 5000000\nsecrets = [\"a\", \"hex:00ff\"]\n",
        ),
        ("listen", "[listen]\naddresses = [\"127.0.0.1:9735\", \"[::1]:9735\"]\n"),
        (
            "chain",
            "network = \"bitcoin\"\n[chain]\nsource = \"bitcoind\"\nurl = \"http://127.0.0.1:8332\"\ncookie_file = \".cookie\"\n",
        ),
        (
            "odd",
            "[host]\nfee_ppm = -1\n\n[proxy]\nsocks5 = \"127.0.0.1:9050\"\nonion_only = true\n",
        ),
        (
            "types",
            "data_dir = 'x'\nhost = 5\na = 1979-05-27T07:32:00Z\nb = 0xff\nc = nan\nd = [{x = 1}]\n",
        ),
        ("unknown", "[hots]\nfee_pmp = 1\n"),
    ];
    for (name, text) in files {
        seed("config_file", name, text);
    }
    for (nth, flags) in [
        "network=signet",
        "host.fee_ppm=1_000\nhost.secrets=a, b\nSTEWARD_API__ADDRESS=0.0.0.0:80",
        "nonsense",
        "log.level=debug\ndata_dir=/x",
    ]
    .iter()
    .enumerate()
    {
        seed("config_flags", &format!("flags-{nth}"), flags);
    }
}

fn api() {
    let hash = "00".repeat(32);
    let bodies = [
        (0, r#"{"host":"02aa@127.0.0.1:9735","secret":"hex:00ff","wait_ms":5}"#.to_owned()),
        (1, r#"{"peer":"02aa@[::1]:9735"}"#.to_owned()),
        (2, r#"{"amount_msat":1000,"description":"tea \u2615","expiry_s":60}"#.to_owned()),
        (3, r#"{"invoice":"lnbc1","amount_msat":1,"max_fee_msat":0,"wait_ms":18446744073709551615}"#.to_owned()),
        (4, r#"{"destination":"02aa","amount_msat":5,"via":"03bb"}"#.to_owned()),
        (5, r#"{"path":"/tmp/x"}"#.to_owned()),
        (9, format!(r#"{{"number":1,"time_ms":2,"kind":"invoice_paid","payment_hash":"{hash}","received_msat":3}}"#)),
        (12, "{}".to_owned()),
        (17, r#"{"path":"/x"}"#.to_owned()),
    ];
    for (which, json) in bodies {
        seed("api_body", &format!("model-{which}"), [vec![which], json.into_bytes()].concat());
    }
    for (which, query) in [
        (0, "limit=10&before=5"),
        (1, "status=pending&limit=1"),
        (2, "paid=true"),
        (3, "invoice=lnbc1%20x"),
        (4, "wait_ms=100"),
        (5, "after=0"),
        (1, "status=nonsense&x=1"),
    ] {
        seed(
            "api_query",
            &format!("query-{which}-{}", query.len()),
            [&[which], query.as_bytes()].concat(),
        );
    }
    for route in 0..23 {
        seed("api_request", &format!("route-{route}"), [route, 1, 0]);
    }
    seed("api_request", "decode", [&[11, 0, 14][..], b"?invoice=lnbc1"].concat());
    seed("api_request", "payments", [&[18, 0, 23][..], b"?limit=5&status=pending"].concat());
    seed("api_request", "pay", [&[16, 1, 0][..], br#"{"invoice":"lnbc1","wait_ms":0}"#].concat());
    seed("api_request", "invoice", [&[8, 1, 0][..], br#"{"amount_msat":1000}"#].concat());
    let connect = br#"{"peer":"0231845fd5f334fc5ea55660d565c218f02dc69e233705ef49149b5efb5fc83d19@10.0.0.1:9735"}"#;
    seed("api_request", "connect", [&[21, 1, 0][..], connect].concat());
    seed("p2p_handshake", "spoiled", [0, 1, 1, 0, 10, 1, 1, 0, 1, 0, 40, 255, 1]);
    seed("p2p_handshake", "garbage", [&[1, 1, 0, 0, 50][..], &[7; 50], &[1]].concat());
    seed(
        "p2p_handshake",
        "after",
        [&[5, 1, 0, 0, 30][..], &[0; 30], &[1, 0, 1, 0, 3, 1, 1]].concat(),
    );
    let init =
        [&[2, 0, 16, 0, 4][..], &[0, 0, 0, 0], &[2, 0, 17, 0, 36], &[0; 32], &[0, 2, 104, 105]]
            .concat();
    seed("p2p_messages", "init-and-error", init);
    seed("p2p_messages", "ping", [2, 0, 18, 0, 4, 0, 10, 0, 0, 0, 1, 0, 1]);
}

/// Kind of source, question, answers: of a tip, of a block's hash, of a block with a preimage.
fn chain() {
    let block = bitcoin::constants::genesis_block(bitcoin::Network::Regtest);
    let block_hex = bitcoin::consensus::encode::serialize_hex(&block);
    let header_hex = bitcoin::consensus::encode::serialize_hex(&block.header);
    let hash = block.block_hash().to_string();
    let rpc = |result: &str| format!("{{\"result\":{result},\"error\":null,\"id\":1}}");
    let script = |kind: u8, question: u8, answers: &[String]| {
        let mut script = vec![kind, question];
        for answer in answers {
            script.push(1);
            script.extend(u16::try_from(answer.len()).unwrap().to_be_bytes());
            script.extend(answer.as_bytes());
        }
        script
    };
    let info = format!(
        "{{\"blocks\":1,\"headers\":1,\"bestblockhash\":\"{hash}\",\"time\":5,\"chain\":\"regtest\"}}"
    );
    let header = format!("{{\"hash\":\"{hash}\",\"height\":1,\"time\":5}}");
    seed("chain_replies", "bitcoind-tip", script(0, 0, &[rpc(&info), rpc(&header)]));
    seed("chain_replies", "bitcoind-network", script(0, 2, &[rpc(&format!("\"{hash}\""))]));
    let answers = [rpc(&format!("\"{hash}\"")), rpc(&format!("\"{block_hex}\""))];
    seed("chain_replies", "bitcoind-block", script(0, 0x80, &answers));
    let tip = format!("{{\"id\":\"{hash}\",\"height\":1,\"timestamp\":5}}");
    seed("chain_replies", "esplora-tip", script(1, 0, &[hash.clone(), tip]));
    seed("chain_replies", "esplora-network", script(1, 2, std::slice::from_ref(&hash)));
    let raw = bitcoin::consensus::encode::serialize(&block);
    let mut by_esplora = script(1, 0x80, &[hash]);
    by_esplora.push(1);
    by_esplora.extend(u16::try_from(raw.len()).unwrap().to_be_bytes());
    by_esplora.extend(raw);
    seed("chain_replies", "esplora-block", by_esplora);
    let version = "[\"x 1.0\",\"1.4\"]".to_owned();
    let tip = format!("{{\"height\":1,\"hex\":\"{header_hex}\"}}");
    seed("chain_replies", "electrum-tip", electrum(0, &[&version, &tip]));
    seed(
        "chain_replies",
        "electrum-network",
        electrum(2, &[&version, &format!("\"{header_hex}\"")]),
    );
}

fn electrum(question: u8, results: &[&str]) -> Vec<u8> {
    let mut script = vec![2, question];
    for (id, result) in (0u8..).zip(results) {
        script.push(id);
        script.extend(u16::try_from(result.len()).unwrap().to_be_bytes());
        script.extend(result.as_bytes());
    }
    script
}

/// Histories for the state machines, as their harnesses read them.
fn scripts() {
    // Add, deliver, settle, deliver, reconnect.
    let honest = [
        1,
        0,
        9,
        0,
        51,
        51,
        0x80 | 51,
        0x80 | 51,
        0x80 | 30,
        0,
        1,
        0x80 | 51,
        51,
        0x80 | 2,
        0,
        77,
        0x80 | 51,
        51,
        24,
        0,
        0,
        51,
        0x80 | 51,
        88,
        1,
        2,
        96,
        104,
        96,
        111,
        0,
        9,
        109,
        108,
        5,
        9,
    ];
    seed("channel_honest", "payments", honest);
    seed("channel_honest", "lazy", [&[0][..], &honest[1..]].concat());
    seed(
        "channel_honest",
        "burst",
        [&[1][..], &[3, 20, 20].repeat(12), &[51; 20], &[24, 0, 1].repeat(8)].concat(),
    );
    seed("channel_rough", "payments", honest);
    let rough =
        [&honest[..14], &[113, 51, 0x80 | 51, 116, 100, 51, 120, 51, 0x80 | 51, 124, 0, 126, 7]]
            .concat();
    seed("channel_rough", "override", rough);
    // Attacks: add and sign, settle and sign, shows, controls, local inputs.
    let add_sign = [30, 0, 1, 0, 0, 90, 0, 10, 2];
    for (name, choice) in [("host", 2), ("client", 3), ("opening-host", 0), ("opening-client", 1)] {
        let mut script = vec![choice];
        script.extend(add_sign);
        script.extend([200, 1, 0, 0, 0, 9, 10, 3, 40, 128, 0, 90, 0, 200, 0, 0, 12, 90, 0]);
        script.extend([
            151, 148, 0, 122, 1, 90, 0, 200, 0, 0, 22, 130, 2, 0, 90, 200, 0, 0, 28, 90, 0x40,
        ]);
        seed("channel_hostile", name, &script);
        seed("channel_hostile", &format!("{name}-twice"), [&script[..], &script[1..]].concat());
    }
    seed(
        "channel_hostile",
        "fulfil-own",
        [2, 200, 1, 0, 0, 0, 9, 10, 3, 90, 0, 30, 128, 1, 90, 0, 10, 3],
    );
    let engine =
        [0, 10, 0, 9, 60, 3, 80, 0, 100, 0, 1, 5, 120, 0, 200, 1, 0, 30, 0, 1, 0, 0, 90, 0];
    seed("engine_frames", "payments", engine);
    seed("engine_frames", "again", engine.repeat(3));
}
