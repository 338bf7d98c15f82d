//! What strangers try on a host and on a payee: each test is an attack that once worked.

use bitcoin::secp256k1::SecretKey;
use steward_engine::io::{ConnId, Input};
use steward_engine::limits::{CHAIN_FRESH_MS, MPP_TIMEOUT_MS};
use steward_engine::row::{InvoiceRow, InvoiceStatus, PaymentStatus};
use steward_engine::{Command, Reply};
use steward_hosted::Phase;
use steward_store::{PageRequest, Store};
use steward_testkit::{
    CHAIN_HASH, INITIAL_MSAT, Net, PartOf, config, hosted_features, id_of, invoice_recipient,
    keysend_recipient,
};
use steward_wire::{
    ChannelId, Framing, InvokeHostedChannel, LastCrossSignedState, Message, NodeId, PaymentHash,
    Preimage, Signature, StateUpdate, framing,
};

const CAPACITY_MSAT: u64 = 1_000_000_000;

fn stored(net: &Net, node: usize, hash: PaymentHash) -> InvoiceRow {
    net.nodes[node].store.history().unwrap().invoice(&hash).unwrap().unwrap()
}

/// Client 3 sends client 2 a keysend with this preimage.
fn keysend(net: &mut Net, preimage: Preimage, amount_msat: u64, total_msat: u64, delta: u32) {
    keysend_of(net, 3, preimage, amount_msat, total_msat, delta);
}

fn keysend_of(
    net: &mut Net,
    payer: usize,
    preimage: Preimage,
    amount_msat: u64,
    total_msat: u64,
    delta: u32,
) {
    let mut recipient = keysend_recipient(preimage, total_msat);
    // Parts of one payment need a secret.
    recipient.payment_secret = (total_msat != amount_msat).then_some([9; 32]);
    let part = net.part(PartOf {
        payer,
        payee: net.client_id(2, 0),
        payment_hash: preimage.hash(),
        recipient,
        amount_msat,
        fee_msat: 10_000,
        final_delta_blocks: delta,
    });
    net.send_by_hand(payer, preimage, vec![part]);
}

/// The payer of an invoice, and each hop, knows its preimage.
#[test]
fn a_keysend_with_the_preimage_of_a_paid_invoice_changes_nothing() {
    for (amount_msat, total_msat) in [(1_000, 2_000), (1_000, 1_000), (60_000_000, 60_000_000)] {
        let mut net = Net::host_and_clients(3);
        let invoice = net.invoice(2, Some(50_000_000));
        net.pay(1, invoice.kind.bolt11().unwrap()).unwrap();
        let before = stored(&net, 2, invoice.payment_hash);
        assert_eq!(before.status, InvoiceStatus::Paid);
        keysend(&mut net, invoice.preimage, amount_msat, total_msat, 146);
        assert_eq!(stored(&net, 2, invoice.payment_hash), before);
    }
}

/// After so many other payments that the node has forgotten the preimage, and after a restart.
#[test]
fn a_paid_invoice_is_safe_from_keysends_at_any_age() {
    let mut net = Net::host_and_clients(3);
    let invoice = net.invoice(2, Some(50_000_000));
    net.pay(1, invoice.kind.bolt11().unwrap()).unwrap();
    let before = stored(&net, 2, invoice.payment_hash);
    net.forget_preimages(2);
    net.crash(2);
    net.start(2);
    net.connect(2, 0);
    net.settle();
    keysend(&mut net, invoice.preimage, 1_000, 1_000, 146);
    assert_eq!(stored(&net, 2, invoice.payment_hash), before);
}

#[test]
fn a_keysend_with_the_expiry_that_eclair_gives_arrives() {
    let mut net = Net::host_and_clients(3);
    let preimage = Preimage([42; 32]);
    keysend(&mut net, preimage, 10_000, 10_000, 18);
    assert_eq!(net.received(2, preimage.hash()), Some(10_000));
}

/// Of eclair's keysends every part expires that soon.
#[test]
fn every_part_of_a_keysend_may_expire_as_soon_as_the_first() {
    let mut net = Net::host_and_clients(3);
    let preimage = Preimage([42; 32]);
    keysend_of(&mut net, 3, preimage, 10_000, 20_000, 18);
    assert_eq!(net.received(2, preimage.hash()), None, "held");
    keysend_of(&mut net, 1, preimage, 10_000, 20_000, 18);
    assert_eq!(net.received(2, preimage.hash()), Some(20_000));
}

