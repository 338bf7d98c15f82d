//! Nodes that go on from an old copy of their data (docs/recovery.md): what they cannot know they
//! do not guess.

use steward_engine::io::ReplyId;
use steward_engine::row::{InvoiceRow, PaymentRow, PaymentStatus};
use steward_engine::{AnswerAt, Command, Reply};
use steward_hosted::Phase;
use steward_invoice::{HintHop, parse};
use steward_testkit::{INITIAL_MSAT, Net, config};
use steward_wire::{NodeId, PaymentHash, ShortChannelId};

const AMOUNT_MSAT: u64 = 10_000_000;
/// Of one hop.
const FEE_MSAT: u64 = 11_000;

/// Longer than anything waits after a start.
const A_WHILE_MS: u64 = 31_000;

#[test]
fn a_payment_that_ended_since_stays_pending_until_its_preimage_proves_it() {
    let mut net = Net::host_and_clients(2);
    let invoice = net.invoice(2, Some(AMOUNT_MSAT));
    start_paying(&mut net, 1, &invoice);
    net.run_until_offered(1, 0);
    let copy = net.copy(1);
    net.settle();
    let paid = net.payment(1, invoice.payment_hash);
    assert_eq!(paid.status, PaymentStatus::Complete);
    let balance_msat = net.agreed_balance_msat(1, 0);

    net.revive(1, &copy);
    reconnect(&mut net, &[(1, 0)]);
    assert_eq!(net.agreed_balance_msat(1, 0), balance_msat);
    assert_outcome_unknown(&mut net, 1, invoice.payment_hash);

    submit(&mut net, 1, &invoice).unwrap();
    let proved = net.payment(1, invoice.payment_hash);
    assert_eq!(proved.status, PaymentStatus::Complete);
    assert_eq!((proved.preimage, proved.failure), (Some(invoice.preimage), None));
    assert_eq!(proved.fee_msat, paid.fee_msat);
    assert_eq!(submit(&mut net, 1, &invoice).unwrap_err(), "no_such_htlc");
}

#[test]
fn a_payment_that_left_after_the_copy_stays_pending_until_its_preimage_proves_it() {
    let mut net = Net::host_and_clients(2);
    let invoice = net.invoice(2, Some(AMOUNT_MSAT));
    start_paying(&mut net, 1, &invoice);
    net.step(1);
    let copy = net.copy(1);
    net.settle();
    assert_eq!(net.payment(1, invoice.payment_hash).status, PaymentStatus::Complete);

    net.revive(1, &copy);
    reconnect(&mut net, &[(1, 0)]);
    assert_outcome_unknown(&mut net, 1, invoice.payment_hash);
    submit(&mut net, 1, &invoice).unwrap();
    assert_eq!(net.payment(1, invoice.payment_hash).status, PaymentStatus::Complete);
}

#[test]
fn a_payment_whose_outcome_is_unknown_is_not_made_again_after_another_start() {
    let (mut net, invoice) = unknown_payment();
    net.crash(1);
    net.start(1);
    reconnect(&mut net, &[(1, 0)]);
    assert_outcome_unknown(&mut net, 1, invoice.payment_hash);
    let balance_msat = net.agreed_balance_msat(1, 0);
    net.pay(1, invoice.kind.bolt11().unwrap()).unwrap();
    assert_outcome_unknown(&mut net, 1, invoice.payment_hash);
    assert_eq!(net.agreed_balance_msat(1, 0), balance_msat);
}

#[test]
fn nobody_is_left_waiting_for_an_end_that_will_not_come() {
    let mut net = Net::host_and_clients(2);
    let invoice = net.invoice(2, Some(AMOUNT_MSAT));
    start_paying(&mut net, 1, &invoice);
    net.step(1);
    let copy = net.copy(1);
    net.settle();
    net.revive(1, &copy);
    let await_end = Command::AwaitPayment { payment_hash: invoice.payment_hash };
    let early = net.issue(1, await_end.clone());
    reconnect(&mut net, &[(1, 0)]);
    assert_eq!(answered(&mut net, 1, early).status, PaymentStatus::Unknown);
    let late = net.issue(1, await_end);
    net.settle();
    assert_eq!(answered(&mut net, 1, late).status, PaymentStatus::Unknown);
    let mut pay_again = net.pay_command(invoice.kind.bolt11().unwrap(), None);
    if let Command::Pay { answer, .. } = &mut pay_again {
        *answer = AnswerAt::End;
    }
    let again = net.issue(1, pay_again);
    net.settle();
    assert_eq!(answered(&mut net, 1, again).status, PaymentStatus::Unknown);
}

