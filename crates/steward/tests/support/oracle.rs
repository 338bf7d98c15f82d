//! The conditions at the end: every payment has ended, payer and payee say the same
//! of it, both sides of every channel hold one state with both signatures, and the balances are
//! what the payments make them. All is asked over the API only.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::thread;
use std::time::Instant;

use bitcoin::hashes::{Hash, sha256};
use hex::FromHex;
use serde::de::DeserializeOwned;
use steward::client::Client;
use steward::cluster::NodeProcess;
use steward_api::model::{
    ChannelCounts, ChannelDetails, Forward, Forwards, Invoice, InvoiceState, Invoices, Payment,
    PaymentState, Payments, Phase, Status,
};
use steward_wire::codec::Wire;
use steward_wire::proof::{Findings, judge};
use steward_wire::{LastCrossSignedState, Snapshot};

use super::load::Attempt;
use super::network::{Network, Who};
use super::{GIFT_SAT, PATIENCE, POLL_INTERVAL};

/// The number of rows asked for at a time.
const PAGE_ROWS: usize = 1000;

/// Waits until nothing is under way, then compares all books with each other and with what
/// callers were told.
pub(crate) fn assert_consistent(network: &Network, attempts: &[Attempt]) {
    assert!(!attempts.is_empty(), "nothing was paid");
    await_quiet(network);
    let books: Vec<Books> = network.cluster.clients.iter().map(Books::of).collect();
    for book in &books {
        book.assert_proofs();
        eprintln!("{}", book.summary());
    }
    for attempt in attempts {
        assert_kept_word(&books, attempt);
    }
    assert_same_payments(&books, attempts);
    for (index, book) in books.iter().enumerate() {
        assert_balance(network, index, book);
    }
    assert_forwards(network, &books);
}

/// Checks that no node found anything wrong with itself or another, in any of its lives.
pub(crate) fn assert_no_errors_logged(network: &Network) {
    assert_only_errors_logged(network, &[]);
}

/// Checks that of errors there are only those with these codes.
pub(crate) fn assert_only_errors_logged(network: &Network, codes: &[&str]) {
    let nodes = std::iter::once(&network.cluster.host).chain(&network.cluster.clients);
    let is_allowed = |line: &String| codes.iter().any(|c| line.contains(&format!("code=\"{c}\"")));
    for node in nodes {
        let mut errors = logged_errors(node);
        errors.retain(|line| !is_allowed(line));
        assert!(errors.is_empty(), "{}: {errors:#?}", node.data_dir().display());
    }
}

/// Returns lines of a node's log that should not be there unless something was wrong.
pub(crate) fn logged_errors(node: &NodeProcess) -> Vec<String> {
    let log = fs::read_to_string(node.data_dir().join("log")).unwrap();
    let is_error = |line: &&str| line.contains(" ERROR ") || line.contains("panicked at");
    log.lines().filter(is_error).map(str::to_owned).collect()
}

/// Waits until no node has anything under way and every channel is active with one state.
pub(crate) fn await_quiet(network: &Network) {
    let deadline = Instant::now() + PATIENCE;
    while let Err(reason) = look_quiet(network) {
        assert!(Instant::now() < deadline, "never quiet: {reason}");
        thread::sleep(POLL_INTERVAL);
    }
}

fn look_quiet(network: &Network) -> Result<(), String> {
    let clients = &network.cluster.clients;
    let expected = [(&network.cluster.host, clients.len())].into_iter();
    for (node, channels) in expected.chain(clients.iter().map(|client| (client, 1))) {
        let status: Status = node.client().get("/v1/status", &[]).unwrap();
        assert_eq!(status.channels.suspended, 0, "{status:?}");
        let active = u32::try_from(channels).unwrap();
        let all_active = ChannelCounts { active, ..ChannelCounts::from([0; 5]) };
        let is_quiet = status.channels == all_active
            && status.pending_payments == 0
            && status.pending_forwards == 0;
        if !is_quiet {
            return Err(format!("{status:?}"));
        }
    }
    look_settled(network, clients)
}