/// An invoice asks for more blocks than a keysend needs, and its preimage saves none.
#[test]
fn a_part_of_an_invoice_that_brings_its_preimage_may_not_expire_sooner() {
    for (delta, is_taken) in [(146, true), (18, false)] {
        let mut net = Net::host_and_clients(3);
        let invoice = net.invoice(2, Some(10_000));
        let mut recipient = invoice_recipient(invoice.payment_secret, 10_000);
        recipient.keysend_preimage = Some(invoice.preimage);
        let part = net.part(PartOf {
            payer: 3,
            payee: net.client_id(2, 0),
            payment_hash: invoice.payment_hash,
            recipient,
            amount_msat: 10_000,
            fee_msat: 10_000,
            final_delta_blocks: delta,
        });
        net.send_by_hand(3, invoice.preimage, vec![part]);
        assert_eq!(net.received(2, invoice.payment_hash).is_some(), is_taken, "{delta}");
    }
}

/// A part that is failed back costs its sender nothing: no row may be left of it.
#[test]
fn a_keysend_that_is_never_whole_leaves_no_row() {
    let mut net = Net::host_and_clients(3);
    let invoices = |net: &Net| {
        let history = net.nodes[2].store.history().unwrap();
        history.invoices(None, PageRequest::newest(100)).unwrap().rows.len()
    };
    for number in 1..=3 {
        keysend(&mut net, Preimage([number; 32]), 10_000, 20_000, 146);
        assert_eq!(net.channel(0, 2).state.unwrap().outgoing_htlcs.len(), 1, "held");
        net.tick(MPP_TIMEOUT_MS + 1_000);
        assert_eq!(net.channel(0, 2).state.unwrap().outgoing_htlcs.len(), 0, "failed back");
        assert_eq!(invoices(&net), 0);
    }
    // What was failed back may be sent again, in whole.
    keysend_of(&mut net, 1, Preimage([3; 32]), 20_000, 20_000, 146);
    assert_eq!(net.received(2, Preimage([3; 32]).hash()), Some(20_000));
}

#[test]
fn a_held_part_of_a_keysend_survives_a_restart_of_the_payee() {
    let mut net = Net::host_and_clients(3);
    let preimage = Preimage([42; 32]);
    keysend(&mut net, preimage, 10_000, 20_000, 146);
    net.crash(2);
    net.start(2);
    net.connect(2, 0);
    net.settle();
    net.tick(1_000);
    assert_eq!(net.channel(0, 2).state.unwrap().outgoing_htlcs.len(), 1, "held");
    keysend_of(&mut net, 1, preimage, 10_000, 20_000, 146);
    assert_eq!(net.received(2, preimage.hash()), Some(20_000));
}

#[test]
fn a_part_lost_in_an_override_does_not_count() {
    let mut net = Net::host_and_clients(2);
    let invoice = net.invoice(0, Some(100_000_000));
    let recipient = invoice_recipient(invoice.payment_secret, 100_000_000);
    let first = net.part_to_host(1, invoice.payment_hash, &recipient, 99_999_000);
    net.pay_by_hand(1, invoice.kind.bolt11().unwrap(), vec![first]);
    assert_eq!(net.channel(0, 1).state.unwrap().incoming_htlcs.len(), 1);
    // Both operators agree on the balance of before: the HTLC never happened.
    let (host, peer) = (net.id(0), net.client_id(1, 0));
    net.command(1, Command::SuspendChannel { channel: host.into() }).unwrap();
    let local_balance_msat = CAPACITY_MSAT - INITIAL_MSAT;
    net.command(0, Command::ProposeOverride { channel: peer.into(), local_balance_msat }).unwrap();
    let accept = Command::AcceptOverride { channel: host.into(), our_balance_msat: INITIAL_MSAT };
    net.command(1, accept).unwrap();
    assert_eq!(net.channel(0, 1).phase, Phase::Active);
    let second = net.part_to_host(2, invoice.payment_hash, &recipient, 1_000);
    net.pay_by_hand(2, invoice.kind.bolt11().unwrap(), vec![second]);
    assert_eq!(stored(&net, 0, invoice.payment_hash).status, InvoiceStatus::Open);
}

#[test]
fn a_part_of_a_suspended_channel_does_not_count() {
    let mut net = Net::host_and_clients(2);
    let invoice = net.invoice(0, Some(100_000_000));
    let recipient = invoice_recipient(invoice.payment_secret, 100_000_000);
    let first = net.part_to_host(1, invoice.payment_hash, &recipient, 60_000_000);
    net.pay_by_hand(1, invoice.kind.bolt11().unwrap(), vec![first]);
    let host = net.id(0);
    net.command(1, Command::SuspendChannel { channel: host.into() }).unwrap();
    let second = net.part_to_host(2, invoice.payment_hash, &recipient, 40_000_000);
    net.pay_by_hand(2, invoice.kind.bolt11().unwrap(), vec![second]);
    assert_eq!(stored(&net, 0, invoice.payment_hash).status, InvoiceStatus::Open);
}

