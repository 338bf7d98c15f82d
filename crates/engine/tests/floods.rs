//! What one peer can make us do: bytes out for bytes in, work, rows. However much it sends, and
//! however often it comes back, it gets no further than the limits (docs/threat-model.md, 10).

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use bitcoin::secp256k1::SecretKey;
use common::{CHAIN_HASH, Net, config, hosted_features, id_of};
use steward_channel::Phase;
use steward_engine::Command;
use steward_engine::config::Config;
use steward_engine::io::{Action, ConnId, Input, RoutedPart};
use steward_engine::limits::{
    COST_OF_REFUSAL, FREE_BYTES_OUT, MAX_BYTES_OUT_PER_BYTE_IN, MAX_HINT_BYTES, MAX_HINTS_PER_PEER,
    MAX_PATIENCE, MESSAGE_OVERHEAD_BYTES,
};
use steward_engine::row::EvidenceRow;
use steward_onion::{OnionSeed, PathHop, Recipient, create};
use steward_store::{PageRequest, Store};
use steward_wire::{
    AskBrandingInfo, ChannelId, Framing, HostedChannelBranding, InitHostedChannel,
    InvokeHostedChannel, LastCrossSignedState, Message, Onion, PaymentHash, Preimage,
    ShortChannelId, Signature, UpdateAddHtlc, UpdateFulfillHtlc, framing,
};

/// What came of one batch for one connection.
#[derive(Default)]
struct Outcome {
    bytes_out: u64,
    messages: Vec<Message>,
    /// Whether it was hung up on, and its address kept out.
    hung_up: Option<bool>,
    logs: usize,
}

/// Gives frames to node 0 and looks at one batch.
fn give(net: &mut Net, conn: ConnId, messages: &[Message]) -> Outcome {
    let frames = messages.iter().map(|m| framing::encode(Framing::Modern, m).unwrap()).collect();
    give_frames(net, conn, frames)
}

fn give_frames(net: &mut Net, conn: ConnId, frames: Vec<(u16, Vec<u8>)>) -> Outcome {
    net.input(0, Input::Frames { conn, frames });
    let mut outcome = Outcome::default();
    for action in net.batch(0).unwrap() {
        match action {
            Action::Send { conn: to, frames } if to == conn => {
                for (message_type, payload) in frames {
                    outcome.bytes_out += wire_bytes(&payload);
                    let framing = &mut Some(Framing::Modern);
                    let message = framing::decode(framing, message_type, &payload);
                    outcome.messages.push(message.unwrap().unwrap());
                }
            }
            Action::Disconnect { conn: to, back_off, .. } if to == conn => {
                outcome.hung_up = Some(back_off);
            }
            Action::Log { .. } => outcome.logs += 1,
            other => net.act(0, other),
        }
    }
    outcome
}

fn wire_bytes(payload: &[u8]) -> u64 {
    payload.len() as u64 + MESSAGE_OVERHEAD_BYTES
}

fn invoke() -> Message {
    Message::InvokeHostedChannel(InvokeHostedChannel {
        chain_hash: CHAIN_HASH,
        refund_scriptpubkey: [[0u8, 20].as_slice(), &[7; 20]].concat(),
        secret: Vec::new(),
    })
}

fn invoke_bytes() -> u64 {
    wire_bytes(&framing::encode(Framing::Modern, &invoke()).unwrap().1)
}

/// A stranger at an address of its own.
fn stranger(net: &mut Net, byte: u8, address: &str) -> ConnId {
    let conn = ConnId(2_000_000 + u64::from(byte));
    net.wiretap(0, conn);
    let connected = Input::PeerConnected {
        conn,
        peer: id_of(&SecretKey::from_slice(&[byte; 32]).unwrap()),
        local: net.id(0),
        features: hosted_features(),
        inbound: true,
        address: address.to_owned(),
    };
    net.input(0, connected);
    net.settle();
    conn
}

