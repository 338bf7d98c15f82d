//! Rows to store, and short ways to open stores. Shared by the tests of this crate.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::ops::Range;
use std::path::Path;

use steward_engine::WriteBatch;
use steward_engine::row::{
    ChannelRow, EvidenceRow, ForgottenClient, ForwardRow, InvoiceRow, InvoiceStatus, LocalIdentity,
    Origin, PartRow, PaymentKind, PaymentRow, PaymentStatus, PeerRow, Row, RowKey, Setting,
};
use steward_engine::{Event, EventKind};
use steward_hosted::{Phase, Role, Suspension};
use steward_htlc::{Failure, IncomingHtlcId, OutgoingHtlcId, Settlement};
use steward_store::sqlite::SqliteHistory;
use steward_store::{
    DirLock, History, MemoryStore, OpenMode, Owner, SqliteStore, Store, StoreError, Verified,
};
use steward_wire::{Framing, LinkId, NodeId, PaymentHash, Preimage, ShortChannelId};

/// A day, in milliseconds.
pub(crate) const DAY_MS: u64 = 24 * 3600 * 1000;
/// Rows of `setting` that the store itself keeps.
pub(crate) const STORES_OWN_SETTINGS: u64 = 3;
/// The tests' present, as unix time in milliseconds.
pub(crate) const NOW_MS: u64 = 1_800_000_000_000;

pub(crate) fn owner() -> Owner {
    Owner { network: "regtest".to_owned(), node_id: node(200) }
}

/// Opens a new or existing database in `dir`.
pub(crate) fn open(dir: &Path) -> SqliteStore {
    try_open(dir, OpenMode::Create).unwrap()
}

pub(crate) fn try_open(dir: &Path, mode: OpenMode) -> Result<SqliteStore, StoreError> {
    SqliteStore::open(DirLock::acquire(dir)?, mode, &owner())
}

/// Runs a test against each store there is; a further store is one line here.
pub(crate) fn each_store(test: impl Fn(Box<dyn Store>)) {
    test(Box::new(MemoryStore::new()));
    let dir = tempfile::tempdir().unwrap();
    test(Box::new(open(dir.path())));
}

pub(crate) fn commit(store: &mut Box<dyn Store>, rows: impl IntoIterator<Item = Row>) {
    store.commit(&batch(rows)).unwrap();
}

/// Copies the database at `from`, which may be in use.
pub(crate) fn backup(from: &Path, to: &Path) -> Result<Verified, StoreError> {
    SqliteHistory::open(from)?.backup(to)
}

/// Reads and checks the whole database at `path`.
pub(crate) fn verify(path: &Path) -> Result<Verified, StoreError> {
    SqliteHistory::open(path)?.verify()
}

/// Changes the database behind the store's back.
pub(crate) fn with_sql(dir: &Path, sql: &str) {
    rusqlite::Connection::open(dir.join("steward.db")).unwrap().execute_batch(sql).unwrap();
}

pub(crate) fn node(n: u64) -> NodeId {
    let mut bytes = [2; 33];
    bytes[25..].copy_from_slice(&n.to_be_bytes());
    NodeId(bytes)
}

pub(crate) fn preimage(n: u64) -> Preimage {
    let mut bytes = [3; 32];
    bytes[24..].copy_from_slice(&n.to_be_bytes());
    Preimage(bytes)
}

pub(crate) fn hash(n: u64) -> PaymentHash {
    preimage(n).hash()
}

/// Returns our id in the channel with node `n`, as its record says.
fn local(n: u64) -> NodeId {
    NodeId([(n % 251) as u8; 33])
}

/// Returns the channel with node `n`.
pub(crate) fn link(n: u64) -> LinkId {
    LinkId::hosted(&local(n), &node(n))
}

pub(crate) fn incoming(n: u64, id: u64) -> IncomingHtlcId {
    IncomingHtlcId { link: link(n), id }
}

pub(crate) fn outgoing(n: u64, id: u64) -> OutgoingHtlcId {
    OutgoingHtlcId { link: link(n), id }
}

/// Makes a batch of these rows.
pub(crate) fn batch(rows: impl IntoIterator<Item = Row>) -> WriteBatch {
    let mut batch = WriteBatch::default();
    rows.into_iter().for_each(|row| batch.put(row));
    batch
}