#[test]
fn a_payment_that_never_left_ends_as_interrupted_once_all_peers_confirm_their_state() {
    // Nodes 0 and 1 are hosts, 2 pays 3.
    let mut net = Net::new(vec![config(); 4]);
    for (client, host) in [(2, 0), (2, 1), (3, 0)] {
        net.open(client, host);
    }
    let invoice = net.invoice(3, Some(AMOUNT_MSAT));
    start_paying(&mut net, 2, &invoice);
    net.step(2);
    net.crash(2);
    net.start(2);
    net.tick(A_WHILE_MS);
    assert_eq!(net.payment(2, invoice.payment_hash).status, PaymentStatus::Pending);
    reconnect(&mut net, &[(2, 0)]);
    assert_eq!(net.payment(2, invoice.payment_hash).status, PaymentStatus::Pending);
    reconnect(&mut net, &[(2, 1)]);
    let payment = net.payment(2, invoice.payment_hash);
    assert_eq!(payment.status, PaymentStatus::Failed);
    assert_eq!(payment.failure.unwrap().0, "interrupted");
}

#[test]
fn a_payment_whose_id_became_another_payments_is_not_proved_by_that_one() {
    let mut net = Net::host_and_clients(2);
    let older = net.copy(1);
    let lost = net.invoice(2, Some(AMOUNT_MSAT));
    let other = net.invoice(2, Some(2 * AMOUNT_MSAT));
    // It gets its id and never leaves.
    start_paying(&mut net, 1, &lost);
    net.step(1);
    net.batch(1);
    let newer = net.copy(1);
    net.revive(1, &older);
    reconnect(&mut net, &[(1, 0)]);
    start_paying(&mut net, 1, &other);
    net.run_until_offered(1, 0);
    net.crash(2);
    net.settle();
    net.revive(1, &newer);
    reconnect(&mut net, &[(1, 0)]);
    net.start(2);
    reconnect(&mut net, &[(2, 0)]);
    assert!(net.was_received(2, other.payment_hash));
    assert_outcome_unknown(&mut net, 1, lost.payment_hash);
    submit(&mut net, 1, &lost).unwrap();
    let proved = net.payment(1, lost.payment_hash);
    assert_eq!((proved.preimage, proved.fee_msat), (Some(lost.preimage), FEE_MSAT));
}

#[test]
fn a_forward_that_ended_since_is_held_until_its_preimage_settles_it() {
    let (mut net, invoice) = held_forward();
    net.tick(A_WHILE_MS);
    assert_eq!(net.payment(2, invoice.payment_hash).status, PaymentStatus::Pending);
    // Also after another start.
    net.crash(1);
    net.start(1);
    reconnect(&mut net, &[(1, 0), (2, 1)]);
    net.tick(A_WHILE_MS);
    assert_eq!(net.payment(2, invoice.payment_hash).status, PaymentStatus::Pending);

    submit(&mut net, 1, &invoice).unwrap();
    assert_eq!(net.payment(2, invoice.payment_hash).status, PaymentStatus::Complete);
    net.agreed_balance_msat(2, 1);
}

#[test]
fn a_held_forward_does_not_stand_in_the_way_of_an_override() {
    let (mut net, _) = held_forward();
    let (client, host) = (net.client_id(2, 1), net.id(1));
    net.command(1, Command::SuspendChannel { channel: client.into() }).unwrap();
    let ours = 700_000_000;
    let propose = Command::ProposeOverride { channel: client.into(), local_balance_msat: ours };
    net.command(1, propose).unwrap();
    let accept =
        Command::AcceptOverride { channel: host.into(), our_balance_msat: 1_000_000_000 - ours };
    net.command(2, accept).unwrap();
    assert_eq!(net.agreed_balance_msat(2, 1), 1_000_000_000 - ours);
    assert_eq!(pending_forwards(&mut net, 1), 0);
}

