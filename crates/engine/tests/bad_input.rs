//! Everything a peer or an operator can get wrong: each gets a typed error, the protocol's answer
//! and a line in the log, and costs no node any money.

use bitcoin::secp256k1::SecretKey;
use steward_engine::AnswerAt;
use steward_engine::io::{Action, ConnId, Input};
use steward_engine::{Blame, Command, Error};
use steward_hosted::Phase;
use steward_invoice::{Description, NewInvoice, build, parse};
use steward_testkit::{CHAIN_HASH, INITIAL_MSAT, Net, config, hosted_features, id_of};
use steward_wire::bolt1::WARNING_TYPE;
use steward_wire::{
    ChannelId, Framing, InvokeHostedChannel, Message, NodeId, Onion, PaymentHash, Preimage,
    Signature, StateUpdate, UpdateAddHtlc, framing,
};

/// A hand-driven peer of node 0.
struct Stranger {
    key: SecretKey,
    conn: ConnId,
}

impl Stranger {
    fn connect(net: &mut Net, byte: u8) -> Self {
        let key = SecretKey::from_slice(&[byte; 32]).unwrap();
        let conn = ConnId(1_000_000 + u64::from(byte));
        net.wiretap(0, conn);
        let connected = Input::PeerConnected {
            conn,
            peer: id_of(&key),
            local: net.id(0),
            features: hosted_features(),
            inbound: true,
            address: "127.0.0.1:1".to_owned(),
        };
        net.input(0, connected);
        net.settle();
        Self { key, conn }
    }

    fn id(&self) -> NodeId {
        id_of(&self.key)
    }

    fn send(&self, net: &mut Net, message: &Message) {
        let frame = framing::encode(Framing::Modern, message).unwrap();
        self.send_frame(net, frame);
    }

    fn send_frame(&self, net: &mut Net, frame: (u16, Vec<u8>)) {
        net.input(0, Input::Frames { conn: self.conn, frames: vec![frame] });
        net.settle();
    }

    /// What the host has sent since the last call.
    fn received(&self, net: &mut Net) -> Vec<Message> {
        let decode = |(message_type, payload): (u16, Vec<u8>)| {
            framing::decode(&mut Some(Framing::Modern), message_type, &payload).unwrap().unwrap()
        };
        net.tapped(self.conn).into_iter().map(decode).collect()
    }

    fn invoke(&self, net: &mut Net, chain_hash: [u8; 32], secret: &[u8]) -> Vec<Message> {
        let invoke = InvokeHostedChannel {
            chain_hash,
            refund_scriptpubkey: [[0u8, 20].as_slice(), &self.id().0[..20]].concat(),
            secret: secret.to_vec(),
        };
        self.send(net, &Message::InvokeHostedChannel(invoke));
        self.received(net)
    }

    fn add(&self, net: &Net, id: u64, amount_msat: u64) -> UpdateAddHtlc {
        UpdateAddHtlc {
            channel_id: ChannelId::of_pair(&self.id(), &net.id(0)),
            id,
            amount_msat,
            payment_hash: PaymentHash([1; 32]),
            cltv_expiry: net.height + 500,
            onion: Onion([0; 1366].into()),
            tlvs: Vec::new(),
        }
    }
}

fn error_text(messages: &[Message]) -> String {
    match messages {
        [Message::Error(error)] => String::from_utf8_lossy(&error.data).into_owned(),
        other => panic!("expected one error, got {other:?}"),
    }
}

fn refusal<T: std::fmt::Debug>(result: Result<T, Error>) -> (&'static str, Blame) {
    let error = result.unwrap_err();
    assert!(!error.message.is_empty(), "an error is a sentence");
    (error.code.name(), error.blame())
}

#[test]
fn an_invoke_for_another_chain_is_answered_by_an_error() {
    let mut net = Net::new(vec![config()]);
    let stranger = Stranger::connect(&mut net, 77);
    let answer = stranger.invoke(&mut net, [9; 32], &[]);
    assert!(!error_text(&answer).is_empty());
    assert_eq!(net.channel_count(0), 0);
    assert!(net.has_logged(0, "opening_failed"));
}