pub(crate) fn channel(n: u64, version: u64) -> ChannelRow {
    let mut record = vec![(n % 251) as u8; 600];
    record.extend(version.to_be_bytes());
    ChannelRow {
        link: link(n),
        peer: node(n),
        identity: LocalIdentity::PerHost,
        role: if n.is_multiple_of(2) { Role::Host } else { Role::Client },
        phase: Phase::Offline,
        short_channel_id: ShortChannelId(u64::MAX - n),
        local_balance_msat: version,
        remote_balance_msat: 1_000_000_000 - version,
        record,
    }
}

/// Returns these channels at this version, in the order in which they are loaded.
pub(crate) fn channels(
    of: impl IntoIterator<Item = u64>,
    version: impl Fn(u64) -> u64,
) -> Vec<ChannelRow> {
    let mut rows: Vec<_> = of.into_iter().map(|n| channel(n, version(n))).collect();
    rows.sort_by_key(|row| row.link);
    rows
}

pub(crate) fn put_channel(n: u64, version: u64) -> Row {
    Row::Channel(channel(n, version))
}

pub(crate) fn put_preimage(n: u64, learned_ms: u64) -> Row {
    Row::Preimage { preimage: preimage(n), learned_ms }
}

pub(crate) fn put_height(height: u32) -> Row {
    Row::Setting(Setting::Height(height))
}

pub(crate) fn payment(n: u64, status: PaymentStatus) -> PaymentRow {
    let ended = !matches!(status, PaymentStatus::Pending | PaymentStatus::Unknown);
    PaymentRow {
        payment_hash: hash(n),
        destination: node(n),
        amount_msat: 1_000 * n,
        fee_msat: n,
        max_fee_msat: 5 * n,
        status,
        preimage: (status == PaymentStatus::Complete).then(|| preimage(n)),
        failure: (status == PaymentStatus::Failed)
            .then(|| ("no_route".to_owned(), "There is no route.".to_owned())),
        kind: PaymentKind::Bolt11(format!("lnbcrt{n}")),
        created_ms: NOW_MS + n,
        ended_ms: ended.then_some(NOW_MS + n + 1),
    }
}

pub(crate) fn put_payment(n: u64, status: PaymentStatus) -> Row {
    Row::Payment(payment(n, status))
}

pub(crate) fn part(n: u64, part: u32) -> PartRow {
    PartRow {
        payment: hash(n).into(),
        part,
        link: link(7),
        amount_msat: 500 * n,
        fee_msat: 1,
        session_key: [9; 32],
        path: vec![(node(7), ShortChannelId(1)), (node(n), ShortChannelId(u64::MAX))],
        status: PaymentStatus::Pending,
    }
}

pub(crate) fn put_part(n: u64, number: u32) -> Row {
    Row::Part(part(n, number))
}

pub(crate) fn ended_part(n: u64, number: u32) -> PartRow {
    PartRow { status: PaymentStatus::Complete, ..part(n, number) }
}

pub(crate) fn put_ended_part(n: u64, number: u32) -> Row {
    Row::Part(ended_part(n, number))
}

pub(crate) fn invoice(n: u64, status: InvoiceStatus, expires_ms: u64) -> InvoiceRow {
    let paid = status == InvoiceStatus::Paid;
    InvoiceRow {
        payment_hash: hash(n),
        preimage: preimage(n),
        payment_secret: [4; 32],
        amount_msat: (!n.is_multiple_of(2)).then_some(1_000 * n),
        description: "Käsebrot \u{1f9c0}".to_owned(),
        kind: PaymentKind::Bolt11(format!("lnbcrt{n}")),
        created_ms: NOW_MS - DAY_MS,
        expires_ms,
        status,
        received_msat: if paid { 1_000 * n } else { 0 },
        paid_ms: paid.then_some(NOW_MS),
        failure: None,
    }
}

pub(crate) fn put_invoice(n: u64, status: InvoiceStatus, expires_ms: u64) -> Row {
    Row::Invoice(invoice(n, status, expires_ms))
}

pub(crate) fn put_invoice_failure(n: u64) -> Row {
    let (code, message) = ("claim_unsigned".to_owned(), "The claim was not signed.".to_owned());
    Row::InvoiceFailure { payment_hash: hash(n), code, message }
}