#[test]
fn an_htlc_that_may_have_been_forwarded_since_is_not_forwarded_again() {
    for order in [[(1, 0), (2, 1)], [(2, 1), (1, 0)]] {
        let mut net = chain_of_three();
        let invoice = net.invoice(0, Some(AMOUNT_MSAT));
        // Just started, 1 waits for 0 with what 2 offers.
        net.crash(1);
        net.start(1);
        reconnect(&mut net, &[(2, 1)]);
        start_paying_over_1(&mut net, &invoice);
        net.settle();
        let copy = net.copy(1);
        net.connect(1, 0);
        while !net.has_logged(1, "htlc_resumed") {
            net.step(1);
            net.step(0);
        }
        net.disconnect(2, 1);
        net.settle();
        assert!(net.was_received(0, invoice.payment_hash));

        net.revive(1, &copy);
        reconnect(&mut net, &order);
        net.tick(A_WHILE_MS);
        assert!(net.has_logged(1, "forward_unknown"));
        assert_eq!(net.channel(1, 2).phase, Phase::Suspended);
        assert_eq!(net.payment(2, invoice.payment_hash).status, PaymentStatus::Pending);
    }
}

/// 3 pays 2 over 0 and 1, twice: 1 suspends its channel over the first one.
#[test]
fn no_htlc_of_a_newer_state_is_forwarded_or_failed() {
    let mut net = chain_of_three();
    net.open(3, 0);
    let copy = net.copy(1);
    let invoices = [(); 2].map(|()| net.invoice(2, Some(AMOUNT_MSAT)));
    let payees_host = net.client_id(1, 0);
    let scid = ShortChannelId::of_pair(&net.client_id(2, 1), &net.id(1));
    let first = hint(net.id(0), ShortChannelId::of_pair(&payees_host, &net.id(0)));
    // Just started, 1 waits for 2 with what 0 offers.
    net.crash(1);
    net.start(1);
    reconnect(&mut net, &[(1, 0)]);
    let answer = AnswerAt::Start;
    for invoice in &invoices {
        let mut invoice = Box::new(parse(invoice.kind.bolt11().unwrap()).unwrap());
        invoice.hints = vec![vec![first.clone(), hint(payees_host, scid)]];
        let pay = Command::Pay { invoice, amount_msat: None, max_fee_msat: None, answer };
        net.command(3, pay).unwrap();
    }
    assert_eq!(net.channel(1, 0).state.unwrap().incoming_htlcs.len(), 2);

    net.revive(1, &copy);
    reconnect(&mut net, &[(2, 1)]);
    net.tick(A_WHILE_MS);
    reconnect(&mut net, &[(1, 0)]);
    assert_eq!(net.channel(1, 0).phase, Phase::Suspended);
    assert_eq!(net.undelivered_settlements(1), 0, "what they are worth is not decided");
    for invoice in &invoices {
        assert!(!net.was_received(2, invoice.payment_hash));
        assert_eq!(net.payment(3, invoice.payment_hash).status, PaymentStatus::Pending);
    }
}

#[test]
fn a_host_whose_client_is_ahead_suspends_and_serves_the_others() {
    let mut net = Net::host_and_clients(4);
    let copy = net.copy(0);
    let invoice = net.invoice(2, Some(AMOUNT_MSAT));
    net.pay(1, invoice.kind.bolt11().unwrap()).unwrap();
    net.revive(0, &copy);
    reconnect(&mut net, &[(1, 0), (2, 0), (3, 0), (4, 0)]);
    for client in [1, 2] {
        assert_eq!(net.channel(client, 0).phase, Phase::Suspended);
        assert_eq!(net.channel(0, client).phase, Phase::Suspended);
    }
    assert!(net.has_logged(0, "evidence_kept"));
    let invoice = net.invoice(4, Some(AMOUNT_MSAT));
    net.pay(3, invoice.kind.bolt11().unwrap()).unwrap();
    assert!(net.was_received(4, invoice.payment_hash));
}

#[test]
fn a_host_does_not_fail_what_it_may_have_forwarded_to_a_client_that_is_ahead() {
    let mut net = Net::host_and_clients(2);
    let invoice = net.invoice(2, Some(AMOUNT_MSAT));
    // Just started, the host waits for the payee with what the payer offers.
    net.crash(0);
    net.start(0);
    reconnect(&mut net, &[(1, 0)]);
    net.pay(1, invoice.kind.bolt11().unwrap()).unwrap();
    let copy = net.copy(0);
    net.connect(2, 0);
    net.run_until_offered(2, 0);
    net.disconnect(1, 0);
    net.settle();
    assert!(net.was_received(2, invoice.payment_hash));

    net.revive(0, &copy);
    reconnect(&mut net, &[(1, 0), (2, 0)]);
    net.tick(A_WHILE_MS);
    assert_eq!(net.payment(1, invoice.payment_hash).status, PaymentStatus::Pending);
}

