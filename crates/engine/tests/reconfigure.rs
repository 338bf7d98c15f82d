//! What an operator changes while the node runs.

use steward_engine::config::{Config, Policy};
use steward_engine::limits::MAX_POLICIES_PER_TICK;
use steward_engine::{Command, Reply};
use steward_testkit::{Net, config, is_complete};

const DEAR: Policy = Policy { fee_base_msat: 7_000, fee_ppm: 5_000, cltv_expiry_delta_blocks: 200 };

fn reconfigure(net: &mut Net, config: Config) {
    let reply = net.command(0, Command::Reconfigure { config: Box::new(config) });
    assert!(matches!(reply, Ok(Reply::Done)), "{reply:?}");
}

/// What the host asks, as the client has it in its record.
fn known_fee(net: &mut Net, client: usize) -> (u32, u32, u16) {
    let policy = net.channel(client, 0).peer_policy.unwrap();
    (policy.fee_base_msat, policy.fee_proportional_millionths, policy.cltv_expiry_delta)
}

#[test]
fn fees_that_change_reach_channels_that_are_open_and_are_asked_for() {
    let mut net = Net::host_and_clients(2);
    let old = net.invoice(2, Some(10_000_000));
    reconfigure(&mut net, Config { policy: DEAR, ..config() });
    assert_eq!(known_fee(&mut net, 1), (7_000, 5_000, 200));
    assert_eq!(known_fee(&mut net, 2), (7_000, 5_000, 200));
    let new = net.invoice(2, Some(10_000_000));
    let paid = net.pay(1, new.kind.bolt11().unwrap()).unwrap();
    assert!(is_complete(&paid), "{paid:?}");
    assert_eq!(paid.fee_msat, 7_000 + 50_000);
    // An invoice of before hints at the old fee, which does not do any more.
    let refused = net.pay(1, old.kind.bolt11().unwrap()).unwrap();
    assert!(!is_complete(&refused), "{refused:?}");
}

#[test]
fn fees_that_change_twice_within_a_second_reach_channels_twice() {
    let mut net = Net::host_and_clients(1);
    reconfigure(&mut net, Config { policy: DEAR, ..config() });
    reconfigure(&mut net, config());
    assert_eq!(known_fee(&mut net, 1), (1_000, 1_000, 144));
}

#[test]
fn fees_told_while_the_clock_was_ahead_do_not_stay() {
    let mut net = Net::host_and_clients(1);
    net.nodes[0].wall_offset_ms = 365 * 86_400_000;
    net.tick(1_000);
    reconfigure(&mut net, Config { policy: DEAR, ..config() });
    net.nodes[0].wall_offset_ms = 0;
    net.tick(1_000);
    reconfigure(&mut net, config());
    assert_eq!(known_fee(&mut net, 1), (1_000, 1_000, 144));
}

#[test]
fn a_client_that_was_away_hears_of_new_fees_when_it_is_back() {
    let mut net = Net::host_and_clients(1);
    net.disconnect(1, 0);
    net.settle();
    reconfigure(&mut net, Config { policy: DEAR, ..config() });
    net.connect(1, 0);
    net.settle();
    assert_eq!(known_fee(&mut net, 1), (7_000, 5_000, 200));
}

#[test]
fn more_clients_than_are_told_at_once_all_hear_of_new_fees() {
    let clients = MAX_POLICIES_PER_TICK + 3;
    let mut net = Net::host_and_clients(clients);
    reconfigure(&mut net, Config { policy: DEAR, ..config() });
    net.tick(1_000);
    for client in 1..=clients {
        assert_eq!(known_fee(&mut net, client), (7_000, 5_000, 200), "client {client}");
    }
}

#[test]
fn new_channels_get_the_new_terms_and_the_new_secrets_count() {
    let mut net = Net::new(vec![config(); 3]);
    net.open(1, 0);
    let mut closed = config();
    closed.host.require_secret = true;
    closed.host.secrets = vec![b"open".to_vec()];
    closed.host.offer.channel_capacity_msat = 2_000_000_000;
    reconfigure(&mut net, closed);
    let host = net.id(0);
    let invoke = |secret: &[u8]| Command::InvokeChannel {
        host,
        addresses: Vec::new(),
        identity: steward_engine::row::LocalIdentity::PerHost,
        secret: secret.to_vec(),
    };
    net.command(2, invoke(b"wrong")).unwrap();
    net.connect(2, 0);
    net.settle();
    assert!(net.has_logged(0, "opening_refused"), "the new secrets count at once");
    assert_eq!(net.channel(1, 0).summary.unwrap().capacity_msat, 1_000_000_000);
}

#[test]
fn another_network_is_refused() {
    let mut net = Net::new(vec![config()]);
    let other = Config { network: bitcoin::Network::Bitcoin, ..config() };
    let refused = net.command(0, Command::Reconfigure { config: Box::new(other) });
    assert_eq!(refused.unwrap_err().code.name(), "wrong_network");
}