pub(crate) fn forward(n: u64, fulfilled: bool) -> ForwardRow {
    ForwardRow {
        incoming: incoming(1, n),
        incoming_peer: node(1),
        outgoing: link(2),
        outgoing_peer: node(2),
        amount_in_msat: 1_010,
        amount_out_msat: 1_000,
        fulfilled,
        ended_ms: NOW_MS + n,
    }
}

pub(crate) fn put_forward(n: u64, fulfilled: bool) -> Row {
    Row::Forward(forward(n, fulfilled))
}

pub(crate) fn evidence(n: u64, peer: u64) -> EvidenceRow {
    EvidenceRow {
        peer: node(peer),
        link: Some(link(peer)),
        time_ms: NOW_MS + n,
        what: "two states with the same counters".to_owned(),
        message_type: 63_507,
        body: vec![5; 300],
    }
}

pub(crate) fn put_evidence(n: u64, peer: u64) -> Row {
    Row::Evidence(n, evidence(n, peer))
}

pub(crate) fn event(number: u64) -> Event {
    let kind = EventKind::InvoicePaid { payment_hash: hash(number), received_msat: number };
    Event { number, time_ms: NOW_MS + number, kind }
}

pub(crate) fn put_event(number: u64) -> Row {
    Row::Event(event(number))
}

pub(crate) fn put_peer(n: u64) -> Row {
    let addresses = vec!["10.0.0.1:9735".to_owned(), "x.onion:9735".to_owned()];
    let framing = if n.is_multiple_of(2) { None } else { Some(Framing::Legacy) };
    let identity = if n.is_multiple_of(2) { LocalIdentity::Node } else { LocalIdentity::PerHost };
    let row = PeerRow { peer: node(n), identity, addresses, framing };
    Row::Peer(row)
}

fn forgotten_client(n: u64) -> ForgottenClient {
    ForgottenClient { peer: node(n), refund_script_hash: [n as u8; 32] }
}

/// Makes one event of each kind, with every optional field both ways.
pub(crate) fn every_event() -> Vec<EventKind> {
    let (peer, link) = (node(1), Some(link(1)));
    let suspended = |by_us, code| EventKind::ChannelSuspended {
        peer,
        link,
        suspension: Suspension { by_us, code, text: "Wrong signature.".to_owned() },
    };
    vec![
        EventKind::ChannelOpened { peer, link, role: Role::Host, capacity_msat: 1 },
        EventKind::ChannelOpened { peer, link, role: Role::Client, capacity_msat: u64::MAX },
        EventKind::ChannelOpeningFailed { peer, link, reason: String::new() },
        suspended(true, Some(3)),
        suspended(false, None),
        EventKind::OverrideProposed { peer, link, our_balance_msat: 5 },
        EventKind::ChannelOverridden { peer, link },
        EventKind::ChannelOverridden { peer, link: None },
        EventKind::ChannelResized { peer, link, capacity_msat: 6 },
        EventKind::ChannelForgotten { peer, link, role: Role::Host },
        EventKind::ChannelForgotten { peer, link, role: Role::Client },
        EventKind::InvoicePaid { payment_hash: hash(1), received_msat: 7 },
        EventKind::PaymentSent {
            payment_hash: hash(1),
            preimage: preimage(1),
            amount_msat: 8,
            fee_msat: 9,
        },
        EventKind::PaymentFailed {
            payment_hash: hash(1),
            code: "no_route".to_owned(),
            message: "There is no route.".to_owned(),
        },
        EventKind::PreimageAtRisk { peer, link, preimage: None, cltv_expiry: 840_000 },
        EventKind::ClockJumped { by_ms: -7_200_000 },
        EventKind::ResizeRefused { peer, link, reason: "At most 5 sat.".to_owned() },
    ]
}

/// Makes one settlement of each kind.
pub(crate) fn every_settlement() -> Vec<Settlement> {
    vec![
        Settlement::Fulfill { preimage: preimage(1), tlvs: Vec::new() },
        Settlement::Fail(Failure::Reason { reason: vec![1; 292], tlvs: vec![2; 920] }),
        Settlement::Fail(Failure::Reason { reason: vec![], tlvs: vec![] }),
        Settlement::Fail(Failure::Malformed { sha256_of_onion: [7; 32], failure_code: 0xc005 }),
    ]
}