/// The payee has been paid, and its newer state proves it: the payer is not given its money back,
/// neither by the override that takes over what is proved nor by the HTLC's expiry.
#[test]
fn a_host_does_not_fail_what_it_offered_to_a_client_that_is_ahead() {
    for by_override in [true, false] {
        let mut net = Net::host_and_clients(2);
        let invoice = net.invoice(2, Some(AMOUNT_MSAT));
        start_paying(&mut net, 1, &invoice);
        net.run_until_offered(1, 0);
        let copy = net.copy(0);
        net.disconnect(1, 0);
        net.settle();
        assert!(net.was_received(2, invoice.payment_hash));
        let proved_msat = net.agreed_balance_msat(2, 0);

        net.revive(0, &copy);
        reconnect(&mut net, &[(1, 0), (2, 0)]);
        assert_eq!(net.channel(0, 2).phase, Phase::Suspended);
        if by_override {
            let (host, peer) = (net.id(0), net.client_id(2, 0));
            let local_balance_msat = 1_000_000_000 - proved_msat;
            net.command(0, Command::ProposeOverride { channel: peer.into(), local_balance_msat })
                .unwrap();
            let accept =
                Command::AcceptOverride { channel: host.into(), our_balance_msat: proved_msat };
            net.command(2, accept).unwrap();
            assert_eq!(net.agreed_balance_msat(2, 0), proved_msat);
        } else {
            // 144 blocks before that of what the payer offered.
            let expiry = net.channel(0, 1).state.unwrap().incoming_htlcs[0].cltv_expiry - 144;
            net.mine(expiry + 1 - net.height);
        }
        // Also after another start.
        net.crash(0);
        net.start(0);
        reconnect(&mut net, &[(1, 0), (2, 0)]);
        net.tick(A_WHILE_MS);
        assert_eq!(net.payment(1, invoice.payment_hash).status, PaymentStatus::Pending);
        submit(&mut net, 0, &invoice).unwrap();
        assert_eq!(net.payment(1, invoice.payment_hash).status, PaymentStatus::Complete);
        let paid_msat = AMOUNT_MSAT + FEE_MSAT;
        assert_eq!(net.agreed_balance_msat(1, 0), steward_testkit::INITIAL_MSAT - paid_msat);
    }
}

/// An HTLC of a time the payer knows nothing of has no origin. From its end on nothing is excused:
/// the engine checks after each batch that such HTLCs are in flight, and that all others have one.
#[test]
fn an_htlc_of_the_lost_time_is_remembered_until_it_ends() {
    for restarts in [false, true] {
        for is_paid in [false, true] {
            let mut net = Net::host_and_clients(2);
            let copy = net.copy(1);
            let invoice = net.invoice(2, Some(AMOUNT_MSAT));
            start_paying(&mut net, 1, &invoice);
            net.run_until_offered(1, 0);
            net.crash(2);
            net.settle();
            net.revive(1, &copy);
            reconnect(&mut net, &[(1, 0)]);
            assert!(net.has_logged(1, "data_lost"));
            if restarts {
                net.crash(1);
                net.start(1);
                reconnect(&mut net, &[(1, 0)]);
            }
            assert_eq!(net.channel(1, 0).state.unwrap().outgoing_htlcs.len(), 1);
            if is_paid {
                net.start(2);
                reconnect(&mut net, &[(2, 0)]);
                assert!(net.was_received(2, invoice.payment_hash));
            } else {
                // 144 blocks before that of what the payer offered.
                let expiry = net.channel(0, 1).state.unwrap().incoming_htlcs[0].cltv_expiry - 144;
                net.mine(expiry + 1 - net.height);
                net.start(2);
                reconnect(&mut net, &[(2, 0)]);
                assert!(!net.was_received(2, invoice.payment_hash));
            }
            let left_msat = INITIAL_MSAT - if is_paid { AMOUNT_MSAT + FEE_MSAT } else { 0 };
            assert_eq!(net.agreed_balance_msat(1, 0), left_msat);
            // What is offered from now on has an origin.
            let next = net.invoice(0, Some(AMOUNT_MSAT));
            let paid = net.pay(1, next.kind.bolt11().unwrap()).unwrap();
            assert_eq!(paid.status, PaymentStatus::Complete);
        }
    }
}