#[test]
fn an_invoke_without_the_secret_is_refused_with_code_0007() {
    let mut configs = vec![config()];
    configs[0].host.require_secret = true;
    configs[0].host.secrets = vec![b"open sesame".to_vec()];
    let mut net = Net::new(configs);
    let stranger = Stranger::connect(&mut net, 77);
    let wrong = error_text(&stranger.invoke(&mut net, CHAIN_HASH, b"guess"));
    assert!(wrong.starts_with("0007the secret that was sent is not"), "{wrong}");
    let none = error_text(&stranger.invoke(&mut net, CHAIN_HASH, b""));
    assert!(none.starts_with("0007no secret was sent"), "{none}");
    assert!(net.has_logged(0, "opening_refused"));
    let welcome = stranger.invoke(&mut net, CHAIN_HASH, b"open sesame");
    assert!(matches!(welcome[..], [Message::InitHostedChannel(_)]));
}

#[test]
fn openings_beyond_the_quota_of_a_network_are_refused() {
    let mut configs = vec![config()];
    configs[0].host.max_opens_per_prefix_per_hour = 2;
    let mut net = Net::new(configs);
    for byte in [71, 72] {
        let stranger = Stranger::connect(&mut net, byte);
        let answer = stranger.invoke(&mut net, CHAIN_HASH, &[]);
        assert!(matches!(answer[..], [Message::InitHostedChannel(_)]));
    }
    let third = Stranger::connect(&mut net, 73);
    assert!(error_text(&third.invoke(&mut net, CHAIN_HASH, &[])).starts_with("0007"));
}

#[test]
fn messages_of_an_unknown_peer_are_logged_and_ignored() {
    let mut net = Net::new(vec![config()]);
    let stranger = Stranger::connect(&mut net, 77);
    let add = stranger.add(&net, 1, 1_000_000);
    stranger.send(&mut net, &Message::UpdateAddHtlc(add));
    assert!(stranger.received(&mut net).is_empty());
    assert!(net.has_logged(0, "no_channel"));
}

#[test]
fn an_unknown_message_is_logged_and_ignored() {
    let mut net = Net::host_and_clients(1);
    let conn = net.conn(0, 1);
    net.input(0, Input::Frames { conn, frames: vec![(60_001, vec![1, 2, 3])] });
    net.settle();
    assert!(net.has_logged(0, "unknown_message"));
    assert_eq!(net.channel(0, 1).phase, Phase::Active);
}

#[test]
fn a_truncated_message_ends_the_connection_and_the_channel_recovers() {
    let mut net = Net::host_and_clients(1);
    let conn = net.conn(0, 1);
    net.input(0, Input::Frames { conn, frames: vec![(63_505, vec![0; 100])] });
    net.settle();
    assert!(net.has_logged(0, "undecodable_message"));
    assert_eq!(net.channel(0, 1).phase, Phase::Offline);
    net.connect(1, 0);
    net.settle();
    assert_eq!(net.channel(0, 1).phase, Phase::Active);
    assert_eq!(net.agreed_balance_msat(1, 0), INITIAL_MSAT);
}

#[test]
fn who_sends_what_cannot_be_read_is_told_so_once_before_it_is_hung_up_on() {
    let mut net = Net::host_and_clients(1);
    let conn = net.conn(0, 1);
    let bad = (63_505, vec![0; 100]);
    net.input(0, Input::Frames { conn, frames: vec![bad] });
    let actions = net.batch(0).unwrap();
    let [Action::Send { frames, .. }, .., Action::Disconnect { reason, .. }] = &actions[..] else {
        panic!("{actions:?}");
    };
    let [(WARNING_TYPE, payload)] = frames.as_slice() else { panic!("{frames:?}") };
    let text = std::str::from_utf8(&payload[34..]).unwrap();
    assert!(text.contains(reason) && text.contains("63505"), "{text}");
}

