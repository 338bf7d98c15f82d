//! Channels and peers that are forgotten: only where no money of a client's is.

use steward_engine::{Command, Reply, Signer as _};
use steward_engine::{EventKind, Input};
use steward_hosted::Role;
use steward_store::Store;
use steward_testkit::{INITIAL_MSAT, Net, TestKeys};
use steward_wire::{
    Framing, InvokeHostedChannel, Message, NodeId, Signature, StateUpdate, framing,
};

fn forget(net: &mut Net, node: usize, peer: NodeId) -> Result<Reply, String> {
    net.command(node, Command::ForgetChannel { channel: peer.into() })
        .map_err(|error| error.code.name().to_owned())
}

/// Leaves the client with exactly nothing.
fn empty(net: &mut Net, client: usize) {
    let peer = net.client_id(client, 0);
    let host = net.id(0);
    net.command(0, Command::SuspendChannel { channel: peer.into() }).unwrap();
    let capacity_msat = net.channel(0, client).summary.unwrap().capacity_msat;
    let propose =
        Command::ProposeOverride { channel: peer.into(), local_balance_msat: capacity_msat };
    net.command(0, propose).unwrap();
    net.command(client, Command::AcceptOverride { channel: host.into(), our_balance_msat: 0 })
        .unwrap();
    assert_eq!(net.agreed_balance_msat(client, 0), 0);
}

#[test]
fn an_opening_that_was_never_signed_is_forgotten_with_its_peer() {
    let mut net = Net::host_and_clients(1);
    // A host that is not there.
    let host = net.id(1);
    let invoke = Command::InvokeChannel {
        host,
        addresses: vec!["127.0.0.1:1".to_owned()],
        identity: steward_engine::row::LocalIdentity::PerHost,
        secret: Vec::new(),
    };
    net.command(0, invoke).unwrap();
    forget(&mut net, 0, host).unwrap();
    let stored = net.nodes[0].store.load(0).unwrap();
    assert!(stored.peers.is_empty());
    assert!(stored.channels.iter().all(|row| row.peer != host));
    assert!(net.nodes[0].events.iter().any(|event| {
        matches!(event.kind, EventKind::ChannelForgotten { peer, role: Role::Client, .. } if peer == host)
    }));
    assert_eq!(forget(&mut net, 0, host).unwrap_err(), "unknown_channel");
}

#[test]
fn what_a_client_owns_is_not_forgotten_by_either_side() {
    let mut net = Net::host_and_clients(1);
    let (host, client) = (net.id(0), net.client_id(1, 0));
    assert_eq!(forget(&mut net, 1, host).unwrap_err(), "channel_not_empty");
    assert_eq!(forget(&mut net, 0, client).unwrap_err(), "channel_not_empty");
    assert_eq!(net.agreed_balance_msat(1, 0), INITIAL_MSAT);
}

#[test]
fn a_channel_with_a_payment_under_way_is_not_forgotten() {
    let (mut net, _invoice) = Net::with_stuck_payment();
    for client in [1, 2] {
        let peer = net.client_id(client, 0);
        assert!(forget(&mut net, 0, peer).is_err());
    }
}

/// Its balance is on its way: signed, the client has nothing.
#[test]
fn a_channel_whose_whole_balance_is_in_flight_is_not_empty() {
    let mut net = Net::host_and_clients(2);
    let invoice = net.invoice(2, None);
    let parsed = Box::new(steward_invoice::parse(invoice.kind.bolt11().unwrap()).unwrap());
    let most = net.command(1, Command::MostPayable { invoice: parsed });
    let Ok(Reply::Amount(most_msat)) = most else { panic!("{most:?}") };
    let pay = net.pay_command(invoice.kind.bolt11().unwrap(), Some(most_msat));
    net.issue(1, pay);
    net.run_until_offered(1, 0);
    net.crash(2);
    net.settle();
    assert_eq!(net.channel(1, 0).state.unwrap().local_balance_msat, 0);
    let (host, client) = (net.id(0), net.client_id(1, 0));
    assert_eq!(forget(&mut net, 1, host).unwrap_err(), "htlcs_in_flight");
    assert_eq!(forget(&mut net, 0, client).unwrap_err(), "htlcs_in_flight");
}