#[test]
fn a_preimage_that_a_stranger_publishes_suspends_no_honest_client() {
    let mut net = Net::host_and_clients(3);
    let preimage = Preimage([42; 32]);
    // The first part of two: the payee waits a minute for the other.
    keysend(&mut net, preimage, 10_000, 20_000, 146);
    assert_eq!(net.channel(0, 2).state.unwrap().outgoing_htlcs.len(), 1, "held");
    net.on_chain.push((net.height + 1, preimage));
    net.mine(1);
    assert_eq!(net.channel(0, 3).state.unwrap().incoming_htlcs.len(), 0, "claimed upstream");
    net.tick(61_000);
    assert_eq!(net.channel(0, 2).phase, Phase::Active);
    assert_eq!(net.channel(0, 2).state.unwrap().outgoing_htlcs.len(), 0);
}

/// Only whether the payer did something wrong is told, not who is online or has room.
#[test]
fn a_prober_cannot_tell_offline_from_online_or_full() {
    let answer = |case: &str| {
        let mut net = Net::host_and_clients(3);
        if case == "full" {
            for payer in [1, 3] {
                let invoice = net.invoice(2, Some((CAPACITY_MSAT - INITIAL_MSAT) / 2));
                net.pay(payer, invoice.kind.bolt11().unwrap()).unwrap();
            }
        }
        if case == "offline" {
            net.crash(2);
            net.settle();
        }
        let preimage = Preimage([42; 32]);
        let part = net.part(PartOf {
            payer: 3,
            payee: net.client_id(2, 0),
            payment_hash: preimage.hash(),
            recipient: keysend_recipient(preimage, 10_000),
            amount_msat: 10_000,
            fee_msat: 1,
            final_delta_blocks: 146,
        });
        net.send_by_hand(3, preimage, vec![part]);
        net.give_up(3, preimage.hash())
    };
    let online = answer("online");
    assert_eq!(answer("offline"), online);
    assert_eq!(answer("full"), online);
}

#[test]
fn a_payee_answers_alike_to_a_wrong_secret_and_to_an_invoice_long_expired() {
    let answer = |case: &str| {
        let mut net = Net::host_and_clients(3);
        let invoice = net.invoice(2, Some(10_000));
        let payee = steward_invoice::parse(invoice.kind.bolt11().unwrap()).unwrap().payee;
        let mut secret = invoice.payment_secret;
        match case {
            "wrong secret" => secret = [1; 32],
            "expired" => net.tick(3_601_000),
            _ => [3_601_000, 130_000, 61_000].into_iter().for_each(|ms| net.tick(ms)),
        }
        let part = net.part(PartOf {
            payer: 3,
            payee,
            payment_hash: invoice.payment_hash,
            recipient: invoice_recipient(secret, 10_000),
            amount_msat: 10_000,
            fee_msat: 10_000,
            final_delta_blocks: 146,
        });
        net.send_by_hand(3, invoice.preimage, vec![part]);
        net.give_up(3, invoice.payment_hash)
    };
    let wrong = answer("wrong secret");
    assert_eq!(wrong.as_deref(), Some("incorrect_or_unknown_payment_details"));
    assert_eq!(answer("expired"), wrong);
    assert_eq!(answer("long expired"), wrong);
}

