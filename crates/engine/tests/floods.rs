//! What one peer can make us do: bytes out for bytes in, work, rows. However much it sends, and
//! however often it comes back, it gets no further than the limits (docs/threat-model.md, 10).

use bitcoin::secp256k1::SecretKey;
use steward_engine::Command;
use steward_engine::config::Config;
use steward_engine::io::{Action, ConnId, Input, RoutedPart};
use steward_engine::limits::{
    COST_OF_EVIDENCE, COST_OF_REFUSAL, COST_OF_REPEAT, FREE_BYTES_OUT, MAX_BYTES_OUT_PER_BYTE_IN,
    MAX_HINT_BYTES, MAX_HINTS_PER_PEER, MAX_PATIENCE, MAX_PENDING_OPENINGS,
    MAX_PENDING_OPENINGS_PER_PREFIX, MESSAGE_OVERHEAD_BYTES, QUOTA_WINDOW_MS,
};
use steward_engine::row::{EvidenceRow, InvoiceRow};
use steward_hosted::Phase;
use steward_onion::{OnionSeed, PathHop, Recipient, create};
use steward_store::{PageRequest, Store};
use steward_testkit::{CHAIN_HASH, Net, config, hosted_features, id_of};
use steward_wire::{
    AskBrandingInfo, ChannelId, Framing, HostedChannelBranding, InitHostedChannel,
    InvokeHostedChannel, LastCrossSignedState, Message, NodeId, Onion, PaymentHash, Preimage,
    ShortChannelId, Signature, StateUpdate, UpdateAddHtlc, UpdateFulfillHtlc, framing,
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
    invoke_of(7)
}

/// With a refund script of its own: no two channels have the same.
fn invoke_of(number: u16) -> Message {
    Message::InvokeHostedChannel(InvokeHostedChannel {
        chain_hash: CHAIN_HASH,
        refund_scriptpubkey: [[0u8, 20].as_slice(), &number.to_be_bytes().repeat(10)].concat(),
        secret: Vec::new(),
    })
}

fn invoke_bytes() -> u64 {
    wire_bytes(&framing::encode(Framing::Modern, &invoke()).unwrap().1)
}

fn stranger_id(number: u16) -> NodeId {
    let mut key = [1; 32];
    key[..2].copy_from_slice(&number.to_be_bytes());
    id_of(&SecretKey::from_slice(&key).unwrap())
}