#[test]
fn an_empty_channel_is_forgotten_by_its_client_who_may_come_back() {
    let mut net = Net::host_and_clients(1);
    empty(&mut net, 1);
    let host = net.id(0);
    forget(&mut net, 1, host).unwrap();
    assert!(net.nodes[1].store.load(0).unwrap().channels.is_empty());
    net.open(1, 0);
    assert_eq!(net.agreed_balance_msat(1, 0), 0, "as the host remembers it");
}

/// The host signed states in which this client had money. In a new channel they would be newer
/// than anything.
#[test]
fn a_client_whose_used_channel_was_forgotten_is_never_let_in_again() {
    let mut net = Net::host_and_clients(1);
    empty(&mut net, 1);
    let (host, client) = (net.id(0), net.client_id(1, 0));
    forget(&mut net, 0, client).unwrap();
    forget(&mut net, 1, host).unwrap();
    let stored = net.nodes[0].store.load(0).unwrap();
    assert!(stored.channels.is_empty());
    let forgotten: Vec<_> = stored.forgotten_clients.iter().map(|kept| kept.peer).collect();
    assert_eq!(forgotten, [client]);
    for restarts in [false, true] {
        if restarts {
            net.crash(0);
            net.start(0);
            net.settle();
        }
        let invoke = Command::InvokeChannel {
            host,
            addresses: Vec::new(),
            identity: steward_engine::row::LocalIdentity::PerHost,
            secret: Vec::new(),
        };
        net.command(1, invoke).unwrap();
        net.connect(1, 0);
        net.settle();
        let show = net.command(0, Command::ShowChannel { channel: client.into() });
        assert_eq!(show.unwrap_err().code.name(), "unknown_channel", "{restarts}");
        let failed = net.nodes[1].events.iter().rev().find_map(|event| match &event.kind {
            EventKind::ChannelOpeningFailed { reason, .. } => Some(reason.clone()),
            _ => None,
        });
        assert!(failed.unwrap().contains("forgotten"), "{restarts}");
    }
}

/// A state names no client but by this script: another id could show it as its own.
#[test]
fn nobody_else_is_let_in_with_the_refund_script_of_a_forgotten_client() {
    let mut net = Net::new(vec![steward_testkit::config(); 3]);
    net.open(1, 0);
    empty(&mut net, 1);
    let client = net.client_id(1, 0);
    let script = net.channel(0, 1).state.unwrap().last_refund_scriptpubkey;
    forget(&mut net, 0, client).unwrap();
    let mut other_script = script.clone();
    *other_script.last_mut().unwrap() ^= 1;
    for (script, is_let_in) in [(script, false), (other_script, true)] {
        let conn = net.impersonate(2, 0);
        let invoke = Message::InvokeHostedChannel(InvokeHostedChannel {
            chain_hash: steward_testkit::CHAIN_HASH,
            refund_scriptpubkey: script,
            secret: Vec::new(),
        });
        let frames = vec![framing::encode(Framing::Modern, &invoke).unwrap()];
        net.input(0, Input::Frames { conn, frames });
        net.settle();
        let (message_type, payload) = net.tapped(conn).swap_remove(0);
        let answer = framing::decode(&mut None, message_type, &payload).unwrap().unwrap();
        assert_eq!(matches!(answer, Message::InitHostedChannel(_)), is_let_in, "{answer:?}");
    }
}

