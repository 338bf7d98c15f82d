//! Preimages on chain: an HTLC of ours is given up only after every block up to its expiry was
//! searched (docs/design.md section 4, rules 2 and 3).

use steward_engine::row::PaymentStatus;
use steward_engine::{Command, Reply};
use steward_testkit::{Net, START_HEIGHT};

#[test]
fn a_preimage_in_a_block_claims_the_incoming_htlc() {
    let (mut net, invoice) = Net::with_stuck_payment();
    net.mine(1);
    assert_eq!(net.payment(1, invoice.payment_hash).status, PaymentStatus::Pending);
    net.on_chain.push((net.height + 1, invoice.preimage));
    net.mine(1);
    let payment = net.payment(1, invoice.payment_hash);
    assert_eq!(payment.status, PaymentStatus::Complete);
    assert_eq!(payment.preimage, Some(invoice.preimage));
}

#[test]
fn a_preimage_published_while_the_node_was_down_is_found_after_its_start() {
    let (mut net, invoice) = Net::with_stuck_payment();
    net.crash(0);
    net.on_chain.push((net.height + 3, invoice.preimage));
    net.mine(10);
    net.start(0);
    net.connect(1, 0);
    net.settle();
    assert_eq!(net.payment(1, invoice.payment_hash).status, PaymentStatus::Complete);
}

#[test]
fn an_expired_htlc_is_held_until_its_blocks_were_searched() {
    let (mut net, invoice) = Net::with_stuck_payment();
    net.nodes[0].searches_by_hand = true;
    net.nodes[1].searches_by_hand = true;
    net.mine(1_000);
    assert_eq!(net.payment(1, invoice.payment_hash).status, PaymentStatus::Pending);
    assert!(!net.has_logged(0, "htlc_dropped"));

    net.answer_search(0);
    net.settle();
    assert!(net.has_logged(0, "htlc_dropped"));
    assert_eq!(net.payment(1, invoice.payment_hash).status, PaymentStatus::Failed);
}

#[test]
fn no_block_is_searched_while_nothing_is_out() {
    let mut net = Net::host_and_clients(2);
    net.mine(5);
    assert!(net.nodes.iter().all(|node| node.searches.is_empty()));
}

#[test]
fn a_replaced_block_is_searched_again() {
    let (mut net, _) = Net::with_stuck_payment();
    net.mine(1);
    assert_eq!(*net.nodes[0].searches.last().unwrap(), (START_HEIGHT + 1, START_HEIGHT + 1));
    net.height -= 1;
    net.mine(0);
    net.mine(1);
    assert_eq!(*net.nodes[0].searches.last().unwrap(), (START_HEIGHT + 1, START_HEIGHT + 1));
    // Also without having seen the height go back.
    net.mine(9);
    assert_eq!(*net.nodes[0].searches.last().unwrap(), (START_HEIGHT + 1, START_HEIGHT + 10));
    net.mine(1);
    assert_eq!(*net.nodes[0].searches.last().unwrap(), (START_HEIGHT + 5, START_HEIGHT + 11));
}

/// It claimed another HTLC: this one has the same hash, and its payee may have refused it.
#[test]
fn a_preimage_published_before_the_htlc_was_offered_claims_nothing() {
    let mut net = Net::host_and_clients(2);
    net.mine(3);
    let invoice = net.invoice(2, Some(10_000_000));
    net.on_chain.push((net.height, invoice.preimage));
    let command = net.pay_command(invoice.kind.bolt11().unwrap(), None);
    net.issue(1, command);
    net.run_until_offered(1, 0);
    net.crash(2);
    net.mine(1);
    assert_eq!(net.payment(1, invoice.payment_hash).status, PaymentStatus::Pending);
}

#[test]
fn a_preimage_nobody_waits_for_is_refused() {
    let mut net = Net::host_and_clients(1);
    let invoice = net.invoice(1, Some(1_000_000));
    let refused = net.command(0, Command::SubmitPreimage { preimage: invoice.preimage });
    assert_eq!(refused.unwrap_err().code.name(), "no_such_htlc");
}

#[test]
fn a_preimage_handed_in_is_taken_once() {
    let (mut net, invoice) = Net::with_stuck_payment();
    let command = Command::SubmitPreimage { preimage: invoice.preimage };
    assert!(matches!(net.command(0, command.clone()), Ok(Reply::Done)));
    assert_eq!(net.command(0, command).unwrap_err().code.name(), "no_such_htlc");
    assert_eq!(net.payment(1, invoice.payment_hash).status, PaymentStatus::Complete);
}

/// The last blocks are searched again with each new one, for as long as anything is out.
#[test]
fn a_preimage_published_before_claims_nothing_on_a_busy_host_either() {
    let mut net = Net::host_and_clients(4);
    // Something else is out all the time.
    let other = net.invoice(4, Some(10_000_000));
    let command = net.pay_command(other.kind.bolt11().unwrap(), None);
    net.issue(3, command);
    net.run_until_offered(3, 0);
    net.crash(4);
    net.settle();
    net.mine(3);
    let invoice = net.invoice(2, Some(10_000_000));
    net.on_chain.push((net.height, invoice.preimage));
    let command = net.pay_command(invoice.kind.bolt11().unwrap(), None);
    net.issue(1, command);
    for _ in 0..6 {
        net.step(1);
        net.step(0);
    }
    net.crash(2);
    net.mine(1);
    assert_eq!(net.payment(1, invoice.payment_hash).status, PaymentStatus::Pending);
    net.on_chain.push((net.height + 1, invoice.preimage));
    net.mine(1);
    assert_eq!(net.payment(1, invoice.payment_hash).status, PaymentStatus::Complete);
}