/// A stranger at an address of its own.
fn stranger(net: &mut Net, number: u16, address: &str) -> ConnId {
    let conn = ConnId(2_000_000 + u64::from(number));
    net.wiretap(0, conn);
    let connected = Input::PeerConnected {
        conn,
        peer: stranger_id(number),
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
    let (net, conn, _) = client_with_21_htlcs_of(config());
    (net, conn)
}

fn client_with_21_htlcs_of(host: Config) -> (Net, ConnId, InvoiceRow) {
    let mut net = Net::new(vec![host, config(), config()]);
    net.open(1, 0);
    net.open(2, 0);
    fill_with_21_htlcs(net)
}

fn fill_with_21_htlcs(mut net: Net) -> (Net, ConnId, InvoiceRow) {
    let invoice = net.invoice(2, Some(1_000_000));
    let command = net.pay_command(invoice.kind.bolt11().unwrap(), None);
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
    net.input(1, Input::Route { payment: payment_hash.into(), attempt: 1, result: Ok(parts) });
    net.settle();
    assert_eq!(net.channel(0, 2).state.unwrap().outgoing_htlcs.len(), 21);
    net.crash(2);
    net.settle();
    let conn = net.impersonate(2, 0);
    (net, conn, invoice)
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
fn of_the_batch_in_which_a_connection_is_worth_no_more_it_is_sent_nothing() {
    let mut host = config();
    host.host.branding = Some(branding(1_000));
    let (mut net, conn, _) = client_with_21_htlcs_of(host);
    loop {
        let outcome = give(&mut net, conn, &[ask_branding(), invoke()]);
        if outcome.hung_up.is_some() {
            // A message that came through after one that did not would be a gap.
            return assert_eq!(outcome.bytes_out, 0);
        }
        assert_eq!(outcome.messages.len(), 2);
    }
}

fn branding(png_bytes: usize) -> HostedChannelBranding {
    HostedChannelBranding {
        rgb: [1, 2, 3],
        png: Some(vec![7; png_bytes]),
        contact_info: String::new(),
    }
}

fn ask_branding() -> Message {
    Message::AskBrandingInfo(AskBrandingInfo { chain_hash: CHAIN_HASH })
}

#[test]
fn branding_is_sent_once_in_a_batch_and_never_for_long() {
    let mut host: Config = config();
    host.host.branding = Some(branding(60_000));
    let mut net = Net::new(vec![host]);
    let conn = stranger(&mut net, 77, "192.0.2.1:1");
    let ask = ask_branding();
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

#[test]
fn what_comes_again_and_again_within_a_batch_costs_patience_of_its_own() {
    let junk = Message::LastCrossSignedState(junk_state());
    let most = (MAX_PATIENCE / COST_OF_REPEAT) as usize;
    for message in [ask_branding(), invoke(), junk] {
        let mut net = Net::new(vec![config()]);
        let conn = stranger(&mut net, 77, "192.0.2.1:1");
        assert_eq!(give(&mut net, conn, &vec![message.clone(); most]).hung_up, None);
        let mut net = Net::new(vec![config()]);
        let conn = stranger(&mut net, 77, "192.0.2.1:1");
        let outcome = give(&mut net, conn, &vec![message.clone(); most + 2]);
        assert_eq!(outcome.hung_up, Some(true), "{}", message.name());
    }
}

#[test]
fn openings_that_come_to_nothing_end_in_a_disconnect() {
    let mut net = Net::new(vec![config()]);
    let conn = stranger(&mut net, 77, "192.0.2.1:1");
    let unfit = Message::StateUpdate(StateUpdate {
        block_day: net.height / 144,
        local_updates: 9,
        remote_updates: 9,
        local_sig_of_remote: Signature([1; 64]),
    });
    for _ in 0..=MAX_PATIENCE / COST_OF_REFUSAL {
        let begun = give(&mut net, conn, &[invoke()]);
        assert!(matches!(begun.messages[..], [Message::InitHostedChannel(_)]));
        let ended = give(&mut net, conn, std::slice::from_ref(&unfit));
        assert!(matches!(ended.messages[..], [Message::Error(_)]), "it is told why");
        if let Some(back_off) = ended.hung_up {
            return assert!(back_off);
        }
    }
    panic!("no end");
}

#[test]
fn a_preimage_that_comes_behind_a_flood_still_pays() {
    let (mut net, conn, invoice) = client_with_21_htlcs_of(config());
    let fulfill = Message::UpdateFulfillHtlc(UpdateFulfillHtlc {
        channel_id: ChannelId::of_pair(&net.client_id(2, 0), &net.id(0)),
        id: net.channel(0, 2).state.unwrap().outgoing_htlcs[0].id,
        preimage: invoice.preimage,
        tlvs: Vec::new(),
    });
    let mut frames = vec![(60_001, Vec::new()); MAX_PATIENCE as usize + 1];
    frames.push(framing::encode(Framing::Modern, &fulfill).unwrap());
    assert_eq!(give_frames(&mut net, conn, frames).hung_up, Some(true));
    net.settle();
    // The payer has paid that part, and the host is not out of pocket.
    assert_eq!(net.channel(0, 1).state.unwrap().incoming_htlcs.len(), 20);
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
        onion: Onion([0; 1366].into()),
        tlvs: Vec::new(),
    }
}

fn evidence(net: &Net) -> Vec<EvidenceRow> {
    let page = PageRequest { before: None, limit: 1000 };
    let page = net.nodes[0].store.history().unwrap().evidence(None, page).unwrap();
    page.rows.into_iter().map(|numbered| numbered.row).collect()
}

/// A state without a valid signature, as large as they get.
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
        give(&mut net, conn, &[invoke_of(byte)]);
        give(&mut net, conn, &[Message::LastCrossSignedState(junk_state())]);
        net.settle();
    }
    // Openings that are not finished hinder only those of their own network.
    for byte in 70..80 {
        let conn = stranger(&mut net, byte, &format!("192.0.{byte}.1:1"));
        give(&mut net, conn, &[invoke_of(byte)]);
    }
    assert!(evidence(&net).is_empty());
    net.open(1, 0);
    assert_eq!(net.channel(0, 1).phase, Phase::Active);
}

/// True if the host offers a channel to one more stranger of this address.
fn is_offered(net: &mut Net, number: u16, address: &str) -> bool {
    let conn = stranger(net, number, address);
    let answer = give(net, conn, &[invoke_of(number)]).messages;
    assert_eq!(answer.len(), 1);
    matches!(answer[0], Message::InitHostedChannel(_))
}

#[test]
fn an_opening_that_came_to_nothing_leaves_its_place_to_the_next() {
    let mut host = config();
    host.host.max_opens_per_prefix_per_hour = 1;
    let mut net = Net::new(vec![host]);
    assert!(is_offered(&mut net, 60, "192.0.2.1:1"));
    assert!(!is_offered(&mut net, 61, "192.0.2.2:1"), "one is under way");
    give(&mut net, ConnId(2_000_060), &[Message::LastCrossSignedState(junk_state())]);
    assert!(is_offered(&mut net, 62, "192.0.2.3:1"), "it failed");
    net.input(0, Input::PeerDisconnected { conn: ConnId(2_000_062) });
    net.settle();
    assert!(is_offered(&mut net, 63, "192.0.2.4:1"), "it was given up");
    net.command(0, Command::ForgetChannel { channel: stranger_id(63).into() }).unwrap();
    assert!(is_offered(&mut net, 64, "192.0.2.5:1"), "the operator ended it");
}