/// Waits until these clients and the host hold the same states without HTLCs, in active channels.
pub(crate) fn await_settled(network: &Network, whose: &[Who]) {
    let clients = || whose.iter().map(|who| network.node(*who));
    let deadline = Instant::now() + PATIENCE;
    while let Err(reason) = look_settled(network, clients()) {
        assert!(Instant::now() < deadline, "never settled: {reason}");
        thread::sleep(POLL_INTERVAL);
    }
}

fn look_settled<'a>(
    network: &Network,
    clients: impl IntoIterator<Item = &'a NodeProcess>,
) -> Result<(), String> {
    for client in clients {
        let (by_host, by_client) = both_sides(network, client);
        for side in [&by_host, &by_client] {
            if side.channel.phase != Phase::Active {
                return Err(format!("{:?}", side.channel));
            }
        }
        let (at_host, at_client) = (state(&by_host), state(&by_client));
        if !at_client.incoming_htlcs.is_empty() || !at_client.outgoing_htlcs.is_empty() {
            return Err(format!("HTLCs in {at_client:?}"));
        }
        if at_host != at_client.reverse() {
            return Err(format!("host has {at_host:?}\nclient has {at_client:?}"));
        }
    }
    Ok(())
}

/// The payments and invoices of one client, as it tells them, by payment hash.
struct Books {
    payments: BTreeMap<String, Payment>,
    invoices: BTreeMap<String, Invoice>,
}

impl Books {
    fn of(node: &NodeProcess) -> Self {
        Self {
            payments: by_hash(payments(node.client()), |payment| payment.payment_hash.clone()),
            invoices: by_hash(invoices(node.client()), |invoice| invoice.payment_hash.clone()),
        }
    }

    /// Checks that all that is paid has the preimage of its hash, and nothing is pending.
    fn assert_proofs(&self) {
        for (hash, payment) in &self.payments {
            match payment.status {
                PaymentState::Pending | PaymentState::Unknown => panic!("never ended: {payment:?}"),
                PaymentState::Complete => assert_preimage(hash, payment.preimage.as_deref()),
                PaymentState::Failed => {
                    assert!(payment.preimage.is_none() && payment.failure.is_some(), "{payment:?}");
                }
            }
        }
        for (hash, invoice) in &self.invoices {
            match invoice.status {
                InvoiceState::Complete => assert_preimage(hash, invoice.preimage.as_deref()),
                _ => assert!(invoice.preimage.is_none() && invoice.received_msat == 0),
            }
        }
    }

    /// Prints how the payments ended, for a person who looks at the output.
    fn summary(&self) -> String {
        let mut failures: BTreeMap<&str, usize> = BTreeMap::new();
        for failure in self.payments.values().filter_map(|payment| payment.failure.as_ref()) {
            *failures.entry(&failure.code).or_default() += 1;
        }
        let (sent, received) = (self.complete().count(), self.paid().count());
        format!("{sent} payments sent, {received} received, failures {failures:?}")
    }

    fn complete(&self) -> impl Iterator<Item = &Payment> {
        self.payments.values().filter(|payment| payment.status == PaymentState::Complete)
    }

    fn paid(&self) -> impl Iterator<Item = &Invoice> {
        self.invoices.values().filter(|invoice| invoice.status == InvoiceState::Complete)
    }
}

/// Checks that what a caller was told before or after a kill holds for good.
fn assert_kept_word(books: &[Books], attempt: &Attempt) {
    let hash = &attempt.invoice.payment_hash;
    let invoice = book(books, attempt.payee).invoices.get(hash);
    let invoice = invoice.unwrap_or_else(|| panic!("the payee forgot invoice {hash}"));
    assert_eq!(invoice.bolt11, attempt.invoice.bolt11);
    let now = book(books, attempt.payer).payments.get(hash);
    match &attempt.answer {
        Ok(told) => {
            let now = now.unwrap_or_else(|| panic!("the payer forgot {told:?}"));
            let was_final = !matches!(told.status, PaymentState::Pending | PaymentState::Unknown);
            // The answer to a request to pay says which request began it; this is not kept.
            let told = &Payment { already_paid: now.already_paid, ..told.clone() };
            assert!(!was_final || now == told, "the payer said {told:?}\nnow it says {now:?}");
        }
        // Refused, perhaps after an earlier answer was lost: then that one must have failed.
        Err(error) => {
            let is_unpaid = now.is_none_or(|now| now.status == PaymentState::Failed);
            assert!(is_unpaid, "refused with {error:?}, but {now:?}");
        }
    }
}