/// A state names no client, only a refund script: who has seen one could claim it once more.
#[test]
fn one_signed_state_is_adopted_only_for_the_client_that_the_operator_named() {
    let mut net = Net::host_and_clients(2);
    let invoice = net.invoice(1, Some(100_000_000));
    net.pay(2, invoice.kind.bolt11().unwrap()).unwrap();
    let honest = net.channel(1, 0).state.unwrap();
    let client = net.client_id(1, 0);
    net.crash(0);
    net.settle();
    net.forget_the_chain(0);
    let strangers: Vec<SecretKey> =
        [81u8, 82, 83].iter().map(|byte| SecretKey::from_slice(&[*byte; 32]).unwrap()).collect();
    // Even one of the strangers was named, by mistake or by fraud.
    net.nodes[0].config.host.adopt_lost_state = [client, id_of(&strangers[2])].into();
    net.start(0);
    for (number, key) in strangers.iter().enumerate() {
        if number == 2 {
            net.connect(1, 0);
            net.settle();
        }
        let conn = ConnId(2_000_000 + number as u64);
        net.wiretap(0, conn);
        connect(&mut net, conn, id_of(key), hosted_features());
        let mut shown = honest.clone();
        shown.local_sig_of_remote = shown.sign_remote(key);
        let invoke = Message::InvokeHostedChannel(InvokeHostedChannel {
            chain_hash: CHAIN_HASH,
            refund_scriptpubkey: honest.last_refund_scriptpubkey.clone(),
            secret: Vec::new(),
        });
        give(&mut net, conn, &[invoke, Message::LastCrossSignedState(shown)]);
        let found = net.command(0, Command::ShowChannel { channel: id_of(key).into() });
        let owed = matches!(&found, Ok(Reply::Channel(info)) if info.state.is_some());
        assert!(!owed, "stranger {number} was given a balance");
    }
    assert_eq!(net.channel(0, 1).state.unwrap().remote_balance_msat, INITIAL_MSAT + 100_000_000);
}

#[test]
fn a_host_has_one_channel_for_one_refund_script() {
    let mut net = Net::host_and_clients(1);
    let script = net.channel(1, 0).state.unwrap().last_refund_scriptpubkey;
    let open = |net: &mut Net, number: u8, scripts: &[&[u8]]| {
        let key = SecretKey::from_slice(&[number; 32]).unwrap();
        let conn = ConnId(2_000_000 + u64::from(number));
        net.wiretap(0, conn);
        connect(net, conn, id_of(&key), hosted_features());
        let invokes: Vec<Message> = scripts
            .iter()
            .map(|script| {
                Message::InvokeHostedChannel(InvokeHostedChannel {
                    chain_hash: CHAIN_HASH,
                    refund_scriptpubkey: script.to_vec(),
                    secret: Vec::new(),
                })
            })
            .collect();
        let answers = give(net, conn, &invokes);
        answers.iter().filter(|m| matches!(m, Message::InitHostedChannel(_))).count()
    };
    let other = [[0u8, 20].as_slice(), &[7; 20]].concat();
    assert_eq!(open(&mut net, 81, &[&script]), 0, "of an open channel");
    assert_eq!(open(&mut net, 82, &[&other, &script]), 1, "changed in mid-opening");
}

/// A peer that knows a script may begin an opening with it, again and again: until one has signed,
/// that keeps no client out.
#[test]
fn of_two_openings_with_one_refund_script_the_first_to_sign_has_it() {
    let mut net = Net::host_and_clients(1);
    let script = [[0u8, 20].as_slice(), &[7; 20]].concat();
    let invoke = Message::InvokeHostedChannel(InvokeHostedChannel {
        chain_hash: CHAIN_HASH,
        refund_scriptpubkey: script.clone(),
        secret: Vec::new(),
    });
    let keys = [81, 82].map(|number| SecretKey::from_slice(&[number; 32]).unwrap());
    let [squatter, owner] = keys.each_ref().map(|key| {
        let conn = ConnId(2_000_000 + u64::from(key.secret_bytes()[0]));
        net.wiretap(0, conn);
        connect(&mut net, conn, id_of(key), hosted_features());
        assert!(matches!(
            give(&mut net, conn, std::slice::from_ref(&invoke))[..],
            [Message::InitHostedChannel(_)]
        ));
        conn
    });
    let offer = net.nodes[0].config.host.offer.clone();
    let block_day = net.height / 144;
    let signed = |key: &SecretKey| {
        let state = LastCrossSignedState {
            is_host: false,
            last_refund_scriptpubkey: script.clone(),
            local_balance_msat: offer.initial_client_balance_msat,
            remote_balance_msat: offer.channel_capacity_msat - offer.initial_client_balance_msat,
            init_hosted_channel: offer.clone(),
            block_day,
            local_updates: 0,
            remote_updates: 0,
            incoming_htlcs: Vec::new(),
            outgoing_htlcs: Vec::new(),
            remote_sig_of_local: Signature::ZERO,
            local_sig_of_remote: Signature::ZERO,
        };
        let local_sig_of_remote = state.sign_remote(key);
        let (local_updates, remote_updates) = (0, 0);
        Message::StateUpdate(StateUpdate {
            block_day,
            local_updates,
            remote_updates,
            local_sig_of_remote,
        })
    };
    let answers = give(&mut net, owner, &[signed(&keys[1])]);
    assert!(answers.iter().any(|m| matches!(m, Message::StateUpdate(_))), "{answers:?}");
    let answers = give(&mut net, squatter, &[signed(&keys[0])]);
    assert!(matches!(answers[..], [Message::Error(_)]), "{answers:?}");
    let answers = give(&mut net, squatter, &[invoke, signed(&keys[0])]);
    assert!(answers.iter().all(|m| matches!(m, Message::Error(_))), "{answers:?}");
    assert_eq!(net.channel_count(0), 2);
}

