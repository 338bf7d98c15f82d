//! Wall clocks that jump, and machines that sleep: dates follow the wall clock, nothing else does.

use steward_engine::EventKind;
use steward_engine::limits::QUOTA_WINDOW_MS;
use steward_engine::{Command, Reply};
use steward_testkit::{Net, is_complete};

const HOUR_MS: i64 = 3_600_000;
const YEAR_MS: i64 = 365 * 24 * HOUR_MS;
/// Long enough for memory to be swept.
const MOMENT_MS: u64 = 120_000;

/// The wall clock of a node is wrong for a moment, and right again.
fn glitch(net: &mut Net, node: usize, by_ms: i64) {
    net.nodes[node].wall_offset_ms = by_ms;
    net.tick(MOMENT_MS);
    net.nodes[node].wall_offset_ms = 0;
    net.tick(1_000);
}

fn jumps(net: &Net, node: usize) -> Vec<i64> {
    let events = net.nodes[node].events.iter();
    events
        .filter_map(|event| match event.kind {
            EventKind::ClockJumped { by_ms } => Some(by_ms),
            _ => None,
        })
        .collect()
}

fn chain_age_ms(net: &mut Net, node: usize) -> Option<u64> {
    match net.command(node, Command::Status) {
        Ok(Reply::Status(status)) => status.chain_age_ms,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_open_invoice_of_a_payee_whose_clock_was_ahead_for_a_moment_is_paid() {
    for by_ms in [2 * HOUR_MS, 95 * YEAR_MS, -2 * HOUR_MS, -95 * YEAR_MS] {
        let mut net = Net::host_and_clients(2);
        let invoice = net.invoice(2, Some(10_000_000));
        glitch(&mut net, 2, by_ms);
        let payment = net.pay(1, invoice.kind.bolt11().unwrap()).unwrap();
        assert!(is_complete(&payment), "{by_ms}: {payment:?}");
    }
}

#[test]
fn a_payer_whose_clock_was_ahead_for_a_moment_pays_again() {
    let mut net = Net::host_and_clients(2);
    net.nodes[1].wall_offset_ms = YEAR_MS;
    net.tick(1_000);
    let invoice = net.invoice(2, Some(10_000_000));
    assert_eq!(
        net.pay(1, invoice.kind.bolt11().unwrap()).unwrap_err().code.name(),
        "invoice_expired"
    );
    net.nodes[1].wall_offset_ms = 0;
    net.tick(1_000);
    assert!(is_complete(&net.pay(1, invoice.kind.bolt11().unwrap()).unwrap()));
}

#[test]
fn what_is_made_after_a_jump_has_the_right_date() {
    let mut net = Net::host_and_clients(2);
    glitch(&mut net, 2, 2 * HOUR_MS);
    let invoice = net.invoice(2, Some(10_000_000));
    assert_eq!(invoice.created_ms, net.now_ms);
    let payment = net.pay(1, invoice.kind.bolt11().unwrap()).unwrap();
    assert_eq!((payment.created_ms, payment.ended_ms), (net.now_ms, Some(net.now_ms)));
    let last = net.nodes[2].events.last().unwrap();
    assert_eq!(last.time_ms, net.now_ms, "{last:?}");
}

#[test]
fn quotas_of_openings_are_not_held_up_by_a_clock_that_was_ahead() {
    let mut configs = vec![steward_testkit::config(); 3];
    configs[0].host.max_opens_per_hour = 1;
    let mut net = Net::new(configs);
    net.nodes[0].wall_offset_ms = 95 * YEAR_MS;
    net.tick(1_000);
    net.open(1, 0);
    net.nodes[0].wall_offset_ms = 0;
    net.tick(QUOTA_WINDOW_MS);
    net.open(2, 0);
}

#[test]
fn a_jump_is_logged_and_told_both_ways() {
    let mut net = Net::host_and_clients(1);
    glitch(&mut net, 0, 2 * HOUR_MS);
    assert_eq!(jumps(&net, 0), [2 * HOUR_MS, -2 * HOUR_MS]);
    assert!(net.has_logged(0, "clock_jumped"));
    assert_eq!(jumps(&net, 1), [], "the other node's clock is its own");
}

#[test]
fn a_clock_that_jumps_each_second_does_not_fill_the_disk() {
    let mut net = Net::host_and_clients(1);
    for second in 0..600 {
        net.nodes[0].wall_offset_ms = (second % 2) * HOUR_MS;
        net.tick(1_000);
    }
    assert!(jumps(&net, 0).len() <= 10, "{}", jumps(&net, 0).len());
}

#[test]
fn the_chain_is_asked_again_after_a_jump_and_after_sleep() {
    let mut net = Net::host_and_clients(1);
    net.nodes[0].chain_is_silent = true;
    net.nodes[0].wall_offset_ms = HOUR_MS;
    net.tick(1_000);
    assert_eq!(
        chain_age_ms(&mut net, 0),
        None,
        "a machine that was stopped may have missed blocks"
    );
    net.nodes[0].chain_is_silent = false;
    net.tick(60_000);
    assert_eq!(chain_age_ms(&mut net, 0), Some(0), "asked as soon as it woke up");
}

#[test]
fn an_answer_that_was_on_its_way_when_the_clock_jumped_is_too_old() {
    let mut net = Net::host_and_clients(1);
    let on_its_way = net.chain_news(0);
    net.nodes[0].chain_is_silent = true;
    net.nodes[0].wall_offset_ms = HOUR_MS;
    net.tick(1_000);
    net.input(0, on_its_way);
    net.settle();
    assert_eq!(chain_age_ms(&mut net, 0), None);
    let asked_since = net.chain_news(0);
    net.input(0, asked_since);
    net.settle();
    assert_eq!(chain_age_ms(&mut net, 0), Some(0));
}

#[test]
fn an_answer_grows_old_by_the_clock_that_counts_sleep() {
    let mut net = Net::host_and_clients(1);
    net.mine(1);
    net.tick(3_000);
    net.nodes[0].wall_offset_ms = -1_000;
    assert_eq!(chain_age_ms(&mut net, 0), Some(3_000));
}