#[test]
fn openings_that_are_not_finished_are_bounded_by_network_and_in_all() {
    let mut net = Net::new(vec![config()]);
    let (mut offered, mut number) = (0, 0);
    for network in 0..=u8::MAX {
        let of_network = (0..=MAX_PENDING_OPENINGS_PER_PREFIX)
            .filter(|_| {
                number += 1;
                is_offered(&mut net, number, &format!("192.0.{network}.1:1"))
            })
            .count();
        assert!(of_network <= MAX_PENDING_OPENINGS_PER_PREFIX);
        if of_network < MAX_PENDING_OPENINGS_PER_PREFIX {
            return assert_eq!(offered + of_network, MAX_PENDING_OPENINGS);
        }
        offered += of_network;
    }
    panic!("{offered} at once");
}

#[test]
fn channels_that_were_opened_count_against_the_quotas_of_their_hour() {
    for (in_all, of_network) in [(1, 1_000), (1_000, 1)] {
        let mut host = config();
        host.host.max_opens_per_hour = in_all;
        host.host.max_opens_per_prefix_per_hour = of_network;
        let mut net = Net::new(vec![host, config()]);
        net.open(1, 0);
        assert!(!is_offered(&mut net, 60, "127.0.0.1:1"));
        // The quota of a network is its own.
        assert_eq!(is_offered(&mut net, 61, "192.0.2.1:1"), in_all > 1);
        net.tick(QUOTA_WINDOW_MS);
        assert!(is_offered(&mut net, 62, "127.0.0.1:1"));
    }
}

#[test]
fn who_makes_us_keep_evidence_is_soon_hung_up_on() {
    let (mut net, _) = Net::with_stuck_payment();
    let conn = net.impersonate(2, 0);
    let channel_id = ChannelId::of_pair(&net.client_id(2, 0), &net.id(0));
    let preimage = Preimage([3; 32]);
    let wrong =
        Message::UpdateFulfillHtlc(UpdateFulfillHtlc { channel_id, id: 1, preimage, tlvs: vec![] });
    // A channel makes so many pieces of a connection; what comes behind is of no use only.
    let sent = MAX_PATIENCE as usize / 2 + (COST_OF_EVIDENCE as usize * 2);
    let outcome = give(&mut net, conn, &vec![wrong; sent]);
    assert!(!evidence(&net).is_empty());
    assert_eq!(outcome.hung_up, Some(true));
}

/// A proof with its end cut off would prove nothing.
#[test]
fn a_state_under_both_signatures_is_kept_whole_however_large_it_is() {
    let net = Net::host_and_clients(2);
    let copy = net.copy(0);
    let (mut net, _, _) = fill_with_21_htlcs(net);
    let state = Message::LastCrossSignedState(net.channel(0, 2).state.unwrap().reverse());
    net.crash(0);
    net.revive(0, &copy);
    let conn = net.impersonate(2, 0);
    give(&mut net, conn, std::slice::from_ref(&state));
    let (_, body) = state.encode();
    assert!(body.len() > MAX_HINT_BYTES);
    // Beside our own.
    let kept: Vec<usize> = evidence(&net).iter().map(|row| row.body.len()).collect();
    assert!(evidence(&net).iter().any(|row| row.body == body), "{kept:?}");
}

/// What we can show of our own is under both signatures as well.
#[test]
fn our_own_state_is_kept_whole_and_called_what_it_is_when_the_peer_shows_another() {
    let net = Net::host_and_clients(2);
    let (mut net, _, _) = fill_with_21_htlcs(net);
    let copy = net.copy(0);
    let mut shown = net.channel(0, 2).state.unwrap().reverse();
    shown.local_updates += 1;
    net.crash(0);
    net.revive(0, &copy);
    let conn = net.impersonate(2, 0);
    give(&mut net, conn, &[Message::LastCrossSignedState(shown)]);
    let rows = evidence(&net);
    let ours = rows.iter().find(|row| row.what.starts_with("our own state")).unwrap();
    assert_eq!(ours.what, "our own state when the peer showed another one");
    assert!(ours.body.len() > MAX_HINT_BYTES, "{}", ours.body.len());
    let others: Vec<&str> = rows.iter().map(|row| row.what.as_str()).collect();
    assert!(others.iter().any(|what| what.contains("do not hold")), "{others:?}");
}

#[test]
fn evidence_about_one_client_is_bounded_over_connections_and_restarts() {
    let mut net = Net::host_and_clients(2);
    // A held HTLC from 2 to 1: the attacker pays itself one satoshi and does not claim.
    let invoice = net.invoice(1, Some(1_000_000));
    let pay = net.pay_command(invoice.kind.bolt11().unwrap(), None);
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