#[test]
fn an_oversized_message_ends_the_connection_and_the_channel_recovers() {
    // One record of an unknown odd type, right in all but its length.
    let record = |bytes: u16| {
        let length = (bytes - 4).to_be_bytes();
        [&[1, 0xfd, length[0], length[1]], vec![0; usize::from(bytes) - 4].as_slice()].concat()
    };
    let largest = 512;
    for (bytes, is_read) in [(largest, true), (largest + 1, false)] {
        let mut net = Net::host_and_clients(1);
        let conn = net.conn(0, 1);
        let add = UpdateAddHtlc { tlvs: record(bytes), ..net.raw_add(1, 0, 5_000_000) };
        let frame = framing::encode(Framing::Modern, &Message::UpdateAddHtlc(add)).unwrap();
        net.input(0, Input::Frames { conn, frames: vec![frame] });
        net.settle();
        assert_eq!(net.has_logged(0, "undecodable_message"), !is_read, "{bytes} bytes");
        net.disconnect(1, 0);
        net.connect(1, 0);
        net.settle();
        assert_eq!(net.agreed_balance_msat(1, 0), INITIAL_MSAT);
    }
}

#[test]
fn a_bad_signature_never_moves_money_and_ends_in_suspension() {
    let mut net = Net::host_and_clients(1);
    // A real state update, its signature spoiled, three times over: races are forgiven, this not.
    for _ in 0..5 {
        let conn = net.conn(0, 1);
        let add = net.raw_add(1, 0, 5_000_000);
        let day = net.height / 144;
        let update = StateUpdate {
            block_day: day,
            local_updates: 1,
            remote_updates: 0,
            local_sig_of_remote: Signature([7; 64]),
        };
        let frames = [Message::UpdateAddHtlc(add), Message::StateUpdate(update)]
            .map(|message| framing::encode(Framing::Modern, &message).unwrap());
        net.input(0, Input::Frames { conn, frames: frames.to_vec() });
        net.settle();
        if net.channel(0, 1).phase == Phase::Suspended {
            break;
        }
        net.connect(1, 0);
        net.settle();
    }
    let channel = net.channel(0, 1);
    assert_eq!(channel.phase, Phase::Suspended);
    assert_eq!(channel.suspension.unwrap().code, Some(3));
    let state = channel.state.unwrap();
    assert_eq!(state.remote_balance_msat, INITIAL_MSAT);
    assert_eq!(channel.signatures_valid, Some(true));
}

#[test]
fn an_htlc_above_the_balance_suspends_the_channel_and_keeps_evidence() {
    let mut net = Net::host_and_clients(1);
    let conn = net.conn(0, 1);
    let add = net.raw_add(1, 0, INITIAL_MSAT + 1);
    let frame = framing::encode(Framing::Modern, &Message::UpdateAddHtlc(add)).unwrap();
    net.input(0, Input::Frames { conn, frames: vec![frame] });
    net.settle();
    assert_eq!(net.channel(0, 1).phase, Phase::Suspended);
    assert!(net.has_logged(0, "channel_suspended"));
    assert_eq!(net.channel(0, 1).state.unwrap().remote_balance_msat, INITIAL_MSAT);
}

#[test]
fn an_htlc_below_the_minimum_suspends_the_channel() {
    let mut net = Net::host_and_clients(1);
    let conn = net.conn(0, 1);
    let add = net.raw_add(1, 0, 999);
    let frame = framing::encode(Framing::Modern, &Message::UpdateAddHtlc(add)).unwrap();
    net.input(0, Input::Frames { conn, frames: vec![frame] });
    net.settle();
    assert_eq!(net.channel(0, 1).phase, Phase::Suspended);
}