fn connect(net: &mut Net, conn: ConnId, peer: NodeId, features: Vec<u8>) {
    let local = net.id(0);
    let address = "127.0.0.1:1".to_owned();
    net.input(0, Input::PeerConnected { conn, peer, local, features, inbound: true, address });
    net.settle();
}

fn give(net: &mut Net, conn: ConnId, messages: &[Message]) -> Vec<Message> {
    let frames =
        messages.iter().map(|message| framing::encode(Framing::Modern, message).unwrap()).collect();
    net.input(0, Input::Frames { conn, frames });
    net.settle();
    tapped(net, conn)
}

fn tapped(net: &mut Net, conn: ConnId) -> Vec<Message> {
    let decode = |(message_type, payload): (u16, Vec<u8>)| {
        framing::decode(&mut Some(Framing::Modern), message_type, &payload).unwrap().unwrap()
    };
    net.tapped(conn).into_iter().map(decode).collect()
}

/// On the wire a resize lifts the limit to the whole capacity; the host carries no more for it.
#[test]
fn a_resize_by_one_satoshi_does_not_lift_the_in_flight_limit() {
    let mut configs = vec![config(); 4];
    configs[0].host.offer.max_htlc_value_in_flight_msat = 300_000_000;
    let mut net = Net::new(configs);
    [1, 2, 3].into_iter().for_each(|client| net.open(client, 0));
    let host = net.id(0);
    for peer in [1, 2] {
        let resize = Command::ResizeChannel { channel: host.into(), new_capacity_sat: 1_000_001 };
        net.command(peer, resize).unwrap();
    }
    net.settle();
    assert_eq!(
        net.channel(0, 1).state.unwrap().init_hosted_channel.channel_capacity_msat,
        1_000_001_000
    );
    // The first payment is held by its payee.
    net.nodes[2].chain_is_silent = true;
    net.tick(CHAIN_FRESH_MS + 1);
    let invoice = net.invoice(2, Some(250_000_000));
    let command = net.pay_command(invoice.kind.bolt11().unwrap(), None);
    net.issue(1, command);
    net.settle();
    assert_eq!(net.channel(0, 2).state.unwrap().outgoing_htlcs.len(), 1, "held");
    // Out of the payer's channel, and into the payee's.
    for (payer, payee) in [(1, 3), (3, 2)] {
        let invoice = net.invoice(payee, Some(100_000_000));
        let payment = net.pay(payer, invoice.kind.bolt11().unwrap()).unwrap();
        assert_eq!(payment.status, PaymentStatus::Failed, "{payer} pays {payee}");
    }
    let invoice = net.invoice(3, Some(40_000_000));
    assert_eq!(net.pay(1, invoice.kind.bolt11().unwrap()).unwrap().status, PaymentStatus::Complete);
}

/// A channel's id is a hash of both ids: whoever suspects which node we are could check it.
#[test]
fn a_host_that_invokes_us_under_our_key_for_it_does_not_learn_the_nodes_id() {
    let mut net = Net::new(vec![config(); 2]);
    net.connect(1, 0);
    net.settle();
    let conn = net.conn(1, 0);
    net.wiretap(1, conn);
    let invoke = Message::InvokeHostedChannel(InvokeHostedChannel {
        chain_hash: CHAIN_HASH,
        refund_scriptpubkey: [&[0, 20][..], &[7; 20]].concat(),
        secret: Vec::new(),
    });
    let frame = framing::encode(Framing::Modern, &invoke).unwrap();
    net.input(1, Input::Frames { conn, frames: vec![frame] });
    net.settle();
    let (host, known_as) = (net.id(0), net.client_id(1, 0));
    let answers = net.tapped(conn).into_iter().map(|(message_type, payload)| {
        framing::decode(&mut None, message_type, &payload).unwrap().unwrap()
    });
    let refusals: Vec<ChannelId> = answers
        .filter_map(|message| match message {
            Message::Error(error) => Some(error.channel_id),
            _ => None,
        })
        .collect();
    assert_eq!(refusals, [ChannelId::of_pair(&known_as, &host)]);
}