/// A host, and a client 2 that holds 21 HTLCs and is about to be played by the test.
fn client_with_21_htlcs() -> (Net, ConnId) {
    let mut net = Net::host_and_clients(2);
    let invoice = net.invoice(2, Some(1_000_000));
    let command = net.pay_command(&invoice.bolt11, None);
    let Command::Pay { invoice: parsed, .. } = &command else { panic!() };
    let payee = parsed.payee;
    net.answer_routes_by_hand(1);
    net.issue(1, command);
    net.settle();
    let (host, payer, client) = (net.id(0), net.client_id(1, 0), net.client_id(2, 0));
    let part = |seed: u8| {
        let path = vec![
            PathHop {
                node_id: host,
                scid: ShortChannelId::of_pair(&host, &payer),
                fee_msat: 1_100,
                cltv_expiry_delta: 144,
            },
            PathHop {
                node_id: payee,
                scid: ShortChannelId::of_pair(&host, &client),
                fee_msat: 2_000,
                cltv_expiry_delta: 146,
            },
        ];
        let recipient = Recipient {
            payment_secret: Some(invoice.payment_secret),
            total_msat: 1_000_000,
            metadata: None,
            keysend_preimage: None,
            custom_tlvs: Vec::new(),
        };
        let session_key = [seed; 32];
        let seed = OnionSeed { session_key, prng_seed: session_key, height: net.height };
        let onion = create(&path, &recipient, &invoice.payment_hash, &seed).unwrap();
        RoutedPart {
            path,
            amount_msat: onion.amount_msat,
            fee_msat: 1_100,
            cltv_expiry: onion.cltv_expiry,
            onion: onion.onion,
            session_key,
        }
    };
    let parts = (60..81).map(part).collect();
    let payment_hash = invoice.payment_hash;
    net.input(1, Input::Route { payment_hash, attempt: 1, result: Ok(parts) });
    net.settle();
    assert_eq!(net.channel(0, 2).state.unwrap().outgoing_htlcs.len(), 21);
    net.crash(2);
    net.settle();
    let conn = net.impersonate(2, 0);
    (net, conn)
}

#[test]
fn an_invoke_repeated_within_a_batch_is_answered_once() {
    let (mut net, conn) = client_with_21_htlcs();
    let outcome = give(&mut net, conn, &vec![invoke(); 100]);
    let states = outcome.messages.iter().filter(|m| matches!(m, Message::LastCrossSignedState(_)));
    assert_eq!(states.count(), 1);
    assert!(outcome.bytes_out < 2 * 31_000, "{}", outcome.bytes_out);
}

#[test]
fn however_often_a_client_asks_the_bytes_it_gets_are_bounded_by_those_it_gives() {
    let (mut net, conn) = client_with_21_htlcs();
    let (mut bytes_in, mut bytes_out) = (0, 0);
    for _ in 0..1000 {
        let outcome = give(&mut net, conn, &[invoke()]);
        bytes_in += invoke_bytes();
        bytes_out += outcome.bytes_out;
        assert!(bytes_out <= FREE_BYTES_OUT + MAX_BYTES_OUT_PER_BYTE_IN * bytes_in);
        if let Some(back_off) = outcome.hung_up {
            assert!(back_off, "it is not let in again at once");
            // Nothing it sent behind that has any effect.
            let after = give(&mut net, conn, &vec![invoke(); 10]);
            assert_eq!((after.bytes_out, after.logs), (0, 0));
            return;
        }
    }
    panic!("{bytes_out} bytes for {bytes_in}, and no end");
}

#[test]
fn branding_is_sent_once_in_a_batch_and_never_for_long() {
    let mut host: Config = config();
    host.host.branding = Some(HostedChannelBranding {
        rgb: [1, 2, 3],
        png: Some(vec![7; 60_000]),
        contact_info: String::new(),
    });
    let mut net = Net::new(vec![host]);
    let conn = stranger(&mut net, 77, "192.0.2.1:1");
    let ask = Message::AskBrandingInfo(AskBrandingInfo { chain_hash: CHAIN_HASH });
    let first = give(&mut net, conn, &vec![ask.clone(); 50]);
    assert_eq!(first.messages.len(), 1);
    let mut bytes_out = first.bytes_out;
    for _ in 0..100 {
        let outcome = give(&mut net, conn, std::slice::from_ref(&ask));
        bytes_out += outcome.bytes_out;
        if outcome.hung_up.is_some() {
            return assert!(bytes_out <= 2 * FREE_BYTES_OUT, "{bytes_out}");
        }
    }
    panic!("{bytes_out} bytes of branding, and no end");
}

#[test]
fn refused_openings_end_in_a_disconnect_and_what_follows_is_not_worked_off() {
    let mut host = config();
    host.host.accept_new_channels = false;
    let mut net = Net::new(vec![host]);
    let conn = stranger(&mut net, 77, "192.0.2.1:1");
    let mut refused = 0_u64;
    loop {
        let outcome = give(&mut net, conn, &[invoke()]);
        refused += 1;
        assert_eq!(outcome.messages.len(), 1, "it is told why");
        if let Some(back_off) = outcome.hung_up {
            assert!(back_off);
            break;
        }
        assert!(refused < 1000);
    }
    assert!(refused <= u64::from(MAX_PATIENCE / COST_OF_REFUSAL) + 1);
    let after = give(&mut net, conn, &vec![invoke(); 100]);
    assert_eq!((after.messages.len(), after.logs), (0, 0));
}