#[test]
fn a_forged_newer_state_is_refused_and_the_signed_one_kept() {
    let mut net = Net::host_and_clients(1);
    let mut forged = net.channel(1, 0).state.unwrap();
    forged.local_balance_msat += 1_000_000;
    forged.remote_balance_msat -= 1_000_000;
    forged.local_updates += 1;
    net.disconnect(1, 0);
    net.settle();
    // The client comes back and shows what was never signed.
    let conn = net.impersonate(1, 0);
    let invoke = InvokeHostedChannel {
        chain_hash: CHAIN_HASH,
        refund_scriptpubkey: forged.last_refund_scriptpubkey.clone(),
        secret: Vec::new(),
    };
    let frames = [Message::InvokeHostedChannel(invoke), Message::LastCrossSignedState(forged)]
        .map(|message| framing::encode(Framing::Modern, &message).unwrap());
    net.input(0, Input::Frames { conn, frames: frames.to_vec() });
    net.settle();
    let channel = net.channel(0, 1);
    assert_eq!(channel.phase, Phase::Suspended);
    assert_eq!(channel.state.unwrap().remote_balance_msat, INITIAL_MSAT);
}

#[test]
fn a_stale_state_is_answered_with_the_newer_one() {
    let mut net = Net::host_and_clients(2);
    let stale = net.channel(1, 0).state.unwrap();
    let invoice = net.invoice(2, Some(10_000_000));
    net.pay(1, invoice.kind.bolt11().unwrap()).unwrap();
    let newest = net.channel(0, 1).state.unwrap();
    net.disconnect(1, 0);
    net.settle();
    let conn = net.impersonate(1, 0);
    let invoke = InvokeHostedChannel {
        chain_hash: CHAIN_HASH,
        refund_scriptpubkey: stale.last_refund_scriptpubkey.clone(),
        secret: Vec::new(),
    };
    let frames = [Message::InvokeHostedChannel(invoke), Message::LastCrossSignedState(stale)]
        .map(|message| framing::encode(Framing::Modern, &message).unwrap());
    net.input(0, Input::Frames { conn, frames: frames.to_vec() });
    net.settle();
    let sent = net.tapped(conn);
    let state = sent.into_iter().find_map(|(message_type, payload)| {
        let decoded = framing::decode(&mut Some(Framing::Modern), message_type, &payload);
        match decoded {
            Ok(Some(Message::LastCrossSignedState(state))) => Some(state),
            _ => None,
        }
    });
    assert_eq!(state.unwrap(), newest);
    assert_eq!(net.channel(0, 1).state.unwrap(), newest, "the newer state is never given up");
}

#[test]
fn an_expired_invoice_is_refused() {
    let mut net = Net::host_and_clients(2);
    let invoice = net.invoice(2, Some(10_000_000));
    net.tick(3_601_000);
    let command = net.pay_command(invoice.kind.bolt11().unwrap(), None);
    assert_eq!(refusal(net.command(1, command)), ("invoice_expired", Blame::Refused));
    assert_eq!(net.agreed_balance_msat(1, 0), INITIAL_MSAT);
}

#[test]
fn an_invoice_of_another_network_is_refused() {
    let mut net = Net::host_and_clients(1);
    let text = build(
        &NewInvoice {
            network: bitcoin::Network::Bitcoin,
            payment_hash: PaymentHash([5; 32]),
            payment_secret: [6; 32],
            amount_msat: Some(1_000_000),
            description: Description::Text("elsewhere".to_owned()),
            created_at_unix: net.now_ms / 1000,
            expiry_s: 3600,
            min_final_cltv_expiry_delta: 144,
            hints: Vec::new(),
            basic_mpp: true,
        },
        &SecretKey::from_slice(&[5; 32]).unwrap(),
    )
    .unwrap();
    let invoice = Box::new(parse(&text).unwrap());
    let command =
        Command::Pay { invoice, amount_msat: None, max_fee_msat: None, answer: AnswerAt::Start };
    assert_eq!(refusal(net.command(1, command)), ("wrong_network", Blame::BadRequest));
}

