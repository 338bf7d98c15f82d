//! Databases with a long past: payments, invoices and forwards as years leave them.

use std::path::Path;

use steward_engine::row::{
    ForwardRow, InvoiceRow, InvoiceStatus, PartRow, PaymentKind, PaymentRow, PaymentStatus, Row,
    WriteBatch,
};
use steward_htlc::IncomingHtlcId;
use steward_node::{NodeKeys, Seed};
use steward_store::{DirLock, OpenMode, Owner, SqliteStore, Store};
use steward_wire::{LinkId, NodeId, Preimage, ShortChannelId};

use crate::process::Result;

/// The payments whose rows are written in one commit.
const PAYMENTS_PER_COMMIT: usize = 2_000;
/// The length of an invoice's text, in letters.
const INVOICE_TEXT: usize = 290;
/// The Unix time at which the past began, in milliseconds.
const BEGUN_MS: u64 = 1_700_000_000_000;
/// The lifetime of an open invoice, in milliseconds.
const LIFETIME_MS: u64 = 10 * 365 * 86_400_000;

/// A node's share in a payment of the past.
#[derive(Clone, Copy)]
pub(crate) enum Past {
    /// It paid.
    Payer,
    /// It forwarded.
    Host,
    /// It was paid.
    Payee,
    /// It waits to be paid.
    Asking,
}

/// Opens the database of a data directory that `steward init` made.
pub(crate) fn open(data_dir: &Path) -> Result<SqliteStore> {
    let seed = Seed::load(data_dir)?;
    let keys = NodeKeys::new(&seed, bitcoin::Network::Regtest);
    let owner = Owner { network: "regtest".to_owned(), node_id: keys.node_id() };
    Ok(SqliteStore::open(DirLock::acquire(data_dir)?, OpenMode::Existing, &owner)?)
}

/// Writes what `count` payments leave behind.
pub(crate) fn fill(data_dir: &Path, past: Past, count: usize) -> Result<()> {
    let mut store = open(data_dir)?;
    let mut batch = WriteBatch::default();
    for number in 1..=count {
        rows(past, number as u64).into_iter().for_each(|row| batch.put(row));
        if number % PAYMENTS_PER_COMMIT == 0 || number == count {
            store.commit(&std::mem::take(&mut batch))?;
            store.maintain()?;
        }
    }
    store.close()?;
    Ok(())
}

fn rows(past: Past, number: u64) -> Vec<Row> {
    let preimage = preimage(number);
    let learned = Row::Preimage { preimage, learned_ms: BEGUN_MS + number };
    match past {
        Past::Payer => vec![payment(number), part(number), learned],
        Past::Host => vec![forward(number), learned],
        Past::Payee => vec![invoice(number, InvoiceStatus::Paid), learned],
        Past::Asking => vec![invoice(number, InvoiceStatus::Open)],
    }
}

/// Makes a preimage, so that the hashes lie as randomly as real ones.
fn preimage(number: u64) -> Preimage {
    let mut bytes = [9; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    Preimage(bytes)
}

fn payment(number: u64) -> Row {
    let preimage = preimage(number);
    Row::Payment(PaymentRow {
        payment_hash: preimage.hash(),
        destination: other(),
        amount_msat: 10_000,
        fee_msat: 1_010,
        max_fee_msat: 10_000,
        status: PaymentStatus::Complete,
        preimage: Some(preimage),
        failure: None,
        kind: PaymentKind::Bolt11("l".repeat(INVOICE_TEXT)),
        created_ms: BEGUN_MS + number,
        ended_ms: Some(BEGUN_MS + number),
    })
}

fn part(number: u64) -> Row {
    let hop = (other(), ShortChannelId(number));
    Row::Part(PartRow {
        payment: preimage(number).hash().into(),
        part: 0,
        link: LinkId([1; 32]),
        amount_msat: 10_000,
        fee_msat: 1_010,
        session_key: preimage(number).hash().0,
        path: vec![hop, hop],
        status: PaymentStatus::Complete,
    })
}

fn invoice(number: u64, status: InvoiceStatus) -> Row {
    let (preimage, is_paid) = (preimage(number), status == InvoiceStatus::Paid);
    Row::Invoice(InvoiceRow {
        payment_hash: preimage.hash(),
        preimage,
        payment_secret: preimage.hash().0,
        amount_msat: Some(10_000),
        description: "bench".to_owned(),
        kind: PaymentKind::Bolt11("l".repeat(INVOICE_TEXT)),
        created_ms: BEGUN_MS + number,
        expires_ms: BEGUN_MS + number + LIFETIME_MS,
        status,
        received_msat: if is_paid { 10_000 } else { 0 },
        paid_ms: is_paid.then_some(BEGUN_MS + number),
        failure: None,
    })
}

fn forward(number: u64) -> Row {
    Row::Forward(ForwardRow {
        incoming: IncomingHtlcId { link: LinkId([1; 32]), id: number },
        incoming_peer: other(),
        outgoing: LinkId([2; 32]),
        outgoing_peer: other(),
        amount_in_msat: 11_010,
        amount_out_msat: 10_000,
        fulfilled: true,
        ended_ms: BEGUN_MS + number,
    })
}

fn other() -> NodeId {
    NodeId([2; 33])
}
