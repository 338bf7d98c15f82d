//! What the API asks of a node. [`NodeHandle`] answers in earnest, tests have their own.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use steward_engine::row::{InvoiceRow, PaymentRow};
use steward_engine::{Command, Error, Event, Reply};
use steward_invoice::Invoice;
use steward_node::{ConnectionFailure, NodeHandle, NodeInfo, NodeMetrics, Paid};
use steward_p2p::PeerAddress;
use steward_store::History;
use steward_wire::NodeId;
use tokio::sync::broadcast;

/// A node behind the API.
pub trait Backend: Send + Sync + 'static {
    /// What does not change while it runs.
    fn info(&self) -> NodeInfo;

    /// What it did since it was started.
    fn metrics(&self) -> NodeMetrics;

    /// Asks the engine; the answer comes once what it depends on is durable.
    fn command(&self, command: Command) -> BoxFuture<'_, Result<Reply, Error>>;

    /// Reaches a peer at this address, with the identity of its client or with the node's own, and
    /// then asks the engine. What cannot be reached leaves nothing behind.
    fn reach_and_command(
        &self,
        peer: NodeId,
        is_host: bool,
        address: PeerAddress,
        command: Command,
    ) -> BoxFuture<'_, Result<Reply, Error>>;

    /// Wanted peers that could not be reached the last time.
    fn connection_failures(&self) -> Vec<ConnectionFailure>;

    /// Makes an invoice.
    fn create_invoice(&self, request: NewInvoice) -> BoxFuture<'_, Result<InvoiceRow, Error>>;

    /// Pays an invoice and waits for the end, `wait` at most; after that the payment is answered
    /// as it stands. A payment of this invoice that is under way, or ended lately and well, is
    /// answered with, not repeated.
    fn pay(&self, request: PayInvoice, wait: Duration) -> BoxFuture<'_, Result<Paid, Error>>;

    /// Pays a node without an invoice, and waits likewise.
    fn keysend(&self, request: PayNode, wait: Duration)
    -> BoxFuture<'_, Result<PaymentRow, Error>>;

    /// Every event from now on.
    fn events(&self) -> broadcast::Receiver<Event>;

    /// What is stored; its calls block.
    fn history(&self) -> Arc<dyn History>;

    /// Writes a copy of the database into a new file.
    fn backup(&self, path: PathBuf) -> BoxFuture<'_, Result<(), Error>>;
}

/// An invoice to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewInvoice {
    /// In millisatoshi; `None`: the payer chooses.
    pub amount_msat: Option<u64>,
    /// For the payer.
    pub description: String,
    /// Seconds until it ends.
    pub expiry_s: u32,
}

/// An invoice to be paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayInvoice {
    /// The invoice.
    pub invoice: Invoice,
    /// Needed if the invoice leaves it open, in millisatoshi.
    pub amount_msat: Option<u64>,
    /// Most fee, in millisatoshi.
    pub max_fee_msat: Option<u64>,
}

/// A node to be paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PayNode {
    /// Who is paid.
    pub destination: NodeId,
    /// The host through which it is reached.
    pub via: Option<NodeId>,
    /// In millisatoshi.
    pub amount_msat: u64,
    /// Most fee, in millisatoshi.
    pub max_fee_msat: Option<u64>,
}

impl Backend for NodeHandle {
    fn info(&self) -> NodeInfo {
        self.info().clone()
    }

    fn metrics(&self) -> NodeMetrics {
        self.metrics()
    }

    fn command(&self, command: Command) -> BoxFuture<'_, Result<Reply, Error>> {
        self.command(command).boxed()
    }

    fn reach_and_command(
        &self,
        peer: NodeId,
        is_host: bool,
        address: PeerAddress,
        command: Command,
    ) -> BoxFuture<'_, Result<Reply, Error>> {
        self.reach_and_command(peer, is_host, address, command).boxed()
    }

    fn connection_failures(&self) -> Vec<ConnectionFailure> {
        self.connection_failures()
    }

    fn create_invoice(&self, request: NewInvoice) -> BoxFuture<'_, Result<InvoiceRow, Error>> {
        let NewInvoice { amount_msat, description, expiry_s } = request;
        self.create_invoice(amount_msat, description, expiry_s).boxed()
    }

    fn pay(&self, request: PayInvoice, wait: Duration) -> BoxFuture<'_, Result<Paid, Error>> {
        let PayInvoice { invoice, amount_msat, max_fee_msat } = request;
        self.pay_and_wait(invoice, amount_msat, max_fee_msat, wait).boxed()
    }

    fn keysend(
        &self,
        request: PayNode,
        wait: Duration,
    ) -> BoxFuture<'_, Result<PaymentRow, Error>> {
        let PayNode { destination, via, amount_msat, max_fee_msat } = request;
        self.keysend_and_wait(destination, via, amount_msat, max_fee_msat, wait).boxed()
    }

    fn events(&self) -> broadcast::Receiver<Event> {
        self.subscribe()
    }

    fn history(&self) -> Arc<dyn History> {
        self.history()
    }

    fn backup(&self, path: PathBuf) -> BoxFuture<'_, Result<(), Error>> {
        self.backup(path).boxed()
    }
}
