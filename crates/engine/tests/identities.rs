//! Several channels between two nodes: under two keys of the client's, or each the other's client.
//! Every HTLC, settlement and command is about one of them, whatever numbers they share.

use steward_engine::command::ChannelInfo;
use steward_engine::row::LocalIdentity::{self, Node, PerHost};
use steward_engine::row::PaymentStatus;
use steward_engine::{Command, Reply};
use steward_hosted::Phase;
use steward_testkit::{INITIAL_MSAT, Net, config};

/// More than one of the payer's channels holds, and less than the payee can receive.
const OVER_BOTH_MSAT: u64 = 500_000_000;

fn channels(net: &mut Net, node: usize) -> Vec<ChannelInfo> {
    net.channels(node)
}

/// A host, 0, a client with two channels, 1, opened in this order, and a payee, 2.
fn two_links(order: [LocalIdentity; 2]) -> Net {
    let mut net = Net::new(vec![config(); 3]);
    order.into_iter().for_each(|identity| net.open_as(1, 0, identity));
    net.open(2, 0);
    assert!(channels(&mut net, 1).iter().all(|channel| channel.phase == Phase::Active));
    net
}

fn reconnect(net: &mut Net, order: [LocalIdentity; 2]) {
    order.into_iter().for_each(|identity| net.connect_as(1, 0, identity));
    net.settle();
}

/// Numbers of the HTLCs that a node has offered, and of those it was offered, by channel.
fn htlcs_in_flight(net: &mut Net, node: usize) -> Vec<(usize, usize)> {
    let count = |channel: &ChannelInfo| {
        let summary = channel.summary.as_ref().unwrap();
        (usize::from(summary.outgoing_htlcs), usize::from(summary.incoming_htlcs))
    };
    channels(net, node).iter().map(count).collect()
}

#[test]
fn htlcs_of_one_number_in_two_channels_with_one_node_settle_rightly_over_restarts() {
    for order in [[PerHost, Node], [Node, PerHost]] {
        for crashed in [vec![0], vec![1], vec![0, 1]] {
            let mut net = two_links(order);
            let invoice = net.invoice(2, Some(OVER_BOTH_MSAT));
            net.disconnect(2, 0);
            net.settle();
            // Each channel's first HTLC: both have the number 1.
            let command = net.pay_command(invoice.kind.bolt11().unwrap(), None);
            net.connect(2, 0);
            net.settle();
            net.issue(1, command);
            net.run_until_offered(1, 0);
            net.crash(2);
            net.settle();
            assert_eq!(htlcs_in_flight(&mut net, 1), [(1, 0), (1, 0)], "{order:?}");

            for node in crashed.clone() {
                net.crash(node);
            }
            for node in crashed.clone() {
                net.start(node);
            }
            net.disconnect(1, 0);
            net.settle();
            reconnect(&mut net, order);
            net.start(2);
            net.connect(2, 0);
            net.settle();
            net.tick(31_000);
            assert_eq!(net.payment(1, invoice.payment_hash).status, PaymentStatus::Complete);
            assert_eq!(net.received(2, invoice.payment_hash), Some(OVER_BOTH_MSAT));
            let left: u64 = channels(&mut net, 1)
                .iter()
                .map(|channel| channel.summary.as_ref().unwrap().local_balance_msat)
                .sum();
            let fee_msat = net.payment(1, invoice.payment_hash).fee_msat;
            assert_eq!(left, 2 * INITIAL_MSAT - OVER_BOTH_MSAT - fee_msat, "{order:?} {crashed:?}");
            assert_eq!(htlcs_in_flight(&mut net, 1), [(0, 0), (0, 0)]);
        }
    }
}

#[test]
fn htlcs_of_one_number_in_two_channels_fail_back_each_into_its_own() {
    for order in [[PerHost, Node], [Node, PerHost]] {
        let mut net = two_links(order);
        let invoice = net.invoice(2, Some(OVER_BOTH_MSAT));
        // The payee's clock says that the invoice has expired, the payer's does not.
        let command = net.pay_command(invoice.kind.bolt11().unwrap(), None);
        net.tick(3_601_000);
        net.nodes[1].wall_offset_ms = -3_601_000;
        net.issue(1, command);
        net.settle();
        assert_eq!(net.payment(1, invoice.payment_hash).status, PaymentStatus::Failed);
        for channel in channels(&mut net, 1) {
            let summary = channel.summary.unwrap();
            assert_eq!((summary.local_balance_msat, summary.outgoing_htlcs), (INITIAL_MSAT, 0));
        }
    }
}

#[test]
fn a_node_is_our_host_and_our_client_at_once_and_a_command_names_the_channel() {
    let mut net = Net::new(vec![config(); 2]);
    net.open(1, 0);
    // The host wants a channel with its client's node, under the key that this one knows.
    net.open_as(0, 1, Node);
    let both = channels(&mut net, 1);
    assert!(both.iter().all(|channel| channel.phase == Phase::Active), "{both:?}");
    assert!(both.iter().all(|channel| channel.peer == net.id(0)), "{both:?}");
    let show = Command::ShowChannel { channel: net.id(0).into() };
    let refused = net.command(1, show).unwrap_err();
    assert_eq!(refused.code.name(), "ambiguous_channel");
    for channel in &both {
        assert!(refused.message.contains(&channel.link.to_string()), "{refused:?}");
        let show = Command::ShowChannel { channel: channel.link.into() };
        assert!(
            matches!(net.command(1, show), Ok(Reply::Channel(info)) if info.link == channel.link)
        );
    }
    // Stopping one leaves the other alone, also after a restart.
    let stopped = both[0].link;
    net.command(1, Command::SuspendChannel { channel: stopped.into() }).unwrap();
    net.crash(1);
    net.start(1);
    net.connect(1, 0);
    net.connect_as(0, 1, Node);
    net.settle();
    for channel in channels(&mut net, 1) {
        let expected = if channel.link == stopped { Phase::Suspended } else { Phase::Active };
        assert_eq!(channel.phase, expected);
    }
}

#[test]
fn a_host_that_is_invoked_under_both_keys_is_kept_connected_under_both() {
    let mut net = two_links([PerHost, Node]);
    let stored = {
        use steward_store::Store;
        net.nodes[1].store.load(0).unwrap()
    };
    let kept: Vec<_> = stored.peers.iter().map(|row| (row.peer, row.identity)).collect();
    assert_eq!(kept, [(net.id(0), Node), (net.id(0), PerHost)]);
    let forget = Command::ForgetPeer { peer: net.id(0) };
    assert_eq!(net.command(1, forget).unwrap_err().code.name(), "peer_is_host");
}
