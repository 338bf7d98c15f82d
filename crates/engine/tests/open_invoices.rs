//! Many open invoices: each is found, paid once and forgotten in time, whatever became of those
//! beside it; and what they cost in memory.

use steward_engine::Engine;
use steward_engine::io::Time;
use steward_engine::limits::{INVOICES_PER_CHUNK, KEEP_EXPIRED_INVOICES_MS, SWEEP_INTERVAL_MS};
use steward_engine::row::{InvoiceRow, OpenInvoice, PaymentStatus, StoredState};
use steward_testkit::{Net, TestKeys, config};
use steward_wire::Preimage;

const AMOUNT_MSAT: u64 = 1_000_000;

fn is_paid(net: &mut Net, invoice: &InvoiceRow) -> bool {
    let bolt11 = invoice.kind.bolt11().unwrap().to_owned();
    net.pay(1, &bolt11).unwrap().status == PaymentStatus::Complete
}

fn many(net: &mut Net) -> Vec<InvoiceRow> {
    (0..INVOICES_PER_CHUNK + 3).map(|_| net.invoice(2, Some(AMOUNT_MSAT))).collect()
}

#[test]
fn invoices_are_paid_in_any_order_also_after_a_restart() {
    let mut net = Net::host_and_clients(2);
    let invoices = many(&mut net);
    let last = invoices.len() - 1;
    for at in [0, last, 1, last - 1] {
        assert!(is_paid(&mut net, &invoices[at]), "invoice {at}");
    }
    net.crash(2);
    net.start(2);
    net.connect(2, 0);
    net.settle();
    for at in [2, last - 2, INVOICES_PER_CHUNK / 2, last - 3, last - 4] {
        assert!(is_paid(&mut net, &invoices[at]), "invoice {at}");
    }
    for at in [0, last, 2] {
        assert_eq!(net.received(2, invoices[at].payment_hash), Some(AMOUNT_MSAT), "invoice {at}");
    }
}

#[test]
fn an_invoice_stays_when_those_beside_it_expire() {
    let mut net = Net::host_and_clients(2);
    many(&mut net);
    net.tick(1_800_000);
    let young = net.invoice(2, Some(AMOUNT_MSAT));
    // The first expire after an hour.
    net.tick(1_800_000 + KEEP_EXPIRED_INVOICES_MS + SWEEP_INTERVAL_MS);
    assert!(is_paid(&mut net, &young));
}

/// The memory of this process, in bytes; `None` where the kernel does not tell.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
}

#[test]
#[ignore = "a measurement: run by name, alone in its process"]
fn an_open_invoice_costs_at_most_100_bytes() {
    const INVOICES: u64 = 200_000;
    let invoice = |n: u64| {
        let mut preimage = [0; 32];
        preimage[..8].copy_from_slice(&n.to_le_bytes());
        OpenInvoice {
            preimage: Preimage(preimage),
            payment_secret: preimage,
            amount_msat: Some(n + 1),
            expires_ms: u64::MAX / 4,
        }
    };
    let start = |invoices| {
        let stored = StoredState { invoices, ..Default::default() };
        let time = Time { now_ms: 0, wall_ms: 0 };
        Engine::new(config(), Box::new(TestKeys(1)), stored, time).unwrap()
    };
    let empty = start(Vec::new());
    // Where the kernel does not tell, there is nothing to compare.
    let Some(before) = resident_bytes() else { return };
    let full = start((0..INVOICES).map(invoice).collect());
    let each = (resident_bytes().unwrap() - before) / INVOICES;
    drop((empty, full));
    assert!(each <= 100, "{each} bytes");
    println!("{each} bytes per open invoice");
}