/// Nor with an opening that was begun before the client came.
#[test]
fn an_opening_under_way_does_not_outlive_the_client_that_was_forgotten() {
    let mut net = Net::new(vec![steward_testkit::config(); 3]);
    let script =
        TestKeys(2).refund_scriptpubkey(&net.id(0), steward_engine::row::LocalIdentity::PerHost);
    let conn = net.impersonate(2, 0);
    let give = |net: &mut Net, message: &Message| {
        let frames = vec![framing::encode(Framing::Modern, message).unwrap()];
        net.input(0, Input::Frames { conn, frames });
        net.settle();
        let (message_type, payload) = net.tapped(conn).swap_remove(0);
        framing::decode(&mut None, message_type, &payload).unwrap().unwrap()
    };
    let invoke = Message::InvokeHostedChannel(InvokeHostedChannel {
        chain_hash: steward_testkit::CHAIN_HASH,
        refund_scriptpubkey: script.clone(),
        secret: Vec::new(),
    });
    assert!(matches!(give(&mut net, &invoke), Message::InitHostedChannel(_)));
    net.open(1, 0);
    assert_eq!(net.channel(0, 1).state.unwrap().last_refund_scriptpubkey, script);
    empty(&mut net, 1);
    let client = net.client_id(1, 0);
    forget(&mut net, 0, client).unwrap();
    let first_signature = Message::StateUpdate(StateUpdate {
        block_day: net.height / 144,
        local_updates: 0,
        remote_updates: 0,
        local_sig_of_remote: Signature::ZERO,
    });
    for message in [&invoke, &first_signature, &invoke] {
        let Message::Error(error) = give(&mut net, message) else { unreachable!("let in") };
        let text = String::from_utf8_lossy(&error.data).into_owned();
        assert!(text.contains("refund script") || text.contains("forgotten"), "{text}");
    }
    assert_eq!(net.channel_count(0), 0);
}

/// A client that was refused names the host again: nothing of the attempt stays.
#[test]
fn an_opening_that_was_refused_leaves_no_wanted_peer() {
    let mut closed = steward_testkit::config();
    closed.host.accept_new_channels = false;
    let mut net = Net::new(vec![closed, steward_testkit::config()]);
    let host = net.id(0);
    let addresses = vec!["127.0.0.1:1".to_owned()];
    net.command(
        1,
        Command::InvokeChannel {
            host,
            addresses,
            identity: steward_engine::row::LocalIdentity::PerHost,
            secret: Vec::new(),
        },
    )
    .unwrap();
    assert_eq!(net.nodes[1].store.load(0).unwrap().peers.len(), 1);
    net.connect(1, 0);
    net.settle();
    let stored = net.nodes[1].store.load(0).unwrap();
    assert!(stored.peers.is_empty() && stored.channels.is_empty());
}

#[test]
fn a_host_does_not_forget_a_suspended_channel() {
    let mut net = Net::host_and_clients(1);
    empty(&mut net, 1);
    let client = net.client_id(1, 0);
    net.command(0, Command::SuspendChannel { channel: client.into() }).unwrap();
    assert_eq!(forget(&mut net, 0, client).unwrap_err(), "channel_suspended");
}

#[test]
fn a_wanted_peer_is_forgotten_unless_it_is_our_host() {
    let mut net = Net::host_and_clients(1);
    let (host, stranger) = (net.id(0), net.client_id(1, 0));
    let refused = net.command(0, Command::ForgetPeer { peer: stranger }).unwrap_err();
    assert_eq!(refused.code.name(), "unknown_peer");
    let connect = Command::Connect { peer: stranger, addresses: vec!["127.0.0.1:1".to_owned()] };
    net.command(0, connect).unwrap();
    net.command(0, Command::ForgetPeer { peer: stranger }).unwrap();
    assert!(net.nodes[0].store.load(0).unwrap().peers.is_empty());
    let refused = net.command(1, Command::ForgetPeer { peer: host }).unwrap_err();
    assert_eq!(refused.code.name(), "peer_is_host");
}
