//! Seeds of everything around the protocol: the store, settings, the API, chain sources, and
//! scripts that play a channel or an engine.

use steward_engine::EventKind;
use steward_engine::row::Origin;
use steward_funded::bolt3::Side;
use steward_hosted::{Channel, Role, Suspension};
use steward_htlc::{Failure, IncomingHtlcId, Settlement};
use steward_store::codec;
use steward_testkit::funded::Funded;
use steward_wire::{ChannelMessage, LinkId, NodeId, PaymentHash, Preimage, ShortChannelId};

use super::seed;

/// A stored channel, and scripts of deaths.
pub(super) fn resolver() {
    let stored = super::root().join("crates/resolver/tests/blobs/0.3.0-rc3");
    for name in ["started", "ours"] {
        let blob = std::fs::read(stored.join(format!("{name}.blob"))).unwrap();
        seed("resolver_blob", name, &blob[..blob.len().min(300)]);
    }
    for script in 0..6_u8 {
        let choices = (0..400_u16).map(|at| (at.wrapping_mul(37) ^ (u16::from(script) << 3)) as u8);
        seed("resolver_record", &format!("death-{script}"), choices.collect::<Vec<_>>());
    }
}

pub(super) fn store() {
    let peer = NodeId([2; 33]);
    let payment_hash = PaymentHash([3; 32]);
    let payment = payment_hash.into();
    let incoming = IncomingHtlcId { link: LinkId([8; 32]), id: 7 };
    let link = Some(incoming.link);
    let blob = |which: u8, name: &str, blob: Vec<u8>| {
        seed("store_blob", name, [vec![which], blob].concat());
    };
    blob(0, "forward", codec::encode_origin(&Origin::Forward(incoming)));
    blob(0, "payment", codec::encode_origin(&Origin::Payment { payment, part: 1 }));
    blob(
        1,
        "fulfill",
        codec::encode_settlement(&Settlement::Fulfill {
            preimage: Preimage([4; 32]),
            tlvs: Vec::new(),
        }),
    );
    let fail = Failure::Reason { reason: vec![5; 292], tlvs: vec![1, 1, 0] };
    blob(1, "fail", codec::encode_settlement(&Settlement::Fail(fail)));
    let malformed = Failure::Malformed { sha256_of_onion: [6; 32], failure_code: 0xc005 };
    blob(1, "malformed", codec::encode_settlement(&Settlement::Fail(malformed)));
    blob(2, "path", codec::encode_path(&[(peer, ShortChannelId(9)), (peer, ShortChannelId(8))]));
    blob(3, "addresses", codec::encode_addresses(&["10.0.0.1:9735".to_owned(), String::new()]));
    let suspension = Suspension { by_us: true, code: Some(3), text: "wrong signature".to_owned() };
    let uncoded = Suspension { by_us: false, code: None, text: String::new() };
    let events = [
        EventKind::ChannelSuspended { peer, link, suspension: uncoded },
        EventKind::ChannelOpened { peer, link, role: Role::Host, capacity_msat: 1 },
        EventKind::ChannelOpeningFailed { peer, link, reason: "no".to_owned() },
        EventKind::ChannelSuspended { peer, link, suspension },
        EventKind::OverrideProposed { peer, link, our_balance_msat: 5 },
        EventKind::ChannelOverridden { peer, link },
        EventKind::ChannelOverridden { peer, link: None },
        EventKind::ChannelResized { peer, link, capacity_msat: 6 },
        EventKind::ChannelForgotten { peer, link, role: Role::Client },
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
        EventKind::PreimageAtRisk { peer, link, preimage: None, cltv_expiry: 9 },
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

/// A record of a funded channel with its rows, in the harness's form, and a short history.
pub(super) fn funded() {
    let mut funded = Funded::open();
    let add = funded.add(0, 20_000_000, 300);
    let next = Funded::with_adds(&funded.contents(), std::slice::from_ref(&add));
    funded.tell(ChannelMessage::UpdateAddHtlc(add));
    for signed in [true, false] {
        let message =
            if signed { funded.commitment_signed(&next) } else { funded.revoke_and_ack() };
        funded.tell(message);
        let mut data = vec![u8::try_from(funded.rows.len()).unwrap()];
        for (key, row) in &funded.rows {
            data.push(u8::from(key.offered_by == Side::Remote));
            data.extend_from_slice(&key.id.to_be_bytes());
            data.extend_from_slice(&u16::try_from(row.len()).unwrap().to_be_bytes());
            data.extend_from_slice(row);
        }
        data.extend_from_slice(&funded.record.clone().unwrap());
        seed("funded_record", if signed { "signed" } else { "committed" }, data);
    }
    // Numbers of the harness's choices.
    let receive = [0, 1, 0, 0, 0, 100, 1, 2];
    let send = [3, 1, 0, 0, 0, 100, 9, 2, 1, 2];
    seed("funded_messages", "receive", [&receive[..], &[5, 0, 9, 2, 1]].concat());
    seed("funded_messages", "send", [&send[..], &[4, 0, 1, 2]].concat());
    seed("funded_messages", "lost", [&receive[..6], &[1, 6, 7, 6, 2, 2, 6, 5]].concat());
    seed("funded_messages", "deadline", [&send[..], &[7, 90, 7, 90, 6, 1]].concat());
}

pub(super) fn settings() {
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

/// Writes requests to a real engine: route, node, fields.
pub(super) fn api_store() {
    // A field that is present, with a number at an edge: 2^64 - 1, 2^63, 2^63 - 3.
    let most = [100, 254, 0];
    let odd = [100, 251, 0];
    let below = [100, 251, 3];
    let invoice = [100, 1, 0, 5];
    let small = [100, 1, 0, 5];
    for (name, fee) in [("most", most), ("odd", odd), ("below", below)] {
        let pay = [&[0, 1, 1][..], &invoice, &[0], &fee].concat();
        let keysend = [&[1, 1, 1, 100, 0][..], &small, &fee, &[100]].concat();
        seed("api_store", &format!("pay-fee-{name}"), [pay.clone(), keysend.clone()].concat());
        seed("api_store", &format!("keysend-fee-{name}"), [keysend, pay].concat());
    }
    for (name, amount) in [("most", [254, 0]), ("odd", [251, 0]), ("below", [251, 3])] {
        let number = [&[100, 0][..], &amount].concat();
        let open_invoice = [100, 0];
        let pay = [&[0, 1, 1][..], &open_invoice, &number, &[0]].concat();
        let keysend = [&[1, 1, 1, 100, 0][..], &number, &[0, 100]].concat();
        let invoice = [&[2, 1, 1][..], &number, &[100, 0, 5, 100, 60]].concat();
        let by_host = [&[2, 0, 1][..], &number, &[0, 0]].concat();
        let act = |route: u8, who: u8| [&[route, who, 1, 100][..], &amount].concat();
        let operator = [act(9, 1), vec![0], vec![6, 0, 1], act(7, 0), act(8, 1)];
        let all = [vec![pay, keysend, invoice, by_host], operator.to_vec()].concat();
        seed("api_store", &format!("amount-{name}"), all.concat());
    }
    let address = [&[3, 1, 1, 100, 2, 1, 40, 100, 40][..], &[4, 1, 1, 100, 2, 1, 100]].concat();
    seed("api_store", "addresses", address);
    let raw = br#"{"amount_msat":9223372036854775808}"#;
    let len = u8::try_from(raw.len()).unwrap();
    seed("api_store", "raw", [&[2, 0, 0, 0, len][..], raw].concat());
}

pub(super) fn api() {
    let hash = "00".repeat(32);
    let bodies = [
        (0, r#"{"host":"02aa@127.0.0.1:9735","secret":"hex:00ff","wait_ms":5}"#.to_owned()),
        (1, r#"{"peer":"02aa@[::1]:9735"}"#.to_owned()),
        (2, r#"{"amount_msat":1000,"description":"tea \u2615","expiry_s":60}"#.to_owned()),
        (3, r#"{"invoice":"lnbc1","amount_msat":1,"max_fee_msat":0,"wait_ms":18446744073709551615}"#.to_owned()),
        (4, r#"{"destination":"02aa","amount_msat":5,"via":"03bb"}"#.to_owned()),
        (5, r#"{"path":"copy.db"}"#.to_owned()),
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

/// Writes source, question and answers: of a tip, of a block's hash, of a block with a preimage.
pub(super) fn chain() {
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

/// A history of honest channels: add, deliver, settle, deliver, reconnect.
#[rustfmt::skip]
const HONEST: [u8; 36] = [
    1, 0, 9, 0, 51, 51, 0x80 | 51, 0x80 | 51, 0x80 | 30, 0, 1, 0x80 | 51, 51, 0x80 | 2, 0, 77,
    0x80 | 51, 51, 24, 0, 0, 51, 0x80 | 51, 88, 1, 2, 96, 104, 96, 111, 0, 9, 109, 108, 5, 9,
];

/// Writes histories for the state machines, in the form that their harnesses read.
pub(super) fn scripts() {
    honest_channels();
    hostile_channels();
    let engine =
        [0, 10, 0, 9, 60, 3, 80, 0, 100, 0, 1, 5, 120, 0, 200, 1, 0, 30, 0, 1, 0, 0, 90, 0];
    seed("engine_frames", "payments", engine);
    seed("engine_frames", "again", engine.repeat(3));
}

fn honest_channels() {
    seed("channel_honest", "payments", HONEST);
    seed("channel_honest", "lazy", [&[0][..], &HONEST[1..]].concat());
    seed(
        "channel_honest",
        "burst",
        [&[1][..], &[3, 20, 20].repeat(12), &[51; 20], &[24, 0, 1].repeat(8)].concat(),
    );
    seed("channel_rough", "payments", HONEST);
    let rough =
        [&HONEST[..14], &[113, 51, 0x80 | 51, 116, 100, 51, 120, 51, 0x80 | 51, 124, 0, 126, 7]]
            .concat();
    seed("channel_rough", "override", rough);
}

/// Attacks: add and sign, settle and sign, shows, controls, local inputs.
fn hostile_channels() {
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
        "fulfill-own",
        [2, 200, 1, 0, 0, 0, 9, 10, 3, 90, 0, 30, 128, 1, 90, 0, 10, 3],
    );
}