/// Checks that complete for the payer means paid for the payee, with the same amount and proof, and
/// the other way round.
fn assert_same_payments(books: &[Books], attempts: &[Attempt]) {
    for Attempt { payer, payee, invoice, .. } in attempts {
        let hash = &invoice.payment_hash;
        let sent = book(books, *payer).payments.get(hash);
        let sent = sent.filter(|payment| payment.status == PaymentState::Complete);
        let received = &book(books, *payee).invoices[hash];
        match sent {
            Some(sent) => {
                assert_eq!(received.status, InvoiceState::Complete, "{sent:?}\n{received:?}");
                assert_eq!(received.preimage, sent.preimage);
                assert_eq!(received.received_msat, sent.amount_msat);
                assert_eq!(invoice.amount_msat, Some(sent.amount_msat));
            }
            None => assert_ne!(received.status, InvoiceState::Complete, "{received:?}"),
        }
    }
    let sent: BTreeSet<&String> = books.iter().flat_map(Books::complete).map(hash_of).collect();
    let received = books.iter().flat_map(Books::paid).map(|invoice| &invoice.payment_hash);
    assert_eq!(sent, received.collect(), "somebody paid or was paid without the other");
}

/// Checks that balances are the gift, less what was sent, plus what was received: in the state both
/// signed, at both sides.
fn assert_balance(network: &Network, index: usize, books: &Books) {
    let spent_msat: u64 = books.complete().map(|p| p.amount_msat + p.fee_msat).sum();
    let received_msat: u64 = books.paid().map(|invoice| invoice.received_msat).sum();
    let expected_msat = GIFT_SAT * 1000 + received_msat - spent_msat;
    let (by_host, by_client) = both_sides(network, network.node(Who::Client(index)));
    assert_eq!(by_host.signatures_valid, Some(true));
    assert_eq!(by_client.signatures_valid, Some(true));
    let verified =
        judge(&snapshot(&by_client)).filter(Findings::both_signed).expect("both signatures");
    assert_eq!(Some(&verified), judge(&snapshot(&by_host)).as_ref());
    assert_eq!(verified.client_balance_msat, expected_msat);
    let balances = by_client.channel.balances.unwrap();
    assert_eq!(balances.local_balance_msat, expected_msat);
    let at_host = by_host.channel.balances.unwrap();
    assert_eq!(at_host.remote_balance_msat, expected_msat);
    assert_eq!(at_host.local_balance_msat, balances.capacity_msat - expected_msat);
}

/// Checks that the host forwarded each payment once, and earned exactly the fees.
fn assert_forwards(network: &Network, books: &[Books]) {
    let page = [("limit", PAGE_ROWS.to_string())];
    let forwards: Forwards = network.cluster.host.client().get("/v1/forwards", &page).unwrap();
    let payments: Vec<&Payment> = books.iter().flat_map(Books::complete).collect();
    assert_eq!(forwards.totals.fulfilled, payments.len() as u64);
    assert_eq!(forwards.totals.fees_msat, payments.iter().map(|p| p.fee_msat).sum::<u64>());
    let gifts_msat = network.cluster.clients.len() as u64 * GIFT_SAT * 1000;
    let status: Status = network.cluster.host.client().get("/v1/status", &[]).unwrap();
    assert_eq!(status.owed_to_clients_msat, gifts_msat - forwards.totals.fees_msat);
    let balances = network.cluster.clients.iter().map(|client| {
        let (_, by_client) = both_sides(network, client);
        by_client.channel.balances.unwrap().local_balance_msat
    });
    assert_eq!(status.owed_to_clients_msat, balances.sum::<u64>());
}

/// Checks that each client has what the host's own books of forwards leave it, in the state both
/// signed.
pub(crate) fn assert_balances_of_the_hosts_books(network: &Network, whose: &[Who]) {
    for who in whose {
        let (by_host, by_client) = both_sides(network, network.node(*who));
        let verified =
            judge(&snapshot(&by_client)).filter(Findings::both_signed).expect("both signatures");
        assert_eq!(verified.client_balance_msat, balance_by_the_hosts_books_msat(network, *who));
        assert_eq!(Some(&verified), judge(&snapshot(&by_host)).as_ref());
    }
}