/// Its outgoing half was lost there with our data: its preimage may still turn up.
#[test]
fn an_empty_channel_is_not_forgotten_while_a_forward_over_it_is_held() {
    let (mut net, invoice) = held_forward();
    let (host, client) = (net.id(0), net.client_id(1, 0));
    net.command(0, Command::SuspendChannel { channel: client.into() }).unwrap();
    let local_balance_msat = net.channel(0, 1).summary.unwrap().capacity_msat;
    net.command(0, Command::ProposeOverride { channel: client.into(), local_balance_msat })
        .unwrap();
    net.command(1, Command::AcceptOverride { channel: host.into(), our_balance_msat: 0 }).unwrap();
    assert_eq!(net.agreed_balance_msat(1, 0), 0);

    let forget = Command::ForgetChannel { channel: host.into() };
    let refused = net.command(1, forget.clone()).unwrap_err();
    assert_eq!(refused.code.name(), "htlcs_in_flight");
    submit(&mut net, 1, &invoice).unwrap();
    assert_eq!(net.payment(2, invoice.payment_hash).status, PaymentStatus::Complete);
    net.command(1, forget).unwrap();
}

/// Client 1 restored from a copy that has the payment and nothing of how it left.
fn unknown_payment() -> (Net, InvoiceRow) {
    let mut net = Net::host_and_clients(2);
    let invoice = net.invoice(2, Some(AMOUNT_MSAT));
    start_paying(&mut net, 1, &invoice);
    net.step(1);
    let copy = net.copy(1);
    net.settle();
    net.revive(1, &copy);
    reconnect(&mut net, &[(1, 0)]);
    (net, invoice)
}

/// 0, its client 1, and 1's client 2.
fn chain_of_three() -> Net {
    let mut net = Net::new(vec![config(); 4]);
    net.open(1, 0);
    net.open(2, 1);
    net
}

fn start_paying(net: &mut Net, payer: usize, invoice: &InvoiceRow) {
    let command = net.pay_command(invoice.kind.bolt11().unwrap(), None);
    net.issue(payer, command);
}

/// 1 goes on from a copy made when it had just forwarded the payment from 2 to 0, which has been
/// paid since.
fn held_forward() -> (Net, InvoiceRow) {
    let mut net = chain_of_three();
    let invoice = net.invoice(0, Some(AMOUNT_MSAT));
    start_paying_over_1(&mut net, &invoice);
    net.run_until_offered(2, 1);
    let copy = net.copy(1);
    net.disconnect(2, 1);
    net.settle();
    assert!(net.was_received(0, invoice.payment_hash));
    net.revive(1, &copy);
    reconnect(&mut net, &[(1, 0), (2, 1)]);
    (net, invoice)
}

/// 2 pays 0.
fn start_paying_over_1(net: &mut Net, invoice: &InvoiceRow) {
    let mut command = net.pay_command(invoice.kind.bolt11().unwrap(), None);
    let scid = ShortChannelId::of_pair(&net.client_id(1, 0), &net.id(0));
    if let Command::Pay { invoice, .. } = &mut command {
        invoice.hints = vec![vec![hint(net.id(1), scid)]];
    }
    net.issue(2, command);
}

/// At the test nodes' policy.
fn hint(node_id: NodeId, scid: ShortChannelId) -> HintHop {
    HintHop { node_id, scid, fee_base_msat: 1_000, fee_ppm: 1_000, cltv_expiry_delta: 144 }
}

/// Clients come back to their hosts, one after the other.
fn reconnect(net: &mut Net, pairs: &[(usize, usize)]) {
    for (client, host) in pairs {
        net.connect(*client, *host);
        net.settle();
    }
}

fn submit(net: &mut Net, node: usize, invoice: &InvoiceRow) -> Result<Reply, &'static str> {
    let command = Command::SubmitPreimage { preimage: invoice.preimage };
    net.command(node, command).map_err(|error| error.code.name())
}

#[track_caller]
fn assert_outcome_unknown(net: &mut Net, payer: usize, hash: PaymentHash) {
    let payment = net.payment(payer, hash);
    assert_eq!(payment.status, PaymentStatus::Unknown, "{payment:?}");
    assert_eq!(payment.preimage, None);
    assert_eq!(net.outcome(payer, hash), Some(PaymentStatus::Unknown));
}

#[track_caller]
fn answered(net: &mut Net, node: usize, reply: ReplyId) -> PaymentRow {
    match net.reply(node, reply) {
        Ok(Reply::Payment(row) | Reply::EarlierPayment(row)) => row,
        other => unreachable!("{other:?}"),
    }
}

fn pending_forwards(net: &mut Net, node: usize) -> u32 {
    match net.command(node, Command::Status) {
        Ok(Reply::Status(status)) => status.pending_forwards,
        other => unreachable!("{other:?}"),
    }
}
