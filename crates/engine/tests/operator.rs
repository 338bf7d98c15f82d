//! What an operator does to a channel: suspend, override, resize.

use steward_engine::io::Action;
use steward_engine::row::PaymentStatus;
use steward_engine::{Command, Reply};
use steward_hosted::Phase;
use steward_testkit::{INITIAL_MSAT, Net, config, is_complete};

const CAPACITY_MSAT: u64 = 1_000_000_000;

fn suspend(net: &mut Net, client: usize) {
    let peer = net.client_id(client, 0);
    net.command(0, Command::SuspendChannel { channel: peer.into() }).unwrap();
}

fn propose(net: &mut Net, client: usize, local_balance_msat: u64) -> Result<Reply, String> {
    let peer = net.client_id(client, 0);
    let command = Command::ProposeOverride { channel: peer.into(), local_balance_msat };
    net.command(0, command).map_err(|error| error.code.name().to_owned())
}

fn accept(net: &mut Net, client: usize, our_balance_msat: u64) -> Result<Reply, String> {
    let peer = net.id(0);
    let command = Command::AcceptOverride { channel: peer.into(), our_balance_msat };
    net.command(client, command).map_err(|error| error.code.name().to_owned())
}

#[test]
fn a_suspended_channel_goes_on_with_the_balance_both_agree_on() {
    let mut net = Net::host_and_clients(1);
    suspend(&mut net, 1);
    assert_eq!(net.channel(1, 0).phase, Phase::Suspended);
    propose(&mut net, 1, CAPACITY_MSAT - 5_000).unwrap();
    assert_eq!(net.channel(1, 0).override_balance_msat, Some(5_000));
    accept(&mut net, 1, 5_000).unwrap();
    assert_eq!(net.channel(0, 1).phase, Phase::Active);
    assert_eq!(net.agreed_balance_msat(1, 0), 5_000);
}

#[test]
fn a_proposal_that_slips_in_after_another_was_looked_at_is_not_accepted() {
    let mut net = Net::host_and_clients(1);
    suspend(&mut net, 1);
    propose(&mut net, 1, CAPACITY_MSAT - 5_000).unwrap();
    assert_eq!(net.channel(1, 0).override_balance_msat, Some(5_000));
    propose(&mut net, 1, CAPACITY_MSAT - 4_999).unwrap();
    let host = net.id(0);
    let command = Command::AcceptOverride { channel: host.into(), our_balance_msat: 5_000 };
    let refused = net.command(1, command).unwrap_err();
    assert_eq!(refused.code.name(), "override_differs");
    assert!(refused.message.contains("4.999 sat"), "{refused}");
    assert_eq!(net.channel(1, 0).phase, Phase::Suspended);
    accept(&mut net, 1, 4_999).unwrap();
    assert_eq!(net.agreed_balance_msat(1, 0), 4_999);
}

/// A host that has heard of a resize proposes with the larger capacity, which its operator has not
/// seen yet: a client that asks for more and is suspended must not be given the difference.
#[test]
fn what_a_resize_under_way_adds_is_never_the_clients() {
    // What the host hears: nothing, the request, the signature as well.
    for heard in 0..=2 {
        let mut net = Net::host_and_clients(1);
        let peer = net.id(0);
        let resize = Command::ResizeChannel { channel: peer.into(), new_capacity_sat: 2_000_000 };
        net.issue(1, resize);
        for action in net.batch(1).unwrap() {
            if let Action::Send { conn, mut frames } = action {
                frames.truncate(heard);
                net.act(1, Action::Send { conn, frames });
            }
        }
        // Its answer is lost.
        net.batch(0);
        net.disconnect(1, 0);
        // Suspended on both sides, neither takes a state of the other any more.
        suspend(&mut net, 1);
        net.command(1, Command::SuspendChannel { channel: peer.into() }).unwrap();
        let seen_msat = net.channel(0, 1).summary.unwrap().capacity_msat;
        assert_eq!(seen_msat, if heard == 2 { 2 * CAPACITY_MSAT } else { CAPACITY_MSAT });
        propose(&mut net, 1, seen_msat - 5_000).unwrap();
        net.connect(1, 0);
        net.settle();
        assert_eq!(net.channel(1, 0).override_balance_msat, Some(5_000), "{heard}");
        accept(&mut net, 1, 5_000).unwrap();
        assert_eq!(net.agreed_balance_msat(1, 0), 5_000);
        let capacity_msat = if heard == 0 { CAPACITY_MSAT } else { 2 * CAPACITY_MSAT };
        assert_eq!(net.channel(0, 1).summary.unwrap().capacity_msat, capacity_msat);
    }
}

#[test]
fn a_refusal_says_what_to_do_instead() {
    let mut net = Net::host_and_clients(1);
    suspend(&mut net, 1);
    let peer = net.id(0);
    let resize = Command::ResizeChannel { channel: peer.into(), new_capacity_sat: 2_000_000 };
    let refused = net.command(1, resize).unwrap_err();
    assert_eq!(
        (refused.code.name(), &*refused.hint),
        ("channel_suspended", "an override makes it active again")
    );
}

#[test]
fn an_active_channel_is_not_overridden() {
    let mut net = Net::host_and_clients(1);
    assert_eq!(propose(&mut net, 1, 0).unwrap_err(), "channel_not_suspended");
    assert_eq!(accept(&mut net, 1, 0).unwrap_err(), "channel_not_suspended");
    assert_eq!(net.agreed_balance_msat(1, 0), INITIAL_MSAT);
}

#[test]
fn an_unknown_peer_is_named_as_such() {
    let mut net = Net::host_and_clients(1);
    let peer = net.id(0);
    let refused = net.command(0, Command::SuspendChannel { channel: peer.into() }).unwrap_err();
    assert_eq!(refused.code.name(), "unknown_channel");
}