/// Returns what the host's own books of forwards leave a client.
pub(crate) fn balance_by_the_hosts_books_msat(network: &Network, who: Who) -> u64 {
    let forwards = forwards(network.cluster.host.client());
    let id = network.node(who).channel(network.cluster.host.node_id()).unwrap().channel.local_id;
    let fulfilled = || forwards.iter().filter(|forward| forward.fulfilled);
    let sent = fulfilled().filter(|forward| forward.incoming_peer_id == id);
    let received = fulfilled().filter(|forward| forward.outgoing_peer_id == id);
    let received_msat: u64 = received.map(|forward| forward.amount_out_msat).sum();
    let sent_msat: u64 = sent.map(|forward| forward.amount_in_msat).sum();
    GIFT_SAT * 1000 + received_msat - sent_msat
}

/// Returns the channel of a client, as the host shows it and as the client does.
pub(crate) fn both_sides(
    network: &Network,
    client: &NodeProcess,
) -> (ChannelDetails, ChannelDetails) {
    let host = &network.cluster.host;
    let by_client = client.channel(host.node_id()).unwrap();
    (host.channel(&by_client.channel.local_id).unwrap(), by_client)
}

pub(crate) fn snapshot(details: &ChannelDetails) -> Snapshot {
    let text = details.snapshot.as_ref().expect("a state both signed");
    Snapshot::decode(&Vec::<u8>::from_hex(text).unwrap()).unwrap()
}

fn state(details: &ChannelDetails) -> LastCrossSignedState {
    snapshot(details).state
}

pub(crate) fn assert_preimage(hash: &str, preimage: Option<&str>) {
    let preimage = <[u8; 32]>::from_hex(preimage.expect("a proof of payment")).unwrap();
    assert_eq!(sha256::Hash::hash(&preimage).to_string(), hash);
}

fn book(books: &[Books], who: Who) -> &Books {
    let Who::Client(index) = who else { panic!("the host keeps no such books") };
    &books[index]
}

fn hash_of(payment: &Payment) -> &String {
    &payment.payment_hash
}

/// Returns all payments of a node.
pub(crate) fn payments(api: &Client) -> Vec<Payment> {
    pages(api, "/v1/payments", |page: Payments| (page.payments, page.next))
}

/// Returns all invoices of a node.
pub(crate) fn invoices(api: &Client) -> Vec<Invoice> {
    pages(api, "/v1/invoices", |page: Invoices| (page.invoices, page.next))
}

/// Returns everything a node forwarded.
pub(crate) fn forwards(api: &Client) -> Vec<Forward> {
    pages(api, "/v1/forwards", |page: Forwards| (page.forwards, page.next))
}

fn pages<P: DeserializeOwned, T>(
    api: &Client,
    path: &str,
    open: impl Fn(P) -> (Vec<T>, Option<u64>),
) -> Vec<T> {
    let mut rows = Vec::new();
    let mut query = vec![("limit", PAGE_ROWS.to_string())];
    loop {
        let (page, next) = open(api.get(path, &query).unwrap());
        rows.extend(page);
        let Some(next) = next else { return rows };
        query.truncate(1);
        query.push(("before", next.to_string()));
    }
}

/// Returns the rows by their hashes, and checks that each is there once.
fn by_hash<T>(rows: Vec<T>, hash: impl Fn(&T) -> String) -> BTreeMap<String, T> {
    let count = rows.len();
    let map: BTreeMap<String, T> = rows.into_iter().map(|row| (hash(&row), row)).collect();
    assert_eq!(map.len(), count, "a payment hash stands twice in a list");
    map
}

/// Returns the balance of the state both signed.
pub(crate) fn balance_msat(api: &Client, peer_id: &str) -> u64 {
    let details: ChannelDetails = api.get(&format!("/v1/channels/{peer_id}"), &[]).unwrap();
    details.channel.balances.unwrap().local_balance_msat
}