/// Makes the commits of a payer for these payments: first that they are in flight, then that they
/// are paid.
pub(crate) fn payer_commits(numbers: Range<u64>) -> [WriteBatch; 2] {
    let (mut out, mut paid) = (WriteBatch::default(), WriteBatch::default());
    for n in numbers {
        out.put(put_payment(n, PaymentStatus::Pending));
        out.put(put_part(n, 0));
        out.put(Row::Origin(outgoing(1, n), Origin::Payment { payment: hash(n).into(), part: 0 }));
        paid.put(put_payment(n, PaymentStatus::Complete));
        paid.put(put_ended_part(n, 0));
        paid.delete(RowKey::Origin(outgoing(1, n)));
        paid.put(put_preimage(n, NOW_MS));
        paid.put(put_event(n));
    }
    out.put(put_channel(1, 1));
    paid.put(put_channel(1, 2));
    [out, paid]
}

/// Makes the commits of a payee for these payments: first that it asks for them, then that it is
/// paid.
pub(crate) fn payee_commits(numbers: Range<u64>) -> [WriteBatch; 2] {
    let (mut asked, mut paid) = (WriteBatch::default(), WriteBatch::default());
    for n in numbers {
        asked.put(put_invoice(n, InvoiceStatus::Open, NOW_MS + DAY_MS));
        paid.put(put_invoice(n, InvoiceStatus::Paid, NOW_MS + DAY_MS));
        paid.put(put_preimage(n, NOW_MS));
        paid.put(put_event(n));
    }
    paid.put(put_channel(1, 1));
    [asked, paid]
}

/// Makes the commits of a host for these payments: first that it forwards them, then that it knows
/// their preimages, then that it is paid.
pub(crate) fn host_commits(numbers: Range<u64>) -> [WriteBatch; 3] {
    let (mut out, mut known, mut paid) =
        (WriteBatch::default(), WriteBatch::default(), WriteBatch::default());
    for n in numbers {
        out.put(Row::Origin(outgoing(2, n), Origin::Forward(incoming(1, n))));
        let settlement = Settlement::Fulfill { preimage: preimage(n), tlvs: Vec::new() };
        known.put(Row::Outbox(incoming(1, n), settlement));
        known.put(put_preimage(n, NOW_MS));
        known.delete(RowKey::Origin(outgoing(2, n)));
        paid.delete(RowKey::Outbox(incoming(1, n)));
        paid.put(put_forward(n, true));
    }
    out.put(put_channel(1, 1));
    out.put(put_channel(2, 1));
    known.put(put_channel(2, 2));
    paid.put(put_channel(1, 2));
    [out, known, paid]
}

/// Makes at least one row in every table.
pub(crate) fn every_table() -> WriteBatch {
    let mut all = batch([
        put_channel(1, 10),
        put_channel(2, 20),
        Row::Origin(outgoing(1, 5), Origin::Forward(incoming(2, u64::MAX))),
        Row::Origin(outgoing(1, u64::MAX), Origin::Payment { payment: hash(1).into(), part: 3 }),
        put_preimage(1, NOW_MS),
        put_preimage(2, NOW_MS + 1),
        put_payment(1, PaymentStatus::Pending),
        put_payment(2, PaymentStatus::Complete),
        put_payment(3, PaymentStatus::Failed),
        put_part(1, 0),
        put_part(1, 1),
        put_ended_part(2, 0),
        put_invoice(1, InvoiceStatus::Open, NOW_MS + DAY_MS),
        put_invoice(2, InvoiceStatus::Paid, NOW_MS + DAY_MS),
        put_forward(1, true),
        put_forward(2, false),
        put_evidence(1, 1),
        put_peer(1),
        put_peer(2),
        put_height(840_000),
        Row::Setting(Setting::SearchedHeight(839_000)),
        Row::Setting(Setting::ForgottenClients(vec![forgotten_client(1), forgotten_client(2)])),
    ]);
    for (n, kind) in (1..).zip(every_event()) {
        all.put(Row::Event(Event { number: n, time_ms: NOW_MS, kind }));
    }
    for (n, settlement) in (1..).zip(every_settlement()) {
        all.put(Row::Outbox(incoming(2, n), settlement));
    }
    all
}