#[test]
fn an_amount_of_zero_is_refused_everywhere() {
    let mut net = Net::host_and_clients(2);
    let invoice = net.invoice(2, None);
    let command = net.pay_command(invoice.kind.bolt11().unwrap(), Some(0));
    assert_eq!(refusal(net.command(1, command)), ("zero_amount", Blame::BadRequest));
    let keysend = Command::Keysend {
        destination: net.id(0),
        via: None,
        amount_msat: 0,
        max_fee_msat: None,
        preimage: Preimage([1; 32]),
        answer: AnswerAt::Start,
    };
    assert_eq!(refusal(net.command(1, keysend)), ("zero_amount", Blame::BadRequest));
    let create = Command::CreateInvoice {
        amount_msat: Some(0),
        description: String::new(),
        expiry_s: 60,
        preimage: Preimage([1; 32]),
        payment_secret: [1; 32],
    };
    assert_eq!(refusal(net.command(1, create)), ("zero_amount", Blame::BadRequest));
}

#[test]
fn an_amount_above_the_balance_is_refused_and_says_what_there_is() {
    let mut net = Net::host_and_clients(2);
    let invoice = net.invoice(2, Some(INITIAL_MSAT + 1));
    let command = net.pay_command(invoice.kind.bolt11().unwrap(), None);
    let error = net.command(1, command).unwrap_err();
    assert_eq!((error.code.name(), error.blame()), ("insufficient_balance", Blame::Refused));
    assert!(error.message.contains("400 000 sat"), "{}", error.message);
    assert!(!error.hint.is_empty());
}

#[test]
fn an_amount_other_than_the_invoice_asks_is_refused() {
    let mut net = Net::host_and_clients(2);
    let invoice = net.invoice(2, Some(10_000_000));
    let command = net.pay_command(invoice.kind.bolt11().unwrap(), Some(9_000_000));
    assert_eq!(refusal(net.command(1, command)), ("wrong_amount", Blame::BadRequest));
}

#[test]
fn an_own_invoice_is_not_paid() {
    let mut net = Net::host_and_clients(1);
    let invoice = net.invoice(1, Some(10_000_000));
    let command = net.pay_command(invoice.kind.bolt11().unwrap(), None);
    assert_eq!(refusal(net.command(1, command)), ("self_payment", Blame::Refused));
}

#[test]
fn an_invoice_above_what_can_be_received_is_refused() {
    let mut net = Net::host_and_clients(1);
    let create = Command::CreateInvoice {
        amount_msat: Some(2_000_000_000),
        description: String::new(),
        expiry_s: 60,
        preimage: Preimage([1; 32]),
        payment_secret: [1; 32],
    };
    assert_eq!(refusal(net.command(1, create)), ("cannot_receive", Blame::Refused));
}

#[test]
fn a_payer_without_a_channel_is_told_so() {
    let mut net = Net::new(vec![config(); 2]);
    let keysend = Command::Keysend {
        destination: net.id(1),
        via: None,
        amount_msat: 1_000,
        max_fee_msat: None,
        preimage: Preimage([1; 32]),
        answer: AnswerAt::Start,
    };
    assert_eq!(refusal(net.command(0, keysend)), ("no_usable_channel", Blame::Refused));
}

#[test]
fn a_channel_that_does_not_exist_is_named_as_unknown() {
    let mut net = Net::new(vec![config(); 2]);
    let show = Command::ShowChannel { channel: net.id(1).into() };
    assert_eq!(refusal(net.command(0, show)), ("unknown_channel", Blame::NotFound));
}

#[test]
fn a_peer_lost_in_mid_payment_costs_nothing() {
    let mut net = Net::host_and_clients(2);
    let invoice = net.invoice(2, Some(10_000_000));
    let command = net.pay_command(invoice.kind.bolt11().unwrap(), None);
    net.issue(1, command);
    while !net.nodes_hold_htlc(0) {
        net.step(1);
        net.step(0);
    }
    net.disconnect(2, 0);
    net.settle();
    net.connect(2, 0);
    net.settle();
    assert!(steward_testkit::is_complete(&net.payment(1, invoice.payment_hash)));
    assert_eq!(net.agreed_balance_msat(2, 0), INITIAL_MSAT + 10_000_000);
}
