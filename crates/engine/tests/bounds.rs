//! Nothing that a caller or a peer may say makes a row that the store refuses: the store's check
//! runs in every commit of these networks, and a refusal is a panic.

use steward_engine::io::{Input, RoutedPart};
use steward_engine::limits::{MAX_ADDRESS_BYTES, MAX_AMOUNT_MSAT};
use steward_engine::row::PaymentStatus;
use steward_engine::{AnswerAt, Blame, Command, Error, Reply};
use steward_onion::{OnionSeed, PathHop, Recipient, create};
use steward_testkit::{Net, config};
use steward_wire::{Preimage, ShortChannelId};

fn refusal(result: Result<Reply, Error>) -> (&'static str, Blame) {
    let error = result.unwrap_err();
    assert!(!error.message.is_empty() && !error.hint.is_empty(), "{error:?}");
    (error.code.name(), error.blame())
}

fn keysend(net: &Net, amount_msat: u64, max_fee_msat: Option<u64>) -> Command {
    Command::Keysend {
        destination: net.client_id(2, 0),
        via: Some(net.id(0)),
        amount_msat,
        max_fee_msat,
        preimage: Preimage([9; 32]),
        answer: AnswerAt::Start,
    }
}

#[test]
fn no_limit_of_fees_is_as_much_as_anybody_could_pay() {
    for no_limit in [u64::MAX, 1 << 63, (1 << 63) - 1, MAX_AMOUNT_MSAT + 1] {
        let mut net = Net::host_and_clients(2);
        let invoice = net.invoice(2, Some(1_000_000));
        let mut pay = net.pay_command(invoice.kind.bolt11().unwrap(), None);
        if let Command::Pay { max_fee_msat, .. } = &mut pay {
            *max_fee_msat = Some(no_limit);
        }
        net.command(1, pay).unwrap();
        let paid = net.payment(1, invoice.payment_hash);
        assert_eq!((paid.status, paid.max_fee_msat), (PaymentStatus::Complete, MAX_AMOUNT_MSAT));
        let command = keysend(&net, 1_000_000, Some(no_limit));
        net.command(1, command).unwrap();
        let sent = net.payment(1, Preimage([9; 32]).hash());
        assert_eq!((sent.status, sent.max_fee_msat), (PaymentStatus::Complete, MAX_AMOUNT_MSAT));
    }
}

#[test]
fn no_command_takes_more_than_there_can_be() {
    let mut net = Net::host_and_clients(2);
    let (host, client) = (net.id(0), net.client_id(1, 0));
    let open = net.invoice(2, None);
    for msat in [MAX_AMOUNT_MSAT + 1, (1 << 63) - 1, 1 << 63, u64::MAX] {
        let invoice = Command::CreateInvoice {
            amount_msat: Some(msat),
            description: String::new(),
            expiry_s: 60,
            preimage: Preimage([1; 32]),
            payment_secret: [1; 32],
        };
        let pay = net.pay_command(open.kind.bolt11().unwrap(), Some(msat));
        let keysend = keysend(&net, msat, None);
        let propose = Command::ProposeOverride { channel: client.into(), local_balance_msat: msat };
        let accept = Command::AcceptOverride { channel: host.into(), our_balance_msat: msat };
        let resize = Command::ResizeChannel { channel: host.into(), new_capacity_sat: msat };
        let commands =
            [(0, invoice), (1, pay), (1, keysend), (0, propose), (1, accept), (1, resize)];
        for (node, command) in commands {
            let name = format!("{command:?}");
            let refused = refusal(net.command(node, command));
            assert_eq!(refused, ("amount_too_high", Blame::BadRequest), "{name}");
        }
    }
}

#[test]
fn an_address_longer_than_a_host_name_is_not_kept() {
    let mut net = Net::new(vec![config(); 2]);
    let peer = net.id(1);
    let address = "a".repeat(MAX_ADDRESS_BYTES + 1);
    let connect = Command::Connect { peer, addresses: vec![address.clone()] };
    assert_eq!(refusal(net.command(0, connect)), ("address_too_long", Blame::BadRequest));
    let invoke = Command::InvokeChannel {
        host: peer,
        addresses: vec![address],
        identity: steward_engine::row::LocalIdentity::PerHost,
        secret: Vec::new(),
    };
    assert_eq!(refusal(net.command(0, invoke)), ("address_too_long", Blame::BadRequest));
}

/// Client 1 pays client 2 by a hand-made onion that names `total_msat`.
fn pay_by_hand(net: &mut Net, total_msat: u64, keysend_preimage: Option<Preimage>) {
    let (host, payer, payee) = (net.id(0), net.client_id(1, 0), net.client_id(2, 0));
    let hop = |node_id, scid, fee_msat| PathHop { node_id, scid, fee_msat, cltv_expiry_delta: 144 };
    let path = vec![
        hop(host, ShortChannelId::of_pair(&host, &payer), 2_000),
        hop(payee, ShortChannelId::of_pair(&host, &payee), 1_000_000),
    ];
    let invoice = net.invoice(2, None);
    let (payment_hash, payment_secret) = match keysend_preimage {
        Some(preimage) => (preimage.hash(), Some([3; 32])),
        None => (invoice.payment_hash, Some(invoice.payment_secret)),
    };
    let recipient =
        Recipient { payment_secret, total_msat, keysend_preimage, ..Recipient::default() };
    let session_key = [5; 32];
    let seed = OnionSeed { session_key, prng_seed: [6; 32], height: net.height };
    let onion = create(&path, &recipient, &payment_hash, &seed).unwrap();
    net.answer_routes_by_hand(1);
    let command = match keysend_preimage {
        Some(preimage) => Command::Keysend {
            destination: payee,
            via: None,
            amount_msat: 1_000_000,
            max_fee_msat: None,
            preimage,
            answer: AnswerAt::Start,
        },
        None => net.pay_command(invoice.kind.bolt11().unwrap(), Some(1_000_000)),
    };
    net.command(1, command).unwrap();
    let part = RoutedPart {
        path,
        amount_msat: onion.amount_msat,
        fee_msat: 2_000,
        cltv_expiry: onion.cltv_expiry,
        onion: onion.onion,
        session_key,
    };
    net.input(1, Input::Route { payment: payment_hash.into(), attempt: 1, result: Ok(vec![part]) });
    net.settle();
}

#[test]
fn a_payer_who_names_a_total_that_no_row_can_hold_stops_nobody() {
    // More than all bitcoin, 2.1 times the last, no onion can name.
    for total_msat in [MAX_AMOUNT_MSAT + 1, 2_000_000_000_000_000_000] {
        for keysend_preimage in [Some(Preimage([9; 32])), None] {
            let mut net = Net::host_and_clients(2);
            pay_by_hand(&mut net, total_msat, keysend_preimage);
            net.tick(120_000);
            assert_eq!(net.agreed_balance_msat(2, 0), steward_testkit::INITIAL_MSAT);
            let history = steward_store::Store::history(&net.nodes[2].store).unwrap();
            let page = steward_store::PageRequest { before: None, limit: 10 };
            for row in history.invoices(None, page).unwrap().rows {
                assert!(row.amount_msat.is_none_or(|msat| msat <= MAX_AMOUNT_MSAT), "{row:?}");
            }
        }
    }
}