#[test]
fn no_override_while_htlcs_of_the_channel_are_on_their_way_to_others() {
    let (mut net, invoice) = Net::with_stuck_payment();
    suspend(&mut net, 1);
    assert_eq!(propose(&mut net, 1, CAPACITY_MSAT - INITIAL_MSAT).unwrap_err(), "htlcs_in_flight");

    // The payee claims after all: now the host knows what the HTLC is worth.
    net.start(2);
    net.connect(2, 0);
    net.settle();
    assert_eq!(net.payment(1, invoice.payment_hash).status, PaymentStatus::Complete);
    let paid_msat = 10_000_000 + 1_000 + 10_000;
    propose(&mut net, 1, CAPACITY_MSAT - INITIAL_MSAT + paid_msat).unwrap();
    accept(&mut net, 1, INITIAL_MSAT - paid_msat).unwrap();
    assert_eq!(net.agreed_balance_msat(1, 0), INITIAL_MSAT - paid_msat);
}

#[test]
fn no_override_while_an_htlc_of_the_channel_waits_for_its_turn_at_another() {
    let mut config = config();
    config.host.offer.max_accepted_htlcs = 1;
    let mut net = Net::new(vec![config; 4]);
    (1..=3).for_each(|client| net.open(client, 0));
    // The payee is slow: the first HTLC takes the only place, the second waits for it.
    let invoices = [1, 3].map(|payer| (payer, net.invoice(2, Some(10_000_000))));
    for (payer, invoice) in invoices {
        let command = net.pay_command(invoice.kind.bolt11().unwrap(), None);
        net.issue(payer, command);
        for _ in 0..10 {
            net.step(payer);
            net.step(0);
        }
    }
    let peer = net.client_id(3, 0);
    net.issue(0, Command::SuspendChannel { channel: peer.into() });
    net.step(0);
    let local_balance_msat = CAPACITY_MSAT - INITIAL_MSAT;
    let reply = net.issue(0, Command::ProposeOverride { channel: peer.into(), local_balance_msat });
    net.step(0);
    assert_eq!(net.reply(0, reply).unwrap_err().code.name(), "htlcs_in_flight");
}

#[test]
fn nothing_is_forwarded_for_a_suspended_channel() {
    let mut net = Net::host_and_clients(2);
    // The host starts again and holds the forward, since its payee is not back.
    net.crash(0);
    net.start(0);
    net.connect(1, 0);
    net.settle();
    let invoice = net.invoice(2, Some(10_000_000));
    net.pay(1, invoice.kind.bolt11().unwrap()).unwrap();
    suspend(&mut net, 1);
    net.connect(2, 0);
    net.settle();
    net.tick(31_000);
    assert!(!net.was_received(2, invoice.payment_hash));
    assert_eq!(net.agreed_balance_msat(2, 0), INITIAL_MSAT);
}

#[test]
fn a_client_asks_for_a_larger_channel() {
    let mut net = Net::host_and_clients(1);
    let peer = net.id(0);
    let resize = Command::ResizeChannel { channel: peer.into(), new_capacity_sat: 2_000_000 };
    net.command(1, resize.clone()).unwrap();
    let summary = net.channel(1, 0).summary.unwrap();
    assert_eq!(summary.capacity_msat, 2_000_000_000);
    assert_eq!(net.agreed_balance_msat(1, 0), INITIAL_MSAT);
    assert_eq!(net.command(1, resize).unwrap_err().code.name(), "bad_capacity");
}

#[test]
fn a_host_does_not_resize() {
    let mut net = Net::host_and_clients(1);
    let peer = net.client_id(1, 0);
    let resize = Command::ResizeChannel { channel: peer.into(), new_capacity_sat: 2_000_000 };
    assert_eq!(net.command(0, resize).unwrap_err().code.name(), "wrong_role");
}

/// One zero too many: the host says no, and both go on.
#[test]
fn a_resize_beyond_the_hosts_maximum_is_refused_by_a_warning_and_withdrawn() {
    let mut net = Net::host_and_clients(2);
    let (peer, before) = (net.id(0), net.channel(1, 0).state);
    let resize = Command::ResizeChannel { channel: peer.into(), new_capacity_sat: 100_000_000_000 };
    net.command(1, resize).unwrap();
    net.settle();
    assert!(net.has_logged(0, "resize_refused"));
    let read = net.nodes[1].logs.iter().find(|(code, _)| *code == "resize_refused");
    assert!(read.unwrap().1.contains("a capacity of 10 000 000 sat at most"), "{read:?}");
    if net.channel(1, 0).phase != Phase::Active {
        net.connect(1, 0);
        net.settle();
    }
    for (node, other) in [(0, 1), (1, 0)] {
        assert_eq!(net.channel(node, other).phase, Phase::Active);
    }
    let capacity_msat = before.unwrap().init_hosted_channel.channel_capacity_msat;
    let after = net.channel(1, 0).state.unwrap();
    assert_eq!(after.init_hosted_channel.channel_capacity_msat, capacity_msat);
    let invoice = net.invoice(2, Some(1_000_000));
    assert!(is_complete(&net.pay(1, invoice.kind.bolt11().unwrap()).unwrap()));
    // What the host does give is still to be had.
    let resize = Command::ResizeChannel { channel: peer.into(), new_capacity_sat: 2_000_000 };
    net.command(1, resize).unwrap();
    net.settle();
    let grown = net.channel(0, 1).state.unwrap().init_hosted_channel.channel_capacity_msat;
    assert_eq!(grown, 2_000_000_000);
}
