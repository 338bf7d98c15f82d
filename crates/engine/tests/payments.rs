//! Payments between two clients of one host, end to end, in memory.

mod common;

use common::{INITIAL_MSAT, Net, is_complete};

#[test]
fn a_client_pays_another_client_of_the_same_host() {
    let mut net = Net::host_and_clients(2);
    let invoice = net.invoice(2, Some(50_000_000));
    let payment = net.pay(1, &invoice.bolt11).unwrap();
    assert!(is_complete(&payment), "{payment:?}");
    assert_eq!(payment.preimage, Some(invoice.preimage));
    assert_eq!(payment.fee_msat, 1_000 + 50_000);
    assert_eq!(net.received(2, invoice.payment_hash), Some(50_000_000));
    assert_eq!(net.agreed_balance_msat(1, 0), INITIAL_MSAT - 50_051_000);
    assert_eq!(net.agreed_balance_msat(2, 0), INITIAL_MSAT + 50_000_000);
}