#[test]
fn messages_of_no_use_are_borne_for_a_while_only() {
    for frame in [(60_001, Vec::new()), (63_505, framed_add())] {
        let mut net = Net::new(vec![config()]);
        let conn = stranger(&mut net, 77, "192.0.2.1:1");
        let sent = MAX_PATIENCE as usize / 2;
        assert_eq!(give_frames(&mut net, conn, vec![frame.clone(); sent]).hung_up, None);
        let outcome = give_frames(&mut net, conn, vec![frame.clone(); sent + 1]);
        assert_eq!(outcome.hung_up, Some(true));
        // Who sends them seldom is never hung up on.
        let conn = stranger(&mut net, 78, "192.0.2.1:1");
        for _ in 0..2 * MAX_PATIENCE {
            net.tick(1_000);
            assert_eq!(give_frames(&mut net, conn, vec![frame.clone()]).hung_up, None);
        }
    }
}

fn framed_add() -> Vec<u8> {
    framing::encode(Framing::Modern, &Message::UpdateAddHtlc(add(1))).unwrap().1
}

fn add(id: u64) -> UpdateAddHtlc {
    UpdateAddHtlc {
        channel_id: ChannelId::ZERO,
        id,
        amount_msat: 1,
        payment_hash: PaymentHash([1; 32]),
        cltv_expiry: 1,
        onion: Onion(Box::new([0; 1366])),
        tlvs: Vec::new(),
    }
}

fn evidence(net: &Net) -> Vec<EvidenceRow> {
    let page = PageRequest { before: None, limit: 1000 };
    let page = net.nodes[0].store.history().unwrap().evidence(None, page).unwrap();
    page.rows.into_iter().map(|numbered| numbered.row).collect()
}

/// A state nobody signed, as large as they get.
fn junk_state() -> LastCrossSignedState {
    LastCrossSignedState {
        is_host: false,
        last_refund_scriptpubkey: [[0u8, 20].as_slice(), &[7; 20]].concat(),
        init_hosted_channel: InitHostedChannel {
            max_htlc_value_in_flight_msat: 1,
            htlc_minimum_msat: 1,
            max_accepted_htlcs: 1,
            channel_capacity_msat: 1,
            initial_client_balance_msat: 0,
            features: vec![],
        },
        block_day: 1,
        local_balance_msat: 1,
        remote_balance_msat: 0,
        local_updates: 1,
        remote_updates: 1,
        incoming_htlcs: (0..21).map(add).collect(),
        outgoing_htlcs: (0..21).map(add).collect(),
        remote_sig_of_local: Signature([1; 64]),
        local_sig_of_remote: Signature([1; 64]),
    }
}

#[test]
fn a_stranger_costs_no_row_and_uses_up_no_quota() {
    let mut host = config();
    host.host.max_opens_per_hour = 3;
    host.host.max_opens_per_prefix_per_hour = 2;
    let mut net = Net::new(vec![host, config()]);
    for byte in 60..70 {
        let conn = stranger(&mut net, byte, &format!("192.0.{byte}.1:1"));
        give(&mut net, conn, &[invoke()]);
        give(&mut net, conn, &[Message::LastCrossSignedState(junk_state())]);
        net.settle();
    }
    // Openings that are not finished stand in nobody's way but that of their own network.
    for byte in 70..80 {
        let conn = stranger(&mut net, byte, &format!("192.0.{byte}.1:1"));
        give(&mut net, conn, &[invoke()]);
    }
    assert!(evidence(&net).is_empty());
    net.open(1, 0);
    assert_eq!(net.channel(0, 1).phase, Phase::Active);
}

#[test]
fn evidence_about_one_client_is_bounded_over_connections_and_restarts() {
    let mut net = Net::host_and_clients(2);
    // A held HTLC from 2 to 1: the attacker pays itself one satoshi and does not claim.
    let invoice = net.invoice(1, Some(1_000_000));
    let pay = net.pay_command(&invoice.bolt11, None);
    net.issue(2, pay);
    net.run_until_offered(2, 0);
    net.crash(1);
    net.settle();
    for round in 0..6u8 {
        let conn = net.impersonate(1, 0);
        let channel_id = ChannelId::of_pair(&net.client_id(1, 0), &net.id(0));
        // An unknown odd TLV of 65 000 bytes.
        let mut tlvs = vec![0x01, 0xfd, 0xfd, 0xe8];
        tlvs.extend(vec![round; 65_000]);
        let preimage = Preimage([3; 32]);
        let wrong =
            Message::UpdateFulfillHtlc(UpdateFulfillHtlc { channel_id, id: 1, preimage, tlvs });
        give(&mut net, conn, &vec![wrong; 16]);
        net.input(0, Input::PeerDisconnected { conn });
        net.settle();
        if round == 3 {
            net.crash(0);
            net.settle();
            net.start(0);
        }
    }
    let rows = evidence(&net);
    assert_eq!(rows.len(), MAX_HINTS_PER_PEER);
    assert!(rows.iter().all(|row| row.body.len() <= MAX_HINT_BYTES));
}
